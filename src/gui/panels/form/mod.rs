//! The form: of the selected node, of several, or of the project when nothing is selected.

mod classes;
mod fields;
mod inputs;
mod node;
mod preprocess;
mod project;
mod several;
mod sources;
mod stages;

use egui::{RichText, Ui};

use crate::gui::context::{Action, Ctx, View};
use crate::i18n::Text;
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
                    several => {
                        several::several_ui(ui, ctx, several, &mut self.typing, actions);
                    }
                }
            });
    }
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
