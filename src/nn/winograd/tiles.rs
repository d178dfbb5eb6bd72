//! How maps are cut into tiles, and how tiles are read and transformed.

use super::lanes::{self, Corner, Forward, Places};
use super::{LANES, SIDE, STEP};
use crate::nn::conv::ConvShape;

/// How a batch of maps is cut into tiles of [`STEP`] × [`STEP`] outputs.
#[derive(Clone, Copy)]
pub(super) struct Tiles {
    images: usize,
    /// Tiles down and across an image.
    down: usize,
    across: usize,
}

/// A tile's image, and where its outputs begin in a map.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct At {
    pub image: usize,
    pub y: usize,
    pub x: usize,
}

impl Tiles {
    pub fn of(images: usize, height: usize, width: usize) -> Self {
        Self {
            images,
            down: height.div_ceil(STEP),
            across: width.div_ceil(STEP),
        }
    }

    pub fn count(&self) -> usize {
        self.images * self.down * self.across
    }

    /// About `tiles` tiles, as whole rows of tiles.
    pub fn whole_rows(&self, tiles: usize) -> usize {
        ((tiles + self.across / 2) / self.across).max(1) * self.across
    }

    /// Where the pixels of the first `tiles` tiles end, which are whole rows of tiles, among those
    /// of all maps of `height` × `width`.
    pub fn pixels(&self, tiles: usize, height: usize, width: usize) -> usize {
        let rows = tiles / self.across;
        (rows / self.down * height + (rows % self.down * STEP).min(height)) * width
    }

    /// The first tile of an image.
    pub fn first_of(&self, image: usize) -> usize {
        image * self.down * self.across
    }

    pub fn at(&self, tile: usize) -> At {
        let (row, column) = (tile / self.across, tile % self.across);
        At {
            image: row / self.down,
            y: row % self.down * STEP,
            x: column * STEP,
        }
    }
}

/// A batch of maps that tiles are read from.
pub(super) struct Planes<'a> {
    values: &'a [f32],
    channels: usize,
    height: usize,
    width: usize,
    /// How far a tile begins before its outputs, down and across.
    pad: [usize; 2],
    /// Rows and columns of a tile that count; beyond the maps are zeros.
    side: usize,
}

/// Numbers of a tile's row that are read.
const ROW: usize = LANES;

impl<'a> Planes<'a> {
    /// The inputs of a convolution, read in tiles of [`SIDE`].
    pub fn inputs(x: &'a [f32], shape: &ConvShape) -> Self {
        Self {
            values: x,
            channels: shape.c,
            height: shape.y.size,
            width: shape.x.size,
            pad: [shape.y.pad, shape.x.pad],
            side: SIDE,
        }
    }

    /// The gradients by its outputs, read in tiles of [`STEP`].
    pub fn gradients(dy: &'a [f32], shape: &ConvShape) -> Self {
        Self {
            values: dy,
            channels: shape.o,
            height: shape.y.output,
            width: shape.x.output,
            pad: [0, 0],
            side: STEP,
        }
    }

    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Transforms eight tiles, each at its place and channel.
    pub fn transform(
        &self,
        kind: Forward,
        of_lane: impl Fn(usize) -> (At, usize),
        out: &mut Places,
    ) {
        let mut edges = [[0f32; SIDE * ROW]; LANES];
        let mut edges = edges.iter_mut();
        let corners = std::array::from_fn(|lane| {
            let (at, channel) = of_lane(lane);
            let start = (at.image * self.channels + channel) * self.height * self.width;
            match (self.inside(at, start), edges.next()) {
                (Some(values), _) => Corner {
                    values,
                    stride: self.width,
                },
                (None, Some(edge)) => {
                    self.copy(at, start, edge);
                    Corner {
                        values: edge,
                        stride: ROW,
                    }
                }
                (None, None) => Corner {
                    values: &[],
                    stride: 0,
                },
            }
        });
        lanes::forward(kind, &corners, out);
    }

    /// The numbers from a tile's corner on, where all of it lies inside the map of `start`.
    fn inside(&self, at: At, start: usize) -> Option<&[f32]> {
        let (y, x) = (
            at.y.checked_sub(self.pad[0])?,
            at.x.checked_sub(self.pad[1])?,
        );
        if y + self.side > self.height || x + self.side > self.width {
            return None;
        }
        let corner = start + y * self.width + x;
        self.values
            .get(corner..)
            .filter(|values| values.len() >= (self.side - 1) * self.width + ROW)
    }

    /// A tile with zeros where it leaves the map of `start`.
    fn copy(&self, at: At, start: usize, edge: &mut [f32; SIDE * ROW]) {
        let left = self.pad[1].saturating_sub(at.x);
        let right = self
            .side
            .min((self.width + self.pad[1]).saturating_sub(at.x));
        // Whole rows are read where the slice has them, and the bits of what is not of the map made zero.
        let bits = |column: usize| {
            if (left..right).contains(&column) {
                u32::MAX
            } else {
                0
            }
        };
        let inside: [u32; ROW] = std::array::from_fn(bits);
        for (row, edge) in edge
            .as_chunks_mut::<ROW>()
            .0
            .iter_mut()
            .enumerate()
            .take(self.side)
        {
            let y = (at.y + row)
                .checked_sub(self.pad[0])
                .filter(|y| *y < self.height);
            let Some(y) = y else { continue };
            let from = (start + y * self.width + at.x).checked_sub(self.pad[1]);
            let whole = from.and_then(|from| self.values.get(from..)?.first_chunk::<ROW>());
            if let Some(whole) = whole {
                for ((to, from), inside) in edge.iter_mut().zip(whole).zip(inside) {
                    *to = f32::from_bits(from.to_bits() & inside);
                }
            } else if left < right {
                let from = start + y * self.width + at.x + left - self.pad[1];
                edge[left..right].copy_from_slice(&self.values[from..][..right - left]);
            }
        }
    }
}
