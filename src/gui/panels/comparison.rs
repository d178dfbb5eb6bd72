//! The list of what is different from the project that this one is compared with; a click on a
//! node goes there.

use egui::{RichText, Sense, Ui};

use crate::graph::{Change, Graph, NodeId};
use crate::gui::commands::{self, CommandId, Situation};
use crate::gui::comparison::Comparison;
use crate::gui::context::{Action, Ctx};
use crate::gui::editor::Differs;
use crate::gui::menus;
use crate::i18n::{tr, tr_format};

pub fn comparison_ui(
    ui: &mut Ui,
    comparison: Option<&Comparison>,
    ctx: &Ctx<'_>,
    now: &Situation,
    actions: &mut Vec<Action>,
) {
    let Some(comparison) = comparison else {
        ui.weak(tr(
            "Compare this project with another one, or with its saved version: what is added, removed or changed is marked in the graph and listed here.",
            "将本项目与另一个项目或其已保存的版本比较：新增、删除与更改之处会标在网络图中并列于此处。",
        ));
        ui.add_space(6.0);
        buttons_ui(
            ui,
            &[CommandId::CompareFile, CommandId::CompareSaved],
            now,
            actions,
        );
        return;
    };
    ui.horizontal_wrapped(|ui| {
        let name = &comparison.name;
        ui.label(tr_format!("Compared with {name}", "与 {name} 比较"));
        let graph = &comparison.diff.graph;
        for (differs, count) in [
            (Differs::Added, graph.added.len()),
            (Differs::Removed, graph.removed.len()),
            (Differs::Changed, graph.changed.len()),
        ] {
            let text = format!("{} {count}", differs.sign());
            let color = differs.color(ui.visuals());
            let about = match differs {
                Differs::Added => tr("nodes that only this project has", "仅本项目有的节点"),
                Differs::Removed => tr(
                    "nodes that only the other project has",
                    "仅另一项目有的节点",
                ),
                Differs::Changed => tr("nodes that have changed", "有更改的节点"),
            };
            ui.label(RichText::new(text).color(color).strong())
                .on_hover_text(about);
        }
        buttons_ui(ui, &[CommandId::EndComparison], now, actions);
    });
    ui.add_space(4.0);
    egui::ScrollArea::vertical()
        .auto_shrink(false)
        .show(ui, |ui| {
            if comparison.diff.is_empty() {
                ui.weak(tr("The two projects are the same.", "两个项目相同。"));
            }
            list_ui(ui, comparison, ctx, actions);
        });
}

fn buttons_ui(ui: &mut Ui, ids: &[CommandId], now: &Situation, actions: &mut Vec<Action>) {
    for command in ids.iter().filter_map(|id| commands::get(*id)) {
        let button = ui.add_enabled(
            command.id.enabled(now),
            egui::Button::new(command.name.get()),
        );
        if menus::explained(button, command.id, now).clicked() {
            actions.push(Action::Run(command.id));
        }
    }
}

fn list_ui(ui: &mut Ui, comparison: &Comparison, ctx: &Ctx<'_>, actions: &mut Vec<Action>) {
    let (before, after) = (&comparison.other.graph, &ctx.project.graph);
    let diff = &comparison.diff.graph;
    let name = |graph: &Graph, id: NodeId| {
        let node = graph.node(id)?;
        Some((node.name.clone(), node.layer.title().to_owned()))
    };
    for (id, (name, kind)) in diff
        .added
        .iter()
        .filter_map(|id| Some((*id, name(after, *id)?)))
    {
        if node_ui(ui, Differs::Added, &name, &kind) {
            actions.push(Action::Jump(id));
        }
    }
    for (name, kind) in diff.removed.iter().filter_map(|id| name(before, *id)) {
        node_ui(ui, Differs::Removed, &name, &kind);
    }
    for changed in &diff.changed {
        let Some((name, kind)) = name(after, changed.after) else {
            continue;
        };
        if node_ui(ui, Differs::Changed, &name, &kind) {
            actions.push(Action::Jump(changed.after));
        }
        for change in &changed.changes {
            change_ui(ui, change);
        }
    }
    if !diff.moved.is_empty() {
        let count = diff.moved.len();
        ui.weak(tr_format!(
            "{count} nodes only stand elsewhere",
            "{count} 个节点仅位置不同"
        ));
    }
    if !comparison.diff.other.is_empty() {
        ui.add_space(6.0);
        ui.label(RichText::new(tr("Data and training", "数据与训练")).strong());
        for change in &comparison.diff.other {
            change_ui(ui, change);
        }
    }
}

/// Whether the line was clicked.
fn node_ui(ui: &mut Ui, differs: Differs, name: &str, kind: &str) -> bool {
    let mut job = egui::text::LayoutJob::default();
    let format = |color| egui::TextFormat::simple(egui::FontId::proportional(13.0), color);
    job.append(differs.sign(), 0.0, format(differs.color(ui.visuals())));
    job.append(name, 8.0, format(ui.visuals().strong_text_color()));
    job.append(kind, 10.0, format(ui.visuals().weak_text_color()));
    let label = egui::Label::new(job).sense(Sense::click());
    let response = ui.add(label);
    if differs == Differs::Removed {
        return false;
    }
    let response = response.on_hover_cursor(egui::CursorIcon::PointingHand);
    response
        .on_hover_text(tr("Click to go there", "点击前往"))
        .clicked()
}

fn change_ui(ui: &mut Ui, change: &Change) {
    let shown = |text: &str| {
        if text.is_empty() {
            "–".to_owned()
        } else {
            text.to_owned()
        }
    };
    ui.horizontal_wrapped(|ui| {
        ui.add_space(18.0);
        ui.spacing_mut().item_spacing.x = 5.0;
        ui.label(RichText::new(&change.what).small().weak());
        let color = Differs::Removed.color(ui.visuals());
        ui.label(RichText::new(shown(&change.before)).small().color(color));
        ui.label(RichText::new("→").small().weak());
        let color = Differs::Added.color(ui.visuals());
        ui.label(RichText::new(shown(&change.after)).small().color(color));
    });
}
