//! Pins: what they look like, and whether a wire that is being drawn may end there.

use egui::{Id, Stroke, Ui};
use egui_snarl::ui::PinInfo;

use super::Viewer;
use crate::graph::{Layer, NodeId, PortType};
use crate::gui::editor::card::Pin;
use crate::gui::editor::edits;
use crate::gui::theme;
use crate::i18n::tr;

/// An end of a wire that is being drawn: a node's output or input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum End {
    Output((NodeId, usize), PortType),
    Input((NodeId, usize), PortType),
}

impl Viewer<'_> {
    /// What a pin looks like; `end` is the pin itself, `id` the widget that the pin will have.
    pub(super) fn pin_info(&mut self, pin: &Pin, end: End, id: Id, ui: &Ui) -> PinInfo {
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

    fn cannot_join(&mut self, wire: End, pin: End) -> Result<(), String> {
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
        // What the wire in hand leads from or to is found once, not once for each pin.
        let graph = &self.ctx.project.graph;
        let (_, closing) = match &mut self.drawing.circle {
            Some(known) if known.0 == wire => known,
            known => known.insert((
                wire,
                match wire {
                    End::Output(from, _) => graph.leading_to(from.0),
                    End::Input(to, _) => graph.reached_from(to.0),
                },
            )),
        };
        let other = match wire {
            End::Output(..) => to.0,
            End::Input(..) => from.0,
        };
        edits::refusal_knowing(graph, from, to, || closing.contains(&other)).map_or(Ok(()), Err)
    }
}

/// The first port of a layer that can be at the other end of this wire.
pub(super) fn fitting_port(layer: &dyn Layer, wire: End) -> Option<usize> {
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
