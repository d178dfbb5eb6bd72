//! In which order a phase is walked, and which nodes are on a circle.

use std::collections::{BTreeMap, BTreeSet};

use crate::graph::{Graph, NodeId, Phase, Wire};

/// The nodes of a phase, each after those that it reads, and those that are on a circle.
pub(super) fn topological_order(graph: &Graph, phase: Phase) -> (Vec<NodeId>, BTreeSet<NodeId>) {
    let wires = graph.wires(phase);
    let members: Vec<NodeId> = (graph.nodes().iter())
        .filter(|node| node.phases.contains(phase))
        .map(|node| node.id)
        .collect();
    let mut waiting: BTreeMap<NodeId, usize> = members.iter().map(|id| (*id, 0)).collect();
    let mut readers: BTreeMap<NodeId, Vec<NodeId>> = BTreeMap::new();
    for (from, to) in &wires {
        *waiting.entry(to.0).or_default() += 1;
        readers.entry(from.0).or_default().push(to.0);
    }
    // A ready node is taken in the file's order, so that the order is the same every time.
    let rank: BTreeMap<NodeId, usize> =
        members.iter().enumerate().map(|(i, id)| (*id, i)).collect();
    let mut ready: BTreeSet<(usize, NodeId)> = (members.iter())
        .filter(|id| waiting[id] == 0)
        .map(|id| (rank[id], *id))
        .collect();
    let mut order = Vec::with_capacity(members.len());
    while let Some((_, id)) = ready.pop_first() {
        order.push(id);
        for reader in readers.get(&id).into_iter().flatten() {
            let left = waiting.entry(*reader).or_default();
            *left -= 1;
            if *left == 0 {
                ready.insert((rank[reader], *reader));
            }
        }
    }
    let placed: BTreeSet<NodeId> = order.iter().copied().collect();
    let left: BTreeSet<NodeId> = members
        .into_iter()
        .filter(|id| !placed.contains(id))
        .collect();
    (order, on_a_circle(left, &wires))
}

/// Of the nodes that could not be ordered, those that are on a circle and not only behind one.
fn on_a_circle(mut left: BTreeSet<NodeId>, wires: &[Wire]) -> BTreeSet<NodeId> {
    loop {
        let read: BTreeSet<NodeId> = (wires.iter())
            .filter(|(_, to)| left.contains(&to.0))
            .map(|(from, _)| from.0)
            .collect();
        let kept: BTreeSet<NodeId> = left.intersection(&read).copied().collect();
        if kept.len() == left.len() {
            return left;
        }
        left = kept;
    }
}
