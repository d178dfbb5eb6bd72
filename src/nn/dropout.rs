//! Inverted dropout (Srivastava et al. 2014, with the scaling in training as Caffe and PyTorch do it).
//!
//! The mask is a pure function of the seed, so forward and backward make the same one and nothing
//! needs to be kept between them.

use super::cpu::{self, Real, on_cpu, with_slices};
use candle_core::{DType, Device, Result, Tensor, bail};
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
    let mask = Mask {
        // Below the threshold lie `ratio` of all 2³² numbers.
        threshold: (ratio * 2f64.powi(32)) as u64,
        kept: 1.0 / (1.0 - ratio),
        seed,
    };
    #[cfg(feature = "cudnn")]
    if let Some(y) = super::cuda::dropout(x, mask.threshold as u32, mask.kept, seed)? {
        return Ok(y);
    }
    on_cpu!(x, on_cpu_of(x, mask), else {
        // On the way to a device only the type that it needs travels: not every one has f64.
        let ones = Tensor::ones(x.shape(), DType::F32, &Device::Cpu)?;
        let mask = on_cpu_of::<f32>(&ones, mask)?.to_dtype(x.dtype())?;
        x * mask.to_device(x.device())?
    })
}

/// Which elements stay, and by what they are multiplied.
#[derive(Clone, Copy)]
struct Mask {
    threshold: u64,
    kept: f64,
    seed: u64,
}

fn on_cpu_of<T: Real>(x: &Tensor, mask: Mask) -> Result<Tensor> {
    let kept = T::from_f64(mask.kept);
    let y = with_slices([x], |[x]: [&[T]; 1]| {
        let mut y = cpu::room(x.len());
        let streams = y
            .par_chunks_mut(STREAM)
            .zip(x.par_chunks(STREAM))
            .enumerate();
        streams.for_each(|(stream, (y, x))| {
            let mut random = ChaCha8Rng::seed_from_u64(mask.seed);
            random.set_stream(stream as u64);
            for (y, &x) in y.iter_mut().zip(x) {
                let stays = u64::from(random.next_u32()) >= mask.threshold;
                *y = x * if stays { kept } else { T::ZERO };
            }
        });
        Ok(y)
    })?;
    cpu::tensor(y, x.shape())
}
