//! Whether an NVIDIA card may round what it multiplies to TF32: 10 bits of a number instead of 23.
//!
//! One setting for the process, because Candle's for matrix products is one. On other devices it
//! changes nothing.

use std::sync::atomic::{AtomicBool, Ordering};

static ALLOWED: AtomicBool = AtomicBool::new(false);

/// Allows TF32 in convolutions and matrix products on CUDA: about twice as fast from Ampere on,
/// and right to three digits instead of six. It is off until it is allowed.
pub fn set_tf32(allowed: bool) {
    ALLOWED.store(allowed, Ordering::Relaxed);
    candle_core::cuda::set_gemm_reduced_precision_f32(allowed);
}

/// Whether TF32 is allowed.
pub fn tf32() -> bool {
    ALLOWED.load(Ordering::Relaxed)
}
