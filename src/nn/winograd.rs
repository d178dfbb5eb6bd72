//! Convolution by 3 × 3 filters in steps of one with a quarter of the multiplications: Winograd's
//! minimal filtering F(4×4, 3×3), as Lavin and Gray wrote it for networks (CVPR 2016).
//!
//! The input is cut into overlapping tiles of 6 × 6, each for 4 × 4 outputs. Transformed tiles and
//! filters meet in 36 products of matrices, one for each place of a tile; the transforms write
//! what they make as panels of these products. Tiles go through in blocks that stay in the cache;
//! a block's size follows from the shapes alone, so the sums have the same order at any number of
//! threads. `f32` only; an output's error is about ten times that of a plain sum.

mod filter_gradient;
mod lanes;
mod tiles;

pub(super) use filter_gradient::backward_filter;
#[cfg(test)]
pub(super) use lanes::available;

use std::ops::Range;

use candle_core::{DType, Tensor};
use rayon::prelude::*;

use super::conv::{ConvShape, Epilogue};
use super::cpu::room;
use super::product::{Left, Level, Maps, depth_blocks, multiply_tile, scratch};
use lanes::{Forward, Places};
use tiles::{Planes, Tiles};

/// Sides of a tile and of its outputs, and the places of a tile.
const SIDE: usize = 6;
const STEP: usize = 4;
const PLACES: usize = SIDE * SIDE;

/// Tiles that one pass of the transforms takes.
const LANES: usize = lanes::COUNT;

/// Numbers of one block's transformed inputs and outputs.
const BLOCK: usize = 1 << 20;
/// Least tiles of a block: fewer would read the filters too often.
const TILES: usize = 96;

/// Numbers between the places of panels: without them all places of a tile would fall into the
/// same few lines of the caches, whose sets repeat after a power of two.
const GAP: usize = 16;

/// Whether this processor and this convolution are for Winograd's way; fewer channels are faster
/// by plain products. The number of images does not count: an example gives the same bits alone
/// and in a batch.
pub(super) fn fits(shape: &ConvShape, x: &Tensor) -> bool {
    let is_plain = |axis: &super::size::Axis| {
        axis.kernel == 3 && axis.stride == 1 && axis.dilation == 1 && axis.pad <= 2
    };
    is_plain(&shape.y)
        && is_plain(&shape.x)
        && shape.groups == 1
        && shape.c >= 16
        && shape.o >= 16
        && shape.y.output * shape.x.output >= STEP * STEP
        && x.device().is_cpu()
        && x.dtype() == DType::F32
        && lanes::available()
        && Level::here().is_some()
}

/// The level of this machine: `fits` has found one, and the portable one would do as well.
fn level() -> Level {
    Level::here().unwrap_or(Level::Four)
}

/// Tiles of one block for so many channels in and out: about as many as the cache holds, in blocks
/// of one size.
fn block_size(total: usize, channels: usize, multiple: usize) -> usize {
    let most = (BLOCK / (PLACES * channels)).max(TILES);
    let blocks = ((total + most / 2) / most).max(1);
    total.div_ceil(blocks).next_multiple_of(multiple)
}

/// The panels of `count` lanes as (first lane, width): the last one is as narrow as it may be.
fn panels(level: Level, count: usize) -> impl Iterator<Item = (usize, usize)> {
    let (full, step) = (level.columns() / LANES * LANES, LANES.max(level.lanes()));
    (0..count).step_by(full).map(move |first| (first, full.min((count - first).next_multiple_of(step))))
}

/// The strides of a bank of filters as one direction sees it.
struct Bank<'a> {
    w: &'a [f32],
    inputs: usize,
    outputs: usize,
    /// Numbers from one output's filters to the next, and from one input's.
    output: usize,
    input: usize,
    /// Whether each filter is read from its end.
    turned: bool,
}

impl Bank<'_> {
    /// Numbers of all transformed filters at one place.
    fn place(&self) -> usize {
        self.outputs.next_multiple_of(LANES) * self.inputs + GAP
    }

    /// The filters at each place, as left panels: `[place][tile of outputs][input][rows]`.
    fn transform(&self, level: Level, u: &mut [f32]) {
        let rows = level.rows();
        let outputs = self.outputs.next_multiple_of(LANES);
        let groups = Maps::spaced(u, self.place(), LANES * self.inputs, 0..outputs / LANES);
        groups.parts(1, PLACES * LANES * self.inputs).into_par_iter().for_each(|mut part| {
            let group = part.rows().start;
            let mut places: Places = [[0.0; LANES]; PLACES];
            for input in 0..self.inputs {
                let taps = std::array::from_fn(|tap| {
                    let tap = if self.turned { 8 - tap } else { tap };
                    std::array::from_fn(|lane| {
                        let output = (group * LANES + lane).min(self.outputs - 1);
                        self.w[output * self.output + input * self.input + tap]
                    })
                });
                lanes::filters(&taps, &mut places);
                for (to, values) in part.rows_of_images(group).zip(&places) {
                    // A group of eight outputs is one tile of rows, or two of four.
                    for (tile, values) in values.chunks_exact(rows).enumerate() {
                        to[(tile * self.inputs + input) * rows..][..rows].copy_from_slice(values);
                    }
                }
            }
        });
    }
}

/// [`super::conv2d`] of a shape that [`fits`], finished as `epilogue` says.
pub(super) fn forward(x: &[f32], w: &[f32], epilogue: Epilogue<'_>, shape: &ConvShape) -> Vec<f32> {
    let bank = Bank {
        w,
        inputs: shape.c,
        outputs: shape.o,
        output: shape.c * 9,
        input: 9,
        turned: false,
    };
    convolve(x, &bank, epilogue, shape)
}

/// The gradient by the input: the convolution of `dy` with the filters turned round.
pub(super) fn backward_data(dy: &[f32], w: &[f32], shape: &ConvShape) -> Vec<f32> {
    let bank = Bank {
        w,
        inputs: shape.o,
        outputs: shape.c,
        output: 9,
        input: shape.c * 9,
        turned: true,
    };
    convolve(dy, &bank, Epilogue::default(), &shape.adjoint())
}

fn convolve(x: &[f32], bank: &Bank<'_>, epilogue: Epilogue<'_>, shape: &ConvShape) -> Vec<f32> {
    let (c, o, level) = (shape.c, shape.o, level());
    let tiles = Tiles::of(shape.n, shape.y.output, shape.x.output);
    let planes = Planes::inputs(x, shape);
    let plane = shape.y.output * shape.x.output;
    let mut y = room(shape.n * o * plane);
    let step = block_size(tiles.count(), c + o, level.columns() / LANES * LANES);
    let numbers = |tiles: usize, channels: usize, gap: usize| -> usize {
        panels(level, tiles).map(|(_, width)| PLACES * (channels * width + gap)).sum()
    };
    let most = step.min(tiles.count());
    scratch(PLACES * bank.place(), |u| {
        bank.transform(level, u);
        scratch(numbers(most, c, GAP), |v| {
            scratch(numbers(most, o, 0), |m| {
                for first in (0..tiles.count()).step_by(step) {
                    let block = first..tiles.count().min(first + step);
                    let v = &mut v[..numbers(block.len(), c, GAP)];
                    let m = &mut m[..numbers(block.len(), o, 0)];
                    transform_inputs(level, &planes, &tiles, &block, v);
                    multiply(level, u, v, (c, o), block.len(), m);
                    let maps = Maps::new(&mut y, o, plane, 0..o);
                    let outputs = maps.parts(o.div_ceil(32), shape.n * plane);
                    outputs.into_par_iter().for_each(|mut part| {
                        write_outputs(level, m, &tiles, &block, &epilogue, shape, &mut part);
                    });
                }
            });
        });
    });
    y
}

/// The tiles of a block at each place: for each panel of tiles, `[place][channel][tile]`.
fn transform_inputs(level: Level, planes: &Planes<'_>, tiles: &Tiles, block: &Range<usize>, v: &mut [f32]) {
    let (mut parts, mut rest, channels) = (Vec::new(), v, planes.channels());
    for (first, width) in panels(level, block.len()) {
        let image = channels * width + GAP;
        let (now, later) = rest.split_at_mut(PLACES * image);
        let maps = Maps::spaced(now, image, width, 0..channels);
        parts.extend(maps.parts(channels.div_ceil(8), PLACES * width).into_iter().map(|part| (first, width, part)));
        rest = later;
    }
    parts.into_par_iter().for_each(|(first, width, mut part)| {
        let mut places: Places = [[0.0; LANES]; PLACES];
        let start = block.start + first;
        for group in (0..width).step_by(LANES) {
            // What fills the last group up are copies of the last tile, whose outputs nobody writes.
            let at: [_; LANES] = std::array::from_fn(|lane| tiles.at((start + group + lane).min(block.end - 1)));
            for channel in part.rows() {
                planes.transform(Forward::Input, |lane| (at[lane], channel), &mut places);
                for (to, values) in part.rows_of_images(channel).zip(&places) {
                    to[group..][..LANES].copy_from_slice(values);
                }
            }
        }
    });
}

/// The products at each place: for each panel of tiles, `[output][place][tile]`.
fn multiply(level: Level, u: &[f32], v: &[f32], (c, o): (usize, usize), tiles: usize, m: &mut [f32]) {
    let mut places: Vec<Vec<_>> = (0..PLACES).map(|_| Vec::new()).collect();
    let (mut v, mut m) = (v, m);
    for (_, width) in panels(level, tiles) {
        let image = c * width + GAP;
        let (now, later) = m.split_at_mut(o * PLACES * width);
        let parts = Maps::matrix(now, o, PLACES * width).parts(o, width);
        for ((place, part), v) in places.iter_mut().zip(parts).zip(v.chunks_exact(image)) {
            place.push((part, width, &v[..c * width]));
        }
        (v, m) = (&v[PLACES * image..], later);
    }
    let place_length = u.len() / PLACES;
    places.into_par_iter().zip(u.par_chunks_exact(place_length)).for_each(|(parts, u)| {
        for (mut part, width, v) in parts {
            let columns = part.columns();
            for block in depth_blocks(c) {
                let right = &v[block.start * width..block.end * width];
                for first in (0..o).step_by(level.rows()) {
                    let left = Left::Packed {
                        data: &u[first * c + block.start * level.rows()..],
                        stride: level.rows(),
                    };
                    let rows = first..o.min(first + level.rows());
                    multiply_tile(level, left, right, block.start > 0, &mut part, rows, columns.clone());
                }
            }
        }
    });
}

/// From products back to maps: the block's part of `y`, for some filters of every image.
fn write_outputs(
    level: Level,
    m: &[f32],
    tiles: &Tiles,
    block: &Range<usize>,
    epilogue: &Epilogue<'_>,
    shape: &ConvShape,
    y: &mut Maps<'_>,
) {
    let mut outputs = [[[0f32; STEP]; LANES]; STEP];
    for filter in y.rows() {
        let bias = epilogue.bias.map_or(0.0, |bias| bias[filter]);
        for (panel, width) in panels(level, block.len()) {
            let m = &m[(panel * shape.o + filter * width) * PLACES..];
            for lane in (0..width).step_by(LANES) {
                let group = block.start + panel + lane;
                lanes::backward(&m[lane..], width, &mut outputs);
                let group = group..block.end.min(group + LANES);
                write_group(&outputs, group, tiles, bias, epilogue.relu, filter, shape, y);
            }
        }
    }
}

/// The outputs of up to eight tiles of one filter.
#[allow(clippy::too_many_arguments)]
fn write_group(
    outputs: &[[[f32; STEP]; LANES]; STEP],
    group: Range<usize>,
    tiles: &Tiles,
    bias: f32,
    relu: bool,
    filter: usize,
    shape: &ConvShape,
    y: &mut Maps<'_>,
) {
    let (height, width) = (shape.y.output, shape.x.output);
    let finish = |value: f32| {
        let value = value + bias;
        if relu && value <= 0.0 { 0.0 } else { value }
    };
    for (lane, tile) in group.enumerate() {
        let at = tiles.at(tile);
        let y = y.row_of_image(filter, at.image);
        let wide = STEP.min(width - at.x);
        for (row, outputs) in outputs.iter().enumerate().take(height - at.y) {
            let outputs = outputs[lane].map(finish);
            let to = &mut y[(at.y + row) * width + at.x..][..wide];
            match to.as_chunks_mut::<STEP>().0 {
                [whole] => *whole = outputs,
                _ => to.copy_from_slice(&outputs[..wide]),
            }
        }
    }
}
