//! Inverted dropout (Srivastava et al. 2014, with the scaling in training as Caffe and PyTorch do it).
//!
//! The mask is a pure function of the seed, so forward and backward make the same one and nothing
//! needs to be kept between them.

use super::cpu;
use candle_core::{Result, Tensor, bail};
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// Elements that one stream of random numbers covers.
const STREAM: usize = 16 * 1024;

/// Each element of `x` is 0 with probability `ratio`, else multiplied by `1 / (1 − ratio)`: always
/// the same elements for the same seed, on every device.
///
/// The operation is its own backward: the gradient for the input is `dropout(dy, ratio, seed)`.
/// Errors unless 0 ≤ `ratio` < 1.
pub fn dropout(x: &Tensor, ratio: f64, seed: u64) -> Result<Tensor> {
    if !(0.0..1.0).contains(&ratio) {
        bail!("a dropout ratio must be at least 0 and below 1, not {ratio}");
    }
    // Below the threshold lie `ratio` of all 2³² numbers.
    let threshold = (ratio * 2f64.powi(32)) as u64;
    let kept = 1.0 / (1.0 - ratio);
    #[cfg(feature = "cudnn")]
    if let Some(y) = super::cuda::dropout(x, threshold as u32, kept, seed)? {
        return Ok(y);
    }
    let mut mask = vec![0f64; x.elem_count()];
    mask.par_chunks_mut(STREAM)
        .enumerate()
        .for_each(|(stream, mask)| {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            random.set_stream(stream as u64);
            for value in mask {
                if u64::from(random.next_u32()) >= threshold {
                    *value = kept;
                }
            }
        });
    // On the way to a device only the type that it needs travels: not every one has f64.
    let mask = cpu::tensor(mask, x.shape())?.to_dtype(x.dtype())?;
    x * mask.to_device(x.device())?
}
