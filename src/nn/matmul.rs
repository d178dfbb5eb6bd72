//! Products of strided matrices over slices: the safe face of the `gemm` crate.
//!
//! Invariant: a view never reaches outside the slice that it was made from, and two mutable views
//! that exist together share no element.

use super::cpu::Real;
use std::marker::PhantomData;

/// A read-only matrix of `rows × cols` over a slice.
#[derive(Clone, Copy)]
pub(super) struct Mat<'a, T> {
    data: &'a [T],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

impl<'a, T> Mat<'a, T> {
    /// The whole of `data` as a row-major matrix.
    pub fn new(data: &'a [T], rows: usize, cols: usize) -> Self {
        assert_eq!(
            data.len(),
            rows * cols,
            "a matrix holds rows × cols elements"
        );
        Self {
            data,
            rows,
            cols,
            row_stride: cols,
            col_stride: 1,
        }
    }

    /// The transpose, without moving anything.
    pub fn t(self) -> Self {
        Self {
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
            ..self
        }
    }

    /// Columns `start .. start + count`.
    pub fn columns(self, start: usize, count: usize) -> Self {
        assert!(
            start + count <= self.cols,
            "the columns lie inside the matrix"
        );
        Self {
            data: self.data.get(start * self.col_stride..).unwrap_or_default(),
            cols: count,
            ..self
        }
    }
}

/// A mutable matrix of `rows × cols` whose rows are contiguous and `row_stride` apart.
pub(super) struct MatMut<'a, T> {
    data: *mut T,
    rows: usize,
    cols: usize,
    row_stride: usize,
    owner: PhantomData<&'a mut [T]>,
}

// SAFETY: a `MatMut` is an exclusive borrow of its elements (see the module's invariant), like
// `&mut [T]`, and may go to another thread wherever that may.
unsafe impl<T: Send> Send for MatMut<'_, T> {}

impl<'a, T> MatMut<'a, T> {
    /// The whole of `data` as a row-major matrix.
    pub fn new(data: &'a mut [T], rows: usize, cols: usize) -> Self {
        assert_eq!(
            data.len(),
            rows * cols,
            "a matrix holds rows × cols elements"
        );
        Self {
            data: data.as_mut_ptr(),
            rows,
            cols,
            row_stride: cols,
            owner: PhantomData,
        }
    }

    /// Cuts the matrix into blocks of `width` columns, the last one possibly narrower.
    pub fn column_blocks(self, width: usize) -> impl Iterator<Item = MatMut<'a, T>> {
        (0..self.cols)
            .step_by(width.max(1))
            .map(move |start| MatMut {
                // The blocks are disjoint ranges of columns of a matrix that this call consumed, so no
                // two of them share an element; `start < cols` keeps the pointer inside the slice.
                data: self.data.wrapping_add(start),
                cols: width.min(self.cols - start),
                ..self
            })
    }
}

/// Whether a product may use the threads of the current pool for itself; the result is the same bits.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Threads {
    One,
    Pool,
}

impl Threads {
    /// One thread per product where `tasks` products already occupy the pool.
    pub fn for_tasks(tasks: usize) -> Self {
        if tasks >= rayon::current_num_threads() {
            Self::One
        } else {
            Self::Pool
        }
    }
}

/// `c ← a·b`, or `c ← c + a·b` if `accumulate`.
pub(super) fn matmul<T: Real>(
    c: &mut MatMut<T>,
    a: Mat<T>,
    b: Mat<T>,
    accumulate: bool,
    threads: Threads,
) {
    assert!(
        a.rows == c.rows && b.cols == c.cols && a.cols == b.rows,
        "the sizes of a product agree"
    );
    let parallelism = match threads {
        Threads::One => gemm::Parallelism::None,
        Threads::Pool => gemm::Parallelism::Rayon(0),
    };
    // SAFETY: the constructors of `Mat` and `MatMut` keep every (row, column) inside their slices,
    // the sizes were just compared, `c` is an exclusive borrow and so overlaps neither `a` nor `b`,
    // and `Real` is `f32` or `f64`, two of the types for which `gemm` does not panic.
    unsafe {
        gemm::gemm(
            c.rows,
            c.cols,
            a.cols,
            c.data,
            1,
            c.row_stride as isize,
            accumulate,
            a.data.as_ptr(),
            a.col_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.col_stride as isize,
            b.row_stride as isize,
            T::ONE,
            T::ONE,
            false,
            false,
            false,
            parallelism,
        );
    }
}
