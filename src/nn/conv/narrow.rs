//! Convolution to few maps, in steps of one: the maps are the columns of the product and windows
//! its rows, which are read where they lie. Nothing is gathered under a window, which for few maps
//! would take longer than the sums.

use super::Epilogue;
use super::windows::Offset;
use crate::nn::cpu::room;
use crate::nn::product::{Bias, Finish, Left, Level, scratch, sum_rows};
use crate::nn::simd::transpose8;
use rayon::prelude::*;
use std::ops::Range;

/// Most maps for which this is the faster way.
const MAPS: usize = 64;

/// Maps to maps by taps that step by one across.
pub(super) struct Narrow<'a> {
    pub source: &'a [f32],
    pub images: usize,
    pub channels: usize,
    /// Height and width of the source and of the result.
    pub size: [usize; 2],
    pub output: [usize; 2],
    pub maps: usize,
    /// Where each tap looks, and its number in the kernel, by rows and from left to right.
    pub taps: Vec<(Offset, usize)>,
    /// Taps of one row.
    pub across: usize,
    /// Where the weight of a map, a channel and a tap's number stands.
    pub weights: &'a [f32],
    pub map: usize,
    pub channel: usize,
}

/// Whether so many maps are for this way, under a kernel of so many taps.
pub(super) fn fits(maps: usize, taps: usize) -> bool {
    maps <= MAPS && taps > 1
}

/// Most of the depth at a time.
const DEPTH: usize = 256;
/// Positions that are written at a time.
const STEP: usize = 8;

impl Narrow<'_> {
    /// The padding that the taps need: above, below, left and right.
    fn pads(&self) -> [usize; 4] {
        let reach = |of: fn(&Offset) -> isize, size: usize, output: usize| {
            let places = || self.taps.iter().map(|(offset, _)| of(offset));
            let before = places().min().unwrap_or(0).min(0).unsigned_abs();
            let last = places().max().unwrap_or(0) + output.cast_signed() - size.cast_signed();
            [before, last.max(0).cast_unsigned()]
        };
        let [above, below] = reach(|offset| offset.down, self.size[0], self.output[0]);
        let [left, right] = reach(|offset| offset.across, self.size[1], self.output[1]);
        [above, below, left, right]
    }

    /// The weights as one panel, `[channel][tap][maps]`, of `width` maps from `first` on.
    fn panel(&self, first: usize, width: usize, panel: &mut [f32]) {
        let taps = self.taps.len();
        for (step, out) in panel.chunks_exact_mut(width).enumerate() {
            let at = step / taps * self.channel + self.taps[step % taps].1;
            for (lane, out) in out.iter_mut().enumerate() {
                let map = first + lane;
                *out = if map < self.maps {
                    self.weights[map * self.map + at]
                } else {
                    0.0
                };
            }
        }
    }

    /// The result (N, maps, output).
    pub fn compute(&self, level: Level, epilogue: Epilogue<'_>) -> Vec<f32> {
        let [above, below, left, right] = self.pads();
        let padded = [self.size[0] + above + below, self.size[1] + left + right];
        let (plane, positions) = (padded[0] * padded[1], self.output[0] * self.output[1]);
        let depth = self.channels * self.taps.len();
        let widths: Vec<(usize, usize)> = (0..self.maps)
            .step_by(level.columns())
            .map(|first| {
                (
                    first,
                    level
                        .columns()
                        .min((self.maps - first).next_multiple_of(level.lanes())),
                )
            })
            .collect();
        // One run for each channel and row of the kernel.
        let rows = self.taps.chunks_exact(self.across).map(|row| row[0].0);
        let rows = rows.map(|offset| {
            let place =
                |offset: isize, pad: usize| offset.wrapping_add_unsigned(pad).cast_unsigned();
            place(offset.down, above) * padded[1] + place(offset.across, left)
        });
        let rows: Vec<usize> = rows.collect();
        let runs: Vec<usize> = (0..self.channels)
            .flat_map(|channel| rows.iter().map(move |row| channel * plane + row))
            .collect();
        let mut y = room(self.images * self.maps * positions);
        let total: usize = widths.iter().map(|(_, width)| width).sum();
        scratch(depth * total, |panels| {
            let mut rest = &mut *panels;
            for &(first, width) in &widths {
                let (panel, later) = rest.split_at_mut(depth * width);
                self.panel(first, width, panel);
                rest = later;
            }
            let panels = &*panels;
            y.par_chunks_mut(self.maps * positions)
                .enumerate()
                .for_each(|(image, y)| {
                    scratch(self.channels * plane, |copy| {
                        self.pad(image, [above, left], padded, copy);
                        let mut rest = panels;
                        for &(first, width) in &widths {
                            let (panel, later) = rest.split_at(depth * width);
                            rest = later;
                            let maps = first..self.maps.min(first + width);
                            let finish = Finish {
                                bias: epilogue
                                    .bias
                                    .map_or(Bias::None, |bias| Bias::Columns(&bias[maps.clone()])),
                                relu: epilogue.relu,
                            };
                            self.image(
                                level,
                                (copy, padded[1]),
                                (panel, width),
                                &runs,
                                finish,
                                (maps, y),
                            );
                        }
                    });
                });
        });
        y
    }

    /// Some maps of one image: a part of the depth for all positions after the other, so that this
    /// part of the panel stays in the first cache.
    fn image(
        &self,
        level: Level,
        (copy, line): (&[f32], usize),
        (panel, width): (&[f32], usize),
        runs: &[usize],
        finish: Finish<'_>,
        (maps, y): (Range<usize>, &mut [f32]),
    ) {
        let positions = self.output[0] * self.output[1];
        let per_block = (DEPTH / self.across).max(1);
        let blocks = runs
            .chunks(per_block)
            .zip(panel.chunks(per_block * self.across * width));
        scratch(positions.next_multiple_of(STEP) * width, |sums| {
            let last = runs.len().div_ceil(per_block) - 1;
            for (block, (runs, panel)) in blocks.enumerate() {
                for (tile, sums) in sums.chunks_exact_mut(level.rows() * width).enumerate() {
                    let starts: [usize; STEP] = std::array::from_fn(|row| {
                        let at = (tile * level.rows() + row).min(positions - 1);
                        at / self.output[1] * line + at % self.output[1]
                    });
                    let left = Left::Rows {
                        data: copy,
                        starts: &starts,
                        runs,
                        length: self.across,
                    };
                    let finish = (block == last).then_some(finish);
                    sum_rows(level, left, (panel, width), block > 0, finish, sums);
                }
            }
            let y = &mut y[maps.start * positions..];
            for (step, sums) in sums.chunks_exact(STEP * width).enumerate() {
                let y = &mut y[step * STEP..];
                if (step + 1) * STEP <= positions {
                    let rows = std::array::from_fn(|row| &sums[row * width..][..maps.len()]);
                    transpose8(rows, y, positions);
                    continue;
                }
                for (row, sums) in sums
                    .chunks_exact(width)
                    .enumerate()
                    .take(positions - step * STEP)
                {
                    for (map, &sum) in sums[..maps.len()].iter().enumerate() {
                        y[map * positions + row] = sum;
                    }
                }
            }
        });
    }

    /// The planes of an image with zeros around them.
    fn pad(&self, image: usize, corner: [usize; 2], padded: [usize; 2], copy: &mut [f32]) {
        copy.fill(0.0);
        let [height, width] = self.size;
        let planes =
            self.source[image * self.channels * height * width..].chunks_exact(height * width);
        for (plane, copy) in planes.zip(copy.chunks_exact_mut(padded[0] * padded[1])) {
            let rows = copy.chunks_exact_mut(padded[1]).skip(corner[0]);
            for (row, copy) in plane.chunks_exact(width).zip(rows) {
                copy[corner[1]..][..width].copy_from_slice(row);
            }
        }
    }
}
