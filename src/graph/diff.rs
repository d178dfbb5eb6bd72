//! What is different between two graphs: nodes that are only in one, and what has changed in
//! those that are in both.
//!
//! Nodes are the same by name and phases; then, where a name is gone, by the key of their
//! parameters, or by the last part of their name and their type: such a node was renamed.

use std::collections::{BTreeMap, BTreeSet};

use super::{Graph, Inputs, Node, NodeId, Phase, PortRef, leaf, settings};

/// Something that has changed: what, by its name in files, before and after.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    pub what: String,
    pub before: String,
    pub after: String,
}

impl Change {
    pub fn new(what: impl Into<String>, before: impl ToString, after: impl ToString) -> Self {
        Self {
            what: what.into(),
            before: before.to_string(),
            after: after.to_string(),
        }
    }
}

/// A node that is in both graphs and not the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Changed {
    pub before: NodeId,
    pub after: NodeId,
    /// In the order of the form; empty if it only stands elsewhere.
    pub changes: Vec<Change>,
}

/// What is different, in the order of the graphs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GraphDiff {
    /// Of the second graph.
    pub added: Vec<NodeId>,
    /// Of the first graph.
    pub removed: Vec<NodeId>,
    pub changed: Vec<Changed>,
    /// Stands elsewhere and is otherwise the same, by its id in the second graph.
    pub moved: Vec<NodeId>,
}

impl GraphDiff {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What has to be done to `a` to get `b`.
pub fn diff(a: &Graph, b: &Graph) -> GraphDiff {
    let pairs = pairs(a, b);
    let names: BTreeMap<&str, &str> = (pairs.iter())
        .map(|(old, new)| (old.name.as_str(), new.name.as_str()))
        .collect();
    let (mut old, mut new) = (BTreeSet::new(), BTreeSet::new());
    let mut diff = GraphDiff::default();
    for (before, after) in &pairs {
        old.insert(before.id);
        new.insert(after.id);
        let changes = changes(before, after, &names);
        if !changes.is_empty() {
            diff.changed.push(Changed {
                before: before.id,
                after: after.id,
                changes,
            });
        } else if before.position != after.position {
            diff.moved.push(after.id);
        }
    }
    let only = |graph: &Graph, known: &BTreeSet<NodeId>| -> Vec<NodeId> {
        let ids = graph.nodes().iter().map(|node| node.id);
        ids.filter(|id| !known.contains(id)).collect()
    };
    diff.removed = only(a, &old);
    diff.added = only(b, &new);
    diff
}

/// The nodes of both graphs that are the same ones, in the order of the second.
fn pairs<'a>(a: &'a Graph, b: &'a Graph) -> Vec<(&'a Node, &'a Node)> {
    let mut left: Vec<&Node> = a.nodes().iter().collect();
    let mut heirs: Vec<Option<&Node>> = vec![None; b.nodes().len()];
    let identity: [fn(&Node) -> String; 3] = [
        |node| format!("{:?} {}", node.phases, node.name),
        |node| node.name.clone(),
        |node| format!("{} {}", node.layer.title(), node.param_key("")),
    ];
    let by_leaf: fn(&Node) -> String =
        |node| format!("{} {}", node.layer.title(), leaf(&node.name));
    for (round, key) in identity.into_iter().chain([by_leaf]).enumerate() {
        let mut by_key: BTreeMap<String, Vec<&Node>> = BTreeMap::new();
        for node in &left {
            by_key.entry(key(node)).or_default().push(node);
        }
        let mut wanted: BTreeMap<String, usize> = BTreeMap::new();
        for (node, _) in b
            .nodes()
            .iter()
            .zip(&heirs)
            .filter(|(_, heir)| heir.is_none())
        {
            *wanted.entry(key(node)).or_default() += 1;
        }
        for (node, heir) in b
            .nodes()
            .iter()
            .zip(&mut heirs)
            .filter(|(_, heir)| heir.is_none())
        {
            let found = by_key.get_mut(&key(node)).filter(|found| {
                // What is only alike must be the only one on both sides.
                round < 3 || found.len() == 1 && wanted[&key(node)] == 1
            });
            if let Some(found) = found.filter(|found| !found.is_empty()) {
                *heir = Some(found.remove(0));
            }
        }
        let taken: BTreeSet<NodeId> = heirs.iter().flatten().map(|node| node.id).collect();
        left.retain(|node| !taken.contains(&node.id));
    }
    let new = b.nodes().iter();
    new.zip(heirs)
        .filter_map(|(new, old)| Some((old?, new)))
        .collect()
}

fn changes(old: &Node, new: &Node, names: &BTreeMap<&str, &str>) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut note = |what: &str, before: String, after: String| {
        if before != after {
            changes.push(Change::new(what, before, after));
        }
    };
    note("name", old.name.clone(), new.name.clone());
    let (before, after) = (old.layer.title(), new.layer.title());
    note("type", before.to_owned(), after.to_owned());
    let (before, after) = (settings(&*old.layer), settings(&*new.layer));
    for (name, value) in &before {
        match after.iter().find(|(other, _)| other == name) {
            Some((_, other)) => note(name, value.text(), other.text()),
            None => note(name, value.text(), String::new()),
        }
    }
    for (name, value) in &after {
        if !before.iter().any(|(other, _)| other == name) {
            note(name, String::new(), value.text());
        }
    }
    for phase in Phase::BOTH {
        let (before, after) = (old.inputs_in(phase), new.inputs_in(phase));
        let same_as_train = phase == Phase::Test
            && (before, after) == (old.inputs_in(Phase::Train), new.inputs_in(Phase::Train));
        if !same_as_train {
            let what = match (phase, &old.test_inputs, &new.test_inputs) {
                (_, None, None) | (Phase::Train, ..) => "inputs",
                (Phase::Test, ..) => "test_inputs",
            };
            note(what, wires(before, Some(names)), wires(after, None));
        }
    }
    note("phases", phases(old), phases(new));
    note("key", old.param_key(""), new.param_key(""));
    note(
        "loss_weight",
        old.loss_weight().to_string(),
        new.loss_weight().to_string(),
    );
    let suffixes: BTreeSet<&String> = old
        .multipliers
        .keys()
        .chain(new.multipliers.keys())
        .collect();
    for suffix in suffixes {
        let text = |node: &Node| {
            let multiplier = node.multiplier(suffix);
            format!("lr {}, decay {}", multiplier.lr, multiplier.decay)
        };
        note(&format!("multipliers.{suffix}"), text(old), text(new));
    }
    note("comment", old.comment.clone(), new.comment.clone());
    note("caffe", old.caffe.clone(), new.caffe.clone());
    // The usual key follows the name; that was said already.
    let renamed = old.name != new.name && old.key.is_none() && new.key.is_none();
    changes.retain(|change| !(renamed && change.what == "key"));
    changes
}

/// The sources of the inputs; with `names`, under the names that they have now.
fn wires(inputs: &Inputs, names: Option<&BTreeMap<&str, &str>>) -> String {
    let text = |from: &Option<PortRef>| match from {
        None => "–".to_owned(),
        Some(from) => {
            let name = names.and_then(|names| names.get(from.node.as_str()).copied());
            PortRef::new(name.unwrap_or(&from.node), from.port).to_string()
        }
    };
    inputs.0.iter().map(text).collect::<Vec<_>>().join(", ")
}

fn phases(node: &Node) -> String {
    format!("{:?}", node.phases).to_lowercase()
}
