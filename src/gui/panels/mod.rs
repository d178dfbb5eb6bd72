//! The panels beside the graph, and whatever they keep between frames.

mod form;
mod palette;
mod problems;

use egui::{RichText, Ui};

use super::ViewKind;
use super::commands::CommandId;
use super::context::{Action, Ctx, View};
use super::views::Views;
use crate::i18n::tr;

/// One of each panel.
#[derive(Default)]
pub struct Panels {
    palette: palette::Palette,
    form: form::Form,
    problems: problems::Problems,
    views: Views,
}

impl Panels {
    /// Draws a panel; the graph editor is not among them.
    pub fn ui(&mut self, ui: &mut Ui, kind: ViewKind, ctx: &Ctx<'_>, actions: &mut Vec<Action>) {
        let view: &mut dyn View = match kind {
            ViewKind::Palette => &mut self.palette,
            ViewKind::Form => &mut self.form,
            ViewKind::Problems => &mut self.problems,
            kind => match self.views.get_mut(kind) {
                Some(view) => view,
                None => return,
            },
        };
        let frame = egui::Frame::new().inner_margin(egui::Margin::symmetric(10, 8));
        frame.show(ui, |ui| view.ui(ui, ctx, actions));
    }

    /// The training bar; `outdated`: the graph has changed since the session started.
    pub fn training_ui(&mut self, ui: &mut Ui, ctx: &Ctx<'_>, outdated: bool, pending: bool, actions: &mut Vec<Action>) {
        self.views.training_bar.ui(ui, ctx, actions);
        if !pending && !outdated {
            return;
        }
        ui.horizontal(|ui| {
            if pending {
                ui.spinner();
                ui.label(tr("waiting for the data…", "正在等待数据…"));
            }
            if outdated {
                outdated_ui(ui, actions);
            }
        });
    }

    /// Puts the text cursor into the palette's search box.
    pub fn focus_palette(&mut self) {
        self.palette.focus();
    }
}

fn outdated_ui(ui: &mut Ui, actions: &mut Vec<Action>) {
    let color = ui.visuals().warn_fg_color;
    let text = tr("The graph has changed since the training began.", "训练开始后网络已被修改。");
    ui.label(RichText::new(text).color(color)).on_hover_text(tr(
        "The run goes on with the graph that it started with; start anew to train this one.",
        "当前训练仍使用开始时的网络；重新开始才会训练现在的网络。",
    ));
    if ui.button(tr("Start anew", "重新开始")).clicked() {
        actions.push(Action::Run(CommandId::Restart));
    }
}
