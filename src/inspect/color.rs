//! From numbers to colours: the range that is shown, and the colour maps.

use serde::{Deserialize, Serialize};

/// The colour of a value that is NaN or infinite; no colour map contains it.
pub const NON_FINITE: [u8; 3] = [255, 0, 200];

/// The numbers at the two ends of a colour map.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Range {
    pub lo: f32,
    pub hi: f32,
}

impl Range {
    /// From the least to the greatest finite value; 0 … 0 when there is none.
    pub fn of(values: &[f32]) -> Self {
        let finite = values.iter().copied().filter(|value| value.is_finite());
        let (lo, hi) = finite.fold((f32::INFINITY, f32::NEG_INFINITY), |(lo, hi), value| {
            (lo.min(value), hi.max(value))
        });
        if lo <= hi {
            Self { lo, hi }
        } else {
            Self::default()
        }
    }

    /// The smallest range with 0 in its middle that holds this one.
    pub fn around_zero(self) -> Self {
        let reach = self.lo.abs().max(self.hi.abs());
        Self {
            lo: -reach,
            hi: reach,
        }
    }

    /// Where a value lies: 0 at `lo` and below, 1 at `hi` and above, ½ when the range is empty.
    pub fn place(self, value: f32) -> f32 {
        // In f64, because `hi − lo` of two finite numbers may overflow f32.
        let width = f64::from(self.hi) - f64::from(self.lo);
        if width > 0.0 {
            (((f64::from(value) - f64::from(self.lo)) / width) as f32).clamp(0.0, 1.0)
        } else {
            0.5
        }
    }
}

/// How a place in 0 … 1 becomes a colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ColorMap {
    /// Black to white.
    #[default]
    Gray,
    /// Dark violet over green to yellow, perceptually uniform (matplotlib's viridis, by eight
    /// straight pieces).
    Viridis,
    /// Blue for negative, white for 0, red for positive.
    Diverging,
}

const VIRIDIS: [[u8; 3]; 9] = [
    [68, 1, 84],
    [71, 44, 122],
    [59, 81, 139],
    [44, 113, 142],
    [33, 144, 141],
    [39, 173, 129],
    [92, 200, 99],
    [170, 220, 50],
    [253, 231, 37],
];

const DIVERGING: [[u8; 3]; 5] = [
    [30, 80, 170],
    [150, 185, 230],
    [246, 246, 246],
    [240, 165, 135],
    [185, 30, 40],
];

impl ColorMap {
    pub const ALL: [Self; 3] = [Self::Gray, Self::Viridis, Self::Diverging];

    /// Red, green and blue at `place` in 0 … 1 (clamped).
    pub fn rgb(self, place: f32) -> [u8; 3] {
        match self {
            Self::Gray => [(place.clamp(0.0, 1.0) * 255.0).round() as u8; 3],
            Self::Viridis => between(&VIRIDIS, place),
            Self::Diverging => between(&DIVERGING, place),
        }
    }

    /// The colour of `value` when `range` spans the map.
    pub fn of(self, value: f32, range: Range) -> [u8; 3] {
        if value.is_finite() {
            self.rgb(range.place(value))
        } else {
            NON_FINITE
        }
    }

    /// For many values in one range.
    pub fn shades(self, range: Range) -> Shades {
        let width = f64::from(range.hi) - f64::from(range.lo);
        let (start, factor) = match width > 0.0 {
            true => (f64::from(range.lo), 255.0 / width),
            // An empty range lies in the middle of the map.
            false => (f64::from(range.lo) - 1.0, 127.5),
        };
        Shades {
            table: std::array::from_fn(|step| self.rgb(step as f32 / 255.0)),
            start,
            factor,
        }
    }

    /// The range that this map should span for values in `range`: a diverging map keeps 0 in
    /// its middle.
    pub fn range(self, range: Range) -> Range {
        match self {
            Self::Diverging => range.around_zero(),
            _ => range,
        }
    }
}

/// A colour map over a range in 256 steps.
#[derive(Clone, Debug)]
pub struct Shades {
    table: [[u8; 3]; 256],
    start: f64,
    factor: f64,
}

impl Shades {
    pub fn of(&self, value: f32) -> [u8; 3] {
        if value.is_finite() {
            // The cast saturates: what lies outside gets the colour of the nearer end.
            self.table[((f64::from(value) - self.start) * self.factor + 0.5) as u8 as usize]
        } else {
            NON_FINITE
        }
    }
}

fn between(anchors: &[[u8; 3]], place: f32) -> [u8; 3] {
    let position = place.clamp(0.0, 1.0) * (anchors.len() - 1) as f32;
    let left = (position as usize).min(anchors.len() - 2);
    let share = position - left as f32;
    std::array::from_fn(|channel| {
        let (a, b) = (
            f32::from(anchors[left][channel]),
            f32::from(anchors[left + 1][channel]),
        );
        (a + (b - a) * share).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_ignores_what_is_not_finite() {
        let range = Range::of(&[f32::NAN, 2.0, f32::INFINITY, -1.0, f32::NEG_INFINITY]);
        assert_eq!(range, Range { lo: -1.0, hi: 2.0 });
        assert_eq!(range.around_zero(), Range { lo: -2.0, hi: 2.0 });
        assert_eq!(Range::of(&[]), Range { lo: 0.0, hi: 0.0 });
        assert_eq!(Range::of(&[f32::NAN]), Range { lo: 0.0, hi: 0.0 });
    }

    #[test]
    fn places_are_linear_and_clamped() {
        let range = Range { lo: -1.0, hi: 3.0 };
        for (value, place) in [
            (-1.0, 0.0),
            (0.0, 0.25),
            (1.0, 0.5),
            (3.0, 1.0),
            (9.0, 1.0),
            (-9.0, 0.0),
        ] {
            assert_eq!(range.place(value), place, "{value}");
        }
        assert_eq!(Range { lo: 4.0, hi: 4.0 }.place(4.0), 0.5);
        let widest = Range {
            lo: f32::MIN,
            hi: f32::MAX,
        };
        assert_eq!(widest.place(0.0), 0.5, "no overflow");
    }

    #[test]
    fn colours_by_hand() {
        assert_eq!(ColorMap::Gray.rgb(0.5), [128; 3]);
        assert_eq!(ColorMap::Viridis.rgb(0.0), [68, 1, 84]);
        assert_eq!(ColorMap::Viridis.rgb(1.0), [253, 231, 37]);
        assert_eq!(ColorMap::Viridis.rgb(0.5), [33, 144, 141]);
        assert_eq!(ColorMap::Diverging.rgb(0.5), [246; 3]);
        assert_eq!(
            ColorMap::Diverging.rgb(0.125),
            [90, 133, 200],
            "between two anchors"
        );
        let range = Range { lo: 0.0, hi: 1.0 };
        for map in ColorMap::ALL {
            assert_eq!(map.of(f32::NAN, range), NON_FINITE);
            assert_eq!(map.of(f32::INFINITY, range), NON_FINITE);
            assert_eq!(map.of(7.0, range), map.rgb(1.0));
            assert!((0..=1000).all(|i| map.rgb(i as f32 / 1000.0) != NON_FINITE));
        }
    }

    #[test]
    fn shades_agree_with_the_map() {
        for range in [
            Range { lo: -2.0, hi: 5.0 },
            Range { lo: 3.0, hi: 3.0 },
            Range {
                lo: f32::MIN,
                hi: f32::MAX,
            },
        ] {
            for map in ColorMap::ALL {
                let shades = map.shades(range);
                for value in [
                    -9.0,
                    -2.0,
                    0.0,
                    1.5,
                    3.0,
                    5.0,
                    77.0,
                    f32::MAX,
                    f32::MIN,
                    f32::NAN,
                ] {
                    let (a, b) = (shades.of(value), map.of(value, range));
                    let near = a.iter().zip(b).all(|(a, b)| a.abs_diff(b) <= 2);
                    assert!(
                        near || range.lo == range.hi && value != 3.0,
                        "{map:?} {value}: {a:?} {b:?}"
                    );
                }
            }
        }
        let gray = ColorMap::Gray.shades(Range { lo: 0.0, hi: 4.0 });
        assert_eq!(
            [0.0, 1.0, 2.0, 4.0].map(|value| gray.of(value)[0]),
            [0, 64, 128, 255]
        );
    }

    #[test]
    fn a_diverging_map_keeps_zero_white() {
        let range = ColorMap::Diverging.range(Range { lo: -1.0, hi: 4.0 });
        assert_eq!(ColorMap::Diverging.of(0.0, range), [246; 3]);
        assert_eq!(
            ColorMap::Gray.range(Range { lo: -1.0, hi: 4.0 }),
            Range { lo: -1.0, hi: 4.0 }
        );
    }
}
