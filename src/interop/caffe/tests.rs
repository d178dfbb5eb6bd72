//! Definitions written for these tests, in both forms, whole and damaged.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

mod model;
mod round_trip;

use super::*;
use crate::graph::{DataFacts, Facts, Phase, infer};
use crate::train::{Method, Policy, Regularization};

const SMALL: &str = r#"
name: "small"  # a comment
layer { name: "in" type: "Data" top: "data" top: "label" include { phase: TRAIN }
  transform_param { scale: 0.5 mirror: true } data_param { source: "a" batch_size: 16 backend: LMDB } }
layer { name: "in" type: "Data" top: "data" top: "label" include { phase: TEST }
  transform_param { scale: 0.25 } data_param { source: "b" batch_size: 50 } }
layer < name: 'conv' type: "Conv" "olution" bottom: "data" top: "conv"
  param { lr_mult: 1 } param { lr_mult: 2 decay_mult: 0 }
  convolution_param { num_output: 4 kernel_h: 3 kernel_w: 5 stride: 2 engine: CAFFE weight_filler { type: "gaussian" std: 0.01 } } >
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { pool: AVE kernel_size: 3 } }
layer { name: "mystery" type: "Mystery" bottom: "pool" top: "odd" }
layer { name: "ip" type: "InnerProduct" bottom: "pool" top: "ip" inner_product_param { num_output: 0xA colour: 3 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" loss_weight: 0.25 }
layer { name: "acc" type: "Accuracy" bottom: "ip" bottom: "label" top: "acc" exclude { phase: TRAIN } }
"#;

fn import(text: &str) -> (Project, Vec<Note>) {
    import_net(&parse(text).unwrap(), blank(), None)
}

fn node<'a>(project: &'a Project, name: &str) -> &'a crate::graph::Node {
    project.graph.named(name, Phase::Test).unwrap()
}

#[test]
fn a_network_becomes_a_graph_with_its_phases_wires_and_numbers() {
    let (project, notes) = import(SMALL);
    assert_eq!(
        (project.title.as_str(), project.data.source.as_str()),
        ("small", "a")
    );
    assert_eq!(
        (project.data.batch.train, project.data.batch.test),
        (16, 50)
    );
    assert_eq!(project.data.preprocess.scale, 0.5);
    assert!(project.data.preprocess.mirror);
    let conv = node(&project, "conv");
    let text = conv.layer.to_ron().unwrap();
    for part in [
        "kernel: (3, 5)",
        "stride: (2, 2)",
        "std: 0.01",
        "num_output: 4",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(
        (conv.multiplier("bias").lr, conv.multiplier("bias").decay),
        (2.0, 0.0)
    );
    let pool = node(&project, "pool");
    assert_eq!(pool.inputs.get(0).unwrap().to_string(), "relu", "in place");
    let text = pool.layer.to_ron().unwrap();
    assert!(
        text.contains("average") && text.contains("stride: (1, 1)"),
        "{text}"
    );
    assert_eq!(node(&project, "loss").loss_weight, Some(0.25));
    assert_eq!(node(&project, "acc").phases, crate::graph::Phases::Test);
    let mystery = node(&project, "mystery").layer.to_ron().unwrap();
    assert!(
        mystery.starts_with("Mystery(") && mystery.contains("type: \\\"Mystery"),
        "{mystery}"
    );
    let said: Vec<(usize, &str)> = notes
        .iter()
        .map(|note| (note.line, note.message.as_str()))
        .collect();
    let has = |line, part: &str| {
        said.iter()
            .any(|(at, text)| *at == line && text.contains(part))
    };
    assert!(
        has(12, "Mystery") && has(13, "colour") && has(6, "test split"),
        "{said:?}"
    );
    assert_eq!(notes.len(), 4, "{said:?}");
    let facts = Facts {
        data: Some(DataFacts::classified(vec![1, 15, 17], 10)),
        ..Facts::default()
    };
    let mut graph = project.graph.clone();
    graph.remove(&[node(&project, "mystery").id].into());
    let inference = infer(&graph, &facts);
    assert_eq!(
        inference.totals.params,
        (4 * 15 + 4) + (4 * 5 * 5) * 10 + 10
    );
}

#[test]
fn a_type_that_only_resembles_one_of_ours_stays_unknown() {
    let (project, notes) = import("layer { name: 'x' type: 'Soft-max' top: 'y' }");
    let layer = &node(&project, "x").layer;
    assert_eq!(layer.title(), "UnknownSoftmax");
    assert!(layer.to_ron().unwrap().contains("Soft-max"));
    assert_eq!(notes.len(), 1);
}

#[test]
fn the_older_form_says_the_same() {
    let (project, notes) = import(
        "input: 'data' input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 9
         layers { name: 'c' type: CONVOLUTION bottom: 'data' top: 'c' blobs_lr: 1 blobs_lr: 2 weight_decay: 1 weight_decay: 0
           convolution_param { num_output: 2 kernel_size: 3 pad_h: 1 pad_w: 0 } }
         layers { name: 'r' type: RELU bottom: 'c' top: 'c' }
         layers { name: 'ip' type: INNER_PRODUCT bottom: 'c' top: 'ip' inner_product_param { num_output: 5 } }
         layers { name: 'p' type: SOFTMAX bottom: 'ip' top: 'p' }",
    );
    assert_eq!(notes, []);
    assert_eq!(node(&project, "c").multiplier("bias").lr, 2.0);
    let inference = infer(&project.graph, &Facts::default());
    assert!(
        inference
            .diagnostics
            .iter()
            .all(|d| d.severity() != crate::graph::Severity::Error)
    );
    assert_eq!(inference.totals.params, 3 * 2 * 9 + 2 + (2 * 8 * 7) * 5 + 5);
}

#[test]
fn shared_parameters_are_one() {
    let (project, _) = import(
        "layer { name: 'x' type: 'Input' top: 'x' input_param { shape { dim: 1 dim: 6 } } }
         layer { name: 'a' type: 'InnerProduct' bottom: 'x' top: 'a' param { name: 'w' } param { name: 'b' } inner_product_param { num_output: 6 } }
         layer { name: 'b' type: 'InnerProduct' bottom: 'a' top: 'b' param { name: 'w' } param { name: 'b' } inner_product_param { num_output: 6 } }",
    );
    assert_eq!(infer(&project.graph, &Facts::default()).totals.params, 42);
    let (project, _) = import(
        "input: 'x' input_dim: 1 input_dim: 6 input_dim: 1 input_dim: 1
         layers { name: 'a' type: INNER_PRODUCT bottom: 'x' top: 'a' param: 'w' param: 'b' inner_product_param { num_output: 6 } }
         layers { name: 'b' type: INNER_PRODUCT bottom: 'a' top: 'b' param: 'w' param: 'b' inner_product_param { num_output: 6 } }",
    );
    assert_eq!(
        infer(&project.graph, &Facts::default()).totals.params,
        42,
        "V1"
    );
}

#[test]
fn a_solver_becomes_a_stage() {
    let text = "net: 'x/net.prototxt' type: 'Nesterov' base_lr: 1e-2f lr_policy: 'multistep' gamma: .5
        stepvalue: 10 stepvalue: 20 max_iter: 30 test_interval: 5 momentum: 0.8 regularization_type: 'L1'
        clip_gradients: 2 iter_size: 4 random_seed: 7 display: 100";
    let file = import_solver(&parse(text).unwrap());
    let solver = &file.stage.solver;
    assert_eq!(
        (solver.method, solver.base_lr, solver.momentum),
        (Method::Nesterov, 0.01, 0.8)
    );
    let multistep = Policy::Multistep {
        gamma: 0.5,
        stepvalues: vec![10, 20],
    };
    assert_eq!(solver.policy, multistep);
    assert_eq!(
        (solver.regularization, solver.iter_size),
        (Regularization::L1, 4)
    );
    assert_eq!(
        (file.stage.iterations, file.stage.evaluate_every, file.seed),
        (30, 5, Some(7))
    );
    assert_eq!(file.net.as_deref(), Some("x/net.prototxt"));
    assert_eq!(file.notes.len(), 1, "{:?}", file.notes);
}

#[test]
fn what_breaks_the_syntax_is_named_by_line_and_column() {
    for (text, line, column) in [
        ("a: 1\nb {\n c: }", 3, 5),
        ("a: 'open\n", 2, 1),
        ("layer {\n  name: 'x'\n", 1, 7),
        ("a: [1 2]", 1, 7),
        ("=", 1, 1),
    ] {
        let syntax = parse(text).unwrap_err();
        assert_eq!(
            (syntax.line, syntax.column),
            (line, column),
            "{text:?}: {syntax}"
        );
    }
    let long = format!("{}: [1, 1]", "a".repeat(1000));
    assert!(parse(&long).is_err(), "a name is short");
    let many = "a: 1 ".repeat(300_000);
    assert!(parse(&many).is_err(), "fields are bounded");
    let signs = parse("a: --9223372036854775808 b: -9223372036854775808").unwrap();
    assert_eq!(signs.get("a").unwrap().integer(), None);
    let deep = "a {".repeat(100_000);
    assert!(parse(&deep).is_err(), "no stack overflows");
}

/// A hundred thousand damaged definitions: an error or a project, never a panic. What is
/// allocated is proportional to the text: every tree node and every graph node has its own word.
#[test]
fn damaged_definitions_are_errors_or_projects() {
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let original: Vec<u8> = SMALL.bytes().collect();
    let marks = b"{}<>[]:\"'#0-.\n e9";
    let (mut refused, mut read) = (0, 0);
    for _ in 0..100_000 {
        let mut bytes = original.clone();
        for _ in 0..random.random_range(1..6) {
            let at = random.random_range(0..bytes.len());
            match random.random_range(0..4) {
                0 => bytes[at] = marks[random.random_range(0..marks.len())],
                1 => drop(bytes.drain(at..(at + random.random_range(0..40)).min(bytes.len()))),
                2 => bytes.insert(at, marks[random.random_range(0..marks.len())]),
                _ => {
                    let part =
                        bytes[at..(at + random.random_range(0..80)).min(bytes.len())].to_vec();
                    bytes.splice(at..at, part);
                }
            }
            if bytes.is_empty() {
                break;
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        match parse(&text) {
            Ok(message) => {
                let (project, _) = import_net(&message, blank(), None);
                import_solver(&message);
                assert!(project.graph.nodes().len() <= text.len());
                read += 1;
            }
            Err(syntax) => {
                assert!(syntax.line <= text.lines().count() + 1);
                refused += 1;
            }
        }
    }
    println!("{refused} refused, {read} read");
    assert!(refused > 1000 && read > 1000, "both ways are walked");
}
