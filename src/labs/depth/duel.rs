//! A shallow and a deep network of as many parameters on the same task.

use crate::labs::neuron::network::{Network, Plan};
use crate::labs::neuron::points::{Point, points};
use crate::labs::{LabError, Settings};
use crate::train::Method;

/// Neurons in each layer of the deep network.
pub const WIDTH: usize = 8;
/// Steps of the demonstration.
pub const STEPS: u64 = 1500;
/// The spiral among the sets of points.
const SPIRAL: usize = 3;

pub struct Duel {
    pub shallow: Network,
    pub deep: Network,
    pub points: Vec<Point>,
}

impl Duel {
    pub fn new(settings: &Settings) -> Result<Self, LabError> {
        let seed = settings.count("seed") as u64;
        let points = points(SPIRAL, 300, 0.1, 1);
        let layers = settings.count("layers");
        let activation = settings.count("unit");
        let network = |shape| {
            let plan = Plan {
                shape,
                activation,
                rate: settings.number("rate"),
                method: Method::Adam,
                batch: 32,
                seed,
            };
            Network::of(plan, &points)
        };
        let deep = network(vec![WIDTH; layers])?;
        // Plus the biases, a neuron of one layer has four parameters: two weights in, one out.
        let of_neuron = network(vec![2])?.parameters() - network(vec![1])?.parameters();
        let shallow = network(vec![(deep.parameters() - 1).div_ceil(of_neuron).max(1)])?;
        Ok(Self {
            shallow,
            deep,
            points,
        })
    }

    pub fn step(&mut self) -> Result<(), LabError> {
        for network in [&mut self.shallow, &mut self.deep] {
            network.step()?;
            if network.steps().is_multiple_of(10) {
                network.note()?;
            }
        }
        Ok(())
    }

    /// Parameters, accuracy and loss on the test points.
    pub fn rows(&self) -> Result<Vec<(String, Vec<f64>)>, LabError> {
        let row = |(name, network): (&str, &Network)| {
            let loss = network.losses.last().map_or(f64::NAN, |losses| losses[1]);
            let values = vec![network.parameters() as f64, network.accuracy()?, loss];
            Ok((name.to_owned(), values))
        };
        [("shallow", &self.shallow), ("deep", &self.deep)]
            .into_iter()
            .map(row)
            .collect()
    }
}
