//! Folding and unfolding with room for what appears, and the layout of everything: each one edit.
//!
//! Boxes that are not drawn yet are measured first, so that nothing has to be moved twice.

use std::collections::{BTreeMap, BTreeSet};

use egui::Context;

use super::card::{Card, Key, cards};
use super::{Editor, measure::Measure};
use crate::graph::layout::{
    Area, Block, GAP, Placed, bounds_of, frame_of, has_overlap, is_scattered, layered, make_room,
};
use crate::graph::{Graph, Inference, NodeId, is_in, parent};
use crate::gui::context::Action;
use crate::i18n::Text;

/// Where more groups change than this, everything is laid out anew.
const FEW: usize = 4;

/// Inside a group boxes are laid out as for a page of this size.
const PAGE: [f32; 2] = [2600.0, 1600.0];

/// The boxes that a graph shows, where it has them and as large as they are drawn.
struct Sheet {
    cards: Vec<Card>,
    placed: Vec<Placed>,
}

impl Sheet {
    fn new(ctx: &Context, measure: &mut Measure, graph: &Graph, inference: &Inference) -> Self {
        let (mut sheet_cards, mut placed) = (Vec::new(), Vec::new());
        let nodes = cards(graph, inference).into_iter();
        for (card, place) in nodes.filter(|(card, _)| card.comment.is_none()) {
            let size = measure.size(ctx, &card);
            placed.push(Placed {
                group: parent(&card.name).to_owned(),
                area: Area::at(place, size.into()),
            });
            sheet_cards.push(card);
        }
        Self {
            cards: sheet_cards,
            placed,
        }
    }

    /// The boxes for which this holds, by their places in the lists.
    fn which(&self, is: impl Fn(&Card) -> bool) -> Vec<usize> {
        let all = self.cards.iter().enumerate();
        all.filter(|(_, card)| is(card))
            .map(|(index, _)| index)
            .collect()
    }

    /// Places boxes anew as if they stood in `group` alone.
    fn lay_out(&mut self, graph: &Graph, boxes: &[usize], group: &str, view: [f32; 2]) {
        let owner: BTreeMap<NodeId, usize> = (boxes.iter().enumerate())
            .flat_map(|(place, index)| {
                self.cards[*index]
                    .nodes
                    .iter()
                    .map(move |node| (*node, place))
            })
            .collect();
        let mut blocks: Vec<Block> = (boxes.iter())
            .map(|index| {
                let placed = &self.placed[*index];
                let inner = placed.group.get(group.len()..).unwrap_or_default();
                Block {
                    group: inner.trim_start_matches('/').to_owned(),
                    size: placed.area.size(),
                    reads: Vec::new(),
                }
            })
            .collect();
        let phases = crate::graph::Phase::BOTH;
        for (from, to) in phases.iter().flat_map(|&phase| graph.wires(phase)) {
            if let (Some(from), Some(to)) = (owner.get(&from.0), owner.get(&to.0)) {
                blocks[*to].reads.push(*from);
            }
        }
        for (index, place) in boxes.iter().zip(layered(&blocks, view)) {
            self.placed[*index].area = Area::at(place, self.placed[*index].area.size());
        }
    }

    /// Moves these boxes out of the way of something in `parent` that grows or shrinks.
    fn make_room(&mut self, others: &[usize], parent: &str, old: Area, new: Area) {
        let mut moved: Vec<Placed> = others.iter().map(|i| self.placed[*i].clone()).collect();
        make_room(&mut moved, parent, old, new);
        for (index, placed) in others.iter().zip(moved) {
            self.placed[*index] = placed;
        }
    }

    /// Moves the nodes of the graph to where the boxes are.
    fn apply(&self, graph: &mut Graph) {
        for (card, placed) in self.cards.iter().zip(&self.placed) {
            graph.move_to_corner(&card.nodes, placed.area.min.map(f32::round));
        }
    }
}

impl Editor {
    /// The graph with other groups folded, and its boxes where they have room.
    pub fn refold(
        &mut self,
        ctx: &Context,
        graph: &Graph,
        inference: &Inference,
        folded: BTreeSet<String>,
    ) -> Action {
        let (was, mut now) = (graph.folded_boxes(), graph.clone());
        now.folded.clone_from(&folded);
        let shown = now.folded_boxes();
        let unfolds: Vec<String> = was.difference(&shown).cloned().collect();
        let folds: Vec<String> = shown.difference(&was).cloned().collect();
        now.folded.clone_from(&graph.folded);
        for group in folds.iter().take(FEW) {
            self.fold_one(ctx, &mut now, inference, group);
        }
        // What appears may hold groups that unfold too.
        let mut steps = folds.len();
        while let Some(group) = now.folded_boxes().difference(&shown).next() {
            steps += 1;
            if steps > FEW {
                break;
            }
            self.unfold_one(ctx, &mut now, inference, &group.clone());
        }
        now.folded = folded;
        if steps > FEW {
            self.lay_out(ctx, &mut now, inference);
            self.fit();
        } else {
            let changed = unfolds.iter().chain(&folds);
            let nodes = changed.flat_map(|group| now.members(group));
            self.reveal(nodes.collect());
        }
        self.settle = self.settle.max(2);
        let name = match unfolds.is_empty() {
            true => Text::new("Fold", "折叠"),
            false => Text::new("Unfold", "展开"),
        };
        edit_to(name, now)
    }

    /// Unfolds one group in its place; its neighbours make room.
    pub fn unfold_one(
        &mut self,
        ctx: &Context,
        graph: &mut Graph,
        inference: &Inference,
        group: &str,
    ) {
        let before = Sheet::new(ctx, &mut self.measure, graph, inference);
        let folded = Key::Group(group.to_owned());
        let Some(index) = before.cards.iter().position(|card| card.key == folded) else {
            return;
        };
        let old = before.placed[index].area;
        graph.folded.remove(group);
        let mut after = Sheet::new(ctx, &mut self.measure, graph, inference);
        let inside = after.which(|card| is_in(&card.name, group));
        let boxes = |sheet: &Sheet, which: &[usize]| -> Vec<Placed> {
            which
                .iter()
                .map(|index| sheet.placed[*index].clone())
                .collect()
        };
        let as_it_was = boxes(&after, &inside);
        if has_overlap(&as_it_was) || is_scattered(&as_it_was) {
            after.lay_out(graph, &inside, group, PAGE);
        }
        let bounds = bounds_of(boxes(&after, &inside).iter(), group);
        let Some(frame) = bounds.map(|bounds| bounds.framed()) else {
            return;
        };
        // The way in stays on its line: the first box where the folded one was.
        let entry = first_top(&boxes(&after, &inside)).unwrap_or(frame.min[1]);
        let by = [old.min[0] - frame.min[0], old.min[1] - entry];
        for index in &inside {
            after.placed[*index].area = after.placed[*index].area.moved(by);
        }
        let others = after.which(|card| !is_in(&card.name, group));
        after.make_room(&others, parent(group), old, frame.moved(by));
        after.apply(graph);
    }

    fn fold_one(&mut self, ctx: &Context, graph: &mut Graph, inference: &Inference, group: &str) {
        let before = Sheet::new(ctx, &mut self.measure, graph, inference);
        let inside = before.which(|card| is_in(&card.name, group));
        let inside: Vec<Placed> = inside
            .iter()
            .map(|index| before.placed[*index].clone())
            .collect();
        let (frame, top) = (frame_of(&inside, group), first_top(&inside));
        graph.folded.insert(group.to_owned());
        let mut after = Sheet::new(ctx, &mut self.measure, graph, inference);
        let key = Key::Group(group.to_owned());
        let index = after.cards.iter().position(|card| card.key == key);
        let (Some(old), Some(top), Some(index)) = (frame, top, index) else {
            return;
        };
        let size = after.placed[index].area.size();
        let new = Area::at([old.min[0], top], size);
        after.placed[index].area = new;
        let others = after.which(|card| card.key != key);
        after.make_room(&others, parent(group), old, new);
        after.apply(graph);
    }

    /// Gives every box of the graph a place anew.
    pub fn lay_out(&mut self, ctx: &Context, graph: &mut Graph, inference: &Inference) {
        let view = self.view.map_or([1000.0, 600.0], |view| view.size().into());
        // What is hidden in folded groups first: a box stands where its nodes' corner is.
        let hidden: Vec<String> = graph.folded_boxes().into_iter().collect();
        let degenerate = |graph: &Graph, group: &String| {
            let members = graph.members(group);
            let nodes = graph
                .nodes()
                .iter()
                .filter(|node| members.contains(&node.id));
            let places: BTreeSet<[i64; 2]> = nodes.map(|n| n.position.map(|x| x as i64)).collect();
            places.len() < members.len()
        };
        if hidden.iter().any(|group| degenerate(graph, group)) {
            graph.lay_out(view, |_| None);
        }
        let mut sheet = Sheet::new(ctx, &mut self.measure, graph, inference);
        let all: Vec<usize> = (0..sheet.cards.len()).collect();
        sheet.lay_out(graph, &all, "", view);
        sheet.apply(graph);
    }

    /// Places every box anew, as one edit.
    pub fn auto_layout(&mut self, ctx: &Context, graph: &Graph, inference: &Inference) -> Action {
        let mut now = graph.clone();
        self.lay_out(ctx, &mut now, inference);
        self.fit();
        self.settle = 2;
        edit_to(Text::new("Lay out", "自动布局"), now)
    }

    /// Whether boxes lie on each other or far apart, as in a graph that nobody has placed.
    pub fn is_unplaced(&mut self, ctx: &Context, graph: &Graph, inference: &Inference) -> bool {
        let sheet = Sheet::new(ctx, &mut self.measure, graph, inference);
        let corner = |placed: &Placed| placed.area.min.map(|x| x.round() as i64);
        let corners: BTreeSet<[i64; 2]> = sheet.placed.iter().map(corner).collect();
        corners.len() < sheet.placed.len() || is_scattered(&sheet.placed)
    }

    /// Whether any boxes lie on each other.
    pub fn is_crowded(&mut self, ctx: &Context, graph: &Graph, inference: &Inference) -> bool {
        has_overlap(&Sheet::new(ctx, &mut self.measure, graph, inference).placed)
    }

    /// Makes room for the frame of a new group around boxes that took the rectangle `old`, or
    /// lays everything out where others stand between them.
    pub fn settle_frame(
        &mut self,
        ctx: &Context,
        graph: &mut Graph,
        inference: &Inference,
        group: &str,
        old: Option<Area>,
    ) {
        let mut sheet = Sheet::new(ctx, &mut self.measure, graph, inference);
        let (Some(old), Some(new)) = (old, frame_of(&sheet.placed, group)) else {
            return;
        };
        let others = sheet.which(|card| !is_in(&card.name, group));
        sheet.make_room(&others, parent(group), old, new);
        let clear = |index: &usize| !sheet.placed[*index].area.overlaps(&new);
        match others.iter().all(clear) && !has_overlap(&sheet.placed) {
            true => sheet.apply(graph),
            false => self.lay_out(ctx, graph, inference),
        }
    }

    /// Makes room at the right of a group for copies of it; the distance from one to the next.
    pub fn widen(
        &mut self,
        ctx: &Context,
        graph: &mut Graph,
        inference: &Inference,
        group: &str,
        copies: usize,
    ) -> f32 {
        let mut sheet = Sheet::new(ctx, &mut self.measure, graph, inference);
        let inside = |card: &Card| card.name == group || is_in(&card.name, group);
        let own = sheet.which(inside);
        let folded = own.iter().find(|index| sheet.cards[**index].name == group);
        let old = match folded {
            Some(index) => Some(sheet.placed[*index].area),
            None => frame_of(&sheet.placed, group),
        };
        let Some(old) = old else { return 0.0 };
        let step = old.size()[0] + GAP[0];
        let mut new = old;
        new.max[0] += step * copies as f32;
        let others = sheet.which(|card| !inside(card));
        sheet.make_room(&others, parent(group), old, new);
        sheet.apply(graph);
        step
    }

    /// The rectangle around the boxes of some nodes, without a frame.
    pub fn area_of(
        &mut self,
        ctx: &Context,
        graph: &Graph,
        inference: &Inference,
        nodes: &BTreeSet<NodeId>,
    ) -> Option<Area> {
        let sheet = Sheet::new(ctx, &mut self.measure, graph, inference);
        let boxes = sheet.which(|card| card.nodes.iter().any(|node| nodes.contains(node)));
        let areas = boxes.into_iter().map(|index| sheet.placed[index].area);
        areas.reduce(|a, b| a.union(&b))
    }
}

/// The top of the leftmost box: where the wires come in.
fn first_top(boxes: &[Placed]) -> Option<f32> {
    let first = boxes.iter().min_by(|a, b| {
        let [a, b] = [a, b].map(|placed| placed.area.min);
        a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1]))
    });
    first.map(|placed| placed.area.min[1])
}

/// An edit that takes over where the nodes stand and what is folded.
fn edit_to(name: Text, now: Graph) -> Action {
    Action::edit(name, move |project| {
        for node in now.nodes() {
            if let Some(old) = project.graph.node_mut(node.id) {
                old.position = node.position;
            }
        }
        project.graph.folded = now.folded;
    })
}
