//! The boxes and wires that are drawn, kept in step with the graph.
//!
//! The graph is the only truth: this copy is brought up to date before a frame is drawn, and
//! whatever a person did to it in the frame is turned into edits of the graph and undone here
//! by the next update. The widget gets only what is near the view, with both ends of every wire
//! that crosses it: the rest of a large graph costs a comparison of rectangles.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use egui::{Pos2, Rect, Vec2, pos2};
use egui_snarl::{InPinId, NodeId as BoxId, OutPinId, Snarl};

use super::card::{Card, Key, cards};
use crate::graph::{Graph, Inference, NodeId, Phase};

/// Drawn around the view, so that what comes into it has been measured.
const MARGIN: f32 = 240.0;

/// A box and where it is.
pub struct Shown {
    pub card: Rc<Card>,
    /// The left and top corner of its contents, as in the graph.
    pub place: Pos2,
    drawn: Option<BoxId>,
}

/// A wire between pins of two boxes, by their places in the list.
type Link = ((usize, usize), (usize, usize));

/// A drawn copy of the graph.
#[derive(Default)]
pub struct Board {
    /// What is near the view.
    pub snarl: Snarl<Rc<Card>>,
    /// Every box.
    shown: Vec<Shown>,
    index: BTreeMap<Key, usize>,
    links: Vec<Link>,
    /// Where each box is, in graph coordinates: as it was drawn last, or as it was measured.
    pub rects: BTreeMap<Key, Rect>,
    /// The view that the widget's copy was made for.
    culled: Option<Rect>,
}

impl Board {
    /// Makes the copy equal to the graph. Boxes that stay keep their ids, and with them what
    /// the widget remembers of them. Returns the boxes whose contents have changed.
    pub fn update(
        &mut self,
        graph: &Graph,
        inference: &Inference,
        measure: &mut dyn FnMut(&Card) -> Vec2,
    ) -> BTreeSet<BoxId> {
        let cards = cards(graph, inference);
        let mut old: BTreeMap<Key, Shown> = (self.shown.drain(..))
            .map(|shown| (shown.card.key.clone(), shown))
            .collect();
        let mut changed = BTreeSet::new();
        self.index.clear();
        for (index, (card, position)) in cards.into_iter().enumerate() {
            let place = Pos2::from(position);
            let before = old.remove(&card.key);
            let drawn = before.as_ref().and_then(|before| before.drawn);
            self.index.insert(card.key.clone(), index);
            let same = before.filter(|before| *before.card == card);
            let rect = self.rects.get(&card.key).filter(|_| same.is_some());
            let corner = place - super::viewer::MARGIN.left_top();
            let size = rect.map_or_else(|| measure(&card), Rect::size);
            self.rects
                .insert(card.key.clone(), Rect::from_min_size(corner, size));
            let card = match same {
                Some(same) => same.card,
                None => {
                    changed.extend(drawn);
                    Rc::new(card)
                }
            };
            if let Some(node) = drawn.and_then(|id| self.snarl.get_node_info_mut(id)) {
                node.pos = place;
                node.value = card.clone();
            }
            self.shown.push(Shown { card, place, drawn });
        }
        for (key, gone) in old {
            if let Some(id) = gone.drawn {
                self.snarl.remove_node(id);
            }
            self.rects.remove(&key);
        }
        self.update_wires(graph);
        self.culled = None;
        changed
    }

    fn update_wires(&mut self, graph: &Graph) {
        let old: Vec<(OutPinId, InPinId)> = self.snarl.wires().collect();
        for (from, to) in old {
            self.snarl.disconnect(from, to);
        }
        let (mut outputs, mut inputs) = (BTreeMap::new(), BTreeMap::new());
        for (index, shown) in self.shown.iter().enumerate() {
            for (output, pin) in shown.card.outputs.iter().enumerate() {
                outputs.insert(pin.at, (index, output));
            }
            for (input, pin) in shown.card.inputs.iter().enumerate() {
                inputs.insert(pin.at, (index, input));
                inputs.extend(pin.more.iter().map(|at| (*at, (index, input))));
            }
        }
        let mut links = BTreeSet::new();
        for (from, to) in Phase::BOTH.iter().flat_map(|&phase| graph.wires(phase)) {
            if let (Some(from), Some(to)) = (outputs.get(&from), inputs.get(&to))
                && from.0 != to.0
            {
                links.insert((*from, *to));
            }
        }
        self.links = links.into_iter().collect();
    }

    /// Gives the widget what is near the view, given in graph coordinates. What `holds` a wire or
    /// a box in hand keeps everything that is there.
    pub fn cull(&mut self, view: Rect, holds: bool) {
        if self.culled == Some(view) {
            return;
        }
        self.culled = Some(view);
        let near = view.expand(MARGIN);
        let rects: Vec<Rect> = (self.shown.iter())
            .map(|shown| {
                self.rects
                    .get(&shown.card.key)
                    .copied()
                    .unwrap_or(Rect::NOTHING)
            })
            .collect();
        let mut wanted: Vec<bool> = rects.iter().map(|rect| rect.intersects(near)).collect();
        for ((from, _), (to, _)) in &self.links {
            if rects[*from].union(rects[*to]).intersects(view) {
                (wanted[*from], wanted[*to]) = (true, true);
            }
        }
        for (shown, wanted) in self.shown.iter_mut().zip(&wanted) {
            match shown.drawn {
                None if *wanted => {
                    shown.drawn = Some(self.snarl.insert_node(shown.place, shown.card.clone()));
                }
                Some(id) if !*wanted && !holds => {
                    self.snarl.remove_node(id);
                    shown.drawn = None;
                }
                _ => {}
            }
        }
        for ((from, output), (to, input)) in &self.links {
            if let (Some(from), Some(to)) = (self.shown[*from].drawn, self.shown[*to].drawn) {
                let output = OutPinId {
                    node: from,
                    output: *output,
                };
                let input = InPinId {
                    node: to,
                    input: *input,
                };
                self.snarl.connect(output, input);
            }
        }
    }

    /// What the widget has has changed under its hands; it is given anew.
    pub fn invalidate(&mut self) {
        self.culled = None;
    }

    /// The id of a box that is drawn.
    pub fn id(&self, key: &Key) -> Option<BoxId> {
        self.shown[*self.index.get(key)?].drawn
    }

    /// A box that is drawn, by its id.
    pub fn card(&self, id: BoxId) -> Option<&Rc<Card>> {
        self.snarl.get_node(id)
    }

    /// Any box, drawn or not.
    pub fn find(&self, key: &Key) -> Option<&Shown> {
        self.shown.get(*self.index.get(key)?)
    }

    /// Every box, drawn or not.
    pub fn cards(&self) -> impl Iterator<Item = &Rc<Card>> {
        self.shown.iter().map(|shown| &shown.card)
    }

    /// Every box that is drawn, with its id.
    pub fn drawn(&self) -> impl Iterator<Item = (&Rc<Card>, BoxId)> {
        (self.shown.iter()).filter_map(|shown| Some((&shown.card, shown.drawn?)))
    }

    /// The box that shows a node, itself or folded into a group.
    pub fn box_of(&self, node: NodeId) -> Option<&Rc<Card>> {
        match self.find(&Key::Node(node)) {
            Some(shown) => Some(&shown.card),
            None => self.cards().find(|card| card.nodes.contains(&node)),
        }
    }

    /// Where a box is, drawn or not.
    pub fn rect(&self, key: &Key) -> Option<Rect> {
        self.rects.get(key).copied()
    }

    /// The rectangle around all boxes, or around those that show these nodes.
    pub fn bounds(&self, of: Option<&BTreeSet<NodeId>>) -> Option<Rect> {
        let wanted =
            |card: &&Rc<Card>| of.is_none_or(|of| card.nodes.iter().any(|node| of.contains(node)));
        let rects = (self.cards().filter(wanted)).filter_map(|card| self.rect(&card.key));
        rects.reduce(|a, b| a.union(b))
    }

    /// Wires of the graph's inputs whose wire in the drawing was taken away.
    pub fn pulled_out(&self, before: &BTreeSet<(OutPinId, InPinId)>) -> Vec<(NodeId, usize)> {
        let now: BTreeSet<(OutPinId, InPinId)> = self.snarl.wires().collect();
        let gone = before.difference(&now);
        let pins = gone.filter_map(|(_, to)| self.card(to.node)?.inputs.get(to.input));
        pins.flat_map(|pin| std::iter::once(pin.at).chain(pin.more.iter().copied()))
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
