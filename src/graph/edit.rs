//! Changes of a graph. Each leaves the wires consistent with the names and never fails;
//! undo is the history of whole graphs and needs nothing from here.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Graph, Inference, Inputs, Layer, Multiplier, Node, NodeId, Phase, PortRef, Wire, apply,
    settings,
};

/// Nodes cut out of a graph, with the wires among them: what copy and paste carry.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fragment {
    pub nodes: Vec<Node>,
}

impl Graph {
    /// Adds a node as it is, gives it an id and returns that.
    pub fn add(&mut self, mut node: Node) -> NodeId {
        let id = NodeId(self.next_id);
        self.next_id += 1;
        node.id = id;
        self.nodes.push(node);
        id
    }

    /// Freezes these nodes, or trains them again at the solver's own rate: sets the rates'
    /// multipliers of all their parameters, and of those that share one, to 0 or 1.
    /// `inference` is the graph's. Returns how many nodes it changed.
    pub fn freeze(
        &mut self,
        chosen: &BTreeSet<NodeId>,
        inference: &Inference,
        frozen: bool,
    ) -> usize {
        let params = |id: NodeId| inference.node(id).map_or(&[][..], |info| &info.params);
        let learnable = |id: NodeId| params(id).iter().filter(|(_, spec)| spec.learnable);
        let keys: BTreeSet<&String> = (chosen.iter())
            .flat_map(|id| learnable(*id).map(|(key, _)| key))
            .collect();
        let mut changed = 0;
        for node in &mut self.nodes {
            let before = node.clone();
            for (_, spec) in learnable(node.id).filter(|(key, _)| keys.contains(key)) {
                let mut multiplier = node.multiplier(spec.suffix);
                multiplier.lr = match (frozen, multiplier.lr) {
                    (true, _) => 0.0,
                    (false, 0.0) => 1.0,
                    (false, lr) => lr,
                };
                match multiplier == Multiplier::default() {
                    true => node.multipliers.remove(spec.suffix),
                    false => node.multipliers.insert(spec.suffix.to_owned(), multiplier),
                };
            }
            if chosen.contains(&node.id) && !params(node.id).is_empty() {
                node.layer.keep_statistics(frozen);
            }
            changed += usize::from(*node != before);
        }
        changed
    }

    /// Takes ids, places and comments from the nodes of another graph that these were: those of
    /// the same name in a phase, then, in their order, those of the same layer type that have no
    /// namesake. Returns the others' indices.
    pub fn succeed(&mut self, old: &Graph) -> Vec<usize> {
        let mut heirs: Vec<Option<&Node>> = vec![None; self.nodes.len()];
        let mut left: Vec<&Node> = old.nodes.iter().collect();
        let is_named =
            |node: &Node, old: &Node| node.name == old.name && node.phases.overlaps(old.phases);
        let is_like = |node: &Node, old: &Node| node.layer.title() == old.layer.title();
        for by_name in [true, false] {
            for (node, heir) in self.nodes.iter().zip(&mut heirs) {
                if heir.is_none() {
                    let place = left.iter().position(|old| match by_name {
                        true => is_named(node, old),
                        false => is_like(node, old),
                    });
                    *heir = place.map(|place| left.remove(place));
                }
            }
        }
        self.next_id = self.next_id.max(old.next_id);
        let mut new = Vec::new();
        for (index, (node, heir)) in self.nodes.iter_mut().zip(heirs).enumerate() {
            match heir {
                Some(old) => {
                    (node.id, node.position) = (old.id, old.position);
                    if node.comment.is_empty() {
                        node.comment.clone_from(&old.comment);
                    }
                }
                None => {
                    node.id = NodeId(self.next_id);
                    self.next_id += 1;
                    new.push(index);
                }
            }
        }
        new
    }

    /// `wanted`, or with the first number after it that makes it unlike every name in use.
    pub fn free_name(&self, wanted: &str) -> String {
        let used: BTreeSet<&str> = self.nodes.iter().map(|node| node.name.as_str()).collect();
        if !wanted.is_empty() && !used.contains(wanted) {
            return wanted.to_owned();
        }
        let stem = wanted.trim_end_matches(|c: char| c.is_ascii_digit());
        let stem = if stem.is_empty() { "node" } else { stem };
        // One of the first `len + 1` numbers is free.
        (1..=used.len() + 1)
            .map(|number| format!("{stem}{number}"))
            .find(|name| !used.contains(name.as_str()))
            .unwrap_or_else(|| stem.to_owned())
    }

    /// Removes nodes and the wires to and from them.
    pub fn remove(&mut self, ids: &BTreeSet<NodeId>) {
        let gone: Vec<String> = (self.nodes.iter())
            .filter(|node| ids.contains(&node.id))
            .map(|node| node.name.clone())
            .collect();
        self.nodes.retain(|node| !ids.contains(&node.id));
        for name in gone {
            let still_used = self.nodes.iter().any(|node| node.name == name);
            if !still_used {
                self.rewire(&name, |_| None);
            }
        }
    }

    /// Renames a node and the wires that read it. Wires follow the last node of a name only:
    /// while a twin in the other phase keeps the old name, they go on meaning the twin too.
    pub fn rename(&mut self, id: NodeId, name: &str) {
        let Some(node) = self.node_mut(id) else {
            return;
        };
        let old = std::mem::replace(&mut node.name, name.to_owned());
        let still_used = self.nodes.iter().any(|node| node.name == old);
        if !still_used && old != name {
            let name = name.to_owned();
            self.rewire(&old, |port| Some(PortRef::new(name.clone(), port)));
        }
    }

    /// Leads the wires that read a node to the same ports of another.
    pub fn lead_wires(&mut self, from: &str, to: &str) {
        self.rewire(from, |port| Some(PortRef::new(to, port)));
    }

    fn rewire(&mut self, from: &str, to: impl Fn(usize) -> Option<PortRef>) {
        for inputs in self.nodes.iter_mut().flat_map(Node::all_inputs_mut) {
            inputs.rewire(|wire| match wire.node == from {
                true => to(wire.port),
                false => Some(wire.clone()),
            });
        }
    }

    /// Wires an output to an input, replacing what was there.
    pub fn connect(&mut self, from: (NodeId, usize), to: (NodeId, usize)) {
        let Some(source) = self.node(from.0).map(|node| node.name.clone()) else {
            return;
        };
        self.set_input(to, Some(PortRef::new(source, from.1)));
    }

    /// Takes the wire from an input. An input that may repeat closes the gap.
    pub fn disconnect(&mut self, to: (NodeId, usize)) {
        let Some(node) = self.node_mut(to.0) else {
            return;
        };
        if node.layer.inputs().repeat_last {
            node.all_inputs_mut().for_each(|inputs| inputs.remove(to.1));
        } else {
            self.set_input(to, None);
        }
    }

    fn set_input(&mut self, to: (NodeId, usize), from: Option<PortRef>) {
        let Some(node) = self.node_mut(to.0) else {
            return;
        };
        if node.layer.inputs().port(to.1).is_none() {
            return;
        }
        for inputs in node.all_inputs_mut() {
            inputs.set(to.1, from.clone());
        }
    }

    /// Whether a wire from one node to another would close a circle in either phase.
    pub fn would_cycle(&self, from: NodeId, to: NodeId) -> bool {
        self.reached_from(to).contains(&from)
    }

    /// The node and all that read it, directly or through others, in either phase.
    pub fn reached_from(&self, start: NodeId) -> BTreeSet<NodeId> {
        self.reached(start, |(from, to)| (from.0, to.0))
    }

    /// The node and all that it reads, directly or through others, in either phase.
    pub fn leading_to(&self, end: NodeId) -> BTreeSet<NodeId> {
        self.reached(end, |(from, to)| (to.0, from.0))
    }

    fn reached(&self, start: NodeId, step: fn(Wire) -> (NodeId, NodeId)) -> BTreeSet<NodeId> {
        let mut all = BTreeSet::new();
        for phase in Phase::BOTH {
            let mut next: BTreeMap<NodeId, Vec<NodeId>> = BTreeMap::new();
            for (from, to) in self.wires(phase).into_iter().map(step) {
                next.entry(from).or_default().push(to);
            }
            let mut reached = BTreeSet::from([start]);
            let mut frontier = vec![start];
            while let Some(id) = frontier.pop() {
                let there = next.get(&id).into_iter().flatten();
                frontier.extend(there.filter(|id| reached.insert(**id)));
            }
            all.extend(reached);
        }
        all
    }

    /// Gives a node another layer, which takes over the parameters that both have; name, wires
    /// and key stay, and what does not fit any more is for the diagnostics.
    pub fn replace_layer(&mut self, id: NodeId, mut layer: Box<dyn Layer>) {
        if let Some(node) = self.node_mut(id) {
            apply(&mut *layer, &settings(&*node.layer));
            node.layer = layer;
        }
    }

    /// Copies nodes with the wires among them; wires from outside are kept by name.
    pub fn fragment(&self, ids: &BTreeSet<NodeId>) -> Fragment {
        let nodes = self.nodes.iter().filter(|node| ids.contains(&node.id));
        Fragment {
            nodes: nodes.cloned().collect(),
        }
    }

    /// Adds a fragment under free names, moved by `offset`. Wires among its nodes follow the
    /// new names; wires from outside stay where this graph has such a node. Returns the new ids.
    pub fn paste(&mut self, fragment: &Fragment, offset: [f32; 2]) -> BTreeSet<NodeId> {
        let mut names: BTreeMap<&str, String> = BTreeMap::new();
        let mut ids = BTreeSet::new();
        for node in &fragment.nodes {
            let name = match names.get(node.name.as_str()) {
                Some(name) => name.clone(),
                None => self.free_name(&node.name),
            };
            names.insert(&node.name, name.clone());
            let mut copy = node.clone();
            copy.name = name;
            copy.position = [node.position[0] + offset[0], node.position[1] + offset[1]];
            ids.insert(self.add(copy));
        }
        let known: BTreeSet<String> = self.nodes.iter().map(|node| node.name.clone()).collect();
        for node in self.nodes.iter_mut().filter(|node| ids.contains(&node.id)) {
            for inputs in node.all_inputs_mut() {
                translate(inputs, &names, &known);
            }
        }
        ids
    }
}

fn translate(inputs: &mut Inputs, names: &BTreeMap<&str, String>, known: &BTreeSet<String>) {
    inputs.rewire(|wire| match names.get(wire.node.as_str()) {
        Some(name) => Some(PortRef::new(name.clone(), wire.port)),
        None => known.contains(&wire.node).then(|| wire.clone()),
    });
}
