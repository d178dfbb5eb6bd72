//! A multilayer perceptron on points of the plane, of any shape up to four hidden layers: the
//! program's own layers, trained step by step, with what every neuron answers over the plane.

use super::points::Point;
use crate::graph::{Filler, Layer, Size};
use crate::labs::trial::{Trial, chain, facts, with_targets};
use crate::labs::{LabError, Settings, activation};
use crate::layers::{InnerProduct, SigmoidCrossEntropyLoss};
use crate::net::NetFeed;
use crate::train::{Method, Solver};

/// Half the side of the square that is shown.
pub const REACH: f64 = 6.0;

/// The hidden layers' sizes that the settings ask for; the first empty one ends them.
pub fn shape(settings: &Settings) -> Vec<usize> {
    let keys = ["hidden1", "hidden2", "hidden3", "hidden4"];
    let sizes = keys.map(|key| settings.count(key));
    sizes.into_iter().take_while(|size| *size > 0).collect()
}

/// A network, its points and how it has done so far.
pub struct Network {
    trial: Trial,
    /// Every second point trains, the others test.
    train: Vec<Point>,
    test: Vec<Point>,
    batch: usize,
    next: usize,
    /// Loss on the training and test points, now and then.
    pub losses: Vec<[f64; 2]>,
    pub shape: Vec<usize>,
}

/// What a network is made of.
pub struct Plan {
    pub shape: Vec<usize>,
    /// By its place in [`ACTIVATIONS`](crate::labs::ACTIVATIONS).
    pub activation: usize,
    pub rate: f64,
    pub method: Method,
    pub batch: usize,
    pub seed: u64,
}

impl Network {
    /// As the bench's settings say.
    pub fn new(settings: &Settings, points: &[Point], seed: u64) -> Result<Self, LabError> {
        let plan = Plan {
            shape: shape(settings),
            activation: settings.count("activation"),
            rate: settings.number("rate"),
            method: Method::Sgd,
            batch: settings.count("batch"),
            seed,
        };
        Self::of(plan, points)
    }

    pub fn of(plan: Plan, points: &[Point]) -> Result<Self, LabError> {
        let shape = plan.shape;
        let mut layers: Vec<(String, Box<dyn Layer>)> = Vec::new();
        let kind = plan.activation;
        for (place, size) in shape.iter().enumerate() {
            // Maxout takes the larger of two values, so there must be twice as many.
            let values = if kind == 5 { 2 * size } else { *size };
            layers.push((sum_name(place), full(values)));
            layers.push((unit_name(place), activation(kind)));
        }
        layers.push(("output".into(), full(1)));
        layers.push(("loss".into(), Box::new(SigmoidCrossEntropyLoss::default())));
        let solver = Solver {
            method: plan.method,
            base_lr: plan.rate,
            momentum: if plan.method == Method::Adam {
                0.9
            } else {
                0.0
            },
            weight_decay: 0.0,
            ..Solver::default()
        };
        let even = |wanted: usize| {
            let points = points.iter().enumerate();
            let points = points.filter(move |(place, _)| place / 2 % 2 == wanted);
            points.map(|(_, point)| *point).collect::<Vec<_>>()
        };
        // A few points, such as the corners of XOR, train all.
        let few = points.len() < 16;
        Ok(Self {
            trial: Trial::new(&chain(layers), &facts(2, None), solver, plan.seed)?,
            train: if few { points.to_vec() } else { even(0) },
            test: if few { points.to_vec() } else { even(1) },
            batch: plan.batch,
            next: 0,
            losses: Vec::new(),
            shape,
        })
    }

    pub fn steps(&self) -> u64 {
        self.trial.steps()
    }

    /// Numbers that are learned.
    pub fn parameters(&self) -> usize {
        let params = self.trial.net().params().values();
        params.map(|param| param.tensor.elem_count()).sum()
    }

    pub fn train_points(&self) -> &[Point] {
        &self.train
    }

    pub fn test_points(&self) -> &[Point] {
        &self.test
    }

    pub fn set_rate(&mut self, rate: f64) {
        self.trial.solver.base_lr = rate;
    }

    /// One step on the next batch.
    pub fn step(&mut self) -> Result<(), LabError> {
        if self.train.is_empty() {
            return Ok(());
        }
        let size = self.batch.min(self.train.len());
        let batch: Vec<Point> = (0..size)
            .map(|n| self.train[(self.next + n) % self.train.len()])
            .collect();
        self.next = (self.next + size) % self.train.len();
        self.trial.step(&feed(&batch)?)?;
        Ok(())
    }

    /// Notes the losses as they are now.
    pub fn note(&mut self) -> Result<(), LabError> {
        if self.train.is_empty() || self.test.is_empty() {
            return Ok(());
        }
        let train = self.trial.loss(&feed(&self.train)?)?;
        let test = self.trial.loss(&feed(&self.test)?)?;
        self.losses.push([train, test]);
        Ok(())
    }

    /// The loss on all training points.
    pub fn training_loss(&self) -> Result<f64, LabError> {
        self.trial.loss(&feed(&self.train)?)
    }

    /// The share of the test points on their right sides.
    pub fn accuracy(&self) -> Result<f64, LabError> {
        let rows: Vec<Vec<f64>> = self.test.iter().map(|point| point.at.to_vec()).collect();
        if rows.is_empty() {
            return Ok(f64::NAN);
        }
        let outputs = self.trial.outputs(&rows, &["output".to_owned()])?;
        let scores: Vec<f64> = outputs[0].flatten_all()?.to_vec1()?;
        let right = scores.iter().zip(&self.test);
        let right = right.filter(|(score, point)| (**score > 0.0) == (point.class == 1));
        Ok(right.count() as f64 / self.test.len() as f64)
    }

    /// What every neuron answers over the plane, layer by layer, the output last: `side` × `side`
    /// numbers from the top left on; the output's is a probability.
    pub fn maps(&self, side: usize) -> Result<Vec<Vec<Vec<f64>>>, LabError> {
        let rows: Vec<Vec<f64>> = grid(side).map(|at| at.to_vec()).collect();
        let names = (0..self.shape.len()).map(unit_name);
        let names: Vec<String> = names.chain(["output".to_owned()]).collect();
        let outputs = self.trial.outputs(&rows, &names)?;
        let mut maps = Vec::new();
        for output in outputs {
            maps.push(output.t()?.contiguous()?.to_vec2::<f64>()?);
        }
        if let Some(last) = maps.last_mut() {
            let sigmoid = |score: &mut f64| *score = 1.0 / (1.0 + (-*score).exp());
            last.iter_mut().flatten().for_each(sigmoid);
        }
        Ok(maps)
    }

    /// The weights into a layer, from its first neuron on, and its biases; the output is the
    /// layer behind the last hidden one.
    pub fn weights(&self, layer: usize) -> [Vec<f64>; 2] {
        let name = self.layer_name(layer);
        [".weight", ".bias"].map(|suffix| self.trial.param(&format!("{name}{suffix}")))
    }

    /// Sets the weights into a layer by hand.
    pub fn set_weights(&mut self, layer: usize, weights: &[f64]) -> Result<(), LabError> {
        let key = format!("{}.weight", self.layer_name(layer));
        self.trial.set_param(&key, weights)
    }

    fn layer_name(&self, layer: usize) -> String {
        match layer < self.shape.len() {
            true => sum_name(layer),
            false => "output".to_owned(),
        }
    }
}

/// The middles of the squares that a map's numbers stand for, row by row from the top.
pub fn grid(side: usize) -> impl Iterator<Item = [f64; 2]> {
    let step = 2.0 * REACH / side as f64;
    let place = move |n: usize| -REACH + (n as f64 + 0.5) * step;
    (0..side * side).map(move |n| [place(n % side), -place(n / side)])
}

fn sum_name(place: usize) -> String {
    format!("hidden{}", place + 1)
}

fn unit_name(place: usize) -> String {
    format!("unit{}", place + 1)
}

fn full(outputs: usize) -> Box<dyn Layer> {
    Box::new(InnerProduct {
        num_output: Size::Count(outputs),
        weight_filler: Filler::Xavier,
        ..InnerProduct::default()
    })
}

fn feed(points: &[Point]) -> Result<NetFeed, LabError> {
    let rows: Vec<Vec<f64>> = points.iter().map(|point| point.at.to_vec()).collect();
    let targets: Vec<f64> = points.iter().map(|point| f64::from(point.class)).collect();
    with_targets(&rows, &targets)
}
