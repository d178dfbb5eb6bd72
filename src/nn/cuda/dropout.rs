//! Dropout whose mask the card makes by itself, the same one as on every device.

use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::driver::{CudaView, DeviceRepr, PushKernelArg};
use candle_core::{Result, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::kernel::{Kernel, for_each, number};
use super::memory::{alloc, tensor, with_views};
use super::serves;

/// Numbers that a thread makes: a block of ChaCha.
const BLOCK: usize = 16;

/// `Key` of `kernels.cu`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Key([u32; 8]);

// SAFETY: it is laid out as the kernel's structure, and holds nothing but numbers.
unsafe impl DeviceRepr for Key {}

/// See [`crate::nn::dropout`]: an element whose random number is below `threshold` is 0, another
/// one is multiplied by `kept`. `None` where this is not for a card.
pub(in crate::nn) fn dropout(
    x: &Tensor,
    threshold: u32,
    kept: f64,
    seed: u64,
) -> Result<Option<Tensor>> {
    if !serves(&[x]) {
        return Ok(None);
    }
    let mut key = Key([0; 8]);
    let seed = ChaCha8Rng::seed_from_u64(seed).get_seed();
    let (words, _) = seed.as_chunks::<4>();
    for (to, word) in key.0.iter_mut().zip(words) {
        *to = u32::from_le_bytes(*word);
    }
    let (count, kept) = (x.elem_count(), kept as f32);
    with_views([x], |device, [values]: [CudaView<'_, f32>; 1]| {
        let mut y = alloc::<f32>(device, count)?;
        let kernel = Kernel::load(device, "dropout")?;
        let length: u32 = number("dropout", count)?;
        let mut launch = kernel.launch();
        launch.arg(&values).arg(&mut y).arg(&key);
        launch.arg(&threshold).arg(&kept).arg(&length);
        // SAFETY: the arguments are the kernel's, and both arrays hold `length` numbers.
        unsafe { launch.launch(for_each(count.div_ceil(BLOCK))?) }.w()?;
        tensor(y, device, x.shape()).map(Some)
    })
}
