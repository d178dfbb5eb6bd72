//! Losses of distances between a prediction and a target: Caffe's EuclideanLoss, and the
//! SmoothL1Loss of Fast R-CNN (Girshick 2015, equation 3).

use super::examples;
use crate::nn::cpu::same_shape;
use candle_core::{Result, Tensor};

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

/// What [`smooth_l1_loss`] is told beside its prediction and target.
#[derive(Clone, Copy, Debug)]
pub struct SmoothL1<'a> {
    /// The quadratic part ends at a difference of 1/σ².
    pub sigma: f64,
    /// Multiplies each difference; the shape of the prediction.
    pub inside: Option<&'a Tensor>,
    /// Multiplies each element's loss; the shape of the prediction.
    pub outside: Option<&'a Tensor>,
}

/// Gradients of [`smooth_l1_loss`]; that of the target is the negative of the prediction's.
#[derive(Clone, Debug)]
pub struct SmoothL1Gradients {
    pub prediction: Tensor,
    pub inside: Option<Tensor>,
    pub outside: Option<Tensor>,
}

/// `Σ outside · f(inside · (a − b)) / N` with `f(u) = σ²u²/2` where |u| < 1/σ², else
/// `|u| − 1/(2σ²)`, for `a` and `b` of one shape (N, …).
pub fn smooth_l1_loss(a: &Tensor, b: &Tensor, options: &SmoothL1<'_>) -> Result<Tensor> {
    let n = check_pair(a, b)?;
    let losses = element_losses(&difference(a, b, options)?, options.sigma)?;
    weighted(&losses, options.outside)?.sum_all()? * (1.0 / n)
}

/// Gradients of [`smooth_l1_loss`] with respect to `a` and the weights.
pub fn smooth_l1_loss_backward(
    a: &Tensor,
    b: &Tensor,
    options: &SmoothL1<'_>,
    d_loss: &Tensor,
) -> Result<SmoothL1Gradients> {
    let scale = (d_loss / check_pair(a, b)?)?;
    let u = difference(a, b, options)?;
    // The slope of f is σ²u, held between −1 and 1.
    let slope = (&u * options.sigma.powi(2))?.clamp(-1.0, 1.0)?;
    let du = weighted(&slope, options.outside)?.broadcast_mul(&scale)?;
    let inside = match options.inside {
        Some(_) => Some((&du * (a - b)?)?),
        None => None,
    };
    let outside = match options.outside {
        Some(_) => Some(element_losses(&u, options.sigma)?.broadcast_mul(&scale)?),
        None => None,
    };
    Ok(SmoothL1Gradients {
        prediction: weighted(&du, options.inside)?,
        inside,
        outside,
    })
}

fn difference(a: &Tensor, b: &Tensor, options: &SmoothL1<'_>) -> Result<Tensor> {
    weighted(&(a - b)?, options.inside)
}

fn weighted(x: &Tensor, weights: Option<&Tensor>) -> Result<Tensor> {
    match weights {
        Some(weights) => {
            same_shape(x, weights)?;
            x * weights
        }
        None => Ok(x.clone()),
    }
}

fn element_losses(u: &Tensor, sigma: f64) -> Result<Tensor> {
    let (square, size) = (sigma * sigma, u.abs()?);
    let near = (u.sqr()? * (0.5 * square))?;
    size.lt(1.0 / square)?
        .where_cond(&near, &(size - 0.5 / square)?)
}

fn check_pair(a: &Tensor, b: &Tensor) -> Result<f64> {
    same_shape(a, b)?;
    examples(a)
}
