//! Losses of probabilities: Caffe's SigmoidCrossEntropyLoss, MultinomialLogisticLoss and
//! InfogainLoss.

use super::{Averaging, Divisor, check_all, check_labels, examples};
use crate::nn::cpu::same_shape;
use candle_core::{Result, Tensor, bail};

/// The least probability whose logarithm is taken, as in Caffe.
const LEAST: f64 = 1e-20;

/// The sum of the cross entropies between the sigmoid of each `x` and its target `t` in 0 … 1, of
/// one shape (N, …), over `divisor`; elements whose target is in `ignore` do not count.
///
/// Computed as `max(x, 0) − x t + log(1 + e^(−|x|))`, which does not overflow.
pub fn sigmoid_cross_entropy(
    x: &Tensor,
    t: &Tensor,
    ignore: &[i64],
    divisor: Divisor,
) -> Result<Tensor> {
    same_shape(x, t)?;
    let (kept, number) = kept_targets(t, ignore, divisor)?;
    let tail = (x.abs()?.neg()?.exp()? + 1.0)?.log()?;
    let losses = ((x.relu()? - (x * t)?)? + tail)?;
    masked(losses, kept.as_ref())?.sum_all()? / number
}

/// Gradients of [`sigmoid_cross_entropy`] with respect to `x` and `t`: `σ(x) − t` and `−x`, times
/// `d_loss / divisor`.
pub fn sigmoid_cross_entropy_backward(
    x: &Tensor,
    t: &Tensor,
    ignore: &[i64],
    divisor: Divisor,
    d_loss: &Tensor,
) -> Result<(Tensor, Tensor)> {
    same_shape(x, t)?;
    let (kept, number) = kept_targets(t, ignore, divisor)?;
    let scale = (d_loss / number)?;
    let dx = masked((crate::nn::sigmoid(x)? - t)?, kept.as_ref())?;
    let dt = masked(x.neg()?, kept.as_ref())?;
    Ok((dx.broadcast_mul(&scale)?, dt.broadcast_mul(&scale)?))
}

/// 1 or 0 for whether each target counts, `None` where all do, and the divisor.
fn kept_targets(t: &Tensor, ignore: &[i64], divisor: Divisor) -> Result<(Option<Tensor>, f64)> {
    let (batch, places) = (examples(t)?, t.elem_count());
    let mut kept: Option<Tensor> = None;
    for &value in ignore {
        let differs = t.ne(value as f64)?.to_dtype(t.dtype())?;
        kept = Some(match kept {
            Some(kept) => (kept * differs)?,
            None => differs,
        });
    }
    let valid = match &kept {
        Some(kept) => kept
            .to_dtype(candle_core::DType::F64)?
            .sum_all()?
            .to_scalar::<f64>()? as usize,
        None => places,
    };
    Ok((kept, divisor.number(valid, places, batch as usize)))
}

fn masked(x: Tensor, kept: Option<&Tensor>) -> Result<Tensor> {
    match kept {
        Some(kept) => x.broadcast_mul(kept),
        None => Ok(x),
    }
}

/// Mean of −log of the probability that `p` (N, C, …) gives to `labels` (N, …; u32).
///
/// Errors if the shapes do not fit, a label is not below C, or there is no example.
pub fn multinomial_logistic_loss(p: &Tensor, labels: &Tensor) -> Result<Tensor> {
    let count = check_labels(p, labels)?;
    check_all(labels, p.dim(1)?, None)?;
    of_label(p, labels)?.log()?.sum_all()? * (-1.0 / count as f64)
}

/// Gradient of [`multinomial_logistic_loss`] with respect to `p`: `−d_loss / (p count)` at the
/// labels.
pub fn multinomial_logistic_loss_backward(
    p: &Tensor,
    labels: &Tensor,
    d_loss: &Tensor,
) -> Result<Tensor> {
    let count = check_labels(p, labels)?;
    let slopes = (of_label(p, labels)?.recip()? * (-1.0 / count as f64))?;
    let index = labels.unsqueeze(1)?.contiguous()?;
    Tensor::zeros(p.shape(), p.dtype(), p.device())?
        .scatter_add(&index, &slopes.contiguous()?, 1)?
        .broadcast_mul(d_loss)
}

fn of_label(p: &Tensor, labels: &Tensor) -> Result<Tensor> {
    let index = labels.unsqueeze(1)?.contiguous()?;
    p.contiguous()?.gather(&index, 1)?.maximum(LEAST)
}

/// `−Σ H[label, c] log p_c` over the divisor, with p the softmax over axis 1 of `x` (N, C, …),
/// `labels` (N, …; u32) and `h` (C, C): what it costs to answer c where the label is right.
///
/// The logarithm is taken before the exponential, so no probability is too small for it.
/// Errors if the shapes do not fit, a label that counts is not below C, or there is no example.
pub fn infogain_loss(
    x: &Tensor,
    labels: &Tensor,
    h: &Tensor,
    averaging: &Averaging,
) -> Result<Tensor> {
    check_all(labels, x.dim(1)?, averaging.ignore)?;
    let rows = InfogainRows::of(x, labels, h, averaging)?;
    let sum = (&rows.h * &rows.log_p)?.sum_all()?;
    sum * (-1.0 / averaging.number(labels)?)
}

/// Gradients of [`infogain_loss`] with respect to `x` and `h`: `p Σ H[label, ·] − H[label, c]`
/// and `−log p_c` summed over the places of each label, times `d_loss / divisor`.
pub fn infogain_loss_backward(
    x: &Tensor,
    labels: &Tensor,
    h: &Tensor,
    averaging: &Averaging,
    d_loss: &Tensor,
) -> Result<(Tensor, Tensor)> {
    let rows = InfogainRows::of(x, labels, h, averaging)?;
    let scale = (d_loss / averaging.number(labels)?)?;
    let weight = rows.h.sum_keepdim(1)?;
    let dx = (rows.log_p.exp()?.broadcast_mul(&weight)? - &rows.h)?.broadcast_mul(&scale)?;
    let (n, c) = (x.dim(0)?, x.dim(1)?);
    let dx = dx.reshape((n, (), c))?.transpose(1, 2)?.contiguous()?;
    let costs = rows.log_p.neg()?.broadcast_mul(&scale)?;
    let costs = masked(costs, rows.kept.as_ref())?;
    let dh = Tensor::zeros((c, c), x.dtype(), x.device())?;
    let dh = dh.index_add(&rows.labels, &costs.contiguous()?, 0)?;
    Ok((dx.reshape(x.shape())?, dh))
}

/// The places as rows.
struct InfogainRows {
    /// (M), 0 where the label is ignored.
    labels: Tensor,
    /// (M, 1), `None` where nothing is ignored.
    kept: Option<Tensor>,
    /// The row of H of each label (M, C), 0 where it is ignored.
    h: Tensor,
    /// (M, C).
    log_p: Tensor,
}

impl InfogainRows {
    fn of(x: &Tensor, labels: &Tensor, h: &Tensor, averaging: &Averaging) -> Result<Self> {
        check_labels(x, labels)?;
        let (n, c) = (x.dim(0)?, x.dim(1)?);
        if h.dims() != [c, c] {
            bail!("{c} classes need a matrix ({c}, {c}), not {:?}", h.dims());
        }
        let rows = x.contiguous()?.reshape((n, c, ()))?.transpose(1, 2)?;
        let rows = rows.contiguous()?.reshape(((), c))?;
        let relative = rows.broadcast_sub(&rows.max_keepdim(1)?)?;
        let log_p = relative.broadcast_sub(&relative.exp()?.sum_keepdim(1)?.log()?)?;
        let (labels, kept) = averaging.kept(&labels.flatten_all()?, x.dtype())?;
        let kept = kept.map(|kept| kept.unsqueeze(1)).transpose()?;
        let h = h.contiguous()?.index_select(&labels, 0)?;
        Ok(Self {
            h: masked(h, kept.as_ref())?,
            labels,
            kept,
            log_p,
        })
    }
}
