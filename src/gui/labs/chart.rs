//! Curves of a bench: lines with a legend over linear or logarithmic axes.

use egui::{Color32, Ui, Vec2, vec2};
use egui_plot::{Legend, Line, Plot};

use crate::gui::plots::{color, log_grid, number, round_grid};

pub struct Curve {
    pub name: String,
    pub points: Vec<[f64; 2]>,
    pub color: Color32,
    pub width: f32,
}

impl Curve {
    pub fn new(ui: &Ui, place: usize, name: impl Into<String>, points: Vec<[f64; 2]>) -> Self {
        Self {
            name: name.into(),
            points,
            color: color(place, ui.visuals()),
            width: 1.8,
        }
    }

    /// Values one after the other, as points from 0 on.
    pub fn of(ui: &Ui, place: usize, name: impl Into<String>, values: &[f64]) -> Self {
        let points = values.iter().enumerate();
        let points = points.map(|(x, y)| [x as f64, *y]).collect();
        Self::new(ui, place, name, points)
    }
}

pub struct Chart<'a> {
    pub id: &'a str,
    pub size: Vec2,
    pub log: bool,
    pub x: &'a str,
    pub y: &'a str,
    /// Whether names stand in the plot; not where a table beside it has them.
    pub legend: bool,
    /// Values of y that are always in sight.
    pub include: &'a [f64],
}

impl Chart<'_> {
    pub fn ui(&self, ui: &mut Ui, curves: Vec<Curve>) {
        let log = self.log;
        let value = move |y: f64| if log { 10f64.powf(y) } else { y };
        let grid = ui.visuals().text_color().gamma_multiply(0.22);
        let mut plot = Plot::new((self.id, log))
            .width(self.size.x)
            .height(self.size.y)
            .allow_scroll(false)
            .allow_zoom(false)
            .allow_drag(false)
            .allow_boxed_zoom(false)
            .set_margin_fraction(vec2(0.01, 0.06))
            .y_axis_min_width(40.0)
            .grid_color(grid)
            .x_axis_label(self.x.to_owned())
            .y_axis_label(self.y.to_owned())
            .y_axis_formatter(move |mark, _| short_number(value(mark.value)))
            .x_axis_formatter(|mark, _| short_number(mark.value));
        if self.legend {
            let legend = Legend::default()
                .follow_insertion_order(true)
                .background_alpha(0.6);
            plot = plot.legend(legend);
        }
        plot = match log {
            true => plot.y_grid_spacer(log_grid),
            false => plot.y_grid_spacer(round_grid),
        };
        for y in self.include {
            plot = plot.include_y(if log { y.max(1e-12).log10() } else { *y });
        }
        plot.show(ui, |plot| {
            for curve in curves {
                let mut points = curve.points;
                points.retain(|[_, y]| y.is_finite() && (!log || *y > 0.0));
                if log {
                    points.iter_mut().for_each(|[_, y]| *y = y.log10());
                }
                let name = curve.name.clone();
                let line = Line::new(curve.name, points)
                    .color(curve.color)
                    .width(curve.width);
                plot.line(line.allow_hover(!name.is_empty()));
            }
        });
    }
}

/// A number on an axis.
pub fn short_number(value: f64) -> String {
    if value != 0.0 && !(1e-3..1e5).contains(&value.abs()) {
        return number(value);
    }
    let text = format!("{value:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    text.replace('-', "−")
}
