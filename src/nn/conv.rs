//! Two-dimensional convolution (cross-correlation, as every framework computes it) and its gradients.
//!
//! On the CPU: im2col in blocks and matrix products, in parallel over images and blocks.

mod shape;

pub(super) use shape::ConvShape;

use super::cpu::{self, Real, on_cpu, with_slices};
use super::matmul::{Mat, MatMut, Threads, matmul};
use super::patches::Patches;
use super::reference;
use super::winograd;
use candle_core::{Result, Tensor, bail};
use rayon::prelude::*;

/// Strides, padding and dilation as [vertical, horizontal], and the number of channel groups.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conv2d {
    pub stride: [usize; 2],
    pub pad: [usize; 2],
    pub dilation: [usize; 2],
    pub groups: usize,
}

impl Default for Conv2d {
    fn default() -> Self {
        Self {
            stride: [1, 1],
            pad: [0, 0],
            dilation: [1, 1],
            groups: 1,
        }
    }
}

/// Most partial sums of a filter gradient, hence the parallelism of that pass over images.
const FILTER_PARTS: usize = 16;
/// Elements that all partial sums of a filter gradient may hold together, unless that leaves under four.
const FILTER_PARTS_ELEMENTS: usize = 1 << 24;
/// Rows of a patch matrix that one task of the data gradient makes.
const DATA_TASK_ROWS: usize = 512;

/// Convolution of `x` (N, C, H, W) with `w` (O, C/groups, KH, KW) plus `bias` (O): (N, O, OH, OW),
/// sized by [`conv_output`](super::conv_output).
///
/// Errors if the shapes do not fit together or the dilated kernel is larger than the padded input.
pub fn conv2d(x: &Tensor, w: &Tensor, bias: Option<&Tensor>, conv: &Conv2d) -> Result<Tensor> {
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
    if winograd::fits(&shape, x) {
        return winograd::forward(x, w, bias, &shape);
    }
    on_cpu!(x, forward(x, w, bias, &shape), cuda conv2d(x, w, bias, conv), else reference::conv2d(x, w, bias, &shape))
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
    if winograd::fits(&shape.adjoint(), dy) {
        return winograd::backward_data(dy, w, &shape);
    }
    on_cpu!(dy, backward_data(dy, w, &shape), cuda conv2d_backward_data(dy, w, x_size, conv), else reference::conv2d_backward_data(dy, w, &shape))
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
    if winograd::fits(&shape, x) {
        return winograd::backward_filter(x, dy, &shape);
    }
    on_cpu!(x, backward_filter(x, dy, &shape), cuda conv2d_backward_filter(x, dy, kernel, conv), else reference::conv2d_backward_filter(x, dy, &shape))
}

/// Gradient of a bias per channel: the sum of `dy` (N, C, …) over all axes but the second: (C).
pub fn bias_backward(dy: &Tensor) -> Result<Tensor> {
    on_cpu!(dy, backward_bias(dy), cuda bias_backward(dy), else reference::bias_backward(dy))
}

fn forward<T: Real>(
    x: &Tensor,
    w: &Tensor,
    bias: Option<&Tensor>,
    shape: &ConvShape,
) -> Result<Tensor> {
    let patches = shape.patches();
    let (rows, windows, image) = (
        shape.c * patches.taps(),
        patches.windows(),
        shape.c * patches.plane(),
    );
    let mut y = vec![T::ZERO; shape.n * shape.groups * shape.o * windows];
    with_slices([x, w], |[x, w]| {
        let block_width = patches.block_rows(shape.c) * shape.x.output;
        let mut tasks = Vec::new();
        for (i, y) in y.chunks_mut((shape.o * windows).max(1)).enumerate() {
            let blocks = MatMut::new(y, shape.o, windows).column_blocks(block_width);
            tasks.extend(
                patches
                    .blocks(shape.c)
                    .zip(blocks)
                    .map(|(block, y)| (i, block, y)),
            );
        }
        let threads = Threads::for_tasks(tasks.len());
        tasks
            .into_par_iter()
            .for_each_init(Vec::new, |columns, (i, (first, count), mut y)| {
                let x = &x[i * image..][..image];
                let w = &w[i % shape.groups * shape.group_filters()..][..shape.group_filters()];
                let (from, width) = (first * shape.x.output, count * shape.x.output);
                let columns = if patches.is_image() {
                    Mat::new(x, rows, windows).columns(from, width)
                } else {
                    patches.gather(x, first, count, columns);
                    Mat::new(columns, rows, width)
                };
                matmul(&mut y, Mat::new(w, shape.o, rows), columns, false, threads);
            });
        Ok(())
    })?;
    if let Some(bias) = bias {
        add_bias::<T>(&mut y, bias, windows)?;
    }
    cpu::tensor(y, &shape.output_dims())
}

/// Adds `bias` (C) to `y` (N, C, `plane`).
fn add_bias<T: Real>(y: &mut [T], bias: &Tensor, plane: usize) -> Result<()> {
    with_slices([bias], |[bias]: [&[T]; 1]| {
        y.par_chunks_mut(plane.max(1))
            .enumerate()
            .for_each(|(i, plane)| {
                let bias = bias[i % bias.len()];
                for y in plane {
                    *y += bias;
                }
            });
        Ok(())
    })
}

fn backward_data<T: Real>(dy: &Tensor, w: &Tensor, shape: &ConvShape) -> Result<Tensor> {
    let patches = shape.patches();
    let (taps, windows, plane) = (patches.taps(), patches.windows(), patches.plane());
    let task_channels = (DATA_TASK_ROWS / taps).max(1);
    let mut dx = vec![T::ZERO; shape.n * shape.groups * shape.c * plane];
    with_slices([dy, w], |[dy, w]| {
        let mut tasks = Vec::new();
        for (i, dx) in dx.chunks_mut((shape.c * plane).max(1)).enumerate() {
            let channels = dx.chunks_mut(task_channels * plane).enumerate();
            tasks.extend(channels.map(|(j, dx)| (i, j * task_channels, dx)));
        }
        let threads = Threads::for_tasks(tasks.len());
        tasks
            .into_par_iter()
            .for_each_init(Vec::new, |columns, (i, channel, dx)| {
                let channels = dx.len() / plane;
                let rows = channels * taps;
                let w = &w[i % shape.groups * shape.group_filters()..][..shape.group_filters()];
                let w = Mat::new(w, shape.o, shape.c * taps)
                    .columns(channel * taps, rows)
                    .t();
                let dy = Mat::new(
                    &dy[i * shape.o * windows..][..shape.o * windows],
                    shape.o,
                    windows,
                );
                if patches.is_image() {
                    matmul(&mut MatMut::new(dx, rows, windows), w, dy, false, threads);
                    return;
                }
                for (first, count) in patches.blocks(channels) {
                    let width = count * shape.x.output;
                    columns.resize(rows * width, T::ZERO);
                    let dy = dy.columns(first * shape.x.output, width);
                    matmul(
                        &mut MatMut::new(columns, rows, width),
                        w,
                        dy,
                        false,
                        threads,
                    );
                    patches.scatter_add(columns, first, count, dx);
                }
            });
        Ok(())
    })?;
    cpu::tensor(dx, &shape.input_dims())
}

fn backward_filter<T: Real>(x: &Tensor, dy: &Tensor, shape: &ConvShape) -> Result<Tensor> {
    let length = shape.groups * shape.group_filters();
    let patches = shape.patches();
    // Images are cut into parts by the sizes alone, so that the sum does not depend on the threads.
    let parts = (FILTER_PARTS_ELEMENTS / length.max(1)).clamp(4, FILTER_PARTS);
    let part_images = shape.n.div_ceil(parts).max(1);
    let dw = with_slices([x, dy], |[x, dy]| {
        let starts: Vec<usize> = (0..shape.n).step_by(part_images).collect();
        let threads = Threads::for_tasks(starts.len());
        let partial = |&start: &usize| {
            let mut dw = vec![T::ZERO; length];
            let mut columns = Vec::new();
            let images = start..(start + part_images).min(shape.n);
            for i in images.start * shape.groups..images.end * shape.groups {
                let x = &x[i * shape.c * patches.plane()..][..shape.c * patches.plane()];
                let dy = &dy[i * shape.o * patches.windows()..][..shape.o * patches.windows()];
                let dw =
                    &mut dw[i % shape.groups * shape.group_filters()..][..shape.group_filters()];
                add_filter_gradient(x, dy, shape, &patches, &mut columns, dw, threads);
            }
            dw
        };
        let mut sums: Vec<Vec<T>> = starts.par_iter().map(partial).collect();
        let mut total = if sums.is_empty() {
            vec![T::ZERO; length]
        } else {
            sums.remove(0)
        };
        for part in &sums {
            for (total, &part) in total.iter_mut().zip(part) {
                *total += part;
            }
        }
        Ok(total)
    })?;
    cpu::tensor(dw, &shape.filter_dims())
}

/// Adds what one image and group contributes to the filter gradient `dw` of its group.
fn add_filter_gradient<T: Real>(
    x: &[T],
    dy: &[T],
    shape: &ConvShape,
    patches: &Patches,
    columns: &mut Vec<T>,
    dw: &mut [T],
    threads: Threads,
) {
    let (rows, windows) = (shape.c * patches.taps(), patches.windows());
    let dy = Mat::new(dy, shape.o, windows);
    let mut dw = MatMut::new(dw, shape.o, rows);
    if patches.is_image() {
        matmul(&mut dw, dy, Mat::new(x, rows, windows).t(), true, threads);
        return;
    }
    for (first, count) in patches.blocks(shape.c) {
        let width = count * shape.x.output;
        patches.gather(x, first, count, columns);
        let dy = dy.columns(first * shape.x.output, width);
        matmul(
            &mut dw,
            dy,
            Mat::new(columns, rows, width).t(),
            true,
            threads,
        );
    }
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
