//! The gradient by the filters, Winograd's way: tiles of the input and of the output's gradient
//! meet in 36 products over all tiles.

use std::ops::Range;

use rayon::prelude::*;

use super::lanes::{self, Forward, Places};
use super::tiles::{Planes, Tiles};
use super::{GAP, LANES, OWN_OUTPUTS, PLACES, Threads, level, panels, shared_block};
use crate::nn::conv::ConvShape;
use crate::nn::cpu::room;
use crate::nn::product::{Left, Level, Maps, multiply_tile, scratch};
use crate::nn::simd::wide;

/// Most numbers of gradients at all places for which parts of the batch have sums of their own.
const OWN: usize = 3 << 18;
/// Tiles of a block of such a part, most parts, and most numbers of all of them.
const OWN_TILES: usize = 64;
const PARTS: usize = 16;
const PARTIAL: usize = 1 << 22;
/// Most tiles that are transformed at once, so that no sum has to wait for more of them.
const ONLY_TILES: usize = 160;

/// [`crate::nn::conv2d_backward_filter`] of a shape that [`super::fits`].
pub(in crate::nn) fn backward_filter(x: &[f32], dy: &[f32], shape: &ConvShape) -> Vec<f32> {
    let level = level();
    let tiles = Tiles::of(shape.n, shape.y.output, shape.x.output);
    let gradient = Gradient {
        level,
        shape,
        tiles,
        input_planes: Planes::inputs(x, shape),
        gradient_planes: Planes::gradients(dy, shape),
        columns: panels(level, shape.c).map(|(_, width)| width).sum(),
    };
    let numbers = PLACES * shape.o * gradient.columns;
    let count = tiles.count();
    if count <= ONLY_TILES {
        return gradient.at_once();
    }
    // How it is cut follows from the sizes alone, for it decides the order of the sums.
    if numbers > OWN || count < 2 * OWN_TILES {
        let step = shared_block(count, shape.c + shape.o, 1).min(count);
        return scratch(numbers, |du| {
            gradient.sum(Threads::Shared, 0..count, step, du);
            let mut dw = room(shape.o * shape.c * 9);
            gradient.back(du, &mut dw);
            dw
        });
    }
    let parts = (PARTIAL / numbers).clamp(1, PARTS);
    let part = count.div_ceil(parts).next_multiple_of(OWN_TILES);
    scratch(numbers * count.div_ceil(part), |all| {
        let parts = all.par_chunks_exact_mut(numbers).enumerate();
        parts.for_each(|(index, du)| {
            let some = index * part..count.min((index + 1) * part);
            gradient.sum(Threads::Own, some, OWN_TILES, du);
        });
        let (sum, others) = all.split_at_mut(numbers);
        let length = shape.o * gradient.columns;
        sum.par_chunks_mut(length)
            .enumerate()
            .for_each(|(place, sum)| {
                for other in others.chunks_exact(numbers) {
                    add(&other[place * length..][..length], sum);
                }
            });
        let mut dw = room(shape.o * shape.c * 9);
        gradient.back(sum, &mut dw);
        dw
    })
}

wide! {
    fn add[](from: &[f32], to: &mut [f32]) {
        for (to, from) in to.iter_mut().zip(from) {
            *to += from;
        }
    }
}

/// What all blocks of tiles share.
struct Gradient<'a> {
    level: Level,
    shape: &'a ConvShape,
    tiles: Tiles,
    input_planes: Planes<'a>,
    gradient_planes: Planes<'a>,
    /// Channels, filled up to whole panels.
    columns: usize,
}

impl Gradient<'_> {
    /// The gradients at each place over some tiles, `step` of them at a time: `[place][output][channel]`.
    fn sum(&self, threads: Threads, some: Range<usize>, step: usize, du: &mut [f32]) {
        let (c, o, level) = (self.shape.c, self.shape.o, self.level);
        scratch(self.inputs(step), |v| {
            scratch(self.outputs(step), |m| {
                for first in some.clone().step_by(step) {
                    let block = first..some.end.min(first + step);
                    let (v, m) = (
                        &mut v[..self.inputs(block.len())],
                        &mut m[..self.outputs(block.len())],
                    );
                    self.transform(threads, &block, v, m);
                    let (v, m) = (&*v, &*m);
                    let places: Vec<_> =
                        du.chunks_exact_mut(o * self.columns).enumerate().collect();
                    threads.each(places, |(place, du)| {
                        let to = Maps::matrix(du, o, self.columns);
                        multiply(
                            level,
                            place,
                            (v, m),
                            block.len(),
                            first > some.start,
                            (c, to),
                        );
                    });
                }
            });
        });
    }

    /// All tiles in one block: threads take a few outputs each, whose sums stay in the cache.
    fn at_once(&self) -> Vec<f32> {
        let (c, o, level, depth) = (self.shape.c, self.shape.o, self.level, self.tiles.count());
        let mut dw = room(o * c * 9);
        scratch(self.inputs(depth), |v| {
            scratch(self.outputs(depth), |m| {
                self.transform(Threads::Shared, &(0..depth), v, m);
                let (v, m) = (&*v, &*m);
                let few = OWN_OUTPUTS / LANES * LANES;
                dw.par_chunks_mut(few * c * 9)
                    .enumerate()
                    .for_each(|(index, dw)| {
                        let count = dw.len() / (c * 9);
                        let m = &m[index * few / LANES * PLACES * (depth * LANES + GAP)..];
                        scratch(PLACES * count * self.columns, |du| {
                            for (place, du) in du.chunks_exact_mut(count * self.columns).enumerate()
                            {
                                let to = Maps::matrix(du, count, self.columns);
                                multiply(level, place, (v, m), depth, false, (c, to));
                            }
                            self.back(du, dw);
                        });
                    });
            });
        });
        dw
    }

    /// Numbers of the transformed inputs, and of the gradients by the outputs, of so many tiles.
    fn inputs(&self, depth: usize) -> usize {
        PLACES * (depth * self.columns + GAP * panels(self.level, self.shape.c).count())
    }

    fn outputs(&self, depth: usize) -> usize {
        PLACES * self.shape.o.div_ceil(LANES) * (depth * LANES + GAP)
    }

    /// The tiles of a block, of the inputs and of the gradients.
    fn transform(&self, threads: Threads, block: &Range<usize>, v: &mut [f32], m: &mut [f32]) {
        let of_inputs = panels(self.level, self.shape.c);
        transform(
            threads,
            Forward::Input,
            &self.input_planes,
            &self.tiles,
            block,
            of_inputs,
            v,
        );
        let groups = (0..self.shape.o.div_ceil(LANES)).map(|group| (group * LANES, LANES));
        transform(
            threads,
            Forward::Gradient,
            &self.gradient_planes,
            &self.tiles,
            block,
            groups,
            m,
        );
    }

    /// From the gradients at each place to those by the filters (outputs, C, 3, 3).
    fn back(&self, du: &[f32], dw: &mut [f32]) {
        let (c, columns) = (self.shape.c, self.columns);
        let outputs = dw.len() / (9 * c);
        dw.par_chunks_mut(9 * c)
            .with_min_len(16)
            .enumerate()
            .for_each(|(output, dw)| {
                let mut places: Places = [[0.0; LANES]; PLACES];
                let mut taps = [[0f32; LANES]; 9];
                for (group, dw) in dw.chunks_mut(9 * LANES).enumerate() {
                    for (place, values) in places.iter_mut().enumerate() {
                        values.copy_from_slice(
                            &du[(place * outputs + output) * columns + group * LANES..][..LANES],
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
    }
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
    threads: Threads,
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
    threads.each(parts, |(start, width, mut part)| {
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
