//! Names: where PyTorch's exporters, and other programs, say that an operator stands, and what
//! the nodes and their parameters are called in the end.

use std::collections::{BTreeMap, BTreeSet};

use candle_core::Tensor;

use super::super::Broken;
use super::super::proto::NodeView;
use super::{Draft, Drafted};
use crate::graph::{Graph, Inputs, Node, PortRef};
use crate::i18n::tr_format;
use crate::layers::{Flatten, InnerProduct};

/// Groups inside each other; what lies deeper is told apart by its name alone.
const DEEPEST: usize = 12;

/// The graph, its weights by key, and the notes.
pub(in crate::interop::onnx) type Finished = (Graph, BTreeMap<String, Tensor>, Vec<String>);

/// Where an operator stands.
#[derive(Clone)]
pub(in crate::interop::onnx) struct Place {
    /// Groups, and perhaps the node's own name.
    pub path: Vec<String>,
    /// What the operator is called below, where others share the path.
    pub own: String,
    /// Whether the names of its weights say more: a fused operator is called after its last part.
    pub vague: bool,
}

impl Place {
    pub fn new(path: Vec<String>, own: impl Into<String>) -> Self {
        Self {
            path,
            own: own.into(),
            vague: false,
        }
    }
}

pub(super) fn place(node: &NodeView<'_>) -> Place {
    // `: models.ResNet/layer1: Sequential/layer1.0: BasicBlock/relu_1: aten.relu.default`
    if !node.scope.is_empty() {
        let names = node.scope.split('/').map(|part| {
            let (name, _) = part.split_once(':').unwrap_or((part, ""));
            name.trim()
        });
        let mut names: Vec<&str> = names.collect();
        let own = names.pop().unwrap_or_default();
        return Place {
            vague: true,
            ..Place::new(components(&names), word(own, node.op))
        };
    }
    // `/layer1/layer1.0/relu_1/Relu`
    if let Some(name) = node.name.strip_prefix('/') {
        let mut names: Vec<&str> = name.split('/').collect();
        let own = names.pop().unwrap_or_default();
        return Place::new(components(&names), word(own, node.op));
    }
    let name = match node.name {
        "" => node.outputs.first().copied().unwrap_or_default(),
        name => name,
    };
    // `Conv_12`, which says nothing.
    if name
        .trim_end_matches(|c: char| c.is_ascii_digit())
        .trim_end_matches('_')
        == node.op
    {
        return Place {
            vague: true,
            ..Place::new(Vec::new(), word(name, node.op))
        };
    }
    let path = name.split('/').filter(|part| !part.is_empty());
    Place::new(path.map(legal).collect(), "")
}

/// Modules inside each other, each with its whole name: `layer1`, `layer1.0` is `layer1`, `0`.
fn components(names: &[&str]) -> Vec<String> {
    let mut path = Vec::new();
    let mut whole = "";
    for name in names.iter().filter(|name| !name.is_empty()) {
        let inside = name
            .strip_prefix(whole)
            .and_then(|rest| match whole.is_empty() {
                true => Some(rest),
                false => rest.strip_prefix('.'),
            });
        if *name != whole {
            path.extend(
                inside
                    .unwrap_or(name)
                    .split('.')
                    .filter(|part| !part.is_empty())
                    .map(legal),
            );
        }
        whole = name;
    }
    path
}

/// `Relu_12` is `relu`.
fn word(own: &str, op: &str) -> String {
    let stem = own.trim_end_matches(|c: char| c.is_ascii_digit());
    let stem = match stem.strip_suffix('_') {
        Some(stem) if stem.len() < own.len() => stem,
        _ => own,
    };
    let stem = if stem.is_empty() { op } else { stem };
    legal(stem).to_lowercase()
}

fn legal(part: &str) -> String {
    let allowed = |c: char| match c {
        '.' | ':' | '"' | '/' => '_',
        c if c.is_control() => '_',
        c => c,
    };
    part.chars().map(allowed).collect()
}

/// The graph under its names, and its weights by their keys.
pub(in crate::interop::onnx) fn finish(drafted: Drafted) -> Result<Finished, Broken> {
    let Drafted {
        mut drafts,
        mut notes,
        numbers,
    } = drafted;
    join_last_steps(&mut drafts);
    join_flattens(&mut drafts);
    let names = names(&mut drafts);
    let mut keys = Keys {
        room: numbers.saturating_mul(8).max(1 << 24),
        ..Keys::default()
    };
    let mut graph = Graph::default();
    let real = |drafts: &[Draft], mut index: usize| {
        while let Some(other) = drafts[index].merged {
            index = other;
        }
        index
    };
    for (index, name) in names.iter().enumerate() {
        if drafts[index].merged.is_some() {
            continue;
        }
        let from = |from: &Option<(usize, usize)>| {
            let (draft, port) = (*from)?;
            Some(PortRef::new(names[real(&drafts, draft)].clone(), port))
        };
        let inputs = Inputs(drafts[index].inputs.iter().map(from).collect());
        let mut node = Node::new(name.clone(), drafts[index].layer.clone_layer());
        node.inputs = inputs;
        node.key = keys.take(&mut drafts[index], &node)?;
        graph.add(node);
    }
    notes.dedup();
    Ok((graph, keys.tensors, notes))
}

/// A recurrent layer of which only the last step is read gives no other.
fn join_last_steps(drafts: &mut [Draft]) {
    let only_reader = |drafts: &[Draft], of: usize| {
        let reads = |draft: &Draft| draft.inputs.iter().flatten().any(|(from, _)| *from == of);
        let mut readers = (0..drafts.len())
            .filter(|index| drafts[*index].merged.is_none() && reads(&drafts[*index]));
        readers.next().filter(|_| readers.next().is_none())
    };
    for slice in 0..drafts.len() {
        let Some(sequence) = drafts[slice].last_of else {
            continue;
        };
        if only_reader(drafts, sequence) != Some(slice) {
            continue;
        }
        let Some(flat) = only_reader(drafts, slice) else {
            continue;
        };
        if let Some(layer) = super::recurrent::of_last(&*drafts[sequence].layer) {
            drafts[sequence].layer = layer;
            drafts[slice].merged = Some(sequence);
            drafts[flat].merged = Some(sequence);
        }
    }
}

/// A full connection flattens by itself: where we wrote that apart, it is one again.
fn join_flattens(drafts: &mut [Draft]) {
    for full in 0..drafts.len() {
        let Some(Some((flat, 0))) = drafts[full].inputs.first().copied() else {
            continue;
        };
        let is_ours = |drafts: &[Draft]| {
            let (flat, full) = (&drafts[flat], &drafts[full]);
            let name = format!("{}_flatten", full.place.path.join("/"));
            flat.layer.as_any().is::<Flatten>()
                && full.layer.as_any().is::<InnerProduct>()
                && flat.place.own.is_empty()
                && flat.place.path.join("/") == name
        };
        if is_ours(drafts) {
            drafts[full].inputs = drafts[flat].inputs.clone();
            drafts[flat].merged = Some(full);
        }
    }
}

/// By draft, each name once; a node stands in no group of its own name.
fn names(drafts: &mut [Draft]) -> Vec<String> {
    for draft in drafts.iter_mut().filter(|draft| draft.place.vague) {
        if let Some(key) = draft.key.as_ref().filter(|key| is_path(key)) {
            draft.place.path = key.split('.').map(legal).collect();
        }
    }
    let mut counts: BTreeMap<Vec<String>, usize> = BTreeMap::new();
    for draft in drafts.iter().filter(|draft| draft.merged.is_none()) {
        *counts.entry(draft.place.path.clone()).or_insert(0) += 1;
    }
    let is_group = |path: &[String]| {
        let after = counts
            .range(path.to_vec()..)
            .find(|(other, _)| other.as_slice() != path);
        after.is_some_and(|(other, _)| other.starts_with(path))
    };
    let mut taken = BTreeSet::new();
    let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
    let mut names = Vec::with_capacity(drafts.len());
    for draft in drafts.iter() {
        if draft.merged.is_some() {
            names.push(String::new());
            continue;
        }
        let mut path = draft.place.path.clone();
        let is_alone = counts.get(&path) == Some(&1) && !is_group(&path);
        if !draft.place.own.is_empty() && (path.is_empty() || !is_alone) {
            // `relu/relu` and `relu/relu_1` are `relu` and `relu_2`.
            if path.last() == Some(&draft.place.own) && !is_group(&draft.place.path) {
                path.pop();
            }
            path.push(draft.place.own.clone());
        }
        if path.len() > DEEPEST {
            let rest = path.split_off(DEEPEST - 1).join("_");
            path.push(rest);
        }
        let plain = match path.join("/") {
            name if name.is_empty() => "node".to_owned(),
            name => name,
        };
        // From the number on that was free last.
        let last = numbers.entry(plain.clone()).or_insert(1);
        let mut name = plain.clone();
        while !taken.insert(name.clone()) {
            *last += 1;
            name = format!("{plain}_{last}");
        }
        names.push(name);
    }
    names
}

/// Whether a name is one of modules inside each other.
fn is_path(key: &str) -> bool {
    let is_word = |part: &str| {
        !part.is_empty()
            && part
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
    };
    key.split('.').all(is_word)
}

/// The weights by key; equal keys have one origin.
#[derive(Default)]
struct Keys {
    origins: BTreeMap<String, String>,
    tensors: BTreeMap<String, Tensor>,
    /// How many numbers may still be copied: a small file cannot make large weights by giving the
    /// same ones under many names.
    room: usize,
}

impl Keys {
    /// Puts a node's weights under the prefix that the file gives them, or under its name; returns
    /// the prefix, where it is not the name.
    fn take(&mut self, draft: &mut Draft, node: &Node) -> Result<Option<String>, Broken> {
        let usual = node.name.replace('/', ".");
        let fits = |prefix: &String| {
            draft.params.iter().all(|param| {
                let key = format!("{prefix}.{}", param.suffix);
                self.origins
                    .get(&key)
                    .is_none_or(|origin| *origin == param.origin)
            })
        };
        let numbered = (2..).map(|number| format!("{usual}_{number}"));
        let given = draft.key.clone().filter(|key| is_path(key));
        let mut prefixes = given.into_iter().chain([usual.clone()]).chain(numbered);
        let prefix = prefixes.find(fits).unwrap_or_else(|| usual.clone());
        let has_params = !draft.params.is_empty();
        // Each key has numbers that are its own, because training changes them in place.
        for param in draft.params.drain(..) {
            let key = format!("{prefix}.{}", param.suffix);
            if self.origins.insert(key.clone(), param.origin).is_some() {
                continue;
            }
            let room = self.room.checked_sub(param.tensor.elem_count());
            self.room = room.ok_or_else(|| {
                Broken(tr_format!(
                    "the same weights stand under too many names, such as {key}",
                    "同一权重以过多的名称出现，例如 {key}"
                ))
            })?;
            self.tensors.insert(key, param.tensor.force_contiguous()?);
        }
        Ok((prefix != usual && has_params).then_some(prefix))
    }
}

/// How a note names an operator.
pub(super) fn note(node: &NodeView<'_>, why: &str) -> String {
    let title = node.title();
    tr_format!("{title}: {why}", "{title}：{why}")
}
