//! The walk as a whole: gradients through branches and shared keys, phases, partial walks.

use std::collections::{BTreeMap, BTreeSet};

use candle_core::{DType, Device, Tensor};

use super::{
    BackwardStart, DataFeed, Focus, ForwardOptions, Keep, Net, NetConfig, NetError, NetFeed, Pass,
};
use crate::graph::{DataFacts, Facts, Graph, Node, Phase, Phases, PortRef, infer};
use crate::layers;

fn graph(nodes: &[(&str, &str, &[&str])]) -> Graph {
    let mut graph = Graph::default();
    for (name, layer, inputs) in nodes {
        let mut node = Node::new(*name, layers::parse(layer).unwrap());
        for (port, from) in inputs.iter().enumerate() {
            node.inputs.set(port, Some(PortRef::parse(from)));
        }
        graph.add(node);
    }
    graph
}

fn facts() -> Facts {
    let data = DataFacts::classified(vec![2, 6, 5], 3);
    Facts {
        data: Some(data),
        ..Facts::default()
    }
}

/// Two branches with one filter bank, joined twice, under two losses.
fn branched() -> Graph {
    let mut graph = graph(&[
        ("data", "Data", &[]),
        (
            "a",
            "Convolution(num_output: 4, kernel: (3, 2), pad: (1, 0))",
            &["data"],
        ),
        (
            "b",
            "Convolution(num_output: 4, kernel: (3, 2), pad: (1, 0))",
            &["data"],
        ),
        ("tanh", "TanH", &["a"]),
        ("sum", "Eltwise", &["tanh", "b"]),
        ("both", "Concat", &["sum", "tanh"]),
        ("pool", "Pooling(method: average)", &["both"]),
        ("scores", "InnerProduct(num_output: \"classes\")", &["pool"]),
        ("loss", "SoftmaxWithLoss", &["scores", "data:1"]),
        ("small", "EuclideanLoss", &["sum", "tanh"]),
        ("accuracy", "Accuracy", &["scores", "data:1"]),
    ]);
    let ids: Vec<_> = graph.nodes().iter().map(|node| node.id).collect();
    for id in &ids[1..3] {
        graph.node_mut(*id).unwrap().key = Some("shared".to_owned());
    }
    graph.node_mut(ids[9]).unwrap().loss_weight = Some(0.25);
    graph
}

fn feed() -> NetFeed {
    let values: Vec<f64> = (0..2 * 2 * 6 * 5)
        .map(|i| ((i * 37 % 101) as f64 / 50.0) - 1.0)
        .collect();
    let data = Tensor::from_vec(values, (2, 2, 6, 5), &Device::Cpu).unwrap();
    let labels = Tensor::new(&[2u32, 0], &Device::Cpu).unwrap();
    NetFeed {
        data: Some(DataFeed::labelled(data, labels)),
        ..NetFeed::default()
    }
}

fn compile(graph: &Graph) -> Net {
    let config = NetConfig {
        dtype: DType::F64,
        seed: 3,
        ..NetConfig::default()
    };
    Net::compile(graph, &facts(), config).unwrap()
}

fn objective(net: &Net) -> f64 {
    let pass = net
        .forward(Phase::Train, &feed(), ForwardOptions::default())
        .unwrap();
    pass.loss(net).unwrap().unwrap()
}

#[test]
fn gradients_through_branches_and_shared_keys_are_exact() {
    let mut net = compile(&branched());
    assert_eq!(net.params().len(), 4, "the filter bank counts once");
    let options = ForwardOptions {
        backward: true,
        ..ForwardOptions::default()
    };
    let mut pass = net.forward(Phase::Train, &feed(), options).unwrap();
    let gradients = net
        .backward(&mut pass, &BackwardStart::Losses)
        .unwrap()
        .params;
    let keys: Vec<String> = net.params().keys().cloned().collect();
    for key in keys {
        let original = net.params()[&key].tensor.clone();
        let values = original.flatten_all().unwrap().to_vec1::<f64>().unwrap();
        let found = gradients[&key]
            .flatten_all()
            .unwrap()
            .to_vec1::<f64>()
            .unwrap();
        for index in 0..values.len() {
            let mut moved = |by: f64| {
                let mut values = values.clone();
                values[index] += by;
                let tensor = Tensor::from_vec(values, original.shape(), &Device::Cpu).unwrap();
                net.set_param(&key, tensor).unwrap();
                objective(&net)
            };
            let numeric = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            assert!((numeric - found[index]).abs() < 1e-8, "{key}[{index}]");
        }
        net.set_param(&key, original).unwrap();
    }
}

/// Two of three parts are used, one of them twice; the third is silenced.
#[test]
fn a_layer_with_many_outputs_gathers_the_gradients_of_all() {
    let graph = graph(&[
        ("data", "Data", &[]),
        ("flat", "Flatten", &["data"]),
        ("six", "InnerProduct(num_output: 6)", &["flat"]),
        ("parts", "Slice(parts: 3)", &["six"]),
        ("sum", "Eltwise", &["parts", "parts:1"]),
        ("both", "Concat(axis: 0)", &["sum", "parts:1"]),
        ("all", "Reduction(operation: sumsq, coeff: 0.5)", &["both"]),
        ("quiet", "Silence", &["parts:2", "data:1", "all"]),
    ]);
    let inference = crate::graph::infer(&graph, &facts());
    assert!(
        inference.diagnostics.is_empty(),
        "{:?}",
        inference.diagnostics
    );
    let net = compile(&graph);
    assert_eq!(
        net.outputs(Phase::Test),
        [PortRef::new("all", 0)],
        "silence is no answer and hides none"
    );
    let options = ForwardOptions {
        backward: true,
        gradients_at: BTreeSet::from(["six".to_owned()]),
        ..ForwardOptions::default()
    };
    let mut pass = net.forward(Phase::Train, &feed(), options).unwrap();
    assert!(pass.outputs(&net, "quiet").is_empty());
    let part = |port| {
        let value = pass.value(&net, &PortRef::new("parts", port)).unwrap();
        value.tensor().clone()
    };
    let (a, b) = (part(0), part(1));
    let one = Tensor::new(1f64, &Device::Cpu).unwrap();
    let start = BackwardStart::At(BTreeMap::from([(PortRef::new("all", 0), one)]));
    // ½‖a + b‖² + ½‖b‖²
    let sum = (&a + &b).unwrap();
    let expected = [&sum, &(&sum + &b).unwrap(), &a.zeros_like().unwrap()];
    let expected = Tensor::cat(&expected, 1).unwrap();
    let found = net.backward(&mut pass, &start).unwrap();
    let off = (&found.outputs["six"] - expected).unwrap().abs().unwrap();
    let off = off.sum_all().unwrap().to_scalar::<f64>().unwrap();
    assert!(off < 1e-12, "{off:e}");
}

#[test]
fn gradients_arrive_at_every_node_asked_for() {
    let net = compile(&branched());
    let wanted = BTreeSet::from(["data".to_owned(), "pool".to_owned()]);
    let options = ForwardOptions {
        gradients_at: wanted,
        ..ForwardOptions::default()
    };
    let mut pass = net.forward(Phase::Test, &feed(), options).unwrap();
    let ones = Tensor::ones((2, 3), DType::F64, &Device::Cpu).unwrap();
    let start = BackwardStart::At(BTreeMap::from([(PortRef::new("scores", 0), ones)]));
    let backward = net.backward(&mut pass, &start).unwrap();
    assert!(backward.params.is_empty(), "nobody asked for them");
    assert_eq!(backward.outputs["data"].dims(), [2, 2, 6, 5]);
    assert_eq!(backward.outputs["pool"].dims(), [2, 8, 3, 2]);
}

#[test]
fn a_partial_walk_goes_no_further_and_keeps_only_what_is_wanted() {
    let net = compile(&branched());
    let wanted = BTreeSet::from(["tanh".to_owned()]);
    let without_labels = NetFeed {
        data: Some(DataFeed::unlabelled(feed().data.unwrap().data)),
        ..feed()
    };
    let options = ForwardOptions {
        until: Some(wanted.clone()),
        keep: Keep::Only(wanted),
        ..ForwardOptions::default()
    };
    let pass = net.forward(Phase::Test, &without_labels, options).unwrap();
    assert_eq!(pass.outputs(&net, "tanh").len(), 1);
    assert!(pass.outputs(&net, "a").is_empty() && pass.outputs(&net, "loss").is_empty());

    let everything = net.forward(Phase::Test, &without_labels, ForwardOptions::default());
    assert_eq!(everything.unwrap_err().node(), Some("loss"));
}

#[test]
fn a_name_means_another_node_in_each_phase() {
    let mut graph = graph(&[
        ("data", "Data", &[]),
        ("act", "ReLU", &["data"]),
        ("act", "TanH", &["data"]),
        ("out", "Flatten", &["act"]),
    ]);
    let ids: Vec<_> = graph.nodes().iter().map(|node| node.id).collect();
    graph.node_mut(ids[1]).unwrap().phases = Phases::Train;
    graph.node_mut(ids[2]).unwrap().phases = Phases::Test;
    let net = compile(&graph);
    let x = feed().data.unwrap().data;
    let out = |phase| {
        let pass = net
            .forward(phase, &feed(), ForwardOptions::default())
            .unwrap();
        let out = pass
            .value(&net, &PortRef::new("out", 0))
            .unwrap()
            .tensor()
            .clone();
        out.flatten_all().unwrap().to_vec1::<f64>().unwrap()
    };
    let expected = |y: Tensor| y.flatten_all().unwrap().to_vec1::<f64>().unwrap();
    assert_eq!(out(Phase::Train), expected(x.relu().unwrap()));
    assert_eq!(out(Phase::Test), expected(x.tanh().unwrap()));
}

#[test]
fn what_does_not_fit_is_refused_with_its_node() {
    let net = compile(&branched());
    let wide = Tensor::zeros((2, 2, 6, 9), DType::F64, &Device::Cpu).unwrap();
    let wrong = NetFeed {
        data: Some(DataFeed::unlabelled(wide)),
        ..NetFeed::default()
    };
    let error = net
        .forward(Phase::Test, &wrong, ForwardOptions::default())
        .unwrap_err();
    assert!(
        matches!(&error, NetError::ParamShape { key, .. } if key == "scores.weight"),
        "{error}"
    );

    let mut broken = branched();
    let id = broken.nodes()[1].id;
    broken.disconnect((id, 0));
    let error = Net::compile(&broken, &facts(), NetConfig::default()).unwrap_err();
    assert_eq!(error.node(), Some("a"));

    let huge = graph(&[
        ("data", "Data", &[]),
        ("a", "InnerProduct(num_output: 1048576)", &["data"]),
        ("b", "InnerProduct(num_output: 1048576)", &["a"]),
    ]);
    let error = Net::compile(&huge, &facts(), NetConfig::default()).unwrap_err();
    assert!(matches!(error, NetError::TooLarge { .. }), "{error}");
}

/// Every layer that can do the work of the ReLU behind it, and one ReLU whose source has two readers.
#[test]
fn joined_relus_change_no_bit() {
    let graph = graph(&[
        ("data", "Data", &[]),
        ("conv", "Convolution(num_output: 4, pad: (1, 1))", &["data"]),
        ("relu1", "ReLU", &["conv"]),
        ("norm", "FusedBatchNorm", &["relu1"]),
        ("relu2", "ReLU", &["norm"]),
        ("plain", "BatchNorm", &["relu2"]),
        ("relu3", "ReLU", &["plain"]),
        ("sum", "Eltwise", &["relu3", "relu1"]),
        ("relu4", "ReLU", &["sum"]),
        ("ip", "InnerProduct(num_output: 7)", &["relu4"]),
        ("relu5", "ReLU", &["ip"]),
        ("twice", "InnerProduct(num_output: 7)", &["relu5"]),
        ("relu6", "ReLU", &["twice"]),
        ("again", "Eltwise", &["relu6", "twice"]),
        (
            "scores",
            "InnerProduct(num_output: \"classes\")",
            &["again"],
        ),
        ("loss", "SoftmaxWithLoss", &["scores", "data:1"]),
    ]);
    let net = compile(&graph);
    let run = |keep: Keep, gradients_at: &[&str]| {
        let options = ForwardOptions {
            keep,
            gradients_at: gradients_at.iter().map(|name| (*name).to_owned()).collect(),
            backward: true,
            ..ForwardOptions::default()
        };
        let mut pass = net.forward(Phase::Train, &feed(), options).unwrap();
        let joined = pass.joined.iter().filter(|joined| **joined).count();
        let loss = pass.loss(&net).unwrap().unwrap();
        let backward = net.backward(&mut pass, &BackwardStart::Losses).unwrap();
        let bits = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f64>().unwrap();
        let gradients: Vec<_> = backward.params.values().map(bits).collect();
        (joined, loss, gradients)
    };
    let only = |names: &[&str]| Keep::Only(names.iter().map(|name| (*name).to_owned()).collect());
    let (none, loss, gradients) = run(Keep::All, &[]);
    assert_eq!(none, 0, "with everything kept nothing is joined");
    for (keep, at, expected) in [
        (only(&[]), &[][..], 5),
        (only(&["norm"]), &[], 4),
        (only(&[]), &["sum", "conv"], 3),
    ] {
        let (joined, found, others) = run(keep, at);
        assert_eq!(joined, expected);
        assert_eq!((found, &others), (loss, &gradients));
    }
}

/// Frozen nodes: no gradient, and normalisations use the statistics that they have and keep them,
/// whether the multipliers freeze them, the walk's focus, or Caffe's layer itself.
#[test]
fn what_is_frozen_stays_as_it_is() {
    let mut graph = graph(&[
        ("data", "Data", &[]),
        ("a/conv", "Convolution(num_output: 3)", &["data"]),
        ("a/bn", "FusedBatchNorm", &["a/conv"]),
        ("a/caffe", "BatchNorm", &["a/bn"]),
        ("twin", "Convolution(num_output: 3)", &["data"]),
        ("sum", "Eltwise", &["a/caffe", "twin"]),
        ("scores", "InnerProduct(num_output: \"classes\")", &["sum"]),
        ("loss", "SoftmaxWithLoss", &["scores", "data:1"]),
    ]);
    let ids: Vec<_> = graph.nodes().iter().map(|node| node.id).collect();
    graph.node_mut(ids[4]).unwrap().key = Some("a.conv".to_owned());
    let train = |graph: &Graph, focus: Focus| {
        let net = compile(graph);
        let options = |focus: &Focus| ForwardOptions {
            backward: true,
            focus: focus.clone(),
            ..ForwardOptions::default()
        };
        let outputs = |pass: &Pass| {
            let value = pass.value(&net, &PortRef::new("a/caffe", 0)).unwrap();
            let flat = value.tensor().flatten_all().unwrap();
            flat.to_vec1::<f64>().unwrap()
        };
        let test = net.forward(Phase::Test, &feed(), options(&focus)).unwrap();
        let mut pass = net.forward(Phase::Train, &feed(), options(&focus)).unwrap();
        let same = outputs(&test) == outputs(&pass);
        let backward = net.backward(&mut pass, &BackwardStart::Losses).unwrap();
        let trained: Vec<String> = backward.params.into_keys().collect();
        (same, pass.buffers.len(), trained)
    };
    let (same, buffers, trained) = train(&graph, Focus::default());
    assert_eq!((same, buffers, trained.len()), (false, 5, 6));
    let only = ["scores".to_owned()].into();
    let focus = Focus {
        trained: Some(only),
        ..Focus::default()
    };
    let rest = ["scores.bias".to_owned(), "scores.weight".to_owned()];
    assert_eq!(train(&graph, focus), (true, 0, rest.to_vec()));

    let inference = infer(&graph, &facts());
    let group: BTreeSet<_> = ids[1..4].iter().copied().collect();
    let before = graph.clone();
    assert_eq!(graph.freeze(&group, &inference, true), 4, "and the twin");
    assert_eq!(train(&graph, Focus::default()), (true, 0, rest.to_vec()));
    assert_eq!(graph.freeze(&group, &inference, true), 0);
    graph.freeze(&group, &inference, false);
    assert_eq!(graph, before);
}
