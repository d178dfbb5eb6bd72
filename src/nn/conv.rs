//! Two-dimensional convolution (cross-correlation, as every framework computes it) and its gradients.
//!
//! On the CPU one of four ways, chosen by the shapes alone ([`Way`]): Winograd's minimal filtering,
//! products with implicit patches, plain loops for depthwise filters, and the `gemm` crate with
//! patches in memory.

mod depthwise;
mod explicit;
mod filter_gradient;
mod implicit;
mod narrow;
mod shape;
mod windows;

pub(super) use shape::ConvShape;

use super::cpu::{self, Real, on_cpu, with_slices};
use super::product::Level;
use super::reference;
use super::winograd;
use candle_core::{DType, Result, Tensor, bail};
use rayon::prelude::*;

/// Strides, padding and dilation as [vertical, horizontal], and the number of channel groups.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conv2d {
    pub stride: [usize; 2],
    pub pad: [usize; 2],
    pub dilation: [usize; 2],
    pub groups: usize,
    /// Whether to keep to plain sums: Winograd's way, which is faster, rounds about ten times as much.
    pub precise: bool,
}

impl Default for Conv2d {
    fn default() -> Self {
        Self {
            stride: [1, 1],
            pad: [0, 0],
            dilation: [1, 1],
            groups: 1,
            precise: false,
        }
    }
}

/// What is done to a result on its way to memory.
#[derive(Clone, Copy, Default)]
pub(super) struct Epilogue<'a, T = f32> {
    /// One number for each filter.
    pub bias: Option<&'a [T]>,
    /// Whether negative numbers become 0.
    pub relu: bool,
}

/// How a convolution is computed on the CPU.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    /// Winograd's minimal filtering, in single precision.
    Winograd,
    /// Products with implicit patches, in single precision.
    Implicit(Level),
    /// Plain loops.
    Depthwise,
    /// The `gemm` crate's products with patches in memory.
    Explicit,
}

impl Way {
    /// The way for sizes, which are those of the forward pass, or its adjoint's for the gradient
    /// by the input. It does not depend on the number of images: an example gives the same bits
    /// alone and in a batch.
    fn of(shape: &ConvShape, x: &Tensor, conv: &Conv2d) -> Self {
        if depthwise::fits(shape) {
            return Self::Depthwise;
        }
        if !conv.precise && winograd::fits(shape, x) {
            return Self::Winograd;
        }
        match Level::here() {
            Some(level) if x.device().is_cpu() && x.dtype() == DType::F32 => Self::Implicit(level),
            _ => Self::Explicit,
        }
    }
}

/// Convolution of `x` (N, C, H, W) with `w` (O, C/groups, KH, KW) plus `bias` (O): (N, O, OH, OW),
/// sized by [`conv_output`](super::conv_output).
///
/// Errors if the shapes do not fit together or the dilated kernel is larger than the padded input.
pub fn conv2d(x: &Tensor, w: &Tensor, bias: Option<&Tensor>, conv: &Conv2d) -> Result<Tensor> {
    convolve(x, w, bias, conv, false)
}

/// [`conv2d`] and then [`relu`](super::relu) of slope 0, in one pass over the result: the same bits.
pub fn conv2d_relu(x: &Tensor, w: &Tensor, bias: Option<&Tensor>, conv: &Conv2d) -> Result<Tensor> {
    convolve(x, w, bias, conv, true)
}

fn convolve(
    x: &Tensor,
    w: &Tensor,
    bias: Option<&Tensor>,
    conv: &Conv2d,
    relu: bool,
) -> Result<Tensor> {
    let (_, c, h, width) = x.dims4()?;
    let (o, c_group, kh, kw) = w.dims4()?;
    let shape = ConvShape::new(x.dim(0)?, c, [h, width], o, [kh, kw], conv)?;
    if c_group * conv.groups != c {
        bail!(
            "a filter bank {:?} in {} groups does not fit an input {:?}",
            w.dims(),
            conv.groups,
            x.dims()
        );
    }
    if let Some(bias) = bias
        && bias.dims() != [o]
    {
        bail!("a bias {:?} does not fit {o} filters", bias.dims());
    }
    let way = Way::of(&shape, x, conv);
    if let Way::Winograd | Way::Implicit(_) = way {
        return forward_singles(way, x, w, bias, relu, &shape);
    }
    on_cpu!(x, forward(way, x, w, bias, relu, &shape), cuda conv2d_relu(x, w, bias, conv, relu), else {
        let y = reference::conv2d(x, w, bias, &shape)?;
        if relu { reference::relu(&y, 0.0) } else { Ok(y) }
    })
}

fn forward_singles(
    way: Way,
    x: &Tensor,
    w: &Tensor,
    bias: Option<&Tensor>,
    relu: bool,
    shape: &ConvShape,
) -> Result<Tensor> {
    let bias = bias.map(|bias| bias.to_vec1()).transpose()?;
    let epilogue = Epilogue {
        bias: bias.as_deref(),
        relu,
    };
    let y = with_slices([x, w], |[x, w]| {
        Ok(match way {
            Way::Implicit(level) => implicit::forward(level, x, w, epilogue, shape),
            _ => winograd::forward(x, w, epilogue, shape),
        })
    })?;
    cpu::tensor(y, &shape.output_dims())
}

fn forward<T: Real>(
    way: Way,
    x: &Tensor,
    w: &Tensor,
    bias: Option<&Tensor>,
    relu: bool,
    shape: &ConvShape,
) -> Result<Tensor> {
    let bias = bias.map(|bias| bias.to_vec1()).transpose()?;
    let epilogue = Epilogue {
        bias: bias.as_deref(),
        relu,
    };
    let y = with_slices([x, w], |[x, w]: [&[T]; 2]| {
        Ok(match way {
            Way::Depthwise => depthwise::forward(x, w, epilogue, shape),
            _ => explicit::forward(x, w, epilogue, shape),
        })
    })?;
    cpu::tensor(y, &shape.output_dims())
}

/// Gradient of [`conv2d`] with respect to its input of spatial size `x_size` = [H, W], from
/// `dy` (N, O, OH, OW): (N, C, H, W). It is also the transposed convolution of `dy`.
pub fn conv2d_backward_data(
    dy: &Tensor,
    w: &Tensor,
    x_size: [usize; 2],
    conv: &Conv2d,
) -> Result<Tensor> {
    let (o, c_group, kh, kw) = w.dims4()?;
    let shape = ConvShape::new(dy.dim(0)?, c_group * conv.groups, x_size, o, [kh, kw], conv)?;
    shape.check_output(dy)?;
    match Way::of(&shape.adjoint(), dy, conv) {
        _ if depthwise::fits(&shape) => {
            on_cpu!(dy, backward_data(Way::Depthwise, dy, w, &shape), cuda conv2d_backward_data(dy, w, x_size, conv), else reference::conv2d_backward_data(dy, w, &shape))
        }
        way @ (Way::Winograd | Way::Implicit(_)) => {
            let dx = with_slices([dy, w], |[dy, w]| {
                Ok(match way {
                    Way::Implicit(level) => implicit::backward_data(level, dy, w, &shape),
                    _ => winograd::backward_data(dy, w, &shape),
                })
            })?;
            cpu::tensor(dx, &shape.input_dims())
        }
        _ => {
            on_cpu!(dy, backward_data(Way::Explicit, dy, w, &shape), cuda conv2d_backward_data(dy, w, x_size, conv), else reference::conv2d_backward_data(dy, w, &shape))
        }
    }
}

fn backward_data<T: Real>(way: Way, dy: &Tensor, w: &Tensor, shape: &ConvShape) -> Result<Tensor> {
    let dx = with_slices([dy, w], |[dy, w]: [&[T]; 2]| {
        Ok(match way {
            Way::Depthwise => depthwise::backward_data(dy, w, shape),
            _ => explicit::backward_data(dy, w, shape),
        })
    })?;
    cpu::tensor(dx, &shape.input_dims())
}

/// Gradient of [`conv2d`] with respect to its filters of spatial size `kernel` = [KH, KW], from
/// `x` (N, C, H, W) and `dy` (N, O, OH, OW): (O, C/groups, KH, KW).
pub fn conv2d_backward_filter(
    x: &Tensor,
    dy: &Tensor,
    kernel: [usize; 2],
    conv: &Conv2d,
) -> Result<Tensor> {
    let (n, c, h, w) = x.dims4()?;
    let shape = ConvShape::new(n, c, [h, w], dy.dim(1)?, kernel, conv)?;
    shape.check_output(dy)?;
    let way = Way::of(&shape, x, conv);
    if let Way::Winograd | Way::Implicit(_) = way {
        let dw = with_slices([x, dy], |[x, dy]| {
            Ok(match way {
                Way::Implicit(level) => filter_gradient::backward_filter(level, x, dy, &shape),
                _ => winograd::backward_filter(x, dy, &shape),
            })
        })?;
        return cpu::tensor(dw, &shape.filter_dims());
    }
    on_cpu!(x, backward_filter(way, x, dy, &shape), cuda conv2d_backward_filter(x, dy, kernel, conv), else reference::conv2d_backward_filter(x, dy, &shape))
}

fn backward_filter<T: Real>(
    way: Way,
    x: &Tensor,
    dy: &Tensor,
    shape: &ConvShape,
) -> Result<Tensor> {
    let dw = with_slices([x, dy], |[x, dy]: [&[T]; 2]| {
        Ok(match way {
            Way::Depthwise => depthwise::backward_filter(x, dy, shape),
            _ => explicit::backward_filter(x, dy, shape),
        })
    })?;
    cpu::tensor(dw, &shape.filter_dims())
}

/// Gradient of a bias per channel: the sum of `dy` (N, C, …) over all axes but the second: (C).
pub fn bias_backward(dy: &Tensor) -> Result<Tensor> {
    on_cpu!(dy, backward_bias(dy), cuda bias_backward(dy), else reference::bias_backward(dy))
}

fn backward_bias<T: Real>(dy: &Tensor) -> Result<Tensor> {
    let channels = dy.dim(1)?;
    let plane: usize = dy.dims()[2..].iter().product();
    let db = with_slices([dy], |[dy]| {
        let channel_sum = |channel: usize| {
            let mut total = T::ZERO;
            for image in dy.chunks_exact((channels * plane).max(1)) {
                total += cpu::sum(&image[channel * plane..][..plane]);
            }
            total
        };
        Ok((0..channels).into_par_iter().map(channel_sum).collect())
    })?;
    cpu::tensor(db, channels)
}
