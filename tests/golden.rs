//! The operations, and ten steps of SGD on a small network, against PyTorch's numbers in double
//! precision, which `golden/make.py` wrote.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use candle_core::{DType, Device, Tensor};
use layerlab::graph::{DataFacts, Facts, Graph, Node, Phase, PortRef};
use layerlab::layers;
use layerlab::net::{BackwardStart, DataFeed, ForwardOptions, Net, NetConfig, NetFeed};
use layerlab::nn::{self, Conv2d, Pool2d};
use layerlab::train::{self, Momentum, Solver};
use serde::Deserialize;

/// Both sides compute in double precision and differ in the order of sums only.
const TOLERANCE: f64 = 1e-12;

#[derive(Deserialize)]
struct Case {
    name: String,
    #[serde(flatten)]
    operation: Operation,
}

#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
enum Operation {
    Conv2d {
        stride: [usize; 2],
        pad: [usize; 2],
        dilation: [usize; 2],
        groups: usize,
    },
    MaxPool2d(Window),
    AvgPool2d(Window),
    Linear,
    Relu {
        negative_slope: f64,
    },
    Sigmoid,
    Tanh,
    Softmax,
    SoftmaxCrossEntropy,
    EuclideanLoss,
    TenSteps {
        rate: f64,
        momentum: f64,
        decay: f64,
    },
}

#[derive(Deserialize)]
struct Window {
    kernel: [usize; 2],
    stride: [usize; 2],
    pad: [usize; 2],
    ceil: bool,
}

impl From<&Window> for Pool2d {
    fn from(window: &Window) -> Self {
        let Window {
            kernel,
            stride,
            pad,
            ceil,
        } = *window;
        Self {
            kernel,
            stride,
            pad,
            ceil,
        }
    }
}

fn file(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/golden", name]
        .iter()
        .collect()
}

/// The tensors of one case.
struct Golden<'a> {
    name: &'a str,
    tensors: &'a HashMap<String, Tensor>,
}

impl Golden<'_> {
    fn get(&self, key: &str) -> Tensor {
        let name = format!("{}.{key}", self.name);
        self.tensors
            .get(&name)
            .unwrap_or_else(|| panic!("{name} is missing"))
            .clone()
    }

    fn size(&self, key: &str) -> [usize; 2] {
        let (_, _, height, width) = self.get(key).dims4().unwrap();
        [height, width]
    }

    /// `ours` equals the golden tensor `key`.
    fn check(&self, key: &str, ours: candle_core::Result<Tensor>) {
        let (ours, golden) = (ours.unwrap(), self.get(key));
        assert_eq!(ours.dims(), golden.dims(), "{}.{key}", self.name);
        let [ours, golden] = [ours, golden].map(|tensor| {
            let flat = tensor.flatten_all().unwrap().to_dtype(DType::F64).unwrap();
            flat.to_vec1::<f64>().unwrap()
        });
        let scale = golden
            .iter()
            .fold(1e-3f64, |scale, value| scale.max(value.abs()));
        for (i, (ours, golden)) in ours.iter().zip(&golden).enumerate() {
            let near = (ours - golden).abs() <= TOLERANCE * scale;
            assert!(near, "{}.{key}[{i}]: {ours} instead of {golden}", self.name);
        }
    }
}

fn check_case(case: &Case, tensors: &HashMap<String, Tensor>) {
    let golden = Golden {
        name: &case.name,
        tensors,
    };
    let get = |key| golden.get(key);
    match &case.operation {
        Operation::Conv2d {
            stride,
            pad,
            dilation,
            groups,
        } => {
            let conv = Conv2d {
                stride: *stride,
                pad: *pad,
                dilation: *dilation,
                groups: *groups,
                ..Conv2d::default()
            };
            let (x, w, dy) = (get("x"), get("w"), get("dy"));
            golden.check("y", nn::conv2d(&x, &w, Some(&get("b")), &conv));
            golden.check(
                "dx",
                nn::conv2d_backward_data(&dy, &w, golden.size("x"), &conv),
            );
            golden.check(
                "dw",
                nn::conv2d_backward_filter(&x, &dy, golden.size("w"), &conv),
            );
            golden.check("db", nn::bias_backward(&dy));
        }
        Operation::MaxPool2d(window) => {
            let (y, indices) = nn::max_pool2d(&get("x"), &window.into()).unwrap();
            golden.check(
                "dx",
                nn::max_pool2d_backward(&get("dy"), &indices, golden.size("x")),
            );
            golden.check("y", Ok(y));
            golden.check("indices", Ok(indices));
        }
        Operation::AvgPool2d(window) => {
            let pool = window.into();
            golden.check("y", nn::avg_pool2d(&get("x"), &pool));
            golden.check(
                "dx",
                nn::avg_pool2d_backward(&get("dy"), golden.size("x"), &pool),
            );
        }
        Operation::Linear => {
            let (x, w, dy) = (get("x"), get("w"), get("dy"));
            golden.check("y", nn::linear(&x, &w, Some(&get("b"))));
            golden.check("dx", nn::linear_backward_data(&dy, &w));
            golden.check("dw", nn::linear_backward_weight(&x, &dy));
            golden.check("db", nn::bias_backward(&dy));
        }
        Operation::Relu { negative_slope } => {
            golden.check("y", nn::relu(&get("x"), *negative_slope));
            golden.check(
                "dx",
                nn::relu_backward(&get("x"), &get("dy"), *negative_slope),
            );
        }
        Operation::Sigmoid => {
            golden.check("y", nn::sigmoid(&get("x")));
            golden.check("dx", nn::sigmoid_backward(&get("y"), &get("dy")));
        }
        Operation::Tanh => {
            golden.check("y", nn::tanh(&get("x")));
            golden.check("dx", nn::tanh_backward(&get("y"), &get("dy")));
        }
        Operation::Softmax => {
            golden.check("y", nn::softmax(&get("x")));
            golden.check("dx", nn::softmax_backward(&get("y"), &get("dy")));
        }
        Operation::SoftmaxCrossEntropy => {
            let (loss, probabilities) =
                nn::softmax_cross_entropy(&get("x"), &get("labels"), &nn::Averaging::default())
                    .unwrap();
            let one = loss.ones_like().unwrap();
            golden.check("loss", Ok(loss));
            golden.check(
                "dx",
                nn::softmax_cross_entropy_backward(
                    &probabilities,
                    &get("labels"),
                    &nn::Averaging::default(),
                    &one,
                ),
            );
        }
        Operation::EuclideanLoss => {
            let (a, b) = (get("a"), get("b"));
            let loss = nn::euclidean_loss(&a, &b).unwrap();
            let (da, db) = nn::euclidean_loss_backward(&a, &b, &loss.ones_like().unwrap()).unwrap();
            golden.check("loss", Ok(loss));
            golden.check("da", Ok(da));
            golden.check("db", Ok(db));
        }
        Operation::TenSteps {
            rate,
            momentum,
            decay,
        } => {
            let solver = Solver {
                base_lr: *rate,
                momentum: *momentum,
                weight_decay: *decay,
                ..Solver::default()
            };
            check_ten_steps(&golden, &solver);
        }
    }
}

/// The network of `ten_steps` in `make.py`, layer by layer.
fn small_lenet() -> Net {
    let layers = [
        ("data", "Data"),
        (
            "conv1",
            "Convolution(num_output: 6, kernel: (3, 3), pad: (0, 0))",
        ),
        (
            "pool1",
            "Pooling(method: max, kernel: (3, 3), stride: (2, 2))",
        ),
        (
            "conv2",
            "Convolution(num_output: 8, kernel: (3, 3), pad: (1, 1), group: 2)",
        ),
        (
            "pool2",
            "Pooling(method: average, kernel: (2, 2), stride: (2, 2))",
        ),
        ("ip1", "InnerProduct(num_output: 20)"),
        ("relu1", "ReLU"),
        ("ip2", "InnerProduct(num_output: \"classes\")"),
        ("loss", "SoftmaxWithLoss"),
    ];
    let mut graph = Graph::default();
    let mut previous: Option<&str> = None;
    for (name, layer) in layers {
        let mut node = Node::new(name, layers::parse(layer).unwrap());
        node.inputs
            .set(0, previous.map(|from| PortRef::new(from, 0)));
        if name == "loss" {
            node.inputs.set(1, Some(PortRef::new("data", 1)));
        }
        graph.add(node);
        previous = Some(name);
    }
    let data = DataFacts::classified(vec![1, 12, 12], 5);
    let facts = Facts {
        data: Some(data),
        ..Facts::default()
    };
    let config = NetConfig {
        dtype: DType::F64,
        ..NetConfig::default()
    };
    Net::compile(&graph, &facts, config).unwrap()
}

fn check_ten_steps(golden: &Golden<'_>, solver: &Solver) {
    let mut net = small_lenet();
    let keys: Vec<String> = net.params().keys().cloned().collect();
    let mut momentum = Momentum::new();
    for key in &keys {
        let start = golden.get(&format!("start.{key}"));
        net.set_param(key, start).unwrap();
    }
    let feed = NetFeed {
        data: Some(DataFeed::labelled(golden.get("x"), golden.get("labels"))),
        ..NetFeed::default()
    };
    let mut losses = Vec::new();
    for _ in 0..10 {
        let options = ForwardOptions {
            backward: true,
            ..ForwardOptions::default()
        };
        let mut pass = net.forward(Phase::Train, &feed, options).unwrap();
        losses.push(pass.loss(&net).unwrap().unwrap());
        let gradients = net
            .backward(&mut pass, &BackwardStart::Losses)
            .unwrap()
            .params;
        let at = (solver.base_lr, 1);
        train::update(&mut net, &gradients, &mut momentum, solver, at).unwrap();
    }
    assert!(
        losses[9] < losses[0],
        "ten steps must learn something: {losses:?}"
    );
    golden.check("losses", Tensor::new(losses, &Device::Cpu));
    for key in &keys {
        golden.check(&format!("end.{key}"), Ok(net.params()[key].tensor.clone()));
    }
}

#[test]
fn every_case_equals_pytorch() {
    let text = std::fs::read_to_string(file("cases.json")).unwrap();
    let cases: Vec<Case> = serde_json::from_str(&text).unwrap();
    let tensors = candle_core::safetensors::load(file("cases.safetensors"), &Device::Cpu).unwrap();
    for case in &cases {
        check_case(case, &tensors);
    }
    let kinds = cases
        .iter()
        .map(|case| std::mem::discriminant(&case.operation));
    assert_eq!(
        kinds.collect::<HashSet<_>>().len(),
        11,
        "a kind of case is gone"
    );
}
