//! Metrics: numbers for people, without gradients.

mod accuracy;
mod error;
mod overlap;
mod verification;

pub use accuracy::Accuracy;
pub use error::MeanAbsoluteError;
pub use overlap::MeanIoU;
pub use verification::Verification;

use candle_core::{DType, Result, Tensor, bail};

use super::loss::by_axis;
use crate::graph::Passed;

/// The scores of every label, on the host.
struct Scored {
    classes: usize,
    /// Labels of one example.
    places: usize,
    scores: Vec<f64>,
    labels: Vec<u32>,
}

impl Scored {
    fn of(scores: &Tensor, labels: &Tensor, axis: usize) -> Result<Self> {
        let (scores, labels) = by_axis(scores, labels, axis)?;
        let (batch, classes) = (scores.dim(0)?, scores.dim(1)?);
        let places = scores.elem_count().checked_div(batch * classes);
        let scores = scores.to_dtype(DType::F64)?.flatten_all()?;
        Ok(Self {
            classes,
            places: places.unwrap_or(0).max(1),
            scores: scores.to_vec1()?,
            labels: labels.flatten_all()?.to_vec1()?,
        })
    }

    /// Every label that counts with its position.
    fn labels(&self, ignore: Option<usize>) -> impl Iterator<Item = (usize, usize)> + '_ {
        let labels = self.labels.iter().map(|label| *label as usize).enumerate();
        labels.filter(move |(_, label)| Some(*label) != ignore)
    }

    fn score(&self, position: usize, class: usize) -> f64 {
        let (example, place) = (position / self.places, position % self.places);
        self.scores[(example * self.classes + class) * self.places + place]
    }

    fn check(&self, label: usize) -> Result<()> {
        if label >= self.classes {
            let classes = self.classes;
            bail!("the label {label} is not below the number of scores, {classes}");
        }
        Ok(())
    }
}

/// What a metric's forward pass leaves: its value on the batch.
fn batch_value(value: f64, like: &Tensor) -> Result<Passed> {
    let value = Tensor::new(value, like.device())?.to_dtype(like.dtype())?;
    Ok(Passed::new(value, Vec::new()))
}
