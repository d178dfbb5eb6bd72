//! Batch normalisation: its statistics in kernels of our own, because cuDNN makes them only along
//! with the result, and the rest through cuDNN.

use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::cudnn::sys;
use candle_core::cuda_backend::cudarc::driver::{
    CudaSlice, CudaView, DevicePtr, DevicePtrMut, LaunchConfig, PushKernelArg,
};
use candle_core::{CudaDevice, Result, Tensor, bail};

use super::kernel::{Kernel, for_each, number};
use super::library::{Library, ONE, TensorShape, ZERO, check};
use super::memory::{alloc, tensor, with_views};
use super::serves;
use crate::nn::batch_norm::{
    Moments, norm_backward_reference, norm_reference, statistics_reference,
};

/// Not the persistent mode: it is faster, but overflows on large values.
const MODE: sys::cudnnBatchNormMode_t = sys::cudnnBatchNormMode_t::CUDNN_BATCHNORM_SPATIAL;
/// Threads of a block that sums.
const THREADS: usize = 256;
/// Values that a thread sums, unless the parts are at their most.
const VALUES: usize = 16;
/// Most parts into which a channel's sum is cut.
const PARTS: usize = 64;
/// cuDNN's kernels take no more images.
const IMAGES: usize = 65535;

/// See [`crate::nn::batch_statistics`].
pub(in crate::nn) fn batch_statistics(x: &Tensor) -> Result<(Tensor, Tensor)> {
    if x.elem_count() == 0 {
        bail!("{:?} has no elements to take a mean of", x.dims());
    }
    let sums = Sums::of(x.dims())?;
    if !serves(&[x]) {
        return statistics_reference(x);
    }
    with_views([x], |device, [x]: [CudaView<'_, f32>; 1]| {
        let mean = sums.means(device, &x, None)?;
        let variance = sums.means(device, &x, Some(&mean))?;
        let channels = sums.channels;
        Ok((
            tensor(mean, device, channels)?,
            tensor(variance, device, channels)?,
        ))
    })
}

/// How the sums over the channels of one shape are cut.
struct Sums {
    channels: usize,
    plane: usize,
    /// Values of a channel.
    count: usize,
    parts: usize,
}

impl Sums {
    fn of(dims: &[usize]) -> Result<Self> {
        let [n, channels, rest @ ..] = dims else {
            bail!("{dims:?} has no channels")
        };
        let plane: usize = rest.iter().product();
        let count = n * plane;
        Ok(Self {
            channels: *channels,
            plane,
            count,
            parts: count.div_ceil(THREADS * VALUES).clamp(1, PARTS),
        })
    }

    /// The mean of each channel, or of its squared distances from `centres`.
    fn means(
        &self,
        device: &CudaDevice,
        x: &CudaView<'_, f32>,
        centres: Option<&CudaSlice<f32>>,
    ) -> Result<CudaSlice<f32>> {
        let operation = "statistics";
        let channels: i32 = number(operation, self.channels)?;
        let (squares, parts) = (i32::from(centres.is_some()), self.parts as i32);
        let plane: u32 = number(operation, self.plane)?;
        let count: u32 = number(operation, self.count)?;
        let mut sums = alloc::<f64>(device, self.channels * self.parts)?;
        let kernel = Kernel::load(device, "channel_sums")?;
        let mut launch = kernel.launch();
        launch.arg(x);
        match centres {
            Some(centres) => launch.arg(centres),
            // Not read without squares, but a kernel has no argument that may be absent.
            None => launch.arg(x),
        };
        launch.arg(&mut sums).arg(&squares).arg(&channels);
        launch.arg(&plane).arg(&count);
        let config = LaunchConfig {
            grid_dim: (channels.unsigned_abs(), self.parts as u32, 1),
            block_dim: (THREADS as u32, 1, 1),
            shared_mem_bytes: 0,
        };
        // SAFETY: the arguments are the kernel's, with a block for each part of each channel.
        unsafe { launch.launch(config) }.w()?;
        let mut means = alloc::<f32>(device, self.channels)?;
        let kernel = Kernel::load(device, "channel_means")?;
        let mut launch = kernel.launch();
        launch.arg(&sums).arg(&mut means).arg(&parts);
        launch.arg(&channels).arg(&count);
        // SAFETY: the arguments are the kernel's; `sums` holds `parts` numbers a channel.
        unsafe { launch.launch(for_each(self.channels)?) }.w()?;
        Ok(means)
    }
}

/// See [`crate::nn::batch_norm`].
pub(in crate::nn) fn batch_norm(
    x: &Tensor,
    moments: &Moments<'_>,
    affine: Option<(&Tensor, &Tensor)>,
) -> Result<Tensor> {
    let channels = x.dim(1)?;
    let (mean, variance) = (moments.mean, moments.variance);
    let (weight, bias) = affine.unzip();
    check_channels(channels, [Some(mean), Some(variance), weight, bias])?;
    let given = [weight.unwrap_or(mean), bias.unwrap_or(mean)];
    if !serves(&[x, mean, variance, given[0], given[1]]) || x.dim(0)? > IMAGES {
        return norm_reference(x, moments, affine);
    }
    let weight = weight.map_or_else(|| mean.ones_like(), |weight| Ok(weight.clone()))?;
    let bias = bias.map_or_else(|| mean.zeros_like(), |bias| Ok(bias.clone()))?;
    let library = Library::of(x.device().as_cuda_device()?)?;
    let shape = TensorShape::by_channel(x.dims())?;
    let each = TensorShape::of_channels(channels)?;
    let tensors = [x, mean, variance, &weight, &bias];
    with_views(tensors, |device, views: [CudaView<'_, f32>; 5]| {
        let mut y = alloc::<f32>(device, views[0].len())?;
        let stream = device.cuda_stream();
        let [
            (values, _values),
            (mean, _mean),
            (variance, _variance),
            (weight, _weight),
            (bias, _bias),
        ] = views.each_ref().map(|view| view.device_ptr(&stream));
        let (to, y_record) = y.device_ptr_mut(&stream);
        // SAFETY: the arrays have the sizes of the descriptions.
        let status = unsafe {
            sys::cudnnBatchNormalizationForwardInference(
                library.handle(),
                MODE,
                ONE,
                ZERO,
                shape.0,
                values as _,
                shape.0,
                to as _,
                each.0,
                weight as _,
                bias as _,
                mean as _,
                variance as _,
                moments.eps,
            )
        };
        drop(y_record);
        check("batch normalisation", status)?;
        tensor(y, device, x.shape())
    })
}

/// See [`crate::nn::batch_norm_backward`]. Moments that are not the batch's are constants, of which
/// cuDNN knows no gradient: then the reference computes.
pub(in crate::nn) fn batch_norm_backward(
    x: &Tensor,
    dy: &Tensor,
    moments: &Moments<'_>,
    weight: Option<&Tensor>,
    of_batch: bool,
) -> Result<(Tensor, Tensor, Tensor)> {
    let channels = x.dim(1)?;
    let (mean, variance) = (moments.mean, moments.variance);
    crate::nn::cpu::same_shape(x, dy)?;
    check_channels(channels, [Some(mean), Some(variance), weight, None])?;
    let all = [x, dy, mean, variance, weight.unwrap_or(mean)];
    if !of_batch || !serves(&all) || x.dim(0)? > IMAGES {
        return norm_backward_reference(x, dy, moments, weight, of_batch);
    }
    let weight = weight.map_or_else(|| mean.ones_like(), |weight| Ok(weight.clone()))?;
    let inverse = (variance + moments.eps)?.sqrt()?.recip()?;
    let library = Library::of(x.device().as_cuda_device()?)?;
    let shape = TensorShape::by_channel(x.dims())?;
    let each = TensorShape::of_channels(channels)?;
    let tensors = [x, dy, &weight, mean, &inverse];
    with_views(tensors, |device, views: [CudaView<'_, f32>; 5]| {
        let mut dx = alloc::<f32>(device, views[0].len())?;
        let mut d_weight = alloc::<f32>(device, channels)?;
        let mut d_bias = alloc::<f32>(device, channels)?;
        let stream = device.cuda_stream();
        let [
            (values, _values),
            (dy, _dy),
            (weight, _weight),
            (mean, _mean),
            (inverse, _inverse),
        ] = views.each_ref().map(|view| view.device_ptr(&stream));
        let (to, to_record) = dx.device_ptr_mut(&stream);
        let (to_weight, weight_record) = d_weight.device_ptr_mut(&stream);
        let (to_bias, bias_record) = d_bias.device_ptr_mut(&stream);
        // SAFETY: the arrays have the sizes of the descriptions.
        let status = unsafe {
            sys::cudnnBatchNormalizationBackward(
                library.handle(),
                MODE,
                ONE,
                ZERO,
                ONE,
                ZERO,
                shape.0,
                values as _,
                shape.0,
                dy as _,
                shape.0,
                to as _,
                each.0,
                weight as _,
                to_weight as _,
                to_bias as _,
                moments.eps,
                mean as _,
                inverse as _,
            )
        };
        drop((to_record, weight_record, bias_record));
        check("batch normalisation's gradient", status)?;
        Ok((
            tensor(dx, device, x.shape())?,
            tensor(d_weight, device, channels)?,
            tensor(d_bias, device, channels)?,
        ))
    })
}

/// Errors unless each of these holds one number a channel.
fn check_channels(channels: usize, tensors: [Option<&Tensor>; 4]) -> Result<()> {
    for tensor in tensors.into_iter().flatten() {
        if tensor.elem_count() != channels {
            bail!("{:?} does not fit {channels} channels", tensor.dims());
        }
    }
    Ok(())
}
