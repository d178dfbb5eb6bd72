//! The line at the window's lower edge: sizes of the network, the data, problems, frame times.

use egui::{RichText, Ui};

use super::ViewKind;
use super::commands::CommandId;
use super::context::{Action, Ctx};
use super::format;
use super::frame_times::FrameTimes;
use super::weights::Begin;
use crate::i18n::{tr, tr_format};

pub fn status_ui(
    ui: &mut Ui,
    ctx: &Ctx<'_>,
    (opening, begin): (bool, Option<&Begin>),
    times: Option<&FrameTimes>,
    actions: &mut Vec<Action>,
) {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 14.0;
        let small = |text: String| RichText::new(text).small();
        let totals = &ctx.inference.totals;
        let (nodes, params) = (
            ctx.project.graph.nodes().len(),
            format::count(totals.params),
        );
        ui.label(small(tr_format!("{nodes} nodes", "{nodes} 个节点")));
        ui.label(small(tr_format!("{params} parameters", "{params} 参数")))
            .on_hover_text(format::exact(totals.params));
        let macs = format::count(totals.macs);
        let about = tr(
            "Multiply-adds per example, forward",
            "每个样本前向的乘加次数",
        );
        ui.label(small(tr_format!("{macs} multiply-adds", "{macs} 次乘加")))
            .on_hover_text(about);
        let memory = format::bytes(totals.activations.saturating_mul(4));
        let about = tr(
            "All outputs of one example in 32-bit numbers",
            "单个样本所有输出（32 位浮点）",
        );
        ui.label(small(tr_format!("{memory} activations", "激活值 {memory}")))
            .on_hover_text(about);
        data_ui(ui, ctx, opening);
        begin_ui(ui, begin, actions);
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            problems_ui(ui, ctx, actions);
            if let Some(times) = times {
                let (median, last) = (times.quantile(0.5), times.quantile(0.99));
                let text = tr_format!(
                    "frame logic: median {median:.2} ms, 99 % {last:.2} ms",
                    "帧逻辑：中位 {median:.2} ms，99 % {last:.2} ms"
                );
                ui.label(small(text).monospace());
            }
        });
    });
}

fn data_ui(ui: &mut Ui, ctx: &Ctx<'_>, opening: bool) {
    let source = &ctx.project.data.source;
    let text = match ctx.data {
        _ if opening => RichText::new(tr_format!("opening {source}…", "正在打开 {source}…"))
            .small()
            .weak(),
        Some(Ok(feed)) => {
            let summary = feed.summary();
            let (train, answer) = (summary.train, summary.answer_text());
            RichText::new(tr_format!(
                "{source}: {train} to train on, {answer}",
                "{source}：训练样本 {train} 个，{answer}"
            ))
            .small()
        }
        Some(Err(_)) => RichText::new(tr_format!("⚠ {source}", "⚠ {source}"))
            .small()
            .color(ui.visuals().error_fg_color),
        None => RichText::new(String::new()),
    };
    let label = ui.label(text);
    if let Some(Err(message)) = ctx.data {
        label.on_hover_text(message);
    }
}

/// Which weights a run begins with, unless they are fresh.
fn begin_ui(ui: &mut Ui, begin: Option<&Begin>, actions: &mut Vec<Action>) {
    let Some(begin) = begin else { return };
    let name = begin.name();
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        let text = tr_format!("begins with {name}", "初始权重：{name}");
        ui.label(RichText::new(text).small()).on_hover_text(tr(
            "Every new run begins with what fits of this file",
            "每次重新训练都以该文件中相符的部分作为初值",
        ));
        let button = egui::Button::new(RichText::new("✖").small()).frame(false);
        let about = tr("Begin with fresh weights again", "恢复为随机初始权重");
        if ui.add(button).on_hover_text(about).clicked() {
            actions.push(Action::Run(CommandId::FreshWeights));
        }
    });
}

fn problems_ui(ui: &mut Ui, ctx: &Ctx<'_>, actions: &mut Vec<Action>) {
    use crate::graph::Severity;
    let count = |severity| {
        ctx.inference
            .diagnostics
            .iter()
            .filter(|d| d.severity() == severity)
            .count()
    };
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let visuals = ui.visuals();
    let (text, color) = match (errors, warnings) {
        (0, 0) => (
            tr("no problems", "没有问题").to_owned(),
            visuals.weak_text_color(),
        ),
        (0, n) => (
            tr_format!("⚠ {n} warnings", "⚠ {n} 个警告"),
            visuals.warn_fg_color,
        ),
        (n, _) => (
            tr_format!("⚠ {n} errors", "⚠ {n} 个错误"),
            visuals.error_fg_color,
        ),
    };
    let button = egui::Button::new(RichText::new(text).small().color(color)).frame(false);
    if ui.add(button).clicked() {
        actions.push(Action::Open(ViewKind::Problems));
    }
}
