//! Single precision against double: products on every level that runs here, and convolutions of
//! many sizes by whichever way they are computed.

use super::*;
use crate::nn::product::{Bias, Columns, Finish, Level, Maps, Rows, product};
use crate::nn::{
    batch_norm_of_batch, conv2d, conv2d_backward_data, conv2d_backward_filter, conv2d_relu,
    eltwise_sum, linear, linear_relu, relu,
};
use candle_core::DType;

/// √(Σ (a − b)² / Σ b²), b in double precision.
pub(super) fn error(found: &Tensor, exact: &Tensor) -> f64 {
    assert_eq!(found.dims(), exact.dims());
    let (found, exact) = (values(found), values(exact));
    let squares: f64 = exact.iter().map(|b| b * b).sum();
    let difference: f64 = found
        .iter()
        .zip(&exact)
        .map(|(a, b)| (a - b) * (a - b))
        .sum();
    assert!(!difference.is_nan(), "a number was left out");
    (difference / squares.max(1e-12)).sqrt()
}

fn single(x: &Tensor) -> Tensor {
    x.to_dtype(DType::F32).unwrap()
}

#[test]
fn products_on_every_level() {
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let mut worst = 0f64;
    for case in 0..300 {
        let mut pick = |most: usize| random.random_range(1..=most);
        let (m, n, k) = (
            pick(70),
            pick(150),
            pick(if case % 10 == 0 { 900 } else { 90 }),
        );
        let [a, b, bias] = [[m, k], [k, n], [1, n]].map(|dims| single(&super::random(&dims, case)));
        let exact = a
            .to_dtype(DType::F64)
            .unwrap()
            .matmul(&b.to_dtype(DType::F64).unwrap());
        let exact = exact
            .unwrap()
            .broadcast_add(&bias.to_dtype(DType::F64).unwrap());
        let exact = exact.unwrap().relu().unwrap();
        let flat = |x: &Tensor| x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let (a, b, bias) = (flat(&a), flat(&b), flat(&bias));
        let mut bits = Vec::new();
        for level in Level::all() {
            let mut c = vec![f32::NAN; m * n];
            let left = Rows {
                data: &a,
                lanes: m,
                stride: k,
            };
            let right = Columns {
                data: &b,
                lanes: n,
                stride: n,
            };
            let finish = Finish {
                bias: Bias::Columns(&bias),
                relu: true,
            };
            product(level, Maps::matrix(&mut c, m, n), &left, &right, k, &finish);
            let found = Tensor::from_vec(c.clone(), (m, n), &Device::Cpu).unwrap();
            worst = worst.max(error(&found, &exact));
            bits.push(c);
        }
        assert!(
            bits.windows(2).all(|pair| pair[0] == pair[1]),
            "{m} × {n} × {k}"
        );
    }
    println!("products: relative error {worst:e}");
    assert!(worst < 1e-6, "{worst:e}");
}

/// Output and both gradients in single precision, and their relative errors.
fn errors(case: &ConvCase, seed: u64) -> [f64; 3] {
    let [x, w, dy] = [(case.x, 1), (case.w, 2), (case.dy(), 3)]
        .map(|(dims, index)| random(&dims, 3 * seed + index));
    let bias = random(&case.w[..1], seed);
    let (size, kernel) = ([case.x[2], case.x[3]], [case.w[2], case.w[3]]);
    let all = |of: fn(&Tensor) -> Tensor| {
        let (x, w, dy, bias) = (of(&x), of(&w), of(&dy), of(&bias));
        [
            conv2d(&x, &w, Some(&bias), &case.conv).unwrap(),
            conv2d_backward_data(&dy, &w, size, &case.conv).unwrap(),
            conv2d_backward_filter(&x, &dy, kernel, &case.conv).unwrap(),
        ]
    };
    let (found, exact) = (
        all(single),
        all(|x| single(x).to_dtype(DType::F64).unwrap()),
    );
    [0, 1, 2].map(|index| error(&found[index], &exact[index]))
}

/// Odd, tiny, rectangular, strided, grouped, dilated, depthwise, wide and deep ones.
fn sizes(count: usize) -> Vec<ConvCase> {
    let mut random = ChaCha8Rng::seed_from_u64(6);
    let mut cases = Vec::new();
    while cases.len() < count {
        let mut pick = |low: usize, high: usize| random.random_range(low..=high);
        let wide = pick(0, 3);
        let groups = if pick(0, 2) == 0 { pick(1, 6) } else { 1 };
        let (c, o) = match wide {
            0 => (pick(1, 40), pick(1, 90)),
            1 => (1, pick(1, 2)),
            _ => (pick(1, 9), pick(1, 20)),
        };
        let x = [
            pick(1, 3),
            c * groups,
            pick(1, 19),
            pick(1, 60 / (wide + 2)),
        ];
        let w = [o * groups, c, pick(1, 5), pick(1, 5)];
        let conv = Conv2d {
            stride: [pick(1, 3), pick(1, 3)],
            pad: [pick(0, 4), pick(0, 4)],
            dilation: [pick(1, 2), pick(1, 2)],
            groups,
            precise: true,
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
            cases.push(ConvCase::new(x, w, conv));
        }
    }
    cases
}

#[test]
fn two_thousand_convolutions() {
    let mut worst = [0f64; 3];
    for (seed, case) in sizes(2000).iter().enumerate() {
        let errors = errors(case, seed as u64);
        assert!(
            errors.iter().all(|error| *error < 1e-6),
            "{case:?}: {errors:?}"
        );
        for (worst, error) in worst.iter_mut().zip(errors) {
            *worst = worst.max(error);
        }
    }
    println!(
        "2,000 convolutions: relative error of output, data gradient, filter gradient {worst:?}"
    );
}

#[test]
fn a_joined_relu_gives_the_bits_of_both_apart() {
    let apart = |y: Tensor| values(&relu(&y, 0.0).unwrap());
    for (seed, case) in sizes(60).iter().enumerate() {
        let [x, w, b] = [&case.x[..], &case.w, &case.w[..1]].map(|dims| random(dims, seed as u64));
        for dtype in [DType::F32, DType::F64] {
            let [x, w, b] = [&x, &w, &b].map(|t| t.to_dtype(dtype).unwrap());
            for conv in [
                case.conv,
                Conv2d {
                    precise: false,
                    ..case.conv
                },
            ] {
                let joined = conv2d_relu(&x, &w, Some(&b), &conv).unwrap();
                let y = conv2d(&x, &w, Some(&b), &conv).unwrap();
                assert!(values(&joined) == apart(y), "{case:?}");
            }
        }
    }
    for dtype in [DType::F32, DType::F64] {
        let of = |dims: &[usize], seed| random(dims, seed).to_dtype(dtype).unwrap();
        let (x, w, b) = (of(&[9, 33], 1), of(&[50, 33], 2), of(&[50], 3));
        let joined = linear_relu(&x, &w, Some(&b)).unwrap();
        assert!(values(&joined) == apart(linear(&x, &w, Some(&b)).unwrap()));
        let (x, w, b) = (of(&[3, 5, 7, 6], 4), of(&[5], 5), of(&[5], 6));
        let normal = |relu| {
            batch_norm_of_batch(&x, 1e-5, Some((&w, &b)), relu)
                .unwrap()
                .0
        };
        assert!(values(&normal(true)) == apart(normal(false)));
        let both = [x.clone(), of(&[3, 5, 7, 6], 7)];
        let sum = |relu| eltwise_sum(&both, &[1.0, 1.0], relu).unwrap();
        assert!(values(&sum(true)) == apart(sum(false)));
        let large = [
            of(&[2, 20, 16, 16], 8),
            of(&[24, 20, 3, 3], 9),
            of(&[24], 10),
        ];
        let [x, w, b] = &large;
        let joined = conv2d_relu(x, w, Some(b), &Conv2d::default()).unwrap();
        assert!(values(&joined) == apart(conv2d(x, w, Some(b), &Conv2d::default()).unwrap()));
    }
}

#[test]
fn no_bit_depends_on_the_threads() {
    let conv = Conv2d::default();
    let cases = [
        // Winograd: blocks of a thread's own, shared blocks, one block.
        ConvCase::new(
            [9, 32, 33, 31],
            [20, 32, 3, 3],
            Conv2d {
                pad: [1, 1],
                ..conv
            },
        ),
        ConvCase::new([9, 180, 31, 16], [170, 180, 3, 3], conv),
        ConvCase::new([3, 64, 9, 9], [70, 64, 3, 3], conv),
        // Products with patches: strided, pointwise, grouped; few maps; depthwise.
        ConvCase::new(
            [5, 24, 30, 29],
            [100, 24, 3, 3],
            Conv2d {
                stride: [2, 2],
                ..conv
            },
        ),
        ConvCase::new([5, 100, 9, 11], [80, 100, 1, 1], conv),
        ConvCase::new(
            [5, 24, 14, 14],
            [40, 12, 5, 5],
            Conv2d { groups: 2, ..conv },
        ),
        ConvCase::new([7, 20, 12, 13], [50, 20, 5, 5], conv),
        ConvCase::new(
            [5, 24, 14, 14],
            [24, 1, 3, 3],
            Conv2d { groups: 24, ..conv },
        ),
    ];
    for case in &cases {
        let [x, w, dy] = [(case.x, 1), (case.w, 2), (case.dy(), 3)]
            .map(|(dims, seed)| single(&random(&dims, seed)));
        let (size, kernel) = ([case.x[2], case.x[3]], [case.w[2], case.w[3]]);
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| {
                [
                    conv2d(&x, &w, None, &case.conv).unwrap(),
                    conv2d_backward_data(&dy, &w, size, &case.conv).unwrap(),
                    conv2d_backward_filter(&x, &dy, kernel, &case.conv).unwrap(),
                ]
                .map(|tensor| values(&tensor))
            })
        };
        let one = on(1);
        for threads in [2, 3, 7] {
            assert!(one == on(threads), "{threads} threads: {case:?}");
        }
    }
}
