//! What is drawn: boxes with words, frames of groups, wires; in points, y down.

use std::collections::{BTreeMap, BTreeSet};

use unicode_width::UnicodeWidthStr;

use crate::graph::layout::{
    Area, Block, Placed, bounds_of, frame_of, has_overlap, is_scattered, layered,
};
use crate::graph::{Family, Graph, Inference, Node, NodeId, Phase, Phases, PortType, leaf, parent};
use crate::i18n::tr_format;
use crate::interop::words;

/// Sizes of text: names, what stands under them, shapes at wires, the title.
pub(super) const NAME: f32 = 13.0;
pub(super) const SMALL: f32 = 11.0;
pub(super) const SHAPE: f32 = 10.0;
pub(super) const TITLE: f32 = 20.0;
/// Around everything, and above for the title.
pub(super) const MARGIN: [f32; 2] = [24.0, 64.0];
/// From a box's top to its wires.
pub(super) const ANCHOR: f32 = 20.0;
/// Inside a box, left and right.
pub(super) const INSET: f32 = 10.0;
/// The most characters of a line in a box.
const LONGEST: usize = 40;
/// Wider than this many times its height, a drawing is laid out anew.
const WIDEST: f32 = 6.0;

/// Which groups are single boxes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Folding {
    /// As in the editor.
    #[default]
    AsIs,
    /// Every group.
    Folded,
    /// None.
    Unfolded,
}

/// A box: a node, or a folded group.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawn {
    /// The group that it stands in.
    pub group: String,
    pub title: String,
    pub lines: Vec<String>,
    pub family: Family,
    /// Set where the node is in one phase only.
    pub phases: Phases,
    pub area: Area,
}

/// A wire from one box to another.
#[derive(Clone, Debug, PartialEq)]
pub struct DrawnWire {
    pub from: usize,
    pub to: usize,
    pub kind: PortType,
    /// The shape of what flows, said once for each output.
    pub shape: Option<String>,
}

/// A drawing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figure {
    pub title: String,
    pub boxes: Vec<Drawn>,
    /// Open groups, outer ones first, with their frames.
    pub frames: Vec<(String, Area)>,
    pub wires: Vec<DrawnWire>,
    /// Notes of the editor, where the boxes stand as there.
    pub notes: Vec<(String, Area)>,
    pub size: [f32; 2],
}

/// How wide a text is, about.
pub(super) fn text_width(text: &str, size: f32) -> f32 {
    text.width() as f32 * size * 0.57
}

impl Figure {
    pub fn new(title: &str, graph: &Graph, inference: &Inference, folding: Folding) -> Self {
        let mut graph = graph.clone();
        match folding {
            Folding::AsIs => {}
            Folding::Folded => graph.folded = graph.groups(),
            Folding::Unfolded => graph.folded.clear(),
        }
        let (boxes, of_node) = boxes(&graph);
        let mut figure = Self {
            title: title.to_owned(),
            wires: wires(&graph, inference, &of_node),
            boxes,
            ..Self::default()
        };
        figure.place(&graph);
        let placed = figure.placed();
        let mut groups: Vec<String> = graph.open_groups().into_iter().collect();
        groups.sort_by_key(|group| crate::graph::depth(group));
        let frame = |group: String| Some((group.clone(), frame_of(&placed, &group)?));
        figure.frames = groups.into_iter().filter_map(frame).collect();
        figure.fit();
        figure
    }

    fn placed(&self) -> Vec<Placed> {
        let placed = |drawn: &Drawn| Placed {
            group: drawn.group.clone(),
            area: drawn.area,
        };
        self.boxes.iter().map(placed).collect()
    }

    /// Where the boxes stand: as in the editor if that can be read, else in layers.
    fn place(&mut self, graph: &Graph) {
        let placed = self.placed();
        let bounds = bounds_of(placed.iter(), "");
        let is_ribbon = bounds.is_some_and(|bounds| {
            let [width, height] = bounds.size();
            width > 1600.0 && (width > WIDEST * height || height > WIDEST * width)
        });
        if !has_overlap(&placed) && !is_scattered(&placed) && !is_ribbon {
            let note = |note: &crate::graph::Comment| {
                (note.text.clone(), Area::at(note.position, note.size))
            };
            self.notes = graph.comments.iter().map(note).collect();
            return;
        }
        let mut labels = vec![0.0f32; self.boxes.len()];
        for wire in &self.wires {
            let width = wire
                .shape
                .as_ref()
                .map_or(0.0, |shape| text_width(shape, SHAPE));
            labels[wire.from] = labels[wire.from].max(width);
        }
        let block = |(index, drawn): (usize, &Drawn)| {
            let [width, height] = drawn.area.size();
            let into = self.wires.iter().filter(|wire| wire.to == index);
            Block {
                group: drawn.group.clone(),
                // Room for the shape at the wire.
                size: [width + (labels[index] - 44.0).max(0.0), height],
                reads: into.map(|wire| wire.from).collect(),
            }
        };
        let blocks: Vec<Block> = self.boxes.iter().enumerate().map(block).collect();
        let total: f32 = blocks
            .iter()
            .map(|block| block.size[0] * block.size[1])
            .sum();
        // About as wide as a page on its side.
        let width = (total * 6.0).sqrt().clamp(900.0, 3200.0);
        for (drawn, place) in self
            .boxes
            .iter_mut()
            .zip(layered(&blocks, [width, width / 1.6]))
        {
            drawn.area = Area::at(place, drawn.area.size());
        }
    }

    /// Moves everything so that it begins at the margin, and finds the size.
    fn fit(&mut self) {
        let areas = self.boxes.iter().map(|drawn| drawn.area);
        let others = self.frames.iter().chain(&self.notes).map(|(_, area)| *area);
        let bounds = areas.chain(others).reduce(|all, area| all.union(&area));
        let Some(bounds) = bounds else {
            self.size = [2.0 * MARGIN[0] + 200.0, MARGIN[1] + MARGIN[0]];
            return;
        };
        // Wires that arch over boxes need room above.
        let by = [MARGIN[0] - bounds.min[0], MARGIN[1] + 16.0 - bounds.min[1]];
        for drawn in &mut self.boxes {
            drawn.area = drawn.area.moved(by);
        }
        for (_, area) in self.frames.iter_mut().chain(&mut self.notes) {
            *area = area.moved(by);
        }
        let title = 2.0 * MARGIN[0] + text_width(&self.title, TITLE);
        let [width, height] = bounds.size();
        // The shape at a wire that ends in nothing may stand out.
        self.size = [
            (width + 2.0 * MARGIN[0] + 40.0).max(title),
            height + MARGIN[1] + MARGIN[0] + 24.0,
        ];
    }
}

/// Every box with a size at the place of the editor, and the box of every node.
fn boxes(graph: &Graph) -> (Vec<Drawn>, BTreeMap<NodeId, usize>) {
    let mut boxes: Vec<Drawn> = Vec::new();
    let mut of_node = BTreeMap::new();
    let mut of_group: BTreeMap<&str, usize> = BTreeMap::new();
    for node in graph.nodes() {
        let Some(group) = graph.folded_around(&node.name) else {
            of_node.insert(node.id, boxes.len());
            boxes.push(of_layer(node));
            continue;
        };
        let index = *of_group.entry(group).or_insert(boxes.len());
        if index == boxes.len() {
            boxes.push(folded(graph, group));
        }
        of_node.insert(node.id, index);
        let area = &mut boxes[index].area;
        let corner = [0, 1].map(|axis| area.min[axis].min(node.position[axis]));
        *area = Area::at(corner, area.size());
    }
    (boxes, of_node)
}

fn of_layer(node: &Node) -> Drawn {
    let kind = node.layer.title().to_owned();
    let parameters = words::parameters(&*node.layer).join(", ");
    let lines = [kind, parameters]
        .into_iter()
        .filter(|line| !line.is_empty());
    sized(Drawn {
        group: parent(&node.name).to_owned(),
        title: leaf(&node.name).to_owned(),
        lines: lines.map(|line| shortened(&line)).collect(),
        family: node.layer.spec().family,
        phases: node.phases,
        area: Area::at(node.position, [0.0; 2]),
    })
}

fn folded(graph: &Graph, group: &str) -> Drawn {
    let members = graph.members(group);
    let count = members.len();
    let nodes = graph
        .nodes()
        .iter()
        .filter(|node| members.contains(&node.id));
    // What a group mainly is: the family of most of its layers with weights says it best.
    let families: BTreeSet<Family> = nodes.clone().map(|node| node.layer.spec().family).collect();
    let main = [Family::Convolution, Family::Recurrent, Family::Linear];
    let family = main.into_iter().find(|family| families.contains(family));
    let corner = nodes.fold([f32::INFINITY; 2], |corner, node| {
        [0, 1].map(|axis| corner[axis].min(node.position[axis]))
    });
    sized(Drawn {
        group: parent(group).to_owned(),
        title: leaf(group).to_owned(),
        lines: vec![tr_format!("group of {count}", "{count} 个节点的组")],
        family: family.unwrap_or(Family::Structure),
        phases: Phases::Both,
        area: Area::at(corner, [0.0; 2]),
    })
}

fn shortened(line: &str) -> String {
    match line.chars().count() > LONGEST {
        true => line.chars().take(LONGEST - 1).chain(['…']).collect(),
        false => line.to_owned(),
    }
}

fn sized(mut drawn: Drawn) -> Drawn {
    drawn.title = shortened(&drawn.title);
    let lines = drawn.lines.iter().map(|line| text_width(line, SMALL));
    let width = lines.fold(text_width(&drawn.title, NAME), f32::max);
    let height = 26.0 + 15.0 * drawn.lines.len() as f32 + 6.0;
    drawn.area = Area::at(
        drawn.area.min,
        [(width + 2.0 * INSET + 4.0).max(84.0).round(), height],
    );
    drawn
}

/// One wire for each pair of boxes, with the shape of what flows at the first of each output.
fn wires(
    graph: &Graph,
    inference: &Inference,
    of_node: &BTreeMap<NodeId, usize>,
) -> Vec<DrawnWire> {
    let mut wires: Vec<DrawnWire> = Vec::new();
    let mut said = BTreeSet::new();
    for phase in Phase::BOTH {
        for (from, to) in graph.wires(phase) {
            let (Some(&source), Some(&target)) = (of_node.get(&from.0), of_node.get(&to.0)) else {
                continue;
            };
            let known = wires
                .iter()
                .any(|wire| (wire.from, wire.to) == (source, target));
            if source == target || known {
                continue;
            }
            let port = graph
                .node(from.0)
                .and_then(|node| node.layer.outputs().get(from.1));
            let kind = port.map_or(PortType::Any, |port| port.kind);
            let info = inference.phase(phase).nodes.get(&from.0);
            let outputs = info.and_then(|info| info.outputs.as_ref());
            let shape = outputs.and_then(|outputs| outputs.get(from.1));
            let is_new = said.insert((source, from));
            wires.push(DrawnWire {
                from: source,
                to: target,
                kind,
                shape: shape.filter(|_| is_new).and_then(words::example_shape),
            });
        }
    }
    wires
}
