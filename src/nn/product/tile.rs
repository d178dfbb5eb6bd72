//! The innermost loop of every product: a few rows by a few vectors of columns, kept in registers
//! while the depth runs by.
//!
//! One generic body is compiled for each instruction set ([`Level`]); its sums run over the depth
//! in order with fused multiply-adds, so all of them give the same bits. This file, `output.rs`
//! and `vector.rs` are the only ones of the product with `unsafe`: [`Tile::run`] checks every bound before it.

use super::output::Place;
use super::vector::Vector;

/// Most vectors of columns in a tile.
pub(super) const VECTORS: usize = 3;
/// Most rows of a tile, on any level.
const MAX_ROWS: usize = 8;
/// Most columns of a tile, on any level.
pub(super) const MAX_COLUMNS: usize = VECTORS * 16;

/// What a tile is computed with, found when the program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::nn) enum Level {
    /// x86-64 with AVX-512: 32 registers of 16 numbers.
    Avx512,
    /// x86-64 with AVX2 and FMA: 16 registers of 8 numbers.
    Avx2,
    /// Arrays of four, which the compiler turns into NEON where that is always there.
    Four,
}

impl Level {
    /// The best of this machine; `None` where the `gemm` crate is the better choice.
    pub fn here() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            match avx2 {
                true if is_x86_feature_detected!("avx512f") => Some(Self::Avx512),
                true => Some(Self::Avx2),
                false => None,
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            cfg!(target_arch = "aarch64").then_some(Self::Four)
        }
    }

    /// All that can run here, for tests.
    #[cfg(test)]
    pub fn all() -> Vec<Self> {
        let x86 = match Self::here() {
            Some(Self::Avx512) => &[Self::Avx512, Self::Avx2][..],
            Some(Self::Avx2) => &[Self::Avx2],
            _ => &[],
        };
        [x86, &[Self::Four]].concat()
    }

    /// Numbers in a vector.
    pub fn lanes(self) -> usize {
        match self {
            Self::Avx512 => 16,
            Self::Avx2 => 8,
            Self::Four => 4,
        }
    }

    /// Rows of a full tile: what leaves registers for a row of the right side and one number of the left.
    pub fn rows(self) -> usize {
        match self {
            Self::Avx512 | Self::Four => 8,
            Self::Avx2 => 4,
        }
    }

    /// Columns of a full tile.
    pub fn columns(self) -> usize {
        VECTORS * self.lanes()
    }
}

/// The left side of one tile.
#[derive(Clone, Copy)]
pub(in crate::nn) enum Left<'a> {
    /// `[depth][stride]`, of which a full tile's rows are the first.
    Packed { data: &'a [f32], stride: usize },
    /// Each row where it lies: number `i` of run `r` of row `m` is
    /// `data[starts[m] + runs[r] + i]`, for `length` numbers a run.
    Rows {
        data: &'a [f32],
        starts: &'a [usize],
        runs: &'a [usize],
        length: usize,
    },
}

/// What is done to a tile when its last sum is complete.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::nn) struct Finish<'a> {
    pub bias: Bias<'a>,
    /// Whether negative numbers become 0; a NaN stays one.
    pub relu: bool,
}

/// What is added to a product.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::nn) enum Bias<'a> {
    #[default]
    None,
    /// One number for each row.
    Rows(&'a [f32]),
    /// One number for each column.
    Columns(&'a [f32]),
}

/// One tile: `rows` × (`vectors` · lanes) sums over the depth of the right side.
pub(super) struct Tile<'a> {
    pub left: Left<'a>,
    /// `[depth][vectors · lanes]`.
    pub right: &'a [f32],
    pub rows: usize,
    pub vectors: usize,
    /// Whether the sums begin with what is there already.
    pub accumulate: bool,
    /// The bias belongs to the tile's own rows and columns, of which there may be fewer than it has.
    pub finish: Option<Finish<'a>>,
}

impl Tile<'_> {
    /// Computes the tile into `to`, all `vectors · lanes` columns of it.
    ///
    /// Panics if a side is too short, or the place too small.
    pub fn run(&self, level: Level, to: &mut Place<'_>) {
        let columns = self.vectors * level.lanes();
        let rows_of_level = level.rows();
        assert!((1..=rows_of_level).contains(&self.rows) && (1..=VECTORS).contains(&self.vectors));
        assert!(
            self.right.len().is_multiple_of(columns),
            "the right side is whole rows"
        );
        let depth = self.right.len() / columns;
        match self.left {
            Left::Packed { data, stride } => {
                assert!(depth == 0 || data.len() >= (depth - 1) * stride + rows_of_level);
            }
            Left::Rows {
                data,
                starts,
                runs,
                length,
            } => {
                assert!(starts.len() >= self.rows && runs.len() * length == depth);
                let start = starts[..self.rows].iter().max().copied().unwrap_or(0);
                let run = runs.iter().max().copied().unwrap_or(0);
                assert!(
                    start + run + length <= data.len(),
                    "every run lies inside the data"
                );
            }
        }
        assert!(to.holds(self.rows, columns), "the place holds the tile");
        let bias = self.bias(columns);
        let sums = Sums {
            left: self.left,
            right: self.right.as_ptr(),
            depth,
            to: to.pointer(),
            row_stride: to.row_stride(),
            accumulate: self.accumulate,
            bias: &bias,
            relu: self.finish.is_some_and(|finish| finish.relu),
        };
        // SAFETY: the level was found on this machine or is plain code. Reads: the right side has
        // `depth` rows of `columns`; the left side has `depth` rows of a full tile, or each of its
        // rows has all runs inside `data`. Writes: `to` is an exclusive borrow of at least
        // `rows` × `columns` numbers at its stride. The bias has a number for every row and column.
        unsafe {
            match level {
                #[cfg(target_arch = "x86_64")]
                Level::Avx512 => x86::avx512(self.rows, self.vectors, &sums),
                #[cfg(target_arch = "x86_64")]
                Level::Avx2 => x86::avx2(self.rows, self.vectors, &sums),
                _ => of_rows::<[f32; 4]>(self.rows, self.vectors, &sums),
            }
        }
    }

    /// The bias stretched over a whole tile, zeros where there are no more rows or columns.
    fn bias(&self, columns: usize) -> Stretched {
        match self.finish.map_or(Bias::None, |finish| finish.bias) {
            Bias::None => Stretched::None,
            Bias::Rows(bias) => {
                let mut rows = [0.0; MAX_ROWS];
                let count = bias.len().min(self.rows);
                rows[..count].copy_from_slice(&bias[..count]);
                Stretched::Rows(rows)
            }
            Bias::Columns(bias) => {
                let mut all = [0.0; MAX_COLUMNS];
                let count = bias.len().min(columns);
                all[..count].copy_from_slice(&bias[..count]);
                Stretched::Columns(all)
            }
        }
    }
}

enum Stretched {
    None,
    Rows([f32; MAX_ROWS]),
    Columns([f32; MAX_COLUMNS]),
}

/// A tile whose bounds were checked.
struct Sums<'a> {
    left: Left<'a>,
    right: *const f32,
    depth: usize,
    to: *mut f32,
    row_stride: usize,
    accumulate: bool,
    bias: &'a Stretched,
    relu: bool,
}

/// Picks the body for the number of rows; rows beyond `rows` are computed where the left side has
/// them, and not written.
#[inline(always)]
unsafe fn of_rows<V: Vector>(rows: usize, vectors: usize, sums: &Sums<'_>) {
    // SAFETY: as for the caller.
    unsafe {
        match (rows, vectors) {
            (1, 1) => sum::<V, 1, 1>(rows, sums),
            (1, 2) => sum::<V, 1, 2>(rows, sums),
            (1, _) => sum::<V, 1, 3>(rows, sums),
            (2, 1) => sum::<V, 2, 1>(rows, sums),
            (2, 2) => sum::<V, 2, 2>(rows, sums),
            (2, _) => sum::<V, 2, 3>(rows, sums),
            (3..=4, 1) => sum::<V, 4, 1>(rows, sums),
            (3..=4, 2) => sum::<V, 4, 2>(rows, sums),
            (3..=4, _) => sum::<V, 4, 3>(rows, sums),
            (_, 1) => sum::<V, 8, 1>(rows, sums),
            (_, 2) => sum::<V, 8, 2>(rows, sums),
            (_, _) => sum::<V, 8, 3>(rows, sums),
        }
    }
}

/// `M` rows by `W` vectors, of which the first `rows` rows are written.
#[inline(always)]
unsafe fn sum<V: Vector, const M: usize, const W: usize>(rows: usize, sums: &Sums<'_>) {
    // SAFETY: see `Tile::run`; all pointers below stay inside what it checked. Rows from `rows`
    // up to `M` read the left side's padding, or the last row's numbers again.
    unsafe {
        let mut tile = [[V::splat(0.0); W]; M];
        let mut right = sums.right;
        match sums.left {
            Left::Packed { data, stride } => {
                let mut left = data.as_ptr();
                for _ in 0..sums.depth {
                    step(&mut tile, right, |row| *left.add(row));
                    left = left.wrapping_add(stride);
                    right = right.add(W * V::LANES);
                }
            }
            Left::Rows {
                data,
                starts,
                runs,
                length,
            } => {
                for &run in runs {
                    let from: [*const f32; M] = std::array::from_fn(|row| {
                        data.as_ptr().add(starts[row.min(rows - 1)] + run)
                    });
                    for i in 0..length {
                        step(&mut tile, right, |row| *from[row].add(i));
                        right = right.add(W * V::LANES);
                    }
                }
            }
        }
        // A copy for the loop below, whose end is not known to the compiler: `tile` itself, indexed
        // by constants alone, then stays in registers.
        let done = tile;
        for (row, tile) in done.iter().enumerate().take(rows) {
            let to = sums.to.add(row * sums.row_stride);
            for (vector, &value) in tile.iter().enumerate() {
                let (to, mut value) = (to.add(vector * V::LANES), value);
                if sums.accumulate {
                    value = V::load(to).add(value);
                }
                match sums.bias {
                    Stretched::None => {}
                    Stretched::Rows(bias) => value = value.add(V::splat(bias[row])),
                    Stretched::Columns(bias) => {
                        value = value.add(V::load(bias.as_ptr().add(vector * V::LANES)));
                    }
                }
                if sums.relu {
                    value = value.relu();
                }
                value.store(to);
            }
        }
    }
}

/// One step along the depth.
#[inline(always)]
unsafe fn step<V: Vector, const M: usize, const W: usize>(
    tile: &mut [[V; W]; M],
    right: *const f32,
    left: impl Fn(usize) -> f32,
) {
    // SAFETY: as for the caller.
    unsafe {
        let mut columns = [V::splat(0.0); W];
        for (vector, column) in columns.iter_mut().enumerate() {
            *column = V::load(right.add(vector * V::LANES));
        }
        for (row, sums) in tile.iter_mut().enumerate() {
            let left = V::splat(left(row));
            for (sum, &column) in sums.iter_mut().zip(&columns) {
                *sum = sum.fma(left, column);
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Sums, of_rows};
    use std::arch::x86_64::*;

    /// # Safety
    /// As for `Tile::run`, on a processor with AVX-512F.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn avx512(rows: usize, vectors: usize, sums: &Sums<'_>) {
        // SAFETY: as for the caller.
        unsafe { of_rows::<__m512>(rows, vectors, sums) }
    }

    /// # Safety
    /// As for `Tile::run`, on a processor with AVX2 and FMA.
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn avx2(rows: usize, vectors: usize, sums: &Sums<'_>) {
        // SAFETY: as for the caller, which keeps the rows of this level to four.
        unsafe { of_rows::<__m256>(rows, vectors, sums) }
    }
}
