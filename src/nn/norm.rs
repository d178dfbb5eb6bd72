//! Normalisations by neighbours (Krizhevsky et al. 2012), and of each example by itself (Caffe's MVN).

use super::cpu::{self, Real, map, map2, on_cpu, with_slices};
use candle_core::{D, Result, Tensor};
use rayon::prelude::*;

/// Local response normalisation: `y = x · s^−beta` with `s = k + alpha / m · Σ x²` over an odd
/// window of `size` channels (m = size), or of `size` × `size` pixels (m = size²) if `within`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lrn {
    pub size: usize,
    pub alpha: f64,
    pub beta: f64,
    pub k: f64,
    pub within: bool,
}

impl Lrn {
    /// What a sum of squares is multiplied by.
    fn factor(&self) -> f64 {
        self.alpha / (self.size as f64).powi(if self.within { 2 } else { 1 })
    }

    /// Whether each of `s^−beta` may be had from square roots alone, which is much faster.
    fn power<T: Real>(&self) -> impl Fn(T) -> T + Sync + use<T> {
        let beta = self.beta;
        move |s: T| match beta == 0.75 {
            true => {
                let root = s.sqrt();
                T::ONE / (root * root.sqrt())
            }
            false => T::from_f64(s.to_f64().powf(-beta)),
        }
    }
}

/// [`Lrn`] of `x` (N, C, H, W): the result and `s`, which the gradient needs.
pub fn lrn(x: &Tensor, lrn: &Lrn) -> Result<(Tensor, Tensor)> {
    x.dims4()?;
    on_cpu!(x, lrn_cpu(x, lrn), else lrn_reference(x, lrn))
}

/// Gradient of [`lrn`] with respect to its input, from `s` and `dy`:
/// `dy · s^−beta − 2 · beta · alpha / m · x · Σ dy · x · s^(−beta−1)` over the same window.
pub fn lrn_backward(x: &Tensor, s: &Tensor, dy: &Tensor, lrn: &Lrn) -> Result<Tensor> {
    on_cpu!(x, lrn_backward_cpu(x, s, dy, lrn), else lrn_backward_reference(x, s, dy, lrn))
}

fn lrn_cpu<T: Real>(x: &Tensor, lrn: &Lrn) -> Result<(Tensor, Tensor)> {
    let squares = map(x, |x: T| x * x)?;
    let s = window_sums::<T>(&squares, lrn, lrn.factor(), lrn.k)?;
    let power = lrn.power::<T>();
    Ok((map2(x, &s, |x: T, s| x * power(s))?, s))
}

fn lrn_backward_cpu<T: Real>(x: &Tensor, s: &Tensor, dy: &Tensor, lrn: &Lrn) -> Result<Tensor> {
    let power = lrn.power::<T>();
    let direct = map2(dy, s, |dy: T, s| dy * power(s))?;
    let ratio = map2(x, s, |x: T, s| x / s)?;
    let shares = map2(&direct, &ratio, |direct: T, ratio| direct * ratio)?;
    let factor = 2.0 * lrn.beta * lrn.factor();
    let sums = window_sums::<T>(&shares, lrn, factor, 0.0)?;
    let through = map2(x, &sums, |x: T, sum| x * sum)?;
    map2(&direct, &through, |direct: T, through| direct - through)
}

/// `constant + factor · Σ x` over each element's window.
fn window_sums<T: Real>(x: &Tensor, lrn: &Lrn, factor: f64, constant: f64) -> Result<Tensor> {
    let (_, channels, height, width) = x.dims4()?;
    let (plane, half) = (height * width, lrn.size / 2);
    let (factor, constant) = (T::from_f64(factor), T::from_f64(constant));
    let around = |at: usize, end: usize| at.saturating_sub(half)..(at + half + 1).min(end);
    let add = |to: &mut [T], from: &[T]| {
        for (to, &from) in to.iter_mut().zip(from) {
            *to += from;
        }
    };
    let y = with_slices([x], |[x]: [&[T]; 1]| {
        let mut y = vec![T::ZERO; x.len()];
        let planes = y.par_chunks_mut(plane.max(1)).enumerate();
        planes.for_each(|(index, y)| {
            if lrn.within {
                let x = &x[index * plane..][..plane];
                let mut columns = vec![T::ZERO; plane];
                for (row, to) in columns.chunks_mut(width).enumerate() {
                    for from in around(row, height) {
                        add(to, &x[from * width..][..width]);
                    }
                }
                for (to, from) in y.chunks_mut(width).zip(columns.chunks(width)) {
                    for (column, to) in to.iter_mut().enumerate() {
                        *to = cpu::sum(&from[around(column, width)]);
                    }
                }
            } else {
                let image = index / channels * channels;
                for channel in around(index % channels, channels) {
                    add(y, &x[(image + channel) * plane..][..plane]);
                }
            }
            for y in y {
                *y = constant + factor * *y;
            }
        });
        Ok(y)
    })?;
    cpu::tensor(y, x.shape())
}

fn window_sums_reference(x: &Tensor, lrn: &Lrn) -> Result<Tensor> {
    let axes: &[usize] = if lrn.within { &[2, 3] } else { &[1] };
    let mut y = x.clone();
    for &axis in axes {
        let size = y.dim(axis)?;
        let padded = y.pad_with_zeros(axis, lrn.size / 2, lrn.size / 2)?;
        let shifted = |from| padded.narrow(axis, from, size);
        let rest = 1..lrn.size;
        y = rest
            .into_iter()
            .try_fold(shifted(0)?, |sum, from| sum + shifted(from)?)?;
    }
    Ok(y)
}

pub(super) fn lrn_reference(x: &Tensor, lrn: &Lrn) -> Result<(Tensor, Tensor)> {
    let s = window_sums_reference(&x.sqr()?, lrn)?.affine(lrn.factor(), lrn.k)?;
    Ok(((x * s.powf(-lrn.beta)?)?, s))
}

pub(super) fn lrn_backward_reference(
    x: &Tensor,
    s: &Tensor,
    dy: &Tensor,
    lrn: &Lrn,
) -> Result<Tensor> {
    let direct = (dy * s.powf(-lrn.beta)?)?;
    let sums = window_sums_reference(&((&direct * x)? / s)?, lrn)?;
    direct - ((x * sums)? * (2.0 * lrn.beta * lrn.factor()))?
}

/// Each row of `x` (R, M) less its mean and, if `variance`, over its deviation plus `eps`, as
/// Caffe's MVN has it. A few of Candle's own operations, so one form serves every device.
pub fn mvn(x: &Tensor, variance: bool, eps: f64) -> Result<Tensor> {
    let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    match variance {
        true => centred.broadcast_div(&(deviations(&centred)? + eps)?),
        false => Ok(centred),
    }
}

/// Gradient of [`mvn`] with respect to its input.
pub fn mvn_backward(x: &Tensor, dy: &Tensor, variance: bool, eps: f64) -> Result<Tensor> {
    let d_centred = dy.broadcast_sub(&dy.mean_keepdim(D::Minus1)?)?;
    if !variance {
        return Ok(d_centred);
    }
    let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    let deviation = deviations(&centred)?;
    let divisor = (&deviation + eps)?;
    let dot = (dy * &centred)?.mean_keepdim(D::Minus1)?;
    // A constant row has deviation 0 and dot 0; the tiny number makes their ratio 0.
    let slope = ((dot / divisor.sqr()?)? / (deviation + f64::from(f32::MIN_POSITIVE))?)?;
    d_centred.broadcast_div(&divisor)? - centred.broadcast_mul(&slope)?
}

fn deviations(centred: &Tensor) -> Result<Tensor> {
    centred.sqr()?.mean_keepdim(D::Minus1)?.sqrt()
}
