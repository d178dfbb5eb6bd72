//! Caffe's network definitions (`NetParameter` in caffe.proto), current and V1, as projects.
//!
//! Which field of a layer is which of Caffe's follows from the catalogue ([`Field::caffe`]
//! (crate::graph::Field::caffe)); only what differs in kind is said here.

mod data;
mod head;
mod params;

pub(super) use data::TEST;
pub(super) use head::datas_shape;

use head::dims_of;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::fields::{Taken, take};
use super::kinds::{self, current_type};
use super::prototxt::{Entry, Message, Value};
use super::{Note, not_used, rules, wrong_value};
use crate::data::{DataConfig, Mean};
use crate::graph::{
    Graph, Inputs, Layer, Multiplier, Node, Phase, Phases, PortRef, PortType, Role,
};
use crate::i18n::{tr, tr_format};
use crate::layers;
use crate::project::Project;
use crate::train::Stage;

/// More layers are refused: nobody draws them, and inference is not made for them.
const MAX_LAYERS: usize = 5_000;

/// What a definition that says nothing of the rest becomes: one stage of training with default
/// settings, on digits.
pub fn blank() -> Project {
    Project {
        data: DataConfig {
            // What is held back where the source has no test set of its own.
            split: DataConfig::default().split,
            ..DataConfig::of("digits")
        },
        stages: vec![Stage::default()],
        ..Project::default()
    }
}

/// Reads a network over a project: the graph is new, and what the text does not speak of stays
/// as in `base`, the places of nodes of the same names too. A mean image is looked for from
/// `folder`, if there is one.
pub fn import_net(message: &Message, base: Project, folder: Option<&Path>) -> (Project, Vec<Note>) {
    let mut project = base;
    let old = std::mem::take(&mut project.graph);
    if let Some(name) = message.text("name") {
        project.title = name.to_owned();
    }
    project.graph.comments = old.comments.clone();
    project.graph.folded = old.folded.clone();
    let mut reader = Reader {
        project,
        folder,
        notes: Vec::new(),
        blobs: [BTreeMap::new(), BTreeMap::new()],
        owners: BTreeMap::new(),
        names: [BTreeSet::new(), BTreeSet::new()],
    };
    reader.head(message);
    reader.top_level_inputs(message);
    let is_layer = |entry: &&Entry| matches!(entry.name.as_str(), "layer" | "layers");
    for (index, entry) in message.0.iter().filter(is_layer).enumerate() {
        if index == MAX_LAYERS {
            reader.notes.push(entry.note(tr_format!(
                "only the first {MAX_LAYERS} layers are read",
                "只读取前 {MAX_LAYERS} 层"
            )));
            break;
        }
        match &entry.value {
            Value::Message(layer) => reader.layer(entry, layer),
            _ => reader.notes.push(wrong_value(entry)),
        }
    }
    place(&mut reader.project.graph, &old);
    (reader.project, reader.notes)
}

struct Reader<'a> {
    project: Project,
    folder: Option<&'a Path>,
    notes: Vec<Note>,
    /// By phase, the output that a blob's name means so far; in-place layers change it.
    blobs: [BTreeMap<String, PortRef>; 2],
    /// The node that first named a shared parameter.
    owners: BTreeMap<String, String>,
    /// By phase, names that are taken.
    names: [BTreeSet<String>; 2],
}

impl Reader<'_> {
    fn give_tops(&mut self, node: &Node, tops: &[String]) {
        for phase in node.phases.each() {
            for (port, top) in tops.iter().enumerate() {
                let from = PortRef::new(&node.name, port);
                self.blobs[phase as usize].insert(top.clone(), from);
            }
        }
    }

    /// A name that nodes may have and that no node of these phases has yet.
    fn free_name(&mut self, entry: &Entry, wanted: &str, phases: Phases) -> String {
        let mut name = node_name(wanted);
        let taken = |name: &str, names: &[BTreeSet<String>; 2]| {
            phases
                .each()
                .any(|phase| names[phase as usize].contains(name))
        };
        let plain = name.clone();
        let mut number = 2;
        while taken(&name, &self.names) {
            name = format!("{plain}_{number}");
            number += 1;
        }
        if name != wanted {
            self.notes.push(entry.note(tr_format!(
                "the layer “{wanted}” is called “{name}” here",
                "层“{wanted}”在此处名为“{name}”"
            )));
        }
        for phase in phases.each() {
            self.names[phase as usize].insert(name.clone());
        }
        name
    }

    fn layer(&mut self, entry: &Entry, message: &Message) {
        let kind = current_type(message.text("type").unwrap_or_default());
        let wanted = message.text("name").unwrap_or_default().to_owned();
        let Some(phases) = rules::phases(message) else {
            self.notes.push(entry.note(tr_format!(
                "the layer “{wanted}” is in neither phase and is left out",
                "层“{wanted}”不属于任何阶段，已略去"
            )));
            return;
        };
        let tops: Vec<String> = words(message, "top");
        let bottoms: Vec<String> = words(message, "bottom");
        if kind == "Split" {
            return self.split(&bottoms, &tops, phases);
        }
        if kind == "Input" {
            let shapes = message.get("input_param").and_then(Entry::message);
            let shapes: Vec<_> = shapes
                .into_iter()
                .flat_map(|m| m.all("shape"))
                .filter_map(dims_of)
                .collect();
            for (index, top) in tops.iter().enumerate() {
                let shape = shapes.get(index).or(shapes.last()).cloned();
                self.input(entry, top, shape.unwrap_or_default(), phases);
            }
            return;
        }
        let data = kinds::DATA.iter().find(|(data, _)| *data == kind);
        let (layer, mut kept) = match data {
            Some((_, own)) => {
                let kept = self.data(message, own, phases);
                (Box::new(layers::Data::default()) as Box<dyn Layer>, kept)
            }
            None => self.typed(entry, message, &kind),
        };
        if !rules::are_plain(message) {
            let is_rule = |entry: &Entry| matches!(entry.name.as_str(), "include" | "exclude");
            kept.merge(message.filtered(is_rule));
        }
        if data.is_some() && self.joins(&wanted, phases, &tops, &kept) {
            return;
        }
        let name = self.free_name(entry, &wanted, phases);
        let mut node = Node::new(name, layer);
        node.phases = phases;
        self.wire(entry, &mut node, &bottoms);
        self.params(entry, message, &mut node);
        if let Some(weight) = message.get("loss_weight") {
            node.loss_weight = weight.real();
        }
        let in_place = tops == bottoms;
        let usual = kinds::usual_tops(&node);
        let is_usual = usual.starts_with(&tops) && (data.is_some() || usual.len() == tops.len());
        if !in_place && !is_usual {
            kept.merge(message.filtered(|entry| entry.name == "top"));
        }
        node.caffe = kept.in_order().to_string();
        self.own_fields(message, &mut node);
        self.give_tops(&node, &tops);
        self.project.graph.add(node);
    }

    /// A wire may be read by many here, so a copy is its source.
    fn split(&mut self, bottoms: &[String], tops: &[String], phases: Phases) {
        for phase in phases.each() {
            let blobs = &mut self.blobs[phase as usize];
            let source = bottoms.first().and_then(|blob| blobs.get(blob)).cloned();
            let Some(source) = source else { continue };
            blobs.extend(tops.iter().map(|top| (top.clone(), source.clone())));
        }
    }

    /// What Layerlab alone says of a node.
    fn own_fields(&mut self, message: &Message, node: &mut Node) {
        let at: Vec<f64> = message.all("position").filter_map(Entry::real).collect();
        if let [x, y] = at[..] {
            node.position = [x as f32, y as f32];
        }
        for entry in message.0.iter().filter(|entry| entry.own) {
            match (entry.name.as_str(), entry.word()) {
                ("comment", Some(word)) => node.comment = word.to_owned(),
                ("key", Some(word)) => node.key = Some(word.to_owned()),
                _ => {}
            }
        }
    }

    /// A layer of the catalogue with its parameters, or one that keeps its text; and what else
    /// Caffe says of it.
    fn typed(&mut self, entry: &Entry, message: &Message, kind: &str) -> (Box<dyn Layer>, Message) {
        let Some(own) = kinds::entry(kind) else {
            self.notes.push(entry.note(tr_format!(
                "the layer type {kind} is not known; it is kept, but cannot run",
                "未知的层类型 {kind}；予以保留，但无法运行"
            )));
            return (unknown(message, kind), Message::default());
        };
        let mut layer = kinds::usual(own);
        let own = kinds::message_of(own.spec());
        let taken = take(&mut *layer, message, &own, &mut self.notes);
        let kept = self.rest(message, &taken, kind);
        (layer, kept)
    }

    /// Notes and returns what a layer says beside what was read of it.
    fn rest(&mut self, message: &Message, taken: &Taken, kind: &str) -> Message {
        const READ: [&str; 11] = [
            "name",
            "type",
            "top",
            "bottom",
            "include",
            "exclude",
            "param",
            "loss_weight",
            "blobs_lr",
            "weight_decay",
            "phase",
        ];
        let mut kept = Message::default();
        for entry in &message.0 {
            let read = taken.get(&entry.name);
            match (&entry.value, read) {
                _ if entry.own || READ.contains(&entry.name.as_str()) => {}
                (Value::Message(part), Some(read)) => {
                    let is_left = |entry: &Entry| !entry.own && !read.contains(&entry.name);
                    let left = part.filtered(is_left);
                    self.notes
                        .extend(left.0.iter().map(|entry| not_used(entry, kind)));
                    if !left.0.is_empty() {
                        let mut rest = Message::default();
                        rest.put(&entry.name, Value::Message(left));
                        kept.merge(rest);
                    }
                }
                (_, Some(_)) => self.notes.push(wrong_value(entry)),
                (_, None) => {
                    self.notes.push(not_used(entry, kind));
                    kept.0.push(entry.clone());
                }
            }
        }
        kept
    }

    /// Leads every bottom to the output that its name means, in both phases.
    fn wire(&mut self, entry: &Entry, node: &mut Node, bottoms: &[String]) {
        let ports = node.layer.inputs();
        let mut wires = [Inputs::default(), Inputs::default()];
        for phase in node.phases.each() {
            for (port, blob) in bottoms.iter().enumerate() {
                let mut from = self.blobs[phase as usize].get(blob).cloned();
                if from.is_none() {
                    let name = &node.name;
                    self.notes.push(entry.note(tr_format!(
                        "“{name}” reads “{blob}”, which no layer before it gives",
                        "“{name}”读取“{blob}”，但之前没有层给出它"
                    )));
                }
                // Labels of a data layer are classes or real numbers, as their reader needs.
                if let Some(from) = &mut from
                    && from.port == 1
                    && ports
                        .port(port)
                        .is_some_and(|port| port.kind == PortType::Tensor)
                    && let Some(source) = self.project.graph.named(&from.node, phase)
                    && source.layer.spec().role == Role::Data
                {
                    from.port = 2;
                }
                wires[phase as usize].set(port, from);
            }
        }
        let [train, test] = wires;
        match node.phases {
            Phases::Test => node.inputs = test,
            Phases::Both if test != train => (node.inputs, node.test_inputs) = (train, Some(test)),
            _ => node.inputs = train,
        }
    }
}

/// Caffe's name of a layer as one that a node may have.
pub(super) fn node_name(caffe: &str) -> String {
    let allowed = |c: char| match c {
        '.' | ':' | '"' => '_',
        c if c.is_control() => '_',
        c => c,
    };
    let name: String = caffe.chars().map(allowed).collect();
    match name.is_empty() {
        true => "layer".to_owned(),
        false => name,
    }
}

/// A layer that keeps its text: what neither the node nor its wires say.
fn unknown(message: &Message, kind: &str) -> Box<dyn Layer> {
    if let Some(text) = message.get("text").filter(|entry| entry.own)
        && let Ok(layer) = layers::parse(text.word().unwrap_or_default())
    {
        return layer;
    }
    let name: String = kind
        .chars()
        .filter(|c| c.is_alphanumeric() || *c == '_')
        .collect();
    // A name of ours that is left of another one, or no name at all, would be read as such.
    let is_own = layers::entry(&name).is_some();
    let name = match name.starts_with(|c: char| c.is_alphabetic()) && !is_own {
        true => name,
        false => format!("Unknown{name}"),
    };
    const ELSEWHERE: [&str; 6] = ["name", "bottom", "top", "include", "exclude", "loss_weight"];
    let rest = |entry: &Entry| !entry.own && !ELSEWHERE.contains(&entry.name.as_str());
    let kept = ron::to_string(&message.filtered(rest).to_string()).unwrap_or_default();
    let text = format!("{name}(prototxt: {kept})");
    layers::parse(&text).unwrap_or_else(|_| Box::new(layers::Input::default()))
}

fn words(message: &Message, name: &str) -> Vec<String> {
    message
        .all(name)
        .filter_map(|entry| entry.word().map(str::to_owned))
        .collect()
}

/// Where a node stands that has no place: from left to right as the layers follow each other, in
/// rows.
pub(super) fn usual_place(index: usize) -> [f32; 2] {
    const ACROSS: f32 = 220.0;
    const DOWN: f32 = 150.0;
    const ROW: usize = 8;
    [(index % ROW) as f32 * ACROSS, (index / ROW) as f32 * DOWN]
}

/// Nodes that an older graph had stay where they were; others are where their text says, or in
/// their row.
pub(in crate::interop) fn place(graph: &mut Graph, old: &Graph) {
    let new = graph.succeed(old);
    let ids: Vec<_> = graph.nodes().iter().map(|node| node.id).collect();
    for index in new {
        if let Some(node) = graph.node_mut(ids[index])
            && node.position == [0.0; 2]
        {
            node.position = usual_place(index);
        }
    }
}
