//! Softmax over the channels, through cuDNN.

use candle_core::cuda_backend::cudarc::cudnn::sys;
use candle_core::cuda_backend::cudarc::driver::{CudaView, DevicePtr, DevicePtrMut};
use candle_core::{Result, Tensor};

use super::library::{Library, ONE, TensorShape, ZERO, check};
use super::memory::{alloc, tensor, with_views};
use super::serves;
use crate::nn::cpu::same_shape;
use crate::nn::reference;
use crate::nn::softmax::Planes;

/// Less the largest score first, so that nothing overflows.
const ACCURATE: sys::cudnnSoftmaxAlgorithm_t = sys::cudnnSoftmaxAlgorithm_t::CUDNN_SOFTMAX_ACCURATE;
const CHANNEL: sys::cudnnSoftmaxMode_t = sys::cudnnSoftmaxMode_t::CUDNN_SOFTMAX_MODE_CHANNEL;

/// See [`crate::nn::softmax`].
pub(in crate::nn) fn softmax(x: &Tensor) -> Result<Tensor> {
    Planes::of(x)?;
    if !serves(&[x]) {
        return reference::softmax(x);
    }
    let library = Library::of(x.device().as_cuda_device()?)?;
    let shape = TensorShape::by_channel(x.dims())?;
    with_views([x], |device, [values]: [CudaView<'_, f32>; 1]| {
        let mut y = alloc::<f32>(device, values.len())?;
        let stream = device.cuda_stream();
        let (from, _from) = values.device_ptr(&stream);
        let (to, y_record) = y.device_ptr_mut(&stream);
        // SAFETY: both arrays have the size of the description.
        let status = unsafe {
            sys::cudnnSoftmaxForward(
                library.handle(),
                ACCURATE,
                CHANNEL,
                ONE,
                shape.0,
                from as _,
                ZERO,
                shape.0,
                to as _,
            )
        };
        drop(y_record);
        check("softmax", status)?;
        tensor(y, device, x.shape())
    })
}

/// See [`crate::nn::softmax_backward`].
pub(in crate::nn) fn softmax_backward(y: &Tensor, dy: &Tensor) -> Result<Tensor> {
    Planes::of(y)?;
    same_shape(y, dy)?;
    if !serves(&[y, dy]) {
        return reference::softmax_backward(y, dy);
    }
    let library = Library::of(y.device().as_cuda_device()?)?;
    let shape = TensorShape::by_channel(y.dims())?;
    with_views([y, dy], |device, [values, dy]: [CudaView<'_, f32>; 2]| {
        let mut dx = alloc::<f32>(device, values.len())?;
        let stream = device.cuda_stream();
        let ((values, _y), (dy, _dy)) = (values.device_ptr(&stream), dy.device_ptr(&stream));
        let (to, dx_record) = dx.device_ptr_mut(&stream);
        // SAFETY: the arrays have the size of the description.
        let status = unsafe {
            sys::cudnnSoftmaxBackward(
                library.handle(),
                ACCURATE,
                CHANNEL,
                ONE,
                shape.0,
                values as _,
                shape.0,
                dy as _,
                ZERO,
                shape.0,
                to as _,
            )
        };
        drop(dx_record);
        check("softmax gradient", status)?;
        tensor(dx, device, y.shape())
    })
}
