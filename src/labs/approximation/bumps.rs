//! Bumps side by side, and the network whose weights they are.

use crate::graph::{Filler, Multiplier, Size};
use crate::labs::LabError;
use crate::labs::trial::{Trial, chain, facts, with_targets};
use crate::layers::{EuclideanLoss, InnerProduct, Sigmoid};
use crate::train::{Method, Solver};

/// Where functions are sampled.
const SAMPLES: usize = 240;

/// The middles of equal parts of 0 … 1.
pub fn xs() -> impl Iterator<Item = f64> {
    (0..SAMPLES).map(|n| (n as f64 + 0.5) / SAMPLES as f64)
}

/// σ
pub fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Bumps of equal width side by side over 0 … 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Bumps {
    pub heights: Vec<f64>,
    /// The weight into every hidden neuron.
    pub steepness: f64,
}

impl Bumps {
    /// The bench's own construction: each bump as high as the function is on average there.
    pub fn placed(values: &[f64], count: usize, steepness: f64) -> Self {
        let mut sums = vec![(0.0, 0usize); count.max(1)];
        for (x, value) in xs().zip(values) {
            let place = ((x * count as f64) as usize).min(sums.len() - 1);
            sums[place].0 += value;
            sums[place].1 += 1;
        }
        let mean = |(sum, count): (f64, usize)| sum / count.max(1) as f64;
        Self {
            heights: sums.into_iter().map(mean).collect(),
            steepness,
        }
    }

    pub fn flat(count: usize, steepness: f64) -> Self {
        Self {
            heights: vec![0.0; count.max(1)],
            steepness,
        }
    }

    /// Weights and biases of the hidden layer and of the output, as the network keeps them. The
    /// outermost steps stand a little outside, so that the curve's ends are whole.
    pub fn weights(&self) -> [Vec<f64>; 4] {
        let (w, count) = (self.steepness, self.heights.len());
        let edge = |place: usize| match place {
            0 => -0.5,
            place if place == count => 1.5,
            place => place as f64 / count as f64,
        };
        let biases = (0..count).flat_map(|n| [-w * edge(n), -w * edge(n + 1)]);
        let outputs = self.heights.iter().flat_map(|height| [*height, -*height]);
        [
            vec![w; 2 * count],
            biases.collect(),
            outputs.collect(),
            vec![0.0],
        ]
    }

    /// What the network answers, without one.
    pub fn value(&self, x: f64) -> f64 {
        let [weights, biases, outputs, _] = self.weights();
        let hidden = weights.iter().zip(&biases).zip(&outputs);
        hidden.map(|((w, b), h)| h * sigmoid(w * x + b)).sum()
    }
}

/// The network: one input, two sigmoids for each bump, one linear output.
pub struct Approximator {
    trial: Trial,
    bumps: usize,
}

const KEYS: [&str; 4] = [
    "hidden.weight",
    "hidden.bias",
    "output.weight",
    "output.bias",
];

impl Approximator {
    pub fn new(bumps: usize, rate: f64) -> Result<Self, LabError> {
        let full = |outputs: usize| InnerProduct {
            num_output: Size::Count(outputs),
            weight_filler: Filler::Xavier,
            ..InnerProduct::default()
        };
        let mut graph = chain(vec![
            ("hidden".into(), Box::new(full(2 * bumps))),
            ("sigmoid".into(), Box::new(Sigmoid::default())),
            ("output".into(), Box::new(full(1))),
            ("loss".into(), Box::new(EuclideanLoss::default())),
        ]);
        let hidden = graph.nodes().iter().find(|node| node.name == "hidden");
        if let Some(node) = hidden.map(|node| node.id).and_then(|id| graph.node_mut(id)) {
            // A step's weight is hundreds of times as large as the height of a bump.
            let faster = Multiplier {
                lr: 100.0,
                decay: 0.0,
            };
            node.multipliers = ["weight", "bias"]
                .map(|key| (key.to_owned(), faster))
                .into();
        }
        let solver = Solver {
            method: Method::Adam,
            base_lr: rate,
            weight_decay: 0.0,
            ..Solver::default()
        };
        Ok(Self {
            trial: Trial::new(&graph, &facts(1, None), solver, 1)?,
            bumps,
        })
    }

    pub fn bumps(&self) -> usize {
        self.bumps
    }

    pub fn steps(&self) -> u64 {
        self.trial.steps()
    }

    pub fn set_rate(&mut self, rate: f64) {
        self.trial.solver.base_lr = rate;
    }

    pub fn set(&mut self, bumps: &Bumps) -> Result<(), LabError> {
        for (key, values) in KEYS.iter().zip(bumps.weights()) {
            self.trial.set_param(key, &values)?;
        }
        Ok(())
    }

    /// What it answers at every sample.
    pub fn answers(&self) -> Result<Vec<f64>, LabError> {
        let rows: Vec<Vec<f64>> = xs().map(|x| vec![x]).collect();
        let output = self.trial.outputs(&rows, &["output".to_owned()])?;
        Ok(output[0].flatten_all()?.to_vec1()?)
    }

    /// The mean distance from these values.
    pub fn deviation(&self, values: &[f64]) -> Result<f64, LabError> {
        Ok(deviation(&self.answers()?, values))
    }

    /// One step towards these values.
    pub fn step(&mut self, values: &[f64]) -> Result<f64, LabError> {
        let rows: Vec<Vec<f64>> = xs().map(|x| vec![x]).collect();
        self.trial.step(&with_targets(&rows, values)?)
    }

    /// Where the hidden neurons' steps stand now, −b/w, and their weights into the output.
    pub fn steps_at(&self) -> Vec<[f64; 2]> {
        let [weights, biases, outputs, _] = KEYS.map(|key| self.trial.param(key));
        let hidden = weights.iter().zip(&biases).zip(&outputs);
        hidden.map(|((w, b), h)| [-b / w, *h]).collect()
    }
}

/// The mean distance of two rows of values.
pub fn deviation(a: &[f64], b: &[f64]) -> f64 {
    let sum: f64 = a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum();
    sum / a.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_stands_at_minus_b_over_w() {
        for (w, b) in [(10.0, -3.0), (400.0, -100.0), (-50.0, 20.0)] {
            let s: f64 = -b / w;
            assert!((sigmoid(w * s + b) - 0.5).abs() < 1e-12);
        }
    }

    #[test]
    fn the_network_answers_what_its_bumps_say() {
        let values: Vec<f64> = xs().map(|x| x * x).collect();
        let bumps = Bumps::placed(&values, 10, 300.0);
        let mut network = Approximator::new(10, 0.001).unwrap();
        network.set(&bumps).unwrap();
        for ((x, answer), _) in xs().zip(network.answers().unwrap()).zip(&values) {
            assert!((answer - bumps.value(x)).abs() < 1e-9, "{x}");
        }
        let steps = network.steps_at();
        assert!((steps[2][0] - 0.1).abs() < 1e-12 && (steps[3][0] - 0.2).abs() < 1e-12);
    }

    #[test]
    fn twice_as_many_bumps_halve_the_deviation() {
        let values: Vec<f64> = xs().collect();
        let of = |count| {
            let bumps = Bumps::placed(&values, count, 2000.0);
            deviation(&xs().map(|x| bumps.value(x)).collect::<Vec<_>>(), &values)
        };
        let ratio = of(10) / of(20);
        assert!((1.8..2.2).contains(&ratio), "{ratio}");
    }
}
