//! The frames around groups that are not folded: where they are, their titles, and what a click,
//! a double click or a drag on a title does.

use std::collections::{BTreeMap, BTreeSet};

use egui::{
    Align2, Color32, CornerRadius, FontId, Id, Painter, Rect, Response, Sense, Stroke, StrokeKind,
    Ui, UiBuilder, Vec2, pos2, vec2,
};

use super::board::Board;
use super::card::Key;
use super::viewer::Viewer;
use crate::graph::layout::{Area, FRAME};
use crate::graph::{Family, Graph, NodeId, depth, leaf, parent};
use crate::gui::commands::CommandId;
use crate::gui::context::Action;
use crate::gui::theme;
use crate::i18n::{tr, tr_format};

/// A group that is not folded.
pub struct Group {
    pub name: String,
    pub nodes: BTreeSet<NodeId>,
    /// The boxes that stand in it, not in inner groups.
    boxes: Vec<Key>,
    /// The inner groups, by their places in the list.
    inner: Vec<usize>,
    /// Since the last frame.
    pub rect: Rect,
}

/// A title that is being dragged: the group's name, how far so far, and whether that is all.
#[derive(Clone, Debug, PartialEq)]
pub struct Pull {
    pub group: String,
    pub by: Vec2,
    pub done: bool,
}

/// The open groups, inner ones first.
pub fn open_groups(graph: &Graph, board: &Board) -> Vec<Group> {
    let mut names: Vec<String> = graph.open_groups().into_iter().collect();
    names.sort_by_key(|name| std::cmp::Reverse(depth(name)));
    let mut boxes: BTreeMap<&str, Vec<Key>> = BTreeMap::new();
    let mut nodes: BTreeMap<&str, BTreeSet<NodeId>> = BTreeMap::new();
    for card in board.cards().filter(|card| card.comment.is_none()) {
        let mut group = parent(&card.name);
        boxes.entry(group).or_default().push(card.key.clone());
        while !group.is_empty() {
            nodes.entry(group).or_default().extend(&card.nodes);
            group = parent(group);
        }
    }
    let mut groups: Vec<Group> = Vec::new();
    for name in names {
        let inner = (groups.iter().enumerate())
            .filter(|(_, group)| parent(&group.name) == name)
            .map(|(index, _)| index)
            .collect();
        groups.push(Group {
            boxes: boxes.remove(name.as_str()).unwrap_or_default(),
            nodes: nodes.remove(name.as_str()).unwrap_or_default(),
            inner,
            rect: Rect::NOTHING,
            name,
        });
    }
    groups
}

/// Brings the frames to where the boxes are.
pub fn place(groups: &mut [Group], rects: &BTreeMap<Key, Rect>) {
    for index in 0..groups.len() {
        let group = &groups[index];
        let boxes = group.boxes.iter().filter_map(|key| rects.get(key).copied());
        let inner = group.inner.iter().map(|inner| groups[*inner].rect);
        let bounds = boxes.chain(inner).reduce(|a, b| a.union(b));
        groups[index].rect = bounds.map_or(Rect::NOTHING, |bounds| {
            let area = Area {
                min: bounds.min.into(),
                max: bounds.max.into(),
            };
            let area = area.framed();
            Rect::from_min_max(area.min.into(), area.max.into())
        });
    }
}

impl Viewer<'_> {
    /// Draws the frames from the outside in, and answers for their titles.
    pub(super) fn frames_ui(&mut self, painter: &Painter, view: Rect) {
        let builder = UiBuilder::new().layer_id(painter.layer_id()).max_rect(view);
        let mut ui = Ui::new(painter.ctx().clone(), Id::new("group frames"), builder);
        ui.set_clip_rect(painter.clip_rect());
        let scaling = self.drawing.to_window.scaling;
        // Titles stay legible from farther away than what is in the boxes.
        let font = (12.0 / scaling).clamp(12.0, 26.0);
        for group in self.groups.iter().rev() {
            if group.rect.intersects(view) {
                self.frame_ui(&mut ui, group, font);
            }
        }
        // From very far, outer groups have their names over them.
        if font * scaling < 8.0 {
            let color = ui.visuals().strong_text_color();
            for group in self
                .groups
                .iter()
                .filter(|group| parent(&group.name).is_empty())
            {
                let font = FontId::proportional(12.0 / scaling);
                let at = group.rect.left_top() + vec2(4.0, -1.0) / scaling;
                painter.text(at, Align2::LEFT_BOTTOM, leaf(&group.name), font, color);
            }
        }
    }

    fn frame_ui(&mut self, ui: &mut Ui, group: &Group, font: f32) {
        let visuals = ui.visuals();
        let color = theme::family_color(Family::Structure, visuals);
        let selected = !group.nodes.is_empty() && group.nodes.is_subset(self.ctx.selection);
        let accent = theme::accent(visuals);
        let stroke = if selected {
            accent
        } else {
            color.gamma_multiply(0.45)
        };
        let title = Rect::from_min_size(group.rect.min, vec2(group.rect.width(), FRAME[1] - 10.0));
        let response = ui.interact(title, ui.id().with(&group.name), Sense::click_and_drag());
        let ground = if response.hovered() { 0.11 } else { 0.055 };
        let painter = ui.painter();
        painter.rect(
            group.rect,
            CornerRadius::same(10),
            color.gamma_multiply(ground),
            Stroke::new(1.0, stroke),
            StrokeKind::Inside,
        );
        if font * self.drawing.to_window.scaling < 5.0 {
            return self.answer(group, response);
        }
        triangle(painter, title.left_center() + vec2(16.0, 0.0), font, color);
        let at = pos2(title.left() + 16.0 + font * 0.75, title.center().y);
        let name = leaf(&group.name);
        let strong = ui.visuals().strong_text_color();
        let end = painter
            .with_clip_rect(title.intersect(painter.clip_rect()))
            .text(
                at,
                Align2::LEFT_CENTER,
                name,
                FontId::proportional(font),
                strong,
            );
        let count = group.nodes.len();
        let text = tr_format!("{count} nodes", "{count} 个节点");
        let small = FontId::proportional(font * 0.85);
        let width = end.right() + font * 6.0;
        if width < title.right() {
            let place = end.right_center() + vec2(font * 0.6, 0.0);
            painter.text(place, Align2::LEFT_CENTER, text, small, color);
        }
        response.widget_info(|| {
            let name = &group.name;
            let text = tr_format!("group {name}", "组 {name}");
            egui::WidgetInfo::labeled(egui::WidgetType::Button, true, text)
        });
        self.answer(group, response);
    }

    fn answer(&mut self, group: &Group, response: Response) {
        if response.double_clicked() {
            let mut folded = self.ctx.project.graph.folded.clone();
            folded.insert(group.name.clone());
            self.actions.push(Action::Fold(folded));
        } else if response.clicked() || response.secondary_clicked() {
            self.actions.push(Action::Select(group.nodes.clone()));
        }
        if response.dragged_by(egui::PointerButton::Primary) || response.drag_stopped() {
            let by = response.total_drag_delta();
            let before = self.drawing.pull.take();
            self.drawing.pull = Some(Pull {
                group: group.name.clone(),
                by: by.or(before.map(|pull| pull.by)).unwrap_or_default(),
                done: response.drag_stopped(),
            });
        }
        response.context_menu(|ui| {
            let ids = [
                CommandId::Fold,
                CommandId::Ungroup,
                CommandId::RepeatGroup,
                CommandId::RenameGroup,
                CommandId::Duplicate,
                CommandId::Delete,
                CommandId::ZoomSelection,
            ];
            self.command_buttons(ui, &ids);
        });
        let about = tr(
            "Double-click folds the group, dragging moves it",
            "双击折叠该组，拖动可移动",
        );
        response.on_hover_text(format!("{}\n{about}", group.name));
    }
}

/// Points down: what follows is open.
fn triangle(painter: &Painter, at: egui::Pos2, font: f32, color: Color32) {
    let [w, h] = [font * 0.32, font * 0.22];
    let corners = [vec2(-w, -h), vec2(w, -h), vec2(0.0, h * 1.2)].map(|by| at + by);
    painter.add(egui::Shape::convex_polygon(
        corners.to_vec(),
        color,
        Stroke::NONE,
    ));
}
