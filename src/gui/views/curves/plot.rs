//! One plot of curves over the iterations.

use egui::{Color32, Id, Stroke, TextStyle, Ui, Vec2, vec2};
use egui_plot::{
    Corner, HoverPosition, Legend, Line, LineStyle, Plot, PlotPoint, PlotUi, Points, Text, VLine,
};

use crate::gui::format::exact;
use crate::gui::plots::{color, labelled, log_grid, number, percent, round_grid, short};
use crate::gui::run::{Curve, Run};
use crate::i18n::tr_format;

/// The most points of one line; a screen is hardly wider.
const POINTS: usize = 2000;
/// More marks of a changed rate than this have no room for their numbers.
const NUMBERED_MARKS: usize = 12;

/// How a curve is drawn.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Look {
    Faint,
    Line,
    /// A line with its points, for the few numbers of evaluations.
    Dots,
}

/// What the numbers of a plot are.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Kind {
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

pub(super) struct Series<'a> {
    pub name: String,
    pub curve: &'a Curve,
    /// In the palette.
    pub color: usize,
    pub look: Look,
}

pub(super) struct SubPlot<'a> {
    pub id: &'static str,
    pub series: Vec<Series<'a>>,
    pub kind: Kind,
    pub log: bool,
}

impl SubPlot<'_> {
    pub fn ui(&self, ui: &mut Ui, run: &Run, size: Vec2, reset: bool) {
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
        // The room above a share near 100 % has no numbers.
        Kind::Fraction if value > 1.0 && value < 1.5 => String::new(),
        // What rounding leaves of 0 on a grid.
        _ if value.abs() < 1e-12 => "0".to_owned(),
        _ => short(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axis_texts_are_short() {
        assert_eq!(
            [0.0, 250.0, 9500.0, 25_000.0, 1.5e6].map(axis_count),
            ["0", "250", "9500", "25k", "1.5M"]
        );
        assert_eq!(axis_count(0.5), "");
        assert_eq!(axis_number(Kind::Fraction, 0.985), "98.5%");
        assert_eq!(axis_number(Kind::Number, 1e-17), "0");
        assert_eq!(axis_number(Kind::Fraction, 1.05), "");
        assert_eq!(axis_number(Kind::Fraction, 3.2), "3.2");
    }
}
