//! Rosenblatt's perceptron (1958): a point on the wrong side pulls the line towards itself.

use super::points::Point;

/// A line in the plane, w · x + b = 0, and its rule.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Perceptron {
    pub weights: [f64; 2],
    pub bias: f64,
    /// Points looked at, and corrections.
    pub visits: usize,
    pub updates: usize,
}

impl Perceptron {
    pub fn score(&self, [x, y]: [f64; 2]) -> f64 {
        self.weights[0] * x + self.weights[1] * y + self.bias
    }

    fn is_right(&self, point: &Point) -> bool {
        sign(point) * self.score(point.at) > 0.0
    }

    pub fn mistakes(&self, points: &[Point]) -> usize {
        points.iter().filter(|point| !self.is_right(point)).count()
    }

    /// Looks at the next point; its place, and whether the line was corrected.
    pub fn step(&mut self, points: &[Point]) -> Option<(usize, bool)> {
        let place = self.visits.checked_rem(points.len())?;
        let point = &points[place];
        self.visits += 1;
        let wrong = !self.is_right(point);
        if wrong {
            let side = sign(point);
            self.weights[0] += side * point.at[0];
            self.weights[1] += side * point.at[1];
            self.bias += side;
            self.updates += 1;
        }
        Some((place, wrong))
    }

    /// Steps until no point is wrong, but through all of them no more than `epochs` times.
    pub fn run(&mut self, points: &[Point], epochs: usize) {
        for _ in 0..epochs * points.len() {
            if self.mistakes(points) == 0 {
                return;
            }
            self.step(points);
        }
    }

    /// Novikoff's bound (1962) on the corrections, (R / γ)², from this line that separates the
    /// points; `None` where it does not.
    pub fn bound(&self, points: &[Point]) -> Option<f64> {
        let length = (self.weights[0].powi(2) + self.weights[1].powi(2) + self.bias.powi(2)).sqrt();
        let margins = points
            .iter()
            .map(|point| sign(point) * self.score(point.at) / length);
        let margin = margins.fold(f64::INFINITY, f64::min);
        let reach = points
            .iter()
            .map(|p| p.at[0].powi(2) + p.at[1].powi(2) + 1.0);
        let reach = reach.fold(0.0, f64::max);
        (self.mistakes(points) == 0).then(|| reach / margin.powi(2))
    }
}

fn sign(point: &Point) -> f64 {
    if point.class == 1 { 1.0 } else { -1.0 }
}

/// The greatest share of the points that any line has on their right sides: lines of many
/// directions, each at every place between two points.
pub fn best_line(points: &[Point]) -> f64 {
    const DIRECTIONS: usize = 360;
    let mut best = 0;
    for direction in 0..DIRECTIONS {
        let angle = std::f64::consts::TAU * direction as f64 / DIRECTIONS as f64;
        let (sin, cos) = angle.sin_cos();
        let mut along: Vec<(f64, u32)> = points
            .iter()
            .map(|point| (cos * point.at[0] + sin * point.at[1], point.class))
            .collect();
        along.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut right = along.iter().filter(|(_, class)| *class == 1).count();
        best = best.max(right);
        for place in 0..along.len() {
            right = if along[place].1 == 1 {
                right - 1
            } else {
                right + 1
            };
            let last_of_its_place = along
                .get(place + 1)
                .is_none_or(|next| next.0 - along[place].0 > 1e-9);
            if last_of_its_place {
                best = best.max(right);
            }
        }
    }
    best as f64 / points.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::super::points::points;
    use super::*;

    #[test]
    fn it_separates_what_a_line_can_within_novikoffs_bound() {
        for kind in [0, 4, 5] {
            let points = points(kind, 100, 0.0, 3);
            let mut line = Perceptron::default();
            line.run(&points, 1000);
            assert_eq!(line.mistakes(&points), 0);
            let bound = line.bound(&points).unwrap();
            assert!(line.updates as f64 <= bound, "{} > {bound}", line.updates);
            assert_eq!(best_line(&points), 1.0);
        }
    }

    #[test]
    fn no_line_separates_xor() {
        let corners = points(6, 0, 0.0, 0);
        let mut line = Perceptron::default();
        line.run(&corners, 1000);
        assert!(line.mistakes(&corners) > 0);
        assert!(line.bound(&corners).is_none());
        assert_eq!(best_line(&corners), 0.75);
    }

    #[test]
    fn the_rule_by_hand() {
        let points = [
            Point {
                at: [2.0, 1.0],
                class: 1,
            },
            Point {
                at: [1.0, -1.0],
                class: 0,
            },
        ];
        let mut line = Perceptron::default();
        assert_eq!(line.step(&points), Some((0, true)));
        assert_eq!((line.weights, line.bias), ([2.0, 1.0], 1.0));
        assert_eq!(line.step(&points), Some((1, true)));
        assert_eq!((line.weights, line.bias), ([1.0, 2.0], 0.0));
        assert_eq!(line.step(&points), Some((0, false)));
        assert_eq!(Perceptron::default().step(&[]), None);
    }
}
