//! Operations with one number per channel, the second axis of (N, C, …): affine maps, their sums,
//! PReLU. Batch normalisation is built of these.
//!
//! Sums run in f64 whatever the element type, over each channel's planes in order.

use super::cpu::{self, Real, on_cpu, same_shape, with_slices};
use candle_core::{D, Result, Tensor, bail};
use rayon::prelude::*;

/// Elements that one task takes, rounded to whole planes.
const TASK: usize = 16 * 1024;

/// Channels and elements of a plane, having found that there is a channel axis.
fn planes(x: &Tensor) -> Result<(usize, usize)> {
    let [_, channels, rest @ ..] = x.dims() else {
        bail!("{:?} has no channels", x.dims())
    };
    Ok((*channels, rest.iter().product()))
}

/// The numbers of a tensor with one for each channel.
pub(super) fn per_channel(values: &Tensor, channels: usize) -> Result<Vec<f64>> {
    if values.elem_count() != channels {
        bail!("{:?} does not fit {channels} channels", values.dims());
    }
    let values = values.flatten_all()?.to_dtype(candle_core::DType::F64)?;
    values.to_vec1()
}

/// An element-wise map of two tensors of one shape, by a function that is made for each channel.
pub(super) fn map_channels<T: Real, G: Fn(T, T) -> T>(
    a: &Tensor,
    b: &Tensor,
    of_channel: impl Fn(usize) -> G + Sync,
) -> Result<Tensor> {
    same_shape(a, b)?;
    let (channels, plane) = planes(a)?;
    let y = with_slices([a, b], |[a, b]| {
        let mut y = vec![T::ZERO; a.len()];
        let per_task = (TASK / plane.max(1)).max(1);
        let chunk = (per_task * plane).max(1);
        let tasks = y.par_chunks_mut(chunk).zip(a.par_chunks(chunk));
        let tasks = tasks.zip(b.par_chunks(chunk)).enumerate();
        tasks.for_each(|(task, ((y, a), b))| {
            let size = plane.max(1);
            let rows = y.chunks_mut(size).zip(a.chunks(size)).zip(b.chunks(size));
            for (row, ((y, a), b)) in rows.enumerate() {
                let f = of_channel((task * per_task + row) % channels);
                for ((y, &a), &b) in y.iter_mut().zip(a).zip(b) {
                    *y = f(a, b);
                }
            }
        });
        Ok(y)
    })?;
    cpu::tensor(y, a.shape())
}

/// For each channel, K sums over its elements of two tensors of one shape.
pub(super) fn sum_channels<T: Real, const K: usize, G: Fn(f64, f64) -> [f64; K]>(
    a: &Tensor,
    b: &Tensor,
    of_channel: impl Fn(usize) -> G + Sync,
) -> Result<Vec<[f64; K]>> {
    same_shape(a, b)?;
    let (channels, plane) = planes(a)?;
    with_slices([a, b], |[a, b]: [&[T]; 2]| {
        let image = (channels * plane).max(1);
        let sums = (0..channels).into_par_iter().map(|channel| {
            let f = of_channel(channel);
            let mut total = [0f64; K];
            for (a, b) in a.chunks_exact(image).zip(b.chunks_exact(image)) {
                let span = channel * plane..(channel + 1) * plane;
                let part = sum_plane(&a[span.clone()], &b[span], &f);
                for (total, part) in total.iter_mut().zip(part) {
                    *total += part;
                }
            }
            total
        });
        Ok(sums.collect())
    })
}

/// Four running sums each, which the compiler keeps in registers.
fn sum_plane<T: Real, const K: usize>(
    a: &[T],
    b: &[T],
    f: &impl Fn(f64, f64) -> [f64; K],
) -> [f64; K] {
    let mut lanes = [[0f64; 4]; K];
    let (a_blocks, a_rest) = a.as_chunks::<4>();
    let (b_blocks, b_rest) = b.as_chunks::<4>();
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        for lane in 0..4 {
            let parts = f(a[lane].to_f64(), b[lane].to_f64());
            for (lanes, part) in lanes.iter_mut().zip(parts) {
                lanes[lane] += part;
            }
        }
    }
    let mut totals = lanes.map(|lanes| (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]));
    for (a, b) in a_rest.iter().zip(b_rest) {
        for (total, part) in totals.iter_mut().zip(f(a.to_f64(), b.to_f64())) {
            *total += part;
        }
    }
    totals
}

/// A tensor (C) like `x` in type and device.
pub(super) fn channel_tensor(values: Vec<f64>, like: &Tensor) -> Result<Tensor> {
    let count = values.len();
    cpu::tensor(values, count)?
        .to_dtype(like.dtype())?
        .to_device(like.device())
}

/// `scale · x + shift`, with one of each per channel; `None` is 1, or 0.
pub fn channel_affine(
    x: &Tensor,
    scale: Option<&Tensor>,
    shift: Option<&Tensor>,
) -> Result<Tensor> {
    on_cpu!(x, affine_cpu(x, scale, shift), else affine_reference(x, scale, shift))
}

fn affine_cpu<T: Real>(
    x: &Tensor,
    scale: Option<&Tensor>,
    shift: Option<&Tensor>,
) -> Result<Tensor> {
    let (channels, _) = planes(x)?;
    let numbers = |values: Option<&Tensor>, otherwise: f64| match values {
        Some(values) => per_channel(values, channels),
        None => Ok(vec![otherwise; channels]),
    };
    let (scale, shift) = (numbers(scale, 1.0)?, numbers(shift, 0.0)?);
    map_channels(x, x, |channel| {
        let (scale, shift) = (T::from_f64(scale[channel]), T::from_f64(shift[channel]));
        move |x: T, _| scale * x + shift
    })
}

pub(super) fn affine_reference(
    x: &Tensor,
    scale: Option<&Tensor>,
    shift: Option<&Tensor>,
) -> Result<Tensor> {
    let mut y = x.clone();
    if let Some(scale) = scale {
        y = y.broadcast_mul(&spread(scale, x)?)?;
    }
    match shift {
        Some(shift) => y.broadcast_add(&spread(shift, x)?),
        None => Ok(y),
    }
}

/// One number per channel in a shape that broadcasts over `x`.
pub(super) fn spread(values: &Tensor, x: &Tensor) -> Result<Tensor> {
    let mut dims = vec![1; x.rank()];
    dims[1] = x.dim(1)?;
    values.reshape(dims)
}

/// Gradient of [`channel_affine`] with respect to its scale: Σ x · dy for each channel, (C).
pub fn channel_dot(x: &Tensor, dy: &Tensor) -> Result<Tensor> {
    on_cpu!(x, dot_cpu(x, dy), else super::bias_backward(&(x * dy)?))
}

fn dot_cpu<T: Real>(x: &Tensor, dy: &Tensor) -> Result<Tensor> {
    let sums = sum_channels::<T, 1, _>(x, dy, |_| |x, dy| [x * dy])?;
    channel_tensor(sums.into_iter().map(|[sum]| sum).collect(), x)
}

/// `x` where positive, else `slope · x`, with one slope for each channel or for all (He et al. 2015).
pub fn prelu(x: &Tensor, slope: &Tensor) -> Result<Tensor> {
    on_cpu!(x, prelu_cpu(x, slope), else prelu_reference(x, slope))
}

/// Gradients of [`prelu`] with respect to its input and its slopes.
pub fn prelu_backward(x: &Tensor, slope: &Tensor, dy: &Tensor) -> Result<(Tensor, Tensor)> {
    on_cpu!(x, prelu_backward_cpu(x, slope, dy), else prelu_backward_reference(x, slope, dy))
}

/// One slope for each channel, from those or the shared one.
fn slopes(x: &Tensor, slope: &Tensor) -> Result<Vec<f64>> {
    let (channels, _) = planes(x)?;
    match slope.elem_count() {
        1 => Ok(vec![per_channel(slope, 1)?[0]; channels]),
        _ => per_channel(slope, channels),
    }
}

fn prelu_cpu<T: Real>(x: &Tensor, slope: &Tensor) -> Result<Tensor> {
    let slopes = slopes(x, slope)?;
    map_channels(x, x, |channel| {
        let slope = T::from_f64(slopes[channel]);
        move |x: T, _| if x > T::ZERO { x } else { slope * x }
    })
}

fn prelu_backward_cpu<T: Real>(
    x: &Tensor,
    slope: &Tensor,
    dy: &Tensor,
) -> Result<(Tensor, Tensor)> {
    let slopes = slopes(x, slope)?;
    let dx = map_channels(x, dy, |channel| {
        let slope = T::from_f64(slopes[channel]);
        move |x: T, dy: T| if x > T::ZERO { dy } else { slope * dy }
    })?;
    let sums = sum_channels::<T, 1, _>(x, dy, |_| |x, dy| [x.min(0.0) * dy])?;
    let mut sums: Vec<f64> = sums.into_iter().map(|[sum]| sum).collect();
    if slope.elem_count() == 1 {
        sums = vec![sums.iter().sum()];
    }
    Ok((dx, channel_tensor(sums, x)?.reshape(slope.shape())?))
}

/// The slopes in a shape that broadcasts over `x`.
fn slopes_reference(x: &Tensor, slope: &Tensor) -> Result<Tensor> {
    let slope = match slope.elem_count() {
        1 => slope.reshape(1)?.broadcast_as(x.dim(1)?)?.contiguous()?,
        _ => slope.clone(),
    };
    spread(&slope, x)?.broadcast_as(x.shape())
}

pub(super) fn prelu_reference(x: &Tensor, slope: &Tensor) -> Result<Tensor> {
    x.gt(0.0)?
        .where_cond(x, &(x * slopes_reference(x, slope)?)?)
}

pub(super) fn prelu_backward_reference(
    x: &Tensor,
    slope: &Tensor,
    dy: &Tensor,
) -> Result<(Tensor, Tensor)> {
    let dx = (x.gt(0.0)?).where_cond(dy, &(dy * slopes_reference(x, slope)?)?)?;
    let of_channels = super::reference::bias_backward(&(x.minimum(0.0)? * dy)?)?;
    let ds = match slope.elem_count() {
        1 => of_channels.sum_keepdim(D::Minus1)?,
        _ => of_channels,
    };
    Ok((dx, ds.reshape(slope.shape())?))
}
