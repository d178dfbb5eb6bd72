//! The form of one node: its name, its layer's parameters, its wires, and what is known of it.

use egui::{RichText, Ui};

use super::fields::{Typing, field_ui, real_ui};
use super::{change, grid_ui, name_ui, section_ui};
use crate::graph::{Field, Multiplier, Node, NodeInfo, Phase, Phases, Role};
use crate::gui::context::{Action, Ctx};
use crate::gui::panels::palette::formula_ui;
use crate::gui::{format, theme};
use crate::i18n::{Text, tr, tr_format};

const EDIT: Text = Text::new("Edit a node", "编辑节点");

pub fn node_ui(
    ui: &mut Ui,
    ctx: &Ctx<'_>,
    node: &Node,
    typing: &mut Typing,
    actions: &mut Vec<Action>,
) {
    let spec = node.layer.spec();
    ui.horizontal(|ui| {
        let color = theme::family_color(spec.family, ui.visuals());
        let (dot, _) = ui.allocate_exact_size(egui::vec2(10.0, 18.0), egui::Sense::hover());
        ui.painter().circle_filled(dot.center(), 5.0, color);
        ui.label(RichText::new(node.layer.title()).heading());
        if spec.title.get() != node.layer.title() {
            ui.label(RichText::new(spec.title.get()).weak());
        }
    });
    ui.label(spec.about.get());
    formula_ui(ui, spec.formula);
    problems_ui(ui, ctx, node);
    section_ui(ui, Text::new("Parameters", "参数"));
    grid_ui(ui, "layer", |ui| {
        text_field(ui, (tr("name", "名称"), ""), &node.name, typing, |name| {
            let id = node.id;
            let edit = move |project: &mut crate::project::Project| project.graph.rename(id, &name);
            actions.push(Action::edit(Text::new("Rename", "重命名"), edit));
        });
        layer_ui(ui, node, typing, actions);
    });
    super::inputs::inputs_ui(ui, ctx, node, actions);
    known_ui(ui, ctx, node);
    training_ui(ui, ctx, node, actions);
    more_ui(ui, node, typing, actions);
}

fn problems_ui(ui: &mut Ui, ctx: &Ctx<'_>, node: &Node) {
    for diagnostic in ctx
        .inference
        .diagnostics
        .iter()
        .filter(|d| d.node == Some(node.id))
    {
        let color = theme::severity_color(diagnostic.severity(), ui.visuals());
        let frame = egui::Frame::new()
            .fill(color.gamma_multiply(0.14))
            .corner_radius(4)
            .inner_margin(6);
        frame.show(ui, |ui| {
            ui.horizontal_wrapped(|ui| {
                ui.label(RichText::new("⚠").color(color));
                ui.label(diagnostic.message());
            });
        });
    }
}

fn layer_ui(ui: &mut Ui, node: &Node, typing: &mut Typing, actions: &mut Vec<Action>) {
    let mut layer = node.layer.clone_layer();
    let mut changed = None;
    layer.fields(&mut |field: Field<'_>| {
        let name = field.name;
        if field_ui(ui, field, typing) {
            changed = Some(name);
        }
    });
    if let Some(field) = changed {
        let id = node.id;
        let key = format!("{} {field}", id.0);
        actions.push(change(
            Text::new("Change a parameter", "修改参数"),
            &key,
            move |project| {
                if let Some(node) = project.graph.node_mut(id) {
                    node.layer = layer;
                }
            },
        ));
    }
}

/// A text that is taken over when the field loses the focus.
fn text_field(
    ui: &mut Ui,
    label: (&str, &str),
    value: &str,
    typing: &mut Typing,
    done: impl FnOnce(String),
) {
    name_ui(ui, label.0, label.1);
    let id = ui.id().with(("text", label.0));
    let mut text = match typing {
        Some((of, text)) if *of == id => text.clone(),
        _ => value.to_owned(),
    };
    let response = ui.add(
        egui::TextEdit::singleline(&mut text)
            .id(id)
            .desired_width(f32::INFINITY),
    );
    if response.has_focus() {
        *typing = Some((id, text));
    } else if let Some((_, text)) = typing.take_if(|(of, _)| *of == id) {
        let cancelled = ui.input(|input| input.key_pressed(egui::Key::Escape));
        if !cancelled && text != value {
            done(text);
        }
    }
    ui.end_row();
}

/// Shapes, counts and receptive field.
fn known_ui(ui: &mut Ui, ctx: &Ctx<'_>, node: &Node) {
    let Some(info) = ctx.inference.node(node.id) else {
        return;
    };
    let Some(outputs) = &info.outputs else { return };
    section_ui(ui, Text::new("What follows", "推断结果"));
    grid_ui(ui, "known", |ui| {
        for (port, shape) in node.layer.outputs().iter().zip(outputs) {
            name_ui(ui, port.name, port.kind.text().get());
            ui.label(shape.to_string());
            ui.end_row();
        }
        numbers_ui(ui, info);
        for phase in Phase::BOTH {
            let other = ctx
                .inference
                .phase(phase)
                .nodes
                .get(&node.id)
                .and_then(|other| other.outputs.as_ref());
            if let Some(other) = other.filter(|other| *other != outputs) {
                name_ui(ui, phase.text().get(), "");
                ui.label(
                    other
                        .iter()
                        .map(ToString::to_string)
                        .collect::<Vec<_>>()
                        .join(", "),
                );
                ui.end_row();
            }
        }
    });
}

fn numbers_ui(ui: &mut Ui, info: &NodeInfo) {
    if info.params.iter().any(|(_, spec)| spec.learnable) {
        name_ui(
            ui,
            tr("parameters", "参数量"),
            tr("Numbers that are learned", "需要学习的数"),
        );
        let shapes = info.params.iter().map(|(key, spec)| {
            let dims = spec
                .shape
                .iter()
                .map(usize::to_string)
                .collect::<Vec<_>>()
                .join("×");
            format!("{key}: {dims}")
        });
        let shapes = shapes.collect::<Vec<_>>().join("\n");
        ui.label(format::exact(info.param_count()))
            .on_hover_text(shapes);
        ui.end_row();
    }
    if let Some(macs) = info.macs.filter(|macs| *macs > 0) {
        name_ui(
            ui,
            tr("multiply-adds", "乘加次数"),
            tr("Per example, forward", "每个样本的前向计算"),
        );
        ui.label(format::exact(macs));
        ui.end_row();
    }
    name_ui(
        ui,
        tr("activations", "激活值"),
        tr(
            "Numbers in the outputs of one example",
            "单个样本输出中的数",
        ),
    );
    ui.label(format::exact(info.activations));
    ui.end_row();
    if let Some(field) = info.field {
        let about = tr(
            "The part of the input image that one output element sees: height × width, the step between neighbours, and where the first begins",
            "一个输出元素在输入图像上能看到的区域：高 × 宽、相邻元素的间隔、第一个元素的起点",
        );
        name_ui(ui, tr("receptive field", "感受野"), about);
        let ([h, w], [sh, sw], [oh, ow]) = (field.size, field.stride, field.offset);
        ui.label(tr_format!(
            "{h} × {w}, stride {sh} × {sw}, from {oh}, {ow}",
            "{h} × {w}，步长 {sh} × {sw}，起点 {oh}, {ow}"
        ));
        ui.end_row();
    }
}

/// Multipliers of the solver per parameter; the weight of a loss.
fn training_ui(ui: &mut Ui, ctx: &Ctx<'_>, node: &Node, actions: &mut Vec<Action>) {
    let learnable: Vec<&'static str> = (ctx.inference.node(node.id).into_iter())
        .flat_map(|info| &info.params)
        .filter(|(_, spec)| spec.learnable)
        .map(|(_, spec)| spec.suffix)
        .collect();
    let is_loss = node.layer.spec().role == Role::Loss;
    if learnable.is_empty() && !is_loss {
        return;
    }
    section_ui(ui, Text::new("Training", "训练"));
    let id = node.id;
    grid_ui(ui, "training", |ui| {
        if is_loss {
            name_ui(
                ui,
                tr("loss weight", "损失权重"),
                tr(
                    "The factor of this loss in the objective",
                    "该损失在目标函数中的系数",
                ),
            );
            let mut weight = node.loss_weight();
            if real_ui(ui, &mut weight, -1e6, 1e6) {
                actions.push(change(
                    EDIT,
                    &format!("{} loss weight", id.0),
                    move |project| {
                        if let Some(node) = project.graph.node_mut(id) {
                            node.loss_weight = (weight != 1.0).then_some(weight);
                        }
                    },
                ));
            }
            ui.end_row();
        }
        for suffix in learnable {
            let mut multiplier = node.multiplier(suffix);
            let about = tr(
                "Factors on the solver's learning rate and weight decay for this parameter; 0 keeps it as it is",
                "该参数的学习率与权重衰减倍率；学习率倍率为 0 则不更新",
            );
            name_ui(ui, suffix, about);
            let changed = ui.horizontal(|ui| {
                ui.weak(tr("rate ×", "学习率 ×"));
                let rate = real_ui(ui, &mut multiplier.lr, 0.0, 1e6);
                ui.weak(tr("decay ×", "衰减 ×"));
                real_ui(ui, &mut multiplier.decay, 0.0, 1e6) || rate
            });
            if changed.inner {
                actions.push(change(
                    EDIT,
                    &format!("{} multiplier {suffix}", id.0),
                    move |project| {
                        set_multiplier(project, id, suffix, multiplier);
                    },
                ));
            }
            ui.end_row();
        }
    });
}

fn set_multiplier(
    project: &mut crate::project::Project,
    id: crate::graph::NodeId,
    suffix: &str,
    multiplier: Multiplier,
) {
    let Some(node) = project.graph.node_mut(id) else {
        return;
    };
    if multiplier == Multiplier::default() {
        node.multipliers.remove(suffix);
    } else {
        node.multipliers.insert(suffix.to_owned(), multiplier);
    }
}

/// Phases, key and comment.
fn more_ui(ui: &mut Ui, node: &Node, typing: &mut Typing, actions: &mut Vec<Action>) {
    section_ui(ui, Text::new("Node", "节点"));
    let id = node.id;
    grid_ui(ui, "node", |ui| {
        name_ui(
            ui,
            tr("phase", "阶段"),
            tr("When this node takes part", "该节点在何时参与计算"),
        );
        let mut phases = node.phases;
        ui.horizontal(|ui| {
            for option in Phases::ALL {
                ui.selectable_value(&mut phases, option, option.text().get());
            }
        });
        if phases != node.phases {
            actions.push(Action::edit(EDIT, move |project| {
                if let Some(node) = project.graph.node_mut(id) {
                    node.phases = phases;
                }
            }));
        }
        ui.end_row();
        let about = tr(
            "The prefix of the parameters' names in weight files; nodes with the same key share their parameters. Empty follows the node's name.",
            "权重文件中参数名的前缀；键相同的节点共享参数。留空则使用节点名。",
        );
        text_field(
            ui,
            (tr("key", "键"), about),
            node.key.as_deref().unwrap_or(""),
            typing,
            |key| {
                let key = key.trim().to_owned();
                actions.push(Action::edit(EDIT, move |project| {
                    if let Some(node) = project.graph.node_mut(id) {
                        node.key = (!key.is_empty()).then_some(key);
                    }
                }));
            },
        );
        text_field(
            ui,
            (tr("comment", "备注"), ""),
            &node.comment,
            typing,
            |comment| {
                actions.push(Action::edit(EDIT, move |project| {
                    if let Some(node) = project.graph.node_mut(id) {
                        node.comment = comment;
                    }
                }));
            },
        );
    });
}
