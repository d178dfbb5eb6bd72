//! How fast a training goes.

use std::collections::VecDeque;

/// How fast the training goes, by the wall time of its iterations.
#[derive(Default)]
pub(super) struct Pace {
    /// Nanoseconds and examples of the last iterations, and their sums.
    window: VecDeque<(u64, usize)>,
    nanoseconds: u64,
    examples: usize,
    /// Since the session started.
    iterations: u64,
    /// Seconds spent in evaluations.
    pub pauses: f64,
}

impl Pace {
    pub fn add(&mut self, seconds: f64, examples: usize) {
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

    pub fn images_per_second(&self) -> Option<f64> {
        (self.nanoseconds > 0).then(|| self.examples as f64 * 1e9 / self.nanoseconds as f64)
    }

    pub fn seconds_per_iteration(&self) -> Option<f64> {
        let training = self.nanoseconds as f64 / 1e9 / self.window.len().max(1) as f64;
        let pauses = self.pauses / self.iterations.max(1) as f64;
        (self.iterations > 0).then_some(training + pauses)
    }
}
