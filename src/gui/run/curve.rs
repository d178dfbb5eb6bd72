//! Numbers over iterations, any number of them, ready to be drawn in any frame.

use std::ops::{Range, RangeInclusive};

/// Points that one cell of the finest level sums up.
const CELL: usize = 16;
/// Each level's cells are twice as wide as those before: the widest hold 8 million points.
const LEVELS: usize = 20;

/// y over rising x. Beside the points it keeps the least and greatest y of ever longer runs of
/// them, so that drawing costs the same for a thousand points as for a million.
#[derive(Clone, Debug, Default)]
pub struct Curve {
    xs: Vec<u64>,
    ys: Vec<f32>,
    /// Per cell the least and greatest finite y; NaN where there is none.
    levels: [Vec<[f32; 2]>; LEVELS],
    /// Another number after points were taken away: whoever follows the curve begins anew.
    version: u64,
}

impl Curve {
    /// Adds a point; points that do not lie before it are dropped.
    pub fn push(&mut self, x: u64, y: f64) {
        if self.xs.last().is_some_and(|last| *last >= x) {
            self.cut(x);
        }
        if self.is_empty() {
            self.version = super::next_serial();
        }
        let (index, y) = (self.xs.len(), y as f32);
        self.xs.push(x);
        self.ys.push(y);
        // Infinity counts as no value: an axis cannot reach it.
        let y = if y.is_finite() { y } else { f32::NAN };
        for (level, cells) in self.levels.iter_mut().enumerate() {
            match cells.get_mut(index / (CELL << level)) {
                Some([least, greatest]) => {
                    *least = least.min(y);
                    *greatest = greatest.max(y);
                }
                None => cells.push([y; 2]),
            }
        }
    }

    /// Drops the points at `x` and after.
    pub fn cut(&mut self, x: u64) {
        let kept = self.xs.partition_point(|other| *other < x);
        if kept == self.xs.len() {
            return;
        }
        let (xs, ys) = (std::mem::take(&mut self.xs), std::mem::take(&mut self.ys));
        *self = Self::default();
        for (x, y) in xs.into_iter().zip(ys).take(kept) {
            self.push(x, f64::from(y));
        }
    }

    pub fn len(&self) -> usize {
        self.xs.len()
    }

    pub fn is_empty(&self) -> bool {
        self.xs.is_empty()
    }

    /// Two curves of one version differ only by points at the end.
    pub fn version(&self) -> u64 {
        self.version
    }

    pub fn get(&self, index: usize) -> Option<(u64, f64)> {
        Some((*self.xs.get(index)?, f64::from(*self.ys.get(index)?)))
    }

    pub fn last(&self) -> Option<(u64, f64)> {
        self.get(self.len().checked_sub(1)?)
    }

    /// The point whose x is nearest.
    pub fn nearest(&self, x: f64) -> Option<(u64, f64)> {
        let right = self.xs.partition_point(|other| (*other as f64) < x);
        let left = right.saturating_sub(1);
        let (a, b) = (self.get(left)?, self.get(right.min(self.len() - 1))?);
        let nearer = (a.0 as f64 - x).abs() <= (b.0 as f64 - x).abs();
        Some(if nearer { a } else { b })
    }

    /// What a line from the first to the last x in `range` has to pass through: every finite
    /// point when there are at most `most`, else about that many extremes, which look the same.
    pub fn points(&self, range: RangeInclusive<f64>, most: usize) -> Vec<[f64; 2]> {
        // One point more on each side, so that the line runs on to the edge.
        let before = self.xs.partition_point(|x| (*x as f64) < *range.start());
        let after = self.xs.partition_point(|x| (*x as f64) <= *range.end());
        let shown = before.saturating_sub(1)..(after + 1).min(self.len());
        if shown.len() <= most {
            let raw = shown.map(|index| [self.xs[index] as f64, f64::from(self.ys[index])]);
            return raw.filter(|[_, y]| y.is_finite()).collect();
        }
        let bucket = (2 * shown.len()).div_ceil(most.max(2)).next_power_of_two();
        let mut points = Vec::with_capacity(most + 4);
        // Buckets begin at multiples of their width, so that the picture does not flicker
        // while points come in.
        for number in shown.start / bucket..shown.end.div_ceil(bucket) {
            let inside = number * bucket..((number + 1) * bucket).min(self.len());
            let [least, greatest] = self.extremes(&inside, bucket);
            if least.is_finite() {
                points.push([self.xs[inside.start] as f64, f64::from(least)]);
                points.push([self.xs[inside.end - 1] as f64, f64::from(greatest)]);
            }
        }
        points
    }

    /// The least and greatest y of a bucket whose width is this power of two.
    fn extremes(&self, inside: &Range<usize>, width: usize) -> [f32; 2] {
        let widest = CELL << (LEVELS - 1);
        if width < CELL {
            let finite = self.ys[inside.clone()].iter().filter(|y| y.is_finite());
            return finite.fold([f32::NAN; 2], |[a, b], y| [a.min(*y), b.max(*y)]);
        }
        let level = (width.min(widest) / CELL).trailing_zeros() as usize;
        let cell = CELL << level;
        let cells = &self.levels[level][inside.start / cell..inside.end.div_ceil(cell)];
        cells
            .iter()
            .fold([f32::NAN; 2], |[a, b], [c, d]| [a.min(*c), b.max(*d)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(count: u64) -> Curve {
        let mut curve = Curve::default();
        (1..=count).for_each(|x| curve.push(x, (x as f64 / 50.0).sin()));
        curve
    }

    const ALL: RangeInclusive<f64> = f64::NEG_INFINITY..=f64::INFINITY;

    #[test]
    fn few_points_come_back_as_they_are() {
        let mut curve = Curve::default();
        for (x, y) in [
            (1, 0.5),
            (2, f64::NAN),
            (4, 2.0),
            (9, f64::INFINITY),
            (10, -1.0),
        ] {
            curve.push(x, y);
        }
        assert_eq!(
            curve.points(ALL, 100),
            [[1.0, 0.5], [4.0, 2.0], [10.0, -1.0]]
        );
        assert_eq!(
            curve.points(3.0..=4.0, 100),
            [[4.0, 2.0]],
            "and a neighbour on each side"
        );
        assert_eq!(curve.points(50.0..=60.0, 100), [[10.0, -1.0]]);
        assert_eq!(curve.last(), Some((10, -1.0)));
        assert_eq!(curve.nearest(4.4), Some((4, 2.0)));
        assert_eq!(curve.nearest(-7.0), Some((1, 0.5)));
        assert_eq!(curve.nearest(1e9), Some((10, -1.0)));
        assert_eq!(Curve::default().nearest(0.0), None);
        assert!(Curve::default().points(ALL, 10).is_empty());
    }

    #[test]
    fn many_points_keep_their_extremes_in_few() {
        let mut curve = sine(1_000_000);
        curve.push(1_000_001, 99.0);
        for (range, most) in [
            (ALL, 2000),
            (ALL, 17),
            (5.0..=700_000.0, 2000),
            (10.0..=3000.0, 100),
        ] {
            let points = curve.points(range.clone(), most);
            assert!(points.len() <= most + 4, "{} of {most}", points.len());
            assert!(points.len() >= most / 4, "{} of {most}", points.len());
            assert!(points.is_sorted_by(|a, b| a[0] <= b[0]));
            let lowest = points
                .iter()
                .map(|point| point[1])
                .fold(f64::INFINITY, f64::min);
            assert!((lowest + 1.0).abs() < 1e-3, "{lowest}");
        }
        let highest = curve
            .points(ALL, 2000)
            .iter()
            .map(|p| p[1])
            .fold(0.0, f64::max);
        assert_eq!(highest, 99.0, "a single spike stays");
    }

    #[test]
    fn every_level_agrees_with_the_points() {
        let curve = sine(100_000);
        for most in [3, 10, 100, 1000, 10_000, 60_000] {
            let points = curve.points(ALL, most);
            let (first, second) = (points[0], points[1]);
            let inside = first[0] as usize - 1..second[0] as usize;
            let raw = &curve.ys[inside];
            let least = raw.iter().copied().fold(f32::INFINITY, f32::min);
            let greatest = raw.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            assert_eq!(
                (first[1], second[1]),
                (f64::from(least), f64::from(greatest)),
                "{most}"
            );
        }
    }

    #[test]
    fn cutting_leaves_what_was_before() {
        let mut curve = sine(1000);
        let version = curve.version();
        curve.push(1001, 0.0);
        assert_eq!(curve.version(), version);
        curve.cut(401);
        assert_eq!(curve.len(), 400);
        assert_ne!(curve.version(), version);
        assert_eq!(curve.points(ALL, 50), sine(400).points(ALL, 50));
        let version = curve.version();
        curve.cut(5000);
        assert_eq!((curve.len(), curve.version()), (400, version));
        curve.push(100, 7.0);
        assert_eq!((curve.len(), curve.last()), (100, Some((100, 7.0))));
    }

    #[test]
    fn runs_without_a_finite_point_are_left_out() {
        let mut curve = Curve::default();
        (0..10_000).for_each(|x| curve.push(x, if x < 5000 { f64::NAN } else { 1.0 }));
        let points = curve.points(ALL, 100);
        assert!(
            points.iter().all(|[x, y]| *x >= 4744.0 && *y == 1.0),
            "{points:?}"
        );
        assert!(!points.is_empty());
    }
}
