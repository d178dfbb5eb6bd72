//! One step's batches, gathered.

use std::collections::BTreeMap;

use candle_core::Tensor;

use super::unread::Loss;
use crate::data::Batch;
use crate::net::{Backward, Pass};

/// One batch, there and back.
pub(super) struct Passed {
    pub batch: Batch,
    pub pass: Pass,
    pub backward: Backward,
    pub loss: Loss,
}

/// The means of one step's batches, each weighed by its examples.
///
/// Every batch takes the same walk, so all have gradients of the same parameters.
#[derive(Default)]
pub(super) struct Gathered {
    /// Each batch's loss with its examples.
    pub losses: Vec<(Loss, usize)>,
    pub examples: usize,
    pub gradients: BTreeMap<String, Tensor>,
}

impl Gathered {
    pub fn add(&mut self, passed: &Passed) -> candle_core::Result<()> {
        let count = passed.batch.indices.len();
        // A step of one batch, which is nearly every step, takes its gradients as they are.
        if self.examples == 0 {
            self.gradients = passed.backward.params.clone();
        } else {
            let share = count as f64 / (self.examples + count) as f64;
            for (key, mean) in &mut self.gradients {
                if let Some(gradient) = passed.backward.params.get(key) {
                    *mean = ((&*mean * (1.0 - share))? + (gradient * share)?)?;
                }
            }
        }
        self.losses.push((passed.loss.clone(), count));
        self.examples += count;
        Ok(())
    }
}
