//! Access to the numbers of CPU tensors, and loops over them in parallel.
//!
//! Work is cut at fixed places, never by the number of threads, so results do not depend on it.

use super::simd::wide;
use candle_core::{
    CpuStorage, Device, InplaceOp1, Layout, Result, Shape, Storage, Tensor, WithDType, bail,
};
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
    /// The numbers of a storage of this type.
    fn numbers_mut(storage: &mut CpuStorage) -> Option<&mut Vec<Self>>;
}

macro_rules! impl_real {
    ($($real:ident $storage:ident),*) => {$(
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
            fn numbers_mut(storage: &mut CpuStorage) -> Option<&mut Vec<Self>> {
                match storage {
                    CpuStorage::$storage(numbers) => Some(numbers),
                    _ => None,
                }
            }
        }
    )*};
}
impl_real!(f32 F32, f64 F64);

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

/// Lends the numbers of whole, contiguous CPU tensors to `f`, which may change them: whoever shares
/// such a tensor sees the change.
///
/// Errors if a tensor is on another device, holds another type, is a part of another one, or is
/// given twice.
pub(super) fn with_slices_mut<T: Real, R, const N: usize>(
    tensors: [&Tensor; N],
    f: impl FnOnce([&mut [T]; N]) -> R,
) -> Result<R> {
    let mut lent = Vec::with_capacity(N);
    for tensor in tensors {
        lent.push(Lent::<T>::take(tensor)?);
    }
    let mut slices: [&mut [T]; N] = std::array::from_fn(|_| Default::default());
    for (slice, lent) in slices.iter_mut().zip(&mut lent) {
        *slice = &mut lent.numbers;
    }
    Ok(f(slices))
}

/// A tensor whose numbers are out, and come back when this ends.
struct Lent<'a, T: Real> {
    tensor: &'a Tensor,
    numbers: Vec<T>,
}

/// Exchanges the numbers of a tensor with those here.
struct Exchange<'a, T>(std::sync::Mutex<&'a mut Vec<T>>);

impl<T: Real> InplaceOp1 for Exchange<'_, T> {
    fn name(&self) -> &'static str {
        "exchange"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, _: &Layout) -> Result<()> {
        let (Some(numbers), Ok(mut mine)) = (T::numbers_mut(storage), self.0.lock()) else {
            bail!("the numbers have another type than those that are to be changed")
        };
        std::mem::swap(numbers, *mine);
        Ok(())
    }
}

impl<'a, T: Real> Lent<'a, T> {
    fn take(tensor: &'a Tensor) -> Result<Self> {
        let mut numbers = Vec::new();
        tensor.inplace_op1(&Exchange(std::sync::Mutex::new(&mut numbers)))?;
        let lent = Self { tensor, numbers };
        if lent.numbers.len() != tensor.elem_count() || !tensor.is_contiguous() {
            bail!("a tensor that shares its numbers with others cannot be changed in place");
        }
        Ok(lent)
    }
}

impl<T: Real> Drop for Lent<'_, T> {
    fn drop(&mut self) {
        let back = Exchange(std::sync::Mutex::new(&mut self.numbers));
        if let Err(error) = self.tensor.inplace_op1(&back) {
            // They came out of the same storage.
            unreachable!("numbers that were lent do not go back: {error}");
        }
    }
}

/// A CPU tensor made of `values`, which move into it.
pub(super) fn tensor<T: WithDType>(values: Vec<T>, shape: impl Into<Shape>) -> Result<Tensor> {
    Tensor::from_vec(values, shape.into(), &Device::Cpu)
}

/// Room for `count` numbers, each of which the caller writes before anybody reads it: zeros would
/// cost another walk through memory. In tests they are not numbers, so that one left out shows.
pub(super) fn room<T: Real>(count: usize) -> Vec<T> {
    if cfg!(any(test, debug_assertions)) {
        return vec![T::from_f64(f64::NAN); count];
    }
    let mut room = Vec::with_capacity(count);
    // SAFETY: there is room for `count` elements; every pattern of bits is an `f32` or an `f64`,
    // the two types that are `Real`, and the caller reads none before it is written.
    #[allow(clippy::uninit_vec)]
    unsafe {
        room.set_len(count);
    }
    room
}

wide! {
    fn map_slice[T: Real, F: FnOf1<T>](x: &[T], y: &mut [T], f: &F) {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = f(x);
        }
    }

    fn map2_slice[T: Real, F: FnOf2<T>](a: &[T], b: &[T], y: &mut [T], f: &F) {
        for ((y, &a), &b) in y.iter_mut().zip(a).zip(b) {
            *y = f(a, b);
        }
    }
}

/// A function of one element, or of two.
pub(super) trait FnOf1<T>: Fn(T) -> T + Sync {}
impl<T, F: Fn(T) -> T + Sync> FnOf1<T> for F {}
pub(super) trait FnOf2<T>: Fn(T, T) -> T + Sync {}
impl<T, F: Fn(T, T) -> T + Sync> FnOf2<T> for F {}

/// `f` of each element.
pub(super) fn map<T: Real>(x: &Tensor, f: impl FnOf1<T>) -> Result<Tensor> {
    let y = with_slices([x], |[x]| {
        let mut y = room(x.len());
        y.par_chunks_mut(CHUNK)
            .zip(x.par_chunks(CHUNK))
            .for_each(|(y, x)| map_slice(x, y, &f));
        Ok(y)
    })?;
    tensor(y, x.shape())
}

/// `f` of each pair of elements of two tensors of equal shape.
pub(super) fn map2<T: Real>(a: &Tensor, b: &Tensor, f: impl FnOf2<T>) -> Result<Tensor> {
    same_shape(a, b)?;
    let y = with_slices([a, b], |[a, b]| {
        let mut y = room(a.len());
        let chunks = y
            .par_chunks_mut(CHUNK)
            .zip(a.par_chunks(CHUNK))
            .zip(b.par_chunks(CHUNK));
        chunks.for_each(|((y, a), b)| map2_slice(a, b, y, &f));
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

wide! {
    /// The sum in a fixed order: eight running sums, which the compiler keeps in one register, then these and the rest.
    pub(super) fn sum[T: Real](values: &[T]) -> T {
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
}
