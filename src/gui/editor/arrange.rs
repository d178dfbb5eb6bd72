//! Where boxes go: new ones, and those that are lined up or moved as one edit.

use std::collections::{BTreeMap, BTreeSet};

use egui::{Pos2, Rect, vec2};

use super::{Card, Editor, Key, align, board, viewer};
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
            .cards()
            .filter_map(|card| self.board.rect(&card.key))
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

    /// Lines the selected boxes up.
    pub fn align(&self, selection: &BTreeSet<NodeId>, how: align::Align) -> Action {
        let chosen = |card: &Card| {
            !card.nodes.is_empty() && card.nodes.iter().all(|node| selection.contains(node))
        };
        let boxes: BTreeMap<Key, Rect> = (self.board.cards().filter(|card| chosen(card)))
            .filter_map(|card| Some((card.key.clone(), self.board.rect(&card.key)?)))
            .collect();
        let moves: Vec<(Key, egui::Vec2)> = align::align(&boxes, how)
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
            match (key, self.board.find(key).map(|shown| &shown.card)) {
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
