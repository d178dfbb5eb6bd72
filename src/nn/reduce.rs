//! Sums over axes, as Caffe's Reduction layer has them, and the places of the largest values, as
//! its ArgMax.

use candle_core::{DType, Device, Result, Tensor, bail};
use rayon::prelude::*;

/// What many numbers become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduce {
    Sum,
    /// The sum of the absolute values.
    AbsSum,
    /// The sum of the squares.
    SquareSum,
    Mean,
}

/// `coefficient` times the sum of all axes of `x` from `axis` on, which go away.
pub fn reduce(x: &Tensor, axis: usize, how: Reduce, coefficient: f64) -> Result<Tensor> {
    let rows = rows(x, axis)?;
    let values = match how {
        Reduce::Sum | Reduce::Mean => rows,
        Reduce::AbsSum => rows.abs()?,
        Reduce::SquareSum => rows.sqr()?,
    };
    let coefficient = match how {
        Reduce::Mean => coefficient / values.dim(1)? as f64,
        _ => coefficient,
    };
    (values.sum(1)? * coefficient)?.reshape(&x.dims()[..axis])
}

/// Gradient of [`reduce`]: `dy`, times `sign(x)` or `2x`, at every element that was summed.
pub fn reduce_backward(
    x: &Tensor,
    dy: &Tensor,
    axis: usize,
    how: Reduce,
    coefficient: f64,
) -> Result<Tensor> {
    let rows = rows(x, axis)?;
    let slopes = match how {
        Reduce::Sum => rows.ones_like()?.affine(coefficient, 0.0)?,
        Reduce::Mean => {
            let count = rows.dim(1)? as f64;
            rows.ones_like()?.affine(coefficient / count, 0.0)?
        }
        Reduce::AbsSum => (rows.sign()? * coefficient)?,
        Reduce::SquareSum => (rows * (2.0 * coefficient))?,
    };
    let dy = dy.contiguous()?.reshape(((), 1))?;
    slopes.broadcast_mul(&dy)?.reshape(x.shape())
}

/// `x` as (before `axis`, the rest).
fn rows(x: &Tensor, axis: usize) -> Result<Tensor> {
    let Some((before, rest)) = x.dims().split_at_checked(axis) else {
        bail!("{:?} has no axis {axis}", x.dims())
    };
    let dims: [usize; 2] = [before, rest].map(|dims| dims.iter().product());
    x.contiguous()?.reshape(&dims)
}

/// Where the `k` largest values along the middle axis of `x` (A, B, C) stand, the largest first:
/// u32 (A, k, C). Of equal values the one that stands later goes first, as in Caffe.
pub fn top_indices(x: &Tensor, k: usize) -> Result<Tensor> {
    let (outer, count, inner) = x.dims3()?;
    if k == 0 || k > count {
        bail!("the {k} largest of {count} values are asked for");
    }
    let values = x.to_device(&Device::Cpu)?.to_dtype(DType::F64)?;
    let values = values.flatten_all()?.to_vec1::<f64>()?;
    let mut indices = vec![0u32; outer * k * inner];
    let blocks = values.par_chunks((count * inner).max(1));
    indices
        .par_chunks_mut((k * inner).max(1))
        .zip(blocks)
        .for_each(|(indices, values)| {
            let mut order: Vec<u32> = Vec::with_capacity(count);
            for place in 0..inner {
                let value = |index: u32| values[index as usize * inner + place];
                let larger_first =
                    |a: &u32, b: &u32| value(*b).total_cmp(&value(*a)).then(b.cmp(a));
                order.clear();
                order.extend(0..count as u32);
                if k < count {
                    order.select_nth_unstable_by(k - 1, larger_first);
                }
                order[..k].sort_unstable_by(larger_first);
                for (rank, index) in order[..k].iter().enumerate() {
                    indices[rank * inner + place] = *index;
                }
            }
        });
    Tensor::from_vec(indices, (outer, k, inner), x.device())
}
