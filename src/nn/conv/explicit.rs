//! Convolution by patches that stand in memory, block by block, and the `gemm` crate's products: for
//! double precision, and for processors without a kernel of ours.

use super::{ConvShape, Epilogue};
use crate::nn::cpu::Real;
use crate::nn::matmul::{Mat, MatMut, Threads, matmul};
use crate::nn::patches::Patches;
use rayon::prelude::*;

/// Most partial sums of a filter gradient, hence the parallelism of that pass over images.
const FILTER_PARTS: usize = 16;
/// Elements that all partial sums of a filter gradient may hold together, unless that leaves under four.
const FILTER_PARTS_ELEMENTS: usize = 1 << 24;
/// Rows of a patch matrix that one task of the data gradient makes.
const DATA_TASK_ROWS: usize = 512;

/// The convolution of `x` with `w`, finished as `epilogue` says.
pub(super) fn forward<T: Real>(
    x: &[T],
    w: &[T],
    epilogue: Epilogue<'_, T>,
    shape: &ConvShape,
) -> Vec<T> {
    let patches = shape.patches();
    let (rows, windows, image) = (
        shape.c * patches.taps(),
        patches.windows(),
        shape.c * patches.plane(),
    );
    let mut y = vec![T::ZERO; shape.n * shape.groups * shape.o * windows];
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
    finish(&mut y, &epilogue, windows);
    y
}

/// Finishes `y` (N, O, `plane`).
fn finish<T: Real>(y: &mut [T], epilogue: &Epilogue<'_, T>, plane: usize) {
    if epilogue.bias.is_none() && !epilogue.relu {
        return;
    }
    y.par_chunks_mut(plane.max(1))
        .enumerate()
        .for_each(|(i, plane)| {
            let bias = epilogue.bias.map_or(T::ZERO, |bias| bias[i % bias.len()]);
            for y in plane {
                *y += bias;
                if epilogue.relu && *y <= T::ZERO {
                    *y = T::ZERO;
                }
            }
        });
}

/// The gradient by the input.
pub(super) fn backward_data<T: Real>(dy: &[T], w: &[T], shape: &ConvShape) -> Vec<T> {
    let patches = shape.patches();
    let (taps, windows, plane) = (patches.taps(), patches.windows(), patches.plane());
    let task_channels = (DATA_TASK_ROWS / taps).max(1);
    let mut dx = vec![T::ZERO; shape.n * shape.groups * shape.c * plane];
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
    dx
}

/// The gradient by the filters.
pub(super) fn backward_filter<T: Real>(x: &[T], dy: &[T], shape: &ConvShape) -> Vec<T> {
    let length = shape.groups * shape.group_filters();
    let patches = shape.patches();
    // Images are cut into parts by the sizes alone, so that the sum does not depend on the threads.
    let parts = (FILTER_PARTS_ELEMENTS / length.max(1)).clamp(4, FILTER_PARTS);
    let part_images = shape.n.div_ceil(parts).max(1);
    let starts: Vec<usize> = (0..shape.n).step_by(part_images).collect();
    let threads = Threads::for_tasks(starts.len());
    let partial = |&start: &usize| {
        let mut dw = vec![T::ZERO; length];
        let mut columns = Vec::new();
        let images = start..(start + part_images).min(shape.n);
        for i in images.start * shape.groups..images.end * shape.groups {
            let x = &x[i * shape.c * patches.plane()..][..shape.c * patches.plane()];
            let dy = &dy[i * shape.o * patches.windows()..][..shape.o * patches.windows()];
            let dw = &mut dw[i % shape.groups * shape.group_filters()..][..shape.group_filters()];
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
    total
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
