//! What stands in a box: its name, which can be typed, its parameters and its cost.

use egui::{Label, Rect, RichText, Ui, vec2};

use super::Viewer;
use crate::gui::context::Action;
use crate::gui::editor::card::{Card, Key};
use crate::gui::editor::edits;
use crate::gui::theme;
use crate::i18n::{Text, tr, tr_format};

/// The mark of what is frozen; weak where only a part of a group is.
fn frozen_ui((learn, frozen): (usize, usize), ui: &mut Ui) {
    let text = RichText::new("❄");
    let (text, about) = match frozen == learn {
        true => (
            text,
            tr(
                "Frozen: training leaves it as it is (Ctrl+Shift+L trains it again)",
                "已冻结：训练不会改变它（Ctrl+Shift+L 解冻）",
            )
            .to_owned(),
        ),
        false => (
            text.weak(),
            tr_format!(
                "{frozen} of {learn} layers in it are frozen",
                "其中 {learn} 层有 {frozen} 层已冻结"
            ),
        ),
    };
    ui.label(text).on_hover_text(about);
}

impl Viewer<'_> {
    pub(super) fn header_ui(&mut self, card: &Card, ui: &mut Ui) {
        ui.spacing_mut().item_spacing.x = 6.0;
        if self.typing_ui(card, ui) {
            return;
        }
        if let Some((severity, text)) = &card.badge {
            let color = theme::severity_color(*severity, ui.visuals());
            ui.label(RichText::new("⚠").color(color))
                .on_hover_text(text);
        }
        if card.frozen.1 > 0 {
            frozen_ui(card.frozen, ui);
        }
        ui.add(Label::new(RichText::new(&card.title).strong()).extend());
        ui.add(Label::new(RichText::new(&card.kind).small().weak()).extend());
        if let Some(phases) = card.phases {
            let text = RichText::new(phases.text().get()).small();
            let text = text.background_color(ui.visuals().code_bg_color);
            ui.add(Label::new(text).extend());
        }
    }

    /// The text field of a box that is being renamed; whether there is one.
    pub(super) fn typing_ui(&mut self, card: &Card, ui: &mut Ui) -> bool {
        let Some(typing) = self
            .drawing
            .typing
            .as_mut()
            .filter(|typing| typing.key == card.key)
        else {
            return false;
        };
        let lines = matches!(card.key, Key::Comment(_));
        let edit = if lines {
            egui::TextEdit::multiline(&mut typing.text).desired_rows(2)
        } else {
            egui::TextEdit::singleline(&mut typing.text)
        };
        let width = card.comment.as_ref().map_or(150.0, |(_, size)| size[0]);
        let response = ui.add(edit.desired_width(width));
        if typing.fresh {
            response.request_focus();
            typing.fresh = false;
        }
        let cancelled = ui.input(|input| input.key_pressed(egui::Key::Escape));
        if response.lost_focus() || cancelled {
            let text = typing.text.trim().to_owned();
            let key = card.key.clone();
            let old = card.name.clone();
            self.drawing.typing = None;
            if !cancelled {
                self.finish_typing(key, old, text);
            }
        }
        true
    }

    /// The handle at the right edge of a comment that makes it wider or narrower.
    pub(super) fn comment_grip_ui(&mut self, index: usize, card: &Card, width: f32, ui: &mut Ui) {
        let Some(frame) = self.rects.get(&card.key) else {
            return;
        };
        let edge = Rect::from_min_max(frame.right_top() - vec2(6.0, 0.0), frame.right_bottom());
        let grip = ui.interact(edge, ui.id().with("grip"), egui::Sense::drag());
        let grip = grip.on_hover_and_drag_cursor(egui::CursorIcon::ResizeHorizontal);
        if grip.dragged() {
            let width = (width + grip.drag_delta().x).clamp(80.0, 1200.0);
            let name = Text::new("Resize a comment", "调整注释宽度");
            let key = format!("comment {index}");
            self.actions
                .push(Action::merging(name, key, move |project| {
                    if let Some(comment) = project.graph.comments.get_mut(index) {
                        comment.size[0] = width;
                    }
                }));
        }
    }

    fn finish_typing(&mut self, key: Key, old: String, text: String) {
        match key {
            Key::Node(id) if text != old && !text.is_empty() => {
                self.edit(Text::new("Rename", "重命名"), move |project| {
                    project.graph.rename(id, &text);
                });
            }
            Key::Group(group) if text != group && !text.is_empty() => {
                let keyed = self.ctx.project.graph.keyed(self.ctx.inference);
                self.edit(Text::new("Rename a group", "重命名组"), move |project| {
                    edits::rename_group(project, &group, &text, &keyed);
                });
            }
            Key::Comment(index) => {
                self.edit(Text::new("Edit a comment", "编辑注释"), move |project| {
                    if let Some(comment) = project.graph.comments.get_mut(index) {
                        comment.text = text;
                    }
                })
            }
            _ => {}
        }
    }

    pub(super) fn footer_ui(&mut self, card: &Card, ui: &mut Ui) -> Rect {
        let column = ui.vertical(|ui| {
            ui.spacing_mut().item_spacing.y = 1.0;
            for line in &card.lines {
                ui.add(Label::new(RichText::new(line).small()).extend());
            }
            if !card.cost.is_empty() {
                ui.add(Label::new(RichText::new(&card.cost).small().weak()).extend());
            }
        });
        column.response.rect
    }
}
