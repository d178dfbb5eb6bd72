//! im2col and its adjoint: the patches under a convolution's windows as the columns of a matrix.
//!
//! The matrix of one image and group has a row per (channel, kernel row, kernel column) and a
//! column per window. It is made for a block of window rows at a time, to stay in the cache.

use super::cpu::Real;
use super::size::Axis;

/// Elements of a patch matrix that fit well into a core's cache.
const BLOCK: usize = 128 * 1024;
/// Fewest columns worth a matrix product, where the picture has as many.
const MIN_COLUMNS: usize = 256;

/// The geometry of the windows over `channels` planes.
#[derive(Clone, Copy)]
pub(super) struct Patches {
    pub channels: usize,
    pub y: Axis,
    pub x: Axis,
}

impl Patches {
    /// Rows of the patch matrix.
    pub fn rows(&self) -> usize {
        self.channels * self.y.kernel * self.x.kernel
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

    /// Rows of windows per block. It depends on the shape of one image only.
    pub fn block_rows(&self) -> usize {
        let columns = (BLOCK / self.rows().max(1)).max(MIN_COLUMNS);
        (columns / self.x.output.max(1)).clamp(1, self.y.output.max(1))
    }

    /// The blocks as (first window row, number of window rows).
    pub fn blocks(self) -> impl Iterator<Item = (usize, usize)> {
        let step = self.block_rows();
        (0..self.y.output)
            .step_by(step)
            .map(move |first| (first, step.min(self.y.output - first)))
    }

    /// Fills `columns` with the patches of window rows `first .. first + count` of the planes `image`.
    pub fn gather<T: Real>(&self, image: &[T], first: usize, count: usize, columns: &mut Vec<T>) {
        let width = count * self.x.output;
        columns.resize(self.rows() * width, T::ZERO);
        let taps = self.y.kernel * self.x.kernel;
        for (row, column) in columns.chunks_exact_mut(width.max(1)).enumerate() {
            let plane = &image[row / taps * self.plane()..][..self.plane()];
            let (ky, kx) = (row % taps / self.x.kernel, row % self.x.kernel);
            let valid_y = self.y.windows(ky);
            for (run, wy) in column.chunks_exact_mut(self.x.output).zip(first..) {
                if valid_y.contains(&wy) {
                    self.gather_run(
                        &plane[self.y.input(wy, ky) * self.x.size..][..self.x.size],
                        kx,
                        run,
                    );
                } else {
                    run.fill(T::ZERO);
                }
            }
        }
    }

    /// One row of windows: what lies under tap `kx` of each.
    fn gather_run<T: Real>(&self, line: &[T], kx: usize, run: &mut [T]) {
        let valid = self.x.windows(kx);
        run[..valid.start].fill(T::ZERO);
        run[valid.end..].fill(T::ZERO);
        if valid.is_empty() {
            return;
        }
        let source = &line[self.x.input(valid.start, kx)..];
        let run = &mut run[valid];
        if self.x.stride == 1 {
            copy(&source[..run.len()], run);
        } else {
            for (to, &from) in run.iter_mut().zip(source.iter().step_by(self.x.stride)) {
                *to = from;
            }
        }
    }

    /// Adds the patches of window rows `first .. first + count` back to the planes `image`: the adjoint of `gather`.
    pub fn scatter_add<T: Real>(&self, columns: &[T], first: usize, count: usize, image: &mut [T]) {
        let width = count * self.x.output;
        let taps = self.y.kernel * self.x.kernel;
        for (row, column) in columns.chunks_exact(width.max(1)).enumerate() {
            let plane = &mut image[row / taps * self.plane()..][..self.plane()];
            let (ky, kx) = (row % taps / self.x.kernel, row % self.x.kernel);
            let (valid_y, valid_x) = (self.y.windows(ky), self.x.windows(kx));
            if valid_x.is_empty() {
                continue;
            }
            let start = self.x.input(valid_x.start, kx);
            for (run, wy) in column.chunks_exact(self.x.output).zip(first..) {
                if !valid_y.contains(&wy) {
                    continue;
                }
                let line = &mut plane[self.y.input(wy, ky) * self.x.size..][..self.x.size];
                add(&run[valid_x.clone()], self.x.stride, &mut line[start..]);
            }
        }
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
