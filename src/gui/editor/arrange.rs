//! Where boxes go: new ones, and all of them laid out or lined up as one edit.

use std::collections::{BTreeMap, BTreeSet};

use egui::{Pos2, Rect, vec2};

use super::{Card, Editor, Key, board, layout, viewer};
use crate::graph::NodeId;
use crate::gui::context::Action;
use crate::i18n::Text;

impl Editor {
    /// Where a new box goes: right of the selection and under what is already there, or into
    /// the middle of the view.
    pub fn free_place(&self, selection: &BTreeSet<NodeId>) -> Pos2 {
        let size = vec2(170.0, 84.0);
        let beside = self
            .board
            .bounds(Some(selection).filter(|nodes| !nodes.is_empty()));
        let mut place = match (beside, self.view) {
            (Some(bounds), _) if !selection.is_empty() => bounds.right_top() + vec2(56.0, 0.0),
            (_, Some(view)) => self.drawing.to_window.inverse() * view.center() - size / 2.0,
            _ => Pos2::ZERO,
        };
        // Margins are outside of a box's own place.
        if beside.is_some() && !selection.is_empty() {
            place += viewer::MARGIN.left_top();
        }
        let taken: Vec<Rect> = self
            .board
            .boxes()
            .filter_map(|(key, _)| self.board.rect(key))
            .collect();
        let overlaps = |place: Pos2| {
            let rect = Rect::from_min_size(place, size);
            taken.iter().find(|other| other.intersects(rect)).copied()
        };
        for _ in 0..taken.len() {
            match overlaps(place) {
                Some(other) => place.y = other.bottom() + 28.0,
                None => break,
            }
        }
        place
    }

    /// Where a comment goes, or what is pasted: under the pointer, or into the middle.
    pub fn pointed_place(&self) -> Pos2 {
        let middle = self
            .view
            .map(|view| self.drawing.to_window.inverse() * view.center());
        self.pointer.or(middle).unwrap_or_default()
    }

    /// Places every box anew.
    pub fn auto_layout(&mut self) -> Action {
        let cards: Vec<&Card> = self
            .board
            .snarl
            .nodes()
            .filter(|card| card.comment.is_none())
            .collect();
        let owner: BTreeMap<NodeId, usize> = (cards.iter().enumerate())
            .flat_map(|(index, card)| card.nodes.iter().map(move |node| (*node, index)))
            .collect();
        let mut reads: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); cards.len()];
        for (from, to) in self.board.snarl.wires() {
            let end = |id| {
                self.board
                    .card(id)
                    .and_then(|card| owner.get(card.nodes.first()?))
            };
            if let (Some(from), Some(to)) = (end(from.node), end(to.node)) {
                reads[*to].insert(*from);
            }
        }
        let size = |card: &&Card| {
            self.board
                .rect(&card.key)
                .map_or(vec2(170.0, 84.0), |rect| rect.size())
        };
        let blocks: Vec<layout::Block> = (cards.iter().zip(reads))
            .map(|(card, reads)| layout::Block {
                size: size(card),
                reads: reads.into_iter().collect(),
            })
            .collect();
        let view = self.view.map_or(vec2(1000.0, 600.0), |view| view.size());
        let places = layout::layered(&blocks, view);
        let moves = (cards.iter().zip(places)).filter_map(|(card, place)| {
            Some((card.key.clone(), place - self.board.rect(&card.key)?.min))
        });
        let moves: Vec<(Key, egui::Vec2)> = moves.collect();
        self.fit();
        self.settle = 2;
        self.move_boxes(Text::new("Lay out", "自动布局"), &moves)
    }

    /// Lines the selected boxes up.
    pub fn align(&self, selection: &BTreeSet<NodeId>, how: layout::Align) -> Action {
        let chosen = |card: &&Card| {
            !card.nodes.is_empty() && card.nodes.iter().all(|node| selection.contains(node))
        };
        let boxes: BTreeMap<Key, Rect> = (self.board.snarl.nodes().filter(chosen))
            .filter_map(|card| Some((card.key.clone(), self.board.rect(&card.key)?)))
            .collect();
        let moves: Vec<(Key, egui::Vec2)> = layout::align(&boxes, how)
            .into_iter()
            .map(|(key, place)| {
                let old = boxes.get(&key).map_or(place, |rect| rect.min);
                (key, place - old)
            })
            .collect();
        self.move_boxes(Text::new("Align", "对齐"), &moves)
    }

    /// One edit that moves boxes, and with a folded group all nodes in it.
    pub(super) fn move_boxes(&self, name: Text, moves: &[(Key, egui::Vec2)]) -> Action {
        let mut nodes: BTreeMap<NodeId, egui::Vec2> = BTreeMap::new();
        let mut comments: BTreeMap<usize, egui::Vec2> = BTreeMap::new();
        for (key, delta) in moves {
            match (key, self.board.id(key).and_then(|id| self.board.card(id))) {
                (Key::Comment(index), _) => _ = comments.insert(*index, *delta),
                (_, Some(card)) => nodes.extend(card.nodes.iter().map(|node| (*node, *delta))),
                _ => {}
            }
        }
        Action::edit(name, move |project| {
            let moved = |position: &mut [f32; 2], delta: &egui::Vec2| {
                *position = board::place(board::corner(*position) + *delta);
            };
            for (id, delta) in &nodes {
                if let Some(node) = project.graph.node_mut(*id) {
                    moved(&mut node.position, delta);
                }
            }
            for (index, delta) in &comments {
                if let Some(comment) = project.graph.comments.get_mut(*index) {
                    moved(&mut comment.position, delta);
                }
            }
        })
    }
}
