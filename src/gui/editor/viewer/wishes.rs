//! What menus and wires ask for: commands, new layers, wires that go.

use std::collections::BTreeSet;

use egui::{Pos2, Ui};

use super::Viewer;
use super::pins::{End, fitting_port};
use crate::graph::NodeId;
use crate::gui::commands::{CommandId, get};
use crate::gui::context::Action;
use crate::gui::editor::{board, edits};
use crate::gui::menus;
use crate::i18n::Text;
use crate::layers::CATALOGUE;

impl Viewer<'_> {
    pub(super) fn pull_out(&mut self, wires: Vec<(NodeId, usize)>) {
        self.edit(Text::new("Remove a wire", "删除连线"), move |project| {
            // From the last port on, so that a closing gap moves no port that is still to go.
            let mut wires = wires;
            wires.sort();
            for to in wires.into_iter().rev() {
                project.graph.disconnect(to);
            }
        });
    }

    pub(in crate::gui::editor) fn command_buttons(&mut self, ui: &mut Ui, ids: &[CommandId]) {
        for command in ids.iter().filter_map(|id| get(*id)) {
            if menus::command_button(ui, command, &self.situation).clicked() {
                self.actions.push(Action::Run(command.id));
                ui.close();
            }
        }
    }

    pub(super) fn add_layer_menu(&mut self, ui: &mut Ui, position: Pos2, wire: Option<End>) {
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
            let Some(id) = edits::add_layer(graph, kind, board::place(position), &none) else {
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
