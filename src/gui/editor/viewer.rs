//! How the boxes are drawn, and what a person does to single boxes, pins and wires.
//!
//! The widget's own copy of the wires is never changed here: every wish becomes an action.

use std::collections::{BTreeMap, BTreeSet};

use egui::emath::TSTransform;
use egui::{
    Color32, CornerRadius, Frame, Id, Label, Margin, Pos2, Rect, RichText, Stroke, Ui, Vec2, vec2,
};
use egui_snarl::ui::{AnyPins, BackgroundPattern, PinInfo, SnarlPin, SnarlStyle, SnarlViewer};
use egui_snarl::{InPin, NodeId as BoxId, OutPin, Snarl};

use super::card::{Card, Key, Pin};
use super::edits;
use crate::graph::{NodeId, PortType, Severity};
use crate::gui::commands::{CommandId, Situation, get};
use crate::gui::context::{Action, Ctx};
use crate::gui::{menus, theme, toasts::Tone};
use crate::i18n::{Text, tr};
use crate::layers::CATALOGUE;

/// An end of a wire that is being drawn: a node's output or input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum End {
    Output((NodeId, usize), PortType),
    Input((NodeId, usize), PortType),
}

/// A name or comment that is being typed.
pub struct Typing {
    pub key: Key,
    pub text: String,
    /// The text field does not have the focus yet.
    pub fresh: bool,
}

/// What is kept between the frames about the drawing.
#[derive(Default)]
pub struct Drawing {
    pub typing: Option<Typing>,
    /// The wire that is being drawn, as of the last frame and of this one.
    pub wire: Option<End>,
    wire_now: Option<End>,
    /// From graph to window coordinates.
    pub to_window: TSTransform,
    /// Where the view shall go in the next frame.
    pub go_to: Option<TSTransform>,
    /// The sizes of what is in boxes, so that those out of sight need not be laid out.
    sizes: BTreeMap<(usize, usize), Vec2>,
    pub selected_comment: Option<usize>,
}

impl Drawing {
    pub fn begin_frame(&mut self) {
        self.wire = self.wire_now.take();
    }

    /// Whether a wire was being drawn in the last frame.
    pub fn is_wiring(&self) -> bool {
        self.wire_now.is_some()
    }

    /// Forgets measured sizes, because contents have changed.
    pub fn forget_sizes(&mut self) {
        self.sizes.clear();
    }
}

/// Draws one frame.
pub struct Viewer<'a> {
    pub ctx: &'a Ctx<'a>,
    pub actions: &'a mut Vec<Action>,
    pub drawing: &'a mut Drawing,
    pub rects: &'a mut BTreeMap<Key, Rect>,
    /// Groups that are not folded, with the boxes in them.
    pub groups: &'a [(String, Vec<Key>)],
    pub style: std::sync::Arc<egui::Style>,
    pub situation: Situation,
}

/// Margins between a box's frame and its contents.
pub const MARGIN: Margin = Margin::symmetric(10, 6);

/// Small text is not drawn where the view shows boxes smaller than this.
const LEGIBLE: f32 = 0.32;

// Parts of a box whose sizes are remembered; pins follow.
const HEADER: usize = 0;
const FOOTER: usize = 1;
const INPUTS: usize = 2;
const OUTPUTS: usize = 1 << 20;

impl Viewer<'_> {
    fn edit(&mut self, name: Text, edit: impl FnOnce(&mut crate::project::Project) + 'static) {
        self.actions.push(Action::Edit {
            name,
            merge: None,
            edit: Box::new(edit),
        });
    }

    fn is_selected(&self, card: &Card) -> bool {
        match card.key {
            Key::Comment(index) => self.drawing.selected_comment == Some(index),
            _ => card
                .nodes
                .iter()
                .all(|node| self.ctx.selection.contains(node)),
        }
    }

    /// Draws a part of a box, or leaves its room empty where nobody can see or read it.
    fn part(
        &mut self,
        ui: &mut Ui,
        id: BoxId,
        part: usize,
        draw: impl FnOnce(&mut Self, &mut Ui) -> Rect,
    ) {
        if let Some(size) = self.drawing.sizes.get(&(id.0, part)) {
            let at = ui.next_widget_position();
            let room = Rect::from_min_size(at, *size).expand2(vec2(size.x + 20.0, 20.0));
            let legible = part == HEADER || self.drawing.to_window.scaling > LEGIBLE;
            if !legible || !ui.clip_rect().intersects(room) {
                ui.allocate_space(*size);
                return;
            }
        }
        let drawn = draw(self, ui).size();
        self.drawing.sizes.insert((id.0, part), drawn);
    }

    fn header_ui(&mut self, card: &Card, ui: &mut Ui) {
        ui.spacing_mut().item_spacing.x = 6.0;
        if self.typing_ui(card, ui) {
            return;
        }
        if let Some((severity, text)) = &card.badge {
            let color = theme::severity_color(*severity, ui.visuals());
            ui.label(RichText::new("⚠").color(color))
                .on_hover_text(text);
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
    fn typing_ui(&mut self, card: &Card, ui: &mut Ui) -> bool {
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
    fn comment_grip_ui(&mut self, index: usize, card: &Card, width: f32, ui: &mut Ui) {
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
                self.edit(Text::new("Rename a group", "重命名组"), move |project| {
                    edits::rename_group(&mut project.graph, &group, &text);
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

    fn footer_ui(&mut self, card: &Card, ui: &mut Ui) -> Rect {
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

    /// What a pin looks like; `end` is the pin itself, `id` the widget that the pin will have.
    fn pin_info(&mut self, pin: &Pin, end: End, id: Id, ui: &Ui) -> PinInfo {
        if ui.ctx().dragged_id() == Some(id) {
            self.drawing.wire_now = Some(end);
        }
        let color = theme::port_color(pin.kind, ui.visuals());
        let ground = ui.visuals().window_fill;
        let reason = self
            .drawing
            .wire
            .filter(|wire| *wire != end)
            .map(|wire| self.cannot_join(wire, end));
        if let Some(response) = ui.ctx().read_response(id) {
            let name = match end {
                End::Input(..) => tr("input", "输入"),
                End::Output(..) => tr("output", "输出"),
            };
            let named = || {
                egui::WidgetInfo::labeled(
                    egui::WidgetType::Button,
                    true,
                    format!("{name} {}", pin.about),
                )
            };
            response.widget_info(named);
            match &reason {
                _ if !response.contains_pointer() => {}
                Some(Err(text)) => response.show_tooltip_text(text.as_str()),
                _ => drop(response.on_hover_text(&pin.about)),
            }
        }
        let (fill, stroke) = match reason {
            Some(Ok(())) => (color, Stroke::new(2.0, theme::accent(ui.visuals()))),
            Some(Err(_)) => (ground, Stroke::new(1.0, color.gamma_multiply(0.35))),
            None if pin.wired => (color, Stroke::new(1.0, color)),
            None => (ground, Stroke::new(1.5, color)),
        };
        PinInfo::circle()
            .with_fill(fill)
            .with_stroke(stroke)
            .with_wire_color(color)
    }

    fn cannot_join(&self, wire: End, pin: End) -> Result<(), String> {
        let (from, to) = match (wire, pin) {
            (End::Output(from, _), End::Input(to, _))
            | (End::Input(to, _), End::Output(from, _)) => (from, to),
            _ => {
                let text = tr(
                    "a wire leads from an output to an input",
                    "连线应从输出连到输入",
                );
                return Err(text.to_owned());
            }
        };
        edits::refusal(&self.ctx.project.graph, from, to).map_or(Ok(()), Err)
    }

    fn pull_out(&mut self, wires: Vec<(NodeId, usize)>) {
        self.edit(Text::new("Remove a wire", "删除连线"), move |project| {
            // From the last port on, so that a closing gap moves no port that is still to go.
            let mut wires = wires;
            wires.sort();
            for to in wires.into_iter().rev() {
                project.graph.disconnect(to);
            }
        });
    }

    fn command_buttons(&mut self, ui: &mut Ui, ids: &[CommandId]) {
        for command in ids.iter().filter_map(|id| get(*id)) {
            if menus::command_button(ui, command, command.id.enabled(&self.situation)).clicked() {
                self.actions.push(Action::Run(command.id));
                ui.close();
            }
        }
    }

    fn add_layer_menu(&mut self, ui: &mut Ui, position: Pos2, wire: Option<End>) {
        let mut family = None;
        for entry in CATALOGUE {
            let spec = entry.spec();
            if family == Some(spec.family) {
                continue;
            }
            family = Some(spec.family);
            let members: Vec<_> = (CATALOGUE.iter())
                .filter(|other| other.spec().family == spec.family)
                .filter(|other| {
                    wire.is_none_or(|wire| fitting_port(&*other.make(), wire).is_some())
                })
                .collect();
            if members.is_empty() {
                continue;
            }
            ui.menu_button(spec.family.text().get(), |ui| {
                for member in members {
                    let spec = member.spec();
                    let button = ui.button(spec.name).on_hover_text(spec.about.get());
                    if button.clicked() {
                        self.add_wired(spec.name, position, wire);
                        ui.close();
                    }
                }
            });
        }
    }

    fn add_wired(&mut self, kind: &'static str, position: Pos2, wire: Option<End>) {
        self.edit(Text::new("Add a layer", "添加层"), move |project| {
            let graph = &mut project.graph;
            let none = BTreeSet::new();
            let Some(id) = edits::add_layer(graph, kind, super::board::place(position), &none)
            else {
                return;
            };
            let layer = graph.node(id).map(|node| node.layer.clone_layer());
            let port = layer.and_then(|layer| fitting_port(&*layer, wire?));
            match (wire, port) {
                (Some(End::Output(from, _)), Some(port)) => graph.connect(from, (id, port)),
                (Some(End::Input(to, _)), Some(port)) => graph.connect((id, port), to),
                _ => {}
            }
        });
    }
}

/// The first port of a layer that can be at the other end of this wire.
fn fitting_port(layer: &dyn crate::graph::Layer, wire: End) -> Option<usize> {
    match wire {
        End::Output(_, kind) => layer
            .inputs()
            .ports
            .iter()
            .position(|port| port.kind.accepts(kind)),
        End::Input(_, kind) => layer
            .outputs()
            .iter()
            .position(|port| kind.accepts(port.kind)),
    }
}

impl SnarlViewer<Card> for Viewer<'_> {
    fn title(&mut self, card: &Card) -> String {
        card.name.clone()
    }

    fn inputs(&mut self, card: &Card) -> usize {
        card.inputs.len()
    }

    fn outputs(&mut self, card: &Card) -> usize {
        card.outputs.len()
    }

    fn node_frame(
        &mut self,
        _: Frame,
        id: BoxId,
        _: &[InPin],
        _: &[OutPin],
        snarl: &Snarl<Card>,
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
        snarl: &Snarl<Card>,
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
        snarl: &mut Snarl<Card>,
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
        snarl: &mut Snarl<Card>,
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
        snarl: &mut Snarl<Card>,
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

    fn has_footer(&mut self, card: &Card) -> bool {
        !card.lines.is_empty() || !card.cost.is_empty()
    }

    fn show_footer(
        &mut self,
        id: BoxId,
        _: &[InPin],
        _: &[OutPin],
        ui: &mut Ui,
        snarl: &mut Snarl<Card>,
    ) {
        let Some(card) = snarl.get_node(id) else {
            return;
        };
        self.part(ui, id, FOOTER, |viewer, ui| viewer.footer_ui(card, ui));
    }

    fn final_node_rect(&mut self, id: BoxId, rect: Rect, _: &mut Ui, snarl: &mut Snarl<Card>) {
        if let Some(card) = snarl.get_node(id) {
            self.rects.insert(card.key.clone(), rect);
        }
    }

    fn has_node_menu(&mut self, _: &Card) -> bool {
        true
    }

    fn show_node_menu(
        &mut self,
        id: BoxId,
        _: &[InPin],
        _: &[OutPin],
        ui: &mut Ui,
        snarl: &mut Snarl<Card>,
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
                CommandId::Group,
                CommandId::Fold,
                CommandId::Unfold,
                CommandId::ZoomSelection,
            ]
        };
        self.command_buttons(ui, ids);
    }

    fn has_graph_menu(&mut self, _: Pos2, _: &mut Snarl<Card>) -> bool {
        true
    }

    fn show_graph_menu(&mut self, position: Pos2, ui: &mut Ui, _: &mut Snarl<Card>) {
        self.add_layer_menu(ui, position, None);
        ui.separator();
        let ids = [
            CommandId::Paste,
            CommandId::AddComment,
            CommandId::SelectAll,
            CommandId::AutoLayout,
            CommandId::ZoomFit,
        ];
        self.command_buttons(ui, &ids);
    }

    fn has_dropped_wire_menu(&mut self, _: AnyPins, _: &mut Snarl<Card>) -> bool {
        true
    }

    fn show_dropped_wire_menu(
        &mut self,
        position: Pos2,
        ui: &mut Ui,
        pins: AnyPins,
        snarl: &mut Snarl<Card>,
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

    fn connect(&mut self, from: &OutPin, to: &InPin, snarl: &mut Snarl<Card>) {
        let output = snarl
            .get_node(from.id.node)
            .and_then(|card| card.outputs.get(from.id.output));
        let input = snarl
            .get_node(to.id.node)
            .and_then(|card| card.inputs.get(to.id.input));
        let (Some(output), Some(input)) = (output, input) else {
            return;
        };
        let (from, to) = (output.at, input.at);
        match edits::refusal(&self.ctx.project.graph, from, to) {
            Some(reason) => self.actions.push(Action::Say(Tone::Warning, reason)),
            None => self.edit(Text::new("Connect", "连接"), move |project| {
                project.graph.connect(from, to)
            }),
        }
    }

    fn disconnect(&mut self, _: &OutPin, to: &InPin, snarl: &mut Snarl<Card>) {
        let input = snarl
            .get_node(to.id.node)
            .and_then(|card| card.inputs.get(to.id.input));
        if let Some(input) = input {
            self.pull_out(vec![input.at]);
        }
    }

    fn drop_outputs(&mut self, pin: &OutPin, snarl: &mut Snarl<Card>) {
        let ends = pin
            .remotes
            .iter()
            .filter_map(|to| Some(snarl.get_node(to.node)?.inputs.get(to.input)?.at));
        let ends: Vec<_> = ends.collect();
        self.pull_out(ends);
    }

    fn drop_inputs(&mut self, pin: &InPin, snarl: &mut Snarl<Card>) {
        let input = snarl
            .get_node(pin.id.node)
            .and_then(|card| card.inputs.get(pin.id.input));
        if let Some(input) = input {
            self.pull_out(vec![input.at]);
        }
    }

    fn draw_background(
        &mut self,
        background: Option<&BackgroundPattern>,
        viewport: &Rect,
        snarl_style: &SnarlStyle,
        style: &egui::Style,
        painter: &egui::Painter,
        _: &Snarl<Card>,
    ) {
        if let Some(background) = background.filter(|_| self.drawing.to_window.scaling > 0.35) {
            background.draw(viewport, snarl_style, style, painter);
        }
        let color = theme::family_color(crate::graph::Family::Structure, &style.visuals);
        for (group, keys) in self.groups {
            let rects = keys.iter().filter_map(|key| self.rects.get(key));
            let Some(bounds) = rects.copied().reduce(|a, b| a.union(b)) else {
                continue;
            };
            let depth = 10.0 + 4.0 * group.matches('/').count() as f32;
            let mut frame = bounds.expand(40.0 - depth.min(30.0));
            frame.min.y -= 14.0;
            painter.rect(
                frame,
                8.0,
                color.gamma_multiply(0.07),
                Stroke::new(1.0, color.gamma_multiply(0.4)),
                egui::StrokeKind::Inside,
            );
            painter.text(
                frame.min + vec2(8.0, 5.0),
                egui::Align2::LEFT_TOP,
                group,
                egui::FontId::proportional(11.0),
                color,
            );
        }
    }

    fn current_transform(&mut self, to_window: &mut TSTransform, _: &mut Snarl<Card>) {
        if let Some(there) = self.drawing.go_to.take() {
            *to_window = there;
        }
        self.drawing.to_window = *to_window;
    }
}

/// What the node graph widget looks like.
pub fn snarl_style(style: &egui::Style) -> SnarlStyle {
    let visuals = &style.visuals;
    SnarlStyle {
        node_frame: Some(Frame::new().inner_margin(MARGIN)),
        header_drag_space: Some(Vec2::ZERO),
        collapsible: Some(false),
        pin_size: Some(9.0),
        pin_placement: Some(egui_snarl::ui::PinPlacement::Edge),
        wire_width: Some(2.0),
        wire_frame_size: Some(60.0),
        bg_frame: Some(Frame::new().fill(visuals.extreme_bg_color)),
        bg_pattern: Some(BackgroundPattern::Grid(egui_snarl::ui::Grid {
            spacing: vec2(48.0, 48.0),
            angle: 0.0,
        })),
        bg_pattern_stroke: Some(Stroke::new(
            1.0,
            visuals
                .widgets
                .noninteractive
                .bg_stroke
                .color
                .gamma_multiply(0.35),
        )),
        min_scale: Some(0.1),
        max_scale: Some(2.0),
        centering: Some(false),
        // The window's own selection is drawn; the widget's is not used.
        select_style: Some(egui_snarl::ui::SelectionStyle {
            margin: Margin::ZERO,
            rounding: CornerRadius::ZERO,
            fill: Color32::TRANSPARENT,
            stroke: Stroke::NONE,
        }),
        select_fill: Some(theme::accent(visuals).gamma_multiply(0.12)),
        select_stoke: Some(Stroke::new(1.0, theme::accent(visuals))),
        ..SnarlStyle::new()
    }
}
