//! Access to the device memory of tensors: the counterpart of `cpu::with_slices`.

use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaView, DeviceRepr};
use candle_core::cuda_backend::{CudaDType, CudaStorage};
use candle_core::op::BackpropOp;
use candle_core::{CudaDevice, Result, Shape, Storage, Tensor, bail};

/// Lends the device memory of tensors, made contiguous where they are not, to `f`.
///
/// Errors if they are not on one card or hold another type than `T`.
pub(super) fn with_views<T: CudaDType, R, const N: usize>(
    tensors: [&Tensor; N],
    f: impl FnOnce(&CudaDevice, [CudaView<'_, T>; N]) -> Result<R>,
) -> Result<R> {
    let mut contiguous = Vec::with_capacity(N);
    for tensor in tensors {
        contiguous.push(tensor.contiguous()?);
    }
    let storages: Vec<_> = contiguous.iter().map(Tensor::storage_and_layout).collect();
    let mut device: Option<&CudaDevice> = None;
    let mut views = Vec::with_capacity(N);
    for (storage, layout) in &storages {
        let Storage::Cuda(data) = &**storage else {
            bail!("the CUDA path met a tensor of another device")
        };
        if device.is_some_and(|device| device.id() != data.device().id()) {
            bail!("the CUDA path met tensors of two devices")
        }
        device = Some(data.device());
        let slice = data.as_cuda_slice::<T>()?;
        let range = layout.contiguous_offsets();
        let Some(view) = range.and_then(|(start, end)| slice.try_slice(start..end)) else {
            bail!("the CUDA path met a strided tensor")
        };
        views.push(view);
    }
    let (Some(device), Ok(views)) = (device, views.try_into()) else {
        bail!("the CUDA path met no tensor")
    };
    f(device, views)
}

/// Memory for a result; what it holds is undefined until an operation has written all of it.
pub(super) fn alloc<T: DeviceRepr>(device: &CudaDevice, count: usize) -> Result<CudaSlice<T>> {
    // SAFETY: every caller hands the memory to one operation that writes each element before
    // anything reads it; the types are numbers, for which any bits are a value.
    unsafe { device.alloc::<T>(count) }
}

/// A tensor made of device memory, which moves into it.
pub(super) fn tensor<T: CudaDType>(
    values: CudaSlice<T>,
    device: &CudaDevice,
    shape: impl Into<Shape>,
) -> Result<Tensor> {
    let shape = shape.into();
    if values.len() != shape.elem_count() {
        bail!("{} values do not fill a tensor {shape:?}", values.len());
    }
    let storage = CudaStorage::wrap_cuda_slice(values, device.clone());
    let storage = Storage::Cuda(storage);
    Ok(Tensor::from_storage(
        storage,
        shape,
        BackpropOp::none(),
        false,
    ))
}
