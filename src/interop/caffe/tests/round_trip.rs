//! What is written reads as what it was.

use super::*;
use crate::data::Mean;
use crate::graph::{
    Field, FieldValue, Filler, Layer, Multiplier, Node, Phases, PortRef, PortType, Size,
};
use crate::layers::{self, CATALOGUE};
use crate::project::EXAMPLES;
use crate::train::{Solver, Stage};

fn facts() -> Facts {
    Facts {
        data: Some(DataFacts::classified(vec![3, 15, 17], 10)),
        ..Facts::default()
    }
}

fn again(project: &Project) -> Project {
    let exported = export_net(project, &facts(), Extent::Project);
    let message =
        parse(&exported.text).unwrap_or_else(|error| panic!("{error}: {}", exported.text));
    import_net(&message, blank(), None).0
}

#[track_caller]
fn same(project: &Project) {
    let read = again(project);
    let text = || export_net(project, &facts(), Extent::Project).text;
    assert_eq!(read.data, project.data, "{}", text());
    for (read, node) in read.graph.nodes().iter().zip(project.graph.nodes()) {
        assert_eq!(read, node, "{}", text());
    }
    assert!(read == *project, "{}", text());
}

#[test]
fn a_definition_survives_with_everything_in_it() {
    let (project, _) = import(SMALL);
    same(&project);
    let text = export_net(&project, &facts(), Extent::Network).text;
    for part in [
        "colour: 3",
        "source: \"b\"",
        "type: \"Mystery\"",
        "top: \"odd\"",
        "kernel_h: 3",
        "bottom: \"conv\"\n  top: \"conv\"",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let (kept, notes) = import(
        "force_backward: true
         layer { name: 'd' type: 'Data' top: 'data' top: 'label' data_param { source: 'x' batch_size: 2 prefetch: 5 } }
         layer { name: 'a.b' type: 'Convolution' bottom: 'data' top: 'fancy' propagate_down: true include { stage: 'x' } include { min_level: 0 }
                 convolution_param { num_output: 2 kernel_size: 1 axis: 1 engine: CUDNN } }
         layer { name: 'never' type: 'ReLU' bottom: 'fancy' top: 'r' include { stage: 'deploy' } }",
    );
    same(&kept);
    assert!(kept.graph.named("never", Phase::Train).is_none());
    let text = export_net(&kept, &facts(), Extent::Network).text;
    for part in [
        "force_backward",
        "prefetch: 5",
        "propagate_down",
        "stage: \"x\"",
        "axis: 1",
        "top: \"fancy\"",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(notes.len(), 6, "{notes:?}");
}

/// Another value of every field, drawn at random.
fn change(layer: &mut dyn Layer, random: &mut ChaCha8Rng) {
    layer.fields(&mut |field: Field<'_>| match field.value {
        FieldValue::Count { value, min, max } => {
            *value = random.random_range(min..=max.min(min + 9))
        }
        FieldValue::Pair { value, min, .. } => {
            *value = [0, 1].map(|_| random.random_range(min..min + 4));
        }
        FieldValue::Size { value, .. } => {
            *value = match random.random_range(0..5) {
                0 => Size::Count(10),
                1 => Size::Classes,
                2 => Size::ClassesAndBackground,
                3 => Size::BoxCorners,
                _ => Size::Count(random.random_range(1..99)),
            };
        }
        FieldValue::Integer { value, min, max } => *value = random.random_range(min..=max),
        FieldValue::OptionalCount { value, min, .. } => {
            *value = random
                .random::<bool>()
                .then(|| random.random_range(min..min + 9));
        }
        FieldValue::Real { value, min, max } => {
            *value = random.random_range(min..=max.min(min + 3.0))
        }
        FieldValue::Flag(value) => *value = random.random(),
        FieldValue::Choice(choice) => choice.set(random.random_range(0..choice.options().len())),
        FieldValue::Filler(filler) => {
            *filler = match Filler::ALL[random.random_range(0..Filler::ALL.len())].1 {
                Filler::Gaussian { .. } => Filler::Gaussian {
                    mean: 0.25,
                    std: random.random(),
                },
                Filler::Constant(_) => Filler::Constant(random.random()),
                Filler::Uniform { .. } => Filler::Uniform {
                    min: -0.5,
                    max: random.random(),
                },
                other => other,
            }
        }
        FieldValue::Counts {
            value,
            min,
            max_len,
            ..
        } => {
            *value = (0..random.random_range(0..=max_len.min(3)))
                .map(|_| random.random_range(min..min + 9))
                .collect();
        }
        FieldValue::Integers { value, max_len, .. } => {
            *value = (0..random.random_range(0..=max_len.min(3)))
                .map(|_| random.random_range(-1..9))
                .collect();
        }
        FieldValue::Reals { value, max_len } => {
            *value = (0..random.random_range(0..=max_len.min(3)))
                .map(|_| random.random())
                .collect();
        }
    });
}

/// A graph with this layer behind data, every output read by an unknown layer.
fn around(layer: Box<dyn Layer>, random: &mut ChaCha8Rng) -> Project {
    let mut project = blank();
    let graph = &mut project.graph;
    graph.add(Node::new("data", layers::make("Data").unwrap()));
    graph.add(Node {
        position: [220.0, 0.0],
        ..Node::new("in", layers::make("Input").unwrap())
    });
    let mut node = Node {
        position: [440.0, 0.0],
        ..Node::new("it", layer)
    };
    let ports = node.layer.inputs();
    for index in 0..ports.ports.len() {
        let kind = ports.port(index).unwrap().kind;
        let from = match kind {
            PortType::Labels => PortRef::new("data", 1),
            _ if index == 0 => PortRef::new("data", 0),
            _ => PortRef::new("in", 0),
        };
        node.inputs.set(index, Some(from));
    }
    let learnable = ["weight", "bias"];
    let own = super::super::kinds::suffixes(node.layer.spec());
    let known = own.unwrap_or(&learnable);
    for suffix in known {
        if random.random() {
            let multiplier = Multiplier {
                lr: random.random(),
                decay: 0.0,
            };
            node.multipliers.insert((*suffix).to_owned(), multiplier);
        }
    }
    node.phases = Phases::ALL[random.random_range(0..3)];
    if random.random() {
        node.loss_weight = Some(0.5);
    }
    node.comment = "why \"so\"?\nbecause".to_owned();
    graph.add(node);
    project
}

#[test]
fn every_layer_of_the_catalogue_survives_with_any_values() {
    let mut random = ChaCha8Rng::seed_from_u64(8);
    for entry in CATALOGUE
        .iter()
        .filter(|entry| !matches!(entry.spec().name, "Data" | "Input"))
    {
        same(&around(entry.make(), &mut random));
        for _ in 0..50 {
            let mut layer = entry.make();
            change(&mut *layer, &mut random);
            same(&around(layer, &mut random));
        }
    }
    println!("{} layers", CATALOGUE.len());
}

#[test]
fn the_examples_survive() {
    for example in EXAMPLES {
        let (name, project) = (example.name, example.open().unwrap());
        let read = again(&project);
        assert_eq!(read.stages, project.stages, "{name}");
        assert_eq!(
            (&read.data, read.seed),
            (&project.data, project.seed),
            "{name}"
        );
        assert_eq!(
            (&read.about, &read.title),
            (&project.about, &project.title),
            "{name}"
        );
        for node in project.graph.nodes() {
            assert_eq!(
                read.graph
                    .named(&node.name, Phase::Test)
                    .or(read.graph.named(&node.name, Phase::Train)),
                Some(node),
                "{name}"
            );
        }
        assert_eq!(read.graph.nodes().len(), project.graph.nodes().len());
        assert_eq!(read.graph.comments, project.graph.comments);
        assert_eq!(read.graph.folded, project.graph.folded);
    }
}

#[test]
fn settings_of_the_data_survive() {
    let (mut project, _) = import(SMALL);
    project.data.preprocess.mean = Mean::Value(vec![1.0, 2.5, 3.0]);
    project.data.preprocess.crop = Some((5, 5));
    project.data.preprocess.std = crate::data::Std::Channel;
    project.data.split.seed = 4;
    project.seed = 77;
    project.precise = true;
    project.about = "two\nlines".to_owned();
    same(&project);
    project.data.preprocess.color = crate::data::Color::Bgr;
    same(&project);
    let text = export_net(&project, &facts(), Extent::Network).text;
    assert!(
        !text.contains("color"),
        "Caffe's own order is not said: {text}"
    );
    project.data.preprocess.mean = Mean::Channel;
    project.data.preprocess.crop = Some((5, 6));
    same(&project);
}

#[test]
fn shared_parameters_and_wires_that_differ_by_phase_survive() {
    let (project, _) = import(
        "layer { name: 'x' type: 'Input' top: 'x' input_param { shape { dim: 1 dim: 6 } } }
         layer { name: 'a' type: 'InnerProduct' bottom: 'x' top: 'a' param { name: 'w' lr_mult: 3 } param { name: 'b' } inner_product_param { num_output: 6 } }
         layer { name: 'b' type: 'InnerProduct' bottom: 'a' top: 'b' param { name: 'w' lr_mult: 3 } param { name: 'b' } inner_product_param { num_output: 6 } }",
    );
    same(&project);
    assert!(
        export_net(&project, &facts(), Extent::Network)
            .text
            .contains("name: \"a.weight\"")
    );
    let (project, _) = import(
        "layer { name: 'p' type: 'Data' top: 'data' top: 'label' include { phase: TRAIN } data_param { source: 'a' batch_size: 1 } }
         layer { name: 'q' type: 'Data' top: 'data' top: 'label' include { phase: TEST } data_param { source: 'a' batch_size: 2 } }
         layer { name: 'r' type: 'ReLU' bottom: 'data' top: 'r' }",
    );
    assert!(node(&project, "r").test_inputs.is_some());
    same(&project);
}

#[test]
fn every_method_and_policy_survives() {
    let mut count = 0;
    for policy in Policy::all() {
        for method in Method::ALL {
            let solver = Solver {
                method: *method,
                policy: policy.clone(),
                warmup: 3,
                iter_size: count % 3,
                clip_gradients: 1.5,
                momentum2: 0.9,
                rms_decay: 0.5,
                delta: 1e-6,
                regularization: Regularization::L1,
                ..Solver::default()
            };
            let stage = Stage {
                name: "fine".to_owned(),
                trained: vec!["a".to_owned(), "b/c".to_owned()],
                losses: vec!["loss".to_owned()],
                evaluate_every: 7,
                solver,
                ..Stage::default()
            };
            let exported = export_solver(&stage, "net.prototxt", 5, Some(20));
            let read = import_solver(&parse(&exported.text).unwrap());
            assert_eq!(read.stage, stage, "{}", exported.text);
            assert_eq!(
                (read.net.as_deref(), read.seed),
                (Some("net.prototxt"), Some(5))
            );
            assert!(read.notes.is_empty(), "{:?}", read.notes);
            count += 1;
        }
    }
    let kept = import_solver(
        &parse("net: 'n' display: 3 snapshot_prefix: 'x' solver_mode: GPU test_iter: 9").unwrap(),
    );
    assert_eq!(kept.notes.len(), 4);
    let text = export_solver(&kept.stage, "n", 0, None).text;
    assert_eq!(
        import_solver(&parse(&text).unwrap()).stage,
        kept.stage,
        "{text}"
    );
}

/// Fields that stand elsewhere than in the layer's own message, and layers of several tops.
#[test]
fn losses_and_structure_are_read_as_caffe_means_them() {
    let (project, notes) = import(
        "layer { name: 'd' type: 'Data' top: 'data' top: 'label' data_param { source: 'x' batch_size: 4 } }
         layer { name: 'cut' type: 'Slice' bottom: 'data' top: 'a' top: 'b' top: 'c' }
         layer { name: 'cut2' type: 'Slice' bottom: 'data' top: 'p' top: 'q' slice_param { axis: 2 slice_point: 3 } }
         layer { name: 'flat' type: 'Flatten' bottom: 'a' top: 'flat' flatten_param { axis: 1 end_axis: -1 } }
         layer { name: 're' type: 'Reshape' bottom: 'b' top: 're' reshape_param { shape { dim: 0 dim: -1 } } }
         layer { name: 'red' type: 'Reduction' bottom: 'c' top: 'red' reduction_param { operation: SUMSQ axis: 1 coeff: 0.5 } }
         layer { name: 'quiet' type: 'Silence' bottom: 'red' bottom: 'p' bottom: 'q' }
         layer { name: 'tile' type: 'Tile' bottom: 're' top: 'tile' tile_param { axis: 1 tiles: 2 } }
         layer { name: 'ip' type: 'InnerProduct' bottom: 'flat' top: 'ip' inner_product_param { num_output: 10 } }
         layer { name: 'l1' type: 'SoftmaxWithLoss' bottom: 'ip' bottom: 'label' top: 'l1' loss_param { ignore_label: 255 normalization: BATCH_SIZE } }
         layer { name: 'l2' type: 'SoftmaxWithLoss' bottom: 'ip' bottom: 'label' top: 'l2' loss_param { normalize: false } }
         layer { name: 'l3' type: 'HingeLoss' bottom: 'ip' bottom: 'label' top: 'l3' hinge_loss_param { norm: L2 } }
         layer { name: 'l4' type: 'InfogainLoss' bottom: 'ip' bottom: 'label' top: 'l4' infogain_loss_param { source: 'h.binaryproto' } }
         layer { name: 'l5' type: 'SigmoidCrossEntropyLoss' bottom: 'ip' bottom: 'ip' top: 'l5' }
         layer { name: 'acc' type: 'Accuracy' bottom: 'ip' bottom: 'label' top: 'acc' accuracy_param { top_k: 5 ignore_label: 7 } }",
    );
    let said: Vec<&str> = notes.iter().map(|note| note.message.as_str()).collect();
    assert_eq!(notes.len(), 1, "{said:?}");
    assert!(said[0].contains("source"), "{said:?}");
    for (name, parts) in [
        ("cut", &["parts: 3"][..]),
        ("cut2", &["axis: 2", "slice_point: [3]"]),
        ("re", &["shape: [0, -1]"]),
        ("red", &["sumsq", "coeff: 0.5"]),
        ("tile", &["tiles: 2"]),
        ("l1", &["255", "batch_size"]),
        ("l2", &["batch_size"]),
        ("l3", &["norm: l2"]),
        ("l5", &["batch_size"]),
        ("acc", &["top_k: 5", "7"]),
    ] {
        let text = node(&project, name).layer.to_ron().unwrap();
        for part in parts {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
    same(&project);
    let text = export_net(&project, &facts(), Extent::Network).text;
    for part in [
        "ignore_label: 255",
        "normalization: BATCH_SIZE",
        "dim: -1",
        "top: \"c\"",
        "operation: SUMSQ",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let inference = infer(&project.graph, &facts());
    assert!(!inference.has_errors(), "{:?}", inference.diagnostics);
}

/// What a person changes in the text counts, what the text does not speak of stays.
#[test]
fn a_text_is_read_over_a_project() {
    let (mut project, _) = import(SMALL);
    let id = node(&project, "conv").id;
    project.graph.node_mut(id).unwrap().position = [7.0, 9.0];
    project.data.preprocess.std = crate::data::Std::Channel;
    project.stages[0].iterations = 5;
    let text = export_net(&project, &facts(), Extent::Network).text;
    let read = |text: &str| import_net(&parse(text).unwrap(), project.clone(), None).0;
    assert!(read(&text) == project, "{text}");
    let changed = read(
        &text
            .replace("num_output: 4", "num_output: 6")
            .replace("scale: 0.5", "scale: 2"),
    );
    assert!(
        node(&changed, "conv")
            .layer
            .to_ron()
            .unwrap()
            .contains("num_output: 6")
    );
    assert_eq!(node(&changed, "conv").position, [7.0, 9.0]);
    assert_eq!(changed.data.preprocess.scale, 2.0);
    assert_eq!(
        (changed.stages[0].iterations, &changed.data.preprocess.std),
        (5, &crate::data::Std::Channel)
    );
    let by_classes = export_net(
        &again(&around(
            layers::parse("InnerProduct(num_output: \"classes\")").unwrap(),
            &mut ChaCha8Rng::seed_from_u64(0),
        )),
        &facts(),
        Extent::Network,
    )
    .text;
    assert!(by_classes.contains("num_output: 10\n"), "{by_classes}");
    let edited = import(&by_classes.replace("num_output: 10\n", "num_output: 12\n")).0;
    assert!(
        edited.graph.nodes()[2]
            .layer
            .to_ron()
            .unwrap()
            .contains("num_output: 12")
    );
}
