//! The order of the layers, and the names of what they hand on.

use super::*;

impl<'a> Writer<'a> {
    fn source(&self, phase: Phase, wire: &PortRef) -> Option<&'a Node> {
        self.project.graph.named(&wire.node, phase)
    }

    /// The blob that a wire reads in a phase.
    pub(super) fn blob(&self, phase: Phase, wire: &PortRef) -> String {
        let name = || {
            let source = self.source(phase, wire)?;
            self.names.get(&(source.id, wire.port)).cloned()
        };
        name().unwrap_or_else(|| wire.to_string())
    }

    /// How many outputs of a node stand in its text: of data, those that are read.
    pub(super) fn ports(&self, node: &Node) -> usize {
        let count = match node.layer.spec().role {
            Role::Unknown => self.kept_tops(node).len(),
            _ => node.layer.outputs().len(),
        };
        if !matches!(node.layer.spec().role, Role::Data | Role::Unknown) {
            return count;
        }
        let read = self.project.graph.nodes().iter().flat_map(|reader| {
            reader.phases.each().flat_map(move |phase| {
                let wires = reader.inputs_in(phase).0.iter().flatten();
                wires.filter(move |wire| wire.node == node.name && node.phases.contains(phase))
            })
        });
        let needed = read.map(|wire| wire.port + 1).max().unwrap_or(1);
        match node.layer.spec().role {
            Role::Data => needed.min(count),
            _ => needed.max(count),
        }
    }

    fn kept_tops(&self, node: &Node) -> Vec<String> {
        let kept = parse(&node.caffe).unwrap_or_default();
        kept.all("top")
            .filter_map(|top| Some(top.word()?.to_owned()))
            .collect()
    }

    /// Gives every output a name that no other one of its phases has, except where a layer works
    /// in place.
    pub(super) fn name_blobs(&mut self) {
        let mut taken: [BTreeSet<String>; 2] = Default::default();
        for node in self.order.clone() {
            if let Some(blob) = self.in_place(node) {
                self.names.insert((node.id, 0), blob);
                continue;
            }
            let mut wanted = self.kept_tops(node);
            let usual = kinds::usual_tops(node);
            wanted.extend(usual.into_iter().skip(wanted.len()));
            for port in 0..self.ports(node) {
                let plain = match wanted.get(port) {
                    Some(wanted) => wanted.clone(),
                    None => format!("{}_{}", node.name, port + 1),
                };
                let is_free = |name: &String| {
                    node.phases
                        .each()
                        .all(|phase| !taken[phase as usize].contains(name))
                };
                let numbered = (2..).map(|number| format!("{plain}_{number}"));
                let name = std::iter::once(plain.clone()).chain(numbered).find(is_free);
                let name = name.unwrap_or(plain);
                for phase in node.phases.each() {
                    taken[phase as usize].insert(name.clone());
                }
                self.names.insert((node.id, port), name);
            }
        }
    }

    /// The input's blob, where the node may write over it: it alone reads it.
    fn in_place(&self, node: &Node) -> Option<String> {
        if node.test_inputs.is_some() || node.inputs.0.len() != 1 {
            return None;
        }
        let wire = node.inputs.get(0)?;
        let source = self.source(node.phases.each().next()?, wire)?;
        if source.phases != node.phases
            || !kinds::works_in_place(node, source)
            || !self.kept_tops(node).is_empty()
        {
            return None;
        }
        let readers = Phase::BOTH.into_iter().flat_map(|phase| {
            let nodes = self.project.graph.nodes().iter();
            nodes.filter(move |reader| {
                let reads = |port: &PortRef| port.node == source.name;
                reader.phases.contains(phase)
                    && source.phases.contains(phase)
                    && reader.inputs_in(phase).0.iter().flatten().any(reads)
            })
        });
        let alone = readers.map(|reader| reader.id).all(|id| id == node.id);
        let blob = self.names.get(&(source.id, wire.port)).cloned();
        blob.filter(|_| alone)
    }
}

/// Every node after those that it reads in either phase, else in the graph's own order.
pub(super) fn order(graph: &Graph) -> Vec<&Node> {
    let mut wires = graph.wires(Phase::Train);
    wires.extend(graph.wires(Phase::Test));
    let mut waiting: BTreeMap<NodeId, BTreeSet<NodeId>> = BTreeMap::new();
    for ((from, _), (to, _)) in wires {
        waiting.entry(to).or_default().insert(from);
    }
    let rank: BTreeMap<NodeId, usize> = (graph.nodes().iter().enumerate())
        .map(|(index, node)| (node.id, index))
        .collect();
    let mut readers: BTreeMap<NodeId, Vec<NodeId>> = BTreeMap::new();
    for (to, sources) in &waiting {
        for from in sources {
            readers.entry(*from).or_default().push(*to);
        }
    }
    let mut ready: BTreeSet<usize> = (rank.iter())
        .filter(|(id, _)| !waiting.contains_key(id))
        .map(|(_, index)| *index)
        .collect();
    let mut order = Vec::with_capacity(graph.nodes().len());
    while let Some(index) = ready.pop_first() {
        let node = &graph.nodes()[index];
        order.push(node);
        for reader in readers.get(&node.id).into_iter().flatten() {
            let Some(left) = waiting.get_mut(reader) else {
                continue;
            };
            left.remove(&node.id);
            if left.is_empty() {
                waiting.remove(reader);
                ready.extend(rank.get(reader));
            }
        }
    }
    // What is on a circle Caffe cannot read, but its text stays.
    order.extend((graph.nodes().iter()).filter(|node| waiting.contains_key(&node.id)));
    order
}
