//! The way of a batch to the device that computes.

use candle_core::{Device, Result, Tensor};

/// Brings tensors to one device; from the thread that makes them, while another one computes.
///
/// On CUDA with cuDNN they go through page-locked memory. On any other device they stay as they
/// are, and whoever computes with them takes them there.
pub struct Staging {
    #[cfg(feature = "cudnn")]
    pinned: Option<super::cuda::Pinned>,
}

impl Staging {
    #[cfg_attr(not(feature = "cudnn"), allow(unused_variables))]
    pub fn to(device: &Device) -> Self {
        Self {
            #[cfg(feature = "cudnn")]
            pinned: device.as_cuda_device().ok().map(super::cuda::Pinned::new),
        }
    }

    /// The tensor, on the device where that is this one's task.
    pub fn stage(&mut self, tensor: &Tensor) -> Result<Tensor> {
        #[cfg(feature = "cudnn")]
        if let Some(pinned) = &mut self.pinned {
            return pinned.stage(tensor);
        }
        Ok(tensor.clone())
    }
}
