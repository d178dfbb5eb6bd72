//! Inverted dropout (Srivastava et al. 2014, with the scaling in training as Caffe and PyTorch do it).
//!
//! The mask is a pure function of the seed, so forward and backward make the same one and nothing
//! needs to be kept between them.

use super::cpu;
use candle_core::{DType, Device, Result, Shape, Tensor, bail};
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// Elements that one stream of random numbers covers.
const STREAM: usize = 16 * 1024;

/// `x` times [`dropout_mask`]: in training, each element is 0 with probability `ratio`, else scaled up.
///
/// The operation is its own backward: the gradient for the input is `dropout(dy, ratio, seed)`.
pub fn dropout(x: &Tensor, ratio: f64, seed: u64) -> Result<Tensor> {
    x * dropout_mask(x.shape(), ratio, seed, x.dtype(), x.device())?
}

/// A tensor of 0 with probability `ratio` and of `1 / (1 − ratio)` elsewhere, always the same for
/// the same seed on every device.
///
/// Errors unless 0 ≤ `ratio` < 1.
pub fn dropout_mask(
    shape: &Shape,
    ratio: f64,
    seed: u64,
    dtype: DType,
    device: &Device,
) -> Result<Tensor> {
    if !(0.0..1.0).contains(&ratio) {
        bail!("a dropout ratio must be at least 0 and below 1, not {ratio}");
    }
    // Below the threshold lie `ratio` of all 2³² numbers.
    let threshold = (ratio * 2f64.powi(32)) as u64;
    let kept = (1.0 / (1.0 - ratio)) as f32;
    let mut mask = vec![0f32; shape.elem_count()];
    mask.par_chunks_mut(STREAM)
        .enumerate()
        .for_each(|(stream, mask)| {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            random.set_stream(stream as u64);
            for value in mask {
                *value = if u64::from(random.next_u32()) < threshold {
                    0.0
                } else {
                    kept
                };
            }
        });
    cpu::tensor(mask, shape)?.to_dtype(dtype)?.to_device(device)
}
