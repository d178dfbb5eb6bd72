//! The wires of a node as a form: for every input a list of what it could read. With it the
//! whole graph can be wired from the keyboard.

use std::collections::BTreeMap;

use egui::Ui;

use crate::graph::{Graph, Node, NodeId, PortRef};
use crate::gui::context::{Action, Ctx};
use crate::gui::editor::edits;
use crate::i18n::{Text, tr, tr_format};

pub fn inputs_ui(ui: &mut Ui, ctx: &Ctx<'_>, node: &Node, actions: &mut Vec<Action>) {
    let ports = node.layer.inputs();
    if ports.ports.is_empty() {
        return;
    }
    super::section_ui(ui, Text::new("Inputs", "输入"));
    let used = node.inputs.0.len();
    let count = if ports.repeat_last {
        ports.ports.len().max(used + 1)
    } else {
        ports.ports.len().max(used)
    };
    super::grid_ui(ui, "inputs", |ui| {
        for index in 0..count {
            let name = ports.port(index).map_or("?", |port| port.name);
            let label = if ports.repeat_last {
                format!("{name} {}", index + 1)
            } else if index >= ports.required {
                tr_format!("{name} (optional)", "{name}（可选）")
            } else {
                name.to_owned()
            };
            let kind = ports.port(index).map_or("", |port| port.kind.text().get());
            super::name_ui(ui, &label, kind);
            if let Some(action) = input_ui(ui, ctx, node, index) {
                actions.push(action);
            }
            ui.end_row();
        }
    });
    if node.test_inputs.is_some() {
        ui.weak(tr(
            "In the test phase this node reads other wires.",
            "测试阶段该节点读取另一组连线。",
        ));
    }
}

fn input_ui(ui: &mut Ui, ctx: &Ctx<'_>, node: &Node, index: usize) -> Option<Action> {
    let now = node.inputs.get(index);
    let text = now.map_or_else(
        || tr("not connected", "未连接").to_owned(),
        PortRef::to_string,
    );
    let to = (node.id, index);
    let mut action = None;
    egui::ComboBox::from_id_salt(("input", index))
        .selected_text(text)
        .width(130.0)
        .show_ui(ui, |ui| {
            if now.is_some()
                && ui
                    .selectable_label(false, tr("disconnect", "断开"))
                    .clicked()
            {
                action = Some(Action::edit(
                    Text::new("Remove a wire", "删除连线"),
                    move |project| {
                        project.graph.disconnect(to);
                    },
                ));
            }
            for (reference, from) in sources(&ctx.project.graph, to) {
                if ui
                    .selectable_label(Some(&reference) == now, reference.to_string())
                    .clicked()
                {
                    action = Some(Action::edit(
                        Text::new("Connect", "连接"),
                        move |project| {
                            project.graph.connect(from, to);
                        },
                    ));
                }
            }
        });
    action
}

/// Every output that the input can read, each name once.
fn sources(graph: &Graph, to: (NodeId, usize)) -> BTreeMap<PortRef, (NodeId, usize)> {
    let mut sources = BTreeMap::new();
    for node in graph.nodes() {
        for port in 0..node.layer.outputs().len() {
            if edits::refusal(graph, (node.id, port), to).is_none() {
                sources
                    .entry(PortRef::new(node.name.clone(), port))
                    .or_insert((node.id, port));
            }
        }
    }
    sources
}
