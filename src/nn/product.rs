//! Products of matrices in single precision, packed and blocked (Goto and van de Geijn 2008).
//!
//! Both sides are brought into panels as wide as a tile ([`Side`]), so that a side may be a matrix,
//! its transpose, or the patches under a convolution's windows, which then never stand in memory
//! as a whole. Parts of the result go to the threads; a sum runs over the depth in order, in
//! blocks that the depth alone decides, so the bits depend neither on the threads, nor on the
//! other columns, nor on the processor's instructions.

mod output;
mod scratch;
mod side;
mod tile;
mod vector;

pub(super) use output::{Maps, Place};
pub(super) use scratch::scratch;
pub(super) use side::{Columns, Rows, Side, transpose_panel};
pub(super) use tile::{Bias, Finish, Left, Level};

use rayon::prelude::*;
use std::ops::Range;
use tile::{MAX_COLUMNS, Tile};

/// Most of the depth in one panel: a tile's right side then fits the first cache.
const DEPTH: usize = 256;
/// Most panels of columns that one task packs at a time: they fit the second cache.
const PANELS: usize = 4;
/// Rows of the left side between which panels of columns change: these fit the second cache too.
const ROWS: usize = 128;

/// The depth in equal blocks of at most [`DEPTH`], or half as much again where that saves one.
pub(super) fn depth_blocks(depth: usize) -> impl Iterator<Item = Range<usize>> {
    let count = if depth <= DEPTH * 3 / 2 {
        1
    } else {
        depth.div_ceil(DEPTH)
    };
    let step = depth.div_ceil(count).max(1);
    (0..depth)
        .step_by(step)
        .map(move |start| start..depth.min(start + step))
}

/// The left side in panels: for each block of the depth, for each tile's rows, `[depth][rows]`.
struct PackedLeft {
    values: Vec<f32>,
    /// Rows, filled up to whole tiles.
    rows: usize,
}

impl PackedLeft {
    fn new(left: &impl Side, depth: usize, level: Level) -> Self {
        let width = level.rows();
        let rows = left.lanes().next_multiple_of(width);
        let mut values = vec![0f32; rows * depth];
        for block in depth_blocks(depth) {
            let panels =
                values[rows * block.start..rows * block.end].par_chunks_mut(width * block.len());
            let few = (4096 / (width * block.len())).max(1);
            panels
                .enumerate()
                .with_min_len(few)
                .for_each(|(panel, out)| {
                    left.pack(panel * width, width, block.clone(), out);
                });
        }
        Self { values, rows }
    }

    /// The panel that begins at `row`.
    fn panel(&self, row: usize, block: &Range<usize>) -> &[f32] {
        &self.values[self.rows * block.start + row * block.len()..]
    }
}

/// `to ← left · right`, over the depth, finished as `finish` says; its rows and columns are numbered as `to`'s.
///
/// Panics where the sides do not fit the result.
pub(super) fn product(
    level: Level,
    to: Maps<'_>,
    left: &impl Side,
    right: &impl Side,
    depth: usize,
    finish: &Finish<'_>,
) {
    assert!(left.lanes() >= to.rows().end && right.lanes() >= to.columns().end);
    if to.rows().is_empty() || to.columns().is_empty() {
        return;
    }
    let packed = PackedLeft::new(left, depth, level);
    let (rows, columns) = task_size(to.rows().len(), to.columns().len(), level);
    to.parts(rows, columns).into_par_iter().for_each(|part| {
        multiply(level, part, &packed, right, depth, finish);
    });
}

/// How many rows and columns a task gets. Where it cuts changes no sum.
fn task_size(rows: usize, columns: usize, level: Level) -> (usize, usize) {
    let wanted = 3 * rayon::current_num_threads();
    let panels = columns.div_ceil(level.columns());
    let of_columns = panels.div_ceil(wanted).clamp(1, PANELS);
    let tasks = panels.div_ceil(of_columns);
    let tiles = rows.div_ceil(level.rows());
    let of_rows = tiles.div_ceil(wanted.div_ceil(tasks)).max(tiles.min(4));
    (of_rows * level.rows(), of_columns * level.columns())
}

fn multiply(
    level: Level,
    mut to: Maps<'_>,
    left: &PackedLeft,
    right: &impl Side,
    depth: usize,
    finish: &Finish<'_>,
) {
    let (rows, columns) = (to.rows(), to.columns());
    let width = columns.len().next_multiple_of(level.lanes());
    let panels = || {
        (0..width).step_by(level.columns()).map(|start| Panel {
            start,
            width: level.columns().min(width - start),
            columns: columns.start + start
                ..columns.end.min(columns.start + start + level.columns()),
        })
    };
    // What lies in several images is summed aside and written once. Panels are written a little
    // beyond their end.
    let asides = panels().filter(|panel| !panel.is_direct(&mut to)).count();
    let aside = rows.len() * level.columns();
    scratch(width * depth.min(DEPTH * 3 / 2) + MAX_COLUMNS, |packed| {
        scratch(asides * aside, |asides| {
            for block in depth_blocks(depth) {
                for panel in panels() {
                    let out = &mut packed[panel.start * block.len()..];
                    right.pack(panel.columns.start, panel.width, block.clone(), out);
                }
                for some in cut(rows.clone(), ROWS) {
                    let mut asides = asides.chunks_exact_mut(aside);
                    for panel in panels() {
                        let right =
                            &packed[panel.start * block.len()..][..panel.width * block.len()];
                        let mut aside = match panel.is_direct(&mut to) {
                            true => None,
                            false => asides.next(),
                        };
                        for rows in cut(some.clone(), level.rows()) {
                            let tile = Tile {
                                left: Left::Packed {
                                    data: left.panel(rows.start, &block),
                                    stride: level.rows(),
                                },
                                right,
                                rows: rows.len(),
                                vectors: panel.width / level.lanes(),
                                accumulate: block.start > 0,
                                finish: (block.end == depth)
                                    .then(|| finish.of(&rows, &panel.columns)),
                            };
                            let first = (rows.start - to.rows().start) * panel.width;
                            if let Some(aside) = &mut aside {
                                tile.run(
                                    level,
                                    &mut Place::new(
                                        &mut aside[first..][..rows.len() * panel.width],
                                        panel.width,
                                    ),
                                );
                            } else if let Some(mut place) = to.place(rows, panel.columns.clone()) {
                                tile.run(level, &mut place);
                            }
                        }
                    }
                }
            }
            let indirect: Vec<_> = panels().filter(|panel| !panel.is_direct(&mut to)).collect();
            for (panel, aside) in indirect.into_iter().zip(asides.chunks_exact(aside)) {
                to.write(rows.clone(), panel.columns, aside, panel.width);
            }
        });
    });
}

/// A panel of columns of a task.
struct Panel {
    /// Where it begins among the task's columns, and how wide it is with what fills it up.
    start: usize,
    width: usize,
    columns: Range<usize>,
}

impl Panel {
    /// Whether its tiles can be written where they belong.
    fn is_direct(&self, to: &mut Maps<'_>) -> bool {
        let rows = to.rows().start..to.rows().start;
        self.width == self.columns.len() && to.place(rows, self.columns.clone()).is_some()
    }
}

impl Finish<'_> {
    /// The bias of these rows and columns.
    fn of(&self, rows: &Range<usize>, columns: &Range<usize>) -> Self {
        let bias = match self.bias {
            Bias::None => Bias::None,
            Bias::Rows(bias) => Bias::Rows(&bias[rows.clone()]),
            Bias::Columns(bias) => Bias::Columns(&bias[columns.clone()]),
        };
        Self { bias, ..*self }
    }
}

fn cut(range: Range<usize>, step: usize) -> impl Iterator<Item = Range<usize>> {
    let end = range.end;
    range
        .step_by(step)
        .map(move |start| start..end.min(start + step))
}

/// A tile of a product whose panels stand ready, at these rows and columns of `to`, which must lie
/// in one image.
pub(super) fn multiply_tile(
    level: Level,
    left: Left<'_>,
    right: &[f32],
    accumulate: bool,
    to: &mut Maps<'_>,
    rows: Range<usize>,
    columns: Range<usize>,
) {
    let tile = Tile {
        left,
        right,
        rows: rows.len(),
        vectors: columns.len() / level.lanes(),
        accumulate,
        finish: None,
    };
    if let Some(mut place) = to.place(rows, columns) {
        tile.run(level, &mut place);
    }
}

/// A tile of rows where they lie by one panel of the right side (`[depth][panel]`), into `to` of
/// rows as long as the panel, and on top of it if `accumulate`.
pub(super) fn sum_rows(
    level: Level,
    left: Left<'_>,
    (right, width): (&[f32], usize),
    accumulate: bool,
    finish: Option<Finish<'_>>,
    to: &mut [f32],
) {
    let tile = Tile {
        left,
        right,
        rows: to.len() / width,
        vectors: width / level.lanes(),
        accumulate,
        finish,
    };
    tile.run(level, &mut Place::new(to, width));
}
