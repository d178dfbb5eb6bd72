//! How long the window's own logic takes per frame: the newest few hundred frames.
//!
//! What the graphics driver does afterwards is not in these numbers.

use std::time::Duration;

/// Frames that are remembered.
const FRAMES: usize = 300;

/// A ring of the newest frame times, in milliseconds.
#[derive(Clone, Debug, Default)]
pub struct FrameTimes {
    newest: Vec<f32>,
    next: usize,
}

impl FrameTimes {
    pub fn record(&mut self, time: Duration) {
        let milliseconds = time.as_secs_f32() * 1e3;
        if self.newest.len() < FRAMES {
            self.newest.push(milliseconds);
        } else {
            self.newest[self.next] = milliseconds;
        }
        self.next = (self.next + 1) % FRAMES;
    }

    /// Forgets everything, so that a measurement begins here.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// How many frames the quantiles are over.
    pub fn count(&self) -> usize {
        self.newest.len()
    }

    /// In milliseconds; 0 before the first frame.
    pub fn quantile(&self, part: f32) -> f32 {
        let mut sorted = self.newest.clone();
        sorted.sort_by(f32::total_cmp);
        let last = sorted.len().saturating_sub(1);
        let index = (part.clamp(0.0, 1.0) * last as f32).round() as usize;
        sorted.get(index).copied().unwrap_or(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_the_newest_frames() {
        let mut times = FrameTimes::default();
        assert_eq!(times.quantile(0.5), 0.0);
        for n in 0..1000 {
            times.record(Duration::from_millis(n));
        }
        assert_eq!(times.count(), FRAMES);
        assert!((times.quantile(0.0) - 700.0).abs() < 0.01);
        assert!((times.quantile(1.0) - 999.0).abs() < 0.01);
        assert!((times.quantile(0.5) - 850.0).abs() < 1.0);
    }
}
