//! Points of two classes in the plane, as in TensorFlow Playground, and the four corners of XOR.

use rand::distr::Distribution;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::i18n::Text;

/// A point and its class, 0 or 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    pub at: [f64; 2],
    pub class: u32,
}

/// The sets of points, each by its key.
pub const DATA: &[(&str, Text)] = &[
    ("gauss", Text::new("Two clouds", "两团高斯")),
    ("circle", Text::new("Circle", "圆环")),
    ("xor", Text::new("Four quadrants (XOR)", "四象限（异或）")),
    ("spiral", Text::new("Spiral", "双螺旋")),
    ("and", Text::new("AND of two bits", "两位的“与”")),
    ("or", Text::new("OR of two bits", "两位的“或”")),
    ("corners", Text::new("XOR of two bits", "两位的“异或”")),
    ("own", Text::new("Your own points", "自己的点")),
];

/// The place of the points that a person draws.
pub const OWN: usize = 7;

/// The points of a set by its place in [`DATA`]; `noise` spreads them, the bits excepted.
pub fn points(kind: usize, count: usize, noise: f64, seed: u64) -> Vec<Point> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let random = &mut random;
    let half = count.div_ceil(2);
    match kind {
        0 => clouds(half, noise, random),
        1 => circle(half, noise, random),
        2 => quadrants(count, noise, random),
        3 => spiral(half, noise, random),
        4 => bits(|a, b| a && b),
        5 => bits(|a, b| a || b),
        6 => bits(|a, b| a != b),
        _ => Vec::new(),
    }
}

fn normal(random: &mut ChaCha8Rng) -> f64 {
    rand_distr::StandardNormal.sample(random)
}

fn bits(rule: impl Fn(bool, bool) -> bool) -> Vec<Point> {
    let pairs = [(false, false), (true, false), (false, true), (true, true)];
    let side = |bit: bool| if bit { 3.0 } else { -3.0 };
    let point = |(a, b): (bool, bool)| Point {
        at: [side(a), side(b)],
        class: u32::from(rule(a, b)),
    };
    pairs.into_iter().map(point).collect()
}

fn both(half: usize, mut make: impl FnMut(u32, usize) -> [f64; 2]) -> Vec<Point> {
    let point = |n: usize| {
        let class = (n % 2) as u32;
        Point {
            at: make(class, n / 2),
            class,
        }
    };
    (0..2 * half).map(point).collect()
}

fn clouds(half: usize, noise: f64, random: &mut ChaCha8Rng) -> Vec<Point> {
    let width = 0.7 + 1.6 * noise;
    both(half, |class, _| {
        let middle = if class == 1 { 2.0 } else { -2.0 };
        [
            middle + width * normal(random),
            middle + width * normal(random),
        ]
    })
}

fn circle(half: usize, noise: f64, random: &mut ChaCha8Rng) -> Vec<Point> {
    both(half, |class, _| {
        let radius = match class {
            1 => random.random_range(0.0..2.5),
            _ => random.random_range(3.5..5.0),
        };
        let angle = random.random_range(0.0..std::f64::consts::TAU);
        let (sin, cos) = f64::sin_cos(angle);
        [
            radius * sin + noise * normal(random),
            radius * cos + noise * normal(random),
        ]
    })
}

fn quadrants(count: usize, noise: f64, random: &mut ChaCha8Rng) -> Vec<Point> {
    let point = |_| {
        // A gap along both axes, as the playground leaves it.
        let mut side = || {
            let at: f64 = random.random_range(-5.0..5.0);
            at + 0.3f64.copysign(at)
        };
        let at = [side(), side()];
        let class = u32::from((at[0] > 0.0) != (at[1] > 0.0));
        let at = at.map(|value| value + noise * normal(random));
        Point { at, class }
    };
    (0..count).map(point).collect()
}

fn spiral(half: usize, noise: f64, random: &mut ChaCha8Rng) -> Vec<Point> {
    both(half, |class, n| {
        let part = (n as f64 + 0.5) / half as f64;
        let turn = if class == 1 {
            std::f64::consts::PI
        } else {
            0.0
        };
        let (sin, cos) = f64::sin_cos(1.75 * part * std::f64::consts::TAU + turn);
        let radius = 5.0 * part;
        let noise = 0.5 * noise;
        [
            radius * sin + noise * normal(random),
            radius * cos + noise * normal(random),
        ]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_balanced_and_the_same_each_time() {
        for kind in 0..OWN {
            let made = points(kind, 200, 0.1, 5);
            assert_eq!(made, points(kind, 200, 0.1, 5));
            let ones = made.iter().filter(|point| point.class == 1).count();
            let (expected, slack) = match kind {
                4 => (1, 0),
                5 => (3, 0),
                6 => (2, 0),
                2 => (100, 25),
                _ => (100, 0),
            };
            assert!(ones.abs_diff(expected) <= slack, "{kind}: {ones}");
            assert!(
                made.iter()
                    .all(|point| point.at.iter().all(|x| x.abs() < 9.0))
            );
        }
        assert!(points(OWN, 200, 0.1, 5).is_empty());
    }
}
