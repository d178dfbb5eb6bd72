//! Softmax over the second axis, so over the classes of (N, C) or of each pixel of (N, C, H, W).

use super::cpu::{self, Real, on_cpu, same_shape, with_slices};
use super::reference;
use candle_core::{Result, Tensor, bail};
use rayon::prelude::*;

/// `e^x / Σ e^x` over axis 1 of `x` (N, C, …), computed without overflow.
pub fn softmax(x: &Tensor) -> Result<Tensor> {
    Planes::of(x)?;
    on_cpu!(x, forward(x), cuda softmax(x), else reference::softmax(x))
}

/// Gradient of [`softmax`] with respect to its input, from its output `y` and `dy`: `y · (dy − Σ y·dy)`.
pub fn softmax_backward(y: &Tensor, dy: &Tensor) -> Result<Tensor> {
    Planes::of(y)?;
    same_shape(y, dy)?;
    on_cpu!(y, backward(y, dy), cuda softmax_backward(y, dy), else reference::softmax_backward(y, dy))
}

/// A tensor (N, C, …) seen as images of `c` planes of `plane` elements.
#[derive(Clone, Copy)]
pub(super) struct Planes {
    pub c: usize,
    pub plane: usize,
}

impl Planes {
    pub fn of(x: &Tensor) -> Result<Self> {
        match x.dims() {
            [_, c, rest @ ..] if *c > 0 => Ok(Self {
                c: *c,
                plane: rest.iter().product(),
            }),
            dims => {
                bail!("a softmax needs an input (N, C, …) with at least one class, not {dims:?}")
            }
        }
    }

    /// Elements of one image; 1 for empty ones, because slices are not cut into chunks of 0.
    pub fn image(&self) -> usize {
        (self.c * self.plane).max(1)
    }

    /// Turns one image's `x` into exponentials `y` relative to the largest, and returns per pixel
    /// that largest value and the sum of the exponentials.
    pub fn exponentials<T: Real>(&self, x: &[T], y: &mut [T]) -> (Vec<T>, Vec<T>) {
        let mut largest = x[..self.plane].to_vec();
        for x in x.chunks_exact(self.plane).skip(1) {
            for (largest, &x) in largest.iter_mut().zip(x) {
                *largest = if x > *largest { x } else { *largest };
            }
        }
        let mut total = vec![T::ZERO; self.plane];
        for (y, x) in y
            .chunks_exact_mut(self.plane)
            .zip(x.chunks_exact(self.plane))
        {
            for (((y, &x), &largest), total) in y.iter_mut().zip(x).zip(&largest).zip(&mut total) {
                *y = (x - largest).exp();
                *total += *y;
            }
        }
        (largest, total)
    }

    /// Divides the exponentials of one image by their sums.
    pub fn normalize<T: Real>(&self, y: &mut [T], total: &[T]) {
        for y in y.chunks_exact_mut(self.plane) {
            for (y, &total) in y.iter_mut().zip(total) {
                *y /= total;
            }
        }
    }
}

fn forward<T: Real>(x: &Tensor) -> Result<Tensor> {
    let planes = Planes::of(x)?;
    let y = with_slices([x], |[x]: [&[T]; 1]| {
        let mut y = vec![T::ZERO; x.len()];
        y.par_chunks_mut(planes.image())
            .zip(x.par_chunks(planes.image()))
            .for_each(|(y, x)| {
                let (_, total) = planes.exponentials(x, y);
                planes.normalize(y, &total);
            });
        Ok(y)
    })?;
    cpu::tensor(y, x.shape())
}

fn backward<T: Real>(y: &Tensor, dy: &Tensor) -> Result<Tensor> {
    let planes = Planes::of(y)?;
    let dx = with_slices([y, dy], |[y, dy]: [&[T]; 2]| {
        let mut dx = vec![T::ZERO; y.len()];
        let images = y
            .par_chunks(planes.image())
            .zip(dy.par_chunks(planes.image()));
        dx.par_chunks_mut(planes.image())
            .zip(images)
            .for_each(|(dx, (y, dy))| {
                let mut dot = vec![T::ZERO; planes.plane];
                for (y, dy) in y
                    .chunks_exact(planes.plane)
                    .zip(dy.chunks_exact(planes.plane))
                {
                    for ((dot, &y), &dy) in dot.iter_mut().zip(y).zip(dy) {
                        *dot += y * dy;
                    }
                }
                for (i, ((dx, &y), &dy)) in dx.iter_mut().zip(y).zip(dy).enumerate() {
                    *dx = y * (dy - dot[i % planes.plane]);
                }
            });
        Ok(dx)
    })?;
    cpu::tensor(dx, y.shape())
}
