//! The transforms of tiles, eight tiles at a time.
//!
//! The code is plain arithmetic on arrays of eight, compiled for AVX2 and FMA and called only
//! where the processor has them ([`available`]).

/// Tiles that are transformed together.
pub(super) const COUNT: usize = 8;

/// One number of each of eight tiles, or eight neighbours of one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Lanes([f32; COUNT]);

impl Lanes {
    const ZERO: Self = Self([0.0; COUNT]);

    #[inline(always)]
    fn load(from: &[f32]) -> Self {
        let mut lanes = [0.0; COUNT];
        lanes.copy_from_slice(&from[..COUNT]);
        Self(lanes)
    }

    #[inline(always)]
    fn zip(self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        let mut lanes = self.0;
        for (lane, other) in lanes.iter_mut().zip(other.0) {
            *lane = f(*lane, other);
        }
        Self(lanes)
    }
}

impl std::ops::Add for Lanes {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }
}

impl std::ops::Sub for Lanes {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }
}

impl std::ops::Mul<Lanes> for f32 {
    type Output = Lanes;
    #[inline(always)]
    fn mul(self, lanes: Lanes) -> Lanes {
        lanes.zip(lanes, |lane, _| self * lane)
    }
}

/// Bᵀ d: a line of an input tile.
#[inline(always)]
fn of_input(d: [Lanes; 6]) -> [Lanes; 6] {
    let (a, b) = (d[4] - 4.0 * d[2], d[3] - 4.0 * d[1]);
    let (c, e) = (d[4] - d[2], 2.0 * (d[3] - d[1]));
    [
        4.0 * d[0] - 5.0 * d[2] + d[4],
        a + b,
        a - b,
        c + e,
        c - e,
        4.0 * d[1] - 5.0 * d[3] + d[5],
    ]
}

/// Aᵀ m: a line of outputs.
#[inline(always)]
fn of_output(m: [Lanes; 6]) -> [Lanes; 4] {
    let (s, d) = (m[1] + m[2], m[1] - m[2]);
    let (u, v) = (m[3] + m[4], m[3] - m[4]);
    [m[0] + s + u, d + 2.0 * v, s + 4.0 * u, d + 8.0 * v + m[5]]
}

/// A y: from the gradient by a line of outputs.
#[inline(always)]
fn of_gradient(y: [Lanes; 4]) -> [Lanes; 6] {
    let (even, odd) = (y[0] + y[2], y[1] + y[3]);
    let (far_even, far_odd) = (y[0] + 4.0 * y[2], 2.0 * y[1] + 8.0 * y[3]);
    [
        y[0],
        even + odd,
        even - odd,
        far_even + far_odd,
        far_even - far_odd,
        y[3],
    ]
}

/// G g: a line of a filter.
#[inline(always)]
fn of_filter([a, b, c]: [Lanes; 3]) -> [Lanes; 6] {
    let near = (-1.0 / 6.0) * (a + c);
    let far = (1.0 / 24.0) * (a + 4.0 * c);
    let (near_b, far_b) = ((1.0 / 6.0) * b, (1.0 / 12.0) * b);
    [
        0.25 * a,
        near - near_b,
        near + near_b,
        far + far_b,
        far - far_b,
        c,
    ]
}

/// Gᵀ u: a line of the gradient by a filter.
#[inline(always)]
fn of_filter_gradient(u: [Lanes; 6]) -> [Lanes; 3] {
    let (near, far) = (u[1] + u[2], u[3] + u[4]);
    [
        0.25 * u[0] - (1.0 / 6.0) * near + (1.0 / 24.0) * far,
        (1.0 / 6.0) * (u[2] - u[1]) + (1.0 / 12.0) * (u[3] - u[4]),
        (1.0 / 6.0) * (far - near) + u[5],
    ]
}

/// At most eight filters of 3 × 3 that follow each other; place p of filter f goes to
/// `u[p × columns + f]`.
#[inline(always)]
fn filter_tiles(w: &[f32], u: &mut [f32], columns: usize) {
    let count = w.len() / 9;
    let mut taps = [Lanes::ZERO; 9];
    for (lane, w) in w.chunks_exact(9).enumerate() {
        for (tap, w) in taps.iter_mut().zip(w) {
            tap.0[lane] = *w;
        }
    }
    let columns_of: [[Lanes; 6]; 3] =
        std::array::from_fn(|x| of_filter([taps[x], taps[3 + x], taps[6 + x]]));
    for y in 0..6 {
        let line = of_filter([columns_of[0][y], columns_of[1][y], columns_of[2][y]]);
        for (x, value) in line.into_iter().enumerate() {
            u[(y * 6 + x) * columns..][..count].copy_from_slice(&value.0[..count]);
        }
    }
}

/// The way back: gradients by at most eight filters from those by their places.
#[inline(always)]
fn filter_gradient_tiles(du: &[f32], columns: usize, dw: &mut [f32]) {
    let count = dw.len() / 9;
    let mut rows = [[Lanes::ZERO; 6]; 3];
    for x in 0..6 {
        let down = |y: usize| {
            let mut lanes = Lanes::ZERO;
            lanes.0[..count].copy_from_slice(&du[(y * 6 + x) * columns..][..count]);
            lanes
        };
        let line = of_filter_gradient(std::array::from_fn(down));
        for (row, value) in rows.iter_mut().zip(line) {
            row[x] = value;
        }
    }
    for (y, row) in rows.into_iter().enumerate() {
        for (x, value) in of_filter_gradient(row).into_iter().enumerate() {
            for (lane, dw) in dw.chunks_exact_mut(9).enumerate() {
                dw[y * 3 + x] = value.0[lane];
            }
        }
    }
}

/// What is transformed on the way to the products.
#[derive(Clone, Copy)]
pub(super) enum Forward {
    /// Tiles of 6 × 6 inputs.
    Input,
    /// Tiles of 4 × 4 gradients by outputs.
    Gradient,
}

/// Eight tiles that begin at `starts` of planes with rows `stride` apart; the number at place p
/// of tile t goes to `out[p × columns + t]`.
#[inline(always)]
fn forward_tiles<const N: usize>(
    (values, starts, stride): (&[f32], &[usize; COUNT], usize),
    (out, columns): (&mut [f32], usize),
    transform: impl Fn([Lanes; N]) -> [Lanes; 6],
) {
    let mut rows = [[Lanes::ZERO; COUNT]; 6];
    for (tile, &start) in starts.iter().enumerate() {
        let line = |row: usize| Lanes::load(&values[start + row * stride..]);
        for (row, value) in rows.iter_mut().zip(transform(std::array::from_fn(line))) {
            row[tile] = value;
        }
    }
    for (y, row) in rows.into_iter().enumerate() {
        let across = transposed(row);
        let line = transform(std::array::from_fn(|x| across[x]));
        for (x, value) in line.into_iter().enumerate() {
            out[(y * 6 + x) * columns..][..COUNT].copy_from_slice(&value.0);
        }
    }
}

/// The outputs [row][tile][column] of eight tiles whose places stand `columns` apart in `m`.
#[inline(always)]
fn backward_tiles(m: &[f32], columns: usize) -> [[[f32; 4]; COUNT]; 4] {
    let mut lines = [[Lanes::ZERO; 6]; 4];
    for x in 0..6 {
        let down = |y: usize| Lanes::load(&m[(y * 6 + x) * columns..]);
        for (line, value) in lines.iter_mut().zip(of_output(std::array::from_fn(down))) {
            line[x] = value;
        }
    }
    lines.map(|line| {
        let across = of_output(line);
        std::array::from_fn(|tile| across.map(|lanes| lanes.0[tile]))
    })
}

/// Number t of array i as number i of array t.
#[inline(always)]
fn transposed(rows: [Lanes; COUNT]) -> [Lanes; COUNT] {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: on this processor the transforms are called only where it has AVX.
    unsafe {
        x86::transposed(rows)
    }
    #[cfg(not(target_arch = "x86_64"))]
    std::array::from_fn(|lane| Lanes(rows.map(|row| row.0[lane])))
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::*;

    #[target_feature(enable = "avx2,fma")]
    pub fn forward(kind: Forward, from: (&[f32], &[usize; COUNT], usize), to: (&mut [f32], usize)) {
        match kind {
            Forward::Input => forward_tiles(from, to, of_input),
            Forward::Gradient => forward_tiles(from, to, of_gradient),
        }
    }

    #[target_feature(enable = "avx2,fma")]
    pub fn filters(w: &[f32], u: &mut [f32], columns: usize) {
        filter_tiles(w, u, columns);
    }

    #[target_feature(enable = "avx2,fma")]
    pub fn filter_gradients(du: &[f32], columns: usize, dw: &mut [f32]) {
        filter_gradient_tiles(du, columns, dw);
    }

    #[target_feature(enable = "avx2,fma")]
    pub fn backward(m: &[f32], columns: usize) -> [[[f32; 4]; COUNT]; 4] {
        backward_tiles(m, columns)
    }

    #[target_feature(enable = "avx")]
    #[inline]
    pub fn transposed(rows: [Lanes; COUNT]) -> [Lanes; COUNT] {
        // SAFETY: the pointers are those of arrays of eight numbers.
        let r = rows.map(|row| unsafe { _mm256_loadu_ps(row.0.as_ptr()) });
        let pairs = |i: usize| {
            let (a, b) = (r[2 * i], r[2 * i + 1]);
            (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b))
        };
        let ((t0, t1), (t2, t3), (t4, t5), (t6, t7)) = (pairs(0), pairs(1), pairs(2), pairs(3));
        let low = |a, b| _mm256_shuffle_ps::<0x44>(a, b);
        let high = |a, b| _mm256_shuffle_ps::<0xEE>(a, b);
        let left = [low(t0, t2), high(t0, t2), low(t1, t3), high(t1, t3)];
        let right = [low(t4, t6), high(t4, t6), low(t5, t7), high(t5, t7)];
        let mut lanes = [Lanes::ZERO; COUNT];
        for (i, (a, b)) in left.into_iter().zip(right).enumerate() {
            let halves = [
                _mm256_permute2f128_ps::<0x20>(a, b),
                _mm256_permute2f128_ps::<0x31>(a, b),
            ];
            for (half, value) in halves.into_iter().enumerate() {
                // SAFETY: the pointer is that of an array of eight numbers.
                unsafe { _mm256_storeu_ps(lanes[4 * half + i].0.as_mut_ptr(), value) };
            }
        }
        lanes
    }
}

/// Whether the transforms run here.
pub(in crate::nn) fn available() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        cfg!(target_arch = "aarch64")
    }
}

/// See [`forward_tiles`]. Only where the transforms are [`available`].
pub(super) fn forward(
    kind: Forward,
    from: (&[f32], &[usize; COUNT], usize),
    to: (&mut [f32], usize),
) {
    assert!(available(), "the transforms need AVX2 and FMA");
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the processor has AVX2 and FMA, as was just asserted.
    unsafe {
        x86::forward(kind, from, to)
    }
    #[cfg(not(target_arch = "x86_64"))]
    match kind {
        Forward::Input => forward_tiles(from, to, of_input),
        Forward::Gradient => forward_tiles(from, to, of_gradient),
    }
}

/// See [`backward_tiles`]. Only where the transforms are [`available`].
pub(super) fn backward(m: &[f32], columns: usize) -> [[[f32; 4]; COUNT]; 4] {
    assert!(available(), "the transforms need AVX2 and FMA");
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the processor has AVX2 and FMA, as was just asserted.
    unsafe {
        x86::backward(m, columns)
    }
    #[cfg(not(target_arch = "x86_64"))]
    backward_tiles(m, columns)
}

/// See [`filter_tiles`]. Only where the transforms are [`available`].
pub(super) fn filters(w: &[f32], u: &mut [f32], columns: usize) {
    assert!(available(), "the transforms need AVX2 and FMA");
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the processor has AVX2 and FMA, as was just asserted.
    unsafe {
        x86::filters(w, u, columns)
    }
    #[cfg(not(target_arch = "x86_64"))]
    filter_tiles(w, u, columns)
}

/// See [`filter_gradient_tiles`]. Only where the transforms are [`available`].
pub(super) fn filter_gradients(du: &[f32], columns: usize, dw: &mut [f32]) {
    assert!(available(), "the transforms need AVX2 and FMA");
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the processor has AVX2 and FMA, as was just asserted.
    unsafe {
        x86::filter_gradients(du, columns, dw)
    }
    #[cfg(not(target_arch = "x86_64"))]
    filter_gradient_tiles(du, columns, dw)
}
