//! The registers that tiles are summed in, one type for each instruction set.

/// A register of numbers.
pub(super) trait Vector: Copy {
    const LANES: usize;
    /// # Safety
    /// The processor has the vector's instructions, here and below.
    unsafe fn splat(x: f32) -> Self;
    /// # Safety
    /// `from` is valid for `LANES` numbers.
    unsafe fn load(from: *const f32) -> Self;
    /// # Safety
    /// `to` is valid for `LANES` numbers.
    unsafe fn store(self, to: *mut f32);
    /// `self + a · b`, rounded once.
    /// # Safety
    /// As above.
    unsafe fn fma(self, a: Self, b: Self) -> Self;
    /// # Safety
    /// As above.
    unsafe fn add(self, other: Self) -> Self;
    /// 0 where negative; NaN stays.
    /// # Safety
    /// As above.
    unsafe fn relu(self) -> Self;
}

impl Vector for [f32; 4] {
    const LANES: usize = 4;
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        [x; 4]
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller says that four numbers are there; no alignment is assumed.
        unsafe { from.cast::<Self>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: as for `load`.
        unsafe { to.cast::<Self>().write_unaligned(self) }
    }
    #[inline(always)]
    unsafe fn fma(self, a: Self, b: Self) -> Self {
        std::array::from_fn(|i| a[i].mul_add(b[i], self[i]))
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        std::array::from_fn(|i| self[i] + other[i])
    }
    #[inline(always)]
    unsafe fn relu(self) -> Self {
        self.map(|x| if x <= 0.0 { 0.0 } else { x })
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Vector;
    use std::arch::x86_64::*;

    /// The intrinsics behind a vector; the comparison keeps a NaN, and −0 becomes 0.
    macro_rules! vector {
        ($vector:ty, $lanes:literal, $splat:ident, $load:ident, $store:ident, $fma:ident, $add:ident, $relu:expr) => {
            impl Vector for $vector {
                const LANES: usize = $lanes;
                #[inline(always)]
                unsafe fn splat(x: f32) -> Self {
                    // SAFETY: the caller says that the instructions are there, here and below.
                    unsafe { $splat(x) }
                }
                #[inline(always)]
                unsafe fn load(from: *const f32) -> Self {
                    // SAFETY: the caller says that the numbers are there.
                    unsafe { $load(from) }
                }
                #[inline(always)]
                unsafe fn store(self, to: *mut f32) {
                    // SAFETY: the caller says that there is room.
                    unsafe { $store(to, self) }
                }
                #[inline(always)]
                unsafe fn fma(self, a: Self, b: Self) -> Self {
                    // SAFETY: see `splat`.
                    unsafe { $fma(a, b, self) }
                }
                #[inline(always)]
                unsafe fn add(self, other: Self) -> Self {
                    // SAFETY: see `splat`.
                    unsafe { $add(self, other) }
                }
                #[inline(always)]
                unsafe fn relu(self) -> Self {
                    let relu: unsafe fn(Self) -> Self = $relu;
                    // SAFETY: see `splat`.
                    unsafe { relu(self) }
                }
            }
        };
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    fn relu_512(x: __m512) -> __m512 {
        // max returns its second operand where one is a NaN.
        _mm512_max_ps(_mm512_setzero_ps(), x)
    }

    #[target_feature(enable = "avx2,fma")]
    #[inline]
    fn relu_256(x: __m256) -> __m256 {
        _mm256_max_ps(_mm256_setzero_ps(), x)
    }

    vector!(
        __m512,
        16,
        _mm512_set1_ps,
        _mm512_loadu_ps,
        _mm512_storeu_ps,
        _mm512_fmadd_ps,
        _mm512_add_ps,
        |x| unsafe { relu_512(x) }
    );
    vector!(
        __m256,
        8,
        _mm256_set1_ps,
        _mm256_loadu_ps,
        _mm256_storeu_ps,
        _mm256_fmadd_ps,
        _mm256_add_ps,
        |x| unsafe { relu_256(x) }
    );
}
