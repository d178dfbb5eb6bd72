//! Functions of one number, applied to every element: the activations that are no more than that.
//!
//! Each is stated once, in f64, as a value and a slope; both element types compute through it.

use super::cpu::{Real, map, map2, on_cpu};
use candle_core::{Result, Tensor};

/// A function of one number; formulas as in Caffe.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pointwise {
    /// |x|; the slope at 0 is 0.
    Abs,
    /// x where positive, else alpha · (eˣ − 1).
    Elu { alpha: f64 },
    /// (shift + scale · x)^power.
    Power { power: f64, scale: f64, shift: f64 },
    /// e^(rate · x + offset).
    Exp { rate: f64, offset: f64 },
    /// factor · ln(shift + scale · x).
    Log { factor: f64, scale: f64, shift: f64 },
    /// ln(1 + eˣ), without overflow.
    Bnll,
    /// 1 above the threshold, else 0; the slope is 0 everywhere.
    Threshold { threshold: f64 },
}

impl Pointwise {
    fn value(self, x: f64) -> f64 {
        match self {
            Self::Abs => x.abs(),
            Self::Elu { alpha } if x <= 0.0 => alpha * x.exp_m1(),
            Self::Elu { .. } => x,
            Self::Power {
                power,
                scale,
                shift,
            } => (shift + scale * x).powf(power),
            Self::Exp { rate, offset } => (rate * x + offset).exp(),
            Self::Log {
                factor,
                scale,
                shift,
            } => factor * (shift + scale * x).ln(),
            Self::Bnll => x.max(0.0) + (-x.abs()).exp().ln_1p(),
            Self::Threshold { threshold } => f64::from(u8::from(x > threshold)),
        }
    }

    fn slope(self, x: f64) -> f64 {
        match self {
            Self::Abs if x == 0.0 => 0.0,
            Self::Abs => x.signum(),
            Self::Elu { alpha } if x <= 0.0 => alpha * x.exp(),
            Self::Elu { .. } => 1.0,
            // 0 · ∞ at a base of 0 would be no number.
            Self::Power { power: 0.0, .. } => 0.0,
            Self::Power {
                power,
                scale,
                shift,
            } => power * scale * (shift + scale * x).powf(power - 1.0),
            Self::Exp { rate, .. } => rate * self.value(x),
            Self::Log {
                factor,
                scale,
                shift,
            } => factor * scale / (shift + scale * x),
            Self::Bnll => 1.0 / (1.0 + (-x).exp()),
            Self::Threshold { .. } => 0.0,
        }
    }
}

/// `function` of each element of `x`.
pub fn pointwise(x: &Tensor, function: Pointwise) -> Result<Tensor> {
    on_cpu!(x, value_cpu(x, function), else reference(x, function))
}

/// Gradient of [`pointwise`] with respect to its input `x`: `dy` times the slope.
pub fn pointwise_backward(x: &Tensor, dy: &Tensor, function: Pointwise) -> Result<Tensor> {
    on_cpu!(x, slope_cpu(x, dy, function), else reference_backward(x, dy, function))
}

fn value_cpu<T: Real>(x: &Tensor, function: Pointwise) -> Result<Tensor> {
    map(x, |x: T| T::from_f64(function.value(x.to_f64())))
}

fn slope_cpu<T: Real>(x: &Tensor, dy: &Tensor, function: Pointwise) -> Result<Tensor> {
    map2(x, dy, |x: T, dy| {
        dy * T::from_f64(function.slope(x.to_f64()))
    })
}

pub(super) fn reference(x: &Tensor, function: Pointwise) -> Result<Tensor> {
    match function {
        Pointwise::Abs => x.abs(),
        Pointwise::Elu { alpha } => {
            let below = ((x.minimum(0.0)?.exp()? - 1.0)? * alpha)?;
            x.gt(0.0)?.where_cond(x, &below)
        }
        Pointwise::Power {
            power,
            scale,
            shift,
        } => x.affine(scale, shift)?.powf(power),
        Pointwise::Exp { rate, offset } => x.affine(rate, offset)?.exp(),
        Pointwise::Log {
            factor,
            scale,
            shift,
        } => x.affine(scale, shift)?.log()? * factor,
        Pointwise::Bnll => x.relu()? + (x.abs()?.neg()?.exp()? + 1.0)?.log()?,
        Pointwise::Threshold { threshold } => x.gt(threshold)?.to_dtype(x.dtype()),
    }
}

pub(super) fn reference_backward(x: &Tensor, dy: &Tensor, function: Pointwise) -> Result<Tensor> {
    let slope = match function {
        Pointwise::Abs => x.sign()?,
        Pointwise::Elu { alpha } => {
            let below = (x.minimum(0.0)?.exp()? * alpha)?;
            x.gt(0.0)?.where_cond(&x.ones_like()?, &below)?
        }
        Pointwise::Power { power: 0.0, .. } | Pointwise::Threshold { .. } => x.zeros_like()?,
        Pointwise::Power {
            power,
            scale,
            shift,
        } => (x.affine(scale, shift)?.powf(power - 1.0)? * (power * scale))?,
        Pointwise::Exp { rate, .. } => (reference(x, function)? * rate)?,
        Pointwise::Log {
            factor,
            scale,
            shift,
        } => (x.affine(scale, shift)?.recip()? * (factor * scale))?,
        Pointwise::Bnll => super::reference::sigmoid(x)?,
    };
    dy * slope
}
