//! Smoothed curves.

use crate::gui::run::Curve;

/// An exponential moving average that goes on where it stopped, without the pull towards 0 at
/// the beginning (Kingma and Ba 2015, section 3: divided by 1 − βᵗ).
#[derive(Default)]
pub(super) struct Smoothed {
    beta: f64,
    version: u64,
    done: usize,
    sum: f64,
    weight: f64,
    pub curve: Curve,
}

impl Smoothed {
    pub fn follow(&mut self, source: &Curve, beta: f64) {
        let beta = beta.clamp(0.0, 0.999);
        if beta != self.beta || source.version() != self.version || self.done > source.len() {
            *self = Self {
                beta,
                version: source.version(),
                ..Self::default()
            };
        }
        while let Some((x, y)) = source.get(self.done) {
            self.done += 1;
            if y.is_finite() {
                self.sum = beta * self.sum + (1.0 - beta) * y;
                self.weight = beta * self.weight + (1.0 - beta);
                self.curve.push(x, self.sum / self.weight);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smoothing_by_hand_and_in_pieces() {
        let mut source = Curve::default();
        let mut smoothed = Smoothed::default();
        source.push(1, 2.0);
        smoothed.follow(&source, 0.5);
        source.push(2, f64::NAN);
        source.push(3, 5.0);
        smoothed.follow(&source, 0.5);
        // (0.5 · (0.5 · 2) + 0.5 · 5) / 0.75
        assert_eq!(
            smoothed.curve.points(0.0..=9.0, 10),
            [[1.0, 2.0], [3.0, 4.0]]
        );
        smoothed.follow(&source, 0.0);
        assert_eq!(smoothed.curve.last(), Some((3, 5.0)));
        source.cut(3);
        smoothed.follow(&source, 0.0);
        assert_eq!(
            smoothed.curve.last(),
            Some((1, 2.0)),
            "the source lost a point"
        );
        let mut other = Curve::default();
        (1..9).for_each(|x| other.push(x, 7.0));
        smoothed.follow(&other, 0.0);
        assert_eq!(smoothed.curve.len(), 8);
        assert_eq!(smoothed.curve.get(0), Some((1, 7.0)), "another run");
    }
}
