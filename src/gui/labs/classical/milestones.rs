//! Published numbers by year, with their sources, and the timeline.

use egui::{Align2, RichText, ScrollArea, Stroke, Ui, vec2};

use crate::gui::labs::canvas::Axes;
use crate::gui::plots::{color, number, short};
use crate::i18n::{tr, tr_format};
use crate::labs::classical::milestones::{CHARTS, TIMELINE};

#[derive(Default)]
pub struct MilestonesView {
    /// The place of the chart; the timeline is behind the last one.
    shown: usize,
}

impl MilestonesView {
    pub fn ui(&mut self, ui: &mut Ui) {
        ui.horizontal_wrapped(|ui| {
            for (place, chart) in CHARTS.iter().enumerate() {
                ui.selectable_value(&mut self.shown, place, chart.name.get());
            }
            ui.selectable_value(&mut self.shown, CHARTS.len(), tr("Timeline", "时间线"));
        });
        match self.shown {
            place if place < CHARTS.len() => chart_ui(ui, place),
            _ => timeline_ui(ui),
        }
    }
}

fn chart_ui(ui: &mut Ui, place: usize) {
    let chart = &CHARTS[place];
    let years = || chart.points.iter().map(|point| f64::from(point.year));
    let first = years().fold(f64::INFINITY, f64::min) - 1.0;
    let last = years().fold(0.0, f64::max) + 2.5;
    let most = chart
        .points
        .iter()
        .map(|point| point.value)
        .fold(0.0, f64::max);
    let least = chart
        .points
        .iter()
        .map(|point| point.value)
        .fold(100.0, f64::min);
    let bounds = if least > 50.0 {
        [55.0, 103.0]
    } else {
        [0.0, 1.15 * most]
    };
    let table = 24.0 * (chart.points.len() as f32 + 2.0);
    let size = vec2(
        ui.available_width(),
        (ui.available_height() - table).max(200.0),
    );
    let (axes, _) = Axes::show(ui, size, [first, last], bounds);
    let ink = color(0, ui.visuals());
    if let Some((human, source)) = chart.human {
        let gray = color(2, ui.visuals());
        axes.line(ui, &[[first, human], [last, human]], Stroke::new(1.2, gray));
        let text = short(human);
        let text = tr_format!("people: {text}  ({source})", "人类：{text}（{source}）");
        axes.text(ui, [first + 0.1, human], Align2::LEFT_BOTTOM, &text, gray);
    }
    let line: Vec<[f64; 2]> = chart
        .points
        .iter()
        .map(|point| [f64::from(point.year), point.value])
        .collect();
    axes.line(ui, &line, Stroke::new(2.0, ink));
    for (n, point) in chart.points.iter().enumerate() {
        let at = [f64::from(point.year), point.value];
        axes.dot(ui, at, 5.0, ink);
        // Neighbours' names stand on different sides of their dots.
        let align = if n % 2 == 0 {
            Align2::LEFT_BOTTOM
        } else {
            Align2::LEFT_TOP
        };
        let text = format!("  {} {}", point.name, short(point.value));
        axes.text(ui, at, align, &text, ui.visuals().text_color());
    }
    ScrollArea::vertical().show(ui, |ui| {
        egui::Grid::new("sources")
            .striped(true)
            .spacing(vec2(18.0, 3.0))
            .show(ui, |ui| {
                for heading in [
                    tr("year", "年份"),
                    tr("method", "方法"),
                    tr("value", "数值"),
                    tr("source", "来源"),
                ] {
                    ui.weak(heading);
                }
                ui.end_row();
                for point in chart.points {
                    ui.label(point.year.to_string());
                    ui.label(point.name);
                    ui.label(number(point.value));
                    ui.label(RichText::new(point.source).weak());
                    ui.end_row();
                }
            });
    });
}

fn timeline_ui(ui: &mut Ui) {
    ui.add_space(6.0);
    ScrollArea::vertical().show(ui, |ui| {
        for (year, text) in &TIMELINE {
            ui.horizontal(|ui| {
                let ink = color(if *year < 2012 { 0 } else { 1 }, ui.visuals());
                ui.label(
                    RichText::new(year.to_string())
                        .strong()
                        .color(ink)
                        .size(16.0),
                );
                ui.label(RichText::new(text.get()).size(15.0));
            });
            ui.add_space(2.0);
        }
    });
}
