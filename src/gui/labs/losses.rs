//! The view of the losses: scores to drag, what each loss says and how it pulls.

use egui::{Align2, FontId, Id, Rect, RichText, Sense, Stroke, Ui, Vec2, pos2, vec2};

use super::canvas::Axes;
use super::{BenchView, Lab};
use crate::gui::plots::{color, number, percent, short};
use crate::i18n::{tr, tr_format};
use crate::labs::losses::{LOSSES, Pull, logistic, pull, softmax};

const KEYS: [&str; 3] = ["z0", "z1", "z2"];

#[derive(Default)]
pub struct LossesView {
    found: Option<([f64; 4], Vec<Pull>)>,
}

impl BenchView for LossesView {
    fn ui(&mut self, ui: &mut Ui, lab: &mut Lab<'_>) {
        match lab.settings.count("show") {
            0 => self.scores_ui(ui, lab),
            _ => margin_ui(ui, lab),
        }
    }
}

impl LossesView {
    fn scores_ui(&mut self, ui: &mut Ui, lab: &mut Lab<'_>) {
        let scores = KEYS.map(|key| lab.settings.number(key));
        let truth = lab.settings.count("truth");
        let of = [scores[0], scores[1], scores[2], truth as f64];
        if self.found.as_ref().is_none_or(|(made, _)| *made != of) {
            let pulls = (0..LOSSES.len()).map(|loss| pull(loss, &scores, truth));
            let pulls: Result<Vec<Pull>, _> = pulls.collect();
            match pulls {
                Ok(pulls) => self.found = Some((of, pulls)),
                Err(error) => {
                    ui.colored_label(ui.visuals().error_fg_color, error.to_string());
                    return;
                }
            }
        }
        ui.label(tr(
            "Drag a score; click under it to make its class the right one. Arrows: where descent pulls the score.",
            "拖动得分；点击其下方的类别名把它设为正确类。箭头：梯度下降把得分拉向何处。",
        ));
        let room = ui.available_size();
        let height = room.y * 0.62;
        let p = softmax(&scores);
        ui.horizontal_top(|ui| {
            self.bars_ui(ui, lab, vec2(room.x * 0.62, height), scores, truth);
            ui.vertical(|ui| probabilities_ui(ui, &p, truth, height));
        });
        self.table_ui(ui, truth);
    }

    fn bars_ui(&self, ui: &mut Ui, lab: &mut Lab<'_>, size: Vec2, scores: [f64; 3], truth: usize) {
        let (axes, response) = Axes::upright(ui, size, [0.0, 3.0], [-7.5, 6.5]);
        let painter = ui.painter_at(axes.rect);
        for (class, score) in scores.into_iter().enumerate() {
            let x = class as f64 + 0.2;
            let bar =
                Rect::from_two_pos(axes.to_screen([x, 0.0]), axes.to_screen([x + 0.26, score]));
            let ink = if class == truth {
                color(2, ui.visuals())
            } else {
                color(7, ui.visuals())
            };
            painter.rect_filled(bar, 2.0, ink.gamma_multiply(0.7));
            if let Some((_, pulls)) = &self.found {
                for (n, pull) in pulls.iter().enumerate() {
                    let from = [x + 0.38 + 0.13 * n as f64, score];
                    // The negative gradient is where descent goes.
                    let to = [from[0], score - 1.5 * pull.gradient[class]];
                    axes.arrow(
                        ui,
                        from,
                        to,
                        Stroke::new(2.2, color([0, 1, 4][n], ui.visuals())),
                    );
                }
            }
            let name = match class == truth {
                true => tr_format!("class {class} (right)", "类别 {class}（正确）"),
                false => tr_format!("class {class}", "类别 {class}"),
            };
            axes.text(ui, [x + 0.3, -7.0], Align2::CENTER_CENTER, &name, ink);
            let value = format!("z = {}", short(score));
            axes.text(
                ui,
                [x + 0.13, score + 0.75f64.copysign(score)],
                Align2::CENTER_CENTER,
                &value,
                ui.visuals().text_color(),
            );
            if let Some([_, y]) = axes.handle(ui, Id::new(("score", class)), [x + 0.13, score], ink)
            {
                lab.settings.set(KEYS[class], (y * 20.0).round() / 20.0);
            }
        }
        if let Some(at) = response
            .interact_pointer_pos()
            .filter(|_| response.clicked())
        {
            let [x, y] = axes.to_data(at);
            if y < -6.2 {
                lab.settings.set("truth", x.floor());
            }
        }
    }

    fn table_ui(&self, ui: &mut Ui, truth: usize) {
        let Some((_, pulls)) = &self.found else {
            return;
        };
        ui.add_space(6.0);
        egui::Grid::new("losses")
            .spacing(vec2(26.0, 5.0))
            .show(ui, |ui| {
                for heading in [
                    tr("loss", "损失"),
                    tr("value", "值"),
                    "∂L/∂z₀",
                    "∂L/∂z₁",
                    "∂L/∂z₂",
                    "Σ",
                ] {
                    ui.weak(heading);
                }
                ui.end_row();
                for (n, pull) in pulls.iter().enumerate() {
                    let ink = color([0, 1, 4][n], ui.visuals());
                    ui.label(RichText::new(LOSSES[n].1.get()).color(ink));
                    ui.label(number(pull.value));
                    for (class, gradient) in pull.gradient.iter().enumerate() {
                        let text = RichText::new(number(*gradient));
                        ui.label(if class == truth { text.strong() } else { text });
                    }
                    let sum: f64 = pull.gradient.iter().sum();
                    ui.label(number(if sum.abs() < 1e-12 { 0.0 } else { sum }));
                    ui.end_row();
                }
            });
    }
}

fn probabilities_ui(ui: &mut Ui, p: &[f64], truth: usize, height: f32) {
    ui.label(RichText::new(tr("softmax: probabilities", "Softmax：概率")).strong());
    let width = ui.available_width() - 12.0;
    let row = ((height - 60.0) / 3.0).clamp(24.0, 60.0);
    for (class, p) in p.iter().enumerate() {
        let (rect, _) = ui.allocate_exact_size(vec2(width, row), Sense::hover());
        let ink = if class == truth {
            color(2, ui.visuals())
        } else {
            color(7, ui.visuals())
        };
        let ground = rect.shrink2(vec2(0.0, 4.0));
        ui.painter()
            .rect_filled(ground, 3.0, ui.visuals().extreme_bg_color);
        let bar = ground.with_max_x(ground.left() + ground.width() * *p as f32);
        ui.painter().rect_filled(bar, 3.0, ink.gamma_multiply(0.7));
        let text = format!("p{} = {}", ["₀", "₁", "₂"][class], percent(*p));
        let at = pos2(ground.left() + 6.0, ground.center().y);
        let font = FontId::proportional(13.0);
        ui.painter().text(
            at,
            Align2::LEFT_CENTER,
            text,
            font,
            ui.visuals().strong_text_color(),
        );
    }
    let loss = number(-p.get(truth).copied().unwrap_or(1.0).ln());
    ui.label(tr_format!(
        "−log p of the truth = {loss}",
        "真实类的 −log p = {loss}"
    ));
}

/// Losses of two classes over the margin between them.
fn margin_ui(ui: &mut Ui, lab: &mut Lab<'_>) {
    let margin = lab.settings.number("margin");
    type Of = fn(f64) -> f64;
    let curves: [(&str, Of, usize); 4] = [
        (
            tr("logistic = softmax of two", "逻辑回归 = 两类 Softmax"),
            |m| (-m).exp().ln_1p(),
            0,
        ),
        (tr("hinge", "合页损失"), |m| (1.0 - m).max(0.0), 1),
        (
            tr("squared, ½(1 − m)²", "平方，½(1 − m)²"),
            |m| 0.5 * (1.0 - m).powi(2),
            4,
        ),
        (
            tr("errors (0 or 1)", "错误（0 或 1）"),
            |m| if m > 0.0 { 0.0 } else { 1.0 },
            7,
        ),
    ];
    let (one, two) = (logistic(margin, true), pull(0, &[margin, 0.0], 0));
    if let (Ok(one), Ok(two)) = (one, two) {
        let [m, a, b] = [margin, one.value, two.value].map(number);
        let slope = number(one.gradient[0]);
        ui.label(tr_format!(
            "m = {m} · logistic regression {a} · softmax of the scores (m, 0) {b} · slope {slope}",
            "m = {m} · 逻辑回归 {a} · 得分 (m, 0) 的 Softmax {b} · 斜率 {slope}"
        ));
    }
    let size = vec2(ui.available_width(), ui.available_height() - 4.0);
    let (axes, _) = Axes::show(ui, size, [-4.0, 4.0], [-0.5, 5.0]);
    let mut at = axes.rect.left_top() + vec2(axes.rect.width() * 0.55, 10.0);
    for (name, of, ink) in curves {
        let ink = color(ink, ui.visuals());
        let points: Vec<[f64; 2]> = (0..=400)
            .map(|n| -4.0 + f64::from(n) * 0.02)
            .map(|m| [m, of(m)])
            .collect();
        axes.line(ui, &points, Stroke::new(2.2, ink));
        axes.dot(ui, [margin, of(margin)], 4.5, ink);
        let text = format!("{name}: {}", number(of(margin)));
        ui.painter()
            .text(at, Align2::LEFT_TOP, text, FontId::proportional(13.0), ink);
        at.y += 20.0;
    }
    let wrong = ui.visuals().weak_text_color();
    axes.text(
        ui,
        [-3.9, -0.12],
        Align2::LEFT_TOP,
        tr("wrong answer", "回答错误"),
        wrong,
    );
    axes.text(
        ui,
        [0.1, -0.12],
        Align2::LEFT_TOP,
        tr("right answer", "回答正确"),
        wrong,
    );
    axes.line(ui, &[[margin, 0.0], [margin, 5.0]], Stroke::new(1.0, wrong));
    if let Some([m, _]) = axes.handle(ui, Id::new("margin"), [margin, 0.0], color(2, ui.visuals()))
    {
        lab.settings.set("margin", (m * 50.0).round() / 50.0);
    }
}
