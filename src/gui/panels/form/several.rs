//! The form of several nodes: the parameters that all of them have. What differs is shown as a
//! dash, and a change sets all of them as one step.

use std::collections::{BTreeMap, BTreeSet};

use egui::{RichText, Ui};

use super::fields::{Typing, field_ui, real_ui};
use super::{change, grid_ui, name_ui, section_ui};
use crate::graph::{Field, Layer, Multiplier, Node, NodeId, Phases, Setting, apply, settings};
use crate::gui::commands::{self, CommandId, Situation};
use crate::gui::context::{Action, Ctx};
use crate::gui::menus;
use crate::i18n::{Text, tr, tr_format};
use crate::project::Project;

const EDIT: Text = Text::new("Change several nodes", "修改多个节点");

const COMMANDS: [CommandId; 12] = [
    CommandId::Connect,
    CommandId::ReplaceLayer,
    CommandId::Group,
    CommandId::Ungroup,
    CommandId::RepeatGroup,
    CommandId::Fold,
    CommandId::AlignLeft,
    CommandId::AlignTop,
    CommandId::DistributeAcross,
    CommandId::DistributeDown,
    CommandId::Duplicate,
    CommandId::Delete,
];

pub fn several_ui(
    ui: &mut Ui,
    ctx: &Ctx<'_>,
    nodes: &[&Node],
    typing: &mut Typing,
    actions: &mut Vec<Action>,
) {
    head_ui(ui, ctx, nodes);
    let ids: Vec<NodeId> = nodes.iter().map(|node| node.id).collect();
    // What was opened to be set belongs to this selection.
    ui.push_id(&ids, |ui| {
        layers_ui(ui, nodes, typing, actions);
        training_ui(ui, ctx, nodes, actions);
        section_ui(ui, Text::new("Nodes", "节点"));
        grid_ui(ui, "nodes", |ui| phases_ui(ui, nodes, actions));
    });
    ui.add_space(10.0);
    let now = Situation {
        selected: nodes.len(),
        nodes: ctx.project.graph.nodes().len(),
        can_fold: nodes.iter().any(|node| node.group().is_some()),
        in_group: crate::gui::editor::edits::group_around(&ctx.project.graph, ctx.selection)
            .is_some(),
        ..Situation::default()
    };
    ui.horizontal_wrapped(|ui| {
        for command in COMMANDS.into_iter().filter_map(commands::get) {
            let button = egui::Button::new(command.name.get());
            let response = ui.add_enabled(command.id.enabled(&now), button);
            if menus::explained(response, command.id, &now).clicked() {
                actions.push(Action::Run(command.id));
            }
        }
    });
}

/// How many of what, and their sums.
fn head_ui(ui: &mut Ui, ctx: &Ctx<'_>, nodes: &[&Node]) {
    let count = nodes.len();
    ui.heading(tr_format!(
        "{count} nodes selected",
        "已选择 {count} 个节点"
    ));
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for node in nodes {
        *kinds.entry(node.layer.title()).or_default() += 1;
    }
    let kinds: Vec<String> = (kinds.iter())
        .map(|(kind, n)| format!("{n} × {kind}"))
        .collect();
    ui.label(kinds.join(", "));
    let mut keys = BTreeSet::new();
    let (mut params, mut macs) = (0u64, 0u64);
    for info in nodes.iter().filter_map(|node| ctx.inference.node(node.id)) {
        macs = macs.saturating_add(info.macs.unwrap_or(0));
        for (key, spec) in info.params.iter().filter(|(_, spec)| spec.learnable) {
            if keys.insert(key) {
                params = params.saturating_add(spec.count() as u64);
            }
        }
    }
    let [params, macs] = [params, macs].map(crate::gui::format::count);
    let sums = tr_format!(
        "{params} parameters, {macs} multiply-adds per example",
        "共 {params} 参数，每个样本 {macs} 次乘加"
    );
    ui.label(RichText::new(sums).weak());
}

/// The parameters that every layer has under one name and of one kind.
fn layers_ui(ui: &mut Ui, nodes: &[&Node], typing: &mut Typing, actions: &mut Vec<Action>) {
    let all: Vec<BTreeMap<&str, Setting>> = (nodes.iter())
        .map(|node| settings(&*node.layer).into_iter().collect())
        .collect();
    let same_kind =
        |a: &Setting, b: &Setting| std::mem::discriminant(a) == std::mem::discriminant(b);
    let shared = |name: &str, setting: &Setting| {
        let has = |of: &BTreeMap<&str, Setting>| {
            of.get(name).is_some_and(|other| same_kind(other, setting))
        };
        all.iter().all(has)
    };
    let Some(first) = nodes.first() else { return };
    let mut layer = first.layer.clone_layer();
    let mut count = 0;
    let mut changed = None;
    section_ui(ui, Text::new("Common parameters", "共有参数"));
    grid_ui(ui, "common", |ui| {
        layer.fields(&mut |field: Field<'_>| {
            if !shared(field.name, &Setting::of(&field.value)) {
                return;
            }
            count += 1;
            let values: Vec<&Setting> = all.iter().filter_map(|of| of.get(field.name)).collect();
            let name = field.name;
            if shared_ui(ui, field, &values, typing) {
                changed = Some(name);
            }
        });
    });
    if count == 0 {
        ui.weak(tr(
            "These layers have no parameter in common.",
            "这些层没有共有的参数。",
        ));
    }
    let new = settings(&*layer)
        .into_iter()
        .find(|(name, _)| changed == Some(name));
    if let Some((name, setting)) = new {
        let ids: Vec<NodeId> = nodes.iter().map(|node| node.id).collect();
        actions.push(change(EDIT, &format!("several {name}"), move |project| {
            for id in ids {
                if let Some(node) = project.graph.node_mut(id) {
                    let mut layer: Box<dyn Layer> = node.layer.clone_layer();
                    apply(&mut *layer, &[(name, setting.clone())]);
                    node.layer = layer;
                }
            }
        }));
    }
}

/// A parameter with its one value, or a dash that opens it to be set; whether it was set.
fn shared_ui(ui: &mut Ui, mut field: Field<'_>, values: &[&Setting], typing: &mut Typing) -> bool {
    let name = field.name;
    let mixed = values.windows(2).any(|pair| pair[0] != pair[1]);
    let opened = ui.id().with(("opened", name));
    let is_open = ui
        .data(|data| data.get_temp::<bool>(opened))
        .unwrap_or(false);
    if mixed && !is_open {
        name_ui(ui, name, field.about.get());
        if mixed_ui(ui, values) {
            ui.data_mut(|data| data.insert_temp(opened, true));
        }
        ui.end_row();
        return false;
    }
    if mixed {
        // It begins at the value that most of them have.
        let most = values
            .iter()
            .max_by_key(|value| values.iter().filter(|v| v == value).count());
        if let Some(most) = most {
            most.write(&mut field.value);
        }
    }
    field_ui(ui, field, typing)
}

/// A dash for values that differ; whether it was clicked.
fn mixed_ui(ui: &mut Ui, values: &[&Setting]) -> bool {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for value in values {
        *counts.entry(value.text()).or_default() += 1;
    }
    let lines: Vec<String> = (counts.iter())
        .map(|(value, n)| format!("{n} × {value}"))
        .collect();
    let about = tr(
        "The nodes differ; click to set all of them.",
        "各节点的值不同；点击可统一设置。",
    );
    let button = egui::Button::new(RichText::new("—").weak()).min_size([46.0, 20.0].into());
    ui.add(button)
        .on_hover_text(format!("{about}\n{}", lines.join("\n")))
        .clicked()
}

/// Rates and decays of the parameters that all nodes have, and the way to freeze them.
fn training_ui(ui: &mut Ui, ctx: &Ctx<'_>, nodes: &[&Node], actions: &mut Vec<Action>) {
    let suffixes = |node: &Node| -> BTreeSet<&'static str> {
        let info = ctx.inference.node(node.id).into_iter();
        let learnable = info
            .flat_map(|info| &info.params)
            .filter(|(_, spec)| spec.learnable);
        learnable.map(|(_, spec)| spec.suffix).collect()
    };
    // Nodes without parameters have nothing to say here.
    let learning: Vec<(&Node, BTreeSet<&str>)> = (nodes.iter())
        .map(|node| (*node, suffixes(node)))
        .filter(|(_, suffixes)| !suffixes.is_empty())
        .collect();
    if learning.is_empty() {
        return;
    }
    section_ui(ui, Text::new("Training", "训练"));
    let all: BTreeSet<&'static str> = nodes.iter().flat_map(|node| suffixes(node)).collect();
    grid_ui(ui, "training of several", |ui| {
        freeze_ui(ui, &learning, actions);
        for suffix in all {
            let having: Vec<&Node> = (learning.iter())
                .filter(|(_, suffixes)| suffixes.contains(suffix))
                .map(|(node, _)| *node)
                .collect();
            multiplier_ui(ui, suffix, &having, actions);
        }
    });
}

fn freeze_ui(ui: &mut Ui, learning: &[(&Node, BTreeSet<&str>)], actions: &mut Vec<Action>) {
    let about = tr(
        "Frozen parameters stay as they are: their learning rates are multiplied by 0",
        "冻结的参数保持不变：其学习率乘以 0",
    );
    name_ui(ui, tr("frozen", "冻结"), about);
    let is_frozen = |(node, suffixes): &(&Node, BTreeSet<&str>)| {
        suffixes
            .iter()
            .all(|suffix| node.multiplier(suffix).lr == 0.0)
    };
    let count = learning.iter().filter(|of| is_frozen(of)).count();
    let mut frozen = count == learning.len();
    let some = count > 0 && !frozen;
    if ui
        .add(egui::Checkbox::new(&mut frozen, "").indeterminate(some))
        .changed()
    {
        let lr = if frozen || some { 0.0 } else { 1.0 };
        let owned: Vec<(NodeId, Vec<String>)> = (learning.iter())
            .map(|(node, suffixes)| (node.id, suffixes.iter().map(|s| (*s).to_owned()).collect()))
            .collect();
        actions.push(Action::edit(EDIT, move |project| {
            for (id, suffixes) in owned {
                for suffix in suffixes {
                    set_multiplier(project, id, &suffix, |multiplier| multiplier.lr = lr);
                }
            }
        }));
    }
    ui.end_row();
}

/// One of the two factors.
type Part = fn(&mut Multiplier) -> &mut f64;

fn multiplier_ui(ui: &mut Ui, suffix: &'static str, nodes: &[&Node], actions: &mut Vec<Action>) {
    name_ui(ui, suffix, "");
    ui.horizontal(|ui| {
        let parts: [(&str, Part); 2] = [
            (tr("rate ×", "学习率 ×"), |multiplier| {
                &mut multiplier.lr
            }),
            (tr("decay ×", "衰减 ×"), |multiplier| {
                &mut multiplier.decay
            }),
        ];
        for (label, part) in parts {
            ui.weak(label);
            let values: Vec<f64> = (nodes.iter())
                .map(|node| *part(&mut node.multiplier(suffix)))
                .collect();
            let opened = ui.id().with((suffix, label));
            let is_open = ui
                .data(|data| data.get_temp::<bool>(opened))
                .unwrap_or(false);
            let mixed = values.windows(2).any(|pair| pair[0] != pair[1]);
            if mixed && !is_open {
                let texts: Vec<Setting> =
                    values.iter().map(|value| Setting::Real(*value)).collect();
                if mixed_ui(ui, &texts.iter().collect::<Vec<_>>()) {
                    ui.data_mut(|data| data.insert_temp(opened, true));
                }
                continue;
            }
            let mut value = values.first().copied().unwrap_or(1.0);
            if real_ui(ui, &mut value, 0.0, 1e6) {
                let ids: Vec<NodeId> = nodes.iter().map(|node| node.id).collect();
                actions.push(change(
                    EDIT,
                    &format!("several {suffix} {label}"),
                    move |project| {
                        for id in ids {
                            set_multiplier(project, id, suffix, |multiplier| {
                                *part(multiplier) = value
                            });
                        }
                    },
                ));
            }
        }
    });
    ui.end_row();
}

fn set_multiplier(project: &mut Project, id: NodeId, suffix: &str, set: impl Fn(&mut Multiplier)) {
    if let Some(node) = project.graph.node_mut(id) {
        let mut multiplier = node.multiplier(suffix);
        set(&mut multiplier);
        match multiplier == Multiplier::default() {
            true => _ = node.multipliers.remove(suffix),
            false => _ = node.multipliers.insert(suffix.to_owned(), multiplier),
        }
    }
}

fn phases_ui(ui: &mut Ui, nodes: &[&Node], actions: &mut Vec<Action>) {
    let about = tr("When these nodes take part", "这些节点在何时参与计算");
    name_ui(ui, tr("phase", "阶段"), about);
    ui.horizontal(|ui| {
        for option in Phases::ALL {
            let all = nodes.iter().all(|node| node.phases == option);
            if ui.selectable_label(all, option.text().get()).clicked() && !all {
                let ids: Vec<NodeId> = nodes.iter().map(|node| node.id).collect();
                actions.push(Action::edit(EDIT, move |project| {
                    for id in ids {
                        if let Some(node) = project.graph.node_mut(id) {
                            node.phases = option;
                        }
                    }
                }));
            }
        }
    });
    ui.end_row();
}
