//! The cross entropy of a softmax with labels: Caffe's SoftmaxWithLoss.

use super::{Averaging, check_all, check_label, check_labels, poisoned};
use crate::nn::cpu::{self, Real, on_cpu, with_slices};
use crate::nn::reference;
use crate::nn::softmax::Planes;
use candle_core::{Result, Tensor};
use rayon::prelude::*;

/// Mean over all N examples (and pixels) of the cross entropy between the softmax of `x` (N, C, …)
/// and `labels` (N, …; u32): the loss, and the probabilities (N, C, …) for the backward pass.
/// `averaging` says which labels count and what their sum is divided by.
///
/// Computed as log Σ eˣ − x of the label, so it neither overflows nor takes the logarithm of 0.
/// Errors if the shapes do not fit, a label that counts is not below C, or there is no example; on
/// CUDA, where looking at the labels would wait for the card, such a label makes the loss NaN.
pub fn softmax_cross_entropy(
    x: &Tensor,
    labels: &Tensor,
    averaging: &Averaging,
) -> Result<(Tensor, Tensor)> {
    check_labels(x, labels)?;
    let divisor = averaging.number(labels)?;
    on_cpu!(x, cross_entropy(x, labels, averaging.ignore, divisor), else {
        if x.device().is_cuda() {
            return cross_entropy_on_card(x, labels, averaging, divisor);
        }
        check_all(labels, x.dim(1)?, averaging.ignore)?;
        reference::softmax_cross_entropy(x, labels, averaging, divisor)
    })
}

/// Gradient of [`softmax_cross_entropy`] with respect to `x`, from the probabilities that it
/// returned: `d_loss · (p − [c = label]) / divisor`, and 0 where the label is ignored.
pub fn softmax_cross_entropy_backward(
    probabilities: &Tensor,
    labels: &Tensor,
    averaging: &Averaging,
    d_loss: &Tensor,
) -> Result<Tensor> {
    check_labels(probabilities, labels)?;
    let divisor = averaging.number(labels)?;
    let mut labels = labels.clone();
    if probabilities.device().is_cuda() {
        let classes = probabilities.dim(1)?;
        (labels, _) = poisoned(&labels, classes, averaging.ignore, probabilities.dtype())?;
    }
    let labels = &labels;
    on_cpu!(
        probabilities,
        cross_entropy_backward(probabilities, labels, averaging.ignore, d_loss, divisor),
        else reference::softmax_cross_entropy_backward(
            probabilities, labels, averaging, d_loss, divisor
        )
    )
}

fn cross_entropy_on_card(
    x: &Tensor,
    labels: &Tensor,
    averaging: &Averaging,
    divisor: f64,
) -> Result<(Tensor, Tensor)> {
    let (labels, poison) = poisoned(labels, x.dim(1)?, averaging.ignore, x.dtype())?;
    let (loss, probabilities) = reference::softmax_cross_entropy(x, &labels, averaging, divisor)?;
    Ok(((loss + poison)?, probabilities))
}

fn cross_entropy<T: Real>(
    x: &Tensor,
    labels: &Tensor,
    ignore: Option<u32>,
    divisor: f64,
) -> Result<(Tensor, Tensor)> {
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
                if ignore == Some(labels[position]) {
                    continue;
                }
                let label = check_label(labels[position], planes.c, position)?;
                loss += (total[i].ln() + (largest[i] - x[label * planes.plane + i])).to_f64();
            }
            Ok(loss)
        };
        images.map(image_loss).collect()
    })?;
    let loss = T::from_f64(losses.iter().sum::<f64>() / divisor);
    Ok((
        Tensor::new(loss, x.device())?,
        cpu::tensor(probabilities, x.shape())?,
    ))
}

fn cross_entropy_backward<T: Real>(
    p: &Tensor,
    labels: &Tensor,
    ignore: Option<u32>,
    d_loss: &Tensor,
    divisor: f64,
) -> Result<Tensor> {
    let planes = Planes::of(p)?;
    let scale = T::from_f64(d_loss.to_scalar::<T>()?.to_f64() / divisor);
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
            if ignore == Some(label) {
                dx.iter_mut()
                    .skip(i)
                    .step_by(planes.plane)
                    .for_each(|dx| *dx = T::ZERO);
                continue;
            }
            let label = check_label(label, planes.c, image * planes.plane + i)?;
            dx[label * planes.plane + i] -= scale;
        }
    }
    cpu::tensor(dx, p.shape())
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::nn::tests::{random, relative_error};
    use crate::nn::{Divisor, softmax_cross_entropy};

    #[test]
    fn a_card_computes_the_same_and_a_wrong_label_is_seen_in_the_loss() {
        let x = random(&[4, 3], 1);
        let labels = |values: [u32; 4]| Tensor::new(&values, &Device::Cpu).unwrap();
        for ignore in [None, Some(2), Some(255)] {
            let averaging = Averaging {
                divisor: Divisor::Batch,
                ignore,
            };
            let last = ignore.unwrap_or(1);
            let right = labels([0, 2, 1, last]);
            let (loss, p) = softmax_cross_entropy(&x, &right, &averaging).unwrap();
            let (on_card, on_card_p) = cross_entropy_on_card(&x, &right, &averaging, 4.0).unwrap();
            assert!(relative_error(&on_card, &loss) < 1e-13);
            assert!(relative_error(&on_card_p, &p) < 1e-13);
            let wrong = labels([0, 3, 1, last]);
            let (loss, _) = cross_entropy_on_card(&x, &wrong, &averaging, 4.0).unwrap();
            assert!(loss.to_scalar::<f64>().unwrap().is_nan());
        }
    }
}
