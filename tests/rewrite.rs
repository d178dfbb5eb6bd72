//! Changes of graphs that keep what a network computes or sees.

use std::collections::BTreeSet;

use candle_core::{Device, Tensor};
use layerlab::graph::{DataFacts, Facts, Graph, Inference, Phase, ReceptiveField, infer};
use layerlab::layers::rewrite::{RewriteError, full_to_conv, stack_of_3x3};
use layerlab::layers::{Convolution, InnerProduct};
use layerlab::net::{ForwardOptions, Keep, Net, NetConfig, NetFeed};
use layerlab::project::{Example, Project};

fn facts(shape: &[usize]) -> Facts {
    Facts {
        data: Some(DataFacts::classified(shape.to_vec(), 10)),
        ..Facts::default()
    }
}

fn example(name: &str) -> Graph {
    Example::find(name).unwrap().open().unwrap().graph
}

fn graph(nodes: &str) -> Graph {
    let text = format!(
        "(version: 1, title: \"\", data: (source: \"digits\"), stages: [], graph: (nodes: [{nodes}]))"
    );
    Project::from_ron(&text).unwrap().graph
}

fn stacked(graph: &Graph, name: &str) -> Result<Graph, RewriteError> {
    let id = graph.named(name, Phase::Test).unwrap().id;
    stack_of_3x3(graph, id)
}

/// Size and field of a node.
fn seen(graph: &Graph, facts: &Facts, name: &str) -> (Vec<Option<usize>>, ReceptiveField, u64) {
    let inference = infer(graph, facts);
    assert_eq!(inference.diagnostics, [], "{name}");
    let node = graph.named(name, Phase::Test).unwrap();
    let info = inference.node(node.id).unwrap();
    let shape = info.outputs.as_ref().unwrap()[0].0.clone();
    (shape, info.field.unwrap(), inference.totals.params)
}

/// Simonyan and Zisserman's count: three 3 × 3 of C channels have 27 C² weights, a 7 × 7 49 C².
#[test]
fn a_stack_of_3x3_sees_as_far_with_fewer_weights() {
    let net = |kernel: usize, pad: usize, stride: usize| {
        graph(&format!(
            "(name: \"data\", layer: Data()),
             (name: \"conv\", layer: Convolution(num_output: 16, kernel: ({kernel}, {kernel}), pad: ({pad}, {pad}), stride: ({stride}, {stride}), bias: false), inputs: [\"data\"]),
             (name: \"relu\", layer: ReLU(), inputs: [\"conv\"]),
             (name: \"ip\", layer: InnerProduct(), inputs: [\"relu\"]),
             (name: \"loss\", layer: SoftmaxWithLoss(), inputs: [\"ip\", \"data:1\"]),"
        ))
    };
    let facts = facts(&[16, 31, 29]);
    for (kernel, pad, stride) in [(5, 2, 1), (7, 3, 1), (7, 3, 2), (5, 1, 1), (9, 0, 3)] {
        let before = net(kernel, pad, stride);
        let after = stacked(&before, "conv").unwrap();
        let (old, new) = (seen(&before, &facts, "relu"), seen(&after, &facts, "relu"));
        assert_eq!((old.0, old.1), (new.0, new.1), "{kernel} × {kernel}");
        let count = (kernel - 1) / 2;
        let weights = |parts: usize, side: usize| (parts * side * side * 16 * 16) as u64;
        assert_eq!(old.2 - new.2, weights(1, kernel) - weights(count, 3));
        let convs = (after.nodes().iter()).filter(|node| node.layer.as_any().is::<Convolution>());
        assert_eq!(convs.count(), count);
        assert!(after.named("conv", Phase::Test).is_none());
    }
    let even = net(4, 0, 1);
    assert!(matches!(
        stacked(&even, "conv"),
        Err(RewriteError::Kernel { .. })
    ));
    let small = net(3, 0, 1);
    assert!(matches!(
        stacked(&small, "conv"),
        Err(RewriteError::Kernel { .. })
    ));
    let other = stacked(&small, "relu");
    assert!(matches!(other, Err(RewriteError::NoConvolution(_))));
}

fn inference(graph: &Graph, facts: &Facts) -> Inference {
    let inference = infer(graph, facts);
    assert_eq!(inference.diagnostics, []);
    inference
}

/// What a node gives for this input.
fn answer(net: &Net, input: &Tensor, name: &str) -> Tensor {
    let nodes = BTreeSet::from([name.to_owned()]);
    let options = ForwardOptions {
        keep: Keep::Only(nodes.clone()),
        until: Some(nodes),
        ..ForwardOptions::default()
    };
    let pass = net
        .forward(Phase::Test, &NetFeed::only(input.clone(), net), options)
        .unwrap();
    pass.outputs(net, name)[0].tensor().clone()
}

/// The same answers at the same size, and an answer for every place of a larger image.
#[test]
fn full_connections_become_convolutions_with_the_same_answers() {
    let cases = [
        ("lenet-digits", [1, 28, 28], "ip2"),
        ("mlp-digits", [1, 28, 28], "ip2"),
    ];
    for (name, shape, scores) in cases {
        let before = example(name);
        let scores = match before.named(scores, Phase::Test) {
            Some(node) => node.name.clone(),
            None => before
                .nodes()
                .iter()
                .rev()
                .find(|node| node.layer.as_any().is::<InnerProduct>())
                .unwrap()
                .name
                .clone(),
        };
        let facts_28 = facts(&shape);
        let after = full_to_conv(&before, &inference(&before, &facts_28)).unwrap();
        inference(&after, &facts_28);
        let is_full = |graph: &Graph| {
            (graph.nodes().iter()).any(|node| node.layer.as_any().is::<InnerProduct>())
        };
        assert!(is_full(&before) && !is_full(&after));
        let old = Net::compile(&before, &facts_28, NetConfig::default()).unwrap();
        let large = [shape[0], shape[1] + 9, shape[2] + 4];
        for facts in [facts_28.clone(), facts(&large)] {
            let mut new = Net::compile(&after, &facts, NetConfig::default()).unwrap();
            for (key, param) in old.params() {
                let dims = new.params()[key].tensor.dims().to_vec();
                new.set_param(key, param.tensor.reshape(dims).unwrap())
                    .unwrap();
            }
            let size = facts.data.as_ref().unwrap().shape.clone();
            let input = Tensor::randn(0f32, 1.0, [&[3], &size[..]].concat(), &Device::Cpu).unwrap();
            let maps = answer(&new, &input, &scores);
            // The corner of a larger image is what the network of the small one sees there.
            let corner = input
                .narrow(2, 0, shape[1])
                .unwrap()
                .narrow(3, 0, shape[2])
                .unwrap();
            let wanted = answer(&old, &corner.contiguous().unwrap(), &scores);
            let found = maps.narrow(2, 0, 1).unwrap().narrow(3, 0, 1).unwrap();
            let found = found.reshape(wanted.shape()).unwrap();
            let error = (found - &wanted).unwrap().abs().unwrap().max_all().unwrap();
            let scale = wanted.abs().unwrap().max_all().unwrap();
            let ratio = error.to_scalar::<f32>().unwrap() / scale.to_scalar::<f32>().unwrap();
            assert!(ratio < 1e-5, "{name}: {ratio}");
        }
    }
}

#[test]
fn flatten_goes_and_what_cannot_be_turned_is_said() {
    let before = graph(
        "(name: \"data\", layer: Data()),
         (name: \"conv\", layer: Convolution(num_output: 4), inputs: [\"data\"]),
         (name: \"flat\", layer: Flatten(), inputs: [\"conv\"]),
         (name: \"fc\", layer: InnerProduct(num_output: 7), inputs: [\"flat\"]),
         (name: \"drop\", layer: Dropout(), inputs: [\"fc\"]),
         (name: \"scores\", layer: InnerProduct(), inputs: [\"drop\"]),
         (name: \"loss\", layer: SoftmaxWithLoss(), inputs: [\"scores\", \"data:1\"]),",
    );
    let facts = facts(&[3, 9, 8]);
    let after = full_to_conv(&before, &inference(&before, &facts)).unwrap();
    inference(&after, &facts);
    assert!(after.named("flat", Phase::Test).is_none());
    let fc = &after.named("fc", Phase::Test).unwrap().layer;
    let conv = fc.as_any().downcast_ref::<Convolution>().unwrap();
    assert_eq!(conv.kernel, [7, 6]);
    let lstm = example("lstm-digits");
    let plain = infer(&lstm, &facts);
    assert_eq!(
        full_to_conv(&lstm, &plain),
        Err(RewriteError::NoFullConnection)
    );
}
