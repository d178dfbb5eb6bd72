//! The operations written with Candle's own forward operations: what other devices run, and what
//! the tests hold the CPU paths against.
//!
//! The functions here trust their arguments: the ones of the same names in `nn` check first.
//! Sliding windows are made of two adjoint steps: `unfold` lays the taps of every window side by
//! side, `fold` adds them back to where they came from.

use super::conv::ConvShape;
use super::loss::Averaging;
use super::pool::PoolAxes;
use super::size::Axis;
use candle_core::{DType, Device, Result, Tensor};

/// See [`super::conv2d`].
pub(super) fn conv2d(
    x: &Tensor,
    w: &Tensor,
    bias: Option<&Tensor>,
    shape: &ConvShape,
) -> Result<Tensor> {
    let y = filter_matrices(w, shape)?.broadcast_matmul(&patch_matrices(x, shape)?)?;
    let y = y.reshape(&shape.output_dims())?;
    match bias {
        Some(bias) => y.broadcast_add(&bias.reshape((1, (), 1, 1))?),
        None => Ok(y),
    }
}

/// See [`super::conv2d_backward_data`].
pub(super) fn conv2d_backward_data(dy: &Tensor, w: &Tensor, shape: &ConvShape) -> Result<Tensor> {
    let columns = filter_matrices(w, shape)?
        .transpose(2, 3)?
        .broadcast_matmul(&gradient_matrices(dy, shape)?)?;
    let taps = shape.y.kernel * shape.x.kernel;
    let channels = shape.groups * shape.c;
    fold(
        &columns.reshape((shape.n, channels, taps, shape.y.output, shape.x.output))?,
        &shape.y,
        &shape.x,
    )
}

/// See [`super::conv2d_backward_filter`].
pub(super) fn conv2d_backward_filter(x: &Tensor, dy: &Tensor, shape: &ConvShape) -> Result<Tensor> {
    let columns = patch_matrices(x, shape)?.transpose(2, 3)?.contiguous()?;
    gradient_matrices(dy, shape)?
        .matmul(&columns)?
        .sum(0)?
        .reshape(&shape.filter_dims())
}

/// See [`super::bias_backward`].
pub(super) fn bias_backward(dy: &Tensor) -> Result<Tensor> {
    dy.transpose(0, 1)?.flatten_from(1)?.sum(1)
}

/// See [`super::max_pool2d`].
pub(super) fn max_pool2d(x: &Tensor, axes: &PoolAxes) -> Result<(Tensor, Tensor)> {
    let patches = unfold(x, &axes.y, &axes.x, f64::NEG_INFINITY)?;
    let y = patches.max(2)?;
    let tap = patches.argmax_keepdim(2)?;
    let index_of_tap = tap_indices(axes, x.device())?
        .broadcast_as(patches.shape())?
        .contiguous()?;
    let indices = index_of_tap.gather(&tap.contiguous()?, 2)?.squeeze(2)?;
    Ok((y, indices))
}

/// See [`super::max_pool2d_backward`].
pub(super) fn max_pool2d_backward(
    dy: &Tensor,
    indices: &Tensor,
    x_size: [usize; 2],
) -> Result<Tensor> {
    let (n, c, oh, ow) = dy.dims4()?;
    let [h, w] = x_size;
    let dx = Tensor::zeros((n * c, h * w), dy.dtype(), dy.device())?;
    let rows = (n * c, oh * ow);
    dx.scatter_add(&indices.reshape(rows)?, &dy.reshape(rows)?, 1)?
        .reshape((n, c, h, w))
}

/// See [`super::avg_pool2d`].
pub(super) fn avg_pool2d(x: &Tensor, axes: &PoolAxes) -> Result<Tensor> {
    unfold(x, &axes.y, &axes.x, 0.0)?
        .sum(2)?
        .broadcast_div(&divisors(axes, x)?)
}

/// See [`super::avg_pool2d_backward`].
pub(super) fn avg_pool2d_backward(dy: &Tensor, axes: &PoolAxes) -> Result<Tensor> {
    let share = dy.broadcast_div(&divisors(axes, dy)?)?.unsqueeze(2)?;
    let (n, c, oh, ow) = dy.dims4()?;
    let taps = axes.y.kernel * axes.x.kernel;
    fold(&share.broadcast_as((n, c, taps, oh, ow))?, &axes.y, &axes.x)
}

/// See [`super::linear`].
pub(super) fn linear(x: &Tensor, w: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let y = x.matmul(&w.t()?)?;
    match bias {
        Some(bias) => y.broadcast_add(bias),
        None => Ok(y),
    }
}

/// See [`super::relu`].
pub(super) fn relu(x: &Tensor, negative_slope: f64) -> Result<Tensor> {
    x.gt(0.0)?.where_cond(x, &(x * negative_slope)?)
}

/// See [`super::relu_backward`].
pub(super) fn relu_backward(x: &Tensor, dy: &Tensor, negative_slope: f64) -> Result<Tensor> {
    x.gt(0.0)?.where_cond(dy, &(dy * negative_slope)?)
}

/// See [`super::sigmoid`].
pub(super) fn sigmoid(x: &Tensor) -> Result<Tensor> {
    (x.neg()?.exp()? + 1.0)?.recip()
}

/// See [`super::sigmoid_backward`].
pub(super) fn sigmoid_backward(y: &Tensor, dy: &Tensor) -> Result<Tensor> {
    (dy * y)? * y.affine(-1.0, 1.0)?
}

/// See [`super::tanh_backward`].
pub(super) fn tanh_backward(y: &Tensor, dy: &Tensor) -> Result<Tensor> {
    dy * y.sqr()?.affine(-1.0, 1.0)?
}

/// See [`super::softmax`].
pub(super) fn softmax(x: &Tensor) -> Result<Tensor> {
    let y = x.broadcast_sub(&x.max_keepdim(1)?)?.exp()?;
    y.broadcast_div(&y.sum_keepdim(1)?)
}

/// See [`super::softmax_backward`].
pub(super) fn softmax_backward(y: &Tensor, dy: &Tensor) -> Result<Tensor> {
    y * dy.broadcast_sub(&(y * dy)?.sum_keepdim(1)?)?
}

/// See [`super::softmax_cross_entropy`].
pub(super) fn softmax_cross_entropy(
    x: &Tensor,
    labels: &Tensor,
    averaging: &Averaging,
    divisor: f64,
) -> Result<(Tensor, Tensor)> {
    let (labels, kept) = averaging.kept(labels, x.dtype())?;
    let relative = x.broadcast_sub(&x.max_keepdim(1)?)?;
    let log_sum = relative.exp()?.sum_keepdim(1)?.log()?;
    let of_label = relative.gather(&labels.unsqueeze(1)?.contiguous()?, 1)?;
    let mut losses = (log_sum - of_label)?;
    if let Some(kept) = kept {
        losses = (losses * kept.unsqueeze(1)?)?;
    }
    Ok(((losses.sum_all()? / divisor)?, softmax(x)?))
}

/// See [`super::softmax_cross_entropy_backward`].
pub(super) fn softmax_cross_entropy_backward(
    p: &Tensor,
    labels: &Tensor,
    averaging: &Averaging,
    d_loss: &Tensor,
    divisor: f64,
) -> Result<Tensor> {
    let (labels, kept) = averaging.kept(labels, p.dtype())?;
    let index = labels.unsqueeze(1)?.contiguous()?;
    let minus_one = Tensor::ones(index.shape(), p.dtype(), p.device())?.neg()?;
    let mut dx = p.contiguous()?.scatter_add(&index, &minus_one, 1)?;
    if let Some(kept) = kept {
        dx = dx.broadcast_mul(&kept.unsqueeze(1)?)?;
    }
    dx.broadcast_mul(d_loss)? / divisor
}

/// Filters as matrices (1, groups, O, C·KH·KW), O and C being those of one group.
fn filter_matrices(w: &Tensor, shape: &ConvShape) -> Result<Tensor> {
    w.contiguous()?.reshape((1, shape.groups, shape.o, ()))
}

/// Patches as matrices (N, groups, C·KH·KW, OH·OW).
fn patch_matrices(x: &Tensor, shape: &ConvShape) -> Result<Tensor> {
    let rows = shape.c * shape.y.kernel * shape.x.kernel;
    let windows = shape.y.output * shape.x.output;
    unfold(x, &shape.y, &shape.x, 0.0)?.reshape((shape.n, shape.groups, rows, windows))
}

/// A gradient of the output as matrices (N, groups, O, OH·OW).
fn gradient_matrices(dy: &Tensor, shape: &ConvShape) -> Result<Tensor> {
    dy.contiguous()?.reshape((
        shape.n,
        shape.groups,
        shape.o,
        shape.y.output * shape.x.output,
    ))
}

/// The taps of all windows over `x` (N, C, H, W), with `outside` on the padding: (N, C, KH·KW, OH, OW).
fn unfold(x: &Tensor, y_axis: &Axis, x_axis: &Axis, outside: f64) -> Result<Tensor> {
    let x = pad(&pad(x, 2, y_axis, outside)?, 3, x_axis, outside)?;
    let mut taps = Vec::with_capacity(y_axis.kernel * x_axis.kernel);
    for ky in 0..y_axis.kernel {
        let rows = x.index_select(&tap_positions(y_axis, ky, x.device())?, 2)?;
        for kx in 0..x_axis.kernel {
            taps.push(rows.index_select(&tap_positions(x_axis, kx, x.device())?, 3)?);
        }
    }
    Tensor::stack(&taps, 2)
}

/// Adds the taps of all windows (N, C, KH·KW, OH, OW) where they came from, (N, C, H, W): the adjoint of `unfold`.
fn fold(taps: &Tensor, y_axis: &Axis, x_axis: &Axis) -> Result<Tensor> {
    let (n, c, _, oh, _) = taps.dims5()?;
    let (dtype, device) = (taps.dtype(), taps.device());
    let mut x = Tensor::zeros((n, c, padded(y_axis), padded(x_axis)), dtype, device)?;
    for ky in 0..y_axis.kernel {
        let mut rows = Tensor::zeros((n, c, oh, padded(x_axis)), dtype, device)?;
        for kx in 0..x_axis.kernel {
            let tap = taps
                .narrow(2, ky * x_axis.kernel + kx, 1)?
                .squeeze(2)?
                .contiguous()?;
            rows = rows.index_add(&tap_positions(x_axis, kx, device)?, &tap, 3)?;
        }
        x = x.index_add(&tap_positions(y_axis, ky, device)?, &rows, 2)?;
    }
    x.narrow(2, y_axis.pad, y_axis.size)?
        .narrow(3, x_axis.pad, x_axis.size)?
        .contiguous()
}

/// The extent of the padded axis, with what windows hanging over its end need.
fn padded(axis: &Axis) -> usize {
    let reached = (axis.output - 1) * axis.stride + (axis.kernel - 1) * axis.dilation + 1;
    reached.max(axis.pad + axis.size)
}

fn pad(x: &Tensor, dim: usize, axis: &Axis, value: f64) -> Result<Tensor> {
    let border = |count: usize| -> Result<Tensor> {
        let mut dims = x.dims().to_vec();
        dims[dim] = count;
        (Tensor::zeros(dims, x.dtype(), x.device())? + value)?.contiguous()
    };
    let after = padded(axis) - axis.pad - axis.size;
    Tensor::cat(&[&border(axis.pad)?, x, &border(after)?], dim)
}

/// The positions on the padded axis that tap `tap` of each window reads.
fn tap_positions(axis: &Axis, tap: usize, device: &Device) -> Result<Tensor> {
    let positions =
        (0..axis.output).map(|window| (window * axis.stride + tap * axis.dilation) as u32);
    Tensor::from_iter(positions, device)
}

/// The index in its plane of each tap of each window, (1, 1, KH·KW, OH, OW); 0 on the padding.
fn tap_indices(axes: &PoolAxes, device: &Device) -> Result<Tensor> {
    let (y, x) = (&axes.y, &axes.x);
    let mut indices = Vec::new();
    for (ky, kx) in (0..y.kernel).flat_map(|ky| (0..x.kernel).map(move |kx| (ky, kx))) {
        for (wy, wx) in (0..y.output).flat_map(|wy| (0..x.output).map(move |wx| (wy, wx))) {
            let inside = y.windows(ky).contains(&wy) && x.windows(kx).contains(&wx);
            indices.push(if inside {
                (y.input(wy, ky) * x.size + x.input(wx, kx)) as u32
            } else {
                0
            });
        }
    }
    Tensor::from_vec(
        indices,
        (1, 1, y.kernel * x.kernel, y.output, x.output),
        device,
    )
}

/// What each window's sum is divided by, (1, 1, OH, OW).
fn divisors(axes: &PoolAxes, like: &Tensor) -> Result<Tensor> {
    let windows = (0..axes.y.output).flat_map(|wy| (0..axes.x.output).map(move |wx| (wy, wx)));
    let divisors: Vec<f64> = windows.map(|(wy, wx)| axes.divisor(wy, wx)).collect();
    let shape = (1, 1, axes.y.output, axes.x.output);
    Tensor::from_vec(divisors, shape, &Device::Cpu)?
        .to_dtype(DType::F32)?
        .to_dtype(like.dtype())?
        .to_device(like.device())
}
