//! Enlarging and shrinking of images by interpolation, nearest or bilinear.
//!
//! Along one axis every output is a mix of two inputs, so nearest is the case where one of them
//! has all the weight, and the backward pass is the adjoint of the same mix.

use super::cpu::{self, Real, on_cpu, with_slices};
use candle_core::{Device, Result, Tensor, bail};
use rayon::prelude::*;

/// How positions of the output fall on the input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Resize {
    /// The pixel under the output's, rounded down: PyTorch's `nearest`.
    #[default]
    Nearest,
    /// Mixed by distance; pixels are squares and the images' edges coincide.
    Bilinear,
    /// Mixed by distance; the centres of the corner pixels coincide, as in Caffe's Interp.
    BilinearCorners,
}

/// Two positions of the input and the weight of the second.
#[derive(Clone, Copy)]
struct Mix {
    from: [usize; 2],
    weight: f64,
}

impl Resize {
    /// The mixes along an axis of `size` inputs and `output` outputs.
    fn axis(self, size: usize, output: usize) -> Vec<Mix> {
        let ratio = size as f64 / output as f64;
        let mix = |at: usize| {
            let position = match self {
                Self::Nearest => (at * size / output) as f64,
                Self::Bilinear => ((at as f64 + 0.5) * ratio - 0.5).max(0.0),
                Self::BilinearCorners if output > 1 => {
                    at as f64 * (size - 1) as f64 / (output - 1) as f64
                }
                Self::BilinearCorners => 0.0,
            };
            let first = (position as usize).min(size - 1);
            Mix {
                from: [first, (first + 1).min(size - 1)],
                weight: position - first as f64,
            }
        };
        (0..output).map(mix).collect()
    }
}

/// `x` (N, C, H, W) at another `size` = [H′, W′].
pub fn resize(x: &Tensor, size: [usize; 2], how: Resize) -> Result<Tensor> {
    let (_, _, h, w) = x.dims4()?;
    check([h, w], size)?;
    on_cpu!(x, resize_cpu(x, size, how), else resize_reference(x, size, how))
}

/// Gradient of [`resize`] with respect to its input of `size` = [H, W].
pub fn resize_backward(dy: &Tensor, size: [usize; 2], how: Resize) -> Result<Tensor> {
    let (_, _, h, w) = dy.dims4()?;
    check(size, [h, w])?;
    on_cpu!(dy, backward_cpu(dy, size, how), else backward_reference(dy, size, how))
}

fn check(from: [usize; 2], to: [usize; 2]) -> Result<()> {
    if from.contains(&0) || to.contains(&0) {
        bail!("an image of {from:?} cannot become one of {to:?}");
    }
    Ok(())
}

fn resize_cpu<T: Real>(x: &Tensor, size: [usize; 2], how: Resize) -> Result<Tensor> {
    let (n, c, h, w) = x.dims4()?;
    let (rows, columns) = (how.axis(h, size[0]), how.axis(w, size[1]));
    let mut y = vec![T::ZERO; n * c * size[0] * size[1]];
    with_slices([x], |[x]: [&[T]; 1]| {
        let planes = y.par_chunks_mut(size[0] * size[1]).zip(x.par_chunks(h * w));
        planes.for_each(|(y, x)| {
            for (row, y) in rows.iter().zip(y.chunks_mut(size[1])) {
                let [above, below] = row.from.map(|from| &x[from * w..][..w]);
                let lower = T::from_f64(row.weight);
                for (column, y) in columns.iter().zip(y) {
                    let [left, right] = column
                        .from
                        .map(|from| above[from] + lower * (below[from] - above[from]));
                    *y = left + T::from_f64(column.weight) * (right - left);
                }
            }
        });
        Ok(())
    })?;
    cpu::tensor(y, (n, c, size[0], size[1]))
}

fn backward_cpu<T: Real>(dy: &Tensor, size: [usize; 2], how: Resize) -> Result<Tensor> {
    let (n, c, h, w) = dy.dims4()?;
    let (rows, columns) = (how.axis(size[0], h), how.axis(size[1], w));
    let mut dx = vec![T::ZERO; n * c * size[0] * size[1]];
    with_slices([dy], |[dy]: [&[T]; 1]| {
        let planes = dx.par_chunks_mut(size[0] * size[1]);
        planes.zip(dy.par_chunks(h * w)).for_each(|(dx, dy)| {
            for (row, dy) in rows.iter().zip(dy.chunks(w)) {
                for (column, &dy) in columns.iter().zip(dy) {
                    for (y, y_weight) in [(0, 1.0 - row.weight), (1, row.weight)] {
                        for (x, x_weight) in [(0, 1.0 - column.weight), (1, column.weight)] {
                            let at = row.from[y] * size[1] + column.from[x];
                            dx[at] += T::from_f64(y_weight * x_weight) * dy;
                        }
                    }
                }
            }
        });
        Ok(())
    })?;
    cpu::tensor(dx, (n, c, size[0], size[1]))
}

/// The mixes as a matrix (output, size).
fn matrix(how: Resize, size: usize, output: usize, like: &Tensor) -> Result<Tensor> {
    let mut values = vec![0f64; output * size];
    for (at, mix) in how.axis(size, output).iter().enumerate() {
        values[at * size + mix.from[0]] += 1.0 - mix.weight;
        values[at * size + mix.from[1]] += mix.weight;
    }
    Tensor::from_vec(values, (1, 1, output, size), &Device::Cpu)?
        .to_dtype(like.dtype())?
        .to_device(like.device())
}

pub(super) fn resize_reference(x: &Tensor, size: [usize; 2], how: Resize) -> Result<Tensor> {
    let (_, _, h, w) = x.dims4()?;
    let (rows, columns) = (matrix(how, h, size[0], x)?, matrix(how, w, size[1], x)?);
    rows.broadcast_matmul(&x.contiguous()?.broadcast_matmul(&columns.t()?)?)
}

pub(super) fn backward_reference(dy: &Tensor, size: [usize; 2], how: Resize) -> Result<Tensor> {
    let (_, _, h, w) = dy.dims4()?;
    let (rows, columns) = (matrix(how, size[0], h, dy)?, matrix(how, size[1], w, dy)?);
    let dx = dy.contiguous()?.broadcast_matmul(&columns)?;
    rows.t()?.broadcast_matmul(&dx)
}
