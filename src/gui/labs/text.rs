//! What a bench says of itself: what to try, what to notice, the formula, the way to a project.

use egui::{RichText, Ui};

use crate::gui::context::Action;
use crate::i18n::tr;
use crate::labs::Bench;

pub fn text_ui(ui: &mut Ui, bench: &'static Bench, actions: &mut Vec<Action>) {
    let parts = [
        (tr("About", "简介"), bench.about.get()),
        (tr("Try this", "试一试"), bench.what_to_try.get()),
        (tr("Notice", "注意"), bench.what_to_notice.get()),
    ];
    for (title, text) in parts {
        ui.add_space(6.0);
        ui.label(RichText::new(title).strong());
        ui.label(text);
    }
    ui.add_space(6.0);
    ui.label(RichText::new(tr("Formula", "公式")).strong());
    for line in bench.formula.lines() {
        ui.label(RichText::new(line).monospace());
    }
    ui.add_space(8.0);
    ui.label(RichText::new(tr("In a real network", "在真实网络中")).strong());
    let (project, note) = bench.project;
    ui.label(note.get());
    let button = ui.button(format!("{} “{project}”", tr("Open", "打开")));
    let hint = tr(
        "Opens this example project in the editor.",
        "在编辑器中打开该示例项目。",
    );
    if button.on_hover_text(hint).clicked() {
        actions.push(Action::OpenExample(project));
    }
    ui.add_space(8.0);
}
