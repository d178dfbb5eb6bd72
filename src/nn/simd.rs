//! Loops compiled for the vector instructions of the processor at hand.

/// Defines functions whose bodies are compiled twice on x86-64: for AVX2, and for what every
/// processor has; which of the two runs is found out at each call. Sums keep their order, and a
/// product and a sum stay two roundings, so both give the same bits. Generics stand in brackets.
macro_rules! wide {
    ($(
        $(#[$meta:meta])*
        $vis:vis fn $name:ident [$($generic:ident: $bound:path),*] ($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block
    )*) => {$(
        $(#[$meta])*
        $vis fn $name<$($generic: $bound),*>($($argument: $type),*) $(-> $result)? {
            #[inline(always)]
            fn plain<$($generic: $bound),*>($($argument: $type),*) $(-> $result)? $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2")]
            fn avx2<$($generic: $bound),*>($($argument: $type),*) $(-> $result)? {
                plain($($argument),*)
            }
            #[cfg(target_arch = "x86_64")]
            if is_x86_feature_detected!("avx2") {
                // SAFETY: the processor has AVX2.
                return unsafe { avx2($($argument),*) };
            }
            plain($($argument),*)
        }
    )*};
}
pub(super) use wide;

/// Writes eight rows of one length as columns: number `i` of row `j` to `out[i * width + j]`.
pub(super) fn transpose8(rows: [&[f32]; 8], out: &mut [f32], width: usize) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx") {
        // SAFETY: the processor has AVX.
        return unsafe { x86::transpose8(rows, out, width) };
    }
    transpose(rows, out, width, |rows| {
        std::array::from_fn(|j| rows.map(|row| row[j]))
    });
}

#[inline(always)]
fn transpose(
    rows: [&[f32]; 8],
    out: &mut [f32],
    width: usize,
    block: impl Fn([[f32; 8]; 8]) -> [[f32; 8]; 8],
) {
    let length = rows[0].len();
    let blocks = rows.map(|row| row[..length].as_chunks::<8>().0);
    for index in 0..length / 8 {
        let lines = block(std::array::from_fn(|row| blocks[row][index]));
        for (line, values) in lines.iter().enumerate() {
            out[(index * 8 + line) * width..][..8].copy_from_slice(values);
        }
    }
    for step in length / 8 * 8..length {
        for (to, row) in out[step * width..][..8].iter_mut().zip(rows) {
            *to = row[step];
        }
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) mod x86 {
    use std::arch::x86_64::*;

    #[target_feature(enable = "avx")]
    pub fn transpose8(rows: [&[f32]; 8], out: &mut [f32], width: usize) {
        super::transpose(rows, out, width, |rows| transposed8(rows));
    }

    /// Number j of row i as number i of row j.
    #[target_feature(enable = "avx")]
    #[inline]
    pub fn transposed8(rows: [[f32; 8]; 8]) -> [[f32; 8]; 8] {
        // SAFETY: the pointers are those of arrays of eight numbers.
        let r = rows.map(|row| unsafe { _mm256_loadu_ps(row.as_ptr()) });
        let pairs = |i: usize| {
            let (a, b) = (r[2 * i], r[2 * i + 1]);
            (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b))
        };
        let ((t0, t1), (t2, t3), (t4, t5), (t6, t7)) = (pairs(0), pairs(1), pairs(2), pairs(3));
        let low = |a, b| _mm256_shuffle_ps::<0x44>(a, b);
        let high = |a, b| _mm256_shuffle_ps::<0xEE>(a, b);
        let left = [low(t0, t2), high(t0, t2), low(t1, t3), high(t1, t3)];
        let right = [low(t4, t6), high(t4, t6), low(t5, t7), high(t5, t7)];
        let mut lanes = [[0f32; 8]; 8];
        for (i, (a, b)) in left.into_iter().zip(right).enumerate() {
            let halves = [
                _mm256_permute2f128_ps::<0x20>(a, b),
                _mm256_permute2f128_ps::<0x31>(a, b),
            ];
            for (half, value) in halves.into_iter().enumerate() {
                // SAFETY: the pointer is that of an array of eight numbers.
                unsafe { _mm256_storeu_ps(lanes[4 * half + i].as_mut_ptr(), value) };
            }
        }
        lanes
    }
}
