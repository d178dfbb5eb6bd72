//! The same bits at any number of threads and, per image, in any batch.

use super::*;
use crate::nn::{self, Conv2d};
use candle_core::DType;

/// All results of a small network's operations at `threads` threads.
fn run(threads: usize, x: &Tensor) -> Vec<Vec<f64>> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap();
    pool.install(|| {
        let w = random(&[40, 20, 5, 5], 2).to_dtype(DType::F32).unwrap();
        let y = nn::conv2d(x, &w, None, &Conv2d::default()).unwrap();
        let dx = nn::conv2d_backward_data(
            &y,
            &w,
            [x.dim(2).unwrap(), x.dim(3).unwrap()],
            &Conv2d::default(),
        )
        .unwrap();
        let dw = nn::conv2d_backward_filter(x, &y, [5, 5], &Conv2d::default()).unwrap();
        let flat = y.flatten_from(1).unwrap();
        let full = random(&[64, flat.dim(1).unwrap()], 3)
            .to_dtype(DType::F32)
            .unwrap();
        let z = nn::linear(&flat, &full, None).unwrap();
        let labels = random_labels(&[x.dim(0).unwrap()], 64, 4);
        let (loss, _) = nn::softmax_cross_entropy(&z, &labels, &nn::Averaging::default()).unwrap();
        let dfull = nn::linear_backward_weight(&flat, &z).unwrap();
        let dropped = nn::dropout(&y, 0.5, 99).unwrap();
        [
            &y,
            &dx,
            &dw,
            &z,
            &loss,
            &dfull,
            &dropped,
            &nn::bias_backward(&y).unwrap(),
        ]
        .map(values)
        .to_vec()
    })
}

#[test]
fn threads_do_not_change_a_bit() {
    let x = random(&[9, 20, 17, 16], 1).to_dtype(DType::F32).unwrap();
    let one = run(1, &x);
    for threads in [2, 3, 8] {
        assert!(run(threads, &x) == one, "{threads} threads");
    }
}

#[test]
fn an_image_does_not_see_its_batch() {
    let x = random(&[5, 20, 17, 16], 1).to_dtype(DType::F32).unwrap();
    let w = random(&[40, 20, 3, 3], 2).to_dtype(DType::F32).unwrap();
    let all = nn::conv2d(&x, &w, None, &Conv2d::default()).unwrap();
    for image in 0..5 {
        let alone = nn::conv2d(
            &x.narrow(0, image, 1).unwrap(),
            &w,
            None,
            &Conv2d::default(),
        )
        .unwrap();
        assert!(
            values(&alone) == values(&all.narrow(0, image, 1).unwrap()),
            "image {image}"
        );
    }
}

#[test]
fn a_dropout_mask_is_a_function_of_its_seed() {
    let ones = Tensor::ones((100, 500), DType::F32, &Device::Cpu).unwrap();
    let mask = |ratio, seed| values(&nn::dropout(&ones, ratio, seed).unwrap());
    assert!(mask(0.3, 1) == mask(0.3, 1));
    assert!(mask(0.3, 1) != mask(0.3, 2));
    let dropped = mask(0.3, 1).iter().filter(|&&value| value == 0.0).count() as f64 / 50_000.0;
    // Six standard deviations of a binomial of 50,000.
    assert!(
        (dropped - 0.3).abs() < 6.0 * (0.3f64 * 0.7 / 50_000.0).sqrt(),
        "{dropped}"
    );
    assert!(mask(0.0, 1).iter().all(|&value| value == 1.0));
    nn::dropout(&ones, 1.0, 1).unwrap_err();
}
