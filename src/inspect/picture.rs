//! Pictures: maps through a colour map, images from bytes or preprocessed values.

use serde::{Deserialize, Serialize};

use super::{ColorMap, Maps, NON_FINITE, Range, Tiling};

/// Pixels row by row, red, green, blue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picture {
    pub width: usize,
    pub height: usize,
    pub rgb: Vec<u8>,
}

impl Picture {
    fn black([width, height]: [usize; 2]) -> Self {
        Self {
            width,
            height,
            rgb: vec![0; width * height * 3],
        }
    }

    pub fn pixel(&self, x: usize, y: usize) -> Option<[u8; 3]> {
        let start = (y * self.width + x) * 3;
        let inside = x < self.width && y < self.height;
        inside.then(|| self.rgb.get(start..start + 3)?.try_into().ok())?
    }

    fn set(&mut self, x: usize, y: usize, color: [u8; 3]) {
        let start = (y * self.width + x) * 3;
        self.rgb[start..start + 3].copy_from_slice(&color);
    }

    /// The pixels of row `y` from `left` on.
    fn row(&mut self, left: usize, y: usize) -> impl Iterator<Item = &mut [u8]> {
        let start = (y * self.width + left) * 3;
        let end = (y + 1) * self.width * 3;
        (self.rgb.get_mut(start..end).unwrap_or_default()).chunks_exact_mut(3)
    }

    /// The mean of whole blocks of pixels, so that neither side is longer than `max_side`.
    pub fn reduced(self, max_side: usize) -> Self {
        let step = self.width.max(self.height).div_ceil(max_side.max(1));
        if step <= 1 {
            return self;
        }
        let mut small = Self::black([self.width.div_ceil(step), self.height.div_ceil(step)]);
        for y in 0..small.height {
            for x in 0..small.width {
                let (mut sum, mut count) = ([0u32; 3], 0);
                for row in y * step..((y + 1) * step).min(self.height) {
                    for column in x * step..((x + 1) * step).min(self.width) {
                        let start = (row * self.width + column) * 3;
                        for (sum, byte) in sum.iter_mut().zip(&self.rgb[start..start + 3]) {
                            *sum += u32::from(*byte);
                        }
                        count += 1;
                    }
                }
                small.set(x, y, sum.map(|sum| (sum / count) as u8));
            }
        }
        small
    }
}

/// Which numbers are at the two ends of the colour map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Scale {
    /// The least and the greatest value of each map by itself.
    #[default]
    PerMap,
    /// The least and the greatest value of all maps.
    Shared,
    /// These two.
    Fixed(f32, f32),
}

/// How numbers become colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Coloring {
    pub map: ColorMap,
    pub scale: Scale,
}

impl Coloring {
    /// The numbers at the ends of the colour map for one of `maps`.
    pub fn range(&self, maps: &Maps, channel: usize) -> Range {
        match self.scale {
            Scale::PerMap => self.map.range(Range::of(maps.channel(channel))),
            Scale::Shared => self.map.range(Range::of(&maps.values)),
            Scale::Fixed(lo, hi) => Range { lo, hi },
        }
    }
}

/// Maps `first` and following, one on each tile of `tiling`.
pub fn paint(maps: &Maps, first: usize, tiling: &Tiling, coloring: &Coloring) -> Picture {
    let mut picture = Picture::black(tiling.size());
    // The shared range is looked for once, not once per map.
    let shared = match coloring.scale {
        Scale::PerMap => None,
        _ => Some(coloring.range(maps, first)),
    };
    for tile in 0..tiling.count {
        let range = shared.unwrap_or_else(|| coloring.range(maps, first + tile));
        let shades = coloring.map.shades(range);
        let [left, top] = tiling.origin(tile);
        let rows = maps.channel(first + tile).chunks(maps.width.max(1));
        for (y, row) in rows.enumerate() {
            for (pixel, value) in picture.row(left, top + y).zip(row) {
                pixel.copy_from_slice(&shades.of(*value));
            }
        }
    }
    picture
}

/// Three maps after another as the red, green and blue of one tile, tile `first` and following.
pub fn paint_rgb(maps: &Maps, first: usize, tiling: &Tiling, scale: Scale) -> Picture {
    let mut picture = Picture::black(tiling.size());
    let (area, width) = (maps.height * maps.width, maps.width.max(1));
    let shared = Range::of(&maps.values);
    for tile in 0..tiling.count {
        let start = (first + tile) * 3 * area;
        let Some(values) = maps.values.get(start..start + 3 * area) else {
            break;
        };
        let range = match scale {
            Scale::PerMap => Range::of(values),
            Scale::Shared => shared,
            Scale::Fixed(lo, hi) => Range { lo, hi },
        };
        let shades = ColorMap::Gray.shades(range);
        let [left, top] = tiling.origin(tile);
        for y in 0..maps.height {
            for (x, pixel) in picture.row(left, top + y).take(width).enumerate() {
                let color = [0, 1, 2].map(|channel| values[channel * area + y * width + x]);
                pixel.copy_from_slice(&match color.iter().all(|value| value.is_finite()) {
                    true => color.map(|value| shades.of(value)[0]),
                    false => NON_FINITE,
                });
            }
        }
    }
    picture
}

/// An image of bytes, channel by channel, as it is: red, green, blue when there are three
/// channels, else the first one in gray. Empty when `bytes` does not have this shape
/// (channels, height, width).
pub fn picture_of_bytes(bytes: &[u8], [channels, height, width]: [usize; 3]) -> Picture {
    if bytes.len() != channels * height * width || bytes.is_empty() {
        return Picture::default();
    }
    let area = height * width;
    let mut picture = Picture::black([width, height]);
    for index in 0..area {
        let color = match channels {
            3 => [0, 1, 2].map(|channel| bytes[channel * area + index]),
            _ => [bytes[index]; 3],
        };
        picture.set(index % width, index / width, color);
    }
    picture
}

/// An image of numbers, its own least value black and its greatest white; otherwise as
/// [`picture_of_bytes`].
pub fn picture_of_values(values: &[f32], [channels, height, width]: [usize; 3]) -> Picture {
    if values.len() != channels * height * width || values.is_empty() {
        return Picture::default();
    }
    let maps = Maps {
        channels,
        height,
        width,
        values: values.to_vec(),
    };
    let tiling = Tiling {
        count: 1,
        columns: 1,
        tile: [width, height],
    };
    if channels == 3 {
        paint_rgb(&maps, 0, &tiling, Scale::PerMap)
    } else {
        paint(&maps, 0, &tiling, &Coloring::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_maps() -> Maps {
        Maps {
            channels: 2,
            height: 1,
            width: 3,
            values: vec![0.0, 1.0, 2.0, 4.0, f32::NAN, 8.0],
        }
    }

    fn grays(maps: &Maps, scale: Scale) -> Vec<u8> {
        let tiling = Tiling {
            count: maps.channels,
            columns: 1,
            tile: [maps.width, maps.height],
        };
        let coloring = Coloring {
            map: ColorMap::Gray,
            scale,
        };
        paint(maps, 0, &tiling, &coloring)
            .rgb
            .chunks(3)
            .map(|pixel| pixel[0])
            .collect()
    }

    #[test]
    fn scales_by_hand() {
        let maps = two_maps();
        assert_eq!(grays(&maps, Scale::PerMap), [0, 128, 255, 0, 255, 255]);
        assert_eq!(grays(&maps, Scale::Shared), [0, 32, 64, 128, 255, 255]);
        assert_eq!(
            grays(&maps, Scale::Fixed(0.0, 4.0)),
            [0, 64, 128, 255, 255, 255]
        );
        let tiling = Tiling {
            count: 2,
            columns: 2,
            tile: [3, 1],
        };
        let picture = paint(&maps, 0, &tiling, &Coloring::default());
        assert_eq!((picture.width, picture.height), (6, 1));
        assert_eq!(picture.pixel(4, 0), Some(NON_FINITE));
        assert_eq!(picture.pixel(6, 0), None);
    }

    #[test]
    fn color_images_share_one_range() {
        let maps = Maps {
            channels: 3,
            height: 1,
            width: 2,
            values: vec![0.0, 10.0, 5.0, 0.0, 0.0, 2.5],
        };
        let tiling = Tiling {
            count: 1,
            columns: 1,
            tile: [2, 1],
        };
        let picture = paint_rgb(&maps, 0, &tiling, Scale::PerMap);
        assert_eq!(picture.rgb, [0, 128, 0, 255, 0, 64]);
        let past_the_end = paint_rgb(&maps, 1, &tiling, Scale::PerMap);
        assert_eq!(past_the_end.rgb, [0; 6]);
    }

    #[test]
    fn images_from_bytes_and_values() {
        let picture = picture_of_bytes(&[1, 2, 3, 4, 5, 6], [3, 1, 2]);
        assert_eq!(picture.rgb, [1, 3, 5, 2, 4, 6]);
        assert_eq!(picture_of_bytes(&[7, 9], [1, 2, 1]).rgb, [7, 7, 7, 9, 9, 9]);
        assert_eq!(picture_of_bytes(&[7], [1, 2, 1]), Picture::default());
        assert_eq!(picture_of_bytes(&[], [0, 2, 1]), Picture::default());
        assert_eq!(
            picture_of_values(&[-1.0, 1.0], [1, 1, 2]).rgb,
            [0, 0, 0, 255, 255, 255]
        );
        assert_eq!(picture_of_values(&[], [3, 0, 0]), Picture::default());
    }

    #[test]
    fn reducing_takes_means() {
        let picture = picture_of_bytes(&[0, 100, 200, 50, 100, 10], [1, 2, 3]);
        let small = picture.clone().reduced(2);
        assert_eq!((small.width, small.height), (2, 1));
        assert_eq!(small.rgb, [62, 62, 62, 105, 105, 105]);
        assert_eq!(picture.clone().reduced(3), picture);
    }
}
