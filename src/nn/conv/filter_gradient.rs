//! The gradient by the filters, in single precision: for each channel and tap a row that is read
//! where it lies, times the output's gradient with its maps side by side.
//!
//! Rows of windows go in parts whose number follows from the sizes, and the parts' sums are added
//! in order, so the bits do not depend on the threads.

use std::ops::Range;

use super::ConvShape;
use super::windows::Phases;
use crate::nn::product::{Left, Level, add_rows, scratch, transpose_panel};
use rayon::prelude::*;

/// Rows (of channels and taps) of one task: enough to make the packing of the gradient cheap.
const ROWS: usize = 192;
/// Most maps of one task.
const MAPS: usize = 384;
/// Depth of one panel.
const DEPTH: usize = 256;
/// Most parts of the batch.
const PARTS: usize = 16;
/// Most numbers of all partial sums.
const PARTIAL: usize = 1 << 22;

/// The gradient by the filters from the input and the output's gradient.
pub(super) fn backward_filter(level: Level, x: &[f32], dy: &[f32], shape: &ConvShape) -> Vec<f32> {
    let mut dw = vec![0f32; shape.groups * shape.group_filters()];
    for (group, dw) in dw.chunks_exact_mut(shape.group_filters()).enumerate() {
        Gradient::new(level, x, dy, shape, group).compute(dw);
    }
    dw
}

/// What all tasks of one group share.
struct Gradient<'a> {
    level: Level,
    x: &'a [f32],
    dy: &'a [f32],
    shape: &'a ConvShape,
    group: usize,
    phases: Option<Phases>,
    /// Where the row of each tap begins in its channel.
    taps: Vec<usize>,
    /// Numbers of a channel, and from one row of windows to the next.
    channel: usize,
    line: usize,
    /// Rows of windows of an image, and windows in each.
    lines: usize,
    length: usize,
}

/// A block of channels and maps over a range of rows of windows.
struct Task {
    channels: Range<usize>,
    maps: Range<usize>,
    lines: Range<usize>,
}

impl<'a> Gradient<'a> {
    fn new(level: Level, x: &'a [f32], dy: &'a [f32], shape: &'a ConvShape, group: usize) -> Self {
        let plain = [&shape.y, &shape.x]
            .iter()
            .all(|axis| axis.stride == 1 && axis.pad == 0);
        let phases = (!plain).then(|| Phases::new(shape));
        let (channel, width, offsets) = match &phases {
            Some(phases) => (phases.plane(), phases.size[1], phases.taps()),
            None => (
                shape.y.size * shape.x.size,
                shape.x.size,
                Phases::new(shape).taps(),
            ),
        };
        let start = |offset: &super::windows::Offset| {
            offset.plane + offset.down.unsigned_abs() * width + offset.across.unsigned_abs()
        };
        let (mut lines, mut length, mut line) = (shape.y.output, shape.x.output, width);
        // Under one pixel whole rows follow each other: fewer and longer ones are faster.
        if plain && shape.taps() == 1 {
            let merged = (1..=lines)
                .rev()
                .find(|n| lines.is_multiple_of(*n) && n * length <= DEPTH);
            let merged = merged.unwrap_or(1);
            (lines, length, line) = (lines / merged, length * merged, line * merged);
        }
        Self {
            level,
            x,
            dy,
            shape,
            group,
            taps: offsets.iter().map(start).collect(),
            phases,
            channel,
            line,
            lines,
            length,
        }
    }

    fn compute(&self, dw: &mut [f32]) {
        let (shape, taps) = (self.shape, self.taps.len());
        let per_task = (ROWS / taps).clamp(1, shape.c);
        let blocks = |count: usize, step: usize| {
            (0..count)
                .step_by(step)
                .map(move |start| start..count.min(start + step))
        };
        let tasks = shape.c.div_ceil(per_task) * shape.o.div_ceil(MAPS);
        let all = shape.n * self.lines;
        let most = (PARTIAL / dw.len().max(1)).clamp(1, PARTS);
        let parts = (PARTS / tasks).clamp(1, most);
        let step = all.div_ceil(parts).max(1);
        let part_tasks = |lines: Range<usize>| {
            blocks(shape.c, per_task).flat_map(move |channels| {
                let lines = lines.clone();
                blocks(shape.o, MAPS).map(move |maps| Task {
                    channels: channels.clone(),
                    maps,
                    lines: lines.clone(),
                })
            })
        };
        let tasks: Vec<Task> = blocks(all, step).flat_map(part_tasks).collect();
        let sums: Vec<Vec<f32>> = tasks.par_iter().map(|task| self.sum(task)).collect();
        let filters = dw
            .par_chunks_mut(shape.c * taps)
            .with_min_len(4)
            .enumerate();
        filters.for_each(|(map, filter)| {
            for (task, sums) in tasks
                .iter()
                .zip(&sums)
                .filter(|(task, _)| task.maps.contains(&map))
            {
                self.add(task, sums, map, filter);
            }
        });
    }

    /// Rows of a task, filled up to whole tiles.
    fn rows(&self, task: &Task) -> usize {
        (task.channels.len() * self.taps.len()).next_multiple_of(self.level.rows())
    }

    /// Widths of the panels of a task's maps.
    fn panels(&self, maps: usize) -> impl Iterator<Item = (usize, usize)> + use<> {
        let (full, lanes) = (self.level.columns(), self.level.lanes());
        (0..maps)
            .step_by(full)
            .map(move |first| (first, full.min((maps - first).next_multiple_of(lanes))))
    }

    /// The task's sums: for each panel of maps, `[row][panel]`.
    fn sum(&self, task: &Task) -> Vec<f32> {
        let (taps, level) = (self.taps.len(), self.level);
        let rows = self.rows(task);
        let width: usize = self.panels(task.maps.len()).map(|(_, width)| width).sum();
        let mut sums = vec![0f32; rows * width];
        // Whole images, or some rows of one.
        let images = (DEPTH / (self.lines * self.length)).max(1);
        let lines = if images > 1 {
            self.lines
        } else {
            (DEPTH / self.length).clamp(1, self.lines)
        };
        let copied = if self.phases.is_some() {
            images * task.channels.len() * self.channel
        } else {
            0
        };
        let depth = images * lines * self.length;
        scratch(width * depth, |panels| {
            scratch(copied, |copy| {
                let mut at = task.lines.clone();
                let mut copied = None;
                while !at.is_empty() {
                    let image = at.start / self.lines;
                    let last = image + images.min(self.shape.n - image);
                    let end = match images > 1 {
                        true => last * self.lines,
                        false => (at.start + lines).min((image + 1) * self.lines),
                    };
                    let some = at.start..end.min(at.end);
                    if self.phases.is_some() && copied != Some(image) {
                        self.copy(image..last, &task.channels, copy);
                        copied = Some(image);
                    }
                    let (data, image_stride, base) = self.source(copy, task, image);
                    let runs: Vec<usize> = some
                        .clone()
                        .map(|line| {
                            (line / self.lines - image) * image_stride
                                + line % self.lines * self.line
                        })
                        .collect();
                    let depth = some.len() * self.length;
                    let mut place = 0;
                    for (first, width) in self.panels(task.maps.len()) {
                        let panel = &mut panels[place * depth..][..width * depth];
                        self.pack(task.maps.start + first, task.maps.end, width, &some, panel);
                        let sums = &mut sums[place * rows..][..width * rows];
                        for (tile, sums) in sums.chunks_exact_mut(width * level.rows()).enumerate()
                        {
                            let first = tile * level.rows();
                            let count = level.rows().min(task.channels.len() * taps - first);
                            let starts: [usize; 8] = std::array::from_fn(|row| {
                                let row = first + row.min(count - 1);
                                base + row / taps * self.channel + self.taps[row % taps]
                            });
                            let left = Left::Rows {
                                data,
                                starts: &starts,
                                runs: &runs,
                                length: self.length,
                            };
                            add_rows(level, left, count, panel, width, sums);
                        }
                        place += width;
                    }
                    at.start = some.end;
                }
            });
        });
        sums
    }

    /// The numbers that rows are read from, how far images lie apart in them, and where the task's
    /// first channel of `image` begins.
    fn source<'b>(
        &'b self,
        copy: &'b [f32],
        task: &Task,
        image: usize,
    ) -> (&'b [f32], usize, usize) {
        if self.phases.is_some() {
            return (copy, task.channels.len() * self.channel, 0);
        }
        let stride = self.shape.groups * self.shape.c * self.channel;
        let first = self.group * self.shape.c + task.channels.start;
        (self.x, stride, image * stride + first * self.channel)
    }

    /// The phases of the task's channels of some images.
    fn copy(&self, images: Range<usize>, channels: &Range<usize>, copy: &mut [f32]) {
        let Some(phases) = &self.phases else { return };
        let plane = self.shape.y.size * self.shape.x.size;
        let mut copies = copy.chunks_exact_mut(self.channel);
        for image in images {
            let first = (image * self.shape.groups + self.group) * self.shape.c;
            let planes = self.x[(first + channels.start) * plane..(first + channels.end) * plane]
                .chunks_exact(plane);
            for (plane, copy) in planes.zip(&mut copies) {
                phases.cut(plane, copy);
            }
        }
    }

    /// The gradient's maps from `first` on, side by side, for some rows of windows.
    fn pack(
        &self,
        first: usize,
        end: usize,
        width: usize,
        lines: &Range<usize>,
        panel: &mut [f32],
    ) {
        let windows = self.shape.windows();
        let mut panel = panel;
        let mut line = lines.start;
        while line < lines.end {
            // All of them that lie in one image follow each other.
            let (image, within) = (line / self.lines, line % self.lines);
            let count = (self.lines - within).min(lines.end - line);
            let base = (image * self.shape.groups + self.group) * self.shape.o;
            let row = |lane: usize| {
                let map = base + (first + lane).min(end - 1);
                &self.dy[map * windows + within * self.length..][..count * self.length]
            };
            let (now, rest) = panel.split_at_mut(width * count * self.length);
            transpose_panel(row, width, now);
            panel = rest;
            line += count;
        }
    }

    /// Adds a task's sums to the gradient (C, taps) by the filter of one map.
    fn add(&self, task: &Task, sums: &[f32], map: usize, filter: &mut [f32]) {
        let (taps, rows, lane) = (self.taps.len(), self.rows(task), map - task.maps.start);
        let mut place = 0;
        for (first, width) in self.panels(task.maps.len()) {
            if (first..first + width).contains(&lane) {
                let sums = sums[place * rows..][..width * rows].chunks_exact(width);
                let to = &mut filter[task.channels.start * taps..task.channels.end * taps];
                for (to, sums) in to.iter_mut().zip(sums) {
                    *to += sums[lane - first];
                }
            }
            place += width;
        }
    }
}
