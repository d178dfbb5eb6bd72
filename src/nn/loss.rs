//! Losses: softmax cross entropy (Caffe's SoftmaxWithLoss) and Euclidean (Caffe's EuclideanLoss).
//!
//! A loss is a tensor without axes; its gradient `d_loss`, the loss weight as a rule, is one too.

use super::cpu::{self, Real, on_cpu, same_shape, with_slices};
use super::reference;
use super::softmax::Planes;
use candle_core::{DType, Result, Tensor, bail};
use rayon::prelude::*;

/// Mean over all N examples (and pixels) of the cross entropy between the softmax of `x` (N, C, …)
/// and `labels` (N, …; u32): the loss, and the probabilities (N, C, …) for the backward pass.
///
/// Computed as log Σ eˣ − x of the label, so it neither overflows nor takes the logarithm of 0.
/// Errors if the shapes do not fit, a label is not below C, or there is no example.
pub fn softmax_cross_entropy(x: &Tensor, labels: &Tensor) -> Result<(Tensor, Tensor)> {
    let count = check_labels(x, labels)?;
    on_cpu!(x, cross_entropy(x, labels, count), else {
        check_all(labels, x.dim(1)?)?;
        reference::softmax_cross_entropy(x, labels)
    })
}

/// Gradient of [`softmax_cross_entropy`] with respect to `x`, from the probabilities that it
/// returned: `d_loss · (p − [c = label]) / count`.
pub fn softmax_cross_entropy_backward(
    probabilities: &Tensor,
    labels: &Tensor,
    d_loss: &Tensor,
) -> Result<Tensor> {
    let count = check_labels(probabilities, labels)?;
    on_cpu!(
        probabilities,
        cross_entropy_backward(probabilities, labels, d_loss, count),
        else reference::softmax_cross_entropy_backward(probabilities, labels, d_loss)
    )
}

/// Half the sum of the squared differences of `a` and `b`, of one shape (N, …), over N: as in
/// Caffe not over the number of elements.
pub fn euclidean_loss(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let n = check_pair(a, b)?;
    (a - b)?.sqr()?.sum_all()? * (0.5 / n)
}

/// Gradients of [`euclidean_loss`] with respect to `a` and `b`: `±d_loss · (a − b) / N`.
pub fn euclidean_loss_backward(
    a: &Tensor,
    b: &Tensor,
    d_loss: &Tensor,
) -> Result<(Tensor, Tensor)> {
    let n = check_pair(a, b)?;
    let da = ((a - b)?.broadcast_mul(d_loss)? * (1.0 / n))?;
    let db = da.neg()?;
    Ok((da, db))
}

fn check_pair(a: &Tensor, b: &Tensor) -> Result<f64> {
    same_shape(a, b)?;
    match a.dims().first() {
        Some(&n) if n > 0 => Ok(n as f64),
        _ => bail!(
            "a Euclidean loss needs at least one example, not the shape {:?}",
            a.dims()
        ),
    }
}

/// The number of labels, having compared their shape and type with `x`.
fn check_labels(x: &Tensor, labels: &Tensor) -> Result<usize> {
    let fits = match x.dims() {
        [n, c, rest @ ..] if *c > 0 => labels.dims().split_first() == Some((n, rest)),
        _ => false,
    };
    if !fits {
        bail!(
            "labels {:?} do not fit scores {:?}",
            labels.dims(),
            x.dims()
        );
    }
    if labels.dtype() != DType::U32 {
        bail!("labels must be of type u32, not {:?}", labels.dtype());
    }
    match labels.elem_count() {
        0 => bail!(
            "a mean over no label is undefined: the shape is {:?}",
            labels.dims()
        ),
        count => Ok(count),
    }
}

fn check_all(labels: &Tensor, classes: usize) -> Result<()> {
    for (position, label) in labels.flatten_all()?.to_vec1()?.into_iter().enumerate() {
        check_label(label, classes, position)?;
    }
    Ok(())
}

fn check_label(label: u32, classes: usize, position: usize) -> Result<usize> {
    match usize::try_from(label) {
        Ok(label) if label < classes => Ok(label),
        _ => bail!(
            "label {label} at position {position} is not below the number of classes, {classes}"
        ),
    }
}

fn cross_entropy<T: Real>(x: &Tensor, labels: &Tensor, count: usize) -> Result<(Tensor, Tensor)> {
    let planes = Planes::of(x)?;
    let mut probabilities = vec![T::ZERO; x.elem_count()];
    let labels = labels.flatten_all()?.to_vec1::<u32>()?;
    let losses: Vec<f64> = with_slices([x], |[x]: [&[T]; 1]| {
        let images = probabilities.par_chunks_mut(planes.image()).enumerate();
        let image_loss = |(image, y): (usize, &mut [T])| {
            let x = &x[image * planes.image()..][..planes.image()];
            let (largest, total) = planes.exponentials(x, y);
            planes.normalize(y, &total);
            let mut loss = 0.0;
            for i in 0..planes.plane {
                let position = image * planes.plane + i;
                let label = check_label(labels[position], planes.c, position)?;
                loss += (total[i].ln() + (largest[i] - x[label * planes.plane + i])).to_f64();
            }
            Ok(loss)
        };
        images.map(image_loss).collect()
    })?;
    let loss = T::from_f64(losses.iter().sum::<f64>() / count as f64);
    Ok((
        Tensor::new(loss, x.device())?,
        cpu::tensor(probabilities, x.shape())?,
    ))
}

fn cross_entropy_backward<T: Real>(
    p: &Tensor,
    labels: &Tensor,
    d_loss: &Tensor,
    count: usize,
) -> Result<Tensor> {
    let planes = Planes::of(p)?;
    let scale = T::from_f64(d_loss.to_scalar::<T>()?.to_f64() / count as f64);
    let labels = labels.flatten_all()?.to_vec1::<u32>()?;
    let mut dx = cpu::map(p, |p: T| p * scale)?
        .flatten_all()?
        .to_vec1::<T>()?;
    for (image, (dx, labels)) in dx
        .chunks_mut(planes.image())
        .zip(labels.chunks(planes.plane))
        .enumerate()
    {
        for (i, &label) in labels.iter().enumerate() {
            let label = check_label(label, planes.c, image * planes.plane + i)?;
            dx[label * planes.plane + i] -= scale;
        }
    }
    cpu::tensor(dx, p.shape())
}
