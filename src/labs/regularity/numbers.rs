//! The two transforms on a handful of numbers; dropout by the program's own layer.

use crate::graph::Phase;
use crate::labs::LabError;
use crate::labs::trial::{Trial, chain, facts};
use crate::layers::Dropout;
use crate::train::Solver;

/// A batch to begin with.
pub const EXAMPLE: [f64; 8] = [-0.4, 0.3, 0.9, 1.2, 1.8, 2.1, 2.6, 3.5];
/// Keeps the variance of equal numbers from being divided by.
pub const EPSILON: f64 = 1e-5;

/// A unit of value 1 under so many masks, as the layer makes them; without the scaling, each is
/// multiplied by 1 − p again.
pub fn dropped(ratio: f64, scaled: bool, masks: usize, seed: u64) -> Result<Vec<f64>, LabError> {
    let graph = chain(vec![("drop".into(), Box::new(Dropout { ratio }))]);
    let trial = Trial::new(&graph, &facts(1, None), Solver::default(), 0)?;
    let rows = vec![vec![1.0]; masks];
    let output = trial.outputs_in(Phase::Train, &rows, &["drop".to_owned()], seed)?;
    let values: Vec<f64> = output[0].flatten_all()?.to_vec1()?;
    let factor = if scaled { 1.0 } else { 1.0 - ratio };
    Ok(values.into_iter().map(|value| value * factor).collect())
}

pub fn dropout_mean(ratio: f64, scaled: bool, masks: usize, seed: u64) -> Result<f64, LabError> {
    let values = dropped(ratio, scaled, masks, seed)?;
    Ok(values.iter().sum::<f64>() / values.len().max(1) as f64)
}

/// The values of one unit over a batch, and their statistics.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    pub values: Vec<f64>,
    pub mean: f64,
    pub variance: f64,
}

impl Batch {
    pub fn of(values: &[f64]) -> Self {
        let count = values.len().max(1) as f64;
        let mean = values.iter().sum::<f64>() / count;
        let variance = values
            .iter()
            .map(|value| (value - mean).powi(2))
            .sum::<f64>()
            / count;
        Self {
            values: values.to_vec(),
            mean,
            variance,
        }
    }

    /// γ x̂ + β, with the batch's own statistics.
    pub fn transformed(&self, gamma: f64, beta: f64) -> Vec<f64> {
        transformed(&self.values, self.mean, self.variance, gamma, beta)
    }
}

/// The same with any statistics, such as the running ones of a test.
pub fn transformed(values: &[f64], mean: f64, variance: f64, gamma: f64, beta: f64) -> Vec<f64> {
    let scale = gamma / (variance + EPSILON).sqrt();
    values
        .iter()
        .map(|value| scale * (value - mean) + beta)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::FusedBatchNorm;

    #[test]
    fn the_transform_is_the_layers() {
        let graph = chain(vec![("norm".into(), Box::new(FusedBatchNorm::default()))]);
        let mut trial = Trial::new(&graph, &facts(1, None), Solver::default(), 0).unwrap();
        trial.set_param("norm.weight", &[1.5]).unwrap();
        trial.set_param("norm.bias", &[-0.5]).unwrap();
        let rows: Vec<Vec<f64>> = EXAMPLE.iter().map(|value| vec![*value]).collect();
        let output = trial
            .outputs_in(Phase::Train, &rows, &["norm".to_owned()], 0)
            .unwrap();
        let expected: Vec<f64> = output[0].flatten_all().unwrap().to_vec1().unwrap();
        let found = Batch::of(&EXAMPLE).transformed(1.5, -0.5);
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() < 1e-9, "{a} {b}");
        }
        let again = Batch::of(&Batch::of(&EXAMPLE).transformed(1.0, 0.0));
        assert!(again.mean.abs() < 1e-12 && (again.variance - 1.0).abs() < 1e-4);
    }
}
