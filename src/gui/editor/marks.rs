//! What is marked in the graph: what a search found, and what is different from another project.

use std::collections::{BTreeMap, BTreeSet};

use egui::{Color32, CornerRadius, FontId, Painter, Rect, Stroke, StrokeKind, Visuals, vec2};

use super::card::Card;
use super::search::found_color;
use super::viewer::Viewer;
use crate::graph::{Family, NodeId};
use crate::gui::theme;

/// How a node differs from what it is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Differs {
    Added,
    Changed,
    Removed,
}

impl Differs {
    pub fn color(self, visuals: &Visuals) -> Color32 {
        match self {
            Self::Added => theme::family_color(Family::Metric, visuals),
            Self::Changed => visuals.warn_fg_color,
            Self::Removed => visuals.error_fg_color,
        }
    }

    pub fn sign(self) -> &'static str {
        match self {
            Self::Added => "+",
            Self::Changed => "~",
            Self::Removed => "−",
        }
    }
}

/// A node of the other project that is not here, where it stood there.
#[derive(Clone, Debug, PartialEq)]
pub struct Ghost {
    pub name: String,
    pub place: [f32; 2],
}

/// Everything that is marked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Marks {
    pub found: BTreeSet<NodeId>,
    /// Of what was found, the one that the list is at.
    pub current: Option<NodeId>,
    pub differs: BTreeMap<NodeId, Differs>,
    pub ghosts: Vec<Ghost>,
}

impl Marks {
    /// The colour of a node's mark, if it has one.
    pub fn color(&self, node: NodeId, visuals: &Visuals) -> Option<Color32> {
        if self.found.contains(&node) {
            return Some(found_color(visuals));
        }
        self.differs
            .get(&node)
            .map(|differs| differs.color(visuals))
    }

    /// How the nodes of a box differ: the same way, or else it has changed.
    fn of_card(&self, card: &Card) -> Option<Differs> {
        let mut all = card.nodes.iter().filter_map(|node| self.differs.get(node));
        let first = *all.next()?;
        let count = card
            .nodes
            .iter()
            .filter(|node| self.differs.contains_key(node))
            .count();
        let same = count == card.nodes.len() && all.all(|other| *other == first);
        Some(if same { first } else { Differs::Changed })
    }
}

impl Viewer<'_> {
    /// Draws the marks behind the boxes.
    pub(super) fn marks_ui(&self, painter: &Painter, view: Rect, visuals: &Visuals) {
        let marks = self.marks;
        for ghost in &marks.ghosts {
            self.ghost_ui(painter, view, visuals, ghost);
        }
        if marks.found.is_empty() && marks.differs.is_empty() {
            return;
        }
        let near = 1.0 / self.drawing.to_window.scaling.max(0.1);
        for card in self.cards {
            let Some(rect) = self
                .rects
                .get(&card.key)
                .filter(|rect| rect.intersects(view))
            else {
                continue;
            };
            if let Some(differs) = marks.of_card(card) {
                let color = differs.color(visuals);
                halo(painter, *rect, color, 3.0 * near.min(2.0));
                let at = rect.left_top() - vec2(2.0, 4.0);
                let font = FontId::proportional((15.0 * near).clamp(15.0, 30.0));
                painter.text(at, egui::Align2::LEFT_BOTTOM, differs.sign(), font, color);
            }
            if card.nodes.iter().any(|node| marks.found.contains(node)) {
                let color = found_color(visuals);
                let current = marks.current.is_some_and(|node| card.nodes.contains(&node));
                let width = if current { 4.0 } else { 2.0 };
                halo(painter, *rect, color, width * near.min(3.0));
            }
        }
    }

    fn ghost_ui(&self, painter: &Painter, view: Rect, visuals: &Visuals, ghost: &Ghost) {
        let corner = egui::Pos2::from(ghost.place) - super::viewer::MARGIN.left_top();
        let rect = Rect::from_min_size(corner, vec2(140.0, 40.0));
        if !rect.intersects(view) {
            return;
        }
        let color = Differs::Removed.color(visuals);
        let line = Stroke::new(1.5, color.gamma_multiply(0.7));
        let edge = [
            rect.left_top(),
            rect.right_top(),
            rect.right_bottom(),
            rect.left_bottom(),
            rect.left_top(),
        ];
        painter.rect_filled(rect, 6.0, color.gamma_multiply(0.08));
        painter.extend(egui::Shape::dashed_line(&edge, line, 6.0, 4.0));
        let text = format!(
            "{} {}",
            Differs::Removed.sign(),
            crate::graph::leaf(&ghost.name)
        );
        let font = FontId::proportional(13.0);
        painter.text(
            rect.center(),
            egui::Align2::CENTER_CENTER,
            text,
            font,
            color,
        );
    }
}

fn halo(painter: &Painter, rect: Rect, color: Color32, width: f32) {
    let round = CornerRadius::same(8);
    let line = Stroke::new(width, color);
    let fill = color.gamma_multiply(0.25);
    painter.rect(
        rect.expand(width + 1.0),
        round,
        fill,
        line,
        StrokeKind::Inside,
    );
}
