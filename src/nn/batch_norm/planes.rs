//! The loops over one plane.

use crate::nn::cpu::Real;
use crate::nn::simd::wide;

/// What makes a number of one channel: `(x − mean) · scale + shift`.
#[derive(Clone, Copy)]
pub(super) struct Line<T> {
    pub mean: T,
    pub scale: T,
    pub shift: T,
    pub relu: bool,
}

/// What makes a gradient of one channel: `scale · dy − offset − (x − mean) · slope`.
#[derive(Clone, Copy)]
pub(super) struct Gradient<T> {
    pub mean: T,
    pub scale: T,
    pub offset: T,
    pub slope: T,
}

/// Running sums of a loop; the compiler keeps them in registers.
const SUMS: usize = 32;
/// Numbers that are summed in their own type before the sums go on in double precision.
const RUN: usize = 1024;

fn total<T: Real>(sums: [T; SUMS]) -> f64 {
    sums.iter().map(|sum| sum.to_f64()).sum()
}

wide! {
    pub(super) fn plane_sum[T: Real](x: &[T]) -> f64 {
        let mut sum = 0.0;
        for x in x.chunks(RUN) {
            let (blocks, rest) = x.as_chunks::<SUMS>();
            let mut sums = [T::ZERO; SUMS];
            for block in blocks {
                for (sum, &x) in sums.iter_mut().zip(block) {
                    *sum += x;
                }
            }
            sum += total(sums) + rest.iter().map(|x| x.to_f64()).sum::<f64>();
        }
        sum
    }

    pub(super) fn plane_squares[T: Real](x: &[T], mean: T) -> f64 {
        let square = |x: T| (x - mean) * (x - mean);
        let mut sum = 0.0;
        for x in x.chunks(RUN) {
            let (blocks, rest) = x.as_chunks::<SUMS>();
            let mut sums = [T::ZERO; SUMS];
            for block in blocks {
                for (sum, &x) in sums.iter_mut().zip(block) {
                    *sum += square(x);
                }
            }
            sum += total(sums) + rest.iter().map(|&x| square(x).to_f64()).sum::<f64>();
        }
        sum
    }

    pub(super) fn plane_norm[T: Real](x: &[T], y: &mut [T], line: Line<T>) {
        if line.relu {
            for (y, &x) in y.iter_mut().zip(x) {
                let value = (x - line.mean) * line.scale + line.shift;
                *y = if value <= T::ZERO { T::ZERO } else { value };
            }
        } else {
            for (y, &x) in y.iter_mut().zip(x) {
                *y = (x - line.mean) * line.scale + line.shift;
            }
        }
    }

    pub(super) fn plane_dots[T: Real](x: &[T], dy: &[T], y: Option<&[T]>, mean: T) -> [f64; 2] {
        let mut all = [0.0; 2];
        let mut masked = [T::ZERO; RUN];
        let runs = x.chunks(RUN).zip(dy.chunks(RUN)).enumerate();
        for (index, (x, mut dy)) in runs {
            if let Some(y) = y {
                for ((to, &dy), &y) in masked.iter_mut().zip(dy).zip(&y[index * RUN..]) {
                    *to = if y <= T::ZERO { T::ZERO } else { dy };
                }
                dy = &masked[..x.len()];
            }
            let ((xs, x_rest), (dys, dy_rest)) = (x.as_chunks::<SUMS>(), dy.as_chunks::<SUMS>());
            let (mut sums, mut dots) = ([T::ZERO; SUMS], [T::ZERO; SUMS]);
            for (x, dy) in xs.iter().zip(dys) {
                for (((sum, dot), &x), &dy) in sums.iter_mut().zip(&mut dots).zip(x).zip(dy) {
                    *sum += dy;
                    *dot += dy * (x - mean);
                }
            }
            all = [all[0] + total(sums), all[1] + total(dots)];
            for (&x, &dy) in x_rest.iter().zip(dy_rest) {
                all = [all[0] + dy.to_f64(), all[1] + (dy * (x - mean)).to_f64()];
            }
        }
        all
    }

    pub(super) fn plane_gradient[T: Real](x: &[T], dy: &[T], y: Option<&[T]>, dx: &mut [T], line: Gradient<T>) {
        let gradient = |x: T, dy: T| line.scale * dy - line.offset - (x - line.mean) * line.slope;
        match y {
            None => {
                for ((dx, &x), &dy) in dx.iter_mut().zip(x).zip(dy) {
                    *dx = gradient(x, dy);
                }
            }
            Some(y) => {
                for (((dx, &x), &dy), &y) in dx.iter_mut().zip(x).zip(dy).zip(y) {
                    *dx = gradient(x, if y <= T::ZERO { T::ZERO } else { dy });
                }
            }
        }
    }
}
