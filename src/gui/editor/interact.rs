//! What a person does to the boxes as a whole: selecting, dragging, dropping, arrow keys.
//!
//! The widget answers for single boxes; the selection of the window is kept here in step.

use std::collections::BTreeSet;
use std::rc::Rc;

use egui::{Id, Key as KeyName, Modifiers, Rect, Response, Ui, Vec2};
use egui_snarl::NodeId as BoxId;

use super::board::place;
use super::viewer::Typing;
use super::{Card, Editor, Key, NewLayer, edits};
use crate::graph::NodeId;
use crate::gui::context::{Action, Ctx};
use crate::i18n::Text;

impl Editor {
    pub(super) fn interact(
        &mut self,
        ui: &mut Ui,
        widget: Id,
        response: &Response,
        ctx: &Ctx<'_>,
        actions: &mut Vec<Action>,
    ) {
        let Some(view) = self.view else { return };
        let (pressed, pointer) =
            ui.input(|input| (input.pointer.any_pressed(), input.pointer.latest_pos()));
        let over = pointer.is_some_and(|pointer| view.contains(pointer));
        if pressed {
            self.active = over;
        }
        if let Some(pointer) = pointer.filter(|_| over) {
            self.pointer = Some(self.drawing.to_window.inverse() * pointer);
        }
        let boxes: Vec<(Rc<Card>, BoxId)> = self
            .board
            .drawn()
            .map(|(card, id)| (card.clone(), id))
            .collect();
        for (card, id) in boxes {
            // The widget's own id of a box's frame, whose answer it keeps to itself.
            let frame = widget.with(("snarl-node", id)).with("frame");
            if let Some(answer) = ui.ctx().read_response(frame) {
                self.box_answer(ui, &card, id, &answer, ctx, actions);
            }
        }
        self.pull_group(actions);
        self.box_selection(ui, widget, ctx, actions);
        if response.clicked() {
            self.drawing.selected_comment = None;
            if !ctx.selection.is_empty() {
                actions.push(Action::Select(BTreeSet::new()));
            }
        }
        self.drop_layer(ui, view, ctx, actions);
        self.arrow_keys(ui, ctx, actions);
    }

    fn box_answer(
        &mut self,
        ui: &Ui,
        card: &Rc<Card>,
        id: BoxId,
        answer: &Response,
        ctx: &Ctx<'_>,
        actions: &mut Vec<Action>,
    ) {
        let touched = answer.clicked()
            || answer.double_clicked()
            || answer.secondary_clicked()
            || answer.drag_started()
            || answer.dragged()
            || answer.drag_stopped();
        if !touched {
            return;
        }
        let key = &card.key;
        let nodes: BTreeSet<NodeId> = card.nodes.iter().copied().collect();
        let title = card.name.clone();
        let text = card.comment.as_ref().map(|(text, _)| text.clone());
        let selected = !nodes.is_empty() && nodes.is_subset(ctx.selection);
        let modifiers = ui.input(|input| input.modifiers);
        if answer.double_clicked() {
            match key {
                Key::Group(group) => {
                    let mut folded = ctx.project.graph.folded.clone();
                    folded.remove(group);
                    actions.push(Action::Fold(folded));
                }
                _ => {
                    let text = text.unwrap_or(title);
                    self.drawing.typing = Some(Typing {
                        key: key.clone(),
                        text,
                        fresh: true,
                    });
                }
            }
        } else if answer.clicked() || answer.drag_started() || answer.secondary_clicked() {
            let toggles = modifiers.shift || modifiers.command;
            let keeps = selected && !answer.clicked();
            match key {
                Key::Comment(index) => {
                    self.drawing.selected_comment = Some(*index);
                    actions.push(Action::Select(BTreeSet::new()));
                }
                _ if toggles && answer.clicked() => {
                    let change = |mut selection: BTreeSet<NodeId>| {
                        for node in &nodes {
                            if selected {
                                selection.remove(node);
                            } else {
                                selection.insert(*node);
                            }
                        }
                        selection
                    };
                    actions.push(Action::Select(change(ctx.selection.clone())));
                }
                _ if !keeps => {
                    self.drawing.selected_comment = None;
                    actions.push(Action::Select(nodes.clone()));
                }
                _ => {}
            }
        }
        self.drag(key, id, answer, selected, ctx, actions);
    }

    /// The widget moves the box under the pointer; the rest of the selection goes along, and
    /// at the end all of it becomes one edit.
    fn drag(
        &mut self,
        key: &Key,
        id: BoxId,
        answer: &Response,
        selected: bool,
        ctx: &Ctx<'_>,
        actions: &mut Vec<Action>,
    ) {
        let at = self.board.snarl.get_node_info(id).map(|node| node.pos);
        let home = self.board.find(key).map(|shown| shown.place);
        let moved = at.zip(home).map_or(Vec2::ZERO, |(now, home)| now - home);
        let along = |card: &&Rc<Card>| {
            let is_selected = |node| ctx.selection.contains(node);
            card.key == *key
                || selected && !card.nodes.is_empty() && card.nodes.iter().all(is_selected)
        };
        if answer.dragged_by(egui::PointerButton::Primary) {
            self.moving = true;
            let keys: Vec<Key> = self
                .board
                .cards()
                .filter(along)
                .map(|c| c.key.clone())
                .collect();
            self.show_moved(&keys, moved);
        }
        if answer.drag_stopped() && self.moving {
            self.moving = false;
            self.shown = None;
            let keys = self
                .board
                .cards()
                .filter(along)
                .map(|card| card.key.clone());
            let moves: Vec<(Key, Vec2)> = keys.map(|key| (key, moved)).collect();
            if moved.length() > 0.5 {
                actions.push(self.move_boxes(Text::new("Move", "移动"), &moves));
            }
        }
    }

    /// Draws boxes away from their places, until the drag is over.
    fn show_moved(&mut self, keys: &[Key], by: Vec2) {
        for key in keys {
            let Some(place) = self.board.find(key).map(|shown| shown.place) else {
                continue;
            };
            match self
                .board
                .id(key)
                .and_then(|id| self.board.snarl.get_node_info_mut(id))
            {
                Some(node) => node.pos = place + by,
                // Out of sight, a frame around it may still be seen.
                None => {
                    if let Some(rect) = self.board.rects.get_mut(key) {
                        let corner = place - super::viewer::MARGIN.left_top() + by;
                        *rect = Rect::from_min_size(corner, rect.size());
                    }
                }
            }
        }
    }

    /// A group that is moved by its title.
    fn pull_group(&mut self, actions: &mut Vec<Action>) {
        let Some(pull) = self.drawing.pull.take() else {
            return;
        };
        let inside = |card: &&Rc<Card>| crate::graph::is_in(&card.name, &pull.group);
        let cards = self.board.cards().filter(|card| card.comment.is_none());
        let keys: Vec<Key> = cards.filter(inside).map(|card| card.key.clone()).collect();
        self.show_moved(&keys, pull.by);
        self.moving = !pull.done;
        if pull.done {
            self.shown = None;
            let moves: Vec<(Key, Vec2)> = keys.into_iter().map(|key| (key, pull.by)).collect();
            if pull.by.length() > 0.5 {
                actions.push(self.move_boxes(Text::new("Move a group", "移动组"), &moves));
            }
        } else {
            self.drawing.pull = Some(pull);
        }
    }

    /// Shift and drag over the ground: the widget draws the rectangle.
    fn box_selection(&mut self, ui: &Ui, widget: Id, ctx: &Ctx<'_>, actions: &mut Vec<Action>) {
        let Some(answer) = ui.ctx().read_response(widget.with("select")) else {
            self.selecting_from = None;
            return;
        };
        let Some(pointer) = answer.interact_pointer_pos() else {
            return;
        };
        if answer.drag_started() {
            self.selecting_from = Some(pointer);
        }
        if answer.drag_stopped()
            && let Some(from) = self.selecting_from.take()
        {
            let area = Rect::from_two_pos(from, pointer);
            let mut selection = ctx.selection.clone();
            for card in self.board.cards() {
                if self
                    .board
                    .rect(&card.key)
                    .is_some_and(|rect| rect.intersects(area))
                {
                    selection.extend(&card.nodes);
                }
            }
            actions.push(Action::Select(selection));
        }
    }

    /// A layer that was dragged here from the palette.
    fn drop_layer(&mut self, ui: &Ui, view: Rect, ctx: &Ctx<'_>, actions: &mut Vec<Action>) {
        let Some(pointer) = ui.input(|input| input.pointer.interact_pos()) else {
            return;
        };
        let released = ui.input(|input| input.pointer.any_released());
        if !released
            || !view.contains(pointer)
            || !egui::DragAndDrop::has_payload_of_type::<NewLayer>(ui.ctx())
        {
            return;
        }
        if let Some(layer) = egui::DragAndDrop::take_payload::<NewLayer>(ui.ctx()) {
            let position = self.drawing.to_window.inverse() * pointer - egui::vec2(60.0, 16.0);
            actions.push(Action::AddLayer {
                kind: layer.0,
                position: Some(place(position)),
                beside: ctx.selection.clone(),
            });
        }
    }

    fn arrow_keys(&mut self, ui: &Ui, ctx: &Ctx<'_>, actions: &mut Vec<Action>) {
        let focused = ui.memory(|memory| memory.focused().is_some());
        if !self.active || focused || self.situation.asked {
            return;
        }
        let keys = [
            (KeyName::ArrowRight, egui::vec2(1.0, 0.0)),
            (KeyName::ArrowLeft, egui::vec2(-1.0, 0.0)),
            (KeyName::ArrowDown, egui::vec2(0.0, 1.0)),
            (KeyName::ArrowUp, egui::vec2(0.0, -1.0)),
        ];
        for (name, direction) in keys {
            if ui.input_mut(|input| input.consume_key(Modifiers::NONE, name)) {
                if let Some(next) = self.next_box(ctx, direction) {
                    actions.push(Action::Select(next.clone()));
                    self.reveal(next);
                }
            } else if ui.input_mut(|input| input.consume_key(Modifiers::ALT, name)) {
                actions.push(self.nudge(ctx, direction * 8.0));
            }
        }
        if ui.input(|input| input.key_pressed(KeyName::Escape))
            && self.drawing.typing.is_none()
            && !ctx.selection.is_empty()
        {
            actions.push(Action::Select(BTreeSet::new()));
        }
    }

    fn nudge(&self, ctx: &Ctx<'_>, by: Vec2) -> Action {
        let chosen = edits::with_folded(&ctx.project.graph, ctx.selection);
        Action::merging(Text::new("Move", "移动"), "nudge", move |project| {
            for id in &chosen {
                if let Some(node) = project.graph.node_mut(*id) {
                    node.position = place(egui::Pos2::from(node.position) + by);
                }
            }
        })
    }

    /// The nearest box in a direction from the selection; the leftmost if nothing is selected.
    fn next_box(&self, ctx: &Ctx<'_>, direction: Vec2) -> Option<BTreeSet<NodeId>> {
        let from = self
            .board
            .bounds(Some(ctx.selection).filter(|nodes| !nodes.is_empty()))?;
        let from = if ctx.selection.is_empty() {
            from.left_center() - egui::vec2(1.0, 0.0)
        } else {
            from.center()
        };
        let cost = |rect: Rect| {
            let way = rect.center() - from;
            let along = way.dot(direction);
            let aside = (way - direction * along).length();
            (along > 1.0).then_some(along + 2.0 * aside)
        };
        let boxes = self.board.cards().filter(|card| !card.nodes.is_empty());
        let costs = boxes.filter_map(|card| Some((cost(self.board.rect(&card.key)?)?, card)));
        let nearest = costs.min_by(|a, b| a.0.total_cmp(&b.0))?;
        Some(nearest.1.nodes.iter().copied().collect())
    }
}
