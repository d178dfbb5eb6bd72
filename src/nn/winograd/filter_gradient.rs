//! The gradient by the filters, Winograd's way: tiles of the input and of the output's gradient
//! meet in 36 products over all tiles.

use std::ops::Range;

use rayon::prelude::*;

use super::lanes::{self, Forward, Places};
use super::tiles::{Planes, Tiles};
use super::{GAP, LANES, PLACES, level, panels, shared_block};
use crate::nn::conv::ConvShape;
use crate::nn::cpu::room;
use crate::nn::product::{Left, Level, Maps, multiply_tile, scratch};

/// [`crate::nn::conv2d_backward_filter`] of a shape that [`super::fits`].
pub(in crate::nn) fn backward_filter(x: &[f32], dy: &[f32], shape: &ConvShape) -> Vec<f32> {
    let (c, o, level) = (shape.c, shape.o, level());
    let tiles = Tiles::of(shape.n, shape.y.output, shape.x.output);
    let (inputs, gradients) = (Planes::inputs(x, shape), Planes::gradients(dy, shape));
    let columns: usize = panels(level, c).map(|(_, width)| width).sum();
    let groups = o.div_ceil(LANES);
    let step = shared_block(tiles.count(), c + o, 1).min(tiles.count());
    let of_inputs = |depth: usize| PLACES * (depth * columns + GAP * panels(level, c).count());
    let of_gradients = |depth: usize| PLACES * groups * (depth * LANES + GAP);
    scratch(PLACES * o * columns, |du| {
        scratch(of_inputs(step), |v| {
            scratch(of_gradients(step), |m| {
                for first in (0..tiles.count()).step_by(step) {
                    let block = first..tiles.count().min(first + step);
                    let (v, m) = (
                        &mut v[..of_inputs(block.len())],
                        &mut m[..of_gradients(block.len())],
                    );
                    transform(Forward::Input, &inputs, &tiles, &block, panels(level, c), v);
                    let of_groups = (0..groups).map(|group| (group * LANES, LANES));
                    transform(Forward::Gradient, &gradients, &tiles, &block, of_groups, m);
                    let places = du.par_chunks_mut(o * columns).enumerate();
                    places.for_each(|(place, du)| {
                        let to = Maps::matrix(du, o, columns);
                        multiply(level, place, (v, m), block.len(), first > 0, (c, to));
                    });
                }
            });
        });
        back(du, columns, shape)
    })
}

/// The products of one place over the tiles of a block.
fn multiply(
    level: Level,
    place: usize,
    (v, m): (&[f32], &[f32]),
    depth: usize,
    accumulate: bool,
    (c, mut to): (usize, Maps<'_>),
) {
    let o = to.rows().end;
    let mut rest = v;
    for (start, width) in panels(level, c) {
        let image = depth * width + GAP;
        let right = &rest[place * image..][..depth * width];
        rest = &rest[PLACES * image..];
        for row in (0..o).step_by(level.rows()) {
            let (group, image) = (row / LANES, depth * LANES + GAP);
            let m = &m[(group * PLACES + place) * image..][..depth * LANES];
            let left = Left::Packed {
                data: &m[row % LANES..],
                stride: LANES,
            };
            let rows = row..o.min(row + level.rows());
            multiply_tile(
                level,
                left,
                right,
                accumulate,
                &mut to,
                rows,
                start..start + width,
            );
        }
    }
}

/// The tiles of a block at each place, channels side by side: for each panel of channels,
/// `[place][tile][channel]`.
fn transform(
    kind: Forward,
    planes: &Planes<'_>,
    tiles: &Tiles,
    block: &Range<usize>,
    panels: impl Iterator<Item = (usize, usize)>,
    out: &mut [f32],
) {
    let (mut parts, mut rest, depth) = (Vec::new(), out, block.len());
    for (start, width) in panels {
        let image = depth * width + GAP;
        let (now, later) = rest.split_at_mut(PLACES * image);
        let maps = Maps::spaced(now, image, width, 0..depth);
        parts.extend(
            maps.parts(32, PLACES * width)
                .into_iter()
                .map(|part| (start, width, part)),
        );
        rest = later;
    }
    let last = planes.channels() - 1;
    parts.into_par_iter().for_each(|(start, width, mut part)| {
        let mut places: Places = [[0.0; LANES]; PLACES];
        for tile in part.rows() {
            let at = tiles.at(block.start + tile);
            for group in (0..width).step_by(LANES) {
                let channel = |lane: usize| (at, (start + group + lane).min(last));
                planes.transform(kind, channel, &mut places);
                for (to, values) in part.rows_of_images(tile).zip(&places) {
                    to[group..][..LANES].copy_from_slice(values);
                }
            }
        }
    });
}

/// From the gradients at each place (place, O, `columns`) to those by the filters (O, C, 3, 3).
fn back(du: &[f32], columns: usize, shape: &ConvShape) -> Vec<f32> {
    let (c, o) = (shape.c, shape.o);
    let mut dw = room(o * c * 9);
    dw.par_chunks_mut(9 * c)
        .enumerate()
        .for_each(|(output, dw)| {
            let mut places: Places = [[0.0; LANES]; PLACES];
            let mut taps = [[0f32; LANES]; 9];
            for (group, dw) in dw.chunks_mut(9 * LANES).enumerate() {
                for (place, values) in places.iter_mut().enumerate() {
                    values.copy_from_slice(
                        &du[(place * o + output) * columns + group * LANES..][..LANES],
                    );
                }
                lanes::filter_gradients(&places, &mut taps);
                for (lane, dw) in dw.chunks_exact_mut(9).enumerate() {
                    for (to, tap) in dw.iter_mut().zip(&taps) {
                        *to = tap[lane];
                    }
                }
            }
        });
    dw
}
