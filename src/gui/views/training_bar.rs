//! The bar of the training run: its buttons, how far it is, how fast, how well, and the
//! learning rate, which can be changed in flight.

mod buttons;

use egui::{Align, Color32, DragValue, Label, Layout, ProgressBar, Response, RichText, Sense, Ui};
use serde::{Deserialize, Serialize};

use crate::data::SplitName;
use crate::graph::{MetricKind, Phase};
use crate::gui::ViewKind;
use crate::gui::commands::CommandId;
use crate::gui::context::{Action, Ctx, View};
use crate::gui::format::exact;
use crate::gui::plots::{duration, labelled, number, percent, short};
use crate::gui::run::Status;
use crate::i18n::{Text, tr, tr_format};
use crate::train::{Command, Ending};
use buttons::buttons_ui;

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TrainingBar {
    /// The rate while it is being dragged.
    #[serde(skip)]
    rate: Option<f64>,
}

impl View for TrainingBar {
    fn ui(&mut self, ui: &mut Ui, ctx: &Ctx<'_>, actions: &mut Vec<Action>) {
        ui.horizontal(|ui| {
            buttons_ui(ui, ctx, actions);
            ui.separator();
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                self.facts_ui(ui, ctx, actions);
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                    state_ui(ui, ctx, actions);
                });
            });
        });
    }
}

impl TrainingBar {
    /// From right to left; what does not fit is left out, the least important first.
    fn facts_ui(&mut self, ui: &mut Ui, ctx: &Ctx<'_>, actions: &mut Vec<Action>) {
        let room = ui.available_width();
        if room > 640.0 {
            device_ui(ui, ctx);
        }
        self.rate_ui(ui, ctx, actions);
        if room > 380.0 {
            results_ui(ui, ctx);
        }
        let pace = ctx
            .run
            .images_per_second()
            .filter(|_| ctx.run.is_live() && room > 520.0);
        if let Some(pace) = pace {
            let pace = number(pace);
            ui.label(RichText::new(tr_format!("{pace} images/s", "{pace} 张/秒")).weak());
            ui.separator();
        }
    }

    /// Before and after a run the field is the project's; during one it is the session's.
    fn rate_ui(&mut self, ui: &mut Ui, ctx: &Ctx<'_>, actions: &mut Vec<Action>) {
        let stage = ctx.run.latest().map_or(0, |latest| latest.stage);
        let live = ctx.run.is_live();
        let stage = ctx.project.stages.get(if live { stage } else { 0 });
        let Some(planned) = stage.map(|stage| stage.solver.base_lr) else {
            return;
        };
        let changed = ctx
            .run
            .rate_changes()
            .last()
            .map(|(_, rate)| *rate)
            .filter(|_| live);
        let base = changed.unwrap_or(planned);
        let mut value = self.rate.unwrap_or(base);
        let speed = value.abs().max(1e-6) * 0.01;
        let field = DragValue::new(&mut value)
            .range(0.0..=f64::MAX)
            .speed(speed)
            .update_while_editing(false)
            .custom_formatter(|value, _| short(value))
            .custom_parser(|text| text.trim().replace('−', "-").parse().ok());
        let about = if live {
            tr(
                "Base learning rate of the running training: drag, or click and type; it acts from the next iteration on",
                "当前训练的基础学习率：拖动，或点击后输入；从下一次迭代起生效",
            )
        } else {
            tr(
                "Base learning rate of the project's first stage: drag, or click and type",
                "项目第一阶段的基础学习率：拖动，或点击后输入",
            )
        };
        let response = ui.add(field).on_hover_text(about);
        let label = ui.label(RichText::new(tr("learning rate", "学习率")).weak());
        let response = response.labelled_by(label.id);
        ui.separator();
        if response.changed() {
            self.rate = Some(value);
        }
        let done = !response.dragged() && !response.has_focus();
        let Some(value) = self.rate.take_if(|_| done) else {
            return;
        };
        if value != base && value.is_finite() {
            actions.push(set_rate(value, live));
        }
    }
}

fn set_rate(value: f64, live: bool) -> Action {
    if live {
        return Action::Train(Command::SetBaseRate(value));
    }
    Action::Edit {
        name: Text::new("Change the learning rate", "修改学习率"),
        merge: None,
        edit: Box::new(move |project| {
            if let Some(stage) = project.stages.first_mut() {
                stage.solver.base_lr = value;
            }
        }),
    }
}

/// Why training cannot start, and the view where that can be mended.
fn obstacle(ctx: &Ctx<'_>) -> Option<(String, ViewKind)> {
    match ctx.data {
        None => {
            return Some((
                tr("Opening the data…", "正在打开数据…").to_owned(),
                ViewKind::Data,
            ));
        }
        Some(Err(message)) => return Some((message.to_owned(), ViewKind::Data)),
        Some(Ok(_)) => {}
    }
    if ctx.inference.has_errors() {
        let text = tr(
            "The network has errors: see Problems",
            "网络有错误：请查看“问题”面板",
        );
        return Some((text.to_owned(), ViewKind::Problems));
    }
    let problem = ctx.project.stages.iter().find_map(|stage| stage.problem());
    problem.map(|problem| (problem, ViewKind::Form))
}

fn state_ui(ui: &mut Ui, ctx: &Ctx<'_>, actions: &mut Vec<Action>) {
    let run = ctx.run;
    match run.status() {
        Status::Idle => idle_ui(ui, ctx, actions),
        Status::Starting => {
            ui.spinner();
            ui.label(tr(
                "Preparing the network and the data…",
                "正在准备网络和数据…",
            ));
        }
        Status::Running | Status::Paused => match run.compiling() {
            Some(reason) => {
                ui.spinner();
                ui.add(Label::new(reason).truncate());
            }
            None => progress_ui(ui, ctx),
        },
        Status::Ended(Ending::Failed { node, message, .. }) => {
            failure_ui(ui, ctx, node.as_deref(), message, actions);
        }
        Status::Ended(Ending::Finished { iteration }) => {
            let done = exact(*iteration);
            let text = tr_format!(
                "Finished after {done} iterations",
                "训练完成，共 {done} 次迭代"
            );
            ui.add(Label::new(text).truncate());
        }
        Status::Ended(Ending::Stopped { iteration }) => {
            let done = exact(*iteration);
            let text = tr_format!(
                "Stopped after {done} iterations",
                "已停止，共 {done} 次迭代"
            );
            ui.add(Label::new(text).truncate());
        }
    }
}

fn idle_ui(ui: &mut Ui, ctx: &Ctx<'_>, actions: &mut Vec<Action>) {
    match obstacle(ctx) {
        Some((reason, view)) => {
            let color = if ctx.data.is_none() {
                ui.visuals().weak_text_color()
            } else {
                ui.visuals().warn_fg_color
            };
            if link_ui(ui, &reason, color).clicked() {
                actions.push(Action::Open(view));
            }
        }
        None => {
            let call = tr("Press Space to train", "按空格键开始训练");
            let color = ui.visuals().hyperlink_color;
            if link_ui(ui, call, color).clicked() {
                actions.push(Action::Run(CommandId::TrainOrPause));
            }
        }
    }
}

/// Why the run failed; a click leads to the node that is to blame.
fn failure_ui(
    ui: &mut Ui,
    ctx: &Ctx<'_>,
    node: Option<&str>,
    message: &str,
    actions: &mut Vec<Action>,
) {
    let text = labelled(tr("Failed", "失败"), message);
    let response = link_ui(ui, &text, ui.visuals().error_fg_color);
    let named = |name| {
        let graph = &ctx.project.graph;
        Phase::BOTH
            .iter()
            .find_map(|phase| graph.named(name, *phase))
    };
    if let Some(node) = node.and_then(named)
        && response.clicked()
    {
        actions.push(Action::Reveal(node.id));
    }
}

/// One line that is cut to the room there is; whole on hover; can be clicked.
fn link_ui(ui: &mut Ui, text: &str, color: Color32) -> Response {
    let label = Label::new(RichText::new(text).color(color))
        .truncate()
        .sense(Sense::click());
    ui.add(label)
        .on_hover_text(text)
        .on_hover_cursor(egui::CursorIcon::PointingHand)
}

fn progress_ui(ui: &mut Ui, ctx: &Ctx<'_>) {
    let run = ctx.run;
    let share = run.iteration() as f32 / run.total().max(1) as f32;
    let (done, total) = (exact(run.iteration()), exact(run.total()));
    let paused = *run.status() == Status::Paused;
    let rest = match run.seconds_left().filter(|_| !paused) {
        Some(seconds) => {
            let left = duration(seconds);
            tr_format!("{left} left", "剩余 {left}")
        }
        None if paused => tr("paused", "已暂停").to_owned(),
        None => String::new(),
    };
    let width = ui.available_width().max(60.0);
    let text = match rest.is_empty() || width < 210.0 {
        true => format!("{done} / {total}"),
        false => format!("{done} / {total} · {rest}"),
    };
    let visuals = ui.visuals();
    let fill = match paused {
        true => visuals.widgets.active.bg_fill,
        false => visuals.selection.bg_fill,
    };
    let bar = ProgressBar::new(share).text(text).fill(fill);
    let response = ui.add(bar.corner_radius(4.0).desired_width(width));
    let stage = run.latest().map_or(0, |latest| latest.stage);
    if let Some(stage) = ctx.project.stages.get(stage) {
        let stage = labelled(tr("stage", "阶段"), &stage.name);
        response.on_hover_text(format!("{stage}\n{done} / {total}\n{rest}"));
    }
}

/// The newest training loss, and the metrics on the validation set.
fn results_ui(ui: &mut Ui, ctx: &Ctx<'_>) {
    let run = ctx.run;
    let mut any = false;
    if let Some(evaluation) = run.evaluation(SplitName::Validation) {
        let at = exact(evaluation.iteration);
        let hover = tr_format!(
            "on the validation set, after iteration {at}",
            "第 {at} 次迭代后在验证集上"
        );
        for (name, value) in evaluation.metrics.iter().rev().take(2) {
            let (value, hover) = match ctx.project.graph.metric_kind(name) {
                MetricKind::Share => (percent(*value), hover.clone()),
                MetricKind::Error => {
                    let less = tr("less is better", "越小越好");
                    (number(*value), format!("{hover}\n{less}"))
                }
            };
            ui.label(RichText::new(value).strong())
                .on_hover_text(&hover);
            ui.label(RichText::new(name).weak()).on_hover_text(&hover);
            any = true;
        }
    }
    if let Some(latest) = run.latest() {
        let hover = tr(
            "training loss of the last iteration's batch",
            "最近一次迭代的批次上的训练损失",
        );
        ui.label(RichText::new(number(latest.loss)).strong())
            .on_hover_text(hover);
        ui.label(RichText::new(tr("loss", "损失")).weak())
            .on_hover_text(hover);
        any = true;
    }
    if any {
        ui.separator();
    }
}

fn device_ui(ui: &mut Ui, ctx: &Ctx<'_>) {
    let run = ctx.run;
    if run.device().is_empty() {
        return;
    }
    let color = match run.notice() {
        Some(_) => ui.visuals().warn_fg_color,
        None => ui.visuals().weak_text_color(),
    };
    let label = ui.label(RichText::new(run.device()).color(color));
    if let Some(notice) = run.notice() {
        label.on_hover_text(notice);
    }
    ui.separator();
}
