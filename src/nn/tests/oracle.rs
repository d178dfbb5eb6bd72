//! The CPU paths against the references, over many shapes.

use super::*;
use crate::nn::conv::ConvShape;
use crate::nn::pool::PoolAxes;
use crate::nn::{self, Rule, Step, reference};
use candle_core::DType;

/// Compares in f64 to rounding and in f32 loosely; `name` says which case failed.
pub(super) fn same(name: &dyn std::fmt::Debug, cpu: &Tensor, reference: &Tensor) {
    let tolerance = if cpu.dtype() == DType::F64 {
        1e-13
    } else {
        1e-5
    };
    let error = relative_error(cpu, reference);
    assert!(error < tolerance, "{name:?}: {error:e}");
}

pub(super) fn both_types() -> [DType; 2] {
    [DType::F64, DType::F32]
}

#[test]
fn convolution() {
    let mut cases = conv_cases(200, 1);
    // Large enough for several blocks of windows and several tasks of channels.
    let padded = Conv2d {
        pad: [1, 1],
        ..Conv2d::default()
    };
    cases.push(ConvCase::new([2, 64, 24, 40], [8, 64, 3, 3], padded));
    cases.push(ConvCase::new(
        [2, 64, 24, 40],
        [8, 32, 3, 3],
        Conv2d {
            groups: 2,
            stride: [2, 1],
            ..padded
        },
    ));
    cases.push(ConvCase::new(
        [3, 20, 9, 7],
        [6, 20, 1, 1],
        Conv2d::default(),
    ));
    for case in &cases {
        let [n, c, h, w] = case.x;
        let shape =
            ConvShape::new(n, c, [h, w], case.w[0], [case.w[2], case.w[3]], &case.conv).unwrap();
        for dtype in both_types() {
            let tensor = |dims: &[usize], seed| random(dims, seed).to_dtype(dtype).unwrap();
            let (x, w, bias) = (
                tensor(&case.x, 1),
                tensor(&case.w, 2),
                tensor(&case.w[..1], 3),
            );
            let dy = tensor(&case.dy(), 4);
            let y = nn::conv2d(&x, &w, Some(&bias), &case.conv).unwrap();
            same(
                case,
                &y,
                &reference::conv2d(&x, &w, Some(&bias), &shape).unwrap(),
            );
            let dx = nn::conv2d_backward_data(&dy, &w, [h, case.x[3]], &case.conv).unwrap();
            same(
                case,
                &dx,
                &reference::conv2d_backward_data(&dy, &w, &shape).unwrap(),
            );
            let dw =
                nn::conv2d_backward_filter(&x, &dy, [case.w[2], case.w[3]], &case.conv).unwrap();
            same(
                case,
                &dw,
                &reference::conv2d_backward_filter(&x, &dy, &shape).unwrap(),
            );
            same(
                case,
                &nn::bias_backward(&dy).unwrap(),
                &reference::bias_backward(&dy).unwrap(),
            );
        }
    }
}

#[test]
fn convolution_equals_candles_own_where_candle_has_it() {
    let (x, w) = (random(&[2, 4, 9, 6], 1), random(&[6, 2, 3, 3], 2));
    let conv = Conv2d {
        stride: [2, 2],
        pad: [1, 1],
        dilation: [1, 1],
        groups: 2,
        precise: false,
    };
    let y = nn::conv2d(&x, &w, None, &conv).unwrap();
    same(&conv, &y, &x.conv2d(&w, 1, 2, 1, 2).unwrap());
}

#[test]
fn pooling() {
    for (dims, pool) in pool_cases(300, 2) {
        let axes = PoolAxes::new(&dims, &pool).unwrap();
        let size = [dims[2], dims[3]];
        for dtype in both_types() {
            let x = random(&dims, 5).to_dtype(dtype).unwrap();
            let (y, indices) = nn::max_pool2d(&x, &pool).unwrap();
            let (reference_y, reference_indices) = reference::max_pool2d(&x, &axes).unwrap();
            assert_eq!(values(&y), values(&reference_y), "{dims:?} {pool:?}");
            assert_eq!(
                values(&indices),
                values(&reference_indices),
                "{dims:?} {pool:?}"
            );
            let dy = random(y.dims(), 6).to_dtype(dtype).unwrap();
            let dx = nn::max_pool2d_backward(&dy, &indices, size).unwrap();
            same(
                &pool,
                &dx,
                &reference::max_pool2d_backward(&dy, &indices, size).unwrap(),
            );

            same(
                &pool,
                &nn::avg_pool2d(&x, &pool).unwrap(),
                &reference::avg_pool2d(&x, &axes).unwrap(),
            );
            let dx = nn::avg_pool2d_backward(&dy, size, &pool).unwrap();
            same(
                &pool,
                &dx,
                &reference::avg_pool2d_backward(&dy, &axes).unwrap(),
            );
        }
    }
}

#[test]
fn maxima_of_infinities_ties_and_nan() {
    let plane =
        |values: &[f64]| Tensor::from_slice(values, (1, 1, 1, values.len()), &Device::Cpu).unwrap();
    let pool = Pool2d {
        kernel: [1, 2],
        stride: [1, 2],
        pad: [0, 0],
        ceil: false,
    };
    let least = f64::NEG_INFINITY;
    let (y, indices) = nn::max_pool2d(
        &plane(&[3.0, 3.0, least, least, f64::NAN, 9.0, 9.0, f64::NAN]),
        &pool,
    )
    .unwrap();
    assert_eq!(values(&indices), [0.0, 2.0, 4.0, 7.0]);
    let y = values(&y);
    assert_eq!(y[..2], [3.0, least]);
    assert!(y[2].is_nan() && y[3].is_nan());
}

#[test]
fn linear_and_activations() {
    for dtype in both_types() {
        let tensor = |dims: &[usize], seed| random(dims, seed).to_dtype(dtype).unwrap();
        for (n, d, o) in [(1, 1, 1), (1, 7, 5), (3, 1, 4), (5, 33, 1), (70, 65, 130)] {
            let (x, w, b, dy) = (
                tensor(&[n, d], 1),
                tensor(&[o, d], 2),
                tensor(&[o], 3),
                tensor(&[n, o], 4),
            );
            let y = nn::linear(&x, &w, Some(&b)).unwrap();
            same(
                &(n, d, o),
                &y,
                &reference::linear(&x, &w, Some(&b)).unwrap(),
            );
            same(
                &(n, d, o),
                &nn::linear(&x, &w, None).unwrap(),
                &reference::linear(&x, &w, None).unwrap(),
            );
            same(
                &(n, d, o),
                &nn::linear_backward_data(&dy, &w).unwrap(),
                &dy.matmul(&w).unwrap(),
            );
            let dw = nn::linear_backward_weight(&x, &dy).unwrap();
            same(&(n, d, o), &dw, &dy.t().unwrap().matmul(&x).unwrap());
        }
        let (x, dy) = (tensor(&[3, 5, 1, 7], 5), tensor(&[3, 5, 1, 7], 6));
        for slope in [0.0, 0.1, -0.5] {
            same(
                &slope,
                &nn::relu(&x, slope).unwrap(),
                &reference::relu(&x, slope).unwrap(),
            );
            let dx = nn::relu_backward(&x, &dy, slope).unwrap();
            same(
                &slope,
                &dx,
                &reference::relu_backward(&x, &dy, slope).unwrap(),
            );
        }
        let y = nn::sigmoid(&x).unwrap();
        same(&"sigmoid", &y, &reference::sigmoid(&x).unwrap());
        same(
            &"sigmoid",
            &nn::sigmoid_backward(&y, &dy).unwrap(),
            &reference::sigmoid_backward(&y, &dy).unwrap(),
        );
        let y = nn::tanh(&x).unwrap();
        same(&"tanh", &y, &x.tanh().unwrap());
        same(
            &"tanh",
            &nn::tanh_backward(&y, &dy).unwrap(),
            &reference::tanh_backward(&y, &dy).unwrap(),
        );
    }
}

#[test]
fn relu_keeps_nan_and_drops_minus_infinity() {
    let x = Tensor::new(&[f64::NAN, f64::NEG_INFINITY, -1.0, 2.0], &Device::Cpu).unwrap();
    let y = values(&nn::relu(&x, 0.0).unwrap());
    assert!(y[0].is_nan());
    assert_eq!(y[1..], [0.0, 0.0, 2.0]);
}

#[test]
fn softmax_and_losses() {
    for dtype in both_types() {
        for dims in [&[1, 1][..], &[4, 10], &[2, 3, 1, 5], &[3, 2, 4]] {
            let scores = (random(dims, 1) * 20.0).unwrap().to_dtype(dtype).unwrap();
            let dy = random(dims, 2).to_dtype(dtype).unwrap();
            let y = nn::softmax(&scores).unwrap();
            same(&dims, &y, &reference::softmax(&scores).unwrap());
            let dx = nn::softmax_backward(&y, &dy).unwrap();
            same(&dims, &dx, &reference::softmax_backward(&y, &dy).unwrap());

            let label_dims: Vec<usize> = [&dims[..1], &dims[2..]].concat();
            let labels = random_labels(&label_dims, dims[1] as u32, 3);
            let d_loss = Tensor::new(0.7, &Device::Cpu)
                .unwrap()
                .to_dtype(dtype)
                .unwrap();
            let ignored = [None, Some(0), Some(1), Some(255)];
            let divisors = [
                nn::Divisor::Valid,
                nn::Divisor::Full,
                nn::Divisor::Batch,
                nn::Divisor::One,
            ];
            for (ignore, divisor) in ignored
                .into_iter()
                .flat_map(|ignore| divisors.map(|divisor| (ignore, divisor)))
            {
                let averaging = nn::Averaging { divisor, ignore };
                let name = (dims, averaging);
                let kept = values(&labels).into_iter();
                let kept = kept.filter(|label| ignore.is_none_or(|i| f64::from(i) != *label));
                let number = match divisor {
                    nn::Divisor::Valid => kept.count(),
                    nn::Divisor::Full => labels.elem_count(),
                    nn::Divisor::Batch => dims[0],
                    nn::Divisor::One => 1,
                };
                let number = number.max(1) as f64;
                let (loss, p) = nn::softmax_cross_entropy(&scores, &labels, &averaging).unwrap();
                let (reference_loss, reference_p) =
                    reference::softmax_cross_entropy(&scores, &labels, &averaging, number).unwrap();
                same(&name, &loss, &reference_loss);
                same(&name, &p, &reference_p);
                let dx = nn::softmax_cross_entropy_backward(&p, &labels, &averaging, &d_loss);
                let expected = reference::softmax_cross_entropy_backward(
                    &p, &labels, &averaging, &d_loss, number,
                );
                same(&name, &dx.unwrap(), &expected.unwrap());
            }
        }
    }
}

#[test]
fn cross_entropy_of_huge_scores_is_exact() {
    let scores = Tensor::new(&[[1000f32, 0.0], [0.0, 1000.0]], &Device::Cpu).unwrap();
    let labels = Tensor::new(&[1u32, 1], &Device::Cpu).unwrap();
    let (loss, _) = nn::softmax_cross_entropy(&scores, &labels, &nn::Averaging::default()).unwrap();
    assert_eq!(loss.to_scalar::<f32>().unwrap(), 500.0);
}

#[test]
fn update() {
    let delta = 1e-3;
    let rules = [
        Rule::Sgd { momentum: 0.9 },
        Rule::SgdPyTorch { momentum: 0.9 },
        Rule::Nesterov { momentum: 0.9 },
        Rule::AdaGrad { delta },
        Rule::AdaDelta {
            momentum: 0.95,
            delta,
        },
        Rule::RmsProp { decay: 0.9, delta },
        Rule::Adam {
            momentum: 0.9,
            momentum2: 0.99,
            delta,
            step: 3,
        },
    ];
    let [w, g] = [1, 2].map(|seed| random(&[7, 3], seed));
    let before = values(&w);
    for (rule, l1) in rules
        .into_iter()
        .flat_map(|rule| [(rule, false), (rule, true)])
    {
        let step = Step {
            rule,
            rate: 0.1,
            decay: 0.01,
            l1,
            scale: 0.5,
        };
        // Means of squares are not negative.
        let state = |seed| random(&[7, 3], seed).sqr().unwrap();
        let states: Vec<Tensor> = (0..rule.states())
            .map(|index| state(3 + index as u64))
            .collect();
        let (reference_w, reference_states) =
            crate::nn::update::reference(&w, &g, &states, &step).unwrap();
        let (mut new_w, mut new_states) = (w.copy().unwrap(), states);
        nn::update(&mut new_w, &g, &mut new_states, &step).unwrap();
        same(&step, &new_w, &reference_w);
        assert_eq!(new_states.len(), rule.states());
        for (ours, reference) in new_states.iter().zip(&reference_states) {
            same(&step, ours, reference);
        }
    }
    assert_eq!(values(&w), before, "a copy is the snapshot's");
}

#[test]
fn strided_inputs_are_taken_as_they_are() {
    let x = random(&[4, 6, 3, 2], 1).permute((3, 2, 0, 1)).unwrap();
    let w = random(&[3, 3, 3, 2], 2).permute((3, 1, 0, 2)).unwrap();
    let strided = nn::conv2d(&x, &w, None, &Conv2d::default()).unwrap();
    let contiguous = nn::conv2d(
        &x.contiguous().unwrap(),
        &w.contiguous().unwrap(),
        None,
        &Conv2d::default(),
    )
    .unwrap();
    assert_eq!(values(&strided), values(&contiguous));
}
