//! Winograd's convolution against plain sums in double precision.

use candle_core::{DType, Device, Result, Tensor};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::nn::conv::ConvShape;
use crate::nn::{Conv2d, conv2d, conv2d_backward_data, conv2d_backward_filter, winograd};

/// √(Σ (a − b)² / Σ b²), b in double precision.
fn error(found: &Tensor, exact: &Tensor) -> Result<f64> {
    let difference = (found.to_dtype(DType::F64)? - exact)?;
    let squares = |t: &Tensor| t.sqr()?.sum_all()?.to_scalar::<f64>();
    Ok((squares(&difference)? / squares(exact)?).sqrt())
}

struct Case {
    x: Tensor,
    w: Tensor,
    bias: Tensor,
    dy: Tensor,
    conv: Conv2d,
}

/// Tensors of a convolution that is Winograd's, in single precision.
fn case(random: &mut ChaCha8Rng) -> Result<Case> {
    loop {
        let mut from = |range: std::ops::RangeInclusive<usize>| random.random_range(range);
        let (n, c, o) = (from(1..=4), from(16..=40), from(16..=40));
        let (h, w) = (from(2..=21), from(2..=21));
        let conv = Conv2d {
            pad: [from(0..=2), from(0..=2)],
            ..Conv2d::default()
        };
        let Ok(shape) = ConvShape::new(n, c, [h, w], o, [3, 3], &conv) else {
            continue;
        };
        let normal = |dims: &[usize]| Tensor::randn(0f32, 1.0, dims, &Device::Cpu);
        let x = normal(&[n, c, h, w])?;
        if !winograd::fits(&shape, &x) {
            continue;
        }
        return Ok(Case {
            w: normal(&[o, c, 3, 3])?,
            bias: normal(&[o])?,
            dy: normal(&shape.output_dims())?,
            x,
            conv,
        });
    }
}

/// Output and both gradients.
fn run(case: &Case, dtype: DType) -> Result<[Tensor; 3]> {
    let of = |tensor: &Tensor| tensor.to_dtype(dtype);
    let (x, w, bias, dy) = (of(&case.x)?, of(&case.w)?, of(&case.bias)?, of(&case.dy)?);
    let size = [x.dim(2)?, x.dim(3)?];
    Ok([
        conv2d(&x, &w, Some(&bias), &case.conv)?,
        conv2d_backward_data(&dy, &w, size, &case.conv)?,
        conv2d_backward_filter(&x, &dy, [3, 3], &case.conv)?,
    ])
}

#[test]
fn it_is_the_convolution_and_its_gradients() -> Result<()> {
    if !winograd::available() {
        return Ok(());
    }
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let mut worst = [0f64; 3];
    for _ in 0..300 {
        let case = case(&mut random)?;
        let (found, exact) = (run(&case, DType::F32)?, run(&case, DType::F64)?);
        for ((found, exact), worst) in found.iter().zip(&exact).zip(&mut worst) {
            *worst = error(found, exact)?.max(*worst);
        }
    }
    println!("relative error of output, data gradient, filter gradient: {worst:?}");
    assert!(worst.iter().all(|error| *error < 5e-6), "{worst:?}");
    Ok(())
}

#[test]
fn its_bits_do_not_depend_on_the_threads() -> Result<()> {
    if !winograd::available() {
        return Ok(());
    }
    let mut random = ChaCha8Rng::seed_from_u64(4);
    let case = case(&mut random)?;
    let on = |threads: usize| -> Vec<Vec<u32>> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        let all = pool.install(|| run(&case, DType::F32).unwrap());
        let bits = |tensor: &Tensor| {
            let values = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            values.into_iter().map(f32::to_bits).collect()
        };
        all.iter().map(bits).collect()
    };
    let one = on(1);
    for threads in [2, 3, 7] {
        assert_eq!(one, on(threads), "{threads} threads");
    }
    Ok(())
}
