//! Losses that ask for a margin and then for no more: Caffe's HingeLoss, which makes a linear
//! layer before it a support vector machine, and ContrastiveLoss (Hadsell, Chopra and LeCun 2006).

use super::{check_all, check_labels, examples};
use crate::nn::cpu::same_shape;
use candle_core::{Result, Tensor, bail};

/// Whether a violated margin counts by its size or by its square.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HingeNorm {
    #[default]
    L1,
    L2,
}

/// One against all: `Σ max(0, 1 + s_c x_c)` or its squares over the number of labels, where `s`
/// is −1 at the label's class and 1 at all others; `x` (N, C, …), `labels` (N, …; u32).
///
/// Errors if the shapes do not fit, a label is not below C, or there is no example.
pub fn hinge_loss(x: &Tensor, labels: &Tensor, norm: HingeNorm) -> Result<Tensor> {
    let count = check_labels(x, labels)?;
    check_all(labels, x.dim(1)?, None)?;
    let violation = ((x * sides(x, labels)?)? + 1.0)?.relu()?;
    let losses = match norm {
        HingeNorm::L1 => violation,
        HingeNorm::L2 => violation.sqr()?,
    };
    losses.sum_all()? / count as f64
}

/// Gradient of [`hinge_loss`] with respect to `x`.
pub fn hinge_loss_backward(
    x: &Tensor,
    labels: &Tensor,
    norm: HingeNorm,
    d_loss: &Tensor,
) -> Result<Tensor> {
    let count = check_labels(x, labels)?;
    let sides = sides(x, labels)?;
    let violation = ((x * &sides)? + 1.0)?.relu()?;
    let slope = match norm {
        HingeNorm::L1 => violation.gt(0.0)?.to_dtype(x.dtype())?,
        HingeNorm::L2 => (violation * 2.0)?,
    };
    (slope * sides)?.broadcast_mul(d_loss)? / count as f64
}

/// −1 at the label's class, 1 at all others.
fn sides(x: &Tensor, labels: &Tensor) -> Result<Tensor> {
    let index = labels.unsqueeze(1)?.contiguous()?;
    let minus_two = (Tensor::ones(index.shape(), x.dtype(), x.device())? * -2.0)?;
    Tensor::ones(x.shape(), x.dtype(), x.device())?.scatter_add(&index, &minus_two, 1)
}

/// How far pairs that are not similar must be apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contrastive {
    pub margin: f64,
    /// `max(0, margin − d²)` in place of the paper's `max(0, margin − d)²`.
    pub legacy: bool,
}

/// `1/(2N) Σ y d² + (1 − y) max(0, margin − d)²` with the distances d between the rows of `a` and
/// `b`, of one shape (N, …), and y = 1 where `similar` (N; u32) is not 0.
pub fn contrastive_loss(
    a: &Tensor,
    b: &Tensor,
    similar: &Tensor,
    options: &Contrastive,
) -> Result<Tensor> {
    let n = check_pairs(a, b, similar)?;
    let square = square_distances(a, b)?;
    let apart = match options.legacy {
        true => square.affine(-1.0, options.margin)?.relu()?,
        false => square.sqrt()?.affine(-1.0, options.margin)?.relu()?.sqr()?,
    };
    let losses = similar.ne(0u32)?.where_cond(&square, &apart)?;
    losses.sum_all()? * (0.5 / n)
}

/// Gradients of [`contrastive_loss`] with respect to `a` and `b`. The distance 0, which has no
/// slope, gives 0; Caffe adds 1e−4 to every distance that it divides by, this does not.
pub fn contrastive_loss_backward(
    a: &Tensor,
    b: &Tensor,
    similar: &Tensor,
    options: &Contrastive,
    d_loss: &Tensor,
) -> Result<(Tensor, Tensor)> {
    let n = check_pairs(a, b, similar)?;
    let square = square_distances(a, b)?;
    // Each example's gradient is its difference times a factor.
    let pushed = match options.legacy {
        true => square
            .lt(options.margin)?
            .to_dtype(a.dtype())?
            .affine(-1.0, 0.0)?,
        false => {
            let distance = square.sqrt()?;
            let room = distance.affine(-1.0, options.margin)?.relu()?;
            let factor = (room / &distance)?.neg()?;
            distance
                .gt(0.0)?
                .where_cond(&factor, &distance.zeros_like()?)?
        }
    };
    let factor = similar
        .ne(0u32)?
        .where_cond(&pushed.ones_like()?, &pushed)?;
    let factor = (factor.broadcast_mul(d_loss)? * (1.0 / n))?;
    let mut column = vec![1; a.rank()];
    column[0] = factor.elem_count();
    let da = (a - b)?.broadcast_mul(&factor.reshape(column)?)?;
    let db = da.neg()?;
    Ok((da, db))
}

fn square_distances(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    (a - b)?.flatten_from(1)?.sqr()?.sum(1)
}

fn check_pairs(a: &Tensor, b: &Tensor, similar: &Tensor) -> Result<f64> {
    same_shape(a, b)?;
    let n = examples(a)?;
    if a.rank() < 2 || similar.dims() != &a.dims()[..1] {
        bail!(
            "pairs of rows {:?} need one mark each, not {:?}",
            a.dims(),
            similar.dims()
        );
    }
    Ok(n)
}
