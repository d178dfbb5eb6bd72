//! Statistics of the training split: the only part of a feed that is fitted.
//!
//! Invariant: they are the same bits on any number of threads.

use rayon::prelude::*;

use super::Feed;
use crate::data::dataset::Store;
use crate::data::preprocess::Pipeline;
use crate::data::statistics::Sums;
use crate::data::whiten::{self, Scatter};
use crate::data::{Components, DataError, Preprocess, SplitName, Statistics, Whiten};

/// Examples that are summed one after the other when statistics are fitted, and how many such
/// runs are worked on at a time. Constants, so that the rounding is the same on any machine.
const RUN: usize = 64;
const RUNS_AT_A_TIME: usize = 16;

impl Feed {
    /// Fits on the training split; reads the examples only when something asks for it.
    pub(super) fn fit(&self) -> Result<Statistics, DataError> {
        let preprocess = &self.config.preprocess;
        if self.dataset.is_text() {
            return Ok(Statistics {
                vocabulary: self.dataset.classes().to_vec(),
                ..Statistics::default()
            });
        }
        let mut total = Sums::new(preprocess, self.full)?;
        if Statistics::needs_fit(preprocess) {
            let train = &self.dataset.parts[SplitName::Train as usize];
            for part in train.chunks(RUN * RUNS_AT_A_TIME) {
                let run = |places: &[usize]| {
                    let mut sums = Sums::new(preprocess, self.full)?;
                    for &place in places {
                        match &self.dataset.store {
                            Store::Floats(values) => sums.add(self.dataset.slice(values, place).0),
                            _ => sums.add(&self.prepared(place)?.pixels),
                        }
                    }
                    Ok(sums)
                };
                let runs: Vec<Result<Sums, DataError>> = part.par_chunks(RUN).map(run).collect();
                for sums in runs {
                    total.merge(&sums?);
                }
            }
        }
        let mut statistics =
            Statistics::of(preprocess, self.full, &total, self.dataset.mean.as_deref())?;
        if preprocess.whiten != Whiten::Off {
            statistics.components = self.components(&statistics)?;
        }
        if self.config.targets.to_unit {
            (statistics.target_min, statistics.target_max) = self.target_ranges();
        }
        Ok(statistics)
    }

    /// The principal components of what the arithmetic makes of the training split; the examples
    /// are read twice, for the mean and for the covariance around it.
    fn components(&self, statistics: &Statistics) -> Result<Components, DataError> {
        let size = self.full.iter().product();
        whiten::check_size(size)?;
        let plain = Preprocess {
            whiten: Whiten::Off,
            ..self.config.preprocess.clone()
        };
        let pipeline = Pipeline::new(statistics, &plain, self.full)?;
        let transformed = |place: &usize| match &self.dataset.store {
            Store::Floats(values) => Ok(pipeline.transformed(self.dataset.slice(values, *place).0)),
            _ => Ok::<_, DataError>(pipeline.transformed(&self.prepared(*place)?.pixels)),
        };
        let train = &self.dataset.parts[SplitName::Train as usize];
        let mut mean = vec![0f64; size];
        for place in train {
            let values = transformed(place)?;
            mean.iter_mut()
                .zip(values)
                .for_each(|(sum, value)| *sum += f64::from(value));
        }
        mean.iter_mut()
            .for_each(|sum| *sum /= train.len().max(1) as f64);
        let mut scatter = Scatter::new(mean);
        for run in train.chunks(RUN * RUNS_AT_A_TIME) {
            let values: Vec<Vec<f32>> = run.iter().map(transformed).collect::<Result<_, _>>()?;
            scatter.add(&values.concat());
        }
        scatter.components()
    }

    /// Least and greatest of each target in the training split.
    fn target_ranges(&self) -> (Vec<f32>, Vec<f32>) {
        let each = self.dataset.target_names().len();
        let (mut min, mut max) = (vec![f32::INFINITY; each], vec![f32::NEG_INFINITY; each]);
        for &place in &self.dataset.parts[SplitName::Train as usize] {
            for (target, value) in self.dataset.targets_at(place).iter().enumerate() {
                min[target] = min[target].min(*value);
                max[target] = max[target].max(*value);
            }
        }
        (min, max)
    }
}
