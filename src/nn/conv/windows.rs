//! The patches under a convolution's windows as a side of a product, never in memory as a whole:
//! implicit im2col. Its depth runs over the taps of the kernel and, within a tap, over channels.

use std::ops::Range;

use super::ConvShape;
use crate::nn::product::Side;
use crate::nn::size::Axis;
use rayon::prelude::*;

/// One tap of the kernel: where its numbers begin in a channel of the source, and how far they lie
/// from the window's own place, down and across.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offset {
    pub plane: usize,
    pub down: isize,
    pub across: isize,
}

/// A batch of maps that windows look at, one step from each to the next.
pub(super) struct Windows<'a> {
    pub source: &'a [f32],
    /// Where the first channel of the first image begins, and the numbers from image to image and
    /// from channel to channel.
    pub base: usize,
    pub image: usize,
    pub channel: usize,
    pub images: usize,
    pub channels: usize,
    /// Height and width of a plane of the source; outside of it are zeros.
    pub size: [usize; 2],
    /// Windows down and across.
    pub output: [usize; 2],
    pub taps: Vec<Offset>,
}

/// Lanes of a panel whose windows lie side by side in one row.
#[derive(Clone, Copy, Default)]
struct Run {
    lane: usize,
    length: usize,
    image: usize,
    y: usize,
    x: usize,
}

/// What a run copies under one tap: numbers `inside` of those from `start` on, zeros around them.
struct Copy {
    lane: usize,
    length: usize,
    start: isize,
    inside: Range<usize>,
}

/// Numbers that are copied at once.
const STEP: usize = 8;

impl Windows<'_> {
    /// A kernel of one pixel sees the maps as they are: one long row.
    pub fn flattened(self) -> Self {
        let [height, width] = self.size;
        let plain = self.taps.iter().all(|tap| tap.down == 0 && tap.across == 0);
        if plain && self.size == self.output {
            let row = [1, height * width];
            return Self {
                size: row,
                output: row,
                ..self
            };
        }
        self
    }

    fn runs(&self, first: usize, width: usize) -> Vec<Run> {
        let [height, across] = self.output;
        let end = (first + width).min(self.lanes());
        let mut runs = Vec::with_capacity(width.div_ceil(across) + 2);
        let mut at = first;
        while at < end {
            let (row, x) = (at / across, at % across);
            let length = (across - x).min(end - at);
            runs.push(Run {
                lane: at - first,
                length,
                image: row / height,
                y: row % height,
                x,
            });
            at += length;
        }
        runs
    }

    fn copy_of(&self, run: &Run, tap: &Offset) -> Copy {
        let [height, width] = self.size.map(usize::cast_signed);
        let (y, x) = (
            run.y.cast_signed() + tap.down,
            run.x.cast_signed() + tap.across,
        );
        let length = run.length.cast_signed();
        let from = (-x).clamp(0, length);
        let to = if (0..height).contains(&y) {
            (width - x).clamp(from, length)
        } else {
            from
        };
        let image = (self.base + run.image * self.image + tap.plane).cast_signed();
        Copy {
            lane: run.lane,
            length: run.length,
            start: image + y * width + x,
            inside: from.cast_unsigned()..to.cast_unsigned(),
        }
    }
}

impl Copy {
    /// Whether whole steps of all `channels` may be read, beyond the run's own numbers.
    fn is_roomy(&self, channels: &Range<usize>, stride: usize, source: usize) -> bool {
        let end = (channels.end - 1) * stride + self.length.next_multiple_of(STEP);
        !self.inside.is_empty()
            && self.start + (channels.start * stride).cast_signed() >= 0
            && self.start + end.cast_signed() <= source.cast_signed()
    }

    /// Copies whole steps, then puts the zeros.
    #[inline(always)]
    fn run_roomy(&self, source: &[f32], channel: usize, out: &mut [f32]) {
        let start = self.start.wrapping_add_unsigned(channel).cast_unsigned();
        let count = self.length.next_multiple_of(STEP);
        let (from, to) = (&source[start..][..count], &mut out[self.lane..][..count]);
        for (to, from) in to
            .as_chunks_mut::<STEP>()
            .0
            .iter_mut()
            .zip(from.as_chunks::<STEP>().0)
        {
            *to = *from;
        }
        if self.inside.len() < self.length {
            to[..self.inside.start].fill(0.0);
            to[self.inside.end..self.length].fill(0.0);
        }
    }

    fn run(&self, source: &[f32], channel: usize, out: &mut [f32]) {
        let to = &mut out[self.lane..][..self.length];
        to.fill(0.0);
        if !self.inside.is_empty() {
            let start = self
                .start
                .wrapping_add_unsigned(channel + self.inside.start)
                .cast_unsigned();
            to[self.inside.clone()].copy_from_slice(&source[start..][..self.inside.len()]);
        }
    }
}

impl Side for Windows<'_> {
    fn lanes(&self) -> usize {
        self.images * self.output[0] * self.output[1]
    }

    fn pack(&self, first: usize, width: usize, depth: Range<usize>, out: &mut [f32]) {
        let runs = self.runs(first, width);
        let mut copies = Vec::with_capacity(runs.len());
        let mut step = depth.start;
        while step < depth.end {
            let (tap, channel) = (step / self.channels, step % self.channels);
            let count = (self.channels - channel).min(depth.end - step);
            let channels = channel..channel + count;
            copies.clear();
            copies.extend(runs.iter().map(|run| self.copy_of(run, &self.taps[tap])));
            let roomy = |copy: &Copy| copy.is_roomy(&channels, self.channel, self.source.len());
            let all_roomy = copies.iter().all(roomy);
            for channel in channels.clone() {
                let out = &mut out[(step - depth.start + channel - channels.start) * width..];
                let channel = channel * self.channel;
                // Runs from left to right: what one writes beyond its end, the next one repairs.
                for copy in &copies {
                    match all_roomy {
                        true => copy.run_roomy(self.source, channel, out),
                        false => copy.run(self.source, channel, out),
                    }
                }
            }
            step += count;
        }
    }
}

/// Filters as a side whose depth is ordered as that of [`Windows`].
pub(super) struct Filters<'a> {
    pub data: &'a [f32],
    pub lanes: usize,
    pub lane: usize,
    pub channels: usize,
    pub channel: usize,
    /// The number of each tap in the kernel.
    pub taps: Vec<usize>,
}

impl Side for Filters<'_> {
    fn lanes(&self) -> usize {
        self.lanes
    }

    fn pack(&self, first: usize, width: usize, depth: Range<usize>, out: &mut [f32]) {
        let count = width.min(self.lanes - first);
        let mut place = (depth.start / self.channels, depth.start % self.channels);
        for out in out.chunks_exact_mut(width).take(depth.len()) {
            let from =
                &self.data[self.taps[place.0] + place.1 * self.channel + first * self.lane..];
            for (to, &from) in out[..count].iter_mut().zip(from.iter().step_by(self.lane)) {
                *to = from;
            }
            place.1 += 1;
            if place.1 == self.channels {
                place = (place.0 + 1, 0);
            }
        }
    }
}

/// Planes with their padding, cut into the phases of the stride: what one tap of the kernel sees
/// from window to window then lies side by side.
pub(super) struct Phases {
    y: Axis,
    x: Axis,
    /// The phases that some tap sees, down and across.
    seen: Vec<[usize; 2]>,
    /// Height and width of a phase.
    pub size: [usize; 2],
}

impl Phases {
    pub fn new(shape: &ConvShape) -> Self {
        let (y, x) = (shape.y, shape.x);
        let of_axis = |axis: &Axis| {
            let mut seen: Vec<usize> = (0..axis.kernel)
                .map(|tap| tap * axis.dilation % axis.stride)
                .collect();
            seen.sort_unstable();
            seen.dedup();
            seen
        };
        let across = of_axis(&x);
        let seen = of_axis(&y)
            .into_iter()
            .flat_map(|down| across.iter().map(move |&x| [down, x]))
            .collect();
        let size = [&y, &x].map(|axis| (axis.size + 2 * axis.pad).div_ceil(axis.stride));
        Self { y, x, seen, size }
    }

    /// Numbers of all phases of a plane.
    pub fn plane(&self) -> usize {
        self.seen.len() * self.size[0] * self.size[1]
    }

    /// Where each tap of the kernel looks, in order.
    pub fn taps(&self) -> Vec<Offset> {
        let tap = |down: usize, across: usize| {
            let (down, across) = (down * self.y.dilation, across * self.x.dilation);
            let phase = [down % self.y.stride, across % self.x.stride];
            let phase = self
                .seen
                .iter()
                .position(|seen| *seen == phase)
                .unwrap_or_default();
            Offset {
                plane: phase * self.size[0] * self.size[1],
                down: (down / self.y.stride).cast_signed(),
                across: (across / self.x.stride).cast_signed(),
            }
        };
        (0..self.y.kernel)
            .flat_map(|down| (0..self.x.kernel).map(move |across| tap(down, across)))
            .collect()
    }

    /// All phases of one plane.
    pub fn cut(&self, plane: &[f32], out: &mut [f32]) {
        out.fill(0.0);
        let [height, width] = self.size;
        for (&[down, across], out) in self.seen.iter().zip(out.chunks_exact_mut(height * width)) {
            // The first place of the phase that lies on the plane, in the plane and in the phase.
            let first = |axis: &Axis, phase: usize| {
                let skipped = axis.pad.saturating_sub(phase).div_ceil(axis.stride);
                (skipped, skipped * axis.stride + phase - axis.pad)
            };
            let ((row, y), (column, x)) = (first(&self.y, down), first(&self.x, across));
            let lines = plane
                .chunks_exact(self.x.size)
                .skip(y)
                .step_by(self.y.stride);
            for (out, line) in out.chunks_exact_mut(width).skip(row).zip(lines) {
                let Some(line) = line.get(x..) else { continue };
                match self.x.stride {
                    1 => out[column..][..line.len()].copy_from_slice(line),
                    2 => spread::<2>(line, &mut out[column..]),
                    4 => spread::<4>(line, &mut out[column..]),
                    stride => {
                        for (to, &from) in out[column..].iter_mut().zip(line.iter().step_by(stride))
                        {
                            *to = from;
                        }
                    }
                }
            }
        }
    }

    /// All phases of all planes.
    pub fn cut_all(&self, planes: &[f32]) -> Vec<f32> {
        let (plane, size) = (self.plane(), self.y.size * self.x.size);
        let mut all = vec![0f32; planes.len() / size * plane];
        all.par_chunks_mut(plane)
            .zip(planes.par_chunks(size))
            .with_min_len((4096 / plane).max(1))
            .for_each(|(out, plane)| self.cut(plane, out));
        all
    }
}

/// Every `STRIDE`-th number, where the compiler knows the stride.
fn spread<const STRIDE: usize>(from: &[f32], to: &mut [f32]) {
    let (blocks, rest) = from.as_chunks::<STRIDE>();
    for (to, from) in to.iter_mut().zip(blocks) {
        *to = from[0];
    }
    if let (Some(&last), Some(to)) = (rest.first(), to.get_mut(blocks.len())) {
        *to = last;
    }
}
