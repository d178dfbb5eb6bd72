//! A hundred steps of every solver under every policy, against the numbers of
//! `golden/solvers.py`: through a network, its backward walk and the learning rate of each step.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;

use candle_core::{DType, Device, Tensor};
use layerlab::graph::{DataFacts, Facts, Graph, Node, Phase, PortRef};
use layerlab::layers;
use layerlab::net::{BackwardStart, DataFeed, ForwardOptions, Net, NetConfig, NetFeed};
use layerlab::train::{self, Method, Momentum, Policy, Solver};
use serde::Deserialize;

/// Both sides compute in double precision; a hundred steps let roundings grow.
const TOLERANCE: f64 = 1e-10;
const STEPS: u64 = 100;

#[derive(Deserialize)]
struct Case {
    name: String,
    method: String,
    policy: String,
    /// As in a project file.
    solver: String,
    reference: String,
}

fn file(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "golden", name]
        .iter()
        .collect()
}

/// tanh(x Wᵀ + b) against a target.
fn net() -> Net {
    let mut graph = Graph::default();
    for (name, layer, inputs) in [
        ("data", "Data", vec![]),
        ("ip", "InnerProduct(num_output: 3)", vec![("data", 0)]),
        ("tanh", "TanH", vec![("ip", 0)]),
        ("loss", "EuclideanLoss", vec![("tanh", 0), ("data", 2)]),
    ] {
        let mut node = Node::new(name, layers::parse(layer).unwrap());
        for (port, (from, output)) in inputs.into_iter().enumerate() {
            node.inputs.set(port, Some(PortRef::new(from, output)));
        }
        graph.add(node);
    }
    let facts = Facts {
        data: Some(DataFacts {
            shape: vec![5],
            targets: Some(3),
            ..DataFacts::default()
        }),
        ..Facts::default()
    };
    let config = NetConfig {
        dtype: DType::F64,
        ..NetConfig::default()
    };
    Net::compile(&graph, &facts, config).unwrap()
}

fn values(tensor: &Tensor) -> Vec<f64> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// The largest difference of a case's losses and last weights.
fn worst_difference(case: &Case, tensors: &HashMap<String, Tensor>) -> f64 {
    let solver: Solver = ron::from_str(&case.solver).unwrap();
    let mut net = net();
    net.set_param("ip.weight", tensors["weight"].clone())
        .unwrap();
    net.set_param("ip.bias", tensors["bias"].clone()).unwrap();
    let feed = NetFeed {
        data: Some(DataFeed {
            targets: Some(tensors["target"].clone()),
            ..DataFeed::unlabelled(tensors["x"].clone())
        }),
        ..NetFeed::default()
    };
    let mut momentum = Momentum::new();
    let mut losses = Vec::new();
    for t in 0..STEPS {
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
        let at = (solver.rate(solver.base_lr, t, STEPS), t + 1);
        train::update(&mut net, &gradients, &mut momentum, &solver, at).unwrap();
    }
    assert!(losses[99] < losses[0], "{}: nothing was learned", case.name);
    let mut worst = 0f64;
    let ours = [
        losses,
        values(&net.params()["ip.weight"].tensor),
        values(&net.params()["ip.bias"].tensor),
    ];
    for (ours, what) in ours.iter().zip(["losses", "weight", "bias"]) {
        let golden = values(&tensors[&format!("{}.{what}", case.name)]);
        assert_eq!(ours.len(), golden.len());
        for (ours, golden) in ours.iter().zip(&golden) {
            let error = (ours - golden).abs();
            worst = worst.max(if error.is_nan() { f64::INFINITY } else { error });
        }
    }
    assert!(
        worst <= TOLERANCE,
        "{}: {worst:e} off {}",
        case.name,
        case.reference
    );
    worst
}

#[test]
fn every_solver_under_every_policy_takes_the_golden_steps() {
    let text = std::fs::read_to_string(file("solvers.json")).unwrap();
    let cases: Vec<Case> = serde_json::from_str(&text).unwrap();
    let tensors =
        candle_core::safetensors::load(file("solvers.safetensors"), &Device::Cpu).unwrap();
    let mut pairs = BTreeSet::new();
    let mut worst = 0f64;
    for case in &cases {
        worst = worst.max(worst_difference(case, &tensors));
        pairs.insert((case.method.as_str(), case.policy.as_str()));
    }
    let all = Method::ALL.len() * Policy::all().len();
    assert_eq!(pairs.len(), all, "a solver or a policy is not compared");
    println!(
        "{all} pairs of solver and policy, {} cases of {STEPS} steps, worst {worst:.1e}",
        cases.len()
    );
}
