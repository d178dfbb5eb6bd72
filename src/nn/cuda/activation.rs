//! The rectifier with any slope.

use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::driver::{CudaView, PushKernelArg};
use candle_core::{Result, Tensor};

use super::kernel::{Kernel, for_each, number};
use super::memory::{alloc, tensor, with_views};
use super::serves;
use crate::nn::cpu::same_shape;
use crate::nn::reference;

/// See [`crate::nn::relu`].
pub(in crate::nn) fn relu(x: &Tensor, negative_slope: f64) -> Result<Tensor> {
    if !serves(&[x]) {
        return reference::relu(x, negative_slope);
    }
    let (count, slope) = (x.elem_count(), negative_slope as f32);
    with_views([x], |device, [values]: [CudaView<'_, f32>; 1]| {
        let mut y = alloc::<f32>(device, count)?;
        let kernel = Kernel::load(device, "relu")?;
        let length: u32 = number("relu", count)?;
        let mut launch = kernel.launch();
        launch.arg(&values).arg(&mut y).arg(&slope).arg(&length);
        // SAFETY: the arguments are the kernel's, and both arrays hold `length` numbers.
        unsafe { launch.launch(for_each(count)?) }.w()?;
        tensor(y, device, x.shape())
    })
}

/// See [`crate::nn::relu_backward`].
pub(in crate::nn) fn relu_backward(x: &Tensor, dy: &Tensor, negative_slope: f64) -> Result<Tensor> {
    same_shape(x, dy)?;
    if !serves(&[x, dy]) {
        return reference::relu_backward(x, dy, negative_slope);
    }
    let (count, slope) = (x.elem_count(), negative_slope as f32);
    with_views([x, dy], |device, [values, dy]: [CudaView<'_, f32>; 2]| {
        let mut dx = alloc::<f32>(device, count)?;
        let kernel = Kernel::load(device, "relu_backward")?;
        let length: u32 = number("relu", count)?;
        let mut launch = kernel.launch();
        launch.arg(&values).arg(&dy).arg(&mut dx);
        launch.arg(&slope).arg(&length);
        // SAFETY: the arguments are the kernel's, and all arrays hold `length` numbers.
        unsafe { launch.launch(for_each(count)?) }.w()?;
        tensor(dx, device, x.shape())
    })
}
