//! Access to the numbers of CPU tensors, and loops over them in parallel.
//!
//! Work is cut at fixed places, never by the number of threads, so results do not depend on it.

use candle_core::{CpuStorage, Device, Result, Shape, Storage, Tensor, WithDType, bail};
use rayon::prelude::*;

/// Elements that one task of an elementwise loop takes.
pub(super) const CHUNK: usize = 16 * 1024;

/// A number that the CPU paths compute with: `f32` or `f64`.
pub(super) trait Real: WithDType + std::ops::Neg<Output = Self> {
    const ZERO: Self;
    const ONE: Self;
    fn exp(self) -> Self;
    fn ln(self) -> Self;
    fn tanh(self) -> Self;
    fn sqrt(self) -> Self;
}

macro_rules! impl_real {
    ($($real:ident),*) => {$(
        impl Real for $real {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            fn exp(self) -> Self {
                $real::exp(self)
            }
            fn ln(self) -> Self {
                $real::ln(self)
            }
            fn tanh(self) -> Self {
                $real::tanh(self)
            }
            fn sqrt(self) -> Self {
                $real::sqrt(self)
            }
        }
    )*};
}
impl_real!(f32, f64);

/// Calls the generic CPU path with the type of `$x`, or evaluates the reference on any other device or type.
/// With `cuda`, that function of `nn::cuda` serves `f32` tensors on CUDA, if it is built.
macro_rules! on_cpu {
    (
        $x:expr, $path:ident($($argument:expr),* $(,)?),
        cuda $cuda:ident($($given:expr),*), else $reference:expr
    ) => {
        match ($x.device(), $x.dtype()) {
            (candle_core::Device::Cpu, candle_core::DType::F32) => $path::<f32>($($argument),*),
            (candle_core::Device::Cpu, candle_core::DType::F64) => $path::<f64>($($argument),*),
            #[cfg(feature = "cudnn")]
            (candle_core::Device::Cuda(_), candle_core::DType::F32) => {
                crate::nn::cuda::$cuda($($given),*)
            }
            _ => $reference,
        }
    };
    ($x:expr, $path:ident($($argument:expr),* $(,)?), else $reference:expr) => {
        match ($x.device(), $x.dtype()) {
            (candle_core::Device::Cpu, candle_core::DType::F32) => $path::<f32>($($argument),*),
            (candle_core::Device::Cpu, candle_core::DType::F64) => $path::<f64>($($argument),*),
            _ => $reference,
        }
    };
}
pub(super) use on_cpu;

/// Lends the numbers of CPU tensors, made contiguous where they are not, to `f`.
///
/// Errors if a tensor is on another device or holds another type than `T`.
pub(super) fn with_slices<T: WithDType, R, const N: usize>(
    tensors: [&Tensor; N],
    f: impl FnOnce([&[T]; N]) -> Result<R>,
) -> Result<R> {
    let mut contiguous = Vec::with_capacity(N);
    for tensor in tensors {
        contiguous.push(tensor.contiguous()?);
    }
    let storages: Vec<_> = contiguous.iter().map(Tensor::storage_and_layout).collect();
    let mut slices: [&[T]; N] = [&[]; N];
    for (slice, (storage, layout)) in slices.iter_mut().zip(&storages) {
        let Storage::Cpu(data) = &**storage else {
            bail!("the CPU path met a tensor of another device")
        };
        let Some((start, end)) = layout.contiguous_offsets() else {
            bail!("the CPU path met a strided tensor")
        };
        *slice = &T::cpu_storage_as_slice(data as &CpuStorage)?[start..end];
    }
    f(slices)
}

/// A CPU tensor made of `values`, which move into it.
pub(super) fn tensor<T: WithDType>(values: Vec<T>, shape: impl Into<Shape>) -> Result<Tensor> {
    Tensor::from_vec(values, shape.into(), &Device::Cpu)
}

/// `f` of each element.
pub(super) fn map<T: Real>(x: &Tensor, f: impl Fn(T) -> T + Sync) -> Result<Tensor> {
    let y = with_slices([x], |[x]| {
        let mut y = vec![T::ZERO; x.len()];
        y.par_chunks_mut(CHUNK)
            .zip(x.par_chunks(CHUNK))
            .for_each(|(y, x)| {
                for (y, &x) in y.iter_mut().zip(x) {
                    *y = f(x);
                }
            });
        Ok(y)
    })?;
    tensor(y, x.shape())
}

/// `f` of each pair of elements of two tensors of equal shape.
pub(super) fn map2<T: Real>(
    a: &Tensor,
    b: &Tensor,
    f: impl Fn(T, T) -> T + Sync,
) -> Result<Tensor> {
    same_shape(a, b)?;
    let y = with_slices([a, b], |[a, b]| {
        let mut y = vec![T::ZERO; a.len()];
        let chunks = y
            .par_chunks_mut(CHUNK)
            .zip(a.par_chunks(CHUNK))
            .zip(b.par_chunks(CHUNK));
        chunks.for_each(|((y, a), b)| {
            for ((y, &a), &b) in y.iter_mut().zip(a).zip(b) {
                *y = f(a, b);
            }
        });
        Ok(y)
    })?;
    tensor(y, a.shape())
}

/// An error that names both shapes unless they are equal.
pub(super) fn same_shape(a: &Tensor, b: &Tensor) -> Result<()> {
    if a.shape() != b.shape() {
        bail!(
            "shapes {:?} and {:?} differ where they must be equal",
            a.dims(),
            b.dims()
        );
    }
    Ok(())
}

/// The sum in a fixed order: eight running sums, which the compiler keeps in one register, then these and the rest.
pub(super) fn sum<T: Real>(values: &[T]) -> T {
    let (blocks, rest) = values.as_chunks::<8>();
    let mut lanes = [T::ZERO; 8];
    for block in blocks {
        for (lane, &value) in lanes.iter_mut().zip(block) {
            *lane += value;
        }
    }
    let mut total = T::ZERO;
    for &value in lanes.iter().chain(rest) {
        total += value;
    }
    total
}
