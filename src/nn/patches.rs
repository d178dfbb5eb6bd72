//! im2col and its adjoint: the patches under a convolution's windows as the columns of a matrix.
//!
//! The matrix of one image and group has a row per (channel, kernel row, kernel column) and a
//! column per window. It is made for a block of window rows at a time, to stay in the cache.

use super::cpu::Real;
use super::size::{Axis, Tap};

/// Elements of a patch matrix that fit well into a core's cache.
const BLOCK: usize = 128 * 1024;
/// Fewest columns worth a matrix product, where the picture has as many.
const MIN_COLUMNS: usize = 256;

/// The geometry of the windows over the planes of one image and group.
pub(super) struct Patches {
    pub y: Axis,
    pub x: Axis,
    y_taps: Vec<Tap>,
    x_taps: Vec<Tap>,
}

impl Patches {
    pub fn new(y: Axis, x: Axis) -> Self {
        Self {
            y,
            x,
            y_taps: y.taps(),
            x_taps: x.taps(),
        }
    }

    /// Rows of the patch matrix per channel.
    pub fn taps(&self) -> usize {
        self.y.kernel * self.x.kernel
    }

    /// Windows of one plane: columns of the whole patch matrix.
    pub fn windows(&self) -> usize {
        self.y.output * self.x.output
    }

    /// Elements of one input plane.
    pub fn plane(&self) -> usize {
        self.y.size * self.x.size
    }

    /// Whether the patch matrix is the image itself: a 1×1 kernel at stride 1 without padding.
    pub fn is_image(&self) -> bool {
        let plain = |axis: &Axis| axis.kernel == 1 && axis.stride == 1 && axis.pad == 0;
        plain(&self.y) && plain(&self.x)
    }

    /// Rows of windows per block, for a patch matrix of `channels`.
    pub fn block_rows(&self, channels: usize) -> usize {
        let columns = (BLOCK / (channels * self.taps()).max(1)).max(MIN_COLUMNS);
        (columns / self.x.output).clamp(1, self.y.output)
    }

    /// The blocks as (first window row, number of window rows).
    pub fn blocks(&self, channels: usize) -> impl Iterator<Item = (usize, usize)> {
        let (step, rows) = (self.block_rows(channels), self.y.output);
        (0..rows)
            .step_by(step)
            .map(move |first| (first, step.min(rows - first)))
    }

    /// Fills `columns` with the patches of window rows `first .. first + count` of the planes `image`.
    pub fn gather<T: Real>(&self, image: &[T], first: usize, count: usize, columns: &mut Vec<T>) {
        let width = count * self.x.output;
        columns.resize(image.len() / self.plane() * self.taps() * width, T::ZERO);
        let mut rows = columns.chunks_exact_mut(width);
        for plane in image.chunks_exact(self.plane()) {
            for y_tap in &self.y_taps {
                for (x_tap, row) in self.x_taps.iter().zip(&mut rows) {
                    self.gather_row(plane, y_tap, x_tap, first, row);
                }
            }
        }
    }

    /// What lies under one tap of the windows from window row `first` on.
    fn gather_row<T: Real>(
        &self,
        plane: &[T],
        y_tap: &Tap,
        x_tap: &Tap,
        first: usize,
        row: &mut [T],
    ) {
        for (run, wy) in row.chunks_exact_mut(self.x.output).zip(first..) {
            if !y_tap.windows.contains(&wy) {
                run.fill(T::ZERO);
                continue;
            }
            let start = self.line(y_tap, wy) + x_tap.start;
            run[..x_tap.windows.start].fill(T::ZERO);
            run[x_tap.windows.end..].fill(T::ZERO);
            let run = &mut run[x_tap.windows.clone()];
            if self.x.stride == 1 {
                copy(&plane[start..start + run.len()], run);
            } else {
                for (to, &from) in run
                    .iter_mut()
                    .zip(plane[start..].iter().step_by(self.x.stride))
                {
                    *to = from;
                }
            }
        }
    }

    /// Adds the patches of window rows `first .. first + count` back to the planes `image`: the adjoint of `gather`.
    pub fn scatter_add<T: Real>(&self, columns: &[T], first: usize, count: usize, image: &mut [T]) {
        let mut rows = columns.chunks_exact(count * self.x.output);
        for plane in image.chunks_exact_mut(self.plane()) {
            for y_tap in &self.y_taps {
                for (x_tap, row) in self.x_taps.iter().zip(&mut rows) {
                    self.scatter_row(row, y_tap, x_tap, first, plane);
                }
            }
        }
    }

    /// Adds one tap of the windows from window row `first` on back to `plane`.
    fn scatter_row<T: Real>(
        &self,
        row: &[T],
        y_tap: &Tap,
        x_tap: &Tap,
        first: usize,
        plane: &mut [T],
    ) {
        for (run, wy) in row.chunks_exact(self.x.output).zip(first..) {
            if y_tap.windows.contains(&wy) {
                let start = self.line(y_tap, wy) + x_tap.start;
                add(
                    &run[x_tap.windows.clone()],
                    self.x.stride,
                    &mut plane[start..],
                );
            }
        }
    }

    /// Where the input line under `tap` of window row `wy` begins in its plane.
    fn line(&self, tap: &Tap, wy: usize) -> usize {
        (tap.start + (wy - tap.windows.start) * self.y.stride) * self.x.size
    }
}

/// Copies a short run; blocks of eight spare most of the calls to `memcpy`, which cost more than the copy.
fn copy<T: Copy>(from: &[T], to: &mut [T]) {
    let (from_blocks, from_rest) = from.as_chunks::<8>();
    let (to_blocks, to_rest) = to.as_chunks_mut::<8>();
    for (to, from) in to_blocks.iter_mut().zip(from_blocks) {
        *to = *from;
    }
    for (to, from) in to_rest.iter_mut().zip(from_rest) {
        *to = *from;
    }
}

/// Adds `from` to every `stride`-th element of `to`.
fn add<T: Real>(from: &[T], stride: usize, to: &mut [T]) {
    if stride == 1 {
        for (to, &from) in to.iter_mut().zip(from) {
            *to += from;
        }
    } else {
        for (to, &from) in to.iter_mut().step_by(stride).zip(from) {
            *to += from;
        }
    }
}
