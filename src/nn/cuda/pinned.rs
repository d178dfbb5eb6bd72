//! The way of batches to the card: through page-locked memory, which the card reads by itself, so
//! that neither the thread that sends a batch nor the one that trains waits for it.

use candle_core::backend::BackendDevice;
use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::driver::sys::CUevent_flags;
use candle_core::cuda_backend::cudarc::driver::{CudaEvent, CudaSlice, PinnedHostSlice};
use candle_core::{CpuStorage, CudaDevice, DType, Device, Result, Storage, Tensor};

use super::memory::{alloc, tensor};

/// Buffers that are filled in turn: those of the batches that wait, and one in hand.
const BUFFERS: usize = 4;

/// Page-locked buffers, each as large as the largest tensor it has taken.
pub(in crate::nn) struct Pinned {
    device: CudaDevice,
    buffers: [Option<Buffer>; BUFFERS],
    next: usize,
}

struct Buffer {
    memory: PinnedHostSlice<f32>,
    /// When the card has read what it was given last. The memory's own event is not used where
    /// Candle keeps one stream.
    read: Option<CudaEvent>,
}

impl Pinned {
    pub fn new(device: &CudaDevice) -> Self {
        Self {
            device: device.clone(),
            buffers: [const { None }; BUFFERS],
            next: 0,
        }
    }

    /// The tensor on the card; the copy is in the stream before whatever uses it. What is not a
    /// contiguous `f32` tensor of the CPU, labels for instance, goes the usual way.
    pub fn stage(&mut self, from: &Tensor) -> Result<Tensor> {
        let device = Device::Cuda(self.device.clone());
        if from.dtype() != DType::F32 || !from.device().is_cpu() || from.elem_count() == 0 {
            return from.to_device(&device);
        }
        let (storage, layout) = from.storage_and_layout();
        let (Storage::Cpu(CpuStorage::F32(values)), Some((start, end))) =
            (&*storage, layout.contiguous_offsets())
        else {
            return from.to_device(&device);
        };
        let copied = self.copy(&values[start..end])?;
        tensor(copied, &self.device, from.shape())
    }

    fn copy(&mut self, values: &[f32]) -> Result<CudaSlice<f32>> {
        let stream = self.device.cuda_stream();
        let slot = &mut self.buffers[self.next];
        self.next = (self.next + 1) % BUFFERS;
        let mut buffer = match slot.take() {
            Some(buffer) if buffer.memory.len() >= values.len() => buffer,
            _ => Buffer {
                // SAFETY: it is written before it is read.
                memory: unsafe { stream.context().alloc_pinned(values.len()) }.w()?,
                read: None,
            },
        };
        buffer.wait()?;
        buffer.memory.as_mut_slice().w()?[..values.len()].copy_from_slice(values);
        let mut copied = alloc::<f32>(&self.device, values.len())?;
        let lent = &buffer.memory.as_slice().w()?[..values.len()];
        let sent = stream.memcpy_htod(lent, &mut copied);
        // From here on the card may read the buffer, whatever comes next.
        let event = stream.record_event(Some(CUevent_flags::CU_EVENT_BLOCKING_SYNC));
        match event {
            Ok(event) => buffer.read = Some(event),
            Err(_) => self.device.synchronize()?,
        }
        *slot = Some(buffer);
        sent.w()?;
        Ok(copied)
    }
}

impl Buffer {
    /// Until the card has read it.
    fn wait(&mut self) -> Result<()> {
        match self.read.take() {
            Some(read) => read.synchronize().w(),
            None => Ok(()),
        }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // After a failure of the card nothing reads any more.
        let _ = self.wait();
    }
}
