//! Elementwise nonlinearities of tensors of any shape, and their gradients.

use super::cpu::{Real, map, map2, on_cpu};
use super::reference;
use candle_core::{Result, Tensor};

/// `x` where positive, `negative_slope · x` elsewhere; a NaN stays one.
pub fn relu(x: &Tensor, negative_slope: f64) -> Result<Tensor> {
    on_cpu!(x, relu_cpu(x, negative_slope), cuda relu(x, negative_slope), else reference::relu(x, negative_slope))
}

/// Gradient of [`relu`] with respect to its input, from `dy` and either the input or, if the slope
/// is not negative, the output, which has the same signs.
pub fn relu_backward(x: &Tensor, dy: &Tensor, negative_slope: f64) -> Result<Tensor> {
    on_cpu!(x, relu_backward_cpu(x, dy, negative_slope), cuda relu_backward(x, dy, negative_slope), else reference::relu_backward(x, dy, negative_slope))
}

/// `1 / (1 + e⁻ˣ)`.
pub fn sigmoid(x: &Tensor) -> Result<Tensor> {
    on_cpu!(x, sigmoid_cpu(x), else reference::sigmoid(x))
}

/// Gradient of [`sigmoid`] with respect to its input, from its output `y` and `dy`: `dy · y · (1 − y)`.
pub fn sigmoid_backward(y: &Tensor, dy: &Tensor) -> Result<Tensor> {
    on_cpu!(y, sigmoid_backward_cpu(y, dy), else reference::sigmoid_backward(y, dy))
}

/// The hyperbolic tangent.
pub fn tanh(x: &Tensor) -> Result<Tensor> {
    on_cpu!(x, tanh_cpu(x), else x.tanh())
}

/// Gradient of [`tanh`] with respect to its input, from its output `y` and `dy`: `dy · (1 − y²)`.
pub fn tanh_backward(y: &Tensor, dy: &Tensor) -> Result<Tensor> {
    on_cpu!(y, tanh_backward_cpu(y, dy), else reference::tanh_backward(y, dy))
}

fn relu_cpu<T: Real>(x: &Tensor, negative_slope: f64) -> Result<Tensor> {
    if negative_slope == 0.0 {
        // Not 0·x, which is NaN for an infinite x and −0 for most others.
        return map(x, |x: T| if x <= T::ZERO { T::ZERO } else { x });
    }
    let slope = T::from_f64(negative_slope);
    map(x, |x: T| if x <= T::ZERO { slope * x } else { x })
}

fn relu_backward_cpu<T: Real>(x: &Tensor, dy: &Tensor, negative_slope: f64) -> Result<Tensor> {
    if negative_slope == 0.0 {
        return map2(x, dy, |x: T, dy| if x <= T::ZERO { T::ZERO } else { dy });
    }
    let slope = T::from_f64(negative_slope);
    map2(x, dy, |x: T, dy| if x <= T::ZERO { slope * dy } else { dy })
}

fn sigmoid_cpu<T: Real>(x: &Tensor) -> Result<Tensor> {
    map(x, |x: T| T::ONE / (T::ONE + (-x).exp()))
}

fn sigmoid_backward_cpu<T: Real>(y: &Tensor, dy: &Tensor) -> Result<Tensor> {
    map2(y, dy, |y: T, dy| dy * y * (T::ONE - y))
}

fn tanh_cpu<T: Real>(x: &Tensor) -> Result<Tensor> {
    map(x, T::tanh)
}

fn tanh_backward_cpu<T: Real>(y: &Tensor, dy: &Tensor) -> Result<Tensor> {
    map2(y, dy, |y: T, dy| dy * (T::ONE - y * y))
}
