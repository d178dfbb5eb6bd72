//! Maximum and average pooling with Caffe's sizes and divisors.
//!
//! On the CPU each plane is a task.

use super::cpu::{self, Real, on_cpu, with_slices};
use super::reference;
use super::simd::wide;
use super::size::{Axis, pool_output};
use candle_core::{Result, Tensor, bail};
use rayon::prelude::*;

/// Kernel, stride and padding as [vertical, horizontal], and whether sizes round up as in Caffe.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pool2d {
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub pad: [usize; 2],
    pub ceil: bool,
}

/// Maximum pooling of `x` (N, C, H, W): the maxima (N, C, OH, OW), sized by [`pool_output`], and
/// where each was found, as an index `row·W + column` (u32, same shape).
///
/// The first of equal maxima counts; a NaN in a window is its maximum.
pub fn max_pool2d(x: &Tensor, pool: &Pool2d) -> Result<(Tensor, Tensor)> {
    let axes = PoolAxes::new(x.dims(), pool)?;
    on_cpu!(x, max_forward(x, &axes), cuda max_pool2d(x, pool), else reference::max_pool2d(x, &axes))
}

/// Gradient of [`max_pool2d`] with respect to its input of spatial size `x_size`: each gradient in
/// `dy` goes to the pixel that `indices` names, (N, C, H, W).
///
/// Errors if an index lies outside the plane.
pub fn max_pool2d_backward(dy: &Tensor, indices: &Tensor, x_size: [usize; 2]) -> Result<Tensor> {
    if dy.rank() != 4 {
        bail!(
            "the gradient of a pooling has four axes, not the shape {:?}",
            dy.dims()
        );
    }
    cpu::same_shape(dy, indices)?;
    on_cpu!(dy, max_backward(dy, indices, x_size), cuda max_pool2d_backward(dy, indices, x_size), else reference::max_pool2d_backward(dy, indices, x_size))
}

/// Average pooling of `x` (N, C, H, W): (N, C, OH, OW). As in Caffe the divisor is the area of the
/// window inside the padded image, so padding counts as zeros but what hangs over it does not.
pub fn avg_pool2d(x: &Tensor, pool: &Pool2d) -> Result<Tensor> {
    let axes = PoolAxes::new(x.dims(), pool)?;
    on_cpu!(x, avg_forward(x, &axes), cuda avg_pool2d(x, pool), else reference::avg_pool2d(x, &axes))
}

/// Gradient of [`avg_pool2d`] with respect to its input of spatial size `x_size`: (N, C, H, W).
pub fn avg_pool2d_backward(dy: &Tensor, x_size: [usize; 2], pool: &Pool2d) -> Result<Tensor> {
    let (n, c, oh, ow) = dy.dims4()?;
    let axes = PoolAxes::new(&[n, c, x_size[0], x_size[1]], pool)?;
    if [oh, ow] != [axes.y.output, axes.x.output] {
        bail!(
            "a gradient {:?} does not fit the output {:?} of the pooling",
            dy.dims(),
            axes.output_dims()
        );
    }
    on_cpu!(dy, avg_backward(dy, &axes), cuda avg_pool2d_backward(dy, x_size, pool), else reference::avg_pool2d_backward(dy, &axes))
}

/// The sizes of one pooling, found to be consistent.
#[derive(Clone, Copy, Debug)]
pub(super) struct PoolAxes {
    pub(super) n: usize,
    pub(super) c: usize,
    pub(super) y: Axis,
    pub(super) x: Axis,
}

impl PoolAxes {
    pub(super) fn new(dims: &[usize], pool: &Pool2d) -> Result<Self> {
        let &[n, c, h, w] = dims else {
            bail!("pooling needs an input (N, C, H, W), not {dims:?}")
        };
        if u32::try_from(h.saturating_mul(w)).is_err() {
            bail!("a plane of {h} × {w} is too large to pool");
        }
        let axis = |i: usize, size: usize| {
            let (kernel, stride, pad) = (pool.kernel[i], pool.stride[i], pool.pad[i]);
            match pool_output(size, kernel, stride, pad, pool.ceil) {
                Some(output) => Ok(Axis {
                    size,
                    kernel,
                    stride,
                    pad,
                    dilation: 1,
                    output,
                }),
                None => bail!(
                    "a window of {kernel} with stride {stride} and pad {pad} does not fit a size of {size}"
                ),
            }
        };
        Ok(Self {
            n,
            c,
            y: axis(0, h)?,
            x: axis(1, w)?,
        })
    }

    pub(super) fn input_dims(&self) -> [usize; 4] {
        [self.n, self.c, self.y.size, self.x.size]
    }

    pub(super) fn output_dims(&self) -> [usize; 4] {
        [self.n, self.c, self.y.output, self.x.output]
    }

    fn input_plane(&self) -> usize {
        self.y.size * self.x.size
    }

    fn output_plane(&self) -> usize {
        self.y.output * self.x.output
    }

    fn planes(&self) -> usize {
        self.n * self.c
    }

    /// The area by which window (`wy`, `wx`) is averaged.
    pub(super) fn divisor(&self, wy: usize, wx: usize) -> f64 {
        (self.y.padded_length(wy) * self.x.padded_length(wx)) as f64
    }
}

fn max_forward<T: Real>(x: &Tensor, axes: &PoolAxes) -> Result<(Tensor, Tensor)> {
    let mut y = vec![T::ZERO; axes.planes() * axes.output_plane()];
    let mut indices = vec![0u32; y.len()];
    with_slices([x], |[x]| {
        let planes = y
            .par_chunks_mut(axes.output_plane())
            .zip(indices.par_chunks_mut(axes.output_plane()));
        let planes = planes.zip(x.par_chunks(axes.input_plane()));
        planes.for_each(|((y, indices), x)| {
            max_of_plane(x, axes, y, indices);
        });
        Ok(())
    })?;
    let dims = &axes.output_dims();
    Ok((cpu::tensor(y, dims)?, cpu::tensor(indices, dims)?))
}

wide! {
    fn max_of_plane[T: Real](x: &[T], axes: &PoolAxes, y: &mut [T], indices: &mut [u32]) {
        // One comparison for each pixel is twice as fast as two, and NaN is rare.
        if has_nan(x) {
            max_plane(x, axes, y, indices, |value, best| {
                value > best || is_nan(value)
            });
        } else {
            max_plane(x, axes, y, indices, |value, best| value > best);
        }
    }
}

/// Only a NaN differs from itself.
#[allow(clippy::eq_op)]
#[inline(always)]
fn is_nan<T: Real>(value: T) -> bool {
    value != value
}

#[inline(always)]
fn has_nan<T: Real>(values: &[T]) -> bool {
    // Without an early end the compiler makes it a loop of vectors.
    values
        .iter()
        .fold(false, |found, &value| found | is_nan(value))
}

/// The maxima `y` of all windows over the plane `x`, and where these are. A value replaces the
/// best one before it where `better` says so.
#[inline(always)]
fn max_plane<T: Real>(
    x: &[T],
    axes: &PoolAxes,
    y: &mut [T],
    indices: &mut [u32],
    better: impl Fn(T, T) -> bool + Copy,
) {
    let (width, columns) = (axes.x.size, axes.x.output);
    let rows = y
        .chunks_exact_mut(columns)
        .zip(indices.chunks_exact_mut(columns));
    for (wy, (y, indices)) in rows.enumerate() {
        let ys = axes.y.span(wy);
        let mut inner = axes.x.whole_windows();
        if ys.len() < axes.y.kernel || inner.is_empty() {
            inner = 0..0;
        } else {
            let first = ys.start * width + axes.x.input(inner.start, 0);
            let (y, indices) = (&mut y[inner.clone()], &mut indices[inner.clone()]);
            // With the usual sizes known to the compiler the loops unroll: three times as fast.
            match (axes.y.kernel, axes.x.kernel, axes.x.stride) {
                (2, 2, 2) => max_run(x, width, first, [2, 2], 2, y, indices, better),
                (3, 3, 2) => max_run(x, width, first, [3, 3], 2, y, indices, better),
                (3, 3, 1) => max_run(x, width, first, [3, 3], 1, y, indices, better),
                (lines, columns, step) => {
                    max_run(x, width, first, [lines, columns], step, y, indices, better)
                }
            }
        }
        for wx in (0..inner.start).chain(inner.end..columns) {
            let xs = axes.x.span(wx);
            let first = ys.start * width + xs.start;
            (y[wx], indices[wx]) = max_window(x, width, first, [ys.len(), xs.len()], better);
        }
    }
}
/// Windows of one size, `step` apart, the first of which begins at `first` in the plane `x`.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn max_run<T: Real>(
    x: &[T],
    width: usize,
    first: usize,
    size: [usize; 2],
    step: usize,
    y: &mut [T],
    indices: &mut [u32],
    better: impl Fn(T, T) -> bool + Copy,
) {
    for (i, (y, index)) in y.iter_mut().zip(indices).enumerate() {
        (*y, *index) = max_window(x, width, first + i * step, size, better);
    }
}

/// The maximum of the window of `size` (lines, columns) that begins at `first`, and its index.
#[inline(always)]
fn max_window<T: Real>(
    x: &[T],
    width: usize,
    first: usize,
    size: [usize; 2],
    better: impl Fn(T, T) -> bool,
) -> (T, u32) {
    let (mut best, mut best_at) = (x[first], first);
    for line in 0..size[0] {
        for column in 0..size[1] {
            let at = first + line * width + column;
            let value = x[at];
            // Selected rather than branched, since a branch is mispredicted half of the time.
            let better = better(value, best);
            best_at = if better { at } else { best_at };
            best = if better { value } else { best };
        }
    }
    (best, best_at as u32)
}

fn max_backward<T: Real>(dy: &Tensor, indices: &Tensor, x_size: [usize; 2]) -> Result<Tensor> {
    let (n, c, oh, ow) = dy.dims4()?;
    let plane = x_size[0] * x_size[1];
    let mut dx = vec![T::ZERO; n * c * plane];
    with_slices([dy], |[dy]: [&[T]; 1]| {
        with_slices([indices], |[indices]: [&[u32]; 1]| {
            let sources = dy
                .par_chunks((oh * ow).max(1))
                .zip(indices.par_chunks((oh * ow).max(1)));
            dx.par_chunks_mut(plane.max(1))
                .zip(sources)
                .try_for_each(|(dx, (dy, indices))| {
                    for (&dy, &index) in dy.iter().zip(indices) {
                        match dx.get_mut(index as usize) {
                            Some(dx) => *dx += dy,
                            None => bail!(
                                "pooling index {index} lies outside a plane of {plane} pixels"
                            ),
                        }
                    }
                    Ok(())
                })
        })
    })?;
    cpu::tensor(dx, (n, c, x_size[0], x_size[1]))
}

/// One over the divisor of each window of a plane.
fn weights<T: Real>(axes: &PoolAxes) -> Vec<T> {
    let windows = (0..axes.y.output).flat_map(|wy| (0..axes.x.output).map(move |wx| (wy, wx)));
    windows
        .map(|(wy, wx)| T::from_f64(1.0 / axes.divisor(wy, wx)))
        .collect()
}

fn avg_forward<T: Real>(x: &Tensor, axes: &PoolAxes) -> Result<Tensor> {
    let (taps, weights) = (axes.x.taps(), weights::<T>(axes));
    let mut y = vec![T::ZERO; axes.planes() * axes.output_plane()];
    with_slices([x], |[x]: [&[T]; 1]| {
        let planes = y
            .par_chunks_mut(axes.output_plane())
            .zip(x.par_chunks(axes.input_plane()));
        planes.for_each(|(y, x)| {
            for (wy, y) in y.chunks_exact_mut(axes.x.output).enumerate() {
                for iy in axes.y.span(wy) {
                    let line = &x[iy * axes.x.size..][..axes.x.size];
                    for tap in &taps {
                        for (y, &x) in y[tap.windows.clone()]
                            .iter_mut()
                            .zip(line[tap.start..].iter().step_by(axes.x.stride))
                        {
                            *y += x;
                        }
                    }
                }
            }
            for (y, &weight) in y.iter_mut().zip(&weights) {
                *y *= weight;
            }
        });
        Ok(())
    })?;
    cpu::tensor(y, &axes.output_dims())
}

fn avg_backward<T: Real>(dy: &Tensor, axes: &PoolAxes) -> Result<Tensor> {
    let (taps, weights) = (axes.x.taps(), weights::<T>(axes));
    let mut dx = vec![T::ZERO; axes.planes() * axes.input_plane()];
    with_slices([dy], |[dy]: [&[T]; 1]| {
        let planes = dx
            .par_chunks_mut(axes.input_plane())
            .zip(dy.par_chunks(axes.output_plane()));
        planes.for_each_init(Vec::new, |share, (dx, dy)| {
            share.clear();
            share.extend(dy.iter().zip(&weights).map(|(&dy, &weight)| dy * weight));
            for (wy, share) in share.chunks_exact(axes.x.output).enumerate() {
                for iy in axes.y.span(wy) {
                    let line = &mut dx[iy * axes.x.size..][..axes.x.size];
                    for tap in &taps {
                        for (dx, &share) in line[tap.start..]
                            .iter_mut()
                            .step_by(axes.x.stride)
                            .zip(&share[tap.windows.clone()])
                        {
                            *dx += share;
                        }
                    }
                }
            }
        });
        Ok(())
    })?;
    cpu::tensor(dx, &axes.input_dims())
}
