//! Which stage an iteration belongs to, and at which learning rate it steps.
//!
//! Pure functions of the iteration, so that a resumed run takes the very steps of an
//! uninterrupted one. Knows no network.

use serde::{Deserialize, Serialize};

use super::Stage;

/// η₀ was set by hand.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateChange {
    /// Iterations that were finished then.
    pub iteration: u64,
    pub base_lr: f64,
}

/// The stages of a run, one after the other.
#[derive(Clone, Debug)]
pub struct Schedule {
    stages: Vec<Stage>,
    total: u64,
}

/// Where an iteration stands.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    pub index: usize,
    pub stage: &'a Stage,
    /// The stage's first iteration, counted over all stages from 0.
    pub start: u64,
    /// The first iteration that is not the stage's any more.
    pub end: u64,
}

impl Schedule {
    /// With `iterations`, the run ends after so many, whatever the stages say: earlier, with
    /// every rate as in the whole run, or later by a longer last stage.
    pub fn new(mut stages: Vec<Stage>, iterations: Option<u64>) -> Self {
        let planned = stages
            .iter()
            .fold(0u64, |sum, stage| sum.saturating_add(stage.iterations));
        let total = iterations.unwrap_or(planned);
        if let Some(last) = stages.last_mut() {
            last.iterations += total.saturating_sub(planned);
        }
        let total = if stages.is_empty() { 0 } else { total };
        Self { stages, total }
    }

    /// Iterations of the whole run.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Batches that all iterations before this one take, when `per_epoch` of them hold the
    /// training split.
    pub fn batches_before(&self, iteration: u64, per_epoch: u64) -> u64 {
        let (mut start, mut batches) = (0u64, 0u64);
        for stage in &self.stages {
            let here = iteration.saturating_sub(start).min(stage.iterations);
            let each = stage.solver.batches(per_epoch);
            batches = batches.saturating_add(here.saturating_mul(each));
            start = start.saturating_add(stage.iterations);
        }
        batches
    }

    /// Whether some step is over the whole training split.
    pub fn has_whole_epochs(&self) -> bool {
        self.stages.iter().any(|stage| stage.solver.iter_size == 0)
    }

    /// The place of an iteration (from 0); `None` at the end of the run.
    pub fn place(&self, iteration: u64) -> Option<Place<'_>> {
        if iteration >= self.total {
            return None;
        }
        let mut start = 0u64;
        for (index, stage) in self.stages.iter().enumerate() {
            let end = start.saturating_add(stage.iterations);
            if iteration < end {
                return Some(Place {
                    index,
                    stage,
                    start,
                    end,
                });
            }
            start = end;
        }
        None
    }
}

impl Place<'_> {
    /// The learning rate at an iteration of this stage. A change by hand holds until the stage
    /// ends; the policy goes on from it.
    pub fn rate(&self, iteration: u64, changes: &[RateChange]) -> f64 {
        let set_in_stage =
            |change: &&RateChange| change.iteration >= self.start && change.iteration <= iteration;
        let changed = changes.iter().rev().find(set_in_stage);
        let solver = &self.stage.solver;
        let base_lr = changed.map_or(solver.base_lr, |change| change.base_lr);
        solver.rate(base_lr, iteration - self.start, self.stage.iterations)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::{Policy, Solver};

    fn stages() -> Vec<Stage> {
        let stage = |iterations, base_lr, policy| Stage {
            iterations,
            solver: Solver {
                base_lr,
                policy,
                ..Solver::default()
            },
            ..Stage::default()
        };
        vec![
            stage(10, 1.0, Policy::Poly { power: 1.0 }),
            stage(0, 9.0, Policy::Fixed),
            stage(5, 2.0, Policy::Exp { gamma: 0.5 }),
        ]
    }

    fn rates(schedule: &Schedule, changes: &[RateChange]) -> Vec<f64> {
        let rate = |t| schedule.place(t).map(|place| place.rate(t, changes));
        (0..schedule.total()).filter_map(rate).collect()
    }

    #[test]
    fn stages_follow_each_other_and_empty_ones_are_skipped() {
        let schedule = Schedule::new(stages(), None);
        assert_eq!(schedule.total(), 15);
        let at = |t| schedule.place(t).map(|p| (p.index, p.start, p.end));
        assert_eq!(at(9), Some((0, 0, 10)));
        assert_eq!(at(10), Some((2, 10, 15)));
        assert_eq!(at(15), None);
        assert_eq!(
            rates(&schedule, &[])[8..12],
            [1.0 - 0.8, 1.0 - 0.9, 2.0, 1.0]
        );
    }

    #[test]
    fn a_shorter_run_is_the_beginning_of_the_whole_one() {
        let whole = rates(&Schedule::new(stages(), None), &[]);
        let short = rates(&Schedule::new(stages(), Some(12)), &[]);
        assert_eq!(short, whole[..12]);
        assert_eq!(Schedule::new(stages(), Some(40)).total(), 40);
        assert_eq!(rates(&Schedule::new(stages(), Some(40)), &[]).len(), 40);
    }

    #[test]
    fn a_rate_set_by_hand_holds_until_the_stage_ends() {
        let schedule = Schedule::new(stages(), None);
        let change = |iteration, base_lr| RateChange { iteration, base_lr };
        let rates = rates(&schedule, &[change(5, 4.0), change(12, 8.0)]);
        assert_eq!(rates[4], 0.6);
        assert_eq!(rates[5], 2.0);
        assert_eq!(rates[10], 2.0);
        assert_eq!(rates[11], 1.0);
        assert_eq!(rates[12], 2.0);
    }

    #[test]
    fn batches_are_counted_over_stages_of_different_size() {
        let mut stages = stages();
        stages[0].solver.iter_size = 3;
        stages[2].solver.iter_size = 0;
        let schedule = Schedule::new(stages, None);
        assert!(schedule.has_whole_epochs());
        let before = |iteration| schedule.batches_before(iteration, 7);
        assert_eq!([0, 1, 10, 11, 15].map(before), [0, 3, 30, 37, 65]);
    }

    #[test]
    fn a_warm_up_climbs_to_what_the_policy_says() {
        let solver = Solver {
            warmup: 4,
            policy: Policy::Exp { gamma: 0.5 },
            ..Solver::default()
        };
        let rates: Vec<f64> = (0..5).map(|t| solver.rate(8.0, t, 100)).collect();
        assert_eq!(rates, [2.0, 2.0, 1.5, 1.0, 0.5]);
    }

    #[test]
    fn nothing_overflows() {
        let mut long = stages();
        long[0].iterations = u64::MAX;
        let schedule = Schedule::new(long, Some(u64::MAX));
        assert!(schedule.place(u64::MAX - 1).is_some());
        assert_eq!(Schedule::new(Vec::new(), Some(7)).total(), 0);
    }
}
