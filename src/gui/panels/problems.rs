//! The list of what is wrong with the graph; a click leads to the node.

use egui::{RichText, Sense, Ui};

use crate::graph::Severity;
use crate::gui::context::{Action, Ctx, View};
use crate::gui::theme;
use crate::i18n::tr;

#[derive(Default)]
pub struct Problems {}

impl View for Problems {
    fn ui(&mut self, ui: &mut Ui, ctx: &Ctx<'_>, actions: &mut Vec<Action>) {
        let mut diagnostics: Vec<_> = ctx.inference.diagnostics.iter().collect();
        let mut data_error = None;
        if let Some(Err(message)) = ctx.data {
            data_error = Some(message);
        }
        let stages = ctx
            .project
            .stages
            .iter()
            .filter_map(crate::train::Stage::problem);
        let stages: Vec<String> = stages.collect();
        if diagnostics.is_empty() && data_error.is_none() && stages.is_empty() {
            ui.weak(tr(
                "No problems: every node has its inputs, and all shapes fit.",
                "没有问题：所有节点的输入都已连接，形状都匹配。",
            ));
            return;
        }
        diagnostics.sort_by_key(|diagnostic| diagnostic.severity());
        egui::ScrollArea::vertical()
            .auto_shrink(false)
            .show(ui, |ui| {
                for message in data_error
                    .into_iter()
                    .chain(stages.iter().map(String::as_str))
                {
                    line_ui(ui, Severity::Error, tr("project", "项目"), message);
                }
                for diagnostic in diagnostics {
                    let node = diagnostic.node.and_then(|id| ctx.project.graph.node(id));
                    let name = node.map_or(tr("graph", "网络"), |node| node.name.as_str());
                    let clicked = line_ui(ui, diagnostic.severity(), name, diagnostic.message());
                    if let Some(id) = diagnostic.node.filter(|_| clicked) {
                        actions.push(Action::Reveal(id));
                    }
                }
            });
    }
}

/// Whether the line was clicked.
fn line_ui(ui: &mut Ui, severity: Severity, name: &str, message: &str) -> bool {
    let color = theme::severity_color(severity, ui.visuals());
    let mut job = egui::text::LayoutJob::default();
    let text_color = ui.visuals().text_color();
    let format = |color, size| egui::TextFormat {
        color,
        ..egui::TextFormat::simple(egui::FontId::proportional(size), color)
    };
    job.append("⚠ ", 0.0, format(color, 13.0));
    job.append(name, 0.0, format(ui.visuals().strong_text_color(), 13.0));
    job.append(message, 10.0, format(text_color, 13.0));
    job.wrap.max_width = ui.available_width() - 12.0;
    let response = ui.add(egui::Label::new(job).sense(Sense::click()));
    let response = response.on_hover_cursor(egui::CursorIcon::PointingHand);
    if response.hovered() {
        let rect = response.rect.expand2(egui::vec2(4.0, 2.0));
        ui.painter().rect_filled(
            rect,
            3.0,
            ui.visuals().selection.bg_fill.gamma_multiply(0.3),
        );
    }
    response
        .on_hover_text(RichText::new(tr(
            "Click to show the node",
            "点击以显示该节点",
        )))
        .clicked()
}
