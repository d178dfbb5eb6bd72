//! The form: of the selected node, of several, or of the project when nothing is selected.

mod fields;
mod inputs;
mod node;
mod preprocess;
mod project;
mod sources;
mod stages;

use egui::{RichText, Ui};

use crate::gui::commands::{self, CommandId};
use crate::gui::context::{Action, Ctx, View};
use crate::i18n::{Text, tr_format};
use crate::project::Project;

/// What is typed and not yet valid, so that it is not lost between frames.
#[derive(Default)]
pub struct Form {
    /// The text of the field that has the focus, by the field.
    typing: fields::Typing,
}

impl View for Form {
    fn ui(&mut self, ui: &mut Ui, ctx: &Ctx<'_>, actions: &mut Vec<Action>) {
        egui::ScrollArea::vertical()
            .auto_shrink(false)
            .show(ui, |ui| {
                let selected: Vec<_> = ctx
                    .selection
                    .iter()
                    .filter_map(|id| ctx.project.graph.node(*id))
                    .collect();
                match selected.as_slice() {
                    [] => project::project_ui(ui, ctx, &mut self.typing, actions),
                    [node] => node::node_ui(ui, ctx, node, &mut self.typing, actions),
                    several => several_ui(ui, ctx, several.len(), actions),
                }
            });
    }
}

/// With several nodes: how many, their sums, and what can be done to all of them.
fn several_ui(ui: &mut Ui, ctx: &Ctx<'_>, count: usize, actions: &mut Vec<Action>) {
    ui.heading(tr_format!(
        "{count} nodes selected",
        "已选择 {count} 个节点"
    ));
    let infos = ctx
        .selection
        .iter()
        .filter_map(|id| ctx.inference.node(*id));
    let (params, macs) = infos.fold((0u64, 0u64), |(params, macs), info| {
        (
            params.saturating_add(info.param_count()),
            macs.saturating_add(info.macs.unwrap_or(0)),
        )
    });
    let (params, macs) = (
        crate::gui::format::count(params),
        crate::gui::format::count(macs),
    );
    ui.label(
        RichText::new(tr_format!(
            "{params} parameters, {macs} multiply-adds per example",
            "共 {params} 参数，每个样本 {macs} 次乘加"
        ))
        .weak(),
    );
    ui.add_space(8.0);
    let ids = [
        CommandId::Connect,
        CommandId::AlignLeft,
        CommandId::AlignTop,
        CommandId::DistributeAcross,
        CommandId::DistributeDown,
        CommandId::Group,
        CommandId::Fold,
        CommandId::Duplicate,
        CommandId::Delete,
    ];
    ui.horizontal_wrapped(|ui| {
        for command in ids.into_iter().filter_map(commands::get) {
            if ui.button(command.name.get()).clicked() {
                actions.push(Action::Run(command.id));
            }
        }
    });
}

/// Two columns: names at the left, fields at the right.
fn grid_ui(ui: &mut Ui, id: &str, add: impl FnOnce(&mut Ui)) {
    egui::Grid::new(id)
        .num_columns(2)
        .spacing([12.0, 6.0])
        .min_col_width(92.0)
        .show(ui, add);
}

fn section_ui(ui: &mut Ui, title: Text) {
    ui.add_space(10.0);
    ui.label(RichText::new(title.get()).strong());
    ui.add_space(2.0);
}

/// A field's name with what it means.
fn name_ui(ui: &mut Ui, name: &str, about: &str) {
    let label = ui.label(RichText::new(name).weak());
    if !about.is_empty() {
        label.on_hover_text(about);
    }
}

/// An edit of the project that is one step with its like before it.
fn change(name: Text, key: &str, edit: impl FnOnce(&mut Project) + 'static) -> Action {
    Action::merging(name, key, edit)
}
