//! Sum, product and maximum of several tensors of one shape, as Caffe's Eltwise layer has them.
//!
//! But for the sum of two, which every residual block has, these are a few of Candle's own
//! operations each, so one form serves every device.

use super::cpu::{Real, map2, on_cpu, same_shape};
use super::reference;
use candle_core::{Result, Tensor, bail};

/// `Σ coefficients[i] · inputs[i]`, and then, if `relu`, 0 where that is negative.
///
/// Errors if there is no input, the shapes differ, or the number of coefficients is another.
pub fn eltwise_sum(inputs: &[Tensor], coefficients: &[f64], relu: bool) -> Result<Tensor> {
    let rest = check(inputs)?;
    if coefficients.len() != inputs.len() {
        bail!(
            "{} coefficients do not fit {} inputs",
            coefficients.len(),
            inputs.len()
        );
    }
    if let ([a, b], [1.0, 1.0]) = (inputs, coefficients) {
        return on_cpu!(a, sum_of_two(a, b, relu), else {
            let y = (a + b)?;
            if relu { reference::relu(&y, 0.0) } else { Ok(y) }
        });
    }
    let mut y = scaled(&inputs[0], coefficients[0])?;
    for (x, &coefficient) in rest.iter().zip(&coefficients[1..]) {
        y = (y + scaled(x, coefficient)?)?;
    }
    if relu { super::relu(&y, 0.0) } else { Ok(y) }
}

fn sum_of_two<T: Real>(a: &Tensor, b: &Tensor, relu: bool) -> Result<Tensor> {
    match relu {
        true => map2(
            a,
            b,
            |a: T, b| if a + b <= T::ZERO { T::ZERO } else { a + b },
        ),
        false => map2(a, b, |a: T, b| a + b),
    }
}

/// Gradients of [`eltwise_sum`]: `coefficients[i] · dy` for each input.
pub fn eltwise_sum_backward(dy: &Tensor, coefficients: &[f64]) -> Result<Vec<Tensor>> {
    coefficients
        .iter()
        .map(|&coefficient| scaled(dy, coefficient))
        .collect()
}

/// `Π inputs[i]`.
pub fn eltwise_product(inputs: &[Tensor]) -> Result<Tensor> {
    let rest = check(inputs)?;
    rest.iter().try_fold(inputs[0].clone(), |y, x| y * x)
}

/// Gradients of [`eltwise_product`]: `dy` times the product of the other inputs, which is right for zeros too.
pub fn eltwise_product_backward(inputs: &[Tensor], dy: &Tensor) -> Result<Vec<Tensor>> {
    check(inputs)?;
    let others = |i: usize| inputs.iter().enumerate().filter(move |&(j, _)| j != i);
    (0..inputs.len())
        .map(|i| others(i).try_fold(dy.clone(), |d, (_, x)| d * x))
        .collect()
}

/// The largest of the inputs at each position.
pub fn eltwise_max(inputs: &[Tensor]) -> Result<Tensor> {
    let rest = check(inputs)?;
    rest.iter().try_fold(inputs[0].clone(), |y, x| y.maximum(x))
}

/// Gradients of [`eltwise_max`], whose output was `y`: `dy` goes to the first input that holds the maximum.
pub fn eltwise_max_backward(inputs: &[Tensor], y: &Tensor, dy: &Tensor) -> Result<Vec<Tensor>> {
    check(inputs)?;
    let mut left = dy.clone();
    let mut gradients = Vec::with_capacity(inputs.len());
    for x in inputs {
        let gradient = x.eq(y)?.where_cond(&left, &left.zeros_like()?)?;
        left = (left - &gradient)?;
        gradients.push(gradient);
    }
    Ok(gradients)
}

fn scaled(x: &Tensor, coefficient: f64) -> Result<Tensor> {
    if coefficient == 1.0 {
        Ok(x.clone())
    } else {
        x * coefficient
    }
}

/// All inputs but the first, having found that there is one and that all shapes are equal.
fn check(inputs: &[Tensor]) -> Result<&[Tensor]> {
    let Some((first, rest)) = inputs.split_first() else {
        bail!("an elementwise operation needs an input")
    };
    for x in rest {
        same_shape(first, x)?;
    }
    Ok(rest)
}
