//! Normalisations: by the batch (Ioffe and Szegedy 2015), by neighbours (Krizhevsky et al. 2012),
//! and of each example by itself (Caffe's MVN).

use super::channels::{channel_tensor, map_channels, per_channel, spread, sum_channels};
use super::cpu::{self, Real, map, map2, on_cpu, with_slices};
use super::reference::bias_backward;
use candle_core::{D, Result, Tensor, bail};
use rayon::prelude::*;

/// Mean and (biased) variance of each channel of `x` (N, C, …): two tensors (C).
///
/// The variance is taken around the mean found first, so a large mean costs no digits.
pub fn batch_statistics(x: &Tensor) -> Result<(Tensor, Tensor)> {
    if x.elem_count() == 0 {
        bail!("{:?} has no elements to take a mean of", x.dims());
    }
    on_cpu!(x, statistics_cpu(x), cuda batch_statistics(x), else statistics_reference(x))
}

fn statistics_cpu<T: Real>(x: &Tensor) -> Result<(Tensor, Tensor)> {
    let count = (x.elem_count() / x.dim(1)?) as f64;
    let sums = sum_channels::<T, 1, _>(x, x, |_| |x, _| [x])?;
    let means: Vec<f64> = sums.iter().map(|[sum]| sum / count).collect();
    let squares = sum_channels::<T, 1, _>(x, x, |channel| {
        let mean = means[channel];
        move |x, _| [(x - mean) * (x - mean)]
    })?;
    let variances = squares.iter().map(|[sum]| sum / count).collect();
    Ok((channel_tensor(means, x)?, channel_tensor(variances, x)?))
}

pub(super) fn statistics_reference(x: &Tensor) -> Result<(Tensor, Tensor)> {
    let rows = x.transpose(0, 1)?.flatten_from(1)?;
    let mean = rows.mean_keepdim(1)?;
    let variance = rows.broadcast_sub(&mean)?.sqr()?.mean(1)?;
    Ok((mean.squeeze(1)?, variance))
}

/// Mean and variance by which each channel is normalised, and what is added to the variance.
#[derive(Clone, Copy, Debug)]
pub struct Moments<'a> {
    pub mean: &'a Tensor,
    pub variance: &'a Tensor,
    pub eps: f64,
}

/// `(x − mean) / √(variance + eps)` for each channel, then times `affine`'s weight plus its bias.
pub fn batch_norm(
    x: &Tensor,
    moments: &Moments<'_>,
    affine: Option<(&Tensor, &Tensor)>,
) -> Result<Tensor> {
    on_cpu!(x, norm_cpu(x, moments, affine), cuda batch_norm(x, moments, affine), else norm_reference(x, moments, affine))
}

fn norm_cpu<T: Real>(
    x: &Tensor,
    moments: &Moments<'_>,
    affine: Option<(&Tensor, &Tensor)>,
) -> Result<Tensor> {
    let channels = x.dim(1)?;
    let mean = per_channel(moments.mean, channels)?;
    let mut scale = inverse_deviations(moments, channels)?;
    let mut shift = vec![0.0; channels];
    if let Some((weight, bias)) = affine {
        for (scale, weight) in scale.iter_mut().zip(per_channel(weight, channels)?) {
            *scale *= weight;
        }
        shift = per_channel(bias, channels)?;
    }
    map_channels(x, x, |channel| {
        let [mean, scale, shift] = [&mean, &scale, &shift].map(|v| T::from_f64(v[channel]));
        move |x: T, _| (x - mean) * scale + shift
    })
}

fn inverse_deviations(moments: &Moments<'_>, channels: usize) -> Result<Vec<f64>> {
    let variances = per_channel(moments.variance, channels)?;
    let inverse = |variance: f64| 1.0 / (variance + moments.eps).sqrt();
    Ok(variances.into_iter().map(inverse).collect())
}

pub(super) fn norm_reference(
    x: &Tensor,
    moments: &Moments<'_>,
    affine: Option<(&Tensor, &Tensor)>,
) -> Result<Tensor> {
    let deviation = (spread(moments.variance, x)? + moments.eps)?.sqrt()?;
    let y = x
        .broadcast_sub(&spread(moments.mean, x)?)?
        .broadcast_div(&deviation)?;
    match affine {
        Some((weight, bias)) => super::channels::affine_reference(&y, Some(weight), Some(bias)),
        None => Ok(y),
    }
}

/// Gradients of [`batch_norm`]: by the input, the weight and the bias. `of_batch` says that the
/// moments are the input's own, so that it acts through them too; else they are constants.
pub fn batch_norm_backward(
    x: &Tensor,
    dy: &Tensor,
    moments: &Moments<'_>,
    weight: Option<&Tensor>,
    of_batch: bool,
) -> Result<(Tensor, Tensor, Tensor)> {
    on_cpu!(x, norm_backward_cpu(x, dy, moments, weight, of_batch), cuda batch_norm_backward(x, dy, moments, weight, of_batch), else norm_backward_reference(x, dy, moments, weight, of_batch))
}

fn norm_backward_cpu<T: Real>(
    x: &Tensor,
    dy: &Tensor,
    moments: &Moments<'_>,
    weight: Option<&Tensor>,
    of_batch: bool,
) -> Result<(Tensor, Tensor, Tensor)> {
    let channels = x.dim(1)?;
    let count = (x.elem_count() / channels.max(1)) as f64;
    let mean = per_channel(moments.mean, channels)?;
    let inverse = inverse_deviations(moments, channels)?;
    let weights = match weight {
        Some(weight) => per_channel(weight, channels)?,
        None => vec![1.0; channels],
    };
    // Σ dy and Σ dy · x̂.
    let sums = sum_channels::<T, 2, _>(x, dy, |channel| {
        let (mean, inverse) = (mean[channel], inverse[channel]);
        move |x, dy| [dy, dy * (x - mean) * inverse]
    })?;
    let through = f64::from(u8::from(of_batch)) / count;
    let dx = map_channels(x, dy, |channel| {
        let [sum, dot] = sums[channel];
        let scale = weights[channel] * inverse[channel];
        let [scale, mean, offset, slope] = [
            scale,
            mean[channel],
            scale * sum * through,
            scale * dot * inverse[channel] * through,
        ]
        .map(T::from_f64);
        move |x: T, dy: T| scale * dy - offset - (x - mean) * slope
    })?;
    let column = |index: usize| sums.iter().map(|sums| sums[index]).collect();
    Ok((
        dx,
        channel_tensor(column(1), x)?,
        channel_tensor(column(0), x)?,
    ))
}

pub(super) fn norm_backward_reference(
    x: &Tensor,
    dy: &Tensor,
    moments: &Moments<'_>,
    weight: Option<&Tensor>,
    of_batch: bool,
) -> Result<(Tensor, Tensor, Tensor)> {
    let normal = norm_reference(x, moments, None)?;
    let (d_weight, d_bias) = (bias_backward(&(dy * &normal)?)?, bias_backward(dy)?);
    let mut dx = dy.clone();
    if of_batch {
        let count = (x.elem_count() / x.dim(1)?) as f64;
        let offset = spread(&(&d_bias / count)?, x)?;
        let slope = spread(&(&d_weight / count)?, x)?;
        dx = (dx.broadcast_sub(&offset)? - normal.broadcast_mul(&slope)?)?;
    }
    let deviation = (spread(moments.variance, x)? + moments.eps)?.sqrt()?;
    dx = dx.broadcast_div(&deviation)?;
    if let Some(weight) = weight {
        dx = dx.broadcast_mul(&spread(weight, x)?)?;
    }
    Ok((dx, d_weight, d_bias))
}

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
