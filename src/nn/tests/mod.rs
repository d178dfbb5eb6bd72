//! What holds for all operations: the CPU paths equal the references, the backward functions equal
//! finite differences, and nothing depends on the threads or on the rest of the batch.

#[cfg(feature = "cudnn")]
mod cuda;
mod determinism;
mod gradients;
mod maps;
mod oracle;
mod singles;
mod sizes;
mod winograd;

use super::size::{conv_output, pool_output};
use super::{Conv2d, Pool2d};
use candle_core::{Device, Tensor};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Values from −1 to 1, always the same for the same seed.
pub(super) fn random(shape: &[usize], seed: u64) -> Tensor {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let values: Vec<f64> = (0..shape.iter().product())
        .map(|_| random.random_range(-1.0..1.0))
        .collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// Labels below `classes`, always the same for the same seed.
fn random_labels(shape: &[usize], classes: u32, seed: u64) -> Tensor {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let labels: Vec<u32> = (0..shape.iter().product())
        .map(|_| random.random_range(0..classes))
        .collect();
    Tensor::from_vec(labels, shape, &Device::Cpu).unwrap()
}

fn values(x: &Tensor) -> Vec<f64> {
    x.flatten_all()
        .unwrap()
        .to_dtype(candle_core::DType::F64)
        .unwrap()
        .to_vec1()
        .unwrap()
}

/// The largest difference of two tensors, relative to the largest value; panics if shapes differ.
pub(super) fn relative_error(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.dims(), b.dims());
    let (a, b) = (values(a), values(b));
    let scale = b.iter().fold(1e-3f64, |scale, b| scale.max(b.abs()));
    // A NaN must fail, so it counts as an infinite difference.
    let difference = |(a, b): (&f64, &f64)| {
        if (a - b).is_nan() {
            f64::INFINITY
        } else {
            (a - b).abs()
        }
    };
    a.iter().zip(&b).map(difference).fold(0.0, f64::max) / scale
}

/// One convolution to test: the shapes of its input and filters, and its parameters.
#[derive(Debug)]
struct ConvCase {
    x: [usize; 4],
    w: [usize; 4],
    conv: Conv2d,
}

impl ConvCase {
    fn new(x: [usize; 4], w: [usize; 4], conv: Conv2d) -> Self {
        Self { x, w, conv }
    }

    fn dy(&self) -> [usize; 4] {
        let side = |i: usize| {
            let Conv2d {
                stride,
                pad,
                dilation,
                ..
            } = self.conv;
            conv_output(self.x[i + 2], self.w[i + 2], stride[i], pad[i], dilation[i]).unwrap()
        };
        [self.x[0], self.w[0], side(0), side(1)]
    }
}

/// `count` random small convolutions: odd, rectangular, one-pixel, strided, dilated, grouped, wider than their input.
fn conv_cases(count: usize, seed: u64) -> Vec<ConvCase> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut cases = Vec::new();
    while cases.len() < count {
        let mut pick = |low: usize, high: usize| random.random_range(low..=high);
        let groups = pick(1, 3);
        let (c, o) = (pick(1, 3), pick(1, 3));
        let x = [pick(1, 3), c * groups, pick(1, 8), pick(1, 8)];
        let w = [o * groups, c, pick(1, 4), pick(1, 4)];
        let mut pair = |low, high| [pick(low, high), pick(low, high)];
        let conv = Conv2d {
            stride: pair(1, 3),
            pad: pair(0, 3),
            dilation: pair(1, 2),
            groups,
            precise: false,
        };
        let fits = |i: usize| {
            conv_output(
                x[i + 2],
                w[i + 2],
                conv.stride[i],
                conv.pad[i],
                conv.dilation[i],
            )
            .is_some()
        };
        if fits(0) && fits(1) {
            cases.push(ConvCase { x, w, conv });
        }
    }
    cases
}

/// `count` random small poolings with the shapes of their inputs.
fn pool_cases(count: usize, seed: u64) -> Vec<([usize; 4], Pool2d)> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut cases = Vec::new();
    while cases.len() < count {
        let mut pick = |low: usize, high: usize| random.random_range(low..=high);
        let x = [pick(1, 2), pick(1, 3), pick(1, 9), pick(1, 9)];
        let mut pair = |low, high| [pick(low, high), pick(low, high)];
        let pool = Pool2d {
            kernel: pair(1, 4),
            stride: pair(1, 4),
            pad: pair(0, 2),
            ceil: cases.len() % 2 == 0,
        };
        let fits = |i: usize| {
            pool_output(
                x[i + 2],
                pool.kernel[i],
                pool.stride[i],
                pool.pad[i],
                pool.ceil,
            )
            .is_some()
        };
        if fits(0) && fits(1) {
            cases.push((x, pool));
        }
    }
    cases
}
