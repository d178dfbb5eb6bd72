//! The outlines of the shapes, turned, sized and placed in whole numbers alone, so that every
//! machine finds the same pixels inside.
//!
//! Lengths are in 64ths of a pixel. A turn is by a rational point of the unit circle, which needs
//! neither sine nor root. It knows neither colours nor classes' names.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// The parts of a pixel that a length counts.
pub(super) const UNIT: i64 = 64;
/// The rows inside a pixel on which its coverage is measured.
const ROWS: i64 = 4;
/// What [`Stamp::coverage`] is of a pixel that lies wholly inside.
pub(super) const WHOLE: i64 = ROWS * UNIT;
/// Vertices below are in parts of the radius.
const RADIUS: i64 = 1024;
/// How finely a quarter of a turn is divided.
const TURNS: i64 = 64;

/// What a class looks like before it is turned: a polygon, or a disc with a hole of some radius.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Polygon(&'static [(i64, i64)]),
    Round { hole: i64 },
}

/// In the order of the classes, from 1: disc, square, triangle, star, ring, cross.
pub(super) const FORMS: [Form; 6] = [
    Form::Round { hole: 0 },
    Form::Polygon(&[(-800, -800), (800, -800), (800, 800), (-800, 800)]),
    Form::Polygon(&[(0, -1024), (887, 512), (-887, 512)]),
    Form::Polygon(&[
        (0, -1024),
        (247, -340),
        (974, -316),
        (399, 130),
        (602, 828),
        (0, 420),
        (-602, 828),
        (-399, 130),
        (-974, -316),
        (-247, -340),
    ]),
    Form::Round { hole: 600 },
    Form::Polygon(&[
        (-300, -975),
        (300, -975),
        (300, -300),
        (975, -300),
        (975, 300),
        (300, 300),
        (300, 975),
        (-300, 975),
        (-300, 300),
        (-975, 300),
        (-975, -300),
        (-300, -300),
    ]),
];

/// A form at a place, in 64ths of a pixel from the image's corner.
#[derive(Clone, Debug)]
pub(super) struct Outline {
    center: [i64; 2],
    radius: i64,
    /// The turned polygon's vertices, or the hole's radius where there are none.
    vertices: Vec<[i64; 2]>,
    hole: i64,
}

impl Outline {
    /// A form of some size, turned and placed by chance in an image of this height and width.
    pub fn random(form: Form, [height, width]: [usize; 2], random: &mut ChaCha8Rng) -> Self {
        let sides = [width, height].map(|side| side as i64 * UNIT);
        let short = sides[0].min(sides[1]);
        let radius = random.random_range(short * 9 / 100..=short * 22 / 100);
        // Some of a shape may lie outside, as in photographs.
        let center = sides.map(|side| {
            let margin = (radius * 3 / 4).min(side / 2);
            random.random_range(margin..=side - margin)
        });
        let (k, quarter) = (random.random_range(0..TURNS), random.random_range(0..4u32));
        let (vertices, hole) = match form {
            Form::Round { hole } => (Vec::new(), radius * hole / RADIUS),
            Form::Polygon(vertices) => {
                let turned = vertices.iter().map(|vertex| turn(*vertex, k, quarter));
                let place = |(x, y): (i64, i64)| {
                    let out = |part: i64| (part * radius).div_euclid(RADIUS);
                    [center[0] + out(x), center[1] + out(y)]
                };
                (turned.map(place).collect(), 0)
            }
        };
        Self {
            center,
            radius,
            vertices,
            hole,
        }
    }

    /// The stretches inside on the row `y`, each from its start to before its end.
    fn spans(&self, y: i64, spans: &mut Vec<(i64, i64)>) {
        spans.clear();
        if self.vertices.is_empty() {
            let dy = y - self.center[1];
            let half = |radius: i64| (radius * radius - dy * dy).max(0).unsigned_abs().isqrt();
            let (outer, inner) = (half(self.radius) as i64, half(self.hole) as i64);
            let x = self.center[0];
            if inner == 0 {
                spans.push((x - outer, x + outer));
            } else {
                spans.push((x - outer, x - inner));
                spans.push((x + inner, x + outer));
            }
            return;
        }
        let next = self.vertices.iter().cycle().skip(1);
        let crossing = |(a, b): (&[i64; 2], &[i64; 2])| {
            let (low, high) = if a[1] <= b[1] { (a, b) } else { (b, a) };
            let crosses = low[1] <= y && y < high[1];
            crosses
                .then(|| low[0] + ((y - low[1]) * (high[0] - low[0])).div_euclid(high[1] - low[1]))
        };
        let mut crossings: Vec<i64> = self
            .vertices
            .iter()
            .zip(next)
            .filter_map(crossing)
            .collect();
        crossings.sort_unstable();
        spans.extend(crossings.chunks_exact(2).map(|pair| (pair[0], pair[1])));
    }

    /// Which pixels it covers, and how much of each.
    pub fn stamp(&self) -> Stamp {
        let [left, top] = self.center.map(|at| (at - self.radius).div_euclid(UNIT));
        let [right, bottom] = self
            .center
            .map(|at| (at + self.radius).div_euclid(UNIT) + 1);
        let (width, height) = ((right - left) as usize, (bottom - top) as usize);
        let mut coverage = vec![0u16; width * height];
        let mut spans = Vec::new();
        for (row, line) in coverage.chunks_exact_mut(width).enumerate() {
            for part in 0..ROWS {
                let y = (top + row as i64) * UNIT + part * UNIT / ROWS + UNIT / ROWS / 2;
                self.spans(y, &mut spans);
                for &(start, end) in &spans {
                    let first = (start.div_euclid(UNIT) - left).max(0) as usize;
                    let last = ((end - 1).div_euclid(UNIT) - left).max(-1) + 1;
                    let last = (last as usize).min(width);
                    for (column, covered) in line.iter_mut().enumerate().take(last).skip(first) {
                        let x = (left + column as i64) * UNIT;
                        let inside = end.min(x + UNIT) - start.max(x);
                        *covered += inside.max(0) as u16;
                    }
                }
            }
        }
        Stamp {
            left,
            top,
            width,
            coverage,
        }
    }
}

/// The pixels of an outline: their coverage, from 0 to [`WHOLE`], row by row.
#[derive(Clone, Debug)]
pub(super) struct Stamp {
    /// Of its first pixel, which may lie outside of the image.
    pub left: i64,
    pub top: i64,
    width: usize,
    coverage: Vec<u16>,
}

impl Stamp {
    /// Every pixel that is touched: x, y, its coverage.
    pub fn pixels(&self) -> impl Iterator<Item = (i64, i64, i64)> + '_ {
        let covered = self.coverage.iter().enumerate();
        covered
            .filter(|(_, coverage)| **coverage > 0)
            .map(|(at, &coverage)| {
                let (x, y) = ((at % self.width) as i64, (at / self.width) as i64);
                (self.left + x, self.top + y, i64::from(coverage))
            })
    }

    /// The pixels that belong to the shape: at least half of each is covered.
    pub fn own(&self) -> impl Iterator<Item = (i64, i64)> + '_ {
        let most = |&(_, _, coverage): &(i64, i64, i64)| coverage * 2 >= WHOLE;
        self.pixels().filter(most).map(|(x, y, _)| (x, y))
    }
}

/// Turns by the angle whose half has the tangent k / `TURNS`, and by quarters after that.
fn turn((x, y): (i64, i64), k: i64, quarters: u32) -> (i64, i64) {
    let (n, whole) = (TURNS, TURNS * TURNS + k * k);
    let (cos, sin) = (n * n - k * k, 2 * n * k);
    let turned = (
        (x * cos - y * sin).div_euclid(whole),
        (x * sin + y * cos).div_euclid(whole),
    );
    (0..quarters).fold(turned, |(x, y), _| (-y, x))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::rand_core::SeedableRng;

    #[test]
    fn areas_are_those_of_the_forms_whatever_the_turn() {
        // In parts of the radius squared: π, 1.5625², 3√3/4, the star's ten triangles, a ring,
        // and the cross's five squares.
        let star = 10.0 * 0.5 * 420.0 / 1024.0 * (36f64).to_radians().sin();
        let arm = 600.0f64 / 1024.0;
        let expected = [
            std::f64::consts::PI,
            1.5625 * 1.5625,
            1.299,
            star,
            std::f64::consts::PI * (1.0 - (600.0f64 / 1024.0).powi(2)),
            2.0 * (1950.0 / 1024.0) * arm - arm * arm,
        ];
        let mut random = ChaCha8Rng::seed_from_u64(5);
        for (form, expected) in FORMS.into_iter().zip(expected) {
            for _ in 0..20 {
                let outline = Outline::random(form, [400, 500], &mut random);
                let radius = outline.radius as f64 / UNIT as f64;
                let pixels = outline.stamp().own().count() as f64 / (radius * radius);
                assert!(
                    (pixels / expected - 1.0).abs() < 0.03,
                    "{form:?} {pixels} {expected}"
                );
            }
        }
    }

    #[test]
    fn a_turn_keeps_lengths() {
        for k in 0..TURNS {
            for quarters in 0..4 {
                let (x, y) = turn((600, -800), k, quarters);
                assert!(((x * x + y * y) as f64).sqrt() - 1000.0 < 2.0);
            }
        }
        assert_eq!(turn((3, 4), 0, 1), (-4, 3));
    }
}
