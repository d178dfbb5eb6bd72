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
mod pass;
mod tiles;

pub(super) use filter_gradient::backward_filter;
#[cfg(test)]
pub(super) use lanes::available;

use std::ops::Range;

use candle_core::{DType, Tensor};
use rayon::prelude::*;

use super::conv::{ConvShape, Epilogue};
use super::cpu::room;
use super::product::{Level, Maps, scratch};
use lanes::Places;
use pass::Pass;
use tiles::{Planes, Tiles};

/// Sides of a tile and of its outputs, and the places of a tile.
const SIDE: usize = 6;
const STEP: usize = 4;
const PLACES: usize = SIDE * SIDE;

/// Tiles that one pass of the transforms takes.
const LANES: usize = lanes::COUNT;

/// Numbers of one block's transformed inputs and outputs where all threads share it.
const BLOCK: usize = 1 << 20;
/// Least tiles of such a block: fewer would read the filters too often.
const TILES: usize = 96;
/// Most numbers of filters at all places for which threads take blocks of their own.
const FILTERS: usize = 1 << 20;
/// Outputs of a thread's own filters, where one block has all tiles.
const OWN_OUTPUTS: usize = 32;

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

/// Whether the threads share one block after the other, or each has blocks of its own.
#[derive(Clone, Copy, PartialEq)]
enum Threads {
    Shared,
    Own,
}

impl Threads {
    /// `f` of all parts, on all threads or on this one.
    fn each<P: Send>(
        self,
        parts: impl IntoParallelIterator<Item = P> + IntoIterator<Item = P>,
        f: impl Fn(P) + Sync + Send,
    ) {
        match self {
            Self::Shared => parts.into_par_iter().for_each(f),
            Self::Own => parts.into_iter().for_each(f),
        }
    }
}

/// Tiles of one shared block for so many channels in and out: about as many as the cache holds, in
/// blocks of one size.
fn shared_block(total: usize, channels: usize, multiple: usize) -> usize {
    let most = (BLOCK / (PLACES * channels)).max(TILES);
    let blocks = ((total + most / 2) / most).max(1);
    total.div_ceil(blocks).next_multiple_of(multiple)
}

/// The panels of `count` lanes as (first lane, width): the last one is as narrow as it may be.
fn panels(level: Level, count: usize) -> impl Iterator<Item = (usize, usize)> {
    let (full, step) = (level.columns() / LANES * LANES, LANES.max(level.lanes()));
    (0..count)
        .step_by(full)
        .map(move |first| (first, full.min((count - first).next_multiple_of(step))))
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
    /// Numbers of all filters of so many outputs at one place.
    fn place(&self, outputs: usize) -> usize {
        outputs.next_multiple_of(LANES) * self.inputs + GAP
    }

    /// The filters of some outputs at each place, as left panels: `[place][tile of outputs][input][rows]`.
    fn transform(&self, threads: Threads, level: Level, some: &Range<usize>, u: &mut [f32]) {
        let rows = level.rows();
        let groups = some.len().div_ceil(LANES);
        let maps = Maps::spaced(u, self.place(some.len()), LANES * self.inputs, 0..groups);
        threads.each(maps.parts(1, PLACES * LANES * self.inputs), |mut part| {
            let group = part.rows().start;
            let mut places: Places = [[0.0; LANES]; PLACES];
            for input in 0..self.inputs {
                let mut taps = [[0f32; LANES]; 9];
                let outputs = (0..LANES).map(|lane| (lane, some.start + group * LANES + lane));
                for (lane, output) in outputs {
                    let output = output.min(self.outputs - 1);
                    let filter = &self.w[output * self.output + input * self.input..];
                    for (tap, value) in filter[..9].iter().enumerate() {
                        let tap = if self.turned { 8 - tap } else { tap };
                        taps[tap][lane] = *value;
                    }
                }
                lanes::filters(&taps, &mut places);
                for (to, values) in part.rows_of_images(group).zip(&places) {
                    match rows {
                        LANES => {
                            to[input * LANES..][..LANES].copy_from_slice(values);
                        }
                        // A group of eight outputs is two tiles of four rows.
                        _ => {
                            let [first, second] =
                                [0, 1].map(|tile| (tile * self.inputs + input) * (LANES / 2));
                            to[first..][..LANES / 2].copy_from_slice(&values[..LANES / 2]);
                            to[second..][..LANES / 2].copy_from_slice(&values[LANES / 2..]);
                        }
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
    let tiles = Tiles::of(shape.n, shape.y.output, shape.x.output);
    let (height, width, level) = (shape.y.output, shape.x.output, level());
    let mut y = room(shape.n * shape.o * height * width);
    // Where it cuts, and who computes what, changes no sum.
    let panel = level.columns() / LANES * LANES;
    let own = tiles.whole_rows(panel);
    let numbers = bank.inputs * bank.outputs * PLACES;
    let threads =
        match numbers <= FILTERS && tiles.count() >= 2 * own * rayon::current_num_threads() {
            true => Threads::Own,
            false => Threads::Shared,
        };
    let step = match threads {
        Threads::Own => own,
        Threads::Shared => tiles.whole_rows(shared_block(tiles.count(), shape.c + shape.o, panel)),
    };
    let ends: Vec<usize> = (1..=tiles.count().div_ceil(step))
        .map(|block| tiles.count().min(block * step))
        .collect();
    let pixels: Vec<usize> = ends
        .iter()
        .map(|&end| tiles.pixels(end, height, width))
        .collect();
    let to = Maps::new(&mut y, shape.o, height * width, 0..shape.o);
    let blocks = to.cut_columns(&pixels).into_iter().zip(ends);
    let blocks: Vec<_> = blocks
        .map(|(to, end)| (to, (end - 1) / step * step..end))
        .collect();
    let pass = Pass {
        level,
        planes: Planes::inputs(x, shape),
        tiles,
        epilogue,
        shape,
    };
    if blocks.len() == 1 {
        for (to, block) in blocks {
            pass.only_block(bank, &block, to);
        }
        return y;
    }
    scratch(PLACES * bank.place(shape.o), |u| {
        bank.transform(Threads::Shared, level, &(0..shape.o), u);
        let u = &*u;
        match threads {
            Threads::Own => blocks
                .into_par_iter()
                .for_each(|(to, block)| pass.block(threads, u, &block, to)),
            Threads::Shared => blocks
                .into_iter()
                .for_each(|(to, block)| pass.block(threads, u, &block, to)),
        }
    });
    y
}
