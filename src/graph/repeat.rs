//! Repeating a group: copies in a row, each reading what the one before it gives.

use std::collections::{BTreeMap, BTreeSet};

use super::group::{is_in, usual_key};
use super::{Graph, Node, NodeId, Phase, PortRef, PortType};
use crate::i18n::{tr, tr_format};

/// How the copies of a group can be chained, port type by port type.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chain {
    /// The source outside that the group reads, and the output inside that the next copy reads.
    links: Vec<(PortRef, PortRef)>,
    /// What every copy reads from the same place, because no output is of its type.
    pub shared: Vec<PortRef>,
}

impl Graph {
    /// How copies of a group would follow one another, or why they cannot.
    pub fn chain_of(&self, group: &str) -> Result<Chain, String> {
        let members = self.members(group);
        let (mut inputs, mut outputs) = (BTreeMap::new(), BTreeMap::new());
        let mut read = BTreeSet::new();
        for phase in Phase::BOTH {
            for (from, to) in self.wires(phase) {
                let inside = [from.0, to.0].map(|id| members.contains(&id));
                let Some(source) = self.node(from.0) else {
                    continue;
                };
                let Some(port) = source.layer.outputs().get(from.1) else {
                    continue;
                };
                let reference = PortRef::new(source.name.clone(), from.1);
                match inside {
                    [false, true] => _ = inputs.insert(reference, port.kind),
                    [true, false] => _ = outputs.insert(reference, port.kind),
                    [true, true] => _ = read.insert(reference),
                    _ => {}
                }
            }
        }
        if outputs.is_empty() {
            // Nobody reads the group yet: what nobody in it reads either is what it gives.
            for node in self
                .nodes()
                .iter()
                .filter(|node| members.contains(&node.id))
            {
                for (port, output) in node.layer.outputs().iter().enumerate() {
                    let reference = PortRef::new(node.name.clone(), port);
                    if !read.contains(&reference) {
                        outputs.insert(reference, output.kind);
                    }
                }
            }
        }
        chain(&inputs, &outputs)
    }

    /// Puts `count` - 1 copies of a group behind it, in a row; whoever read the group reads the
    /// last copy. Copies have names and keys of their own, and stand `step` apart. Returns the
    /// names of the new groups.
    pub fn repeat(
        &mut self,
        group: &str,
        chain: &Chain,
        count: usize,
        step: [f32; 2],
    ) -> Vec<String> {
        let originals: Vec<Node> = (self.nodes().iter())
            .filter(|node| is_in(&node.name, group))
            .cloned()
            .collect();
        let mut groups: Vec<String> = Vec::new();
        let folded: Vec<String> = (self.folded.iter())
            .filter(|inner| *inner == group || is_in(inner, group))
            .cloned()
            .collect();
        let mut before = group.to_owned();
        let mut place = self
            .nodes()
            .iter()
            .rposition(|node| is_in(&node.name, group));
        for number in 1..count {
            let copy = self.free_copy(group);
            let shift = step.map(|step| step * number as f32);
            let keys = fresh_keys(&originals, group, &copy);
            for node in &originals {
                let mut node = node.clone();
                node.name = moved(&node.name, group, &copy);
                node.key = node
                    .key
                    .as_ref()
                    .and_then(|key| keys.get(key).cloned().flatten());
                node.position = [0, 1].map(|axis| node.position[axis] + shift[axis]);
                for inputs in node.all_inputs_mut() {
                    inputs.rewire(|wire| Some(chain.source(wire, group, &before, &copy)));
                }
                let id = self.add(node);
                // Copies stand behind the original in the file too.
                place = place.map(|place| self.bring(id, place + 1));
            }
            self.folded
                .extend(folded.iter().map(|inner| moved(inner, group, &copy)));
            before.clone_from(&copy);
            groups.push(copy);
        }
        let new: BTreeSet<NodeId> = groups
            .iter()
            .flat_map(|group| self.members(group))
            .collect();
        for node in &mut self.nodes {
            if new.contains(&node.id) || is_in(&node.name, group) {
                continue;
            }
            for inputs in node.all_inputs_mut() {
                inputs.rewire(|wire| {
                    let chained = chain.links.iter().any(|(_, output)| output == wire);
                    let node = if chained {
                        moved(&wire.node, group, &before)
                    } else {
                        wire.node.clone()
                    };
                    Some(PortRef::new(node, wire.port))
                });
            }
        }
        groups
    }

    /// `conv3_2` behind `conv3_1`, `3` behind `2`, `block_2` behind `block`: the next free name.
    fn free_copy(&self, group: &str) -> String {
        let groups = self.groups();
        let taken = |name: &String| {
            groups.contains(name) || self.nodes().iter().any(|node| node.name == *name)
        };
        let stem = group.trim_end_matches(|c: char| c.is_ascii_digit());
        let first = group[stem.len()..].parse::<usize>().ok();
        let name = |number: usize| match first {
            Some(_) => format!("{stem}{number}"),
            None => format!("{group}_{number}"),
        };
        let start = first.map_or(2, |number| number.saturating_add(1));
        // One of as many numbers as there are groups and nodes is free.
        let last = start.saturating_add(groups.len() + self.nodes().len() + 1);
        let mut names = (start..=last).map(name).filter(|name| !taken(name));
        names.next().unwrap_or_else(|| format!("{group}_"))
    }

    /// Moves the last node to a place in the list; returns the place.
    fn bring(&mut self, id: NodeId, place: usize) -> usize {
        if self.nodes.last().is_some_and(|node| node.id == id) && place < self.nodes.len() {
            self.nodes[place..].rotate_right(1);
        }
        place
    }
}

impl Chain {
    /// What a copy reads where the original reads `wire`.
    fn source(&self, wire: &PortRef, group: &str, before: &str, copy: &str) -> PortRef {
        if is_in(&wire.node, group) {
            return PortRef::new(moved(&wire.node, group, copy), wire.port);
        }
        match self.links.iter().find(|(input, _)| input == wire) {
            Some((_, output)) => PortRef::new(moved(&output.node, group, before), output.port),
            None => wire.clone(),
        }
    }
}

/// A name with one group in place of another.
fn moved(name: &str, from: &str, to: &str) -> String {
    match name.strip_prefix(from) {
        Some(rest) => format!("{to}{rest}"),
        None => name.to_owned(),
    }
}

/// For every key that is set in a group its key in a copy: the copy's own names, except where
/// nodes share a key; then theirs is that of the first.
fn fresh_keys(nodes: &[Node], group: &str, copy: &str) -> BTreeMap<String, Option<String>> {
    let mut users: BTreeMap<&str, Vec<&Node>> = BTreeMap::new();
    for node in nodes {
        if let Some(key) = &node.key {
            users.entry(key).or_default().push(node);
        }
    }
    let fresh = |nodes: &Vec<&Node>| match nodes.as_slice() {
        [_] => None,
        several => Some(usual_key(&moved(&several[0].name, group, copy))),
    };
    (users.iter())
        .map(|(key, nodes)| ((*key).to_owned(), fresh(nodes)))
        .collect()
}

type Ports = BTreeMap<PortRef, PortType>;

fn chain(inputs: &Ports, outputs: &Ports) -> Result<Chain, String> {
    let of_kind = |ports: &Ports, kind: PortType| -> Vec<PortRef> {
        let of_kind = ports.iter().filter(|(_, other)| **other == kind);
        of_kind.map(|(port, _)| port.clone()).collect()
    };
    let kinds: BTreeSet<PortType> = outputs.values().copied().collect();
    let mut chain = Chain::default();
    for kind in &kinds {
        let text = kind.text();
        match (
            of_kind(inputs, *kind).as_slice(),
            of_kind(outputs, *kind).as_slice(),
        ) {
            ([input], [output]) => chain.links.push((input.clone(), output.clone())),
            ([], _) => {}
            ([_], several) => {
                let names = list(several);
                return Err(tr_format!(
                    "the group gives several outputs of one type ({text}: {names}), so it is not clear which of them the next copy reads",
                    "该组有多个同类型的输出（{text}：{names}），无法确定下一个副本读取哪一个"
                ));
            }
            (several, _) => {
                let names = list(several);
                return Err(tr_format!(
                    "the group reads several sources of one type ({text}: {names}), so it is not clear which of them the copy before it replaces",
                    "该组读取多个同类型的来源（{text}：{names}），无法确定前一个副本替代哪一个"
                ));
            }
        }
    }
    if chain.links.is_empty() {
        let reason = match (inputs.is_empty(), outputs.is_empty()) {
            (true, _) => tr(
                "the group reads nothing from outside, so copies cannot follow one another",
                "该组不从组外读取任何内容，副本无法首尾相接",
            ),
            (_, true) => tr(
                "the group gives nothing that a copy could read",
                "该组没有可供副本读取的输出",
            ),
            _ => tr(
                "no output of the group is of a type that it reads",
                "该组的输出类型与其读取的类型都不相同",
            ),
        };
        return Err(reason.to_owned());
    }
    let linked = |source: &&PortRef| chain.links.iter().all(|(input, _)| input != *source);
    chain.shared = inputs.keys().filter(linked).cloned().collect();
    Ok(chain)
}

fn list(ports: &[PortRef]) -> String {
    let names: Vec<String> = ports.iter().map(PortRef::to_string).collect();
    names.join(", ")
}
