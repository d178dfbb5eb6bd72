//! Convolution by 3 × 3 filters in steps of one with a quarter of the multiplications: Winograd's
//! minimal filtering F(4×4, 3×3), as Lavin and Gray wrote it for networks (CVPR 2016).
//!
//! The input is cut into overlapping tiles of 6 × 6, each for 4 × 4 outputs. Transformed tiles and
//! filters meet in 36 matrix products, one for each place of a tile. The tiles go through in
//! blocks that stay in the cache; a block's size follows from the shapes alone, so the sums have
//! the same order at any number of threads. `f32` only; an output's error is about ten times that
//! of a plain sum.

use candle_core::{DType, Result, Tensor};
use rayon::prelude::*;

use super::conv::ConvShape;
use super::cpu::{self, with_slices};
use super::matmul::{Mat, MatMut, Threads, matmul};

mod lanes;

#[cfg(test)]
pub(super) use lanes::available;

use lanes::Forward;

/// Sides of a tile and of its outputs, and the places of a tile.
const SIDE: usize = 6;
const STEP: usize = 4;
const PLACES: usize = SIDE * SIDE;

/// Tiles that one pass of the transforms takes.
const LANES: usize = lanes::COUNT;

/// Numbers of one block's transformed inputs and outputs.
const BLOCK: usize = 1 << 20;

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
}

/// How a batch of maps is cut into tiles.
#[derive(Clone, Copy)]
struct Tiles {
    images: usize,
    /// Tiles down and across an image.
    down: usize,
    across: usize,
}

impl Tiles {
    fn of(images: usize, height: usize, width: usize) -> Self {
        Self {
            images,
            down: height.div_ceil(STEP),
            across: width.div_ceil(STEP),
        }
    }

    fn per_image(&self) -> usize {
        self.down * self.across
    }

    /// The tiles in blocks (first, count) for so many channels in and out.
    fn blocks(&self, channels: usize) -> impl Iterator<Item = (usize, usize)> + use<> {
        let total = self.images * self.per_image();
        let block = (BLOCK / (PLACES * channels)).clamp(4 * LANES, 64 * LANES) / LANES * LANES;
        (0..total)
            .step_by(block)
            .map(move |first| (first, block.min(total - first)))
    }
}

/// Planes with zeros around them, so that every tile lies inside.
struct Padded {
    values: Vec<f32>,
    height: usize,
    width: usize,
}

impl Padded {
    /// `planes` of `[height, width]`, placed at `[top, left]` of larger ones.
    fn new(x: &[f32], size: [usize; 2], corner: [usize; 2], padded: [usize; 2]) -> Self {
        let [height, width] = padded;
        let planes = x.len() / (size[0] * size[1]).max(1);
        // A tile is read in rows of eight numbers, two beyond its own.
        let mut values = vec![0f32; planes * height * width + LANES];
        let inside = &mut values[..planes * height * width];
        inside
            .par_chunks_mut(height * width)
            .zip(x.par_chunks(size[0] * size[1]))
            .with_min_len(8)
            .for_each(|(to, from)| {
                let rows = to.chunks_exact_mut(width).skip(corner[0]);
                for (to, from) in rows.zip(from.chunks_exact(size[1])) {
                    // What a larger pad than needed leaves out is not looked at by any tile.
                    let count = size[1].min(width - corner[1]);
                    to[corner[1]..][..count].copy_from_slice(&from[..count]);
                }
            });
        Self {
            values,
            height,
            width,
        }
    }

    /// Where a tile of a channel begins, by the image's number and the tile's in it.
    fn start(&self, plane: usize, tiles: &Tiles, tile: usize) -> usize {
        let (y, x) = (tile / tiles.across, tile % tiles.across);
        (plane * self.height + STEP * y) * self.width + STEP * x
    }

    /// The transformed tiles of a block, for each channel [place, tile].
    fn transformed(
        &self,
        channels: usize,
        tiles: &Tiles,
        (first, count): (usize, usize),
        kind: Forward,
        all: &mut Vec<f32>,
    ) {
        let width = count.next_multiple_of(LANES);
        all.resize(channels * PLACES * width, 0.0);
        let of_channel = |(channel, out): (usize, &mut [f32])| {
            for group in (0..width).step_by(LANES) {
                let starts = std::array::from_fn(|lane| {
                    let tile = first + (group + lane).min(count - 1);
                    let (image, tile) = (tile / tiles.per_image(), tile % tiles.per_image());
                    self.start(image * channels + channel, tiles, tile)
                });
                let (values, stride) = (&self.values, self.width);
                lanes::forward(kind, (values, &starts, stride), (&mut out[group..], width));
            }
        };
        all.par_chunks_mut(PLACES * width)
            .enumerate()
            .for_each(of_channel);
    }
}

/// The filters (O, C, 3, 3) at each place: for each of O, [place, C].
fn transformed_filters(w: &[f32], (o, c): (usize, usize)) -> Vec<f32> {
    let mut u = vec![0f32; o * PLACES * c];
    let of_output = |(u, w): (&mut [f32], &[f32])| {
        for (index, w) in w.chunks(9 * LANES).enumerate() {
            lanes::filters(w, &mut u[index * LANES..], c);
        }
    };
    let outputs = u.par_chunks_mut(PLACES * c).zip(w.par_chunks(9 * c));
    outputs.for_each(of_output);
    u
}

/// [`super::conv2d`] of a shape that [`fits`].
pub(super) fn forward(
    x: &Tensor,
    w: &Tensor,
    bias: Option<&Tensor>,
    shape: &ConvShape,
) -> Result<Tensor> {
    let bias = bias
        .map(|bias| bias.flatten_all()?.to_vec1::<f32>())
        .transpose()?;
    let y = with_slices([x, w], |[x, w]| Ok(convolve(x, w, bias.as_deref(), shape)))?;
    cpu::tensor(y, &shape.output_dims())
}

/// The gradient by the input: the convolution of `dy` with the filters turned round.
pub(super) fn backward_data(dy: &Tensor, w: &Tensor, shape: &ConvShape) -> Result<Tensor> {
    let turned = with_slices([w], |[w]: [&[f32]; 1]| Ok(turned(w, (shape.o, shape.c))))?;
    let dx = with_slices([dy], |[dy]| {
        Ok(convolve(dy, &turned, None, &shape.adjoint()))
    })?;
    cpu::tensor(dx, &shape.input_dims())
}

/// Filters (O, C, 3, 3) as (C, O, 3, 3), each read from its end.
fn turned(w: &[f32], (o, c): (usize, usize)) -> Vec<f32> {
    let mut turned = vec![0f32; w.len()];
    let of_input = |(input, to): (usize, &mut [f32])| {
        for (output, to) in to.chunks_exact_mut(9).enumerate() {
            let from = &w[(output * c + input) * 9..][..9];
            for (to, from) in to.iter_mut().zip(from.iter().rev()) {
                *to = *from;
            }
        }
    };
    turned.par_chunks_mut(9 * o).enumerate().for_each(of_input);
    turned
}

fn convolve(x: &[f32], w: &[f32], bias: Option<&[f32]>, shape: &ConvShape) -> Vec<f32> {
    let (c, o) = (shape.c, shape.o);
    let [height, width] = [shape.y.output, shape.x.output];
    let tiles = Tiles::of(shape.n, height, width);
    let padded = padded_input(x, shape, &tiles);
    let u = transformed_filters(w, (o, c));
    let mut y = vec![0f32; shape.n * o * height * width];
    let (mut v, mut m) = (Vec::new(), Vec::new());
    for block in tiles.blocks(c + o) {
        padded.transformed(c, &tiles, block, Forward::Input, &mut v);
        let columns = v.len() / (c * PLACES);
        // The last pass of the inverse reads up to a whole group further.
        m.resize(o * PLACES * columns + LANES, 0f32);
        let products = MatMut::new(&mut m[..o * PLACES * columns], o, PLACES * columns);
        let v = Mat::new(&v, c, PLACES * columns);
        let places: Vec<_> = products.column_blocks(columns).enumerate().collect();
        places.into_par_iter().for_each(|(place, mut m)| {
            let u = Mat::new(&u, o, PLACES * c).columns(place * c, c);
            let v = v.columns(place * columns, columns);
            matmul(&mut m, u, v, false, Threads::One);
        });
        write_outputs(&m, columns, block, &tiles, bias, shape, &mut y);
    }
    y
}

fn padded_input(x: &[f32], shape: &ConvShape, tiles: &Tiles) -> Padded {
    let size = [shape.y.size, shape.x.size];
    let padded = [tiles.down, tiles.across].map(|count| STEP * count + SIDE - STEP);
    Padded::new(x, size, [shape.y.pad, shape.x.pad], padded)
}

/// From products back to maps: `y` of the block's tiles, for each (image, filter) plane.
fn write_outputs(
    m: &[f32],
    columns: usize,
    (first, count): (usize, usize),
    tiles: &Tiles,
    bias: Option<&[f32]>,
    shape: &ConvShape,
    y: &mut [f32],
) {
    let per_image = tiles.per_image();
    let (height, width) = (shape.y.output, shape.x.output);
    let images = first / per_image..(first + count).div_ceil(per_image);
    let planes = &mut y[images.start * shape.o * height * width..]
        [..images.len() * shape.o * height * width];
    let of_plane = |(plane, y): (usize, &mut [f32])| {
        let (image, filter) = (images.start + plane / shape.o, plane % shape.o);
        let bias = bias.map_or(0.0, |bias| bias[filter]);
        let m = &m[filter * PLACES * columns..];
        let begin = first.max(image * per_image);
        let end = (first + count).min((image + 1) * per_image);
        for group in (begin..end).step_by(LANES) {
            let outputs = lanes::backward(&m[group - first..], columns);
            for (lane, tile) in (group..end.min(group + LANES)).enumerate() {
                let tile = tile - image * per_image;
                let (top, left) = (tile / tiles.across * STEP, tile % tiles.across * STEP);
                let wide = STEP.min(width - left);
                for row in 0..STEP.min(height - top) {
                    let to = &mut y[(top + row) * width + left..][..wide];
                    for (to, from) in to.iter_mut().zip(&outputs[row][lane]) {
                        *to = from + bias;
                    }
                }
            }
        }
    };
    let plane = (height * width).max(1);
    planes
        .par_chunks_mut(plane)
        .enumerate()
        .with_min_len((4096 / plane).max(1))
        .for_each(of_plane);
}

/// [`super::conv2d_backward_filter`] of a shape that [`fits`].
pub(super) fn backward_filter(x: &Tensor, dy: &Tensor, shape: &ConvShape) -> Result<Tensor> {
    let dw = with_slices([x, dy], |[x, dy]| Ok(filter_gradient(x, dy, shape)))?;
    cpu::tensor(dw, &shape.filter_dims())
}

fn filter_gradient(x: &[f32], dy: &[f32], shape: &ConvShape) -> Vec<f32> {
    let (c, o) = (shape.c, shape.o);
    let tiles = Tiles::of(shape.n, shape.y.output, shape.x.output);
    let inputs = padded_input(x, shape, &tiles);
    let size = [shape.y.output, shape.x.output];
    let padded = [tiles.down, tiles.across].map(|count| STEP * count);
    let gradients = Padded::new(dy, size, [0, 0], padded);
    let mut du = vec![0f32; PLACES * o * c];
    let (mut v, mut m) = (Vec::new(), Vec::new());
    for (index, block) in tiles.blocks(c + o).enumerate() {
        inputs.transformed(c, &tiles, block, Forward::Input, &mut v);
        gradients.transformed(o, &tiles, block, Forward::Gradient, &mut m);
        let columns = v.len() / (c * PLACES);
        // What fills the last group up are copies of its last tile, which must not count twice.
        for row in m.chunks_exact_mut(columns) {
            row[block.1..].fill(0.0);
        }
        let v = Mat::new(&v, c, PLACES * columns);
        let m = Mat::new(&m, o, PLACES * columns);
        let places: Vec<_> = MatMut::new(&mut du, o, PLACES * c)
            .column_blocks(c)
            .enumerate()
            .collect();
        places.into_par_iter().for_each(|(place, mut du)| {
            let v = v.columns(place * columns, columns).t();
            let m = m.columns(place * columns, columns);
            matmul(&mut du, m, v, index > 0, Threads::One);
        });
    }
    let mut dw = vec![0f32; o * c * 9];
    let of_output = |(dw, du): (&mut [f32], &[f32])| {
        for (index, dw) in dw.chunks_mut(9 * LANES).enumerate() {
            lanes::filter_gradients(&du[index * LANES..], c, dw);
        }
    };
    let outputs = dw.par_chunks_mut(9 * c).zip(du.par_chunks(PLACES * c));
    outputs.for_each(of_output);
    dw
}
