//! From maps to maps, a block of tiles at a time: the tiles' transforms, the products at each
//! place, and the way back.

use std::ops::Range;

use rayon::prelude::*;

use super::lanes::{self, Forward, Places};
use super::tiles::{Planes, Tiles};
use super::{Bank, GAP, LANES, OWN_OUTPUTS, PLACES, STEP, Threads, panels};
use crate::nn::conv::{ConvShape, Epilogue};
use crate::nn::product::{Left, Level, Maps, depth_blocks, multiply_tile, scratch};

/// What all blocks of tiles share.
pub(super) struct Pass<'a> {
    pub level: Level,
    pub planes: Planes<'a>,
    pub tiles: Tiles,
    pub epilogue: Epilogue<'a>,
    pub shape: &'a ConvShape,
}

impl Pass<'_> {
    /// Numbers of a block's tiles at all places, for so many channels.
    fn numbers(&self, block: &Range<usize>, channels: usize, gap: usize) -> usize {
        panels(self.level, block.len())
            .map(|(_, width)| PLACES * (channels * width + gap))
            .sum()
    }

    /// A block of tiles from the maps to the maps.
    pub fn block(&self, threads: Threads, u: &[f32], block: &Range<usize>, to: Maps<'_>) {
        scratch(self.numbers(block, self.shape.c, GAP), |v| {
            self.transform_inputs(threads, block, v);
            self.multiply_and_write(threads, u, v, block, to);
        });
    }

    /// The block that has all tiles: each filter is used once, so that threads make a few at a time.
    pub fn only_block(&self, bank: &Bank<'_>, block: &Range<usize>, to: Maps<'_>) {
        scratch(self.numbers(block, self.shape.c, GAP), |v| {
            self.transform_inputs(Threads::Shared, block, v);
            let v = &*v;
            let columns = to.columns().len();
            to.parts(OWN_OUTPUTS, columns)
                .into_par_iter()
                .for_each(|part| {
                    scratch(PLACES * bank.place(part.rows().len()), |u| {
                        bank.transform(Threads::Own, self.level, &part.rows(), u);
                        self.multiply_and_write(Threads::Own, u, v, block, part);
                    });
                });
        });
    }

    /// The products with some filters, and the outputs of these.
    fn multiply_and_write(
        &self,
        threads: Threads,
        u: &[f32],
        v: &[f32],
        block: &Range<usize>,
        to: Maps<'_>,
    ) {
        let filters = to.rows();
        scratch(self.numbers(block, filters.len(), 0), |m| {
            self.multiply(threads, u, v, block.len(), filters.len(), m);
            let step = if threads == Threads::Own {
                filters.len()
            } else {
                filters.len().div_ceil(32)
            };
            let columns = to.columns().len();
            threads.each(to.parts(step, columns), |mut part| {
                self.write_outputs(m, &filters, block, &mut part)
            });
        });
    }

    /// The tiles of a block at each place: for each panel of tiles, `[place][channel][tile]`.
    fn transform_inputs(&self, threads: Threads, block: &Range<usize>, v: &mut [f32]) {
        let (mut parts, mut rest, channels) = (Vec::new(), v, self.shape.c);
        for (first, width) in panels(self.level, block.len()) {
            let image = channels * width + GAP;
            let (now, later) = rest.split_at_mut(PLACES * image);
            let maps = Maps::spaced(now, image, width, 0..channels);
            let some = maps.parts(channels.div_ceil(8), PLACES * width);
            parts.extend(some.into_iter().map(|part| (first, width, part)));
            rest = later;
        }
        threads.each(parts, |(first, width, mut part)| {
            let mut places: Places = [[0.0; LANES]; PLACES];
            let start = block.start + first;
            for group in (0..width).step_by(LANES) {
                // What fills the last group up are copies of the last tile, whose outputs nobody writes.
                let tile = |lane: usize| self.tiles.at((start + group + lane).min(block.end - 1));
                let at: [_; LANES] = std::array::from_fn(tile);
                for channel in part.rows() {
                    self.planes
                        .transform(Forward::Input, |lane| (at[lane], channel), &mut places);
                    for (to, values) in part.rows_of_images(channel).zip(&places) {
                        to[group..][..LANES].copy_from_slice(values);
                    }
                }
            }
        });
    }

    /// The products at each place: for each panel of tiles, `[output][place][tile]`.
    fn multiply(
        &self,
        threads: Threads,
        u: &[f32],
        v: &[f32],
        tiles: usize,
        o: usize,
        m: &mut [f32],
    ) {
        let (c, level) = (self.shape.c, self.level);
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
        let places: Vec<_> = places
            .into_iter()
            .zip(u.chunks_exact(u.len() / PLACES))
            .collect();
        threads.each(places, |(parts, u)| {
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
                        multiply_tile(
                            level,
                            left,
                            right,
                            block.start > 0,
                            &mut part,
                            rows,
                            columns.clone(),
                        );
                    }
                }
            }
        });
    }

    /// From products back to maps: a block's part of the output, for some of the filters.
    fn write_outputs(
        &self,
        m: &[f32],
        filters: &Range<usize>,
        block: &Range<usize>,
        y: &mut Maps<'_>,
    ) {
        let mut outputs = [[[0f32; STEP]; LANES]; STEP];
        let pixels = self.shape.y.output * self.shape.x.output;
        let columns = y.columns();
        for filter in y.rows() {
            for (panel, width) in panels(self.level, block.len()) {
                let m = &m[(panel * filters.len() + (filter - filters.start) * width) * PLACES..];
                for lane in (0..width).step_by(LANES) {
                    lanes::backward(&m[lane..], width, &mut outputs);
                    let first = block.start + panel + lane;
                    let (mut group, end) = (first, block.end.min(first + LANES));
                    // The tiles of one image at a time.
                    while group < end {
                        let image = self.tiles.at(group).image;
                        let rest = self.tiles.first_of(image + 1).min(end);
                        let start = columns.start.max(image * pixels);
                        let run = y.run(filter, start..columns.end.min((image + 1) * pixels));
                        let outputs = |tile: usize, row: usize| outputs[row][tile - first];
                        self.write_group(group..rest, outputs, filter, start - image * pixels, run);
                        group = rest;
                    }
                }
            }
        }
    }

    /// The outputs of some tiles of one image and filter, whose map `y` shows from `start` on.
    fn write_group(
        &self,
        group: Range<usize>,
        outputs: impl Fn(usize, usize) -> [f32; STEP],
        filter: usize,
        start: usize,
        y: &mut [f32],
    ) {
        let (height, width) = (self.shape.y.output, self.shape.x.output);
        let bias = self.epilogue.bias.map_or(0.0, |bias| bias[filter]);
        let finish = |value: f32| {
            let value = value + bias;
            if self.epilogue.relu && value <= 0.0 {
                0.0
            } else {
                value
            }
        };
        for tile in group {
            let at = self.tiles.at(tile);
            let wide = STEP.min(width - at.x);
            for row in 0..STEP.min(height - at.y) {
                let outputs = outputs(tile, row).map(finish);
                let to = &mut y[(at.y + row) * width + at.x - start..][..wide];
                match to.as_chunks_mut::<STEP>().0 {
                    [whole] => *whole = outputs,
                    _ => to.copy_from_slice(&outputs[..wide]),
                }
            }
        }
    }
}
