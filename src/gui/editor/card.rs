//! What a box in the editor says: made from the graph and its inference whenever they change,
//! so that drawing a frame only reads.

mod words;

use std::collections::{BTreeMap, BTreeSet};

use crate::graph::{
    Family, Graph, Inference, InputPorts, Node, NodeId, Phase, Phases, PortType, Role, Severity,
    Wire,
};
use crate::i18n::tr_format;
use words::{about_pin, cost, costs, example_shape, parameter_lines};

/// What a box stands for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    Node(NodeId),
    /// A folded group.
    Group(String),
    /// By its place in the graph's list.
    Comment(usize),
}

/// A box.
#[derive(Clone, Debug, PartialEq)]
pub struct Card {
    pub key: Key,
    /// The nodes that the box stands for.
    pub nodes: Vec<NodeId>,
    /// The whole name, and what of it is shown: a frame around its group says the rest.
    pub name: String,
    pub title: String,
    pub kind: String,
    pub family: Family,
    /// Set where the node is not in both phases.
    pub phases: Option<Phases>,
    /// The main parameters, a line or two.
    pub lines: Vec<String>,
    /// Number of learnable parameters, cost.
    pub cost: String,
    pub badge: Option<(Severity, String)>,
    /// How many of its nodes have something to learn, and how many of those are frozen.
    pub frozen: (usize, usize),
    pub inputs: Vec<Pin>,
    pub outputs: Vec<Pin>,
    /// Of a comment: its text and size.
    pub comment: Option<(String, [f32; 2])>,
}

/// An input or output of a box.
#[derive(Clone, Debug, PartialEq)]
pub struct Pin {
    /// The node and port that it leads to.
    pub at: (NodeId, usize),
    pub label: String,
    pub kind: PortType,
    /// For hover: whose port this is, its type and shape.
    pub about: String,
    pub wired: bool,
    /// Of a folded group: the other inputs that read the same source.
    pub more: Vec<(NodeId, usize)>,
}

impl Pin {
    /// Every node and port that it leads to.
    pub fn every(&self) -> impl Iterator<Item = (NodeId, usize)> {
        std::iter::once(self.at).chain(self.more.iter().copied())
    }
}

/// Every box of the graph with the place of its left and top corner.
pub fn cards(graph: &Graph, inference: &Inference) -> Vec<(Card, [f32; 2])> {
    let mut badges: BTreeMap<NodeId, (Severity, String)> = BTreeMap::new();
    for diagnostic in &inference.diagnostics {
        let Some(id) = diagnostic.node else { continue };
        let badge = badges
            .entry(id)
            .or_insert((diagnostic.severity(), String::new()));
        badge.0 = badge.0.min(diagnostic.severity());
        if !badge.1.is_empty() {
            badge.1.push('\n');
        }
        badge.1.push_str(diagnostic.message());
    }
    let mut wires: BTreeMap<NodeId, BTreeSet<Wire>> = BTreeMap::new();
    let mut read = BTreeSet::new();
    for wire in Phase::BOTH.iter().flat_map(|&phase| graph.wires(phase)) {
        read.insert(wire.0);
        for end in [wire.0.0, wire.1.0] {
            wires.entry(end).or_default().insert(wire);
        }
    }
    let shown = Shown {
        inference,
        badges,
        wires,
        read,
    };
    let mut cards = Vec::new();
    let mut groups: BTreeMap<&str, Vec<&Node>> = BTreeMap::new();
    for node in graph.nodes() {
        match graph.folded_around(&node.name) {
            Some(group) => groups.entry(group).or_default().push(node),
            None => cards.push((shown.node(node), node.position)),
        }
    }
    for (group, nodes) in groups {
        let position = nodes.iter().fold([f32::INFINITY; 2], |corner, node| {
            [
                corner[0].min(node.position[0]),
                corner[1].min(node.position[1]),
            ]
        });
        cards.push((shown.group(group, &nodes), position));
    }
    for (index, comment) in graph.comments.iter().enumerate() {
        let card = Card {
            comment: Some((comment.text.clone(), comment.size)),
            ..empty(Key::Comment(index), String::new())
        };
        cards.push((card, comment.position));
    }
    cards
}

fn empty(key: Key, name: String) -> Card {
    Card {
        key,
        title: name
            .rsplit_once('/')
            .map_or(name.as_str(), |(_, last)| last)
            .to_owned(),
        name,
        nodes: Vec::new(),
        kind: String::new(),
        family: Family::Unknown,
        phases: None,
        lines: Vec::new(),
        cost: String::new(),
        badge: None,
        frozen: (0, 0),
        inputs: Vec::new(),
        outputs: Vec::new(),
        comment: None,
    }
}

struct Shown<'a> {
    inference: &'a Inference,
    badges: BTreeMap<NodeId, (Severity, String)>,
    /// By either end.
    wires: BTreeMap<NodeId, BTreeSet<Wire>>,
    /// Outputs that somebody reads.
    read: BTreeSet<(NodeId, usize)>,
}

impl Shown<'_> {
    fn node(&self, node: &Node) -> Card {
        let spec = node.layer.spec();
        let info = self.inference.node(node.id);
        Card {
            nodes: vec![node.id],
            kind: node.layer.title().to_owned(),
            family: spec.family,
            phases: (node.phases != Phases::Both).then_some(node.phases),
            lines: parameter_lines(node),
            cost: info.map(cost).unwrap_or_default(),
            badge: self.badges.get(&node.id).cloned(),
            frozen: self.frozen(node),
            inputs: input_pins(node),
            outputs: self.output_pins(node),
            ..empty(Key::Node(node.id), node.name.clone())
        }
    }

    /// Whether it has something to learn, and whether it is frozen, as counts of nodes.
    fn frozen(&self, node: &Node) -> (usize, usize) {
        let params = self
            .inference
            .node(node.id)
            .map_or(&[][..], |info| &info.params);
        let learns = params.iter().any(|(_, spec)| spec.learnable);
        (usize::from(learns), usize::from(node.is_frozen(params)))
    }

    /// What an input reads, if it reads the same in both phases.
    fn source_of(&self, input: (NodeId, usize)) -> Option<(NodeId, usize)> {
        let wires = self.wires.get(&input.0)?;
        let mut sources = wires.iter().filter(|(_, to)| *to == input);
        let first = sources.next()?.0;
        sources.all(|(from, _)| *from == first).then_some(first)
    }

    fn output_pins(&self, node: &Node) -> Vec<Pin> {
        let info = self.inference.node(node.id);
        let shape = |port: usize| info?.outputs.as_ref()?.get(port);
        let ports = node.layer.outputs();
        // Of a layer with open-ended outputs, only those in use are shown, and one.
        let used = (0..ports.len())
            .filter(|port| self.read.contains(&(node.id, *port)))
            .max();
        let open_ended = node.layer.spec().role == Role::Unknown;
        let count = if open_ended {
            used.unwrap_or(0) + 1
        } else {
            ports.len()
        };
        let pin = |port: usize| {
            let kind = ports[port].kind;
            let name = ports[port].name;
            Pin {
                at: (node.id, port),
                label: shape(port)
                    .and_then(example_shape)
                    .unwrap_or_else(|| name.to_owned()),
                kind,
                about: about_pin(&node.name, name, kind, shape(port)),
                wired: self.read.contains(&(node.id, port)),
                more: Vec::new(),
            }
        };
        (0..count.min(ports.len())).map(pin).collect()
    }

    /// A folded group: its wires to and from outside, and its sums.
    fn group(&self, group: &str, nodes: &[&Node]) -> Card {
        let inside: BTreeSet<NodeId> = nodes.iter().map(|node| node.id).collect();
        let (mut inner_targets, mut read_outside) = (BTreeSet::new(), BTreeSet::new());
        for (from, to) in inside.iter().filter_map(|id| self.wires.get(id)).flatten() {
            if inside.contains(&from.0) && inside.contains(&to.0) {
                inner_targets.insert(*to);
            } else if inside.contains(&from.0) {
                read_outside.insert(*from);
            }
        }
        let within = |name: &str| {
            name.strip_prefix(group)
                .unwrap_or(name)
                .trim_start_matches('/')
                .to_owned()
        };
        let mut card = empty(Key::Group(group.to_owned()), group.to_owned());
        let (mut params, mut macs) = (0u64, 0u64);
        let mut keys = BTreeSet::new();
        let mut pins: Vec<(Option<(NodeId, usize)>, Pin)> = Vec::new();
        for node in nodes {
            card.nodes.push(node.id);
            for mut pin in input_pins(node) {
                let required = pin.wired || pin.at.1 < node.layer.inputs().required;
                if required && !inner_targets.contains(&pin.at) {
                    pin.label = within(&node.name);
                    let source = self.source_of(pin.at);
                    pins.push((source, pin));
                }
            }
            for mut pin in self.output_pins(node) {
                let is_loose = !self.read.contains(&pin.at);
                if read_outside.contains(&pin.at) || is_loose {
                    pin.about = format!("{}\n{}", within(&node.name), pin.about);
                    card.outputs.push(pin);
                }
            }
            if let Some(info) = self.inference.node(node.id) {
                let new = info
                    .params
                    .iter()
                    .filter(|(key, spec)| spec.learnable && keys.insert(key.clone()));
                params = new.fold(params, |sum, (_, spec)| {
                    sum.saturating_add(spec.count() as u64)
                });
                macs = macs.saturating_add(info.macs.unwrap_or(0));
            }
            let (learn, frozen) = self.frozen(node);
            card.frozen = (card.frozen.0 + learn, card.frozen.1 + frozen);
            if let Some((severity, text)) = self.badges.get(&node.id) {
                let line = format!("{}: {text}", within(&node.name));
                match &mut card.badge {
                    Some((worst, lines)) => {
                        *worst = (*worst).min(*severity);
                        lines.push('\n');
                        lines.push_str(&line);
                    }
                    None => card.badge = Some((*severity, line)),
                }
            }
        }
        card.inputs = joined(pins);
        let count = nodes.len();
        card.kind = tr_format!("group of {count}", "{count} 个节点的组");
        card.family = Family::Structure;
        card.cost = costs(params, macs);
        card
    }
}

/// The inputs of a folded group: those that read one source are one pin, which leads to the
/// first of them and names all.
fn joined(pins: Vec<(Option<(NodeId, usize)>, Pin)>) -> Vec<Pin> {
    let mut joined: Vec<(Option<(NodeId, usize)>, Pin)> = Vec::new();
    for (source, pin) in pins {
        let same = |other: &&mut (Option<(NodeId, usize)>, Pin)| {
            source.is_some() && other.0 == source && other.1.kind == pin.kind
        };
        match joined.iter_mut().find(same) {
            Some((_, first)) => {
                first.about = format!("{}\n{}", first.about, pin.about);
                first.more.push(pin.at);
            }
            None => joined.push((source, pin)),
        }
    }
    joined.into_iter().map(|(_, pin)| pin).collect()
}

/// Every input of a node, and for one that may repeat the next free one.
fn input_pins(node: &Node) -> Vec<Pin> {
    let InputPorts {
        ports, repeat_last, ..
    } = node.layer.inputs();
    let in_use = Phase::BOTH
        .map(|phase| node.inputs_in(phase).0.len())
        .into_iter()
        .max();
    let in_use = in_use.unwrap_or(0);
    let count = if repeat_last {
        ports.len().max(in_use + 1)
    } else {
        ports.len()
    };
    let pin = |index: usize| {
        let port = node.layer.inputs().port(index)?;
        let name = match (
            repeat_last && index + 1 >= ports.len(),
            index + 1 - ports.len().min(index + 1),
        ) {
            (true, repeat) if repeat > 0 => format!("{} {}", port.name, repeat + 1),
            _ => port.name.to_owned(),
        };
        Some(Pin {
            at: (node.id, index),
            about: about_pin(&node.name, &name, port.kind, None),
            label: name,
            kind: port.kind,
            more: Vec::new(),
            wired: Phase::BOTH
                .iter()
                .any(|&phase| node.inputs_in(phase).get(index).is_some()),
        })
    };
    (0..count).filter_map(pin).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Facts, PortRef, infer};
    use crate::layers;

    #[test]
    fn a_card_has_a_pin_for_every_output() {
        let mut graph = Graph::default();
        let slice = graph.add(Node::new("cut", layers::parse("Slice(parts: 6)").unwrap()));
        let silence = graph.add(Node::new("quiet", layers::make("Silence").unwrap()));
        graph.connect((slice, 5), (silence, 0));
        let count = |graph: &Graph, name: &str| {
            let cards = cards(graph, &infer(graph, &Facts::default()));
            let card = cards.into_iter().map(|(card, _)| card);
            let mut named = card.filter(|card| card.name == name);
            let card = named.next().unwrap();
            (card.inputs.len(), card.outputs.len())
        };
        assert_eq!(count(&graph, "cut"), (1, 6));
        assert_eq!(count(&graph, "quiet"), (2, 0), "one more is free");
        // Fewer parts than wires: the card shows what there is, and the problem is said.
        graph.node_mut(slice).unwrap().layer = layers::parse("Slice(parts: 2)").unwrap();
        assert_eq!(count(&graph, "cut"), (1, 2));
        let wire = graph.node(silence).unwrap().inputs.get(0).cloned();
        assert_eq!(wire, Some(PortRef::new("cut", 5)));
        assert!(infer(&graph, &Facts::default()).has_errors());
    }
}
