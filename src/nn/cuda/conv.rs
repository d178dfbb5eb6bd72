//! Convolution in its three directions through cuDNN's classic interface, and the bias.
//!
//! Groups and dilation are cuDNN's own. Where it has no algorithm the reference computes.

mod plan;

pub(super) use plan::Plans;

use candle_core::cuda_backend::cudarc::cudnn::sys;
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaView, DevicePtr, DevicePtrMut};
use candle_core::{CudaDevice, Result, Tensor, bail};

use super::library::{Library, ONE, TensorShape, ZERO, check};
use super::memory::{alloc, tensor, with_views};
use super::serves;
use crate::nn::conv::{Conv2d, ConvShape};
use crate::nn::reference;

/// See [`crate::nn::conv2d`].
pub(in crate::nn) fn conv2d(
    x: &Tensor,
    w: &Tensor,
    bias: Option<&Tensor>,
    conv: &Conv2d,
) -> Result<Tensor> {
    let (n, c, height, width) = x.dims4()?;
    let (o, c_group, kh, kw) = w.dims4()?;
    let shape = ConvShape::new(n, c, [height, width], o, [kh, kw], conv)?;
    if c_group * conv.groups != c || bias.is_some_and(|bias| bias.dims() != [o]) {
        bail!(
            "filters {:?} and a bias {:?} do not fit an input {:?}",
            w.dims(),
            bias.map(Tensor::dims),
            x.dims()
        );
    }
    let all = [x, w, bias.unwrap_or(w)];
    let Some(count) = size(shape.output_dims()).filter(|_| serves(&all)) else {
        return reference::conv2d(x, w, bias, &shape);
    };
    let library = Library::of(x.device().as_cuda_device()?)?;
    let plan = plan::forward(&library, &shape)?;
    let y = with_views([x, w], |device, [x, w]: [CudaView<'_, f32>; 2]| {
        let mut y = alloc::<f32>(device, count)?;
        let stream = device.cuda_stream();
        let ((x, _x), (w, _w)) = (x.device_ptr(&stream), w.device_ptr(&stream));
        let (to, to_record) = y.device_ptr_mut(&stream);
        let done = plan.run(
            &library,
            device,
            "convolution",
            |algorithm, space, bytes| {
                // SAFETY: the arrays have the sizes of the plan's descriptions, and the workspace
                // is what the algorithm asks for.
                unsafe {
                    sys::cudnnConvolutionForward(
                        library.handle(),
                        ONE,
                        plan.x.0,
                        x as _,
                        plan.w.0,
                        w as _,
                        plan.motion.0,
                        algorithm,
                        space,
                        bytes,
                        ZERO,
                        plan.y.0,
                        to as _,
                    )
                }
            },
        )?;
        drop(to_record);
        if let (Some(bias), true) = (bias, done) {
            add_bias(&library, device, &plan.y, bias, &mut y)?;
        }
        done.then(|| tensor(y, device, &shape.output_dims()))
            .transpose()
    })?;
    match y {
        Some(y) => Ok(y),
        None => reference::conv2d(x, w, bias, &shape),
    }
}

/// Adds one number a channel to all of `y`, in place.
fn add_bias(
    library: &Library,
    device: &CudaDevice,
    shape: &TensorShape,
    bias: &Tensor,
    y: &mut CudaSlice<f32>,
) -> Result<()> {
    let channels = TensorShape::of_channels(bias.elem_count())?;
    with_views([bias], |_, [bias]: [CudaView<'_, f32>; 1]| {
        let stream = device.cuda_stream();
        let (bias, _bias) = bias.device_ptr(&stream);
        let (y, _y) = y.device_ptr_mut(&stream);
        // SAFETY: the arrays have the sizes of the descriptions.
        let status = unsafe {
            sys::cudnnAddTensor(
                library.handle(),
                ONE,
                channels.0,
                bias as _,
                ONE,
                shape.0,
                y as _,
            )
        };
        check("bias", status)
    })
}

/// See [`crate::nn::conv2d_backward_data`].
pub(in crate::nn) fn conv2d_backward_data(
    dy: &Tensor,
    w: &Tensor,
    x_size: [usize; 2],
    conv: &Conv2d,
) -> Result<Tensor> {
    let (o, c_group, kh, kw) = w.dims4()?;
    let channels = c_group * conv.groups;
    let shape = ConvShape::new(dy.dim(0)?, channels, x_size, o, [kh, kw], conv)?;
    check_gradient(dy, &shape)?;
    let Some(count) = size(shape.input_dims()).filter(|_| serves(&[dy, w])) else {
        return reference::conv2d_backward_data(dy, w, &shape);
    };
    let library = Library::of(dy.device().as_cuda_device()?)?;
    let plan = plan::data(&library, &shape)?;
    let gradient = with_views([dy, w], |device, [dy, w]: [CudaView<'_, f32>; 2]| {
        let mut gradient = alloc::<f32>(device, count)?;
        let stream = device.cuda_stream();
        let ((dy, _dy), (w, _w)) = (dy.device_ptr(&stream), w.device_ptr(&stream));
        let (to, to_record) = gradient.device_ptr_mut(&stream);
        let operation = "convolution's data gradient";
        let done = plan.run(&library, device, operation, |algorithm, space, bytes| {
            // SAFETY: as in `conv2d`.
            unsafe {
                sys::cudnnConvolutionBackwardData(
                    library.handle(),
                    ONE,
                    plan.w.0,
                    w as _,
                    plan.y.0,
                    dy as _,
                    plan.motion.0,
                    algorithm,
                    space,
                    bytes,
                    ZERO,
                    plan.x.0,
                    to as _,
                )
            }
        })?;
        drop(to_record);
        done.then(|| tensor(gradient, device, &shape.input_dims()))
            .transpose()
    })?;
    match gradient {
        Some(gradient) => Ok(gradient),
        None => reference::conv2d_backward_data(dy, w, &shape),
    }
}

/// See [`crate::nn::conv2d_backward_filter`].
pub(in crate::nn) fn conv2d_backward_filter(
    x: &Tensor,
    dy: &Tensor,
    kernel: [usize; 2],
    conv: &Conv2d,
) -> Result<Tensor> {
    let (n, c, height, width) = x.dims4()?;
    let shape = ConvShape::new(n, c, [height, width], dy.dim(1)?, kernel, conv)?;
    check_gradient(dy, &shape)?;
    let Some(count) = size(shape.filter_dims()).filter(|_| serves(&[x, dy])) else {
        return reference::conv2d_backward_filter(x, dy, &shape);
    };
    let library = Library::of(dy.device().as_cuda_device()?)?;
    let plan = plan::filter(&library, &shape)?;
    let gradient = with_views([x, dy], |device, [x, dy]: [CudaView<'_, f32>; 2]| {
        let mut gradient = alloc::<f32>(device, count)?;
        let stream = device.cuda_stream();
        let ((x, _x), (dy, _dy)) = (x.device_ptr(&stream), dy.device_ptr(&stream));
        let (to, to_record) = gradient.device_ptr_mut(&stream);
        let operation = "convolution's filter gradient";
        let done = plan.run(&library, device, operation, |algorithm, space, bytes| {
            // SAFETY: as in `conv2d`.
            unsafe {
                sys::cudnnConvolutionBackwardFilter(
                    library.handle(),
                    ONE,
                    plan.x.0,
                    x as _,
                    plan.y.0,
                    dy as _,
                    plan.motion.0,
                    algorithm,
                    space,
                    bytes,
                    ZERO,
                    plan.w.0,
                    to as _,
                )
            }
        })?;
        drop(to_record);
        done.then(|| tensor(gradient, device, &shape.filter_dims()))
            .transpose()
    })?;
    match gradient {
        Some(gradient) => Ok(gradient),
        None => reference::conv2d_backward_filter(x, dy, &shape),
    }
}

/// See [`crate::nn::bias_backward`].
pub(in crate::nn) fn bias_backward(dy: &Tensor) -> Result<Tensor> {
    let channels = dy.dim(1)?;
    if !serves(&[dy]) {
        return reference::bias_backward(dy);
    }
    let library = Library::of(dy.device().as_cuda_device()?)?;
    let shape = TensorShape::by_channel(dy.dims())?;
    let sums = TensorShape::of_channels(channels)?;
    with_views([dy], |device, [dy]: [CudaView<'_, f32>; 1]| {
        let mut db = alloc::<f32>(device, channels)?;
        let stream = device.cuda_stream();
        let (dy, _dy) = dy.device_ptr(&stream);
        let (to, db_record) = db.device_ptr_mut(&stream);
        // SAFETY: the arrays have the sizes of the descriptions.
        let status = unsafe {
            sys::cudnnConvolutionBackwardBias(
                library.handle(),
                ONE,
                shape.0,
                dy as _,
                ZERO,
                sums.0,
                to as _,
            )
        };
        drop(db_record);
        check("bias gradient", status)?;
        tensor(db, device, channels)
    })
}

/// Errors unless `dy` has the size of the convolution's output.
fn check_gradient(dy: &Tensor, shape: &ConvShape) -> Result<()> {
    if dy.dims() != shape.output_dims() {
        bail!(
            "a gradient {:?} does not fit the output {:?} of the convolution",
            dy.dims(),
            shape.output_dims()
        );
    }
    Ok(())
}

/// The elements of a result of these sizes; `None` if they are none, or more than cuDNN counts.
fn size(dims: [usize; 4]) -> Option<usize> {
    let count = dims
        .iter()
        .try_fold(1usize, |count, side| count.checked_mul(*side));
    count.filter(|count| (1..=i32::MAX as usize).contains(count))
}
