//! The operations on an NVIDIA card against the references on the CPU. Without a card they say
//! that they were skipped; what a card cannot take is tested everywhere
//! ([`elsewhere`]).

mod elsewhere;

use super::*;
use crate::nn::conv::ConvShape;
use crate::nn::norm::{norm_backward_reference, norm_reference, statistics_reference};
use crate::nn::pool::PoolAxes;
use crate::nn::{Moments, Rule, Staging, Step, cuda, reference, set_tf32, update};
use candle_core::DType;

/// The first card, or `None` and a line that says so. A driver that is missing may panic.
fn card(test: &str) -> Option<Device> {
    match std::panic::catch_unwind(|| Device::new_cuda_with_stream(0)) {
        Ok(Ok(device)) => {
            // SAFETY: as in training, all goes through the device's one stream.
            unsafe { device.as_cuda_device().unwrap().disable_event_tracking() };
            Some(device)
        }
        Ok(Err(error)) => {
            let error = error.to_string();
            let reason = error.lines().next().unwrap_or_default();
            println!("{test} skipped: no CUDA device ({reason})");
            None
        }
        Err(_) => {
            println!("{test} skipped: no CUDA device (the driver panicked)");
            None
        }
    }
}

/// Random `f32` numbers on the CPU as `f64`, and the same ones on the card.
fn pair(dims: &[usize], seed: u64, device: &Device) -> (Tensor, Tensor) {
    let single = random(dims, seed).to_dtype(DType::F32).unwrap();
    let there = single.to_device(device).unwrap();
    (single.to_dtype(DType::F64).unwrap(), there)
}

fn same(name: &dyn std::fmt::Debug, card: &Tensor, reference: &Tensor) {
    assert_eq!(card.dtype(), DType::F32, "{name:?}");
    let error = relative_error(card, reference);
    assert!(error < 2e-5, "{name:?}: {error:e}");
}

fn bits(x: &Tensor) -> Vec<u32> {
    let values = x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    values.into_iter().map(f32::to_bits).collect()
}

#[test]
fn the_kernels_compile() {
    let code = cuda::compile().unwrap();
    for name in ["relu", "max_pool_backward", "channel_sums", "update_two"] {
        assert!(code.contains(&format!(".entry {name}(")), "{name}");
    }
}

fn shape_of(case: &ConvCase) -> ConvShape {
    let [n, c, h, w] = case.x;
    ConvShape::new(n, c, [h, w], case.w[0], [case.w[2], case.w[3]], &case.conv).unwrap()
}

#[test]
fn convolution() {
    let Some(device) = card("convolution") else {
        return;
    };
    let mut cases = conv_cases(100, 1);
    let padded = Conv2d {
        pad: [1, 1],
        ..Conv2d::default()
    };
    cases.push(ConvCase::new([8, 64, 24, 40], [32, 64, 3, 3], padded));
    let depthwise = Conv2d {
        groups: 32,
        ..padded
    };
    cases.push(ConvCase::new([4, 32, 14, 14], [32, 1, 3, 3], depthwise));
    for case in &cases {
        let shape = shape_of(case);
        let (size, kernel) = ([case.x[2], case.x[3]], [case.w[2], case.w[3]]);
        let (x, on_x) = pair(&case.x, 1, &device);
        let (w, on_w) = pair(&case.w, 2, &device);
        let (bias, on_bias) = pair(&case.w[..1], 3, &device);
        let (dy, on_dy) = pair(&case.dy(), 4, &device);
        let y = cuda::conv2d(&on_x, &on_w, Some(&on_bias), &case.conv).unwrap();
        let expected = reference::conv2d(&x, &w, Some(&bias), &shape).unwrap();
        same(case, &y, &expected);
        let dx = cuda::conv2d_backward_data(&on_dy, &on_w, size, &case.conv).unwrap();
        let expected = reference::conv2d_backward_data(&dy, &w, &shape).unwrap();
        same(case, &dx, &expected);
        let dw = cuda::conv2d_backward_filter(&on_x, &on_dy, kernel, &case.conv).unwrap();
        let expected = reference::conv2d_backward_filter(&x, &dy, &shape).unwrap();
        same(case, &dw, &expected);
        let db = cuda::bias_backward(&on_dy).unwrap();
        same(case, &db, &reference::bias_backward(&dy).unwrap());
    }
    // The setting is the process's, so it is tried where nothing else convolves.
    let case = &cases[100];
    let (x, on_x) = pair(&case.x, 1, &device);
    let (w, on_w) = pair(&case.w, 2, &device);
    set_tf32(true);
    let y = cuda::conv2d(&on_x, &on_w, None, &case.conv);
    set_tf32(false);
    let expected = reference::conv2d(&x, &w, None, &shape_of(case)).unwrap();
    assert!(relative_error(&y.unwrap(), &expected) < 5e-3);
    let y = cuda::conv2d(&on_x, &on_w, None, &case.conv).unwrap();
    same(&"full precision again", &y, &expected);
}

#[test]
fn pooling() {
    let Some(device) = card("pooling") else {
        return;
    };
    let mut cases = pool_cases(200, 2);
    let large = Pool2d {
        kernel: [3, 3],
        stride: [2, 2],
        pad: [1, 1],
        ceil: true,
    };
    cases.push(([3, 16, 57, 300], large));
    for (dims, pool) in cases {
        let axes = PoolAxes::new(&dims, &pool).unwrap();
        let size = [dims[2], dims[3]];
        let (x, on_x) = pair(&dims, 5, &device);
        let (y, indices) = cuda::max_pool2d(&on_x, &pool).unwrap();
        let (expected, expected_indices) = reference::max_pool2d(&x, &axes).unwrap();
        assert_eq!(values(&y), values(&expected), "{dims:?} {pool:?}");
        assert_eq!(values(&indices), values(&expected_indices), "{dims:?}");
        let (dy, on_dy) = pair(y.dims(), 6, &device);
        let dx = cuda::max_pool2d_backward(&on_dy, &indices, size).unwrap();
        let expected = reference::max_pool2d_backward(&dy, &expected_indices, size).unwrap();
        same(&pool, &dx, &expected);
        let again = cuda::max_pool2d_backward(&on_dy, &indices, size).unwrap();
        assert_eq!(bits(&dx), bits(&again), "{pool:?}");
        let y = cuda::avg_pool2d(&on_x, &pool).unwrap();
        same(&pool, &y, &reference::avg_pool2d(&x, &axes).unwrap());
        let dx = cuda::avg_pool2d_backward(&on_dy, size, &pool).unwrap();
        let expected = reference::avg_pool2d_backward(&dy, &axes).unwrap();
        same(&pool, &dx, &expected);
    }
    let least = f32::NEG_INFINITY;
    let odd = [3.0, 3.0, least, least, f32::NAN, 9.0, 9.0, f32::NAN];
    let odd = Tensor::from_slice(&odd, (1, 1, 1, 8), &device).unwrap();
    let pairs = Pool2d {
        kernel: [1, 2],
        stride: [1, 2],
        pad: [0, 0],
        ceil: false,
    };
    let (y, indices) = cuda::max_pool2d(&odd, &pairs).unwrap();
    assert_eq!(values(&indices), [0.0, 2.0, 4.0, 7.0]);
    assert!(values(&y)[2..].iter().all(|value| value.is_nan()));
}

#[test]
fn normalisation() {
    let Some(device) = card("normalisation") else {
        return;
    };
    for dims in [&[5, 3][..], &[2, 4, 7], &[3, 2, 5, 6], &[16, 70, 40, 33]] {
        let (x, on_x) = pair(dims, 1, &device);
        // A mean far from zero costs no digits.
        let (x, on_x) = ((x + 20.0).unwrap(), (on_x + 20.0).unwrap());
        let (dy, on_dy) = pair(dims, 2, &device);
        let (weight, on_weight) = pair(&dims[1..2], 3, &device);
        let (bias, on_bias) = pair(&dims[1..2], 4, &device);
        let (mean, variance) = statistics_reference(&x).unwrap();
        let (on_mean, on_variance) = cuda::batch_statistics(&on_x).unwrap();
        assert!(relative_error(&on_mean, &mean) < 1e-6, "{dims:?}");
        assert!(relative_error(&on_variance, &variance) < 1e-4, "{dims:?}");
        let eps = 1e-5;
        let moments = Moments {
            mean: &mean,
            variance: &variance,
            eps,
        };
        let on_moments = Moments {
            mean: &on_mean,
            variance: &on_variance,
            eps,
        };
        let near = |name: &str, card: &Tensor, reference: &Tensor| {
            let error = relative_error(card, reference);
            assert!(error < 2e-4, "{name} of {dims:?}: {error:e}");
        };
        for affine in [false, true] {
            let given = affine.then_some((&weight, &bias));
            let on_given = affine.then_some((&on_weight, &on_bias));
            let y = cuda::batch_norm(&on_x, &on_moments, on_given).unwrap();
            near("y", &y, &norm_reference(&x, &moments, given).unwrap());
            let (given, on_given) = (given.unzip().0, on_given.unzip().0);
            for of_batch in [false, true] {
                let (dx, dw, db) =
                    cuda::batch_norm_backward(&on_x, &on_dy, &on_moments, on_given, of_batch)
                        .unwrap();
                let expected = norm_backward_reference(&x, &dy, &moments, given, of_batch).unwrap();
                near("dx", &dx, &expected.0);
                near("dw", &dw, &expected.1);
                near("db", &db, &expected.2);
            }
        }
    }
}

#[test]
fn activations() {
    let Some(device) = card("activations") else {
        return;
    };
    for dims in [&[3, 5, 1, 7][..], &[2, 3], &[40, 1000]] {
        let (x, on_x) = pair(dims, 5, &device);
        let (dy, on_dy) = pair(dims, 6, &device);
        for slope in [0.0, 0.1, -0.5] {
            let y = cuda::relu(&on_x, slope).unwrap();
            same(&slope, &y, &reference::relu(&x, slope).unwrap());
            let dx = cuda::relu_backward(&on_x, &on_dy, slope).unwrap();
            same(
                &slope,
                &dx,
                &reference::relu_backward(&x, &dy, slope).unwrap(),
            );
        }
        let y = cuda::softmax(&(&on_x * 20.0).unwrap()).unwrap();
        let expected = reference::softmax(&(&x * 20.0).unwrap()).unwrap();
        same(&dims, &y, &expected);
        let dx = cuda::softmax_backward(&y, &on_dy).unwrap();
        same(
            &dims,
            &dx,
            &reference::softmax_backward(&expected, &dy).unwrap(),
        );
    }
    let x = Tensor::new(&[f32::NAN, f32::NEG_INFINITY, -1.0, 2.0], &device).unwrap();
    let y = values(&cuda::relu(&x, 0.0).unwrap());
    assert!(y[0].is_nan());
    assert_eq!(y[1..], [0.0, 0.0, 2.0]);
}

#[test]
fn dropout_drops_the_same_as_on_the_cpu() {
    let Some(device) = card("dropout") else {
        return;
    };
    for (count, seed) in [(1, 0), (17, 1), (16 * 1024, 2), (50_001, 3)] {
        let (x, on_x) = pair(&[count], 4, &device);
        let x = x.to_dtype(DType::F32).unwrap();
        let expected = crate::nn::dropout(&x, 0.3, seed).unwrap();
        let threshold = (0.3 * 2f64.powi(32)) as u32;
        let y = cuda::dropout(&on_x, threshold, 1.0 / 0.7, seed).unwrap();
        assert_eq!(bits(&y.unwrap()), bits(&expected), "{count}");
    }
}

fn rules() -> [Rule; 7] {
    let delta = 1e-3;
    [
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
    ]
}

#[test]
fn solvers() {
    let Some(device) = card("solvers") else {
        return;
    };
    for (rule, l1) in rules()
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
        let (w, on_w) = pair(&[37, 300], 1, &device);
        let (g, on_g) = pair(&[37, 300], 2, &device);
        let states = (0..rule.states() as u64).map(|index| {
            // Means of squares are not negative.
            let (s, on_s) = pair(&[37, 300], 3 + index, &device);
            (s.sqr().unwrap(), on_s.sqr().unwrap())
        });
        let (states, on_states): (Vec<_>, Vec<_>) = states.unzip();
        let before = bits(&on_w);
        let (new_w, new_states) = cuda::update(&on_w, &on_g, &on_states, &step).unwrap();
        let (expected_w, expected) = update::reference(&w, &g, &states, &step).unwrap();
        same(&step, &new_w, &expected_w);
        for (ours, expected) in new_states.iter().zip(&expected) {
            same(&step, ours, expected);
        }
        assert_eq!(new_states.len(), rule.states());
        assert_eq!(bits(&on_w), before, "the old weights are a snapshot's");
    }
}

#[test]
fn batches_arrive_as_they_were() {
    let Some(device) = card("batches") else {
        return;
    };
    let mut staging = Staging::to(&device);
    let sizes = [100, 5000, 7, 1 << 20, 3, 100, 5000, 64, 1];
    let batches = sizes.map(|size| random(&[size], size as u64).to_dtype(DType::F32).unwrap());
    let staged = batches
        .each_ref()
        .map(|batch| staging.stage(batch).unwrap());
    for (batch, staged) in batches.iter().zip(&staged) {
        assert!(staged.device().is_cuda());
        assert_eq!(bits(batch), bits(staged));
    }
    let labels = random_labels(&[9], 4, 1);
    assert_eq!(values(&staging.stage(&labels).unwrap()), values(&labels));
}
