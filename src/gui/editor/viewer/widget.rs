//! The answers to the node graph widget, which asks for every part of the drawing in turn.

use std::rc::Rc;

use egui::emath::TSTransform;
use egui::{CornerRadius, Frame, Label, Margin, Pos2, Rect, RichText, Stroke, Ui};
use egui_snarl::ui::{AnyPins, BackgroundPattern, PinInfo, SnarlPin, SnarlStyle, SnarlViewer};
use egui_snarl::{InPin, NodeId as BoxId, OutPin, Snarl};

use super::pins::End;
use super::{FOOTER, HEADER, INPUTS, MARGIN, OUTPUTS, Viewer};
use crate::graph::{NodeId, Severity};
use crate::gui::commands::CommandId;
use crate::gui::context::Action;
use crate::gui::editor::card::{Card, Key, Pin};
use crate::gui::editor::edits;
use crate::gui::{theme, toasts::Tone};
use crate::i18n::{Text, tr};

impl SnarlViewer<Rc<Card>> for Viewer<'_> {
    fn title(&mut self, card: &Rc<Card>) -> String {
        card.name.clone()
    }

    fn inputs(&mut self, card: &Rc<Card>) -> usize {
        card.inputs.len()
    }

    fn outputs(&mut self, card: &Rc<Card>) -> usize {
        card.outputs.len()
    }

    fn node_frame(
        &mut self,
        _: Frame,
        id: BoxId,
        _: &[InPin],
        _: &[OutPin],
        snarl: &Snarl<Rc<Card>>,
    ) -> Frame {
        let Some(card) = snarl.get_node(id) else {
            return Frame::NONE;
        };
        let visuals = &self.style.visuals;
        let accent = theme::accent(visuals);
        let stroke = match (&card.badge, self.is_selected(card)) {
            (_, true) => Stroke::new(2.0, accent),
            (Some((Severity::Error, _)), _) => Stroke::new(1.5, visuals.error_fg_color),
            _ => visuals.window_stroke,
        };
        let note = theme::blend(visuals.window_fill, visuals.warn_fg_color, 0.12);
        let fill = if card.comment.is_some() {
            note
        } else {
            visuals.window_fill
        };
        Frame::new()
            .inner_margin(MARGIN)
            .corner_radius(6)
            .fill(fill)
            .stroke(stroke)
    }

    fn header_frame(
        &mut self,
        _: Frame,
        id: BoxId,
        _: &[InPin],
        _: &[OutPin],
        snarl: &Snarl<Rc<Card>>,
    ) -> Frame {
        let Some(card) = snarl.get_node(id).filter(|card| card.comment.is_none()) else {
            return Frame::new().inner_margin(MARGIN);
        };
        let visuals = &self.style.visuals;
        let family = theme::family_color(card.family, visuals);
        let part = if visuals.dark_mode { 0.30 } else { 0.22 };
        Frame::new()
            .inner_margin(Margin {
                bottom: 4,
                ..MARGIN
            })
            .corner_radius(CornerRadius {
                nw: 6,
                ne: 6,
                sw: 0,
                se: 0,
            })
            .fill(theme::blend(visuals.window_fill, family, part))
            .outer_margin(Margin::same(0))
    }

    fn show_header(
        &mut self,
        id: BoxId,
        _: &[InPin],
        _: &[OutPin],
        ui: &mut Ui,
        snarl: &mut Snarl<Rc<Card>>,
    ) {
        let Some(card) = snarl.get_node(id) else {
            return;
        };
        if let Some((text, size)) = &card.comment {
            if !self.typing_ui(card, ui) {
                ui.set_width(size[0]);
                let empty = tr("Double-click to write", "双击以编辑");
                let text = if text.is_empty() {
                    RichText::new(empty).weak()
                } else {
                    RichText::new(text)
                };
                ui.add(egui::Label::new(text).wrap());
            }
            if let Key::Comment(index) = card.key {
                self.comment_grip_ui(index, card, size[0], ui);
            }
            return;
        }
        self.part(ui, id, HEADER, |viewer, ui| {
            viewer.header_ui(card, ui);
            ui.min_rect()
        });
    }

    fn show_input(
        &mut self,
        pin: &InPin,
        ui: &mut Ui,
        snarl: &mut Snarl<Rc<Card>>,
    ) -> impl SnarlPin + 'static {
        let found = snarl
            .get_node(pin.id.node)
            .and_then(|card| card.inputs.get(pin.id.input));
        let Some(found) = found else {
            return PinInfo::circle();
        };
        self.part(ui, pin.id.node, INPUTS + pin.id.input, |_, ui| {
            let text = RichText::new(&found.label).small().weak();
            ui.add(Label::new(text).extend()).rect
        });
        let id = ui.next_auto_id();
        self.pin_info(found, End::Input(found.at, found.kind), id, ui)
    }

    fn show_output(
        &mut self,
        pin: &OutPin,
        ui: &mut Ui,
        snarl: &mut Snarl<Rc<Card>>,
    ) -> impl SnarlPin + 'static {
        let found = snarl
            .get_node(pin.id.node)
            .and_then(|card| card.outputs.get(pin.id.output));
        let Some(found) = found else {
            return PinInfo::circle();
        };
        self.part(ui, pin.id.node, OUTPUTS + pin.id.output, |_, ui| {
            let text = RichText::new(&found.label).small();
            ui.add(Label::new(text).extend()).rect
        });
        let id = ui.next_auto_id();
        self.pin_info(found, End::Output(found.at, found.kind), id, ui)
    }

    fn has_footer(&mut self, card: &Rc<Card>) -> bool {
        !card.lines.is_empty() || !card.cost.is_empty()
    }

    fn show_footer(
        &mut self,
        id: BoxId,
        _: &[InPin],
        _: &[OutPin],
        ui: &mut Ui,
        snarl: &mut Snarl<Rc<Card>>,
    ) {
        let Some(card) = snarl.get_node(id) else {
            return;
        };
        self.part(ui, id, FOOTER, |viewer, ui| viewer.footer_ui(card, ui));
    }

    fn final_node_rect(&mut self, id: BoxId, rect: Rect, _: &mut Ui, snarl: &mut Snarl<Rc<Card>>) {
        if let Some(card) = snarl.get_node(id) {
            self.rects.insert(card.key.clone(), rect);
        }
    }

    fn has_node_menu(&mut self, _: &Rc<Card>) -> bool {
        true
    }

    fn show_node_menu(
        &mut self,
        id: BoxId,
        _: &[InPin],
        _: &[OutPin],
        ui: &mut Ui,
        snarl: &mut Snarl<Rc<Card>>,
    ) {
        let is_comment = snarl
            .get_node(id)
            .is_some_and(|card| card.comment.is_some());
        let ids: &[CommandId] = if is_comment {
            &[CommandId::Delete]
        } else {
            &[
                CommandId::Rename,
                CommandId::Duplicate,
                CommandId::Cut,
                CommandId::Copy,
                CommandId::Delete,
                CommandId::Connect,
                CommandId::ReplaceLayer,
                CommandId::Group,
                CommandId::Ungroup,
                CommandId::RepeatGroup,
                CommandId::Fold,
                CommandId::Unfold,
                CommandId::ZoomSelection,
            ]
        };
        self.command_buttons(ui, ids);
    }

    fn has_graph_menu(&mut self, _: Pos2, _: &mut Snarl<Rc<Card>>) -> bool {
        true
    }

    fn show_graph_menu(&mut self, position: Pos2, ui: &mut Ui, _: &mut Snarl<Rc<Card>>) {
        self.add_layer_menu(ui, position, None);
        ui.separator();
        let ids = [
            CommandId::Paste,
            CommandId::AddComment,
            CommandId::SelectAll,
            CommandId::Find,
            CommandId::FoldAll,
            CommandId::UnfoldAll,
            CommandId::AutoLayout,
            CommandId::ZoomFit,
        ];
        self.command_buttons(ui, &ids);
    }

    fn has_dropped_wire_menu(&mut self, _: AnyPins, _: &mut Snarl<Rc<Card>>) -> bool {
        true
    }

    fn show_dropped_wire_menu(
        &mut self,
        position: Pos2,
        ui: &mut Ui,
        pins: AnyPins,
        snarl: &mut Snarl<Rc<Card>>,
    ) {
        let end = match pins {
            AnyPins::Out(pins) => pins.first().and_then(|pin| {
                let pin = snarl.get_node(pin.node)?.outputs.get(pin.output)?;
                Some(End::Output(pin.at, pin.kind))
            }),
            AnyPins::In(pins) => pins.first().and_then(|pin| {
                let pin = snarl.get_node(pin.node)?.inputs.get(pin.input)?;
                Some(End::Input(pin.at, pin.kind))
            }),
        };
        ui.label(RichText::new(tr("Continue with", "接续")).weak().small());
        self.add_layer_menu(ui, position, end);
    }

    fn connect(&mut self, from: &OutPin, to: &InPin, snarl: &mut Snarl<Rc<Card>>) {
        let output = snarl
            .get_node(from.id.node)
            .and_then(|card| card.outputs.get(from.id.output));
        let input = snarl
            .get_node(to.id.node)
            .and_then(|card| card.inputs.get(to.id.input));
        let (Some(output), Some(input)) = (output, input) else {
            return;
        };
        let from = output.at;
        let ends: Vec<_> = input.every().collect();
        let refused = |to: &(NodeId, usize)| edits::refusal(&self.ctx.project.graph, from, *to);
        match ends.iter().find_map(refused) {
            Some(reason) => self.actions.push(Action::Say(Tone::Warning, reason)),
            None => self.edit(Text::new("Connect", "连接"), move |project| {
                for to in ends {
                    project.graph.connect(from, to);
                }
            }),
        }
    }

    fn disconnect(&mut self, _: &OutPin, to: &InPin, snarl: &mut Snarl<Rc<Card>>) {
        let input = snarl
            .get_node(to.id.node)
            .and_then(|card| card.inputs.get(to.id.input));
        if let Some(input) = input {
            self.pull_out(input.every().collect());
        }
    }

    fn drop_outputs(&mut self, pin: &OutPin, snarl: &mut Snarl<Rc<Card>>) {
        let ends = pin
            .remotes
            .iter()
            .filter_map(|to| snarl.get_node(to.node)?.inputs.get(to.input));
        let ends: Vec<_> = ends.flat_map(Pin::every).collect();
        self.pull_out(ends);
    }

    fn drop_inputs(&mut self, pin: &InPin, snarl: &mut Snarl<Rc<Card>>) {
        let input = snarl
            .get_node(pin.id.node)
            .and_then(|card| card.inputs.get(pin.id.input));
        if let Some(input) = input {
            self.pull_out(input.every().collect());
        }
    }

    fn draw_background(
        &mut self,
        background: Option<&BackgroundPattern>,
        viewport: &Rect,
        snarl_style: &SnarlStyle,
        style: &egui::Style,
        painter: &egui::Painter,
        _: &Snarl<Rc<Card>>,
    ) {
        if let Some(background) = background.filter(|_| self.drawing.to_window.scaling > 0.35) {
            background.draw(viewport, snarl_style, style, painter);
        }
        self.frames_ui(painter, *viewport);
        self.marks_ui(painter, *viewport, &style.visuals);
    }

    fn current_transform(&mut self, to_window: &mut TSTransform, _: &mut Snarl<Rc<Card>>) {
        if let Some(there) = self.drawing.go_to.take() {
            *to_window = there;
        }
        self.drawing.to_window = *to_window;
    }
}
