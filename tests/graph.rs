//! Properties of graphs and project files: whatever a person draws or a file says, inference
//! answers, edits keep their promises, and saving loses nothing.

use std::collections::BTreeSet;

use layerlab::graph::{
    Choice, DataFacts, Facts, Field, FieldValue, Filler, Graph, Inputs, Multiplier, Node, NodeId,
    Phase, Phases, PortRef, Size, infer,
};
use layerlab::layers::CATALOGUE;
use layerlab::project::{EXAMPLES, Project};
use proptest::prelude::*;
use proptest::test_runner::Config;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn facts() -> Facts {
    let data = DataFacts::classified(vec![1, 28, 28], 10);
    Facts {
        data: Some(data),
        ..Facts::default()
    }
}

/// Mostly sensible, sometimes absurd.
fn random_count(rng: &mut ChaCha8Rng) -> usize {
    *[0, 1, 1, 2, 2, 3, 3, 4, 5, 7, 8, 16, 1000, usize::MAX]
        .choose(rng)
        .unwrap()
}

fn randomise_fields(node: &mut Node, rng: &mut ChaCha8Rng) {
    node.layer
        .fields(&mut |field: Field<'_>| match field.value {
            FieldValue::Count { value, .. } => *value = random_count(rng),
            FieldValue::Pair { value, .. } => *value = [random_count(rng), random_count(rng)],
            FieldValue::Size { value, .. } => {
                *value = match rng.random_range(0..4) {
                    0 => Size::Classes,
                    1 => Size::BoxCorners,
                    _ => Size::Count(random_count(rng)),
                }
            }
            FieldValue::Integer { value, .. } => {
                *value = *[-1, 0, 1, 2, i64::MIN, i64::MAX].choose(rng).unwrap();
            }
            FieldValue::OptionalCount { value, .. } => {
                *value = rng.random::<bool>().then(|| random_count(rng));
            }
            FieldValue::Real { value, .. } => {
                *value = *[0.0, 0.5, 1.0, -3.0, f64::MAX].choose(rng).unwrap();
            }
            FieldValue::Flag(value) => *value = rng.random(),
            FieldValue::Choice(choice) => {
                let index = rng.random_range(0..choice.options().len());
                Choice::set(choice, index);
            }
            FieldValue::Filler(filler) => *filler = Filler::ALL.choose(rng).unwrap().1,
            FieldValue::Counts { value, .. } => {
                *value = (0..rng.random_range(0..4))
                    .map(|_| random_count(rng))
                    .collect();
            }
            FieldValue::Integers { value, .. } => {
                *value = (0..rng.random_range(0..4))
                    .map(|_| *[-1, 0, 1, 2, 7, i64::MIN, i64::MAX].choose(rng).unwrap())
                    .collect();
            }
            FieldValue::Reals { value, .. } => {
                *value = (0..rng.random_range(0..4))
                    .map(|_| rng.random_range(-2.0..2.0))
                    .collect();
            }
        });
}

fn random_name(rng: &mut ChaCha8Rng) -> String {
    let names = [
        "a", "b", "c", "conv1", "g/a", "g/b", "g/h/c", "x 1", "卷积", "", "a.b", "g//x",
    ];
    (*names.choose(rng).unwrap()).to_owned()
}

fn random_inputs(rng: &mut ChaCha8Rng) -> Inputs {
    let mut inputs = Inputs::default();
    for port in 0..rng.random_range(0..4) {
        if rng.random_bool(0.8) {
            let from = PortRef::new(random_name(rng), rng.random_range(0..2));
            inputs.set(port, (!from.node.is_empty()).then_some(from));
        }
    }
    inputs
}

fn random_node(rng: &mut ChaCha8Rng) -> Node {
    let layer = CATALOGUE.choose(rng).unwrap().make();
    let mut node = Node::new(random_name(rng), layer);
    node.inputs = random_inputs(rng);
    node.test_inputs = rng.random_bool(0.1).then(|| random_inputs(rng));
    node.phases = *Phases::ALL.choose(rng).unwrap();
    node.key = rng.random_bool(0.2).then(|| "shared".to_owned());
    node.loss_weight = rng.random_bool(0.2).then(|| rng.random_range(-1.0..2.0));
    if rng.random_bool(0.3) {
        node.multipliers.insert(
            "weight".to_owned(),
            Multiplier {
                lr: 1.0,
                decay: 0.25,
            },
        );
    }
    node.position = [
        rng.random_range(-500.0..500.0),
        rng.random_range(-500.0..500.0),
    ];
    if rng.random_bool(0.5) {
        randomise_fields(&mut node, rng);
    }
    node
}

fn random_graph(rng: &mut ChaCha8Rng) -> Graph {
    let mut graph = Graph::default();
    for _ in 0..rng.random_range(0..24) {
        graph.add(random_node(rng));
    }
    graph
        .folded
        .extend(rng.random_bool(0.3).then(|| "g".to_owned()));
    graph
}

fn random_id(graph: &Graph, rng: &mut ChaCha8Rng) -> NodeId {
    graph
        .nodes()
        .choose(rng)
        .map_or(NodeId(9999), |node| node.id)
}

fn random_edit(graph: &mut Graph, rng: &mut ChaCha8Rng) {
    let (one, other) = (random_id(graph, rng), random_id(graph, rng));
    match rng.random_range(0..9) {
        0 | 1 if graph.nodes().len() < 60 => {
            let mut node = random_node(rng);
            node.name = graph.free_name(&node.name);
            graph.add(node);
        }
        2 => graph.remove(&BTreeSet::from([one])),
        3 => graph.rename(one, &random_name(rng)),
        4 | 5 => graph.connect(
            (one, rng.random_range(0..2)),
            (other, rng.random_range(0..3)),
        ),
        6 => graph.disconnect((one, rng.random_range(0..3))),
        7 => {
            let fragment = graph.fragment(&BTreeSet::from([one, other]));
            if graph.nodes().len() < 60 {
                graph.paste(&fragment, [20.0, 20.0]);
            }
        }
        _ => {
            if let Some(node) = graph.node_mut(one) {
                randomise_fields(node, rng);
            }
        }
    }
}

fn project_of(graph: Graph) -> Project {
    Project {
        title: "t".to_owned(),
        graph,
        ..Project::default()
    }
}

proptest! {
    #![proptest_config(Config { cases: 256, failure_persistence: None, ..Config::default() })]

    #[test]
    fn inference_answers_for_every_graph(seed: u64) {
        let graph = random_graph(&mut ChaCha8Rng::seed_from_u64(seed));
        for facts in [Facts::default(), facts()] {
            let inference = infer(&graph, &facts);
            for phase in Phase::BOTH {
                let members = graph.nodes().iter().filter(|n| n.phases.contains(phase)).count();
                prop_assert_eq!(inference.phase(phase).nodes.len(), members);
            }
            // A node without outputs has a reason somewhere.
            let silent = inference.train.nodes.values().any(|info| info.outputs.is_none());
            prop_assert!(!silent || !inference.diagnostics.is_empty());
        }
    }

    #[test]
    fn saving_and_loading_changes_nothing(seed: u64) {
        let mut project = project_of(random_graph(&mut ChaCha8Rng::seed_from_u64(seed)));
        project.precise = seed % 2 == 1;
        let text = project.to_ron().unwrap();
        let read = Project::from_ron(&text).unwrap();
        prop_assert_eq!(&read, &project);
        prop_assert_eq!(read.to_ron().unwrap(), text);
    }

    #[test]
    fn free_names_are_free_and_good(seed: u64) {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let graph = random_graph(rng);
        let name = graph.free_name(&random_name(rng));
        prop_assert!(!graph.nodes().iter().any(|node| node.name == name));
        prop_assert!(!name.is_empty());
    }
}

/// A file from before the field opens and is written as the same bytes; only `true` is written.
#[test]
fn precise_is_absent_unless_it_is_asked_for() {
    let mut project = project_of(Graph::default());
    let plain = project.to_ron().unwrap();
    assert!(!plain.contains("precise"), "{plain}");
    assert!(!Project::from_ron(&plain).unwrap().precise);
    for example in EXAMPLES {
        assert!(!example.open().unwrap().precise, "{}", example.name);
    }
    project.precise = true;
    let text = project.to_ron().unwrap();
    assert_eq!(text.replace("  precise: true,\n", ""), plain);
    let read = Project::from_ron(&text).unwrap();
    assert!(read.precise);
    assert_eq!(read.to_ron().unwrap(), text);
}

/// 10,000 edits, each followed by inference; every tenth state is undone and done again.
#[test]
fn random_edits_never_fail_and_undo_is_exact() {
    let rng = &mut ChaCha8Rng::seed_from_u64(7);
    let mut graph = random_graph(rng);
    let facts = facts();
    let mut history = vec![graph.clone()];
    for step in 0..10_000 {
        random_edit(&mut graph, rng);
        if step % 10 == 0 {
            let inference = infer(&graph, &facts);
            assert!(inference.train.nodes.len() <= graph.nodes().len());
        }
        let inputs_end_connected =
            (graph.nodes().iter()).all(|node| node.inputs.0.last().is_none_or(Option::is_some));
        assert!(inputs_end_connected, "step {step}");
        history.push(graph.clone());
        if history.len() > 10 {
            let redo = history.pop().unwrap();
            let undone = history.last().unwrap().clone();
            let read = Project::from_ron(&project_of(undone.clone()).to_ron().unwrap()).unwrap();
            assert!(read.graph == undone, "step {step}");
            graph = redo;
            history.clear();
        }
    }
}

#[test]
fn removing_a_node_removes_its_wires_and_renaming_keeps_them() {
    let mut graph = Graph::default();
    let a = graph.add(Node::new("a", layerlab::layers::make("Data").unwrap()));
    let b = graph.add(Node::new(
        "b",
        layerlab::layers::make("InnerProduct").unwrap(),
    ));
    let c = graph.add(Node::new(
        "c",
        layerlab::layers::make("InnerProduct").unwrap(),
    ));
    graph.connect((a, 0), (b, 0));
    graph.connect((b, 0), (c, 0));
    graph.rename(b, "hidden");
    assert_eq!(
        graph.node(c).unwrap().inputs.get(0).unwrap().to_string(),
        "hidden"
    );
    assert!(graph.would_cycle(c, b));
    assert!(!graph.would_cycle(a, c));
    graph.remove(&BTreeSet::from([b]));
    assert!(graph.node(c).unwrap().inputs.0.is_empty());
}

#[test]
fn a_circle_blames_its_nodes_only() {
    let mut graph = Graph::default();
    let ids: Vec<NodeId> = (["a", "b", "c"].iter())
        .map(|name| {
            graph.add(Node::new(
                *name,
                layerlab::layers::make("InnerProduct").unwrap(),
            ))
        })
        .collect();
    graph.connect((ids[0], 0), (ids[1], 0));
    graph.connect((ids[1], 0), (ids[0], 0));
    graph.connect((ids[1], 0), (ids[2], 0));
    let inference = infer(&graph, &facts());
    let blamed: BTreeSet<_> = inference
        .diagnostics
        .iter()
        .filter_map(|d| d.node)
        .collect();
    assert_eq!(blamed, BTreeSet::from([ids[0], ids[1]]));
}

#[test]
fn unknown_layers_survive_and_unknown_fields_do_not() {
    let text = r#"(version: 1, title: "t", data: (source: "digits"), stages: [], graph: (nodes: [
        (name: "a", layer: Data),
        (name: "b", layer: Swish(beta: 1.5, mode: (x: [1, 2])), inputs: ["a"]),
    ]))"#;
    let project = Project::from_ron(text).unwrap();
    let again = Project::from_ron(&project.to_ron().unwrap()).unwrap();
    assert_eq!(again, project);
    assert!(
        project
            .to_ron()
            .unwrap()
            .contains("Swish(beta: 1.5, mode: (x: [1, 2]))")
    );
    let inference = infer(&project.graph, &facts());
    assert!(!inference.has_errors() && inference.diagnostics[0].message().contains("Swish"));

    let typo = text.replace("layer: Data", "layer: InnerProduct(num_outputs: 3)");
    let error = Project::from_ron(&typo).unwrap_err().to_string();
    assert!(
        error.contains("line 2") && error.contains("num_outputs"),
        "{error}"
    );
    let newer = text.replace("version: 1", "version: 2");
    assert!(
        Project::from_ron(&newer)
            .unwrap_err()
            .to_string()
            .contains("newer")
    );
    let extra = text.replace("stages: []", "stages: [], colour: 3");
    assert!(
        Project::from_ron(&extra)
            .unwrap_err()
            .to_string()
            .contains("colour")
    );
}

/// 10,000 edits through the window's own document, each undone and done again.
#[cfg(feature = "window")]
#[test]
fn the_documents_history_is_exact_over_random_edits() {
    use layerlab::gui::document::Document;
    use layerlab::i18n::Text;

    let rng = &mut ChaCha8Rng::seed_from_u64(11);
    let mut document = Document::new(project_of(random_graph(rng)), None);
    let mut changed = 0;
    for step in 0..10_000 {
        let before = document.project().clone();
        document.edit(Text::new("edit", "编辑"), None, |project| {
            random_edit(&mut project.graph, rng);
        });
        let after = document.project().clone();
        if after == before {
            continue;
        }
        changed += 1;
        assert!(
            document.undo() && *document.project() == before,
            "undo of step {step}"
        );
        assert!(
            document.redo() && *document.project() == after,
            "redo of step {step}"
        );
        if step % 50 == 0 {
            document.refresh(&facts());
        }
    }
    assert!(changed > 3_000, "only {changed} edits changed anything");
}
