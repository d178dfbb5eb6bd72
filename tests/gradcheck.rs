//! The backward pass of every layer in the catalogue against central differences in f64.
//!
//! The table below gives the configurations; a layer with gradients and without a line in it
//! fails the test.

use candle_core::{Device, Tensor};
use layerlab::graph::{
    Context, InferContext, Layer, ParamSpec, Phase, PortType, Role, Shape, Value,
};
use layerlab::layers::{self, CATALOGUE};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A layer as in a project file, and the shapes of its inputs.
type Case = (&'static str, &'static [&'static [usize]]);

const CLASSES: usize = 3;
const STEP: f64 = 1e-5;
const TOLERANCE: f64 = 1e-6;

const CASES: &[Case] = &[
    ("Convolution(num_output: 3)", &[&[2, 2, 5, 4]]),
    (
        "Convolution(num_output: 2, kernel: (1, 1), pad: (0, 0))",
        &[&[3, 3, 1, 1]],
    ),
    (
        "Convolution(num_output: 2, kernel: (1, 3), stride: (2, 1), pad: (0, 1))",
        &[&[1, 3, 5, 6]],
    ),
    (
        "Convolution(num_output: 2, kernel: (3, 2), stride: (2, 3), pad: (2, 0))",
        &[&[2, 1, 7, 8]],
    ),
    (
        "Convolution(num_output: 4, kernel: (2, 2), pad: (0, 0), group: 2)",
        &[&[2, 6, 3, 4]],
    ),
    (
        "Convolution(num_output: 3, group: 3, bias: false)",
        &[&[2, 3, 4, 4]],
    ),
    (
        "Convolution(num_output: 2, dilation: (2, 3), pad: (2, 3))",
        &[&[1, 2, 6, 7]],
    ),
    (
        "Convolution(num_output: \"classes\", kernel: (4, 5), pad: (3, 3), stride: (3, 2))",
        &[&[2, 2, 2, 9]],
    ),
    (
        "Convolution(num_output: 2, kernel: (5, 5), stride: (1, 1), pad: (2, 2), dilation: (1, 2), group: 2)",
        &[&[1, 4, 6, 9]],
    ),
    ("Pooling(method: max)", &[&[2, 2, 5, 4]]),
    ("Pooling(method: max, ceil: false)", &[&[2, 2, 5, 5]]),
    ("Pooling(method: max, kernel: (3, 3))", &[&[1, 3, 6, 7]]),
    (
        "Pooling(method: max, kernel: (3, 2), stride: (1, 2), pad: (1, 1))",
        &[&[1, 2, 4, 5]],
    ),
    (
        "Pooling(method: max, kernel: (2, 3), stride: (3, 4), pad: (1, 2))",
        &[&[2, 1, 8, 9]],
    ),
    ("Pooling(method: max, global: true)", &[&[2, 3, 3, 4]]),
    ("Pooling(method: average)", &[&[2, 2, 5, 4]]),
    ("Pooling(method: average, ceil: false)", &[&[2, 2, 5, 5]]),
    ("Pooling(method: average, kernel: (3, 3))", &[&[1, 3, 6, 7]]),
    (
        "Pooling(method: average, kernel: (3, 2), stride: (1, 2), pad: (2, 1))",
        &[&[1, 2, 4, 5]],
    ),
    (
        "Pooling(method: average, kernel: (2, 3), stride: (3, 4), pad: (1, 2))",
        &[&[2, 1, 8, 9]],
    ),
    ("Pooling(method: average, global: true)", &[&[2, 3, 3, 4]]),
    ("InnerProduct(num_output: 4)", &[&[3, 5]]),
    ("InnerProduct(num_output: 1)", &[&[1, 1]]),
    ("InnerProduct(num_output: 6, bias: false)", &[&[2, 3, 2, 2]]),
    ("InnerProduct(num_output: \"4*(classes+1)\")", &[&[2, 7, 2]]),
    ("ReLU", &[&[3, 7]]),
    ("ReLU(negative_slope: 0.1)", &[&[2, 3, 2, 2]]),
    ("ReLU(negative_slope: -0.5)", &[&[2, 3, 4]]),
    ("Sigmoid", &[&[3, 7]]),
    ("Sigmoid", &[&[2, 3, 2, 2]]),
    ("TanH", &[&[3, 7]]),
    ("TanH", &[&[2, 3, 2, 2]]),
    ("Softmax", &[&[4, 5]]),
    ("Softmax", &[&[2, 3, 2, 3]]),
    ("Softmax", &[&[2, 1]]),
    ("Softmax(axis: -1)", &[&[2, 3, 2, 3]]),
    ("Softmax(axis: 0)", &[&[3, 4]]),
    ("Dropout", &[&[5, 8]]),
    ("Dropout(ratio: 0.0)", &[&[2, 3, 2, 2]]),
    ("Dropout(ratio: 0.9)", &[&[4, 9]]),
    ("Flatten", &[&[2, 3, 2, 4]]),
    ("Flatten", &[&[3, 4]]),
    ("Flatten(axis: 1, end_axis: 2)", &[&[2, 3, 2, 4]]),
    ("Flatten(axis: -2)", &[&[2, 3, 2, 4]]),
    ("Flatten", &[&[3]]),
    ("Reshape", &[&[2, 3, 2, 2]]),
    ("Reshape(shape: [0, -1, 2, 0])", &[&[2, 4, 2, 3]]),
    (
        "Reshape(shape: [2, 2], axis: 1, num_axes: 1)",
        &[&[3, 4, 2]],
    ),
    ("Reshape(shape: [1], axis: -1, num_axes: 0)", &[&[3, 4]]),
    ("Slice", &[&[2, 4, 3]]),
    ("Slice(slice_point: [1, 4])", &[&[2, 5, 2, 2]]),
    ("Slice(axis: -1, parts: 3)", &[&[2, 2, 6]]),
    ("Slice(axis: 0, slice_point: [2])", &[&[3, 4]]),
    ("Tile", &[&[2, 3, 2]]),
    ("Tile(axis: -1, tiles: 3)", &[&[2, 3, 2]]),
    ("Tile(axis: 0, tiles: 1)", &[&[2, 3]]),
    ("Reduction", &[&[2, 3, 2]]),
    (
        "Reduction(operation: asum, axis: 1, coeff: -0.5)",
        &[&[2, 3, 2]],
    ),
    (
        "Reduction(operation: sumsq, axis: -1, coeff: 2)",
        &[&[2, 3, 2]],
    ),
    (
        "Reduction(operation: mean, axis: 2, coeff: 3)",
        &[&[2, 3, 2, 2]],
    ),
    ("ArgMax", &[&[3, 4]]),
    ("ArgMax(axis: 1, top_k: 2)", &[&[2, 4, 3]]),
    ("ArgMax(out_max_val: true, top_k: 3)", &[&[2, 3, 2, 2]]),
    (
        "ArgMax(out_max_val: true, top_k: 2, axis: 1)",
        &[&[2, 4, 3]],
    ),
    ("BatchReindex", &[&[3, 2, 2], &[5]]),
    ("BatchReindex", &[&[4], &[2]]),
    ("Silence", &[&[2, 3]]),
    ("Silence", &[&[2, 3], &[4]]),
    ("Concat", &[&[2, 1, 3, 2], &[2, 3, 3, 2], &[2, 2, 3, 2]]),
    ("Concat(axis: 2)", &[&[2, 3, 1, 2], &[2, 3, 4, 2]]),
    ("Concat", &[&[3, 4]]),
    ("Concat(axis: 0)", &[&[3, 4], &[1, 4], &[2, 4]]),
    ("Concat(axis: -1)", &[&[3, 4, 2], &[3, 4, 1]]),
    ("Eltwise", &[&[2, 3, 2, 2], &[2, 3, 2, 2]]),
    (
        "Eltwise(coeff: [1.0, -2.0, 0.5])",
        &[&[3, 4], &[3, 4], &[3, 4]],
    ),
    ("Eltwise(operation: prod)", &[&[2, 5], &[2, 5], &[2, 5]]),
    (
        "Eltwise(operation: max)",
        &[&[2, 3, 2, 2], &[2, 3, 2, 2], &[2, 3, 2, 2]],
    ),
    ("InnerProduct(num_output: 3, axis: 2)", &[&[2, 3, 4]]),
    ("Embed(num_output: 2)", &[&[2, 5]]),
    ("Embed(num_output: 4, input_dim: 7, bias: true)", &[&[6]]),
    ("RNN(num_output: 3)", &[&[2, 4, 2]]),
    (
        "RNN(num_output: 2, num_layers: 2, output: last)",
        &[&[1, 3, 2]],
    ),
    ("LSTM(num_output: 3)", &[&[2, 4, 2]]),
    ("LSTM(num_output: 3, output: last)", &[&[2, 1, 2]]),
    ("LSTM(num_output: 2, num_layers: 3)", &[&[1, 3, 2]]),
    ("LSTM(num_output: 2, output: last)", &[&[2, 1, 3, 4]]),
    ("GRU(num_output: 3)", &[&[2, 4, 2]]),
    (
        "GRU(num_output: 2, num_layers: 2, output: last)",
        &[&[2, 3, 2]],
    ),
    ("Deconvolution(num_output: 3)", &[&[2, 2, 3, 4]]),
    (
        "Deconvolution(num_output: 4, kernel: (3, 2), stride: (2, 3), pad: (1, 0), dilation: (2, 1), group: 2)",
        &[&[2, 4, 3, 2]],
    ),
    (
        "Deconvolution(num_output: 2, kernel: (4, 4), group: 2, bias: false, weight_filler: bilinear)",
        &[&[1, 2, 3, 3]],
    ),
    ("Upsample", &[&[2, 2, 3, 2]]),
    ("Upsample(mode: bilinear, scale: 3)", &[&[1, 2, 3, 4]]),
    (
        "Upsample(mode: bilinear, align_corners: true, size: (5, 3))",
        &[&[2, 1, 3, 4]],
    ),
    ("Upsample(mode: bilinear)", &[&[1, 2, 3, 4], &[1, 1, 5, 7]]),
    ("SpatialPyramidPool", &[&[2, 2, 6, 8]]),
    ("SpatialPyramidPool(pool: average)", &[&[2, 1, 7, 4]]),
    ("SpatialPyramidPool(pyramid_height: 1)", &[&[1, 3, 2, 3]]),
    ("Crop", &[&[2, 2, 5, 6], &[2, 2, 3, 4]]),
    ("Crop(offset: [1, 2])", &[&[1, 2, 5, 6], &[1, 3, 3, 4]]),
    (
        "Crop(axis: 1, centred: true)",
        &[&[2, 4, 5, 6], &[2, 2, 5, 3]],
    ),
    ("PReLU", &[&[2, 3, 2, 3]]),
    ("PReLU", &[&[3, 4]]),
    ("PReLU(channel_shared: true)", &[&[2, 3, 4]]),
    ("ELU", &[&[3, 7]]),
    ("ELU(alpha: 0.3)", &[&[2, 3, 2, 2]]),
    ("ELU(alpha: -2.0)", &[&[2, 3]]),
    ("Maxout", &[&[2, 4, 3, 2]]),
    ("Maxout(pieces: 3)", &[&[3, 6]]),
    ("Maxout(pieces: 1)", &[&[2, 3]]),
    ("AbsVal", &[&[2, 3, 2, 2]]),
    ("AbsVal", &[&[5, 3]]),
    ("Power", &[&[3, 4]]),
    ("Power(power: 2.5, scale: 0.5, shift: 2)", &[&[2, 3, 2, 2]]),
    ("Power(power: 0, shift: 1)", &[&[3, 4]]),
    ("Exp", &[&[3, 4]]),
    ("Exp(base: 2, scale: -0.5, shift: 1)", &[&[2, 3, 2]]),
    ("Exp(base: 0.5)", &[&[2, 3]]),
    ("Log(shift: 3)", &[&[3, 4]]),
    ("Log(base: 2, scale: -0.5, shift: 2)", &[&[2, 3, 2]]),
    ("Log(base: 10, shift: 1.5)", &[&[2, 3]]),
    ("BNLL", &[&[2, 3, 2, 2]]),
    ("BNLL", &[&[7]]),
    ("Threshold(threshold: 0.2)", &[&[3, 4]]),
    ("Threshold", &[&[2, 3, 2, 2]]),
    ("LRN", &[&[2, 7, 2, 3]]),
    (
        "LRN(local_size: 3, alpha: 0.5, beta: 1.5, k: 2)",
        &[&[1, 4, 3, 2]],
    ),
    (
        "LRN(norm_region: within_channel, local_size: 3)",
        &[&[2, 2, 4, 5]],
    ),
    (
        "LRN(norm_region: within_channel, local_size: 5, beta: 0.6)",
        &[&[1, 2, 3, 6]],
    ),
    ("BatchNorm", &[&[3, 2, 2, 3]]),
    ("BatchNorm(eps: 0.1)", &[&[5, 3]]),
    ("BatchNorm(use_global_stats: true)", &[&[2, 3, 4]]),
    ("BatchNorm(use_global_stats: false)", &[&[2, 3, 4]]),
    ("FusedBatchNorm", &[&[3, 2, 2, 3]]),
    ("FusedBatchNorm(eps: 0.1)", &[&[5, 3]]),
    ("FusedBatchNorm(momentum: 0.5)", &[&[2, 3, 4]]),
    ("Scale", &[&[2, 3, 2, 2]]),
    (
        "Scale(axis: 2, num_axes: -1, bias_term: true)",
        &[&[2, 3, 2, 2]],
    ),
    ("Scale(axis: 0, bias_term: true)", &[&[2, 3, 4], &[2, 3]]),
    ("Scale(axis: -1)", &[&[4, 3]]),
    ("Bias", &[&[2, 3, 2, 2]]),
    ("Bias(axis: 1, num_axes: 2)", &[&[2, 3, 4]]),
    ("Bias(axis: 0)", &[&[2, 3, 4], &[2, 3]]),
    ("MVN", &[&[2, 3, 2, 3]]),
    ("MVN(across_channels: true, eps: 0.1)", &[&[3, 4]]),
    ("MVN(normalize_variance: false)", &[&[2, 2, 5]]),
    ("SoftmaxWithLoss", &[&[5, CLASSES], &[5]]),
    ("SoftmaxWithLoss", &[&[1, 7], &[1]]),
    ("SoftmaxWithLoss(axis: 2)", &[&[2, 3, 4], &[2, 3]]),
    ("SoftmaxWithLoss(axis: 2)", &[&[2, 3, 4, 2], &[2, 3, 2]]),
    ("SoftmaxWithLoss", &[&[2, 4, 3, 2], &[2, 3, 2]]),
    ("SoftmaxWithLoss(ignore_label: 1)", &[&[6, 3], &[6]]),
    (
        "SoftmaxWithLoss(ignore_label: 2, normalization: full)",
        &[&[2, 4, 3, 2], &[2, 3, 2]],
    ),
    (
        "SoftmaxWithLoss(axis: 2, ignore_label: 0, normalization: batch_size)",
        &[&[2, 3, 4], &[2, 3]],
    ),
    (
        "SoftmaxWithLoss(normalization: none)",
        &[&[2, 4, 3], &[2, 3]],
    ),
    ("MultinomialLogisticLoss", &[&[5, CLASSES], &[5]]),
    ("MultinomialLogisticLoss", &[&[2, 4, 3], &[2, 3]]),
    ("InfogainLoss", &[&[5, CLASSES], &[5]]),
    (
        "InfogainLoss(matrix: [1, 0.5, -0.2, 0, 2, 0.3, 0.1, 0, 1.5], ignore_label: 1)",
        &[&[2, 3, 2, 2], &[2, 2, 2]],
    ),
    (
        "InfogainLoss(axis: 2, normalization: batch_size, ignore_label: 2)",
        &[&[2, 4, 3], &[2, 4], &[1, 1, 3, 3]],
    ),
    ("InfogainLoss(normalization: full)", &[&[4, 3], &[4], &[9]]),
    ("SigmoidCrossEntropyLoss", &[&[4, 3], &[4, 3]]),
    (
        "SigmoidCrossEntropyLoss(normalization: valid, ignore_label: [-1])",
        &[&[2, 3, 2, 2], &[2, 3, 2, 2]],
    ),
    (
        "SigmoidCrossEntropyLoss(normalization: none)",
        &[&[5], &[5]],
    ),
    ("HingeLoss", &[&[5, CLASSES], &[5]]),
    ("HingeLoss(norm: l2)", &[&[5, CLASSES], &[5]]),
    ("HingeLoss(norm: l2)", &[&[2, 4, 3], &[2, 3]]),
    ("SmoothL1Loss", &[&[4, 3], &[4, 3]]),
    ("SmoothL1Loss(sigma: 3)", &[&[2, 3, 2], &[2, 3, 2]]),
    (
        "SmoothL1Loss(sigma: 1.5)",
        &[&[2, 5], &[2, 5], &[2, 5], &[2, 5]],
    ),
    ("SmoothL1Loss(sigma: 2)", &[&[2, 5], &[2, 5], &[2, 5]]),
    ("ContrastiveLoss", &[&[6, 4], &[6, 4], &[6]]),
    (
        "ContrastiveLoss(margin: 2.5)",
        &[&[6, 2, 2], &[6, 2, 2], &[6]],
    ),
    (
        "ContrastiveLoss(margin: 3, legacy_version: true)",
        &[&[6, 4], &[6, 4], &[6]],
    ),
    ("EuclideanLoss", &[&[4, 3], &[4, 3]]),
    ("EuclideanLoss", &[&[2, 3, 2, 2], &[2, 3, 2, 2]]),
];

/// Distinct values from −1 to 1 in random order, far enough from each other and from 0 that no
/// step crosses a kink of ReLU or changes which of them is a maximum. `shift` does the same for
/// several tensors.
fn values(shape: &[usize], shift: usize, random: &mut ChaCha8Rng) -> Tensor {
    let count = shape.iter().product::<usize>();
    let value = |i: usize| (2 * i + 1) as f64 / count as f64 - 1.0 + (shift + 1) as f64 * 0.01;
    let mut values: Vec<f64> = (0..count).map(value).collect();
    values.shuffle(random);
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// Whole numbers that name rows of a table have no slope.
fn takes_tokens(layer: &dyn Layer) -> bool {
    layer.spec().name == "Embed"
}

/// Below 0 a logarithm has no slope.
fn takes_probabilities(layer: &dyn Layer) -> bool {
    layer.spec().name == "MultinomialLogisticLoss"
}

/// A layer with inputs and parameters: what a difference is taken of.
struct Subject {
    layer: Box<dyn Layer>,
    phase: Phase,
    inputs: Vec<Value>,
    params: Vec<Tensor>,
    /// By parameter; what is not learnable has no gradient to check.
    learnable: Vec<bool>,
    output_gradients: Vec<Tensor>,
}

impl Subject {
    fn new(&(text, shapes): &Case, phase: Phase) -> Self {
        let layer = layers::parse(text).unwrap();
        let mut random = ChaCha8Rng::seed_from_u64(7);
        let input =
            |(port, shape): (usize, &&[usize])| match layer.inputs().port(port).unwrap().kind {
                PortType::Labels => {
                    let labels = (0..shape.iter().product::<usize>())
                        .map(|_| random.random_range(0..CLASSES as u32));
                    Value::Labels(
                        Tensor::from_vec(labels.collect::<Vec<_>>(), *shape, &Device::Cpu).unwrap(),
                    )
                }
                _ if takes_tokens(&*layer) => {
                    let count = shape.iter().product::<usize>();
                    let tokens = (0..count).map(|i| ((i * i + 1) % CLASSES) as f64);
                    let tokens = tokens.collect::<Vec<_>>();
                    Value::Tensor(Tensor::from_vec(tokens, *shape, &Device::Cpu).unwrap())
                }
                _ if takes_probabilities(&*layer) => {
                    let values = values(shape, port, &mut random).affine(0.4, 0.5);
                    Value::Tensor(values.unwrap())
                }
                _ => Value::Tensor(values(shape, port, &mut random)),
            };
        let inputs = shapes.iter().enumerate().map(input).collect();
        let known: Vec<Shape> = shapes.iter().map(|dims| Shape::known(dims)).collect();
        let context = InferContext {
            phase,
            classes: Some(CLASSES),
            data: None,
            example: None,
        };
        let inferred = layer
            .infer(&context, &known.iter().collect::<Vec<_>>())
            .unwrap();
        // Among the buffers are variances, which are positive.
        let param = |spec: &ParamSpec| match spec.learnable {
            true => values(&spec.shape, 0, &mut random),
            false => (values(&spec.shape, 0, &mut random).abs().unwrap() + 0.5).unwrap(),
        };
        let params = inferred.params.iter().map(param).collect();
        let mut subject = Self {
            layer,
            phase,
            inputs,
            params,
            learnable: inferred.params.iter().map(|spec| spec.learnable).collect(),
            output_gradients: Vec::new(),
        };
        let outputs = subject.outputs();
        let shapes: Vec<Shape> = outputs
            .iter()
            .map(|output| Shape::known(output.dims()))
            .collect();
        assert_eq!(
            shapes, inferred.outputs,
            "{text}: what runs has another shape than what was inferred"
        );
        subject.output_gradients = outputs
            .iter()
            .map(|y| values(y.dims(), 3, &mut random))
            .collect();
        subject
    }

    fn context<'a>(&'a self, needs_input: &'a [bool]) -> Context<'a> {
        Context {
            phase: self.phase,
            params: &self.params,
            seed: 11,
            needs_input,
            needs_params: true,
            state: &[],
            frozen: false,
            relu: false,
            precise: false,
        }
    }

    fn needs_input(&self) -> Vec<bool> {
        self.inputs
            .iter()
            .map(|input| matches!(input, Value::Tensor(_)))
            .collect()
    }

    fn outputs(&self) -> Vec<Tensor> {
        let needs_input = self.needs_input();
        let passed = self
            .layer
            .forward(&self.context(&needs_input), &self.inputs)
            .unwrap();
        passed
            .outputs
            .iter()
            .map(|output| output.tensor().clone())
            .collect()
    }

    /// The scalar whose gradient the layer gives: Σ outputs · output gradients.
    fn objective(&self) -> f64 {
        let products = self.outputs().into_iter().zip(&self.output_gradients);
        products
            .map(|(y, dy)| {
                (y * dy)
                    .unwrap()
                    .sum_all()
                    .unwrap()
                    .to_scalar::<f64>()
                    .unwrap()
            })
            .sum()
    }

    /// What the layer says: gradients of the inputs that are tensors, then of the parameters.
    fn gradients(&self) -> Vec<Option<Tensor>> {
        let needs_input = self.needs_input();
        let context = self.context(&needs_input);
        let passed = self.layer.forward(&context, &self.inputs).unwrap();
        let arriving: Vec<_> = self.output_gradients.iter().cloned().map(Some).collect();
        let gradients = self
            .layer
            .backward(&context, &passed.saved, &arriving)
            .unwrap();
        let mut all = gradients.inputs;
        all.resize(self.inputs.len(), None);
        let labels = all
            .iter()
            .zip(&needs_input)
            .find(|(gradient, needed)| gradient.is_some() && !**needed);
        assert!(labels.is_none(), "labels have no gradient");
        all.extend(gradients.params);
        all.resize(self.inputs.len() + self.params.len(), None);
        all
    }

    /// The tensor whose gradient stands at `index` in [`Subject::gradients`]; `None` for labels.
    fn variable(&mut self, index: usize) -> Option<&mut Tensor> {
        match index.checked_sub(self.inputs.len()) {
            Some(param) => self.params.get_mut(param).filter(|_| self.learnable[param]),
            None => match &mut self.inputs[index] {
                Value::Tensor(_) if takes_tokens(&*self.layer) => None,
                Value::Tensor(tensor) => Some(tensor),
                Value::Labels(_) => None,
            },
        }
    }

    /// Central differences for the variable at `index`.
    fn differences(&mut self, index: usize) -> Option<Vec<f64>> {
        let original = self.variable(index)?.clone();
        let base: Vec<f64> = original.flatten_all().unwrap().to_vec1().unwrap();
        let mut objective_at = |element: usize, step: f64| {
            let mut moved = base.clone();
            moved[element] += step;
            *self.variable(index).unwrap() =
                Tensor::from_vec(moved, original.shape(), &Device::Cpu).unwrap();
            self.objective()
        };
        let slope =
            |element| (objective_at(element, STEP) - objective_at(element, -STEP)) / (2.0 * STEP);
        let differences = (0..base.len()).map(slope).collect();
        *self.variable(index).unwrap() = original;
        Some(differences)
    }
}

/// The worst error over all variables, each relative to its largest slope. A missing gradient is
/// one of zeros.
fn worst_error(case: &Case, phase: Phase) -> f64 {
    let mut subject = Subject::new(case, phase);
    let mut worst = 0f64;
    for (index, gradient) in subject.gradients().into_iter().enumerate() {
        let Some(differences) = subject.differences(index) else {
            continue;
        };
        let gradient = match gradient {
            Some(gradient) => {
                assert_eq!(
                    Some(gradient.dims()),
                    subject.variable(index).map(|v| v.dims()),
                    "{case:?}"
                );
                gradient.flatten_all().unwrap().to_vec1::<f64>().unwrap()
            }
            None => vec![0.0; differences.len()],
        };
        let scale = differences
            .iter()
            .fold(1e-3f64, |scale, slope| scale.max(slope.abs()));
        for (gradient, slope) in gradient.iter().zip(&differences) {
            let error = (gradient - slope).abs() / scale;
            // A NaN must not pass, so it counts as infinite.
            worst = worst.max(if error.is_nan() { f64::INFINITY } else { error });
        }
    }
    worst
}

#[test]
fn every_gradient_in_the_catalogue() {
    let (mut layers, mut configurations, mut worst) = (0, 0, 0f64);
    for entry in CATALOGUE {
        let spec = entry.spec();
        if !matches!(spec.role, Role::Layer | Role::Loss) {
            continue;
        }
        let of_layer = |case: &&Case| case.0.split('(').next() == Some(spec.name);
        let cases: Vec<&Case> = CASES.iter().filter(of_layer).collect();
        assert!(
            !cases.is_empty(),
            "{} has no configuration in the table",
            spec.name
        );
        let mut worst_of_layer = 0f64;
        for case in &cases {
            for phase in Phase::BOTH {
                let error = worst_error(case, phase);
                assert!(error <= TOLERANCE, "{case:?} in {phase:?}: {error:e}");
                worst_of_layer = worst_of_layer.max(error);
            }
        }
        println!(
            "{:<24} {:>2} configurations × 2 phases, worst {worst_of_layer:.1e}",
            spec.name,
            cases.len()
        );
        layers += 1;
        configurations += 2 * cases.len();
        worst = worst.max(worst_of_layer);
    }
    println!("{layers} layers, {configurations} configurations, worst relative error {worst:.1e}");
}
