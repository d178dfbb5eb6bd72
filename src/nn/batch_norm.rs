//! Batch normalisation (Ioffe and Szegedy 2015), with the ReLU that may follow it.
//!
//! On the CPU a channel is a task: its numbers are read from memory once, and walked over again
//! while they lie in the cache.

mod planes;

use super::channels::{channel_tensor, per_channel, spread};
use super::cpu::{self, Real, on_cpu, room, same_shape, with_slices};
use super::product::Maps;
use super::reference::{self, bias_backward};
use candle_core::{Result, Tensor, bail};
use planes::{Gradient, Line, plane_dots, plane_gradient, plane_norm, plane_squares, plane_sum};
use rayon::prelude::*;

/// Mean and (biased) variance of each channel of `x` (N, C, …): two tensors (C).
///
/// The variance is taken around the mean found first, so a large mean costs no digits.
pub fn batch_statistics(x: &Tensor) -> Result<(Tensor, Tensor)> {
    check(x)?;
    on_cpu!(x, statistics_cpu(x), cuda batch_statistics(x), else statistics_reference(x))
}

fn check(x: &Tensor) -> Result<()> {
    if x.rank() < 2 || x.elem_count() == 0 {
        bail!("{:?} has no channels to take a mean of", x.dims());
    }
    Ok(())
}

/// Images, channels and numbers of a plane.
fn sizes(x: &Tensor) -> Result<(usize, usize, usize)> {
    let (n, channels) = (x.dim(0)?, x.dim(1)?);
    Ok((n, channels, x.dims()[2..].iter().product()))
}

/// The planes of one channel.
fn planes<T>(
    x: &[T],
    (n, channels, plane): (usize, usize, usize),
    channel: usize,
) -> impl Iterator<Item = &[T]> + Clone {
    (0..n).map(move |image| &x[(image * channels + channel) * plane..][..plane])
}

/// Mean and variance of one channel.
fn moments_of<'a, T: Real>(planes: impl Iterator<Item = &'a [T]> + Clone) -> [f64; 2] {
    let (mut sum, mut squares, mut count) = (0.0, 0.0, 0);
    for plane in planes.clone() {
        sum += plane_sum(plane);
        count += plane.len();
    }
    let mean = sum / count as f64;
    for plane in planes {
        squares += plane_squares(plane, T::from_f64(mean));
    }
    // The mean was rounded to the type before its squares were taken.
    let rounding = mean - T::from_f64(mean).to_f64();
    [
        mean,
        (squares / count as f64 - rounding * rounding).max(0.0),
    ]
}

fn statistics_cpu<T: Real>(x: &Tensor) -> Result<(Tensor, Tensor)> {
    let sizes = sizes(x)?;
    let moments: Vec<[f64; 2]> = with_slices([x], |[x]: [&[T]; 1]| {
        let channels = (0..sizes.1).into_par_iter();
        Ok(channels
            .map(|channel| moments_of(planes(x, sizes, channel)))
            .collect())
    })?;
    let column = |index: usize| moments.iter().map(|moments| moments[index]).collect();
    Ok((channel_tensor(column(0), x)?, channel_tensor(column(1), x)?))
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

/// `(x − mean) / √(variance + eps)` for each channel, then times `affine`'s weight plus its bias,
/// and then, if `relu`, 0 where that is negative.
pub fn batch_norm(
    x: &Tensor,
    moments: &Moments<'_>,
    affine: Option<(&Tensor, &Tensor)>,
    relu: bool,
) -> Result<Tensor> {
    check(x)?;
    on_cpu!(x, norm_cpu(x, moments, affine, relu), cuda batch_norm_relu(x, moments, affine, relu), else {
        let y = norm_reference(x, moments, affine)?;
        if relu { reference::relu(&y, 0.0) } else { Ok(y) }
    })
}

/// [`batch_norm`] by the moments of `x` itself: the result, the mean and the variance.
pub fn batch_norm_of_batch(
    x: &Tensor,
    eps: f64,
    affine: Option<(&Tensor, &Tensor)>,
    relu: bool,
) -> Result<(Tensor, Tensor, Tensor)> {
    check(x)?;
    on_cpu!(x, of_batch_cpu(x, eps, affine, relu), else {
        let (mean, variance) = batch_statistics(x)?;
        let moments = Moments { mean: &mean, variance: &variance, eps };
        let y = batch_norm(x, &moments, affine, relu)?;
        Ok((y, mean, variance))
    })
}

/// The weights and biases, 1 and 0 where there are none.
fn affine_numbers(
    affine: Option<(&Tensor, &Tensor)>,
    channels: usize,
) -> Result<(Vec<f64>, Vec<f64>)> {
    match affine {
        Some((weight, bias)) => Ok((per_channel(weight, channels)?, per_channel(bias, channels)?)),
        None => Ok((vec![1.0; channels], vec![0.0; channels])),
    }
}

fn norm_cpu<T: Real>(
    x: &Tensor,
    moments: &Moments<'_>,
    affine: Option<(&Tensor, &Tensor)>,
    relu: bool,
) -> Result<Tensor> {
    let sizes @ (n, channels, plane) = sizes(x)?;
    let mean = per_channel(moments.mean, channels)?;
    let inverse = inverse_deviations(moments, channels)?;
    let (weights, biases) = affine_numbers(affine, channels)?;
    let y = with_slices([x], |[x]| {
        let mut y = room(x.len());
        let parts = Maps::new(&mut y, channels, plane, 0..channels).parts(1, n * plane);
        parts.into_par_iter().for_each(|mut part| {
            let channel = part.rows().start;
            let [mean, scale, shift] = [
                mean[channel],
                weights[channel] * inverse[channel],
                biases[channel],
            ]
            .map(T::from_f64);
            let line = Line {
                mean,
                scale,
                shift,
                relu,
            };
            for (x, y) in planes(x, sizes, channel).zip(part.rows_of_images(channel)) {
                plane_norm(x, y, line);
            }
        });
        Ok(y)
    })?;
    cpu::tensor(y, x.shape())
}

fn of_batch_cpu<T: Real>(
    x: &Tensor,
    eps: f64,
    affine: Option<(&Tensor, &Tensor)>,
    relu: bool,
) -> Result<(Tensor, Tensor, Tensor)> {
    let sizes @ (n, channels, plane) = sizes(x)?;
    let (weights, biases) = affine_numbers(affine, channels)?;
    let (y, moments): (Vec<T>, Vec<[f64; 2]>) = with_slices([x], |[x]| {
        let mut y = room(x.len());
        let parts = Maps::new(&mut y, channels, plane, 0..channels).parts(1, n * plane);
        let of_channel = |mut part: Maps<'_, T>| {
            let channel = part.rows().start;
            // Rounded as they are kept, so that whoever normalises by them again finds the same.
            let moments =
                moments_of(planes(x, sizes, channel)).map(|moment| T::from_f64(moment).to_f64());
            let inverse = 1.0 / (moments[1] + eps).sqrt();
            let [mean, scale, shift] =
                [moments[0], weights[channel] * inverse, biases[channel]].map(T::from_f64);
            let line = Line {
                mean,
                scale,
                shift,
                relu,
            };
            for (x, y) in planes(x, sizes, channel).zip(part.rows_of_images(channel)) {
                plane_norm(x, y, line);
            }
            moments
        };
        let moments = parts.into_par_iter().map(of_channel).collect();
        Ok((y, moments))
    })?;
    let column = |index: usize| moments.iter().map(|moments| moments[index]).collect();
    let y = cpu::tensor(y, x.shape())?;
    Ok((
        y,
        channel_tensor(column(0), x)?,
        channel_tensor(column(1), x)?,
    ))
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
/// moments are the input's own, so that it acts through them too; else they are constants. Where a
/// ReLU was joined, `rectified` is its output: `dy` counts where that is positive.
pub fn batch_norm_backward(
    x: &Tensor,
    dy: &Tensor,
    rectified: Option<&Tensor>,
    moments: &Moments<'_>,
    weight: Option<&Tensor>,
    of_batch: bool,
) -> Result<(Tensor, Tensor, Tensor)> {
    check(x)?;
    same_shape(x, dy)?;
    on_cpu!(x, norm_backward_cpu(x, dy, rectified, moments, weight, of_batch), cuda batch_norm_relu_backward(x, dy, rectified, moments, weight, of_batch), else {
        let dy = match rectified {
            Some(y) => &reference::relu_backward(y, dy, 0.0)?,
            None => dy,
        };
        norm_backward_reference(x, dy, moments, weight, of_batch)
    })
}

fn norm_backward_cpu<T: Real>(
    x: &Tensor,
    dy: &Tensor,
    rectified: Option<&Tensor>,
    moments: &Moments<'_>,
    weight: Option<&Tensor>,
    of_batch: bool,
) -> Result<(Tensor, Tensor, Tensor)> {
    let sizes @ (n, channels, plane) = sizes(x)?;
    let mean = per_channel(moments.mean, channels)?;
    let inverse = inverse_deviations(moments, channels)?;
    let weights = match weight {
        Some(weight) => per_channel(weight, channels)?,
        None => vec![1.0; channels],
    };
    let through = f64::from(u8::from(of_batch)) / (n * plane) as f64;
    // Without a ReLU its output is taken to be `x`, which nobody looks at.
    if let Some(y) = rectified {
        same_shape(x, y)?;
    }
    let y = rectified.unwrap_or(x);
    let masked = rectified.is_some();
    let (dx, sums): (Vec<T>, Vec<[f64; 2]>) = with_slices([x, dy, y], |[x, dy, y]| {
        let mut dx = room(x.len());
        let parts = Maps::new(&mut dx, channels, plane, 0..channels).parts(1, n * plane);
        let of_channel = |mut part: Maps<'_, T>| {
            let channel = part.rows().start;
            let sources = || {
                let pairs = planes(x, sizes, channel).zip(planes(dy, sizes, channel));
                pairs
                    .zip(planes(y, sizes, channel))
                    .map(|((x, dy), y)| (x, dy, masked.then_some(y)))
            };
            let (mean, inverse) = (T::from_f64(mean[channel]), inverse[channel]);
            // Σ dy and Σ dy · (x − mean).
            let mut sums = [0.0; 2];
            for (x, dy, y) in sources() {
                let part = plane_dots(x, dy, y, mean);
                sums = [sums[0] + part[0], sums[1] + part[1]];
            }
            sums[1] *= inverse;
            let scale = weights[channel] * inverse;
            let line = Gradient {
                mean,
                scale: T::from_f64(scale),
                offset: T::from_f64(scale * sums[0] * through),
                slope: T::from_f64(scale * sums[1] * inverse * through),
            };
            for ((x, dy, y), dx) in sources().zip(part.rows_of_images(channel)) {
                plane_gradient(x, dy, y, dx, line);
            }
            sums
        };
        let sums = parts.into_par_iter().map(of_channel).collect();
        Ok((dx, sums))
    })?;
    let column = |index: usize| sums.iter().map(|sums| sums[index]).collect();
    let dx = cpu::tensor(dx, x.shape())?;
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
