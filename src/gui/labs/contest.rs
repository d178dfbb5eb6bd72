//! Runs side by side, for every bench that has some: start and pause, curves, results, export.

use std::path::PathBuf;
use std::time::Duration;

use egui::{RichText, ScrollArea, TextEdit, Ui, Vec2, vec2};

use super::chart::{Chart, Curve};
use crate::gui::context::Action;
use crate::gui::plots::{color, number, percent};
use crate::gui::toasts::Tone;
use crate::i18n::{tr, tr_format};
use crate::labs::contest::{Contest, Run, State, csv};
use crate::project::write_atomically;
use crate::train::Priority;

/// Events are taken no longer than this in a frame.
const DRAIN: Duration = Duration::from_millis(4);

/// A contest as it is shown.
#[derive(Default)]
pub struct ContestView {
    pub contest: Option<Contest>,
    path: String,
}

impl ContestView {
    /// What a window asks of a contest: few processors, and a new frame when there is news.
    pub fn priority() -> Priority {
        Priority::Low
    }

    /// Wakes the window.
    pub fn wake(ui: &Ui) -> impl Fn() + Send + Sync + 'static {
        let context = ui.ctx().clone();
        move || context.request_repaint()
    }

    pub fn poll(&mut self) {
        if let Some(contest) = &mut self.contest {
            contest.poll(DRAIN);
        }
    }

    /// Start, pause, reset; whether a person wants it to start. Space starts and pauses.
    pub fn buttons_ui(&mut self, ui: &mut Ui, keys: bool) -> bool {
        let space = keys
            && ui.input_mut(|input| input.consume_key(egui::Modifiers::NONE, egui::Key::Space));
        let (name, live) = match &self.contest {
            Some(contest) if contest.is_done() => (tr("Start anew", "重新开始"), false),
            Some(contest) if contest.is_paused() => (tr("▶ Go on", "▶ 继续"), true),
            Some(_) => (tr("⏸ Pause", "⏸ 暂停"), true),
            None => (tr("▶ Start", "▶ 开始"), false),
        };
        let button = egui::Button::new(name).min_size(vec2(86.0, 0.0));
        let clicked = ui
            .add(button)
            .on_hover_text(tr("Space", "空格键"))
            .clicked()
            || space;
        if ui
            .add_enabled(
                self.contest.is_some(),
                egui::Button::new(tr("Reset", "重置")),
            )
            .clicked()
        {
            self.contest = None;
        }
        match &mut self.contest {
            Some(contest) if live => {
                if clicked {
                    contest.set_paused(!contest.is_paused());
                }
                false
            }
            _ => clicked,
        }
    }

    /// A path to type, and what is written there.
    pub fn export_ui(&mut self, ui: &mut Ui, folder: Option<PathBuf>, actions: &mut Vec<Action>) {
        let Some(contest) = &self.contest else { return };
        let field = TextEdit::singleline(&mut self.path).desired_width(150.0);
        ui.add(field.hint_text(tr("runs.csv", "runs.csv")));
        if !ui.button(tr("Export CSV", "导出 CSV")).clicked() {
            return;
        }
        let name = if self.path.is_empty() {
            "runs.csv"
        } else {
            &self.path
        };
        let path = folder.unwrap_or_default().join(name);
        let path = std::path::absolute(&path).unwrap_or(path);
        let shown = path.display().to_string();
        actions.push(
            match write_atomically(&path, csv(&contest.runs).as_bytes()) {
                Ok(()) => Action::Say(
                    Tone::Info,
                    tr_format!("written: {shown}", "已写入：{shown}"),
                ),
                Err(error) => Action::Say(
                    Tone::Error,
                    tr_format!(
                        "{shown} cannot be written: {error}",
                        "无法写入 {shown}：{error}"
                    ),
                ),
            },
        );
    }

    /// Loss and accuracy over the iterations, side by side.
    pub fn curves_ui(&self, ui: &mut Ui, size: Vec2) {
        let Some(contest) = &self.contest else { return };
        let half = vec2((size.x - 10.0) / 2.0, size.y);
        let curve = |ui: &Ui, (place, run): (usize, &Run), accuracy: bool| {
            let points = match accuracy {
                true => run
                    .evaluations
                    .iter()
                    .map(|[at, _, found]| [*at, 100.0 * found])
                    .collect(),
                false => run.smooth_losses(),
            };
            Curve::new(ui, place, run.entry.name.clone(), points)
        };
        ui.horizontal(|ui| {
            for accuracy in [false, true] {
                let curves = contest
                    .runs
                    .iter()
                    .enumerate()
                    .map(|run| curve(ui, run, accuracy))
                    .collect();
                let chart = Chart {
                    id: if accuracy {
                        "contest accuracy"
                    } else {
                        "contest loss"
                    },
                    size: half,
                    log: !accuracy,
                    legend: false,
                    x: tr("iteration", "迭代"),
                    y: if accuracy {
                        tr("validation accuracy, %", "验证准确率（%）")
                    } else {
                        tr("training loss", "训练损失")
                    },
                    include: &[],
                };
                chart.ui(ui, curves);
            }
        });
    }

    /// A line for each run; `goal` is an accuracy whose first iteration is shown.
    pub fn table_ui(&self, ui: &mut Ui, goal: Option<f64>) {
        let Some(contest) = &self.contest else { return };
        ScrollArea::vertical().id_salt("runs").show(ui, |ui| {
            egui::Grid::new("runs")
                .striped(true)
                .spacing(vec2(18.0, 4.0))
                .show(ui, |ui| {
                    let reached = goal.map(percent);
                    let reached =
                        reached.map(|goal| tr_format!("steps to {goal}", "达到 {goal} 的步数"));
                    let headings = [
                        tr("run", "训练").to_owned(),
                        tr("iteration", "迭代").to_owned(),
                        tr("loss", "损失").to_owned(),
                        tr("validation", "验证").to_owned(),
                        tr("test", "测试").to_owned(),
                        tr("ms a step", "每步毫秒").to_owned(),
                    ];
                    for heading in headings.into_iter().chain(reached) {
                        ui.weak(heading);
                    }
                    ui.end_row();
                    for (place, run) in contest.runs.iter().enumerate() {
                        row_ui(ui, place, run, goal);
                    }
                });
        });
    }
}

fn row_ui(ui: &mut Ui, place: usize, run: &Run, goal: Option<f64>) {
    ui.label(RichText::new(&run.entry.name).color(color(place, ui.visuals())));
    if let State::Failed(message) = &run.state {
        ui.label(RichText::new(tr("failed", "失败")).color(ui.visuals().error_fg_color))
            .on_hover_text(message);
    } else {
        ui.label(run.losses.len().to_string());
    }
    let loss = run
        .smooth_losses()
        .last()
        .map_or(f64::NAN, |point| point[1]);
    let or_dash = |value: f64, write: fn(f64) -> String| {
        if value.is_nan() {
            "–".to_owned()
        } else {
            write(value)
        }
    };
    ui.label(or_dash(loss, number));
    ui.label(or_dash(run.accuracy(), percent));
    ui.label(or_dash(run.test_accuracy.unwrap_or(f64::NAN), percent));
    let each = 1000.0 * run.seconds / run.losses.len().max(1) as f64;
    ui.label(or_dash(
        if run.losses.is_empty() {
            f64::NAN
        } else {
            each
        },
        number,
    ));
    if let Some(goal) = goal {
        ui.label(
            run.reached(goal)
                .map_or("–".to_owned(), |steps| format!("{steps:.0}")),
        );
    }
    ui.end_row();
}
