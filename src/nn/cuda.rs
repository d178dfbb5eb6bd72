//! The operations on an NVIDIA card: through cuDNN where it has them, through kernels of our own
//! (`kernels.cu`) where it has none or another one than Caffe's.
//!
//! Each function has the signature of the one in `nn` that it serves and checks the same. What a
//! card cannot take here (another type than `f32`, an empty tensor, one of 2³¹ elements and more,
//! a convolution for which cuDNN knows no algorithm) takes the reference, so every function
//! answers on every device.
//!
//! Invariants: all memory comes from the device's one stream, and all work goes there in order;
//! nothing waits for the card. Sums have a fixed order, and of cuDNN's algorithms one that is
//! repeatable goes before those that are not. Every status that is not success becomes an error
//! with the operation's name.

mod activation;
mod conv;
mod dropout;
mod kernel;
mod library;
mod memory;
mod norm;
mod pinned;
mod pool;
mod softmax;
mod update;

pub(super) use activation::{relu, relu_backward};
use conv::conv2d;
pub(super) use conv::{bias_backward, conv2d_backward_data, conv2d_backward_filter};
pub(super) use dropout::dropout;
pub(super) use norm::batch_statistics;
use norm::{batch_norm, batch_norm_backward};
pub(super) use pinned::Pinned;
pub(super) use pool::{avg_pool2d, avg_pool2d_backward, max_pool2d, max_pool2d_backward};
pub(super) use softmax::{softmax, softmax_backward};
pub(super) use update::update;

#[cfg(test)]
pub(super) use kernel::compile;

use super::{Conv2d, Moments, Step};
use candle_core::{DType, Device, Result, Tensor};

/// [`crate::nn::conv2d`], and then ReLU if `relu`.
pub(super) fn conv2d_relu(
    x: &Tensor,
    w: &Tensor,
    bias: Option<&Tensor>,
    conv: &Conv2d,
    rectify: bool,
) -> Result<Tensor> {
    let y = conv2d(x, w, bias, conv)?;
    if rectify { relu(&y, 0.0) } else { Ok(y) }
}

/// [`crate::nn::batch_norm`].
pub(super) fn batch_norm_relu(
    x: &Tensor,
    moments: &Moments<'_>,
    affine: Option<(&Tensor, &Tensor)>,
    rectify: bool,
) -> Result<Tensor> {
    let y = batch_norm(x, moments, affine)?;
    if rectify { relu(&y, 0.0) } else { Ok(y) }
}

/// [`crate::nn::batch_norm_backward`].
pub(super) fn batch_norm_relu_backward(
    x: &Tensor,
    dy: &Tensor,
    rectified: Option<&Tensor>,
    moments: &Moments<'_>,
    weight: Option<&Tensor>,
    of_batch: bool,
) -> Result<(Tensor, Tensor, Tensor)> {
    let dy = match rectified {
        Some(y) => &relu_backward(y, dy, 0.0)?,
        None => dy,
    };
    batch_norm_backward(x, dy, moments, weight, of_batch)
}

/// [`crate::nn::update`]: new tensors in the place of the old ones.
pub(super) fn update_in_place(
    w: &mut Tensor,
    g: &Tensor,
    states: &mut [Tensor],
    step: &Step,
) -> Result<()> {
    let (new_w, new_states) = update(w, g, states, step)?;
    *w = new_w;
    states.clone_from_slice(&new_states);
    Ok(())
}

/// Whether all of these are non-empty `f32` tensors on one card, each of fewer than 2³¹ elements.
fn serves(tensors: &[&Tensor]) -> bool {
    let fits = |tensor: &Tensor| {
        tensor.dtype() == DType::F32
            && matches!(tensor.device(), Device::Cuda(_))
            && tensor.device().same_device(tensors[0].device())
            && (1..=i32::MAX as usize).contains(&tensor.elem_count())
    };
    tensors.iter().all(|tensor| fits(tensor))
}
