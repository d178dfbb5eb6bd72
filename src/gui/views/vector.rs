//! A vector as bars: probabilities and scores with the names of the classes, other numbers by
//! their place.

use egui::{
    Align2, Color32, Rect, RichText, Sense, TextStyle, Ui, WidgetInfo, WidgetType, pos2, vec2,
};

use crate::gui::context::Ctx;
use crate::gui::plots::{color, number, percent};
use crate::i18n::tr_format;
use crate::inspect::Range;

/// At most this many numbers get a line each.
const LINES: usize = 40;

/// One number by itself; a class index with its class.
pub fn scalar_ui(ui: &mut Ui, ctx: &Ctx<'_>, value: f32, label: bool) {
    let text = match (label, ctx.data) {
        (true, Some(Ok(feed))) => format!("{value} · {}", feed.dataset().class_name(value as u32)),
        (true, _) => format!("{value}"),
        (false, _) => number(f64::from(value)),
    };
    ui.label(RichText::new(text).heading());
}

/// All of them between 0 and 1 and together 1.
fn are_probabilities(values: &[f32]) -> bool {
    let sum: f32 = values.iter().sum();
    (sum - 1.0).abs() < 1e-3 && values.iter().all(|value| (0.0..=1.0).contains(value))
}

/// Bars, in a line each with names when they are few.
pub fn bars_ui(ui: &mut Ui, ctx: &Ctx<'_>, name: &str, values: &[f32], signed: bool, height: f32) {
    let classes = match ctx.data {
        Some(Ok(feed)) if feed.dataset().classes().len() == values.len() && !signed => Some(feed),
        _ => None,
    };
    if values.len() > LINES {
        return chart_ui(ui, name, values, height);
    }
    let (split, index) = ctx.example;
    let truth = classes.and_then(|feed| feed.dataset().label(split, index));
    let probabilities = are_probabilities(values);
    let range = Range::of(values);
    let range = if probabilities {
        Range { lo: 0.0, hi: 1.0 }
    } else {
        Range {
            lo: range.lo.min(0.0),
            hi: range.hi.max(0.0),
        }
    };
    let best = (0..values.len()).max_by(|a, b| values[*a].total_cmp(&values[*b]));
    let row = (height / values.len() as f32 - 1.0).clamp(14.0, 20.0);
    let width = ui
        .available_width()
        .min(ui.clip_rect().width() - 12.0)
        .min(520.0);
    for (place, value) in values.iter().enumerate() {
        let label = match classes {
            Some(feed) => feed.dataset().class_name(place as u32).into_owned(),
            None => place.to_string(),
        };
        let text = if probabilities {
            percent(f64::from(*value))
        } else {
            number(f64::from(*value))
        };
        let line = Line {
            label,
            text,
            share: range.place(*value),
            zero: range.place(0.0),
            is_truth: truth == Some(place as u32),
            is_best: classes.is_some() && best == Some(place),
        };
        line.ui(ui, vec2(width, row), classes.is_some());
    }
}

struct Line {
    label: String,
    text: String,
    /// Where the bar ends and where it begins, from 0 to 1.
    share: f32,
    zero: f32,
    is_truth: bool,
    is_best: bool,
}

impl Line {
    fn ui(&self, ui: &mut Ui, size: egui::Vec2, named: bool) {
        let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
        let spoken = format!("{} {}", self.label, self.text);
        response.widget_info(|| WidgetInfo::labeled(WidgetType::Label, true, &spoken));
        let visuals = ui.visuals();
        let font = TextStyle::Body.resolve(ui.style());
        let ink = if self.is_best {
            visuals.strong_text_color()
        } else {
            visuals.text_color()
        };
        let label_width = if named {
            96.0f32.min(size.x * 0.3)
        } else {
            32.0
        };
        let label_rect = Rect::from_min_size(rect.min, vec2(label_width, size.y));
        let painter = ui.painter();
        let label_ink = if self.is_truth {
            color(2, visuals)
        } else {
            ink
        };
        let label = match self.is_truth {
            true => format!("{} ✓", self.label),
            false => self.label.clone(),
        };
        painter
            .with_clip_rect(label_rect.intersect(ui.clip_rect()))
            .text(
                label_rect.right_center() - vec2(6.0, 0.0),
                Align2::RIGHT_CENTER,
                label,
                font.clone(),
                label_ink,
            );
        let bars = Rect::from_min_max(
            pos2(label_rect.right(), rect.top() + 2.0),
            pos2(rect.right() - 74.0, rect.bottom() - 2.0),
        );
        painter.rect_filled(bars, 2.0, visuals.faint_bg_color);
        let x = |share: f32| bars.left() + bars.width() * share;
        let (from, to) = (x(self.zero.min(self.share)), x(self.zero.max(self.share)));
        let fill = color(if self.is_truth { 2 } else { 0 }, visuals);
        let fill = if self.is_best || !named {
            fill
        } else {
            fill.gamma_multiply(0.6)
        };
        painter.rect_filled(Rect::from_x_y_ranges(from..=to, bars.y_range()), 2.0, fill);
        painter.text(
            rect.right_center(),
            Align2::RIGHT_CENTER,
            &self.text,
            font,
            ink,
        );
    }
}

/// Many numbers as one row of thin bars around their zero line.
pub fn chart_ui(ui: &mut Ui, name: &str, values: &[f32], height: f32) {
    let width = ui
        .available_width()
        .min(ui.clip_rect().width() - 12.0)
        .max(60.0);
    let (rect, response) = ui.allocate_exact_size(vec2(width, height.min(160.0)), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(WidgetType::Image, true, name));
    let range = Range::of(values);
    let range = Range {
        lo: range.lo.min(0.0),
        hi: range.hi.max(0.0),
    };
    let visuals = ui.visuals();
    ui.painter().rect_filled(rect, 2.0, visuals.faint_bg_color);
    let y = |value: f32| rect.bottom() - rect.height() * range.place(value);
    let (ink, bad) = (color(0, visuals), visuals.error_fg_color);
    // A bar for each point of the screen at most, from the least to the greatest value there.
    let bars = values.len().min(width as usize).max(1);
    let place = |bar: usize| bar * values.len() / bars;
    for bar in 0..bars {
        let part = &values[place(bar)..place(bar + 1).max(place(bar) + 1)];
        let of = Range::of(part);
        let (x0, x1) = (bar as f32, bar as f32 + 1.0);
        let x = |bar: f32| rect.left() + rect.width() * bar / bars as f32;
        let columns = x(x0)..=x(x1) - if bars as f32 * 3.0 < width { 1.0 } else { 0.0 };
        let (top, bottom) = (y(of.hi.max(0.0)), y(of.lo.min(0.0)));
        ui.painter().rect_filled(
            Rect::from_x_y_ranges(columns.clone(), top..=bottom),
            0.0,
            ink,
        );
        if part.iter().any(|value| !value.is_finite()) {
            ui.painter()
                .rect_filled(Rect::from_x_y_ranges(columns, rect.y_range()), 0.0, bad);
        }
    }
    ui.painter()
        .hline(rect.x_range(), y(0.0), (1.0, weak(visuals.text_color())));
    let Some(pos) = response.hover_pos() else {
        return;
    };
    let index = ((pos.x - rect.left()) / rect.width() * values.len() as f32) as usize;
    let index = index.min(values.len() - 1);
    response.on_hover_ui_at_pointer(|ui| {
        ui.label(RichText::new(number(f64::from(values[index]))).strong());
        ui.label(RichText::new(tr_format!("element {index}", "第 {index} 个元素")).weak());
    });
}

fn weak(color: Color32) -> Color32 {
    color.gamma_multiply(0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_told_from_other_numbers() {
        assert!(are_probabilities(&[0.25, 0.75]));
        assert!(!are_probabilities(&[0.5, 0.75]));
        assert!(!are_probabilities(&[-0.5, 1.5]));
        assert!(!are_probabilities(&[f32::NAN, 1.0]));
        assert!(!are_probabilities(&[]));
    }
}
