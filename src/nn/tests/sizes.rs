//! The rules of sizes, and that what does not fit is an error.

use super::*;
use crate::nn;
use candle_core::Result;

#[test]
fn output_sizes() {
    assert_eq!(conv_output(28, 5, 1, 0, 1), Some(24));
    assert_eq!(conv_output(224, 7, 2, 3, 1), Some(112));
    assert_eq!(conv_output(7, 3, 1, 0, 3), Some(1));
    assert_eq!(conv_output(6, 3, 1, 0, 3), None);
    assert_eq!(conv_output(6, 0, 1, 0, 1), None);
    assert_eq!(conv_output(6, 1, 0, 0, 1), None);
    assert_eq!(conv_output(6, usize::MAX, 1, usize::MAX, usize::MAX), None);

    assert_eq!(pool_output(55, 3, 2, 0, true), Some(27));
    assert_eq!(
        pool_output(112, 3, 2, 0, true),
        Some(56),
        "GoogLeNet's pooling hangs over the edge"
    );
    assert_eq!(pool_output(112, 3, 2, 0, false), Some(55));
    assert_eq!(
        pool_output(3, 2, 2, 1, true),
        Some(2),
        "Caffe drops a window that begins beyond the image"
    );
    assert_eq!(pool_output(6, 1, 4, 0, true), Some(2));
    assert_eq!(pool_output(4, 2, 2, 2, true), None);
    assert_eq!(pool_output(4, 5, 1, 0, true), None);
    assert_eq!(pool_output(4, 2, 0, 0, true), None);
    assert_eq!(pool_output(usize::MAX, 2, 1, 1, true), None);
}

#[test]
fn every_window_holds_a_pixel() {
    for (dims, pool) in pool_cases(500, 3) {
        let (y, _) = nn::max_pool2d(&random(&dims, 1), &pool).unwrap();
        assert!(
            values(&y).iter().all(|y| y.is_finite()),
            "{dims:?} {pool:?}"
        );
    }
}

/// The message of an operation that must fail.
fn message<T>(result: Result<T>) -> String {
    result.err().expect("this must be an error").to_string()
}

#[test]
fn what_does_not_fit_is_an_error() {
    let (x, w) = (random(&[2, 4, 5, 5], 1), random(&[6, 4, 3, 3], 2));
    let conv = Conv2d::default();
    let grouped = |groups| Conv2d { groups, ..conv };
    assert!(
        message(nn::conv2d(&x, &random(&[6, 4, 7, 3], 2), None, &conv))
            .contains("does not fit a size of 5")
    );
    for groups in [0, 2, 3, 4] {
        assert!(
            message(nn::conv2d(&x, &w, None, &grouped(groups))).contains("groups"),
            "{groups}"
        );
    }
    assert!(message(nn::conv2d(&x, &w, Some(&random(&[5], 1)), &conv)).contains("bias"));
    assert!(message(nn::conv2d_backward_data(&x, &w, [5, 5], &conv)).contains("gradient"));
    assert!(message(nn::conv2d_backward_filter(&x, &x, [3, 3], &conv)).contains("gradient"));
    nn::conv2d(
        &x,
        &w.to_dtype(candle_core::DType::F32).unwrap(),
        None,
        &conv,
    )
    .unwrap_err();

    let pool = Pool2d {
        kernel: [9, 2],
        stride: [1, 1],
        pad: [0, 0],
        ceil: true,
    };
    assert!(message(nn::max_pool2d(&x, &pool)).contains("window of 9"));
    let outside = Tensor::full(25u32, (2, 4, 5, 5), &Device::Cpu).unwrap();
    assert!(message(nn::max_pool2d_backward(&x, &outside, [5, 5])).contains("index 25"));

    let (scores, labels) = (
        random(&[2, 3], 1),
        Tensor::new(&[0u32, 3], &Device::Cpu).unwrap(),
    );
    assert!(
        message(nn::softmax_cross_entropy(
            &scores,
            &labels,
            &nn::Averaging::default()
        ))
        .contains("label 3 at position 1")
    );
    assert!(
        message(nn::softmax_cross_entropy(
            &x,
            &labels,
            &nn::Averaging::default()
        ))
        .contains("do not fit")
    );
    assert!(message(nn::linear(&scores, &scores.t().unwrap(), None)).contains("does not fit"));
    assert!(message(nn::euclidean_loss(&scores, &x)).contains("differ"));
    assert!(message(nn::eltwise_sum(&[], &[], false)).contains("needs an input"));
}

#[test]
fn a_batch_of_nothing_passes_through() {
    let x = random(&[0, 4, 5, 5], 1);
    let y = nn::conv2d(&x, &random(&[6, 4, 3, 3], 2), None, &Conv2d::default()).unwrap();
    assert_eq!(y.dims(), [0, 6, 3, 3]);
    let dw = nn::conv2d_backward_filter(&x, &y, [3, 3], &Conv2d::default()).unwrap();
    assert!(values(&dw).iter().all(|&value| value == 0.0));
    assert_eq!(nn::softmax(&random(&[0, 3], 1)).unwrap().dims(), [0, 3]);
}
