//! The record of a training run: what happened so far, in a form that every frame can read.
//!
//! Invariant: it changes only by [`Run::begin`], [`Run::apply`] and [`Run::set_snapshot`].
//! It must not know how a session works or how anything is drawn.

mod curve;
mod pace;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

pub use curve::Curve;

use super::context::next_serial;
use crate::data::SplitName;
use crate::train::{Ending, Evaluation, Event, Progress, Snapshot};
use pace::Pace;

/// Where a run stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Status {
    /// Nothing was trained yet.
    #[default]
    Idle,
    /// The network is being compiled and the data opened.
    Starting,
    Running,
    Paused,
    Ended(Ending),
}

/// One number of all evaluations of a split.
#[derive(Clone, Debug)]
pub struct Measure {
    pub split: SplitName,
    /// The metric node's name; `None` is the loss.
    pub metric: Option<String>,
    pub curve: Curve,
}

/// Everything that happened in a training run.
#[derive(Default)]
pub struct Run {
    status: Status,
    device: String,
    notice: Option<String>,
    compiling: Option<String>,
    iteration: u64,
    total: u64,
    latest: Option<Progress>,
    loss: Curve,
    rate: Curve,
    measures: Vec<Measure>,
    evaluations: BTreeMap<SplitName, Arc<Evaluation>>,
    rate_changes: Vec<(u64, f64)>,
    saved: Vec<(u64, PathBuf)>,
    pace: Pace,
    snapshot: Option<Arc<Snapshot>>,
    serial: u64,
}

impl Run {
    /// A session was started; its events follow. What the last one showed stays until then.
    pub fn begin(&mut self) {
        self.status = Status::Starting;
        (self.notice, self.compiling) = (None, None);
    }

    pub fn apply(&mut self, event: Event) {
        match event {
            Event::Started {
                iteration,
                total,
                device,
                notice,
            } => {
                self.start(iteration);
                (self.total, self.device, self.notice) = (total, device, notice);
            }
            Event::Compiling(reason) => self.compiling = Some(reason),
            Event::Iteration(progress) => self.advance(progress),
            Event::Evaluated(evaluation) => self.evaluated(evaluation),
            Event::Paused => self.status = Status::Paused,
            Event::Resumed => self.status = Status::Running,
            Event::RateChanged { iteration, base_lr } => {
                // Several changes before one iteration act as the last of them.
                self.rate_changes.retain(|(other, _)| *other < iteration);
                self.rate_changes.push((iteration, base_lr));
            }
            Event::Saved { iteration, folder } => {
                self.saved.retain(|(_, other)| *other != folder);
                self.saved.push((iteration, folder));
            }
            // Said once, by whoever sent the command.
            Event::Refused(_) => {}
            Event::Ended(ending) => self.status = Status::Ended(ending),
        }
    }

    /// Takes the newest picture of the network.
    pub fn set_snapshot(&mut self, snapshot: Arc<Snapshot>) {
        self.snapshot = Some(snapshot);
        self.serial = next_serial();
    }

    /// A run that goes on from a checkpoint keeps what was before it.
    fn start(&mut self, iteration: u64) {
        let next = iteration + 1;
        self.loss.cut(next);
        self.rate.cut(next);
        self.measures
            .iter_mut()
            .for_each(|measure| measure.curve.cut(next));
        self.measures.retain(|measure| !measure.curve.is_empty());
        self.rate_changes
            .retain(|(other, _)| *other <= iteration && iteration > 0);
        self.evaluations
            .retain(|_, evaluation| evaluation.iteration <= iteration && iteration > 0);
        // A checkpoint stays on the disk, and one can go on from it, whatever was trained since.
        self.latest = self
            .latest
            .filter(|latest| latest.iteration <= iteration && iteration > 0);
        if iteration == 0 {
            self.measures.clear();
        }
        self.iteration = iteration;
        self.pace = Pace::default();
        self.status = Status::Running;
    }

    fn advance(&mut self, progress: Progress) {
        self.compiling = None;
        self.loss.push(progress.iteration, progress.loss);
        self.rate.push(progress.iteration, progress.rate);
        self.pace.add(progress.seconds, progress.examples);
        self.iteration = progress.iteration;
        self.latest = Some(progress);
    }

    fn evaluated(&mut self, evaluation: Evaluation) {
        let Evaluation {
            iteration, split, ..
        } = evaluation;
        let loss = evaluation.loss.map(|loss| (None, loss));
        let metrics = evaluation
            .metrics
            .iter()
            .map(|(name, value)| (Some(name.clone()), *value));
        for (metric, value) in loss.into_iter().chain(metrics) {
            let same = |measure: &&mut Measure| measure.split == split && measure.metric == metric;
            match self.measures.iter_mut().find(same) {
                Some(measure) => measure.curve.push(iteration, value),
                None => {
                    let mut curve = Curve::default();
                    curve.push(iteration, value);
                    self.measures.push(Measure {
                        split,
                        metric,
                        curve,
                    });
                }
            }
        }
        self.pace.pauses += evaluation.seconds;
        self.evaluations.insert(split, Arc::new(evaluation));
    }

    pub fn status(&self) -> &Status {
        &self.status
    }

    /// A session exists and takes commands.
    pub fn is_live(&self) -> bool {
        matches!(
            self.status,
            Status::Starting | Status::Running | Status::Paused
        )
    }

    /// What the network runs on; empty before the first run.
    pub fn device(&self) -> &str {
        &self.device
    }

    /// Why the device is not the one that was asked for.
    pub fn notice(&self) -> Option<&str> {
        self.notice.as_deref()
    }

    /// Why the first iteration takes so long, while it does.
    pub fn compiling(&self) -> Option<&str> {
        self.compiling.as_deref()
    }

    /// Finished iterations.
    pub fn iteration(&self) -> u64 {
        self.iteration
    }

    /// Iterations of all stages together.
    pub fn total(&self) -> u64 {
        self.total
    }

    pub fn latest(&self) -> Option<&Progress> {
        self.latest.as_ref()
    }

    /// The training loss of every iteration.
    pub fn loss(&self) -> &Curve {
        &self.loss
    }

    /// The learning rate of every iteration.
    pub fn rate(&self) -> &Curve {
        &self.rate
    }

    /// Losses and metrics of the evaluations, in the order of their first appearance.
    pub fn measures(&self) -> &[Measure] {
        &self.measures
    }

    /// The newest evaluation of a split.
    pub fn evaluation(&self, split: SplitName) -> Option<&Arc<Evaluation>> {
        self.evaluations.get(&split)
    }

    /// The newest evaluation of any split; of two at one iteration, the later split's.
    pub fn newest_evaluation(&self) -> Option<&Arc<Evaluation>> {
        self.evaluations
            .values()
            .max_by_key(|evaluation| evaluation.iteration)
    }

    /// After which iteration the base rate was changed by hand, and to what.
    pub fn rate_changes(&self) -> &[(u64, f64)] {
        &self.rate_changes
    }

    /// The checkpoints that were written: iteration and folder, the newest last.
    pub fn saved(&self) -> &[(u64, PathBuf)] {
        &self.saved
    }

    pub fn snapshot(&self) -> Option<&Arc<Snapshot>> {
        self.snapshot.as_ref()
    }

    /// Changes with the snapshot; 0 is none.
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// Training examples per second, over about the last second of training.
    pub fn images_per_second(&self) -> Option<f64> {
        self.pace.images_per_second()
    }

    /// How long the rest will take at this pace, with its evaluations.
    pub fn seconds_left(&self) -> Option<f64> {
        let left = self.total.saturating_sub(self.iteration) as f64;
        Some(left * self.pace.seconds_per_iteration()?)
    }
}
