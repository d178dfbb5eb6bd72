//! Convolution as products with implicit patches, in single precision: forward, and the gradient
//! by the input, which is one such product for each phase of the stride.

use super::windows::{Filters, Offset, Phases, Windows};
use super::{ConvShape, Epilogue};
use crate::nn::cpu::room;
use crate::nn::product::{Bias, Finish, Level, Maps, Rows, product};
use crate::nn::size::Axis;
use rayon::prelude::*;

/// The convolution of `x` with `w`, finished as `epilogue` says.
pub(super) fn forward(
    level: Level,
    x: &[f32],
    w: &[f32],
    epilogue: Epilogue<'_>,
    shape: &ConvShape,
) -> Vec<f32> {
    let (taps, windows) = (shape.taps(), shape.windows());
    let mut y = room(shape.n * shape.groups * shape.o * windows);
    let strided = shape.y.stride > 1 || shape.x.stride > 1;
    let phases = Phases::new(shape);
    let (cut, plane, size, offsets);
    let source = if strided {
        cut = phases.cut_all(x);
        (plane, size, offsets) = (phases.plane(), phases.size, phases.taps());
        &cut[..]
    } else {
        (plane, size) = (shape.y.size * shape.x.size, [shape.y.size, shape.x.size]);
        offsets = plain_taps(shape);
        x
    };
    for group in 0..shape.groups {
        let windows_side = Windows {
            source,
            base: group * shape.c * plane,
            image: shape.groups * shape.c * plane,
            channel: plane,
            images: shape.n,
            channels: shape.c,
            size,
            output: [shape.y.output, shape.x.output],
            taps: offsets.clone(),
        }
        .flattened();
        let rows = group * shape.o..(group + 1) * shape.o;
        let filters = &w[rows.start * shape.c * taps..rows.end * shape.c * taps];
        let finish = Finish {
            bias: epilogue
                .bias
                .map_or(Bias::None, |bias| Bias::Rows(&bias[rows.clone()])),
            relu: epilogue.relu,
        };
        let to = Maps::new(&mut y, shape.groups * shape.o, windows, rows);
        let depth = shape.c * taps;
        if taps == 1 {
            let filters = Rows {
                data: filters,
                lanes: shape.o,
                stride: shape.c,
            };
            product(level, to, &filters, &windows_side, depth, &finish);
        } else {
            let filters = Filters {
                data: filters,
                lanes: shape.o,
                lane: shape.c * taps,
                channels: shape.c,
                channel: taps,
                taps: (0..taps).collect(),
            };
            product(level, to, &filters, &windows_side, depth, &finish);
        }
    }
    y
}

/// Where the taps look in the input itself, at a stride of one.
fn plain_taps(shape: &ConvShape) -> Vec<Offset> {
    let at = |axis: &Axis, tap: usize| (tap * axis.dilation).cast_signed() - axis.pad.cast_signed();
    let places =
        (0..shape.y.kernel).flat_map(|down| (0..shape.x.kernel).map(move |across| (down, across)));
    places
        .map(|(down, across)| Offset {
            plane: 0,
            down: at(&shape.y, down),
            across: at(&shape.x, across),
        })
        .collect()
}

/// The taps that reach the input positions of one phase of the stride, each with how far the
/// window lies from the position's number in its phase.
fn taps_of_phase(axis: &Axis, phase: usize) -> Vec<(usize, isize)> {
    let reach = |tap: usize| {
        let distance = (phase + axis.pad).cast_signed() - (tap * axis.dilation).cast_signed();
        let stride = axis.stride.cast_signed();
        (distance.rem_euclid(stride) == 0).then(|| (tap, distance.div_euclid(stride)))
    };
    (0..axis.kernel).filter_map(reach).collect()
}

/// The gradient by the input.
pub(super) fn backward_data(level: Level, dy: &[f32], w: &[f32], shape: &ConvShape) -> Vec<f32> {
    let plane = shape.y.size * shape.x.size;
    let strides = [shape.y.stride, shape.x.stride];
    if strides == [1, 1] {
        let mut dx = room(shape.n * shape.groups * shape.c * plane);
        phase(
            level,
            dy,
            w,
            shape,
            [0, 0],
            [shape.y.size, shape.x.size],
            &mut dx,
        );
        return dx;
    }
    let mut dx = vec![0f32; shape.n * shape.groups * shape.c * plane];
    let mut part = Vec::new();
    for down in 0..strides[0].min(shape.y.size) {
        for across in 0..strides[1].min(shape.x.size) {
            let size = [
                (shape.y.size - down).div_ceil(strides[0]),
                (shape.x.size - across).div_ceil(strides[1]),
            ];
            part.clear();
            part.resize(shape.n * shape.groups * shape.c * size[0] * size[1], 0.0);
            if !phase(level, dy, w, shape, [down, across], size, &mut part) {
                continue;
            }
            let planes = dx
                .par_chunks_mut(plane)
                .zip(part.par_chunks(size[0] * size[1]));
            planes
                .with_min_len((4096 / plane).max(1))
                .for_each(|(dx, part)| {
                    let lines = dx
                        .chunks_exact_mut(shape.x.size)
                        .skip(down)
                        .step_by(strides[0]);
                    for (line, part) in lines.zip(part.chunks_exact(size[1])) {
                        for (to, &from) in
                            line.iter_mut().skip(across).step_by(strides[1]).zip(part)
                        {
                            *to = from;
                        }
                    }
                });
        }
    }
    dx
}

/// The gradient by the input positions of one phase, `size` of them down and across; `false` where
/// no tap reaches them and `dx` stays.
fn phase(
    level: Level,
    dy: &[f32],
    w: &[f32],
    shape: &ConvShape,
    [down, across]: [usize; 2],
    size: [usize; 2],
    dx: &mut [f32],
) -> bool {
    let (taps, windows) = (shape.taps(), shape.windows());
    let (ys, xs) = (
        taps_of_phase(&shape.y, down),
        taps_of_phase(&shape.x, across),
    );
    if ys.is_empty() || xs.is_empty() {
        return false;
    }
    let both = || ys.iter().flat_map(|y| xs.iter().map(move |x| (y, x)));
    let offsets: Vec<_> = both()
        .map(|(y, x)| Offset {
            plane: 0,
            down: y.1,
            across: x.1,
        })
        .collect();
    let numbers: Vec<_> = both().map(|(y, x)| y.0 * shape.x.kernel + x.0).collect();
    for group in 0..shape.groups {
        let windows_side = Windows {
            source: dy,
            base: group * shape.o * windows,
            image: shape.groups * shape.o * windows,
            channel: windows,
            images: shape.n,
            channels: shape.o,
            size: [shape.y.output, shape.x.output],
            output: size,
            taps: offsets.clone(),
        }
        .flattened();
        let filters = Filters {
            data: &w[group * shape.group_filters()..][..shape.group_filters()],
            lanes: shape.c,
            lane: taps,
            channels: shape.o,
            channel: shape.c * taps,
            taps: numbers.clone(),
        };
        let rows = group * shape.c..(group + 1) * shape.c;
        let to = Maps::new(dx, shape.groups * shape.c, size[0] * size[1], rows);
        product(
            level,
            to,
            &filters,
            &windows_side,
            shape.o * numbers.len(),
            &Finish::default(),
        );
    }
    true
}
