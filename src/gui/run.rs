//! The record of a training run: what happened so far, in a form that every frame can read.
//!
//! Invariant: it changes only by [`Run::begin`], [`Run::apply`] and [`Run::set_snapshot`].
//! It must not know how a session works or how anything is drawn.

mod curve;

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub use curve::Curve;

use crate::data::SplitName;
use crate::train::{Ending, Evaluation, Event, Progress, Snapshot};

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
        self.notice = None;
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
        self.serial = unique();
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

/// How fast the training goes, by the wall time of its iterations.
#[derive(Default)]
struct Pace {
    /// Nanoseconds and examples of the last iterations, and their sums.
    window: VecDeque<(u64, usize)>,
    nanoseconds: u64,
    examples: usize,
    /// Since the session started.
    iterations: u64,
    /// Seconds spent in evaluations.
    pauses: f64,
}

impl Pace {
    fn add(&mut self, seconds: f64, examples: usize) {
        // Whole numbers, so that adding and taking away leave no rounding errors behind; an
        // hour is longer than any iteration worth measuring.
        let time = (seconds * 1e9).clamp(0.0, 3.6e12) as u64;
        self.window.push_back((time, examples));
        self.nanoseconds += time;
        self.examples += examples;
        self.iterations += 1;
        while let Some((time, examples)) = self.window.front().copied()
            && self.window.len() > 1
            && self.nanoseconds - time >= 1_000_000_000
        {
            self.window.pop_front();
            self.nanoseconds -= time;
            self.examples -= examples;
        }
    }

    fn images_per_second(&self) -> Option<f64> {
        (self.nanoseconds > 0).then(|| self.examples as f64 * 1e9 / self.nanoseconds as f64)
    }

    fn seconds_per_iteration(&self) -> Option<f64> {
        let training = self.nanoseconds as f64 / 1e9 / self.window.len().max(1) as f64;
        let pauses = self.pauses / self.iterations.max(1) as f64;
        (self.iterations > 0).then_some(training + pauses)
    }
}

/// A number that the program never gave before.
fn unique() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::Prediction;

    fn started(iteration: u64) -> Event {
        Event::Started {
            iteration,
            total: 1000,
            device: "CPU".into(),
            notice: None,
        }
    }

    fn iteration(iteration: u64, loss: f64) -> Event {
        Event::Iteration(Progress {
            iteration,
            stage: 0,
            loss,
            rate: 0.1,
            examples: 64,
            seconds: 0.25,
        })
    }

    fn evaluated(iteration: u64, accuracy: f64) -> Event {
        let prediction = Prediction {
            truth: 0,
            predicted: 0,
            confidence: 1.0,
        };
        Event::Evaluated(Evaluation {
            iteration,
            split: SplitName::Validation,
            loss: Some(0.5),
            metrics: vec![("accuracy".into(), accuracy)],
            predictions: vec![prediction; 2],
            seconds: 1.0,
        })
    }

    fn trained(to: u64) -> Run {
        let mut run = Run::default();
        run.begin();
        run.apply(started(0));
        for step in 1..=to {
            run.apply(iteration(step, 1.0 / step as f64));
            if step % 10 == 0 {
                run.apply(evaluated(step, step as f64 / 1000.0));
            }
        }
        run
    }

    #[test]
    fn a_run_goes_through_its_states() {
        let mut run = Run::default();
        assert_eq!((run.status(), run.is_live()), (&Status::Idle, false));
        run.begin();
        assert_eq!((run.status(), run.is_live()), (&Status::Starting, true));
        run.apply(started(0));
        assert_eq!(
            (run.status(), run.total(), run.device()),
            (&Status::Running, 1000, "CPU")
        );
        run.apply(Event::Paused);
        assert_eq!(run.status(), &Status::Paused);
        run.apply(Event::Refused("the folder is read-only".into()));
        assert_eq!(run.status(), &Status::Paused, "training goes on as before");
        run.apply(Event::Resumed);
        assert_eq!(run.status(), &Status::Running);
        let ending = Ending::Finished { iteration: 1000 };
        run.apply(Event::Ended(ending.clone()));
        assert_eq!(
            (run.status(), run.is_live()),
            (&Status::Ended(ending), false)
        );
    }

    #[test]
    fn numbers_are_kept() {
        let run = trained(40);
        assert_eq!(
            (run.iteration(), run.loss().len(), run.rate().len()),
            (40, 40, 40)
        );
        assert_eq!(run.measures().len(), 2);
        let accuracy = &run.measures()[1];
        assert_eq!(accuracy.metric.as_deref(), Some("accuracy"));
        assert_eq!(accuracy.curve.len(), 4);
        assert_eq!(run.newest_evaluation().unwrap().iteration, 40);
        assert_eq!(
            run.evaluation(SplitName::Validation)
                .unwrap()
                .predictions
                .len(),
            2
        );
        assert!(run.evaluation(SplitName::Test).is_none());
    }

    #[test]
    fn pace_counts_the_last_second_and_the_evaluations() {
        let mut run = trained(40);
        assert_eq!(run.images_per_second(), Some(256.0));
        // A quarter of a second each, and a second of evaluation every ten.
        assert!((run.seconds_left().unwrap() - 960.0 * 0.35).abs() < 1e-6);
        for step in 41..=60 {
            run.apply(Event::Iteration(Progress {
                seconds: 0.5,
                ..*trained(1).latest().unwrap()
            }));
            run.iteration = step;
        }
        assert_eq!(
            run.images_per_second(),
            Some(128.0),
            "what was slower before is forgotten"
        );
        run.apply(Event::Iteration(Progress {
            seconds: f64::NAN,
            ..*trained(1).latest().unwrap()
        }));
        assert!(run.images_per_second().is_some_and(f64::is_finite));
    }

    #[test]
    fn going_on_from_a_checkpoint_keeps_what_was_before() {
        let mut run = trained(40);
        run.apply(Event::RateChanged {
            iteration: 15,
            base_lr: 0.2,
        });
        run.apply(Event::RateChanged {
            iteration: 25,
            base_lr: 0.3,
        });
        run.apply(Event::Saved {
            iteration: 20,
            folder: "a".into(),
        });
        run.begin();
        run.apply(started(20));
        assert_eq!((run.iteration(), run.loss().len()), (20, 20));
        assert_eq!(run.measures()[0].curve.last(), Some((20, 0.5)));
        assert_eq!(run.rate_changes(), [(15, 0.2)]);
        assert_eq!(run.saved().len(), 1);
        assert!(
            run.evaluation(SplitName::Validation).is_none(),
            "its predictions are later ones"
        );
        run.apply(iteration(21, 3.0));
        assert_eq!(run.loss().last(), Some((21, 3.0)));
    }

    #[test]
    fn training_anew_forgets() {
        let mut run = trained(40);
        run.apply(Event::RateChanged {
            iteration: 0,
            base_lr: 0.2,
        });
        run.begin();
        assert_eq!(run.loss().len(), 40, "until the new one has started");
        run.apply(started(0));
        assert!(run.loss().is_empty() && run.measures().is_empty() && run.latest().is_none());
        assert!(run.rate_changes().is_empty() && run.newest_evaluation().is_none());
    }

    #[test]
    fn snapshots_are_told_apart_and_only_the_newest_is_kept() {
        let (mut run, mut other) = (Run::default(), Run::default());
        assert_eq!(run.serial(), 0);
        run.set_snapshot(Arc::new(Snapshot {
            iteration: 1,
            ..Snapshot::default()
        }));
        other.set_snapshot(Arc::default());
        let first = run.serial();
        assert_ne!(first, other.serial(), "also between runs");
        run.set_snapshot(Arc::new(Snapshot {
            iteration: 2,
            ..Snapshot::default()
        }));
        assert_ne!(run.serial(), first);
        assert_eq!(run.snapshot().unwrap().iteration, 2);
    }

    #[test]
    fn changes_of_the_rate_before_one_iteration_are_one() {
        let mut run = trained(3);
        run.apply(Event::RateChanged {
            iteration: 3,
            base_lr: 0.2,
        });
        run.apply(Event::RateChanged {
            iteration: 3,
            base_lr: 0.4,
        });
        assert_eq!(run.rate_changes(), [(3, 0.4)]);
    }
}
