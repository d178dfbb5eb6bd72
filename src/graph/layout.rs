//! Where boxes go: a layered drawing from left to right (Sugiyama, Tagawa and Toda 1981) that
//! keeps the boxes of a group together.
//!
//! Every group is drawn by itself and is one large block in the drawing around it, so groups
//! never overlap. Ranks and orders come from the crate `rust-sugiyama`; rows, frames and gaps
//! are made here. Pure numbers: nothing here knows how a box looks.

mod levels;
mod room;

pub use room::{Placed, bounds_of, frame_of, has_overlap, is_scattered, make_room};

use std::collections::{BTreeMap, BTreeSet};

use super::{Graph, Phase};

/// Between neighbouring columns and between boxes of one column, in points.
pub const GAP: [f32; 2] = [56.0, 28.0];

/// Between what is in a group and the group's frame: left, top with the title, right, bottom.
pub const FRAME: [f32; 4] = [18.0, 38.0, 18.0, 18.0];

/// From the top of a box to its first pins: wires between boxes of one line are straight.
pub const ANCHOR: f32 = 42.0;

/// A group that is wider than this goes on in a row below.
const WIDEST: f32 = 2600.0;

/// A box that nobody has measured.
const USUAL: [f32; 2] = [170.0, 96.0];

/// A rectangle, from its left and top corner to the right and bottom one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    pub min: [f32; 2],
    pub max: [f32; 2],
}

impl Area {
    pub fn at(min: [f32; 2], size: [f32; 2]) -> Self {
        Self {
            min,
            max: [min[0] + size[0], min[1] + size[1]],
        }
    }

    pub fn size(&self) -> [f32; 2] {
        [self.max[0] - self.min[0], self.max[1] - self.min[1]]
    }

    pub fn union(&self, other: &Self) -> Self {
        let pick =
            |f: fn(f32, f32) -> f32, a: [f32; 2], b: [f32; 2]| [f(a[0], b[0]), f(a[1], b[1])];
        Self {
            min: pick(f32::min, self.min, other.min),
            max: pick(f32::max, self.max, other.max),
        }
    }

    /// Whether the insides have a point in common.
    pub fn overlaps(&self, other: &Self) -> bool {
        (0..2).all(|axis| self.min[axis] < other.max[axis] && other.min[axis] < self.max[axis])
    }

    pub fn moved(&self, by: [f32; 2]) -> Self {
        Self {
            min: [self.min[0] + by[0], self.min[1] + by[1]],
            max: [self.max[0] + by[0], self.max[1] + by[1]],
        }
    }

    /// The frame around a group whose contents are in this rectangle.
    pub fn framed(&self) -> Self {
        Self {
            min: [self.min[0] - FRAME[0], self.min[1] - FRAME[1]],
            max: [self.max[0] + FRAME[2], self.max[1] + FRAME[3]],
        }
    }
}

/// A box to be placed.
#[derive(Clone, Debug)]
pub struct Block {
    /// The group that it stands in: `conv2_x/0`, or empty at the top.
    pub group: String,
    pub size: [f32; 2],
    /// The boxes that it reads, by index.
    pub reads: Vec<usize>,
}

/// The left and top corner of every box, drawn for a view of this size: what is too long for it
/// goes on in a row below. A circle of wires is cut somewhere. The same boxes always get the
/// same places.
pub fn layered(blocks: &[Block], view: [f32; 2]) -> Vec<[f32; 2]> {
    let all: Vec<usize> = (0..blocks.len()).collect();
    let mut places = vec![[0.0; 2]; blocks.len()];
    let level = Level::new(blocks, &all, "", view);
    level.place([0.0; 2], &mut places);
    places.iter().map(|place| place.map(f32::round)).collect()
}

/// What stands in one place of a level: a box, or a group that is drawn by itself.
enum Item {
    Box { block: usize, size: [f32; 2] },
    Group(Level),
}

impl Item {
    fn size(&self) -> [f32; 2] {
        match self {
            Self::Box { size, .. } => *size,
            Self::Group(level) => Area::at([0.0; 2], level.size).framed().size(),
        }
    }

    fn anchor(&self) -> f32 {
        match self {
            Self::Box { size, .. } => ANCHOR.min(size[1]),
            Self::Group(level) => level.anchor + FRAME[1],
        }
    }
}

/// The contents of a group, placed from its left and top corner.
struct Level {
    items: Vec<(Item, [f32; 2])>,
    size: [f32; 2],
    /// From the top to the line on which wires come in.
    anchor: f32,
}

impl Level {
    fn new(blocks: &[Block], members: &[usize], group: &str, view: [f32; 2]) -> Self {
        let mut items = Vec::new();
        let mut item_of = BTreeMap::new();
        let mut inner: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        let mut first = BTreeMap::new();
        for block in members {
            match child(&blocks[*block].group, group) {
                Some(child) => {
                    // A group stands in the order where its first box does.
                    first.entry(child).or_insert_with(|| {
                        items.push(None);
                        items.len() - 1
                    });
                    inner.entry(child).or_default().push(*block);
                    item_of.insert(*block, first[child]);
                }
                None => {
                    item_of.insert(*block, items.len());
                    let size = blocks[*block].size;
                    items.push(Some(Item::Box {
                        block: *block,
                        size,
                    }));
                }
            }
        }
        for (child, members) in &inner {
            // A row of layers stays a row; one that is much too long is broken as if for paper.
            let view = [WIDEST, WIDEST / 1.6];
            let level = Self::new(blocks, members, child, view);
            items[first[child]] = Some(Item::Group(level));
        }
        let items: Vec<Item> = items.into_iter().flatten().collect();
        let mut reads: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); items.len()];
        for block in members {
            for read in &blocks[*block].reads {
                if let Some(from) = item_of.get(read).filter(|from| **from != item_of[block]) {
                    reads[item_of[block]].insert(*from);
                }
            }
        }
        let shapes: Vec<levels::Shape> = (items.iter().zip(reads))
            .map(|(item, reads)| levels::Shape {
                size: item.size(),
                anchor: item.anchor(),
                reads: reads.into_iter().collect(),
            })
            .collect();
        let places = levels::place(&shapes, view, group.is_empty());
        let areas = places.iter().zip(&shapes);
        let size = areas
            .map(|(place, shape)| Area::at(*place, shape.size))
            .fold([0.0f32; 2], |size, area| {
                [size[0].max(area.max[0]), size[1].max(area.max[1])]
            });
        let entry = (places.iter().zip(&shapes))
            .min_by(|a, b| a.0[0].total_cmp(&b.0[0]).then(a.0[1].total_cmp(&b.0[1])));
        let anchor = entry.map_or(0.0, |(place, shape)| place[1] + shape.anchor);
        Self {
            items: items.into_iter().zip(places).collect(),
            size,
            anchor,
        }
    }

    fn place(&self, corner: [f32; 2], places: &mut [[f32; 2]]) {
        for (item, place) in &self.items {
            let at = [corner[0] + place[0], corner[1] + place[1]];
            match item {
                Item::Box { block, .. } => places[*block] = at,
                Item::Group(level) => level.place([at[0] + FRAME[0], at[1] + FRAME[1]], places),
            }
        }
    }
}

/// About the size of a node's box: wide enough for its name and type.
fn usual(node: &super::Node) -> [f32; 2] {
    let short = node.name.rsplit('/').next().unwrap_or(&node.name);
    let letters = short.chars().count() + node.layer.title().chars().count();
    [(50.0 + 8.0 * letters as f32).max(USUAL[0]), USUAL[1]]
}

/// The child of `group` that the group `inner` is or lies in; `None` if it is `group` itself.
fn child<'a>(inner: &'a str, group: &str) -> Option<&'a str> {
    let start = match group {
        "" => 0,
        group => group.len() + 1,
    };
    let rest = inner.get(start..).filter(|rest| !rest.is_empty())?;
    Some(&inner[..start + rest.find('/').unwrap_or(rest.len())])
}

impl Graph {
    /// Gives every node a place: folded groups as boxes among the others, and what is in a folded
    /// group in places of its own, for when it unfolds. `size` is asked for the size of a node's
    /// box; without an answer it is a usual one.
    pub fn lay_out(&mut self, view: [f32; 2], size: impl Fn(&super::Node) -> Option<[f32; 2]>) {
        let mut sizes = BTreeMap::new();
        for node in self.nodes() {
            sizes.insert(node.id, size(node).unwrap_or_else(|| usual(node)));
        }
        // From the innermost folded groups out: what is inside keeps its places in a group and
        // moves along with the group's box.
        let folded: Vec<String> = {
            let mut folded: Vec<String> = self.folded.iter().cloned().collect();
            folded.sort_by_key(|group| std::cmp::Reverse(group.matches('/').count()));
            folded
        };
        for group in &folded {
            self.lay_out_level(group, &folded, [WIDEST, WIDEST / 1.6], &sizes);
        }
        self.lay_out_level("", &folded, view, &sizes);
    }

    /// Places what is in `within`, its folded groups as boxes that carry their nodes along.
    fn lay_out_level(
        &mut self,
        within: &str,
        folded: &[String],
        view: [f32; 2],
        sizes: &BTreeMap<super::NodeId, [f32; 2]>,
    ) {
        let hidden_in = |name: &str| {
            let hides = |group: &&String| {
                super::is_in(name, group)
                    && group.len() > within.len()
                    && super::is_in(group, within)
            };
            folded.iter().filter(hides).min_by_key(|group| group.len())
        };
        let mut blocks: Vec<Block> = Vec::new();
        let mut members: Vec<Vec<super::NodeId>> = Vec::new();
        let (mut of_group, mut of_node) = (BTreeMap::new(), BTreeMap::new());
        for node in self
            .nodes()
            .iter()
            .filter(|node| super::is_in(&node.name, within))
        {
            let index = match hidden_in(&node.name) {
                Some(group) => *of_group.entry(group.as_str()).or_insert(blocks.len()),
                None => blocks.len(),
            };
            if index == blocks.len() {
                let name = hidden_in(&node.name).map_or(node.name.as_str(), String::as_str);
                let size = match hidden_in(&node.name) {
                    Some(_) => USUAL,
                    None => sizes.get(&node.id).copied().unwrap_or(USUAL),
                };
                blocks.push(Block {
                    group: name
                        .rsplit_once('/')
                        .map_or("", |(group, _)| group)
                        .to_owned(),
                    size,
                    reads: Vec::new(),
                });
                members.push(Vec::new());
            }
            members[index].push(node.id);
            of_node.insert(node.id, index);
        }
        for (from, to) in Phase::BOTH.iter().flat_map(|&phase| self.wires(phase)) {
            if let (Some(from), Some(to)) = (of_node.get(&from.0), of_node.get(&to.0))
                && from != to
                && !blocks[*to].reads.contains(from)
            {
                blocks[*to].reads.push(*from);
            }
        }
        for block in &mut blocks {
            // Names are whole; within a group only what follows counts.
            block.group = match within {
                "" => std::mem::take(&mut block.group),
                within => block.group.get(within.len() + 1..).unwrap_or("").to_owned(),
            };
        }
        let places = layered(&blocks, view);
        for (members, place) in members.iter().zip(places) {
            self.move_to_corner(members, place);
        }
    }

    /// Moves nodes together so that the left and top corner of all of them is at `place`.
    pub fn move_to_corner(&mut self, nodes: &[super::NodeId], place: [f32; 2]) {
        let wanted: BTreeSet<super::NodeId> = nodes.iter().copied().collect();
        let corner = (self.nodes().iter())
            .filter(|node| wanted.contains(&node.id))
            .fold([f32::INFINITY; 2], |corner, node| {
                [0, 1].map(|axis| corner[axis].min(node.position[axis]))
            });
        for node in self
            .nodes
            .iter_mut()
            .filter(|node| wanted.contains(&node.id))
        {
            node.position = [0, 1].map(|axis| node.position[axis] - corner[axis] + place[axis]);
        }
    }
}
