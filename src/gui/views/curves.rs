//! Loss, metrics and learning rate over the iterations.
//!
//! The plots share their horizontal axis. Each curve is asked for the points that its width can
//! show, so a frame costs the same after a million iterations as after a thousand.

mod plot;
mod smoothed;

use egui::{Slider, Ui, vec2};
use serde::{Deserialize, Serialize};

use crate::data::SplitName;
use crate::graph::MetricKind;
use crate::gui::context::{Action, Ctx, View};
use crate::gui::plots::{empty_ui, train_hint};
use crate::i18n::{tr, tr_format};
use plot::{Kind, Look, Series, SubPlot};
use smoothed::Smoothed;

#[derive(Serialize, Deserialize)]
#[serde(default)]
pub struct CurvesView {
    /// How much of the last smoothed value goes into the next one, 0 to 0.999.
    smoothing: f64,
    log: bool,
    #[serde(skip)]
    smoothed: Smoothed,
}

impl Default for CurvesView {
    fn default() -> Self {
        Self {
            smoothing: 0.9,
            log: false,
            smoothed: Smoothed::default(),
        }
    }
}

impl View for CurvesView {
    fn ui(&mut self, ui: &mut Ui, ctx: &Ctx<'_>, _: &mut Vec<Action>) {
        let run = ctx.run;
        if run.loss().is_empty() && run.measures().is_empty() {
            let title = tr("No curves yet", "暂无曲线");
            empty_ui(ui, title, train_hint());
            return;
        }
        self.smoothed.follow(run.loss(), self.smoothing);
        let reset = self.settings_ui(ui);
        let plots = self.plots(ctx);
        let (room, gap) = (ui.available_size(), ui.spacing().item_spacing);
        let number = plots.len() as f32;
        // Side by side where the panel is flat, else one below the other.
        let beside = room.x > 1.7 * room.y;
        let size = match beside {
            true => vec2((room.x - gap.x * (number - 1.0)) / number, room.y),
            false => vec2(room.x, (room.y - gap.y * (number - 1.0)) / number),
        };
        let size = size.max(vec2(80.0, 60.0));
        let draw = |ui: &mut Ui| plots.iter().for_each(|plot| plot.ui(ui, run, size, reset));
        if beside {
            ui.horizontal(draw)
        } else {
            ui.vertical(draw)
        };
    }
}

impl CurvesView {
    /// Whether everything is to be shown again.
    fn settings_ui(&mut self, ui: &mut Ui) -> bool {
        ui.horizontal(|ui| {
            let about = tr(
                "Exponential moving average of the training loss; 0 shows it as it is",
                "训练损失的指数滑动平均；0 表示不平滑",
            );
            ui.spacing_mut().slider_width = 90.0;
            let slider = Slider::new(&mut self.smoothing, 0.0..=0.999)
                .text(tr("smoothing", "平滑"))
                .fixed_decimals(3);
            ui.add(slider).on_hover_text(about);
            ui.checkbox(&mut self.log, tr("log axis", "对数坐标"));
            let about = tr(
                "Show everything again; a double click on a plot does the same",
                "重新显示全部；双击图形也可以",
            );
            ui.button(tr("Fit", "显示全部"))
                .on_hover_text(about)
                .clicked()
        })
        .inner
    }

    fn plots<'a>(&'a self, ctx: &Ctx<'a>) -> Vec<SubPlot<'a>> {
        let run = ctx.run;
        let loss = |split| {
            let same = |measure: &&_| split_loss(measure, split);
            run.measures()
                .iter()
                .find(same)
                .map(|measure| &measure.curve)
        };
        let mut losses = Vec::new();
        let smooth = self.smoothing > 0.0;
        losses.push(Series {
            name: tr("training loss", "训练损失").to_owned(),
            curve: run.loss(),
            color: 0,
            look: if smooth { Look::Faint } else { Look::Line },
        });
        if smooth {
            let name = tr("training loss, smoothed", "训练损失（平滑）").to_owned();
            losses.push(Series {
                name,
                curve: &self.smoothed.curve,
                color: 0,
                look: Look::Line,
            });
        }
        for split in SplitName::ALL {
            if let Some(curve) = loss(split) {
                let name = split.name();
                let name = tr_format!("loss, {name}", "损失，{name}");
                losses.push(Series {
                    name,
                    curve,
                    color: split_color(split),
                    look: Look::Dots,
                });
            }
        }
        let mut plots = vec![SubPlot {
            id: "loss",
            series: losses,
            kind: Kind::Number,
            log: self.log,
        }];
        // Shares and errors have no scale in common.
        for (id, of, kind) in [
            ("metrics", MetricKind::Share, Kind::Fraction),
            ("errors", MetricKind::Error, Kind::Number),
        ] {
            let series = metrics(ctx, of);
            if !series.is_empty() {
                let log = self.log && of == MetricKind::Error;
                plots.push(SubPlot {
                    id,
                    series,
                    kind,
                    log,
                });
            }
        }
        let rate = Series {
            name: tr("learning rate", "学习率").to_owned(),
            curve: run.rate(),
            color: 4,
            look: Look::Line,
        };
        plots.push(SubPlot {
            id: "rate",
            series: vec![rate],
            kind: Kind::Rate,
            log: self.log,
        });
        plots
    }
}

fn split_loss(measure: &crate::gui::run::Measure, split: SplitName) -> bool {
    measure.split == split && measure.metric.is_none()
}

fn split_color(split: SplitName) -> usize {
    match split {
        SplitName::Train => 5,
        SplitName::Validation => 1,
        SplitName::Test => 2,
    }
}

/// The metrics of a kind, by node and split.
fn metrics<'a>(ctx: &Ctx<'a>, kind: MetricKind) -> Vec<Series<'a>> {
    let mut names: Vec<&str> = Vec::new();
    let mut series = Vec::new();
    for measure in ctx.run.measures() {
        let Some(metric) = measure.metric.as_deref() else {
            continue;
        };
        if ctx.project.graph.metric_kind(metric) != kind {
            continue;
        }
        let place = names
            .iter()
            .position(|name| *name == metric)
            .unwrap_or_else(|| {
                names.push(metric);
                names.len() - 1
            });
        let split = measure.split.name();
        let name = tr_format!("{metric}, {split}", "{metric}，{split}");
        series.push(Series {
            name,
            curve: &measure.curve,
            color: split_color(measure.split) + 2 * place,
            look: Look::Dots,
        });
    }
    series
}
