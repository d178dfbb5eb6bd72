//! What the functions for a card do with tensors that are not for it.

use super::*;

/// Everything on the CPU, which the functions leave to the references; wrong sizes are errors.
#[test]
fn what_the_card_cannot_take_is_computed_all_the_same() {
    for case in &conv_cases(20, 3) {
        let shape = shape_of(case);
        let [x, w, dy] = [
            random(&case.x, 1),
            random(&case.w, 2),
            random(&case.dy(), 3),
        ];
        let kernel = [case.w[2], case.w[3]];
        let y = cuda::conv2d(&x, &w, None, &case.conv).unwrap();
        let expected = reference::conv2d(&x, &w, None, &shape).unwrap();
        assert_eq!(values(&y), values(&expected));
        let dx = cuda::conv2d_backward_data(&dy, &w, [case.x[2], case.x[3]], &case.conv).unwrap();
        assert_eq!(dx.dims(), case.x);
        let dw = cuda::conv2d_backward_filter(&x, &dy, kernel, &case.conv).unwrap();
        assert_eq!(dw.dims(), case.w);
        let wrong = random(&[case.x[0] + 1, case.w[0], 1, 1], 4);
        assert!(cuda::conv2d_backward_filter(&x, &wrong, kernel, &case.conv).is_err());
    }
    for (dims, pool) in pool_cases(20, 4) {
        let x = random(&dims, 1);
        let (y, indices) = cuda::max_pool2d(&x, &pool).unwrap();
        let size = [dims[2], dims[3]];
        assert_eq!(
            cuda::max_pool2d_backward(&y, &indices, size)
                .unwrap()
                .dims(),
            dims
        );
        assert_eq!(cuda::avg_pool2d(&x, &pool).unwrap().dims(), y.dims());
        assert_eq!(
            cuda::avg_pool2d_backward(&y, size, &pool).unwrap().dims(),
            dims
        );
        let taller = [size[0] + 40, size[1]];
        assert!(cuda::avg_pool2d_backward(&y, taller, &pool).is_err());
    }
    let x = random(&[3, 4, 2, 2], 1);
    let (mean, variance) = cuda::batch_statistics(&x).unwrap();
    let moments = Moments {
        mean: &mean,
        variance: &variance,
        eps: 1e-5,
    };
    let y = cuda::batch_norm(&x, &moments, None).unwrap();
    assert!(cuda::batch_norm_backward(&x, &y, &moments, None, true).is_ok());
    let short = random(&[3], 2);
    assert!(cuda::batch_norm(&x, &moments, Some((&short, &mean))).is_err());
    assert!(cuda::batch_norm_backward(&x, &short, &moments, None, true).is_err());
    assert!(cuda::relu_backward(&x, &short, 0.0).is_err());
    assert!(cuda::softmax_backward(&cuda::softmax(&x).unwrap(), &short).is_err());
    for rule in rules() {
        let step = Step {
            rule,
            rate: 0.1,
            decay: 0.0,
            l1: false,
            scale: 1.0,
        };
        let states = vec![x.sqr().unwrap(); rule.states()];
        let (new_w, _) = cuda::update(&x, &y, &states, &step).unwrap();
        let (expected, _) = update::reference(&x, &y, &states, &step).unwrap();
        assert_eq!(values(&new_w), values(&expected));
        assert!(cuda::update(&x, &y, &[], &step).is_err());
        assert!(cuda::update(&x, &short, &states, &step).is_err());
    }
}
