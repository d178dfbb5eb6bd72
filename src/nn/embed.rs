//! Rows of a table by index: `y = w[index]`, and where the gradients of the rows go.

use super::cpu::{self, Real, on_cpu, with_slices};
use candle_core::{DType, Result, Tensor, bail};

/// The rows of `w` (V, D) at `indices`, whole numbers of any type and shape S: (S, D).
///
/// Errors name an index that is no row.
pub fn embed(indices: &Tensor, w: &Tensor) -> Result<Tensor> {
    let (rows, width) = w.dims2()?;
    let places = rows_of(indices, rows)?;
    let mut dims = indices.dims().to_vec();
    dims.push(width);
    let places = Tensor::from_vec(places, indices.elem_count(), w.device())?;
    w.index_select(&places, 0)?.reshape(dims)
}

/// Gradient of [`embed`] with respect to its table (`rows`, D): the gradients `dy` (S, D) of each
/// row's uses, added in order.
pub fn embed_backward(indices: &Tensor, dy: &Tensor, rows: usize) -> Result<Tensor> {
    let places = rows_of(indices, rows)?;
    on_cpu!(dy, scatter(&places, dy, rows), else scatter_reference(&places, dy, rows))
}

fn rows_of(indices: &Tensor, rows: usize) -> Result<Vec<u32>> {
    let values = indices.flatten_all()?.to_dtype(DType::F64)?;
    let row = |value: f64| {
        if value >= 0.0 && value < rows as f64 && value.fract() == 0.0 {
            return Ok(value as u32);
        }
        bail!("{value} is not a row of a table of {rows}")
    };
    values.to_vec1::<f64>()?.into_iter().map(row).collect()
}

fn scatter<T: Real>(places: &[u32], dy: &Tensor, rows: usize) -> Result<Tensor> {
    let width = dy.dims().last().copied().unwrap_or(1);
    let mut dw = vec![T::ZERO; rows * width];
    with_slices([dy], |[dy]: [&[T]; 1]| {
        for (place, dy) in places.iter().zip(dy.chunks_exact(width.max(1))) {
            let row = &mut dw[*place as usize * width..][..width];
            for (sum, value) in row.iter_mut().zip(dy) {
                *sum += *value;
            }
        }
        Ok(())
    })?;
    cpu::tensor(dw, (rows, width))
}

fn scatter_reference(places: &[u32], dy: &Tensor, rows: usize) -> Result<Tensor> {
    let width = dy.dims().last().copied().unwrap_or(1);
    let places = Tensor::from_slice(places, places.len(), dy.device())?;
    let zeros = Tensor::zeros((rows, width), dy.dtype(), dy.device())?;
    zeros.index_add(&places, &dy.reshape(((), width))?, 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn rows_are_taken_and_their_gradients_add_up() {
        let w = Tensor::new(&[[1f64, 2.0], [3.0, 4.0], [5.0, 6.0]], &Device::Cpu).unwrap();
        let indices = Tensor::new(&[[2f32, 0.0], [2.0, 2.0]], &Device::Cpu).unwrap();
        let y = embed(&indices, &w).unwrap();
        assert_eq!(y.dims(), [2, 2, 2]);
        assert_eq!(
            y.get(0).unwrap().to_vec2::<f64>().unwrap(),
            [[5.0, 6.0], [1.0, 2.0]]
        );
        let dw = embed_backward(&indices, &y, 3)
            .unwrap()
            .to_vec2::<f64>()
            .unwrap();
        assert_eq!(dw, [[1.0, 2.0], [0.0, 0.0], [15.0, 18.0]]);
        let places = rows_of(&indices, 3).unwrap();
        let reference = scatter_reference(&places, &y, 3).unwrap();
        assert_eq!(reference.to_vec2::<f64>().unwrap(), dw);
    }

    #[test]
    fn an_index_that_is_no_row_is_an_error() {
        let w = Tensor::zeros((3, 2), DType::F64, &Device::Cpu).unwrap();
        for wrong in [-1f64, 3.0, 0.5, f64::NAN] {
            let indices = Tensor::new(&[wrong], &Device::Cpu).unwrap();
            assert!(embed(&indices, &w).is_err(), "{wrong}");
        }
    }
}
