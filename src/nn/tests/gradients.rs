//! Every backward function against central differences in f64.

use super::*;
use crate::nn::{self, Rule, Step};

/// Worst relative error over all configurations of one operation.
struct Check {
    operation: &'static str,
    configurations: usize,
    worst: f64,
}

impl Check {
    fn new(operation: &'static str) -> Self {
        Self {
            operation,
            configurations: 0,
            worst: 0.0,
        }
    }

    /// Compares `gradients`, of `inputs` for the output gradient `dy`, with differences of `forward`.
    fn add(
        &mut self,
        inputs: &[Tensor],
        dy: &Tensor,
        gradients: &[Tensor],
        forward: impl Fn(&[Tensor]) -> Tensor,
    ) {
        self.configurations += 1;
        assert_eq!(inputs.len(), gradients.len());
        for (i, gradient) in gradients.iter().enumerate() {
            let numeric = differences(inputs, i, |inputs| {
                values(&forward(inputs))
                    .iter()
                    .zip(values(dy))
                    .map(|(y, dy)| y * dy)
                    .sum()
            });
            self.worst = self.worst.max(relative_error(gradient, &numeric));
        }
    }

    fn report(self) {
        println!(
            "{:<24} {:>4} configurations, worst {:.1e}",
            self.operation, self.configurations, self.worst
        );
        assert!(
            self.configurations > 0 && self.worst <= 1e-6,
            "{}: {:e}",
            self.operation,
            self.worst
        );
    }
}

/// Central differences of `loss` with respect to the elements of `inputs[i]`.
fn differences(inputs: &[Tensor], i: usize, loss: impl Fn(&[Tensor]) -> f64) -> Tensor {
    const STEP: f64 = 1e-5;
    let base = values(&inputs[i]);
    let at = |element: usize, step: f64| {
        let mut moved = base.clone();
        moved[element] += step;
        let mut inputs = inputs.to_vec();
        inputs[i] = Tensor::from_vec(moved, inputs[i].shape(), &Device::Cpu).unwrap();
        loss(&inputs)
    };
    let numeric = (0..base.len()).map(|e| (at(e, STEP) - at(e, -STEP)) / (2.0 * STEP));
    Tensor::from_vec(numeric.collect::<Vec<_>>(), inputs[i].shape(), &Device::Cpu).unwrap()
}

#[test]
fn convolution() {
    let mut check = Check::new("convolution");
    for case in conv_cases(80, 11) {
        let inputs = [
            random(&case.x, 1),
            random(&case.w, 2),
            random(&case.w[..1], 3),
        ];
        let dy = random(&case.dy(), 4);
        let gradients = [
            nn::conv2d_backward_data(&dy, &inputs[1], [case.x[2], case.x[3]], &case.conv).unwrap(),
            nn::conv2d_backward_filter(&inputs[0], &dy, [case.w[2], case.w[3]], &case.conv)
                .unwrap(),
            nn::bias_backward(&dy).unwrap(),
        ];
        check.add(&inputs, &dy, &gradients, |i| {
            nn::conv2d(&i[0], &i[1], Some(&i[2]), &case.conv).unwrap()
        });
    }
    check.report();
}

#[test]
fn pooling() {
    let (mut max, mut avg) = (Check::new("max pooling"), Check::new("average pooling"));
    for (dims, pool) in pool_cases(80, 12) {
        let (x, size) = (random(&dims, 1), [dims[2], dims[3]]);
        let (y, indices) = nn::max_pool2d(&x, &pool).unwrap();
        let dy = random(y.dims(), 2);
        let dx = nn::max_pool2d_backward(&dy, &indices, size).unwrap();
        max.add(std::slice::from_ref(&x), &dy, &[dx], |i| {
            nn::max_pool2d(&i[0], &pool).unwrap().0
        });
        let dx = nn::avg_pool2d_backward(&dy, size, &pool).unwrap();
        avg.add(&[x], &dy, &[dx], |i| nn::avg_pool2d(&i[0], &pool).unwrap());
    }
    max.report();
    avg.report();
}

#[test]
fn linear() {
    let mut check = Check::new("linear");
    for (n, d, o) in [(1, 1, 1), (1, 5, 3), (4, 1, 2), (3, 7, 1), (5, 9, 11)] {
        let inputs = [random(&[n, d], 1), random(&[o, d], 2), random(&[o], 3)];
        let dy = random(&[n, o], 4);
        let gradients = [
            nn::linear_backward_data(&dy, &inputs[1]).unwrap(),
            nn::linear_backward_weight(&inputs[0], &dy).unwrap(),
            nn::bias_backward(&dy).unwrap(),
        ];
        check.add(&inputs, &dy, &gradients, |i| {
            nn::linear(&i[0], &i[1], Some(&i[2])).unwrap()
        });
    }
    check.report();
}

#[test]
fn activations() {
    let checks = ["relu", "sigmoid", "tanh", "softmax", "dropout"].map(Check::new);
    let [mut relu, mut sigmoid, mut tanh, mut softmax, mut dropout] = checks;
    for dims in [
        &[1, 1][..],
        &[3, 10],
        &[2, 3, 1, 5],
        &[2, 2, 3, 4],
        &[2, 4, 3],
    ] {
        let (x, dy) = (random(dims, 1), random(dims, 2));
        let input = [x.clone()];
        for slope in [0.0, 0.1, -0.5] {
            let dx = nn::relu_backward(&x, &dy, slope).unwrap();
            relu.add(&input, &dy, &[dx], |i| nn::relu(&i[0], slope).unwrap());
        }
        let dx = nn::sigmoid_backward(&nn::sigmoid(&x).unwrap(), &dy).unwrap();
        sigmoid.add(&input, &dy, &[dx], |i| nn::sigmoid(&i[0]).unwrap());
        let dx = nn::tanh_backward(&nn::tanh(&x).unwrap(), &dy).unwrap();
        tanh.add(&input, &dy, &[dx], |i| nn::tanh(&i[0]).unwrap());
        let dx = nn::softmax_backward(&nn::softmax(&x).unwrap(), &dy).unwrap();
        softmax.add(&input, &dy, &[dx], |i| nn::softmax(&i[0]).unwrap());
        for ratio in [0.0, 0.3, 0.9] {
            let dx = nn::dropout(&dy, ratio, 7).unwrap();
            dropout.add(&input, &dy, &[dx], |i| {
                nn::dropout(&i[0], ratio, 7).unwrap()
            });
        }
    }
    [relu, sigmoid, tanh, softmax, dropout]
        .into_iter()
        .for_each(Check::report);
}

#[test]
fn losses() {
    let (mut entropy, mut euclidean) = (
        Check::new("softmax cross entropy"),
        Check::new("euclidean loss"),
    );
    let d_loss = Tensor::new(0.7, &Device::Cpu).unwrap();
    for dims in [&[1, 2][..], &[5, 10], &[2, 3, 1, 5], &[2, 4, 3, 2]] {
        let x = random(dims, 1);
        let labels = random_labels(&[&dims[..1], &dims[2..]].concat(), dims[1] as u32, 2);
        let (_, p) = nn::softmax_cross_entropy(&x, &labels, &nn::Averaging::default()).unwrap();
        let dx =
            nn::softmax_cross_entropy_backward(&p, &labels, &nn::Averaging::default(), &d_loss)
                .unwrap();
        entropy.add(std::slice::from_ref(&x), &d_loss, &[dx], |i| {
            nn::softmax_cross_entropy(&i[0], &labels, &nn::Averaging::default())
                .unwrap()
                .0
        });

        let target = random(dims, 3);
        let (da, db) = nn::euclidean_loss_backward(&x, &target, &d_loss).unwrap();
        euclidean.add(&[x, target], &d_loss, &[da, db], |i| {
            nn::euclidean_loss(&i[0], &i[1]).unwrap()
        });
    }
    entropy.report();
    euclidean.report();
}

#[test]
fn elementwise() {
    let checks = ["eltwise sum", "eltwise product", "eltwise max"].map(Check::new);
    let [mut sum, mut product, mut max] = checks;
    for (dims, count) in [
        (&[1, 1][..], 1),
        (&[2, 3], 2),
        (&[2, 3, 2, 2], 3),
        (&[4], 5),
    ] {
        let inputs: Vec<Tensor> = (0..count).map(|seed| random(dims, seed)).collect();
        let dy = random(dims, 20);
        let coefficients: Vec<f64> = (0..count).map(|i| 1.0 - 0.75 * i as f64).collect();
        let gradients = nn::eltwise_sum_backward(&dy, &coefficients).unwrap();
        sum.add(&inputs, &dy, &gradients, |i| {
            nn::eltwise_sum(i, &coefficients, false).unwrap()
        });
        let gradients = nn::eltwise_product_backward(&inputs, &dy).unwrap();
        product.add(&inputs, &dy, &gradients, |i| {
            nn::eltwise_product(i).unwrap()
        });
        let y = nn::eltwise_max(&inputs).unwrap();
        let gradients = nn::eltwise_max_backward(&inputs, &y, &dy).unwrap();
        max.add(&inputs, &dy, &gradients, |i| nn::eltwise_max(i).unwrap());
    }
    [sum, product, max].into_iter().for_each(Check::report);
}

/// With no momentum and no decay an update is one step down the gradient, so it lowers a quadratic as predicted.
#[test]
fn update_descends_a_quadratic() {
    let zero = random(&[6], 2).zeros_like().unwrap();
    let mut w = random(&[6], 1);
    let step = Step {
        rule: Rule::Sgd { momentum: 0.0 },
        rate: 0.25,
        decay: 0.0,
        l1: false,
        scale: 1.0,
    };
    for _ in 0..10 {
        let loss = nn::euclidean_loss(&w, &zero)
            .unwrap()
            .to_scalar::<f64>()
            .unwrap();
        let gradient = (&w * 1.0).unwrap();
        let mut states = [zero.copy().unwrap()];
        nn::update(&mut w, &gradient, &mut states, &step).unwrap();
        let after = nn::euclidean_loss(&w, &zero)
            .unwrap()
            .to_scalar::<f64>()
            .unwrap();
        assert!((after - loss * 0.75 * 0.75).abs() < 1e-15);
    }
}
