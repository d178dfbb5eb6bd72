//! A chain of equal layers, and the sizes of what goes forward and backward through it.

use candle_core::Tensor;
use rand::SeedableRng;
use rand::distr::Distribution;
use rand_chacha::ChaCha8Rng;

use crate::graph::{Filler, Layer, Size};
use crate::i18n::Text;
use crate::labs::trial::{Trial, chain, facts, with_targets};
use crate::labs::{LabError, activation};
use crate::layers::{EuclideanLoss, InnerProduct};
use crate::train::Solver;

/// The initialisations by their places.
pub const INITIAL: &[(&str, Text)] = &[
    (
        "gaussian0.01",
        Text::new("Gaussian, deviation 0.01", "高斯，标准差 0.01"),
    ),
    (
        "xavier",
        Text::new("Xavier (Glorot 2010)", "Xavier（Glorot 2010）"),
    ),
    ("msra", Text::new("MSRA (He 2015)", "MSRA（He 2015）")),
    (
        "gaussian0.3",
        Text::new("Gaussian, deviation 0.3", "高斯，标准差 0.3"),
    ),
];

fn filler(initial: usize) -> Filler {
    let gaussian = |std| Filler::Gaussian { mean: 0.0, std };
    match initial {
        0 => gaussian(0.01),
        1 => Filler::Xavier,
        2 => Filler::Msra,
        _ => gaussian(0.3),
    }
}

/// The sizes at one layer: roots of the mean squares.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    pub output: f64,
    /// Of ∂L by the layer's sums.
    pub gradient: f64,
    /// Of ∂L by the layer's weights.
    pub weights: f64,
}

/// What one pass found, from the layer behind the input on.
pub struct Chain {
    pub layers: Vec<Sizes>,
}

/// Examples of the pass.
const EXAMPLES: usize = 32;
const INPUTS: usize = 16;

impl Chain {
    pub fn new(
        kind: usize,
        initial: usize,
        depth: usize,
        width: usize,
        seed: u64,
    ) -> Result<Self, LabError> {
        let full = |outputs: usize| InnerProduct {
            num_output: Size::Count(outputs),
            weight_filler: filler(initial),
            ..InnerProduct::default()
        };
        let mut layers: Vec<(String, Box<dyn Layer>)> = Vec::new();
        for place in 0..depth {
            // Maxout takes the larger of two values.
            let values = if kind == 5 { 2 * width } else { width };
            layers.push((format!("sum{place}"), Box::new(full(values))));
            layers.push((format!("unit{place}"), activation(kind)));
        }
        layers.push(("output".into(), Box::new(full(1))));
        layers.push(("loss".into(), Box::new(EuclideanLoss::default())));
        let trial = Trial::new(
            &chain(layers),
            &facts(INPUTS, None),
            Solver::default(),
            seed,
        )?;
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut normal = || -> f64 { rand_distr::StandardNormal.sample(&mut random) };
        let rows: Vec<Vec<f64>> = (0..EXAMPLES)
            .map(|_| (0..INPUTS).map(|_| normal()).collect())
            .collect();
        let targets: Vec<f64> = (0..EXAMPLES).map(|_| normal()).collect();
        let sums: Vec<String> = (0..depth).map(|place| format!("sum{place}")).collect();
        let units: Vec<String> = (0..depth).map(|place| format!("unit{place}")).collect();
        let [gradients, weights] = trial.gradients(&with_targets(&rows, &targets)?, &sums)?;
        let outputs = trial.outputs(&rows, &units)?;
        let mut found = Vec::new();
        for (sum, output) in sums.iter().zip(outputs) {
            found.push(Sizes {
                output: size(Some(&output))?,
                gradient: size(gradients.get(sum))?,
                weights: size(weights.get(&format!("{sum}.weight")))?,
            });
        }
        Ok(Self { layers: found })
    }

    /// The first layer's gradient over the last one's.
    pub fn ratio(&self) -> f64 {
        match (self.layers.first(), self.layers.last()) {
            (Some(first), Some(last)) => first.gradient / last.gradient,
            _ => f64::NAN,
        }
    }
}

fn size(tensor: Option<&Tensor>) -> Result<f64, LabError> {
    let Some(tensor) = tensor else { return Ok(0.0) };
    Ok(tensor.sqr()?.mean_all()?.to_scalar::<f64>()?.sqrt())
}
