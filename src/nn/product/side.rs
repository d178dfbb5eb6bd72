//! The sides of a product, as panels.

use std::ops::Range;

use super::tile::MAX_COLUMNS;
use crate::nn::simd::transpose8;

/// One side of a product: the rows of the left one, or the columns of the right one, are its lanes.
pub(in crate::nn) trait Side: Sync {
    /// How many lanes there are.
    fn lanes(&self) -> usize;

    /// Writes the `width` lanes from `first` on as `[depth][width]`; what a lane beyond the last
    /// one gets is of no account. Up to [`MAX_COLUMNS`] numbers behind the panel may be written too.
    fn pack(&self, first: usize, width: usize, depth: Range<usize>, out: &mut [f32]);
}

/// Lanes that lie side by side, `stride` numbers from one step of the depth to the next.
#[derive(Clone, Copy)]
pub(in crate::nn) struct Columns<'a> {
    pub data: &'a [f32],
    pub lanes: usize,
    pub stride: usize,
}

impl Side for Columns<'_> {
    fn lanes(&self) -> usize {
        self.lanes
    }

    fn pack(&self, first: usize, width: usize, depth: Range<usize>, out: &mut [f32]) {
        let count = width.min(self.lanes.saturating_sub(first));
        for (step, out) in depth.zip(out.chunks_exact_mut(width)) {
            copy(&self.data[step * self.stride + first..][..count], out);
        }
    }
}

/// Lanes `stride` numbers apart, each along the depth.
#[derive(Clone, Copy)]
pub(in crate::nn) struct Rows<'a> {
    pub data: &'a [f32],
    pub lanes: usize,
    pub stride: usize,
}

impl Side for Rows<'_> {
    fn lanes(&self) -> usize {
        self.lanes
    }

    fn pack(&self, first: usize, width: usize, depth: Range<usize>, out: &mut [f32]) {
        let length = depth.len();
        let row = |lane: usize| {
            let lane = (first + lane).min(self.lanes - 1);
            &self.data[lane * self.stride + depth.start..][..length]
        };
        transpose_panel(row, width, out);
    }
}

/// Writes `width` rows of one length as `[length][width]`.
pub(in crate::nn) fn transpose_panel<'a>(
    row: impl Fn(usize) -> &'a [f32],
    width: usize,
    out: &mut [f32],
) {
    let whole = width / 8 * 8;
    for first in (0..whole).step_by(8) {
        transpose8(
            std::array::from_fn(|lane| row(first + lane)),
            &mut out[first..],
            width,
        );
    }
    for lane in whole..width {
        for (step, &value) in row(lane).iter().enumerate() {
            out[step * width + lane] = value;
        }
    }
}

/// Copies a short run; blocks of eight spare most of the calls to `memcpy`, which cost more than the copy.
fn copy(from: &[f32], to: &mut [f32]) {
    let (from_blocks, from_rest) = from.as_chunks::<8>();
    let (to_blocks, to_rest) = to[..from.len()].as_chunks_mut::<8>();
    for (to, from) in to_blocks.iter_mut().zip(from_blocks) {
        *to = *from;
    }
    for (to, from) in to_rest.iter_mut().zip(from_rest) {
        *to = *from;
    }
}

const _: () = assert!(MAX_COLUMNS.is_multiple_of(8));
