//! The script of a small network as text, what cannot become code, and every layer once.

use super::layers::Site;
use super::*;
use crate::graph::{
    DataFacts, InferContext, Inferred, Inputs, Node, ParamSpec, PortRef, Role, Shape,
};
use crate::layers::{CATALOGUE, parse};

fn node(name: &str, layer: &str, inputs: &[&str]) -> Node {
    let mut node = Node::new(name, parse(layer).unwrap());
    node.inputs = Inputs(
        inputs
            .iter()
            .map(|name| Some(PortRef::parse(name)))
            .collect(),
    );
    node
}

fn project(nodes: Vec<Node>) -> Project {
    let mut project = Project {
        title: "Small".to_owned(),
        ..Project::default()
    };
    nodes
        .into_iter()
        .for_each(|node| _ = project.graph.add(node));
    project
}

fn options() -> ScriptOptions {
    ScriptOptions {
        facts: Facts {
            data: Some(DataFacts::classified(vec![3, 8, 8], 2)),
            ..Facts::default()
        },
        classes: vec!["cat".to_owned(), "dog \" \\".to_owned()],
        ..ScriptOptions::default()
    }
}

/// The class alone.
fn class_of(text: &str) -> &str {
    let begin = text.find("class Net").unwrap();
    let end = text.find("\n\n\n@torch.no_grad()").unwrap();
    &text[begin..end]
}

#[test]
fn a_small_network_reads_as_a_person_would_write_it() {
    let project = project(vec![
        node("data", "Data", &[]),
        node(
            "block/0/conv",
            "Convolution(num_output: 4, stride: (2, 1), pad: (1, 1))",
            &["data"],
        ),
        node("block/relu", "ReLU", &["block/0/conv"]),
        node(
            "pool",
            "Pooling(kernel: (3, 3), stride: (2, 2))",
            &["block/relu"],
        ),
        node("fc", "InnerProduct(num_output: \"classes\")", &["pool"]),
        node("loss", "SoftmaxWithLoss", &["fc", "data:1"]),
    ]);
    let text = script(&project, &options()).unwrap();
    let expected = r#"class Net(Group):
    def __init__(self):
        super().__init__()
        self.block = Group()
        self.block["0"] = Group()
        # block/0
        self.block["0"].conv = nn.Conv2d(3, 4, 3, stride=(2, 1), padding=1)
        self.fc = nn.Linear(32, 2)

    def forward(self, data):
        # block/0
        block_0_conv = self.block["0"].conv(data)
        # block
        block_relu = F.relu(block_0_conv)
        pool = F.max_pool2d(block_relu, 3, 2, ceil_mode=True)
        fc = self.fc(pool.flatten(1))
        return fc

    def loss(self, data, label):
        """The objective in training."""
        fc = self(data)
        return F.cross_entropy(fc, label.long())"#;
    assert_eq!(class_of(&text), expected);
    assert!(text.contains("CLASSES = [\"cat\", \"dog \\\" \\\\\"]\n"));
    assert!(text.contains("nn.init.constant_(net.fc.bias, 0.0)"));
}

#[test]
fn no_text_of_a_project_becomes_code() {
    let evil = "x\nimport os\r\u{c}\0\u{2028}\u{202e}coding: utf-7 \"\"\" ''' \\";
    let mut project = project(vec![
        node("data", "Data", &[]),
        node(
            "a'); import os #/train",
            "InnerProduct(num_output: 2)",
            &["data"],
        ),
    ]);
    (project.title, project.about) = (evil.to_owned(), evil.repeat(30));
    let mut options = options();
    options.classes = vec![evil.to_owned(), "猫".to_owned()];
    let text = script(&project, &options).unwrap();
    // Python looks at the first two lines for the file's encoding.
    assert!(text.lines().take(2).all(|line| !line.contains("coding")));
    let hidden = |c: char| c != '\n' && (c.is_control() || matches!(c, '\u{2028}' | '\u{202e}'));
    assert_eq!(text.find(hidden), None);
    for line in text.lines().filter(|line| line.contains("import os")) {
        let line = line.trim_start();
        let is_quoted = line
            .starts_with("CLASSES = [\"x\\u000aimport os\\u000d\\u000c\\u0000\\u2028\\u202ecoding");
        let is_key =
            line.matches("[\"a'); import os #\"]").count() == line.matches("import os").count();
        assert!(line.starts_with('#') || is_quoted || is_key, "{line}");
    }
    assert!(text.contains("self[\"a'); import os #\"][\"train\"] = nn.Linear(192, 2)"));
    assert!(text.contains("\"猫\""));
}

/// A layer with inputs that it takes, in a place of its own.
fn placed(layer: &dyn crate::graph::Layer) -> Option<(Vec<Shape>, Inferred)> {
    let data = DataFacts::classified(vec![4, 8, 8], 4);
    let context = InferContext {
        phase: Phase::Train,
        classes: Some(4),
        data: Some(&data),
        example: Some(&[4, 8, 8]),
    };
    let shapes = [&[4, 8, 8][..], &[8, 8], &[8], &[4], &[]].map(|dims| Shape::batch_of(None, dims));
    let ports = layer.inputs();
    let counts = ports.required.max(1)..=ports.ports.len().max(2);
    for count in counts {
        for first in &shapes {
            for other in &shapes {
                let mut inputs = vec![first.clone(); count];
                if count > 1 {
                    inputs[count - 1] = other.clone();
                }
                let read: Vec<&Shape> = inputs.iter().collect();
                if let Ok(inferred) = layer.infer(&context, &read) {
                    return Some((inputs, inferred));
                }
            }
        }
    }
    None
}

#[test]
fn every_layer_of_the_catalogue_has_a_counterpart() {
    let mut written = 0;
    for entry in CATALOGUE {
        let (layer, spec) = (entry.make(), entry.spec());
        if !matches!(spec.role, Role::Layer | Role::Loss) || layer.outputs().is_empty() {
            continue;
        }
        let (shapes, inferred) =
            placed(&*layer).unwrap_or_else(|| panic!("{}: no shape", spec.name));
        let params = inferred
            .params
            .iter()
            .map(|spec| (spec.suffix.to_owned(), spec.clone()));
        let params: Vec<(String, ParamSpec)> = params.collect();
        let site = Site {
            layer: &*layer,
            args: (0..shapes.len()).map(|index| format!("x{index}")).collect(),
            shapes: shapes.iter().collect(),
            outputs: &inferred.outputs,
            params: &params,
            module: "self.layer".to_owned(),
        };
        if spec.role == Role::Loss {
            assert!(losses::loss(&site).is_some(), "{}", spec.name);
        } else {
            let found = site.written().unwrap_or_else(|| panic!("{}", spec.name));
            assert_eq!(found.module.is_some(), !params.is_empty(), "{}", spec.name);
        }
        written += 1;
    }
    assert!(written > 45, "{written}");
}

#[test]
fn what_has_no_counterpart_is_refused_by_name_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.py");
    let unknown = project(vec![
        node("data", "Data", &[]),
        node("odd", "Proposal(scale: 3)", &["data"]),
    ]);
    let mut shared = project(vec![
        node("data", "Data", &[]),
        node("a", "Convolution(num_output: 4)", &["data"]),
        node("b", "Convolution(num_output: 4, stride: (2, 2))", &["data"]),
    ]);
    let id = shared.graph.nodes()[2].id;
    shared.graph.node_mut(id).unwrap().key = Some("a".to_owned());
    for (project, name) in [(unknown, "odd"), (shared, "“b”")] {
        let error = save(&project, &options(), None, &path)
            .unwrap_err()
            .to_string();
        assert!(error.contains(name), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

#[test]
fn nodes_of_one_key_share_a_submodule() {
    let mut project = project(vec![
        node("data", "Data", &[]),
        node("a", "InnerProduct(num_output: 4)", &["data"]),
        node("b", "InnerProduct(num_output: 4)", &["data"]),
    ]);
    let id = project.graph.nodes()[2].id;
    project.graph.node_mut(id).unwrap().key = Some("a".to_owned());
    let text = script(&project, &options()).unwrap();
    assert_eq!(text.matches("nn.Linear").count(), 1);
    assert!(text.contains("b = self.a(data.flatten(1))"));
    assert!(text.contains("return {\"a\": a, \"b\": b}"));
}
