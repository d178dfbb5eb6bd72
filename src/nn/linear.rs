//! The fully connected layer's products: `y = x·wᵀ + b` and its gradients.
//!
//! The gradient of the bias is [`super::bias_backward`] of `dy`.

use super::cpu::{self, Real, on_cpu, with_slices};
use super::matmul::{Mat, MatMut, Threads, matmul};
use super::product::{Bias, Columns, Finish, Level, Maps, Rows, Side};
use super::reference;
use candle_core::{DType, Result, Tensor, bail};

/// `x` (N, D) times the transpose of `w` (O, D), plus `bias` (O): (N, O).
pub fn linear(x: &Tensor, w: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    layer(x, w, bias, false)
}

/// [`linear`] and then [`relu`](super::relu) of slope 0, in one pass over the result: the same bits.
pub fn linear_relu(x: &Tensor, w: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    layer(x, w, bias, true)
}

fn layer(x: &Tensor, w: &Tensor, bias: Option<&Tensor>, relu: bool) -> Result<Tensor> {
    let ((_, d), (o, w_d)) = (x.dims2()?, w.dims2()?);
    if d != w_d || bias.is_some_and(|bias| bias.dims() != [o]) {
        let bias = bias.map(Tensor::dims);
        bail!(
            "an input {:?} does not fit weights {:?} and bias {bias:?}",
            x.dims(),
            w.dims()
        );
    }
    if let Some(level) = singles(x) {
        return forward_singles(level, x, w, bias, relu);
    }
    let y = on_cpu!(x, forward(x, w, bias), else reference::linear(x, w, bias))?;
    if relu { super::relu(&y, 0.0) } else { Ok(y) }
}

/// Gradient of [`linear`] with respect to its input: `dy` (N, O) times `w` (O, D), (N, D).
pub fn linear_backward_data(dy: &Tensor, w: &Tensor) -> Result<Tensor> {
    let ((n, o), (w_o, d)) = (dy.dims2()?, w.dims2()?);
    if o != w_o {
        bail!(
            "a gradient {:?} does not fit weights {:?}",
            dy.dims(),
            w.dims()
        );
    }
    if let Some(level) = singles(dy) {
        let dx = with_slices([dy, w], |[dy, w]| {
            Ok(product_of(
                level,
                (n, d),
                &rows(dy, n, o),
                &columns(w, d),
                o,
            ))
        })?;
        return cpu::tensor(dx, (n, d));
    }
    on_cpu!(dy, product(dy, (n, o), false, w, (o, d)), else dy.matmul(w))
}

/// Gradient of [`linear`] with respect to its weights: the transpose of `dy` (N, O) times `x` (N, D), (O, D).
pub fn linear_backward_weight(x: &Tensor, dy: &Tensor) -> Result<Tensor> {
    let ((n, d), (dy_n, o)) = (x.dims2()?, dy.dims2()?);
    if n != dy_n {
        bail!(
            "a gradient {:?} does not fit an input {:?}",
            dy.dims(),
            x.dims()
        );
    }
    if let Some(level) = singles(x) {
        let dw = with_slices([dy, x], |[dy, x]| {
            Ok(product_of(
                level,
                (o, d),
                &columns(dy, o),
                &columns(x, d),
                n,
            ))
        })?;
        return cpu::tensor(dw, (o, d));
    }
    on_cpu!(x, product(dy, (n, o), true, x, (n, d)), else dy.t()?.matmul(x))
}

/// The level of our own products, if they are for this tensor.
fn singles(x: &Tensor) -> Option<Level> {
    Level::here().filter(|_| x.device().is_cpu() && x.dtype() == DType::F32)
}

fn rows(data: &[f32], lanes: usize, stride: usize) -> Rows<'_> {
    Rows {
        data,
        lanes,
        stride,
    }
}

fn columns(data: &[f32], lanes: usize) -> Columns<'_> {
    Columns {
        data,
        lanes,
        stride: lanes,
    }
}

fn forward_singles(
    level: Level,
    x: &Tensor,
    w: &Tensor,
    bias: Option<&Tensor>,
    relu: bool,
) -> Result<Tensor> {
    let ((n, d), (o, _)) = (x.dims2()?, w.dims2()?);
    let bias = bias.map(|bias| bias.to_vec1()).transpose()?;
    let bias = bias.as_deref().map_or(Bias::None, Bias::Columns);
    let y = with_slices([x, w], |[x, w]| {
        let mut y = cpu::room(n * o);
        let to = Maps::matrix(&mut y, n, o);
        super::product::product(
            level,
            to,
            &rows(x, n, d),
            &rows(w, o, d),
            d,
            &Finish { bias, relu },
        );
        Ok(y)
    })?;
    cpu::tensor(y, (n, o))
}

/// The product (`size`) of two sides over a depth.
fn product_of(
    level: Level,
    size: (usize, usize),
    left: &impl Side,
    right: &impl Side,
    depth: usize,
) -> Vec<f32> {
    let mut c = cpu::room(size.0 * size.1);
    let to = Maps::matrix(&mut c, size.0, size.1);
    super::product::product(level, to, left, right, depth, &Finish::default());
    c
}

fn forward<T: Real>(x: &Tensor, w: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let ((n, d), (o, _)) = (x.dims2()?, w.dims2()?);
    let mut y = match bias {
        Some(bias) => with_slices([bias], |[bias]: [&[T]; 1]| Ok(bias.repeat(n)))?,
        None => vec![T::ZERO; n * o],
    };
    with_slices([x, w], |[x, w]| {
        let (x, w) = (Mat::new(x, n, d), Mat::new(w, o, d));
        matmul(
            &mut MatMut::new(&mut y, n, o),
            x,
            w.t(),
            bias.is_some(),
            Threads::Pool,
        );
        Ok(())
    })?;
    cpu::tensor(y, (n, o))
}

/// `a·b`, or `aᵀ·b` if `transposed`, for matrices of the sizes given.
fn product<T: Real>(
    a: &Tensor,
    a_size: (usize, usize),
    transposed: bool,
    b: &Tensor,
    b_size: (usize, usize),
) -> Result<Tensor> {
    let rows = if transposed { a_size.1 } else { a_size.0 };
    let mut c = vec![T::ZERO; rows * b_size.1];
    with_slices([a, b], |[a, b]| {
        let a = Mat::new(a, a_size.0, a_size.1);
        let a = if transposed { a.t() } else { a };
        matmul(
            &mut MatMut::new(&mut c, rows, b_size.1),
            a,
            Mat::new(b, b_size.0, b_size.1),
            false,
            Threads::Pool,
        );
        Ok(())
    })?;
    cpu::tensor(c, (rows, b_size.1))
}
