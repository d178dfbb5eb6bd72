//! How the numbers of one tensor are spread: bars, and a few words.

use egui::{Label, Rect, RichText, Sense, Ui, WidgetInfo, WidgetType, pos2, vec2};

use crate::gui::format::exact;
use crate::gui::plots::{color, number, percent, short};
use crate::i18n::tr_format;
use crate::inspect::{Histogram, Statistics};

/// The numbers of one tensor.
pub(super) struct Distribution {
    pub title: String,
    /// Of the tensor; more than were read when it is large.
    pub numbers: usize,
    pub statistics: Statistics,
    pub histogram: Histogram,
    /// In the palette.
    pub color: usize,
}

impl Distribution {
    pub fn ui(&self, ui: &mut Ui, width: f32, log: bool) {
        ui.vertical(|ui| {
            ui.set_width(width);
            ui.add(Label::new(&self.title).truncate());
            self.bars_ui(ui, width, log);
            let Statistics {
                mean,
                std,
                zeros,
                non_finite,
                count: read,
                ..
            } = self.statistics;
            let (mean, std, zeros) = (number(mean), number(std), percent(zeros));
            ui.horizontal_wrapped(|ui| {
                ui.spacing_mut().item_spacing.x = 10.0;
                let fact = |ui: &mut Ui, text: String| drop(ui.label(RichText::new(text).small()));
                fact(ui, tr_format!("mean {mean}", "均值 {mean}"));
                fact(ui, tr_format!("std {std}", "标准差 {std}"));
                fact(ui, tr_format!("zeros {zeros}", "零值 {zeros}"));
                let all = exact(self.numbers as u64);
                let text = match read < self.numbers {
                    true => {
                        let read = exact(read as u64);
                        tr_format!("{read} of {all} numbers", "{all} 个数中的 {read} 个")
                    }
                    false => tr_format!("{all} numbers", "{all} 个数"),
                };
                fact(ui, text);
                if non_finite > 0 {
                    let text = tr_format!("{non_finite} not finite", "{non_finite} 个非有限值");
                    ui.label(
                        RichText::new(text)
                            .small()
                            .color(ui.visuals().error_fg_color),
                    );
                }
            });
            ui.add_space(4.0);
        });
    }

    fn bars_ui(&self, ui: &mut Ui, width: f32, log: bool) {
        let (rect, response) = ui.allocate_exact_size(vec2(width, 64.0), Sense::hover());
        response.widget_info(|| WidgetInfo::labeled(WidgetType::Image, true, &self.title));
        let visuals = ui.visuals();
        let painter = ui.painter();
        painter.rect_filled(rect, 2.0, visuals.faint_bg_color);
        let Some((lo, hi)) = self.histogram.range else {
            return;
        };
        let axis = 13.0;
        let bars = Rect::from_min_max(rect.min + vec2(3.0, 3.0), rect.max - vec2(3.0, axis));
        let height = |count: u64| {
            if log {
                (count as f64).ln_1p()
            } else {
                count as f64
            }
        };
        let most = self
            .histogram
            .counts
            .iter()
            .copied()
            .max()
            .map_or(1.0, height)
            .max(1e-9);
        let x = |place: f64| bars.left() + bars.width() * place as f32;
        let bins = self.histogram.counts.len().max(1) as f64;
        let ink = color(self.color, visuals);
        for (bin, number) in self
            .histogram
            .counts
            .iter()
            .enumerate()
            .filter(|(_, number)| **number > 0)
        {
            // One that is not 0 can be seen, however small.
            let tall = (bars.height() * (height(*number) / most) as f32).max(1.0);
            let columns =
                x(bin as f64 / bins)..=x((bin + 1) as f64 / bins).max(x(bin as f64 / bins) + 1.0);
            painter.rect_filled(
                Rect::from_x_y_ranges(columns, bars.bottom() - tall..=bars.bottom()),
                0.0,
                ink,
            );
        }
        let zero = -lo / (hi - lo);
        if (0.0..=1.0).contains(&zero) {
            painter.vline(
                x(zero),
                bars.y_range(),
                (1.0, visuals.text_color().gamma_multiply(0.45)),
            );
        }
        let font = egui::FontId::proportional(10.0);
        let ink = visuals.weak_text_color();
        let line = bars.bottom() + 1.0;
        painter.text(
            pos2(bars.left(), line),
            egui::Align2::LEFT_TOP,
            short(lo),
            font.clone(),
            ink,
        );
        painter.text(
            pos2(bars.right(), line),
            egui::Align2::RIGHT_TOP,
            short(hi),
            font,
            ink,
        );
        let Some(pos) = response.hover_pos() else {
            return;
        };
        let bin = ((pos.x - bars.left()) / bars.width() * bins as f32).clamp(0.0, bins as f32 - 1.0)
            as usize;
        if let Some((left, here)) = self.histogram.bins().nth(bin) {
            let (from, to, here) = (
                number(left),
                number(left + self.histogram.bin_width()),
                exact(here),
            );
            response.on_hover_text_at_pointer(tr_format!(
                "{from} … {to}: {here}",
                "{from} … {to}：{here} 个"
            ));
        }
    }
}
