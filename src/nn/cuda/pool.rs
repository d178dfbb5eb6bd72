//! Pooling, in kernels of our own: cuDNN does not say where a maximum was, and its averages do not
//! know Caffe's divisor of a window that hangs over the padded image.

use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::driver::{
    CudaView, DeviceRepr, LaunchConfig, PushKernelArg,
};
use candle_core::{DType, Result, Tensor, bail};

use super::kernel::{Kernel, for_each, number};
use super::memory::{alloc, tensor, with_views};
use super::serves;
use crate::nn::cpu::same_shape;
use crate::nn::pool::{Pool2d, PoolAxes};
use crate::nn::reference;

/// `Windows` of `kernels.cu`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Windows {
    size: [i32; 2],
    output: [i32; 2],
    kernel: [i32; 2],
    stride: [i32; 2],
    pad: [i32; 2],
}

// SAFETY: it is laid out as the kernel's structure, and holds nothing but numbers.
unsafe impl DeviceRepr for Windows {}

impl Windows {
    /// Errors unless the end of every window, counted from the padded image's begin, is an `i32`.
    fn of(axes: &PoolAxes) -> Result<Self> {
        for axis in [axes.y, axes.x] {
            let reach = (axis.output.saturating_mul(axis.stride)).saturating_add(axis.kernel);
            number::<i32>("pooling", reach.max(axis.size.saturating_add(2 * axis.pad)))?;
        }
        let pair =
            |y, x| -> Result<[i32; 2]> { Ok([number("pooling", y)?, number("pooling", x)?]) };
        let (y, x) = (&axes.y, &axes.x);
        Ok(Self {
            size: pair(y.size, x.size)?,
            output: pair(y.output, x.output)?,
            kernel: pair(y.kernel, x.kernel)?,
            stride: pair(y.stride, x.stride)?,
            pad: pair(y.pad, x.pad)?,
        })
    }
}

/// See [`crate::nn::max_pool2d`].
pub(in crate::nn) fn max_pool2d(x: &Tensor, pool: &Pool2d) -> Result<(Tensor, Tensor)> {
    let axes = PoolAxes::new(x.dims(), pool)?;
    let dims = axes.output_dims();
    let count: usize = dims.iter().product();
    if !serves(&[x]) || count == 0 {
        return reference::max_pool2d(x, &axes);
    }
    let windows = Windows::of(&axes)?;
    with_views([x], |device, [x]: [CudaView<'_, f32>; 1]| {
        let mut y = alloc::<f32>(device, count)?;
        let mut indices = alloc::<u32>(device, count)?;
        let kernel = Kernel::load(device, "max_pool")?;
        let length: u32 = number("pooling", count)?;
        let mut launch = kernel.launch();
        launch.arg(&x).arg(&mut y).arg(&mut indices);
        launch.arg(&windows).arg(&length);
        // SAFETY: the arguments are the kernel's; `windows` and `length` are the arrays' sizes.
        unsafe { launch.launch(for_each(count)?) }.w()?;
        Ok((tensor(y, device, &dims)?, tensor(indices, device, &dims)?))
    })
}

/// See [`crate::nn::max_pool2d_backward`]. An index outside of its plane, of which only the card
/// knows, makes the first gradient of the plane NaN.
pub(in crate::nn) fn max_pool2d_backward(
    dy: &Tensor,
    indices: &Tensor,
    x_size: [usize; 2],
) -> Result<Tensor> {
    let (n, c, rows, columns) = dy.dims4()?;
    same_shape(dy, indices)?;
    let [h, w] = x_size;
    let plane = h.saturating_mul(w);
    let count = (n * c).saturating_mul(plane);
    let fits = serves(&[dy])
        && indices.dtype() == DType::U32
        && indices.device().same_device(dy.device())
        && (1..=i32::MAX as usize).contains(&count);
    if !fits {
        return reference::max_pool2d_backward(dy, indices, x_size);
    }
    let sizes: [i32; 3] = [
        number("pooling", rows)?,
        number("pooling", columns)?,
        number("pooling", plane)?,
    ];
    let config = LaunchConfig {
        grid_dim: (number("pooling", n * c)?, 1, 1),
        // A row of windows at once, or more where there is much to set to zero.
        block_dim: (
            columns.max(plane / 16).next_multiple_of(32).min(256) as u32,
            1,
            1,
        ),
        shared_mem_bytes: 0,
    };
    with_views([dy], |device, [dy]: [CudaView<'_, f32>; 1]| {
        with_views([indices], |_, [indices]: [CudaView<'_, u32>; 1]| {
            let mut dx = alloc::<f32>(device, count)?;
            let kernel = Kernel::load(device, "max_pool_backward")?;
            let mut launch = kernel.launch();
            launch.arg(&dy).arg(&indices).arg(&mut dx);
            launch.arg(&sizes[0]).arg(&sizes[1]).arg(&sizes[2]);
            // SAFETY: the arguments are the kernel's, with a block for each plane, and it writes
            // to no place but the planes.
            unsafe { launch.launch(config) }.w()?;
            tensor(dx, device, (n, c, h, w))
        })
    })
}

/// See [`crate::nn::avg_pool2d`].
pub(in crate::nn) fn avg_pool2d(x: &Tensor, pool: &Pool2d) -> Result<Tensor> {
    let axes = PoolAxes::new(x.dims(), pool)?;
    if !serves(&[x]) {
        return reference::avg_pool2d(x, &axes);
    }
    average(x, &axes, "average_pool", axes.output_dims())
}

/// See [`crate::nn::avg_pool2d_backward`].
pub(in crate::nn) fn avg_pool2d_backward(
    dy: &Tensor,
    x_size: [usize; 2],
    pool: &Pool2d,
) -> Result<Tensor> {
    let (n, c, _, _) = dy.dims4()?;
    let axes = PoolAxes::new(&[n, c, x_size[0], x_size[1]], pool)?;
    if dy.dims() != axes.output_dims() {
        bail!(
            "a gradient {:?} does not fit the output {:?} of the pooling",
            dy.dims(),
            axes.output_dims()
        );
    }
    if !serves(&[dy]) {
        return reference::avg_pool2d_backward(dy, &axes);
    }
    average(dy, &axes, "average_pool_backward", axes.input_dims())
}

/// One of the two kernels of averages, whose result has the sizes `dims`.
fn average(from: &Tensor, axes: &PoolAxes, name: &'static str, dims: [usize; 4]) -> Result<Tensor> {
    let (windows, count) = (Windows::of(axes)?, dims.iter().product());
    let length: u32 = number::<i32>("pooling", count)?.unsigned_abs();
    with_views([from], |device, [from]: [CudaView<'_, f32>; 1]| {
        let mut to = alloc::<f32>(device, count)?;
        let kernel = Kernel::load(device, name)?;
        let mut launch = kernel.launch();
        launch.arg(&from).arg(&mut to).arg(&windows).arg(&length);
        // SAFETY: the arguments are the kernel's; `windows` and `length` are the arrays' sizes.
        unsafe { launch.launch(for_each(count)?) }.w()?;
        tensor(to, device, &dims)
    })
}
