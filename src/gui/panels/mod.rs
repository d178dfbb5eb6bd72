//! The panels beside the graph, and whatever they keep between frames.

mod comparison;
mod form;
mod palette;
mod problems;
mod prototxt;

use egui::{RichText, Ui};
use serde::{Deserialize, Serialize};

use super::ViewKind;
use super::commands::{CommandId, Situation};
use super::comparison::Comparison;
use super::context::{Action, Ctx, View};
use super::labs::Labs;
use super::views::Views;
use crate::i18n::tr;

pub use palette::{about_ui as about_layer_ui, matches as layer_matches};

/// One of each panel; what a person set in the views is remembered.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Panels {
    #[serde(skip)]
    palette: palette::Palette,
    #[serde(skip)]
    form: form::Form,
    #[serde(skip)]
    problems: problems::Problems,
    #[serde(skip)]
    prototxt: prototxt::Prototxt,
    views: Views,
    pub labs: Labs,
}

impl Panels {
    /// Draws a panel; the graph editor is not among them.
    pub fn ui(&mut self, ui: &mut Ui, kind: ViewKind, ctx: &Ctx<'_>, actions: &mut Vec<Action>) {
        let view: &mut dyn View = match kind {
            ViewKind::Palette => &mut self.palette,
            ViewKind::Form => &mut self.form,
            ViewKind::Problems => &mut self.problems,
            ViewKind::Prototxt => &mut self.prototxt,
            ViewKind::Labs => &mut self.labs,
            kind => match self.views.get_mut(kind) {
                Some(view) => view,
                None => return,
            },
        };
        let frame = egui::Frame::new().inner_margin(egui::Margin::symmetric(10, 8));
        frame.show(ui, |ui| view.ui(ui, ctx, actions));
    }

    /// The training bar, and what is to be said about the run. `outdated`: the graph has changed
    /// since the session started; `pending`: it waits for its data.
    pub fn training_ui(
        &mut self,
        ui: &mut Ui,
        ctx: &Ctx<'_>,
        outdated: bool,
        pending: bool,
        actions: &mut Vec<Action>,
    ) {
        self.views.training_bar.ui(ui, ctx, actions);
        if pending {
            ui.horizontal(|ui| {
                ui.spinner();
                ui.label(tr("waiting for the data…", "正在等待数据…"));
            });
        }
        if outdated {
            ui.horizontal(|ui| outdated_ui(ui, actions));
        }
    }

    /// What is different from another project.
    pub fn comparison_ui(
        &mut self,
        ui: &mut Ui,
        comparison: Option<&Comparison>,
        ctx: &Ctx<'_>,
        now: &Situation,
        actions: &mut Vec<Action>,
    ) {
        let frame = egui::Frame::new().inner_margin(egui::Margin::symmetric(10, 8));
        frame.show(ui, |ui| {
            comparison::comparison_ui(ui, comparison, ctx, now, actions)
        });
    }

    /// Puts the text cursor into the palette's search box.
    pub fn focus_palette(&mut self) {
        self.palette.focus();
    }
}

fn outdated_ui(ui: &mut Ui, actions: &mut Vec<Action>) {
    let color = ui.visuals().warn_fg_color;
    let text = tr(
        "The graph has changed since the training began.",
        "训练开始后网络已被修改。",
    );
    ui.label(RichText::new(text).color(color)).on_hover_text(tr(
        "The run goes on with the graph that it started with; start anew to train this one.",
        "当前训练仍使用开始时的网络；重新开始才会训练现在的网络。",
    ));
    if ui.button(tr("Start anew", "重新开始")).clicked() {
        actions.push(Action::Run(CommandId::Restart));
    }
}
