//! The CPU paths of maps by element, by channel, by window and by interpolation against the
//! references, over random shapes.

use super::oracle::{both_types, same};
use super::*;
use crate::nn::{
    self, Lrn, Moments, Pointwise, Resize, batch_norm, channels, norm, pointwise, resize,
};
use candle_core::DType;

/// `count` shapes (N, C, …) of two to four axes, some with nothing but ones, the last of them
/// large enough for several tasks.
fn shapes(count: usize, seed: u64) -> Vec<Vec<usize>> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut shapes: Vec<Vec<usize>> = (0..count)
        .map(|_| {
            let rank = random.random_range(2..=4);
            (0..rank).map(|_| random.random_range(1..=7)).collect()
        })
        .collect();
    shapes.extend([vec![1, 1], vec![3, 5, 97, 61], vec![1, 40, 33, 17]]);
    shapes
}

/// Makes random tensors of one type; `positive` ones lie between 0.5 and 1.5.
struct Maker(DType);

impl Maker {
    fn any(&self, dims: &[usize], seed: u64) -> Tensor {
        random(dims, seed).to_dtype(self.0).unwrap()
    }

    fn positive(&self, dims: &[usize], seed: u64) -> Tensor {
        let values = random(dims, seed).affine(0.5, 1.0).unwrap();
        values.to_dtype(self.0).unwrap()
    }
}

#[test]
fn functions_of_one_number() {
    let functions = [
        Pointwise::Abs,
        Pointwise::Elu { alpha: 0.7 },
        Pointwise::Elu { alpha: -2.0 },
        Pointwise::Power {
            power: 2.5,
            scale: 0.5,
            shift: 2.0,
        },
        Pointwise::Power {
            power: 0.0,
            scale: 1.0,
            shift: 0.0,
        },
        Pointwise::Exp {
            rate: -0.5,
            offset: 0.3,
        },
        Pointwise::Log {
            factor: 2.0,
            scale: -0.5,
            shift: 3.0,
        },
        Pointwise::Bnll,
        Pointwise::Threshold { threshold: 0.2 },
    ];
    for (dims, dtype) in shapes(20, 1)
        .iter()
        .flat_map(|s| both_types().map(|t| (s, t)))
    {
        let (x, dy) = (Maker(dtype).any(dims, 1), Maker(dtype).any(dims, 2));
        for function in functions {
            let name = (function, dims);
            let y = nn::pointwise(&x, function).unwrap();
            same(&name, &y, &pointwise::reference(&x, function).unwrap());
            let dx = nn::pointwise_backward(&x, &dy, function).unwrap();
            let expected = pointwise::reference_backward(&x, &dy, function).unwrap();
            same(&name, &dx, &expected);
        }
    }
}

#[test]
fn maps_with_numbers_for_each_channel() {
    for (dims, dtype) in shapes(60, 2)
        .iter()
        .flat_map(|s| both_types().map(|t| (s, t)))
    {
        let make = Maker(dtype);
        let (x, dy) = (make.any(dims, 1), make.any(dims, 2));
        let (scale, shift) = (make.any(&dims[1..2], 3), make.any(&dims[1..2], 4));
        for (scale, shift) in [
            (Some(&scale), Some(&shift)),
            (Some(&scale), None),
            (None, Some(&shift)),
        ] {
            let y = nn::channel_affine(&x, scale, shift).unwrap();
            let expected = channels::affine_reference(&x, scale, shift).unwrap();
            same(&dims, &y, &expected);
        }
        let expected = nn::reference::bias_backward(&(&x * &dy).unwrap()).unwrap();
        same(&dims, &nn::channel_dot(&x, &dy).unwrap(), &expected);
        for slope in [&scale, &make.any(&[1], 5)] {
            let y = nn::prelu(&x, slope).unwrap();
            same(&dims, &y, &channels::prelu_reference(&x, slope).unwrap());
            let (dx, ds) = nn::prelu_backward(&x, slope, &dy).unwrap();
            let expected = channels::prelu_backward_reference(&x, slope, &dy).unwrap();
            same(&dims, &dx, &expected.0);
            same(&dims, &ds, &expected.1);
        }
    }
}

#[test]
fn batch_normalisation() {
    for (dims, dtype) in shapes(60, 3)
        .iter()
        .flat_map(|s| both_types().map(|t| (s, t)))
    {
        // Of one or two elements the gradient is nothing but what rounding leaves.
        if dims.iter().product::<usize>() / dims[1] < 3 {
            continue;
        }
        let make = Maker(dtype);
        let (x, dy) = (make.any(dims, 1), make.any(dims, 2));
        let (mean, variance) = nn::batch_statistics(&x).unwrap();
        let expected = batch_norm::statistics_reference(&x).unwrap();
        same(&dims, &mean, &expected.0);
        same(&dims, &variance, &expected.1);
        let channel = |seed| make.any(&dims[1..2], seed);
        let (weight, bias, running) = (channel(3), channel(4), channel(5));
        let spread = make.positive(&dims[1..2], 6);
        let own = Moments {
            mean: &mean,
            variance: &variance,
            eps: 0.1,
        };
        let given = Moments {
            mean: &running,
            variance: &spread,
            eps: 1e-5,
        };
        for (moments, of_batch) in [(own, true), (given, false)] {
            for affine in [None, Some((&weight, &bias))] {
                let y = nn::batch_norm(&x, &moments, affine, false).unwrap();
                let expected = batch_norm::norm_reference(&x, &moments, affine).unwrap();
                same(&dims, &y, &expected);
                let weight = affine.map(|(weight, _)| weight);
                let ours = nn::batch_norm_backward(&x, &dy, None, &moments, weight, of_batch);
                let expected =
                    batch_norm::norm_backward_reference(&x, &dy, &moments, weight, of_batch);
                let (ours, expected) = (ours.unwrap(), expected.unwrap());
                same(&dims, &ours.0, &expected.0);
                same(&dims, &ours.1, &expected.1);
                same(&dims, &ours.2, &expected.2);
            }
        }
    }
}

#[test]
fn local_response_normalisation() {
    let mut random = ChaCha8Rng::seed_from_u64(4);
    for case in 0..80 {
        let dims = [(); 4].map(|()| random.random_range(1..=9));
        let options = Lrn {
            size: 2 * random.random_range(0..4) + 1,
            alpha: random.random_range(0.0..1.0),
            beta: [0.75, 0.5, 1.2][case % 3],
            k: random.random_range(0.5..3.0),
            within: case % 2 == 0,
        };
        for dtype in both_types() {
            let (x, dy) = (Maker(dtype).any(&dims, 1), Maker(dtype).any(&dims, 2));
            let (y, s) = nn::lrn(&x, &options).unwrap();
            let expected = norm::lrn_reference(&x, &options).unwrap();
            same(&(options, dims), &y, &expected.0);
            same(&(options, dims), &s, &expected.1);
            let dx = nn::lrn_backward(&x, &s, &dy, &options).unwrap();
            let expected = norm::lrn_backward_reference(&x, &s, &dy, &options).unwrap();
            same(&(options, dims), &dx, &expected);
        }
    }
}

#[test]
fn interpolation() {
    let mut random = ChaCha8Rng::seed_from_u64(5);
    for _ in 0..100 {
        let mut side = || random.random_range(1..=12);
        let (dims, size) = (
            [side() % 3 + 1, side() % 3 + 1, side(), side()],
            [side(), side()],
        );
        for (how, dtype) in [Resize::Nearest, Resize::Bilinear, Resize::BilinearCorners]
            .into_iter()
            .flat_map(|how| both_types().map(|dtype| (how, dtype)))
        {
            let name = (how, dims, size);
            let x = Maker(dtype).any(&dims, 1);
            let y = nn::resize(&x, size, how).unwrap();
            same(&name, &y, &resize::resize_reference(&x, size, how).unwrap());
            let dy = Maker(dtype).any(y.dims(), 2);
            let dx = nn::resize_backward(&dy, [dims[2], dims[3]], how).unwrap();
            let expected = resize::backward_reference(&dy, [dims[2], dims[3]], how).unwrap();
            same(&name, &dx, &expected);
        }
    }
}

/// Against a sort of all values, the later of two equals first.
#[test]
fn the_largest_values() {
    let mut random = ChaCha8Rng::seed_from_u64(6);
    for _ in 0..200 {
        let [outer, count, inner] = [(); 3].map(|()| random.random_range(1..=6));
        let k = random.random_range(1..=count);
        let values: Vec<f64> = (0..outer * count * inner)
            .map(|_| f64::from(random.random_range(0..4)))
            .collect();
        let x = Tensor::from_slice(&values, (outer, count, inner), &Device::Cpu).unwrap();
        let found = nn::top_indices(&x, k).unwrap().to_vec3::<u32>().unwrap();
        for (block, place) in (0..outer).flat_map(|o| (0..inner).map(move |i| (o, i))) {
            let value = |index: usize| values[(block * count + index) * inner + place];
            let mut order: Vec<usize> = (0..count).rev().collect();
            order.sort_by(|&a, &b| value(b).total_cmp(&value(a)));
            let found: Vec<usize> = (0..k).map(|r| found[block][r][place] as usize).collect();
            assert_eq!(found, order[..k]);
        }
    }
    let x = Tensor::zeros((2, 3, 1), DType::F64, &Device::Cpu).unwrap();
    nn::top_indices(&x, 0).unwrap_err();
    nn::top_indices(&x, 4).unwrap_err();
}
