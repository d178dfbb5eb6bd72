//! The loss around a trained network along two random directions, each filter of them as long as
//! the network's own (Li, Xu, Taylor, Studer and Goldstein, “Visualizing the loss landscape of
//! neural nets”, 2018).

use rand::SeedableRng;
use rand::distr::Distribution;
use rand_chacha::ChaCha8Rng;

use crate::labs::neuron::network::{Network, Plan};
use crate::labs::neuron::points::points;
use crate::labs::{LabError, Settings};
use crate::train::Method;

/// Numbers on a side of the picture.
pub const SIDE: usize = 31;
/// Training before the picture.
pub const STEPS: u64 = 600;

/// A network, two directions from it, and the losses found so far.
pub struct Landscape {
    network: Network,
    middle: Vec<Vec<f64>>,
    directions: [Vec<Vec<f64>>; 2],
    reach: f64,
    /// Row by row from the top; those that are found.
    pub losses: Vec<f64>,
}

impl Landscape {
    /// Trains a small network on the circle first, which takes `steps` steps.
    pub fn new(settings: &Settings, steps: u64) -> Result<Self, LabError> {
        let seed = settings.count("seed") as u64;
        let plan = Plan {
            shape: vec![6, 4],
            activation: 1,
            rate: 0.02,
            method: Method::Adam,
            batch: 20,
            seed,
        };
        let mut network = Network::of(plan, &points(1, 160, 0.1, 1))?;
        for _ in 0..steps {
            network.step()?;
        }
        let middle: Vec<Vec<f64>> = (0..3)
            .map(|layer| network.weights(layer)[0].clone())
            .collect();
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let directions = [(); 2].map(|()| direction(&network, &middle, &mut random));
        Ok(Self {
            network,
            middle,
            directions,
            reach: settings.number("reach"),
            losses: Vec::new(),
        })
    }

    pub fn is_done(&self) -> bool {
        self.losses.len() >= SIDE * SIDE
    }

    /// Finds one more loss.
    pub fn step(&mut self) -> Result<(), LabError> {
        let n = self.losses.len();
        let place = |n: usize| self.reach * (2.0 * n as f64 / (SIDE - 1) as f64 - 1.0);
        let loss = self.loss_at([place(n % SIDE), -place(n / SIDE)])?;
        self.losses.push(loss);
        Ok(())
    }

    /// The loss so far along both directions; the network keeps its own weights.
    pub fn loss_at(&mut self, along: [f64; 2]) -> Result<f64, LabError> {
        self.move_to(along)?;
        let loss = self.network.training_loss();
        self.move_to([0.0, 0.0])?;
        loss
    }

    fn move_to(&mut self, [a, b]: [f64; 2]) -> Result<(), LabError> {
        for layer in 0..self.middle.len() {
            let [first, second] = [&self.directions[0][layer], &self.directions[1][layer]];
            let moved = self.middle[layer].iter().zip(first).zip(second);
            let moved: Vec<f64> = moved.map(|((w, x), y)| w + a * x + b * y).collect();
            self.network.set_weights(layer, &moved)?;
        }
        Ok(())
    }
}

/// Gaussian numbers, those into each neuron as long together as its weights.
fn direction(network: &Network, middle: &[Vec<f64>], random: &mut ChaCha8Rng) -> Vec<Vec<f64>> {
    let inputs = [2, network.shape[0], network.shape[1]];
    let mut of_layer = |(weights, inputs): (&Vec<f64>, usize)| {
        let mut found = Vec::with_capacity(weights.len());
        for filter in weights.chunks(inputs) {
            let drawn: Vec<f64> = filter
                .iter()
                .map(|_| rand_distr::StandardNormal.sample(random))
                .collect();
            let scale = length(filter) / length(&drawn).max(1e-12);
            found.extend(drawn.iter().map(|value| value * scale));
        }
        found
    };
    middle.iter().zip(inputs).map(&mut of_layer).collect()
}

fn length(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}

/// The loss in the middle, and the mean on a ring around it.
pub fn demonstrate(settings: &Settings) -> Result<[f64; 2], LabError> {
    let mut landscape = Landscape::new(settings, STEPS)?;
    let reach = settings.number("reach");
    let middle = landscape.loss_at([0.0, 0.0])?;
    let mut sum = 0.0;
    for n in 0..16 {
        let (sin, cos) = (std::f64::consts::TAU * f64::from(n) / 16.0).sin_cos();
        sum += landscape.loss_at([reach * cos, reach * sin])?;
    }
    Ok([middle, sum / 16.0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_are_as_long_as_the_filters_and_the_middle_is_lowest() {
        let settings = Settings::of(&super::super::BENCH);
        let landscape = Landscape::new(&settings, 50).unwrap();
        for direction in &landscape.directions {
            for (filter, own) in direction[1].chunks(6).zip(landscape.middle[1].chunks(6)) {
                assert!((length(filter) - length(own)).abs() < 1e-9);
            }
        }
        let [middle, around] = demonstrate(&settings).unwrap();
        assert!(middle < around, "{middle} {around}");
    }
}
