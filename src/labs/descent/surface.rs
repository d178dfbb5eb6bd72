//! Surfaces over the plane with their gradients.

use rand::SeedableRng;
use rand::distr::Distribution;
use rand_chacha::ChaCha8Rng;

use crate::i18n::Text;

/// The surfaces by their places.
pub const SURFACES: &[(&str, Text)] = &[
    ("quadratic", Text::new("Quadratic", "二次曲面")),
    (
        "rosenbrock",
        Text::new("Rosenbrock's ravine", "Rosenbrock 山谷"),
    ),
    ("saddle", Text::new("Saddle", "鞍点")),
    ("beale", Text::new("Beale's plateau", "Beale 函数")),
    (
        "regression",
        Text::new("Regression on examples", "样本回归"),
    ),
];

/// Half the side of the square that is shown.
pub const REACH: f64 = 2.0;
/// Examples of the regression.
pub const EXAMPLES: usize = 32;

pub struct Surface {
    pub kind: usize,
    curvatures: [f64; 2],
    /// Inputs and targets of the regression.
    examples: Vec<[f64; 2]>,
}

impl Surface {
    pub fn new(kind: usize, curvatures: [f64; 2], seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut normal = || -> f64 { rand_distr::StandardNormal.sample(&mut random) };
        let example = |n: usize| {
            let x = 3.0 * (n as f64 + 0.5) / EXAMPLES as f64 - 1.0;
            [x, 0.8 * x + 0.5 + 0.6 * normal()]
        };
        Self {
            kind,
            curvatures,
            examples: (0..EXAMPLES).map(example).collect(),
        }
    }

    pub fn value(&self, at: [f64; 2]) -> f64 {
        self.both(at, 0..EXAMPLES).0
    }

    pub fn gradient(&self, at: [f64; 2]) -> [f64; 2] {
        self.both(at, 0..EXAMPLES).1
    }

    /// Of the examples in this range alone, where there are any.
    pub fn gradient_of(&self, at: [f64; 2], examples: impl Iterator<Item = usize>) -> [f64; 2] {
        self.both(at, examples).1
    }

    /// Where the least value is, if it is known.
    pub fn minimum(&self) -> Option<[f64; 2]> {
        match self.kind {
            0 => Some([0.0, 0.0]),
            1 => Some([1.0, 1.0]),
            3 => Some([1.5, 0.5]),
            _ => None,
        }
    }

    fn both(&self, [x, y]: [f64; 2], examples: impl Iterator<Item = usize>) -> (f64, [f64; 2]) {
        let [a, b] = self.curvatures;
        match self.kind {
            0 => (0.5 * (a * x * x + b * y * y), [a * x, b * y]),
            1 => {
                let ravine = y - x * x;
                let value = 0.1 * (1.0 - x).powi(2) + ravine.powi(2);
                (value, [-0.2 * (1.0 - x) - 4.0 * x * ravine, 2.0 * ravine])
            }
            2 => {
                let value = 0.5 * x * x - 0.5 * y * y + 0.125 * y.powi(4) + 0.5;
                (value, [x, -y + 0.5 * y.powi(3)])
            }
            3 => beale(x, y),
            _ => self.regression([x, y], examples),
        }
    }

    /// Half the mean squared distance of the line x·input + y from the examples.
    fn regression(
        &self,
        [w, b]: [f64; 2],
        examples: impl Iterator<Item = usize>,
    ) -> (f64, [f64; 2]) {
        let (mut value, mut gradient, mut count) = (0.0, [0.0, 0.0], 0);
        for [input, target] in examples.filter_map(|n| self.examples.get(n)) {
            let rest = w * input + b - target;
            value += 0.5 * rest * rest;
            gradient[0] += rest * input;
            gradient[1] += rest;
            count += 1;
        }
        let count = f64::from(count.max(1));
        (value / count, gradient.map(|sum| sum / count))
    }
}

/// Beale's function, its x stretched so that the minimum (3, ½) comes to (1.5, ½), and flattened
/// by a logarithm so that it can be seen whole.
fn beale(x: f64, y: f64) -> (f64, [f64; 2]) {
    let x = 2.0 * x;
    let parts = [
        1.5 - x + x * y,
        2.25 - x + x * y * y,
        2.625 - x + x * y.powi(3),
    ];
    let by_x = [y - 1.0, y * y - 1.0, y.powi(3) - 1.0];
    let by_y = [x, 2.0 * x * y, 3.0 * x * y * y];
    let value: f64 = parts.iter().map(|part| part * part).sum();
    let slope = |by: [f64; 3]| -> f64 { parts.iter().zip(by).map(|(p, d)| 2.0 * p * d).sum() };
    let flat = 1.0 / (1.0 + value);
    (
        (1.0 + value).ln(),
        [2.0 * slope(by_x) * flat, slope(by_y) * flat],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradients_are_the_slopes() {
        for kind in 0..SURFACES.len() {
            let surface = Surface::new(kind, [1.0, 10.0], 1);
            for at in [[0.3, -0.7], [-1.2, 1.5], [1.9, 0.1]] {
                let gradient = surface.gradient(at);
                for axis in 0..2 {
                    let moved = |by: f64| {
                        let mut to = at;
                        to[axis] += by;
                        surface.value(to)
                    };
                    let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                    let error = (slope - gradient[axis]).abs();
                    assert!(error < 1e-5 * (1.0 + slope.abs()), "{kind} {at:?}: {error}");
                }
            }
        }
    }

    #[test]
    fn minima_are_where_they_are_said_to_be() {
        for (kind, at) in [(0, [0.0, 0.0]), (1, [1.0, 1.0]), (3, [1.5, 0.5])] {
            let surface = Surface::new(kind, [1.0, 10.0], 1);
            assert!(surface.value(at).abs() < 1e-12);
            assert!(surface.gradient(at).iter().all(|slope| slope.abs() < 1e-9));
        }
    }
}
