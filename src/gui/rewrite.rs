//! A change of the graph that is shown with its costs before it is made.

use std::collections::BTreeSet;

use egui::{Context, RichText, Ui};

use super::commands::CommandId;
use super::context::Action;
use super::{format, theme};
use crate::graph::{Facts, Graph, Inference, NodeId, infer};
use crate::i18n::{Text, tr};
use crate::layers::rewrite::{Cost, RewriteError, full_to_conv, stack_of_3x3};

/// What would be changed, and what that costs or saves.
pub struct Proposal {
    name: Text,
    about: Text,
    graph: Graph,
    /// Of a part and of the whole, with what they are called.
    costs: Vec<(String, Cost)>,
    /// Whether trained weights still fit.
    pub keeps_weights: bool,
}

impl Proposal {
    /// What a command would do with this selection; the error says why it does nothing.
    pub fn of(
        command: CommandId,
        graph: &Graph,
        inference: &Inference,
        facts: &Facts,
        selection: &BTreeSet<NodeId>,
    ) -> Result<Self, RewriteError> {
        let (name, about, new) = match command {
            CommandId::StackOf3x3 => (
                Text::new("Stack of 3 × 3", "3 × 3 堆叠"),
                Text::new(
                    "The same receptive field by several 3 × 3 convolutions with ReLU between them (Simonyan and Zisserman 2014). The new filters begin untrained.",
                    "以多个 3 × 3 卷积（之间加 ReLU）得到同样的感受野（Simonyan 与 Zisserman，2014）。新的卷积核未经训练。",
                ),
                stack_of_3x3(graph, selection.first().copied().unwrap_or_default())?,
            ),
            _ => (
                Text::new("Full connections to convolutions", "全连接转换为卷积"),
                Text::new(
                    "Each full connection becomes a convolution as large as what it reads (Long, Shelhamer and Darrell 2015). At the same image size the answers stay the same, and larger images are accepted. Trained weights still fit.",
                    "每个全连接变为与其输入同样大的卷积（Long、Shelhamer 与 Darrell，2015）。图像大小不变时结果相同，也能接受更大的图像；训练好的权重仍然适用。",
                ),
                full_to_conv(graph, inference)?,
            ),
        };
        let after = infer(&new, facts);
        let (old, next) = ((graph, inference), (&new, &after));
        let mut costs = Vec::new();
        if command == CommandId::StackOf3x3 {
            let chosen = selection.first().and_then(|id| graph.node(*id));
            costs.extend(chosen.map(|node| (node.name.clone(), Cost::at(old, next, &node.name))));
        }
        let whole = tr("the network", "整个网络").to_owned();
        costs.push((whole, Cost::whole(old, next)));
        Ok(Self {
            name,
            about,
            graph: new,
            costs,
            keeps_weights: command == CommandId::FullToConv,
        })
    }

    /// Asks; `Some(None)` leaves everything as it is.
    pub fn ui(&self, ctx: &Context) -> Option<Option<Action>> {
        let mut answer = None;
        let modal = egui::Modal::new("rewrite".into())
            .frame(theme::modal_frame(&ctx.global_style()))
            .show(ctx, |ui| {
                ui.set_width(520.0);
                ui.heading(self.name.get());
                ui.add_space(4.0);
                ui.label(self.about.get());
                ui.add_space(8.0);
                self.costs_ui(ui);
                ui.add_space(10.0);
                ui.horizontal(|ui| {
                    let text = RichText::new(tr("Change the graph", "更改网络")).strong();
                    let apply = ui.button(text);
                    if ui.memory(|memory| memory.focused().is_none()) {
                        apply.request_focus();
                    }
                    if apply.clicked() {
                        let graph = self.graph.clone();
                        let edit = Action::edit(self.name, move |project| project.graph = graph);
                        answer = Some(Some(edit));
                    }
                    if ui.button(tr("Cancel", "取消")).clicked() {
                        answer = Some(None);
                    }
                });
            });
        if modal.should_close() && answer.is_none() {
            answer = Some(None);
        }
        answer
    }

    fn costs_ui(&self, ui: &mut Ui) {
        egui::Grid::new("costs")
            .num_columns(4)
            .spacing([18.0, 4.0])
            .striped(true)
            .show(ui, |ui| {
                for heading in ["", tr("before", "之前"), tr("after", "之后"), ""] {
                    ui.weak(heading);
                }
                ui.end_row();
                for (what, cost) in &self.costs {
                    let rows = [
                        (tr("parameters", "参数"), cost.params),
                        (tr("multiply-adds", "乘加次数"), cost.macs),
                    ];
                    for (quantity, [before, after]) in rows {
                        ui.label(format!("{what}: {quantity}"));
                        ui.label(format::exact(before));
                        ui.label(format::exact(after));
                        ui.label(change(before, after));
                        ui.end_row();
                    }
                    if let Some([before, after]) = cost.receptive_field {
                        let field = tr("receptive field", "感受野");
                        ui.label(format!("{what}: {field}"));
                        for [height, width] in [before, after] {
                            ui.label(format!("{height} × {width}"));
                        }
                        ui.end_row();
                    }
                }
            });
    }
}

/// In percent of what it was.
fn change(before: u64, after: u64) -> String {
    if before == after || before == 0 {
        return "=".to_owned();
    }
    let percent = (after as f64 / before as f64 - 1.0) * 100.0;
    let sign = if percent < 0.0 { "−" } else { "+" };
    format!("{sign}{:.1} %", percent.abs())
}
