//! Convolution whose every filter sees one channel (`groups` = channels): plain loops over rows, a
//! plane at a time, since no sum over channels is there for a product to use.

use super::ConvShape;
use super::Epilogue;
use crate::nn::cpu::{self, Real};
use crate::nn::size::Tap;
use rayon::prelude::*;

/// Whether this is such a convolution.
pub(super) fn fits(shape: &ConvShape) -> bool {
    shape.c == 1 && shape.groups > 1
}

/// Calls `f` with the number of the tap, the first output row and the first input row of each
/// pair of rows that meet under a tap.
fn pairs(ys: &[Tap], columns: usize, stride: usize, mut f: impl FnMut(usize, usize, usize)) {
    for (down, tap) in ys.iter().enumerate() {
        for (index, row) in tap.windows.clone().enumerate() {
            f(down * columns, row, tap.start + index * stride);
        }
    }
}

/// The convolution of `x` with `w`, finished as `epilogue` says.
pub(super) fn forward<T: Real>(
    x: &[T],
    w: &[T],
    epilogue: Epilogue<'_, T>,
    shape: &ConvShape,
) -> Vec<T> {
    let (plane, windows, taps) = (shape.y.size * shape.x.size, shape.windows(), shape.taps());
    let (ys, xs) = (shape.y.taps(), shape.x.taps());
    let maps = shape.groups * shape.o;
    let mut y = vec![T::ZERO; shape.n * maps * windows];
    y.par_chunks_mut(windows)
        .enumerate()
        .for_each(|(index, y)| {
            let (image, map) = (index / maps, index % maps);
            let x = &x[(image * shape.groups + map / shape.o) * plane..][..plane];
            let w = &w[map * taps..][..taps];
            pairs(&ys, shape.x.kernel, shape.y.stride, |first, row, from| {
                let line = &x[from * shape.x.size..][..shape.x.size];
                let y = &mut y[row * shape.x.output..][..shape.x.output];
                for (&w, tap) in w[first..].iter().zip(&xs) {
                    add(
                        w,
                        &line[tap.start..],
                        shape.x.stride,
                        &mut y[tap.windows.clone()],
                    );
                }
            });
            let bias = epilogue.bias.map_or(T::ZERO, |bias| bias[map]);
            for y in y {
                *y += bias;
                if epilogue.relu && *y <= T::ZERO {
                    *y = T::ZERO;
                }
            }
        });
    y
}

/// `to ← to + w · from`, where `from` is read in steps.
fn add<T: Real>(w: T, from: &[T], step: usize, to: &mut [T]) {
    if step == 1 {
        for (to, &from) in to.iter_mut().zip(from) {
            *to += w * from;
        }
    } else {
        for (to, &from) in to.iter_mut().zip(from.iter().step_by(step)) {
            *to += w * from;
        }
    }
}

/// The gradient by the input.
pub(super) fn backward_data<T: Real>(dy: &[T], w: &[T], shape: &ConvShape) -> Vec<T> {
    let (plane, windows, taps) = (shape.y.size * shape.x.size, shape.windows(), shape.taps());
    let (ys, xs) = (shape.y.taps(), shape.x.taps());
    let mut dx = vec![T::ZERO; shape.n * shape.groups * plane];
    dx.par_chunks_mut(plane)
        .enumerate()
        .for_each(|(index, dx)| {
            let filters = index % shape.groups * shape.o..(index % shape.groups + 1) * shape.o;
            let maps = dy[index * shape.o * windows..][..shape.o * windows].chunks_exact(windows);
            for (w, dy) in w[filters.start * taps..filters.end * taps]
                .chunks_exact(taps)
                .zip(maps)
            {
                pairs(&ys, shape.x.kernel, shape.y.stride, |first, row, to| {
                    let line = &mut dx[to * shape.x.size..][..shape.x.size];
                    let dy = &dy[row * shape.x.output..][..shape.x.output];
                    for (&w, tap) in w[first..].iter().zip(&xs) {
                        let to = line[tap.start..].iter_mut().step_by(shape.x.stride);
                        for (to, &dy) in to.zip(&dy[tap.windows.clone()]) {
                            *to += w * dy;
                        }
                    }
                });
            }
        });
    dx
}

/// The gradient by the filters; the images are added in order.
pub(super) fn backward_filter<T: Real>(x: &[T], dy: &[T], shape: &ConvShape) -> Vec<T> {
    let (plane, windows, taps) = (shape.y.size * shape.x.size, shape.windows(), shape.taps());
    let (ys, xs) = (shape.y.taps(), shape.x.taps());
    let maps = shape.groups * shape.o;
    let mut dw = vec![T::ZERO; maps * taps];
    dw.par_chunks_mut(taps).enumerate().for_each(|(map, dw)| {
        let mut products = vec![T::ZERO; shape.x.output];
        for image in 0..shape.n {
            let x = &x[(image * shape.groups + map / shape.o) * plane..][..plane];
            let dy = &dy[(image * maps + map) * windows..][..windows];
            pairs(&ys, shape.x.kernel, shape.y.stride, |first, row, from| {
                let line = &x[from * shape.x.size..][..shape.x.size];
                let dy = &dy[row * shape.x.output..][..shape.x.output];
                for (dw, tap) in dw[first..].iter_mut().zip(&xs) {
                    let lines = dy[tap.windows.clone()]
                        .iter()
                        .zip(line[tap.start..].iter().step_by(shape.x.stride));
                    for (product, (&dy, &x)) in products.iter_mut().zip(lines) {
                        *product = dy * x;
                    }
                    *dw += cpu::sum(&products[..tap.windows.len()]);
                }
            });
        }
    });
    dw
}
