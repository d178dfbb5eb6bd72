//! The transforms of tiles, eight tiles at a time.
//!
//! The code is plain arithmetic on arrays of eight, compiled for AVX2 and FMA and called only
//! where the processor has them ([`available`]).

use super::PLACES;

/// Tiles that are transformed together.
pub(super) const COUNT: usize = 8;

/// A transformed tile of each of eight lanes, place by place.
pub(super) type Places = [[f32; COUNT]; PLACES];

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
}

impl std::ops::Add for Lanes {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        let mut lanes = self.0;
        for (lane, other) in lanes.iter_mut().zip(other.0) {
            *lane += other;
        }
        Self(lanes)
    }
}

impl std::ops::Sub for Lanes {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        let mut lanes = self.0;
        for (lane, other) in lanes.iter_mut().zip(other.0) {
            *lane -= other;
        }
        Self(lanes)
    }
}

impl std::ops::Mul<Lanes> for f32 {
    type Output = Lanes;
    #[inline(always)]
    fn mul(self, lanes: Lanes) -> Lanes {
        let mut product = lanes.0;
        for lane in &mut product {
            *lane *= self;
        }
        Lanes(product)
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

/// Eight filters, tap by tap, at each place.
#[inline(always)]
fn filter_tiles(taps: &[[f32; COUNT]; 9], out: &mut Places) {
    let taps = taps.map(Lanes);
    let mut columns = [[Lanes::ZERO; 6]; 3];
    for (x, column) in columns.iter_mut().enumerate() {
        *column = of_filter([taps[x], taps[3 + x], taps[6 + x]]);
    }
    for y in 0..6 {
        let line = of_filter([columns[0][y], columns[1][y], columns[2][y]]);
        for (x, value) in line.into_iter().enumerate() {
            out[y * 6 + x] = value.0;
        }
    }
}

/// The way back: gradients by eight filters, tap by tap, from those at each place.
#[inline(always)]
fn filter_gradient_tiles(du: &Places, dw: &mut [[f32; COUNT]; 9]) {
    let mut rows = [[Lanes::ZERO; 6]; 3];
    for x in 0..6 {
        let mut down = [Lanes::ZERO; 6];
        for (y, value) in down.iter_mut().enumerate() {
            *value = Lanes(du[y * 6 + x]);
        }
        let line = of_filter_gradient(down);
        for (row, value) in rows.iter_mut().zip(line) {
            row[x] = value;
        }
    }
    for (y, row) in rows.into_iter().enumerate() {
        for (x, value) in of_filter_gradient(row).into_iter().enumerate() {
            dw[y * 3 + x] = value.0;
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

/// Where a tile begins in its plane, and how far its rows lie apart: eight numbers of each row are
/// read, whatever the tile needs of them.
#[derive(Clone, Copy)]
pub(super) struct Corner<'a> {
    pub values: &'a [f32],
    pub stride: usize,
}

/// The transform of one line of `N` numbers. A trait rather than a closure, which would not be
/// compiled for the instructions of its caller.
trait Line<const N: usize> {
    fn transformed(line: [Lanes; N]) -> [Lanes; 6];
}

/// Of [`Forward::Input`].
struct OfInput;

impl Line<6> for OfInput {
    #[inline(always)]
    fn transformed(line: [Lanes; 6]) -> [Lanes; 6] {
        of_input(line)
    }
}

/// Of [`Forward::Gradient`].
struct OfGradient;

impl Line<4> for OfGradient {
    #[inline(always)]
    fn transformed(line: [Lanes; 4]) -> [Lanes; 6] {
        of_gradient(line)
    }
}

/// The transformed tiles at eight corners.
#[inline(always)]
fn forward_tiles<L: Line<N>, const N: usize>(corners: &[Corner<'_>; COUNT], out: &mut Places) {
    let mut rows = [[Lanes::ZERO; COUNT]; 6];
    for (tile, corner) in corners.iter().enumerate() {
        let mut lines = [Lanes::ZERO; N];
        for (row, line) in lines.iter_mut().enumerate() {
            *line = Lanes::load(&corner.values[row * corner.stride..]);
        }
        for (row, value) in rows.iter_mut().zip(L::transformed(lines)) {
            row[tile] = value;
        }
    }
    for (row, out) in rows.into_iter().zip(out.as_chunks_mut::<6>().0) {
        let across = transposed(row);
        let mut line = [Lanes::ZERO; N];
        line.copy_from_slice(&across[..N]);
        for (out, value) in out.iter_mut().zip(L::transformed(line)) {
            *out = value.0;
        }
    }
}

/// The outputs [row][tile][column] of eight tiles whose places stand `stride` apart in `m`.
#[inline(always)]
fn backward_tiles(m: &[f32], stride: usize, out: &mut [[[f32; 4]; COUNT]; 4]) {
    let mut lines = [[Lanes::ZERO; 6]; 4];
    for x in 0..6 {
        let mut down = [Lanes::ZERO; 6];
        for (y, value) in down.iter_mut().enumerate() {
            *value = Lanes::load(&m[(y * 6 + x) * stride..]);
        }
        for (line, value) in lines.iter_mut().zip(of_output(down)) {
            line[x] = value;
        }
    }
    for (out, line) in out.iter_mut().zip(lines) {
        let [a, b, c, d] = of_output(line);
        let zero = Lanes::ZERO;
        let across = transposed([a, b, c, d, zero, zero, zero, zero]);
        for (out, tile) in out.iter_mut().zip(across) {
            out.copy_from_slice(&tile.0[..4]);
        }
    }
}

/// Number t of array i as number i of array t.
#[inline(always)]
fn transposed(rows: [Lanes; COUNT]) -> [Lanes; COUNT] {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: on this processor the transforms are called only where it has AVX.
    unsafe {
        crate::nn::simd::x86::transposed8(rows.map(|row| row.0)).map(Lanes)
    }
    #[cfg(not(target_arch = "x86_64"))]
    std::array::from_fn(|lane| Lanes(rows.map(|row| row.0[lane])))
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

/// Each transform, compiled for AVX2 and FMA where the processor is of x86-64.
macro_rules! transforms {
    ($($(#[$meta:meta])* $name:ident($($argument:ident: $type:ty),*) $body:expr;)*) => {
        #[cfg(target_arch = "x86_64")]
        mod x86 {
            use super::*;
            $(
                #[target_feature(enable = "avx2,fma")]
                pub fn $name($($argument: $type),*) {
                    $body
                }
            )*
        }
        $(
            $(#[$meta])*
            pub(super) fn $name($($argument: $type),*) {
                assert!(available(), "the transforms need AVX2 and FMA");
                #[cfg(target_arch = "x86_64")]
                // SAFETY: the processor has AVX2 and FMA, as was just asserted.
                unsafe {
                    x86::$name($($argument),*)
                }
                #[cfg(not(target_arch = "x86_64"))]
                $body
            }
        )*
    };
}

transforms! {
    /// See [`forward_tiles`].
    forward(kind: Forward, corners: &[Corner<'_>; COUNT], out: &mut Places) match kind {
        Forward::Input => forward_tiles::<OfInput, 6>(corners, out),
        Forward::Gradient => forward_tiles::<OfGradient, 4>(corners, out),
    };
    /// See [`backward_tiles`].
    backward(m: &[f32], stride: usize, out: &mut [[[f32; 4]; COUNT]; 4]) backward_tiles(m, stride, out);
    /// See [`filter_tiles`].
    filters(taps: &[[f32; COUNT]; 9], out: &mut Places) filter_tiles(taps, out);
    /// See [`filter_gradient_tiles`].
    filter_gradients(du: &Places, dw: &mut [[f32; COUNT]; 9]) filter_gradient_tiles(du, dw);
}
