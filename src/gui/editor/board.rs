//! The boxes and wires that are drawn, kept in step with the graph.
//!
//! The graph is the only truth: this copy is brought up to date before a frame is drawn, and
//! whatever a person did to it in the frame is turned into edits of the graph and undone here
//! by the next update.

use std::collections::{BTreeMap, BTreeSet};

use egui::{Pos2, Rect, pos2};
use egui_snarl::{InPinId, NodeId as BoxId, OutPinId, Snarl};

use super::card::{Card, Key, cards};
use crate::graph::{Graph, Inference, NodeId, Phase};

/// A drawn copy of the graph.
#[derive(Default)]
pub struct Board {
    pub snarl: Snarl<Card>,
    boxes: BTreeMap<Key, BoxId>,
    /// Where each box is drawn, in graph coordinates, since the last frame.
    pub rects: BTreeMap<Key, Rect>,
}

impl Board {
    /// Makes the copy equal to the graph. Boxes that stay keep their ids, and with them what
    /// the widget remembers of them.
    pub fn update(&mut self, graph: &Graph, inference: &Inference) {
        let cards = cards(graph, inference);
        let alive: BTreeSet<&Key> = cards.iter().map(|(card, _)| &card.key).collect();
        let gone: Vec<Key> = self
            .boxes
            .keys()
            .filter(|key| !alive.contains(key))
            .cloned()
            .collect();
        for key in gone {
            if let Some(id) = self.boxes.remove(&key) {
                self.snarl.remove_node(id);
            }
            self.rects.remove(&key);
        }
        for (card, position) in cards {
            let place = Pos2::from(position);
            match self
                .boxes
                .get(&card.key)
                .and_then(|id| self.snarl.get_node_info_mut(*id))
            {
                Some(node) => {
                    node.pos = place;
                    node.value = card;
                }
                None => {
                    let key = card.key.clone();
                    let id = self.snarl.insert_node(place, card);
                    self.boxes.insert(key, id);
                }
            }
        }
        self.update_wires(graph);
    }

    fn update_wires(&mut self, graph: &Graph) {
        let old: Vec<(OutPinId, InPinId)> = self.snarl.wires().collect();
        for (from, to) in old {
            self.snarl.disconnect(from, to);
        }
        let (mut outputs, mut inputs) = (BTreeMap::new(), BTreeMap::new());
        for (node, card) in self
            .snarl
            .nodes_ids_data()
            .map(|(id, node)| (id, &node.value))
        {
            for (output, pin) in card.outputs.iter().enumerate() {
                outputs.insert(pin.at, OutPinId { node, output });
            }
            for (input, pin) in card.inputs.iter().enumerate() {
                inputs.insert(pin.at, InPinId { node, input });
            }
        }
        for phase in Phase::BOTH {
            for (from, to) in graph.wires(phase) {
                if let (Some(from), Some(to)) = (outputs.get(&from), inputs.get(&to))
                    && from.node != to.node
                {
                    self.snarl.connect(*from, *to);
                }
            }
        }
    }

    pub fn id(&self, key: &Key) -> Option<BoxId> {
        self.boxes.get(key).copied()
    }

    pub fn card(&self, id: BoxId) -> Option<&Card> {
        self.snarl.get_node(id)
    }

    /// Every box with its id.
    pub fn boxes(&self) -> impl Iterator<Item = (&Key, BoxId)> {
        self.boxes.iter().map(|(key, id)| (key, *id))
    }

    /// The box that shows a node, itself or folded into a group.
    pub fn box_of(&self, node: NodeId) -> Option<&Card> {
        let shows = |card: &&Card| card.nodes.contains(&node);
        self.snarl.nodes().find(shows)
    }

    /// Where a box is, or about where it will be if it was never drawn.
    pub fn rect(&self, key: &Key) -> Option<Rect> {
        if let Some(rect) = self.rects.get(key) {
            return Some(*rect);
        }
        let node = self.snarl.get_node_info(self.id(key)?)?;
        Some(Rect::from_min_size(node.pos, egui::vec2(170.0, 84.0)))
    }

    /// The rectangle around all boxes, or around those that show these nodes.
    pub fn bounds(&self, of: Option<&BTreeSet<NodeId>>) -> Option<Rect> {
        let wanted =
            |card: &&Card| of.is_none_or(|of| card.nodes.iter().any(|node| of.contains(node)));
        let rects = self
            .snarl
            .nodes()
            .filter(wanted)
            .filter_map(|card| self.rect(&card.key));
        rects.reduce(|a, b| a.union(b))
    }

    /// Wires of the graph's inputs whose wire in the drawing was taken away.
    pub fn pulled_out(&self, before: &BTreeSet<(OutPinId, InPinId)>) -> Vec<(NodeId, usize)> {
        let now: BTreeSet<(OutPinId, InPinId)> = self.snarl.wires().collect();
        let gone = before.difference(&now);
        gone.filter_map(|(_, to)| Some(self.card(to.node)?.inputs.get(to.input)?.at))
            .collect()
    }
}

/// A place in the graph as the graph's files keep it.
pub fn place(position: Pos2) -> [f32; 2] {
    [position.x.round(), position.y.round()]
}

pub fn corner(position: [f32; 2]) -> Pos2 {
    pos2(position[0], position[1])
}
