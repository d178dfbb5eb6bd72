//! What the editor does to a graph: adding, wiring, copying; what a selection means.
//!
//! Plain functions of a graph and a selection; they know no widgets.

use std::collections::BTreeSet;

use crate::graph::{Fragment, Graph, Layer, Node, NodeId, Phase, PortType, Role};
use crate::i18n::{tr, tr_format};
use crate::layers;
use crate::project::Project;

/// Why two ports cannot be joined, said to the person who tries; `None` if they can.
pub fn refusal(graph: &Graph, from: (NodeId, usize), to: (NodeId, usize)) -> Option<String> {
    let circle = || graph.would_cycle(from.0, to.0);
    refusal_knowing(graph, from, to, circle)
}

/// The same where it is known already which wires would close a circle.
pub fn refusal_knowing(
    graph: &Graph,
    from: (NodeId, usize),
    to: (NodeId, usize),
    closes_circle: impl FnOnce() -> bool,
) -> Option<String> {
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
    if from.0 == to.0 || closes_circle() {
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

/// Renames a group: the prefix of every node in it. Parameters keep their keys.
pub fn rename_group(project: &mut Project, old: &str, new: &str, keyed: &BTreeSet<NodeId>) {
    let new = new.trim_matches(['/', ' ']);
    let members = project.graph.members(old);
    if new.is_empty() || members.is_empty() || new == old || crate::graph::is_in(new, old) {
        return;
    }
    let renamed: Vec<(NodeId, String)> = (project.graph.nodes().iter())
        .filter(|node| members.contains(&node.id))
        .map(|node| (node.id, format!("{new}{}", &node.name[old.len()..])))
        .collect();
    project.rename_all(&renamed, keyed);
}

/// Whether a node can have another layer and keep its wires.
pub fn fits(graph: &Graph, id: NodeId, layer: &dyn Layer) -> bool {
    let (inputs, outputs) = (layer.inputs(), layer.outputs());
    let mut read = BTreeSet::new();
    for (from, to) in Phase::BOTH.iter().flat_map(|&phase| graph.wires(phase)) {
        let kind = |id: NodeId, port: usize| {
            let output = graph.node(id)?.layer.outputs().get(port)?;
            Some(output.kind)
        };
        if to.0 == id {
            read.insert(to.1);
            let takes = inputs.port(to.1).map(|port| port.kind);
            let joins = takes
                .zip(kind(from.0, from.1))
                .map(|(takes, gives)| takes.accepts(gives));
            if joins != Some(true) {
                return false;
            }
        } else if from.0 == id {
            let takes = graph
                .node(to.0)
                .and_then(|node| Some(node.layer.inputs().port(to.1)?.kind));
            let gives = outputs.get(from.1).map(|port| port.kind);
            if takes.zip(gives).map(|(takes, gives)| takes.accepts(gives)) != Some(true) {
                return false;
            }
        }
    }
    // What lies unwired must be as ready for wires: a layer without inputs replaces no other.
    let old = graph.node(id).map(|node| node.layer.inputs().required);
    read.len() >= inputs.required || old.is_some_and(|old| inputs.required <= old)
}

/// These nodes and every other node in the folded groups that they are in: what their boxes
/// stand for.
pub fn with_folded(graph: &Graph, selection: &BTreeSet<NodeId>) -> BTreeSet<NodeId> {
    let folded = |node: &Node| graph.folded_around(&node.name).map(str::to_owned);
    let chosen = graph
        .nodes()
        .iter()
        .filter(|node| selection.contains(&node.id));
    let groups: BTreeSet<String> = chosen.filter_map(folded).collect();
    let is_in = |node: &&Node| {
        let group = graph.folded_around(&node.name);
        selection.contains(&node.id) || group.is_some_and(|group| groups.contains(group))
    };
    let nodes = graph.nodes().iter().filter(is_in);
    nodes.map(|node| node.id).collect()
}

/// The innermost group around everything selected; a folded box is a group itself.
pub fn group_around(graph: &Graph, selection: &BTreeSet<NodeId>) -> Option<String> {
    let mut chosen = graph
        .nodes()
        .iter()
        .filter(|node| selection.contains(&node.id));
    let box_of = |node: &Node| graph.folded_around(&node.name).map(str::to_owned);
    let first = chosen.next()?;
    if let Some(group) = box_of(first)
        && chosen
            .clone()
            .all(|node| box_of(node).as_deref() == Some(&group))
    {
        return Some(group);
    }
    let names = std::iter::once(first)
        .chain(chosen)
        .map(|node| unit(graph, node));
    let group = crate::graph::shared_group(names);
    (!group.is_empty()).then(|| group.to_owned())
}

/// What a node is to the eye: itself, or the folded box that it is in.
fn unit<'a>(graph: &'a Graph, node: &'a Node) -> &'a str {
    graph.folded_around(&node.name).unwrap_or(&node.name)
}

/// A name for a group of these nodes: what their names have in common, or `block`.
pub fn group_name(graph: &Graph, selection: &BTreeSet<NodeId>) -> String {
    let chosen = with_folded(graph, selection);
    let names: Vec<&str> = (graph.nodes().iter())
        .filter(|node| chosen.contains(&node.id))
        .map(|node| unit(graph, node))
        .collect();
    let shared = crate::graph::shared_group(names.iter().copied());
    let rest = |name: &str| name[shared.len()..].trim_start_matches('/').to_owned();
    let rests: Vec<String> = names.iter().map(|name| rest(name)).collect();
    let first = rests.first().map_or("", String::as_str);
    let common = |length: &usize| {
        let start = first.get(..*length);
        start.is_some_and(|start| rests.iter().all(|name| name.starts_with(start)))
    };
    let length = (0..=first.len()).rev().find(common).unwrap_or(0);
    let stem = first[..length].trim_end_matches(['_', '-', '/', ' ']);
    let stem = if stem.chars().count() < 3 || stem.contains('/') {
        "block"
    } else {
        stem
    };
    let wanted = if shared.is_empty() {
        stem.to_owned()
    } else {
        format!("{shared}/{stem}")
    };
    crate::graph::leaf(&graph.free_group(&wanted)).to_owned()
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
