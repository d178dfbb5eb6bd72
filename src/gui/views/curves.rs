//! Loss, metrics and learning rate over the iterations.
//!
//! The plots share their horizontal axis. Each curve is asked for the points that its width can
//! show, so a frame costs the same after a million iterations as after a thousand.

use egui::{Color32, Id, Slider, Stroke, TextStyle, Ui, Vec2, vec2};
use egui_plot::{
    Corner, HoverPosition, Legend, Line, LineStyle, Plot, PlotPoint, PlotUi, Points, Text, VLine,
};
use serde::{Deserialize, Serialize};

use crate::data::SplitName;
use crate::graph::MetricKind;
use crate::gui::context::{Action, Ctx, View};
use crate::gui::format::exact;
use crate::gui::plots::{
    color, empty_ui, labelled, log_grid, number, percent, round_grid, short, train_hint,
};
use crate::gui::run::{Curve, Run};
use crate::i18n::{tr, tr_format};

/// The most points of one line; a screen is hardly wider.
const POINTS: usize = 2000;
/// More marks of a changed rate than this have no room for their numbers.
const NUMBERED_MARKS: usize = 12;

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

/// How a curve is drawn.
#[derive(Clone, Copy, PartialEq)]
enum Look {
    Faint,
    Line,
    /// A line with its points, for the few numbers of evaluations.
    Dots,
}

/// What the numbers of a plot are.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Number,
    Fraction,
    Rate,
}

impl Kind {
    fn write(self, value: f64) -> String {
        match self {
            // A metric outside 0 … 1 is not a fraction.
            Self::Fraction if (0.0..=1.0).contains(&value) => percent(value),
            Self::Rate => short(value),
            _ => number(value),
        }
    }
}

struct Series<'a> {
    name: String,
    curve: &'a Curve,
    /// In the palette.
    color: usize,
    look: Look,
}

struct SubPlot<'a> {
    id: &'static str,
    series: Vec<Series<'a>>,
    kind: Kind,
    log: bool,
}

impl SubPlot<'_> {
    fn ui(&self, ui: &mut Ui, run: &Run, size: Vec2, reset: bool) {
        let (kind, log) = (self.kind, self.log);
        let group = Id::new("training curves");
        let value = move |y: f64| if log { 10f64.powf(y) } else { y };
        let end = run.iteration().max(1) as f64;
        let text_style = match size.y < 160.0 {
            true => TextStyle::Small,
            false => TextStyle::Body,
        };
        let text = ui.visuals().text_color();
        let (grid, cursor) = (text.gamma_multiply(0.22), text.gamma_multiply(0.5));
        // A plot keeps its bounds; on the other axis they would mean something else.
        let mut plot = Plot::new((self.id, log))
            .width(size.x)
            .height(size.y)
            .link_axis(group, [true, false])
            .link_cursor(group, [true, false])
            .allow_scroll(false)
            .include_x(0.0)
            .include_x(end)
            .set_margin_fraction(vec2(0.0, 0.06))
            .y_axis_min_width(44.0)
            .grid_color(grid)
            .cursor_color(cursor)
            .x_axis_formatter(|mark, _| axis_count(mark.value))
            .y_axis_formatter(move |mark, _| axis_number(kind, value(mark.value)))
            .label_formatter(|at| Some(self.describe(at)))
            .legend(
                Legend::default()
                    .follow_insertion_order(true)
                    .background_alpha(0.6)
                    .text_style(text_style)
                    .position(self.corner()),
            );
        plot = match log {
            true => plot.y_grid_spacer(log_grid),
            false => plot.y_grid_spacer(round_grid),
        };
        if self.kind == Kind::Rate && !log {
            plot = plot.include_y(0.0);
        }
        if let Some([lo, hi]) = self.room_around_a_level() {
            plot = plot.include_y(lo).include_y(hi);
        }
        if reset {
            plot = plot.reset();
        }
        plot.show(ui, |plot| {
            self.draw_marks(plot, run);
            self.series
                .iter()
                .for_each(|series| self.draw(plot, series));
        });
    }

    /// Where the curves of such a plot are usually not.
    fn corner(&self) -> Corner {
        match self.kind {
            Kind::Fraction => Corner::RightBottom,
            _ => Corner::RightTop,
        }
    }

    /// Bounds for a plot whose values are all the same, which has no height by itself.
    fn room_around_a_level(&self) -> Option<[f64; 2]> {
        let mut level = None;
        for series in &self.series {
            for [_, y] in series.curve.points(f64::NEG_INFINITY..=f64::INFINITY, 16) {
                match level {
                    None => level = Some(y),
                    Some(other) if other == y => {}
                    Some(_) => return None,
                }
            }
        }
        let level = level?;
        if self.log {
            return (level > 0.0).then(|| [level.log10() - 0.5, level.log10() + 0.5]);
        }
        let reach = if level == 0.0 { 1.0 } else { level.abs() * 0.1 };
        Some([level - reach, level + reach])
    }

    fn draw(&self, plot: &mut PlotUi<'_>, series: &Series<'_>) {
        // While everything is shown, the bounds of the last frame are those of yesterday.
        let range = match plot.auto_bounds().x {
            true => f64::NEG_INFINITY..=f64::INFINITY,
            false => plot.plot_bounds().range_x(),
        };
        let mut points = series.curve.points(range, POINTS);
        if self.log {
            points.retain(|[_, y]| *y > 0.0);
            points.iter_mut().for_each(|[_, y]| *y = y.log10());
        }
        let ink = color(series.color, &plot.ctx().global_style().visuals);
        let (ink, width) = match series.look {
            Look::Faint => (ink.gamma_multiply(0.35), 1.0),
            Look::Line => (ink, 1.8),
            Look::Dots => (ink, 1.5),
        };
        if series.look == Look::Dots && points.len() <= 200 {
            let dots = Points::new(series.name.clone(), points.clone())
                .radius(2.5)
                .color(ink)
                .allow_hover(false);
            plot.points(dots);
        }
        plot.line(
            Line::new(series.name.clone(), points)
                .color(ink)
                .width(width)
                .allow_hover(false),
        );
    }

    /// Where the rate was changed by hand.
    fn draw_marks(&self, plot: &mut PlotUi<'_>, run: &Run) {
        let ink: Color32 = color(3, &plot.ctx().global_style().visuals);
        let changes = run.rate_changes();
        for (iteration, rate) in changes {
            let x = *iteration as f64;
            let line = VLine::new("", x)
                .stroke(Stroke::new(1.0, ink))
                .style(LineStyle::dashed_loose())
                .allow_hover(false);
            plot.vline(line);
            let level = run.rate().nearest(x).map(|(_, rate)| rate);
            let level = level.filter(|rate| *rate > 0.0 || !self.log);
            if self.kind == Kind::Rate
                && changes.len() <= NUMBERED_MARKS
                && let Some(level) = level
            {
                // On the curve itself, where it cannot stretch the plot.
                let y = if self.log { level.log10() } else { level };
                let text = egui::RichText::new(format!(" {}", short(*rate))).color(ink);
                let text = Text::new("", PlotPoint::new(x, y), text)
                    .anchor(egui::Align2::LEFT_BOTTOM)
                    .allow_hover(false);
                plot.text(text);
            }
        }
    }

    /// What every curve says at the iteration under the pointer.
    fn describe(&self, at: &HoverPosition<'_>) -> String {
        let (HoverPosition::NearDataPoint { position, .. } | HoverPosition::Elsewhere { position }) =
            at;
        let newest = self
            .series
            .first()
            .and_then(|series| series.curve.nearest(position.x));
        let at = exact(newest.map_or(0, |(x, _)| x));
        let mut text = tr_format!("iteration {at}", "第 {at} 次迭代");
        for series in &self.series {
            let Some((x, y)) = series.curve.nearest(position.x) else {
                continue;
            };
            let value = self.kind.write(y);
            let line = match newest {
                Some((newest, _)) if newest != x => {
                    let x = exact(x);
                    tr_format!("{value} (at {x})", "{value}（第 {x} 次）")
                }
                _ => value,
            };
            text.push('\n');
            text.push_str(&labelled(&series.name, &line));
        }
        text
    }
}

fn axis_count(value: f64) -> String {
    match value {
        value if value < 0.0 || value.fract() != 0.0 => String::new(),
        value if value >= 1e6 => format!("{}M", short(value / 1e6)),
        value if value >= 1e4 => format!("{}k", short(value / 1e3)),
        value => format!("{value:.0}"),
    }
}

fn axis_number(kind: Kind, value: f64) -> String {
    match kind {
        Kind::Fraction if (0.0..=1.0).contains(&value) => format!("{}%", short(value * 100.0)),
        // What rounding leaves of 0 on a grid.
        _ if value.abs() < 1e-12 => "0".to_owned(),
        _ => short(value),
    }
}

/// An exponential moving average that goes on where it stopped, without the pull towards 0 at
/// the beginning (Kingma and Ba 2015, section 3: divided by 1 − βᵗ).
#[derive(Default)]
struct Smoothed {
    beta: f64,
    version: u64,
    done: usize,
    sum: f64,
    weight: f64,
    curve: Curve,
}

impl Smoothed {
    fn follow(&mut self, source: &Curve, beta: f64) {
        let beta = beta.clamp(0.0, 0.999);
        if beta != self.beta || source.version() != self.version || self.done > source.len() {
            *self = Self {
                beta,
                version: source.version(),
                ..Self::default()
            };
        }
        while let Some((x, y)) = source.get(self.done) {
            self.done += 1;
            if y.is_finite() {
                self.sum = beta * self.sum + (1.0 - beta) * y;
                self.weight = beta * self.weight + (1.0 - beta);
                self.curve.push(x, self.sum / self.weight);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smoothing_by_hand_and_in_pieces() {
        let mut source = Curve::default();
        let mut smoothed = Smoothed::default();
        source.push(1, 2.0);
        smoothed.follow(&source, 0.5);
        source.push(2, f64::NAN);
        source.push(3, 5.0);
        smoothed.follow(&source, 0.5);
        // (0.5 · (0.5 · 2) + 0.5 · 5) / 0.75
        assert_eq!(
            smoothed.curve.points(0.0..=9.0, 10),
            [[1.0, 2.0], [3.0, 4.0]]
        );
        smoothed.follow(&source, 0.0);
        assert_eq!(smoothed.curve.last(), Some((3, 5.0)));
        source.cut(3);
        smoothed.follow(&source, 0.0);
        assert_eq!(
            smoothed.curve.last(),
            Some((1, 2.0)),
            "the source lost a point"
        );
        let mut other = Curve::default();
        (1..9).for_each(|x| other.push(x, 7.0));
        smoothed.follow(&other, 0.0);
        assert_eq!(smoothed.curve.len(), 8);
        assert_eq!(smoothed.curve.get(0), Some((1, 7.0)), "another run");
    }

    #[test]
    fn axis_texts_are_short() {
        assert_eq!(
            [0.0, 250.0, 9500.0, 25_000.0, 1.5e6].map(axis_count),
            ["0", "250", "9500", "25k", "1.5M"]
        );
        assert_eq!(axis_count(0.5), "");
        assert_eq!(axis_number(Kind::Fraction, 0.985), "98.5%");
        assert_eq!(axis_number(Kind::Number, 1e-17), "0");
        assert_eq!(axis_number(Kind::Fraction, 3.2), "3.2");
    }
}
