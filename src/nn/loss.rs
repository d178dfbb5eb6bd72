//! Losses, each with its backward: of probabilities ([`softmax`], [`information`]), of margins
//! ([`margin`]) and of distances ([`regression`]).
//!
//! A loss is a tensor without axes; its gradient `d_loss`, the loss weight as a rule, is one too.
//! All but the softmax cross entropy are a few of Candle's own operations each, so one form
//! serves every device.

mod information;
mod margin;
mod regression;
mod softmax;

pub use information::{
    infogain_loss, infogain_loss_backward, multinomial_logistic_loss,
    multinomial_logistic_loss_backward, sigmoid_cross_entropy, sigmoid_cross_entropy_backward,
};
pub use margin::{
    Contrastive, HingeNorm, contrastive_loss, contrastive_loss_backward, hinge_loss,
    hinge_loss_backward,
};
pub use regression::{
    SmoothL1, SmoothL1Gradients, euclidean_loss, euclidean_loss_backward, smooth_l1_loss,
    smooth_l1_loss_backward,
};
pub use softmax::{softmax_cross_entropy, softmax_cross_entropy_backward};

use candle_core::{DType, Result, Tensor, bail};

/// What the sum of the losses of all places is divided by: Caffe's `NormalizationMode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Divisor {
    /// The number of places that count.
    #[default]
    Valid,
    /// The number of all places.
    Full,
    /// The number of examples: the size of the first axis.
    Batch,
    One,
}

impl Divisor {
    /// The number itself; never below 1, as in Caffe, so that a batch without a place that
    /// counts has the loss 0.
    fn number(self, valid: usize, places: usize, batch: usize) -> f64 {
        let number = match self {
            Self::Valid => valid,
            Self::Full => places,
            Self::Batch => batch,
            Self::One => 1,
        };
        number.max(1) as f64
    }
}

/// Which labels count, and how the sum over them is divided: Caffe's `LossParameter`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Averaging {
    pub divisor: Divisor,
    /// Places with this label do not count.
    pub ignore: Option<u32>,
}

impl Averaging {
    /// The divisor for `labels` (N, …).
    fn number(&self, labels: &Tensor) -> Result<f64> {
        let places = labels.elem_count();
        let valid = match self.ignore {
            Some(ignored) if self.divisor == Divisor::Valid => {
                let labels = labels.flatten_all()?.to_vec1::<u32>()?;
                labels.iter().filter(|label| **label != ignored).count()
            }
            _ => places,
        };
        Ok(self.divisor.number(valid, places, labels.dim(0)?))
    }

    /// The labels with 0 in place of the ignored ones, and 1 or 0 of `dtype` for whether each
    /// counts; `None` where nothing is ignored.
    pub(super) fn kept(&self, labels: &Tensor, dtype: DType) -> Result<(Tensor, Option<Tensor>)> {
        let Some(ignored) = self.ignore else {
            return Ok((labels.clone(), None));
        };
        let counts = labels.ne(ignored)?;
        let labels = counts.where_cond(labels, &labels.zeros_like()?)?;
        Ok((labels, Some(counts.to_dtype(dtype)?)))
    }
}

/// The number of labels (N, …), having compared their shape and type with `x` (N, C, …).
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

/// Errors if a label that counts is not below `classes`.
fn check_all(labels: &Tensor, classes: usize, ignore: Option<u32>) -> Result<()> {
    let labels = labels.flatten_all()?.to_vec1::<u32>()?.into_iter();
    for (position, label) in labels.enumerate() {
        if Some(label) != ignore {
            check_label(label, classes, position)?;
        }
    }
    Ok(())
}

/// Labels that are all below `classes` or ignored, with 0 in place of those that are not, and NaN
/// or 0 for whether there were any: a check that does not wait for a card, in the type of a loss.
fn poisoned(
    labels: &Tensor,
    classes: usize,
    ignore: Option<u32>,
    dtype: DType,
) -> Result<(Tensor, Tensor)> {
    let classes = u32::try_from(classes).unwrap_or(u32::MAX);
    let mut wrong = labels.ge(classes)?;
    if let Some(ignored) = ignore {
        wrong = (wrong * labels.ne(ignored)?)?;
    }
    let labels = wrong.where_cond(&labels.zeros_like()?, labels)?;
    // 0 / (1 − any): one division that is NaN where a label was wrong.
    let right = wrong
        .to_dtype(dtype)?
        .flatten_all()?
        .max(0)?
        .affine(-1.0, 1.0)?;
    let poison = (right.zeros_like()? / right)?;
    Ok((labels, poison))
}

fn check_label(label: u32, classes: usize, position: usize) -> Result<usize> {
    match usize::try_from(label) {
        Ok(label) if label < classes => Ok(label),
        _ => bail!(
            "label {label} at position {position} is not below the number of classes, {classes}"
        ),
    }
}

/// The number of examples of a batch: the first axis.
fn examples(x: &Tensor) -> Result<f64> {
    match x.dims().first() {
        Some(&n) if n > 0 => Ok(n as f64),
        _ => bail!(
            "a loss needs at least one example, not the shape {:?}",
            x.dims()
        ),
    }
}
