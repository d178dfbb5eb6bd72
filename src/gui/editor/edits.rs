//! What the editor does to a graph: adding, wiring, copying, grouping, aligning.
//!
//! Plain functions of a graph and a selection; they know no widgets.

use std::collections::{BTreeMap, BTreeSet};

use crate::graph::{Fragment, Graph, Node, NodeId, Phase, PortType, Role};
use crate::i18n::{tr, tr_format};
use crate::layers;
use crate::project::Project;

/// Why two ports cannot be joined, said to the person who tries; `None` if they can.
pub fn refusal(graph: &Graph, from: (NodeId, usize), to: (NodeId, usize)) -> Option<String> {
    let (source, target) = (graph.node(from.0)?, graph.node(to.0)?);
    let output = source.layer.outputs().get(from.1)?;
    let Some(input) = target.layer.inputs().port(to.1) else {
        let name = &target.name;
        return Some(tr_format!(
            "“{name}” has no such input",
            "“{name}”没有这个输入"
        ));
    };
    if !input.kind.accepts(output.kind) {
        let (gives, takes, port) = (output.kind.text(), input.kind.text(), input.name);
        return Some(tr_format!(
            "this output gives {gives}, but the input “{port}” takes {takes}",
            "该输出给出的是{gives}，而输入“{port}”需要{takes}"
        ));
    }
    if from.0 == to.0 || graph.would_cycle(from.0, to.0) {
        return Some(
            tr(
                "this wire would close a circle: the node would read its own output",
                "这条连线会形成环路：该节点将读取自己的输出",
            )
            .to_owned(),
        );
    }
    if !source.phases.overlaps(target.phases) {
        let (source, target) = (source.phases.text(), target.phases.text());
        return Some(tr_format!(
            "the two nodes never run together: one is for {source}, the other for {target}",
            "两个节点从不同时运行：一个用于{source}，另一个用于{target}"
        ));
    }
    None
}

/// Adds a layer of this type at `position` and wires it to what is selected, as far as the
/// types say how. Returns the new node.
pub fn add_layer(
    graph: &mut Graph,
    kind: &str,
    position: [f32; 2],
    selection: &BTreeSet<NodeId>,
) -> Option<NodeId> {
    let layer = layers::make(kind)?;
    let name = graph.free_name(&stem(kind, layer.spec().role));
    let mut node = Node::new(name, layer);
    node.position = position;
    let id = graph.add(node);
    wire_inputs(graph, id, selection);
    Some(id)
}

/// The first name of a layer's nodes, as Caffe's model files have them.
fn stem(kind: &str, role: Role) -> String {
    match (kind, role) {
        ("Convolution", _) => "conv1".to_owned(),
        ("Pooling", _) => "pool1".to_owned(),
        ("InnerProduct", _) => "ip1".to_owned(),
        (_, Role::Loss) => "loss".to_owned(),
        (_, Role::Data | Role::Input | Role::Metric) => kind.to_lowercase(),
        _ => format!("{}1", kind.to_lowercase()),
    }
}

/// An output that can be read.
type Offer = ((NodeId, usize), PortType);

/// Wires the free inputs of a node: from the selected nodes in their order from left to right,
/// labels also from whatever brings labels in. Beside a loss or metric, which give nothing
/// to go on with, the node reads what they read.
fn wire_inputs(graph: &mut Graph, id: NodeId, selection: &BTreeSet<NodeId>) {
    let Some(ports) = graph.node(id).map(|node| node.layer.inputs()) else {
        return;
    };
    let mut sources: Vec<&Node> = (graph.nodes().iter())
        .filter(|node| selection.contains(&node.id) && node.id != id)
        .collect();
    sources.sort_by(|a, b| a.position[0].total_cmp(&b.position[0]));
    let mut offers: Vec<Offer> = sources
        .iter()
        .flat_map(|node| offers_of(graph, node))
        .collect();
    let bringers = graph
        .nodes()
        .iter()
        .filter(|node| node.layer.spec().role == Role::Data);
    let mut labels: Vec<Offer> = bringers.flat_map(outputs_of).collect();
    labels.retain(|offer| offer.1 == PortType::Labels);
    let wanted = if ports.repeat_last {
        ports.required.max(offers.len())
    } else {
        ports.required
    };
    for index in 0..wanted {
        let to = (id, index);
        let fits = |offer: &Offer| refusal(graph, offer.0, to).is_none();
        if let Some(place) = offers.iter().position(fits) {
            let offer = offers.remove(place);
            graph.connect(offer.0, to);
        } else if let Some(offer) = labels.iter().find(|offer| fits(offer)).copied() {
            graph.connect(offer.0, to);
        }
    }
}

fn outputs_of(node: &Node) -> Vec<Offer> {
    let outputs = node.layer.outputs().iter().enumerate();
    outputs
        .map(|(port, output)| ((node.id, port), output.kind))
        .collect()
}

fn offers_of(graph: &Graph, node: &Node) -> Vec<Offer> {
    if !matches!(node.layer.spec().role, Role::Loss | Role::Metric) {
        return outputs_of(node);
    }
    let wires = Phase::BOTH.iter().flat_map(|&phase| graph.wires(phase));
    let mut read: Vec<Offer> = Vec::new();
    for (from, _) in wires.filter(|(_, to)| to.0 == node.id) {
        let kind = graph
            .node(from.0)
            .and_then(|source| Some(source.layer.outputs().get(from.1)?.kind));
        if let Some(kind) = kind.filter(|kind| !read.contains(&(from, *kind))) {
            read.push((from, kind));
        }
    }
    read
}

/// Wires the selected nodes in a row, from left to right: each to the first free input of the
/// next that takes what it gives. Returns how many wires there are now that were not.
pub fn connect_row(graph: &mut Graph, selection: &BTreeSet<NodeId>) -> usize {
    let mut row: Vec<(f32, f32, NodeId)> = (graph.nodes().iter())
        .filter(|node| selection.contains(&node.id))
        .map(|node| (node.position[0], node.position[1], node.id))
        .collect();
    row.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let mut made = 0;
    for pair in row.windows(2) {
        let (from, to) = (pair[0].2, pair[1].2);
        let wire = graph
            .node(from)
            .zip(graph.node(to))
            .and_then(|(source, target)| {
                let ports = target.layer.inputs();
                let used = target.inputs.0.len();
                let free = (0..=used.max(ports.ports.len())).filter(|port| {
                    target.inputs.get(*port).is_none() && ports.port(*port).is_some()
                });
                let outputs = 0..source.layer.outputs().len();
                free.flat_map(|port| outputs.clone().map(move |output| (output, port)))
                    .find(|(output, port)| refusal(graph, (from, *output), (to, *port)).is_none())
            });
        if let Some((output, port)) = wire {
            graph.connect((from, output), (to, port));
            made += 1;
        }
    }
    made
}

/// The nodes as text for the clipboard: a project document that holds nothing else.
pub fn to_text(
    graph: &Graph,
    selection: &BTreeSet<NodeId>,
) -> Result<String, crate::project::ProjectError> {
    let mut project = Project::default();
    for node in graph.fragment(selection).nodes {
        project.graph.add(node);
    }
    project.to_ron()
}

/// Reads nodes from a text of the clipboard: a part that was copied, or a whole project.
pub fn from_text(text: &str) -> Result<Fragment, crate::project::ProjectError> {
    let project = Project::from_ron(text)?;
    Ok(Fragment {
        nodes: project.graph.nodes().to_vec(),
    })
}

/// Puts the selected nodes into a new group, inside the group that they share.
pub fn group(graph: &mut Graph, selection: &BTreeSet<NodeId>) {
    let names: Vec<&str> = (graph.nodes().iter())
        .filter(|node| selection.contains(&node.id))
        .map(|node| node.name.as_str())
        .collect();
    let Some(first) = names.first() else { return };
    let parents = |name: &str| {
        name.rsplit_once('/')
            .map_or(String::new(), |(group, _)| format!("{group}/"))
    };
    let mut shared = parents(first);
    while !names.iter().all(|name| name.starts_with(&shared)) {
        shared = parents(shared.trim_end_matches('/'));
    }
    let taken = graph.groups();
    let free = (1..)
        .map(|n| format!("{shared}group{n}"))
        .find(|name| !taken.contains(name));
    let Some(group) = free else { return };
    let renamed: Vec<(NodeId, String)> = (graph.nodes().iter())
        .filter(|node| selection.contains(&node.id))
        .map(|node| (node.id, format!("{group}/{}", &node.name[shared.len()..])))
        .collect();
    for (id, name) in renamed {
        graph.rename(id, &name);
    }
}

/// Renames a group: the prefix of every node in it.
pub fn rename_group(graph: &mut Graph, old: &str, new: &str) {
    let renamed: Vec<(NodeId, String)> = (graph.nodes().iter())
        .filter_map(|node| Some((node.id, node.name.strip_prefix(old)?.strip_prefix('/')?)))
        .map(|(id, rest)| (id, format!("{new}/{rest}")))
        .collect();
    for (id, name) in renamed {
        graph.rename(id, &name);
    }
    let folded = std::mem::take(&mut graph.folded);
    let moved = |group: String| match group.strip_prefix(old) {
        Some("") => new.to_owned(),
        Some(rest) if rest.starts_with('/') => format!("{new}{rest}"),
        _ => group,
    };
    graph.folded = folded.into_iter().map(moved).collect();
}

/// The groups that fold when a person asks for it: the innermost one of each selected node.
pub fn foldable(graph: &Graph, selection: &BTreeSet<NodeId>) -> BTreeSet<String> {
    (graph.nodes().iter())
        .filter(|node| selection.contains(&node.id))
        .filter(|node| super::card::folded_group(graph, node).is_none())
        .filter_map(|node| node.group().map(str::to_owned))
        .collect()
}

/// The folded groups that the selection is in; all of them if nothing is selected.
pub fn unfoldable(graph: &Graph, selection: &BTreeSet<NodeId>) -> BTreeSet<String> {
    if selection.is_empty() {
        return graph.folded.clone();
    }
    (graph.nodes().iter())
        .filter(|node| selection.contains(&node.id))
        .filter_map(|node| super::card::folded_group(graph, node).map(str::to_owned))
        .collect()
}

/// Every other node of the groups of these nodes, and these: what a fold box stands for.
pub fn with_folded(graph: &Graph, selection: &BTreeSet<NodeId>) -> BTreeSet<NodeId> {
    let groups = if selection.is_empty() {
        BTreeSet::new()
    } else {
        unfoldable(graph, selection)
    };
    let is_in = |node: &&Node| {
        selection.contains(&node.id)
            || super::card::folded_group(graph, node).is_some_and(|group| groups.contains(group))
    };
    graph
        .nodes()
        .iter()
        .filter(is_in)
        .map(|node| node.id)
        .collect()
}

/// The node to the right (`forward`) or left along a wire, for the arrow keys.
pub fn neighbour(graph: &Graph, from: NodeId, forward: bool) -> Option<NodeId> {
    let wires = Phase::BOTH.iter().flat_map(|&phase| graph.wires(phase));
    let ends = wires.map(|(source, target)| (source.0, target.0));
    let mut there = ends.filter_map(|(source, target)| match forward {
        true => (source == from).then_some(target),
        false => (target == from).then_some(source),
    });
    there.next()
}

/// Moves boxes: nodes by id, comments by index.
pub fn move_to(project: &mut Project, nodes: &BTreeMap<NodeId, [f32; 2]>) {
    for (id, position) in nodes {
        if let Some(node) = project.graph.node_mut(*id) {
            node.position = *position;
        }
    }
}
