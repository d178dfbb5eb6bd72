//! Where products go: rows of a batch of maps, cut into parts that threads write at once.
//!
//! Invariant: two parts that exist together share no number, and every number of a part lies
//! inside the slice that the whole was made from.

use std::marker::PhantomData;
use std::ops::Range;

/// A mutable matrix whose columns are the places of a batch of maps: column `j` of row `r` is place
/// `j % plane` of map `r` of image `j / plane`. A plain matrix has one image and its columns as places.
pub(in crate::nn) struct Maps<'a, T = f32> {
    data: *mut T,
    rows: Range<usize>,
    columns: Range<usize>,
    plane: usize,
    /// Numbers from one image to the next.
    image: usize,
    owner: PhantomData<&'a mut [T]>,
}

// SAFETY: a `Maps` is an exclusive borrow of its numbers (see the module's invariant), like a
// mutable slice, and may go to another thread as that may.
unsafe impl<T: Send> Send for Maps<'_, T> {}

impl<'a, T: Copy> Maps<'a, T> {
    /// Maps `rows` of every image of `data` (N, maps, plane).
    pub fn new(data: &'a mut [T], maps: usize, plane: usize, rows: Range<usize>) -> Self {
        Self::spaced(data, maps * plane, plane, rows)
    }

    /// As [`Maps::new`], where `image` numbers lie from one image to the next, which may be more
    /// than its maps have.
    pub fn spaced(data: &'a mut [T], image: usize, plane: usize, rows: Range<usize>) -> Self {
        let images = data.len().checked_div(image).unwrap_or(0);
        assert!(
            images * image == data.len() && rows.end * plane <= image,
            "whole images hold the rows"
        );
        Self {
            data: data.as_mut_ptr().wrapping_add(rows.start * plane),
            rows: 0..rows.len(),
            columns: 0..images * plane,
            plane,
            image,
            owner: PhantomData,
        }
    }

    /// A matrix of `rows` × `columns`.
    pub fn matrix(data: &'a mut [T], rows: usize, columns: usize) -> Self {
        Self::new(data, rows, columns, 0..rows)
    }

    pub fn rows(&self) -> Range<usize> {
        self.rows.clone()
    }

    pub fn columns(&self) -> Range<usize> {
        self.columns.clone()
    }

    /// Cuts into parts of at most so many rows and columns, rows running first.
    pub fn parts(self, rows: usize, columns: usize) -> Vec<Self> {
        // The parts are disjoint rectangles of a matrix that this call consumes.
        let cut = |range: Range<usize>, step: usize| {
            let end = range.end;
            range
                .step_by(step.max(1))
                .map(move |start| start..end.min(start + step.max(1)))
        };
        let all_rows = self.rows.clone();
        cut(self.columns.clone(), columns)
            .flat_map(|columns| {
                cut(all_rows.clone(), rows).map(move |rows| (rows, columns.clone()))
            })
            .map(|(rows, columns)| Self {
                rows,
                columns,
                ..self
            })
            .collect()
    }

    /// A row in each of the images, one after the other; the part must have whole images.
    pub fn rows_of_images(&mut self, row: usize) -> impl Iterator<Item = &mut [T]> {
        let images = self.columns.start / self.plane..self.columns.end / self.plane;
        self.check(
            &(row..row + 1),
            &(images.start * self.plane..images.end * self.plane),
        );
        let (first, image, plane) = (
            self.data.wrapping_add(row * self.plane),
            self.image,
            self.plane,
        );
        // SAFETY: row and columns belong to this part (just checked), which is borrowed for as long
        // as the slices live; no two images overlap.
        images.map(move |index| unsafe {
            std::slice::from_raw_parts_mut(first.wrapping_add(index * image), plane)
        })
    }

    /// A run of a row; the columns must lie in one image.
    pub fn run(&mut self, row: usize, columns: Range<usize>) -> &mut [T] {
        self.check(&(row..row + 1), &columns);
        let (image, first) = (columns.start / self.plane, columns.start % self.plane);
        assert!(first + columns.len() <= self.plane);
        // SAFETY: row and columns belong to this part (just checked), which stays borrowed, and
        // lie side by side (also checked).
        unsafe {
            let first = self
                .data
                .wrapping_add(image * self.image + row * self.plane + first);
            std::slice::from_raw_parts_mut(first, columns.len())
        }
    }

    /// Cuts the columns at these numbers, which must ascend, the last one being their end.
    pub fn cut_columns(self, ends: &[usize]) -> Vec<Self> {
        let mut start = self.columns.start;
        let parts = ends.iter().map(|&end| {
            assert!(start <= end && end <= self.columns.end);
            // The parts are disjoint ranges of columns of a matrix that this call consumes.
            let part = Self {
                rows: self.rows.clone(),
                columns: start..end,
                ..self
            };
            start = end;
            part
        });
        parts.collect()
    }

    /// The place of a tile whose columns lie side by side in one image; `None` where they do not.
    pub fn place(&mut self, rows: Range<usize>, columns: Range<usize>) -> Option<Place<'_, T>> {
        self.check(&rows, &columns);
        let (image, first) = (columns.start / self.plane, columns.start % self.plane);
        (first + columns.len() <= self.plane).then(|| Place {
            data: self
                .data
                .wrapping_add(image * self.image + rows.start * self.plane + first),
            row_stride: self.plane,
            rows: rows.len(),
            columns: columns.len(),
            owner: PhantomData,
        })
    }

    /// Writes `from` (rows × `stride`) to these rows and columns, which may lie in several images.
    pub fn write(&mut self, rows: Range<usize>, columns: Range<usize>, from: &[T], stride: usize) {
        let (mut at, first) = (columns.start, columns.start);
        while at < columns.end {
            let end = columns.end.min((at / self.plane + 1) * self.plane);
            for (row, from) in rows.clone().zip(from.chunks_exact(stride)) {
                if let Some(mut place) = self.place(row..row + 1, at..end) {
                    place.write(&from[at - first..end - first]);
                }
            }
            at = end;
        }
    }

    fn check(&self, rows: &Range<usize>, columns: &Range<usize>) {
        let inside = |part: &Range<usize>, whole: &Range<usize>| {
            part.start >= whole.start && part.end <= whole.end
        };
        assert!(inside(rows, &self.rows) && inside(columns, &self.columns));
    }
}

/// Exclusive room for one tile.
pub(in crate::nn) struct Place<'a, T = f32> {
    data: *mut T,
    row_stride: usize,
    rows: usize,
    columns: usize,
    owner: PhantomData<&'a mut [T]>,
}

impl<'a, T: Copy> Place<'a, T> {
    /// Rows of `columns` numbers of `data`, one after the other.
    pub fn new(data: &'a mut [T], columns: usize) -> Self {
        Self {
            rows: data.len() / columns.max(1),
            data: data.as_mut_ptr(),
            row_stride: columns,
            columns,
            owner: PhantomData,
        }
    }

    /// Writes the first row.
    pub fn write(&mut self, from: &[T]) {
        assert!(self.holds(1, from.len()));
        // SAFETY: a place is an exclusive borrow of its rows, the first of which holds all of `from`.
        unsafe { std::slice::from_raw_parts_mut(self.data, from.len()) }.copy_from_slice(from);
    }

    pub fn holds(&self, rows: usize, columns: usize) -> bool {
        rows <= self.rows && columns <= self.columns
    }

    pub fn pointer(&mut self) -> *mut T {
        self.data
    }

    pub fn row_stride(&self) -> usize {
        self.row_stride
    }
}
