//! The view of the unrolled cell: its steps side by side, gates as dials, the gradient's way.

use egui::{Align2, FontId, Pos2, Rect, Sense, Shape, Stroke, Ui, pos2, vec2};

use super::player::{Asked, Player};
use super::{BenchView, Lab};
use crate::gui::plots::{color, number, short};
use crate::gui::theme;
use crate::i18n::{tr, tr_format};
use crate::labs::unroll::{Step, Weights, pulse, run};

pub struct UnrollView {
    inputs: Vec<f64>,
    at: usize,
    player: Player,
}

impl Default for UnrollView {
    fn default() -> Self {
        Self {
            inputs: pulse(16),
            at: 0,
            player: Player::new(3.0, 30.0),
        }
    }
}

impl BenchView for UnrollView {
    fn ui(&mut self, ui: &mut Ui, lab: &mut Lab<'_>) {
        let length = lab.settings.count("length");
        self.inputs.resize(length, 0.0);
        self.at = self.at.min(length - 1);
        ui.horizontal_wrapped(|ui| {
            if self.player.ui(ui, lab.keys) == Asked::Reset {
                self.inputs = pulse(length);
                self.at = 0;
            }
            ui.separator();
            if ui.button(tr("One pulse", "单个脉冲")).clicked() {
                self.inputs = pulse(length);
            }
            if ui.button(tr("Pulses", "多个脉冲")).clicked() {
                let value = |t: usize| {
                    if t.is_multiple_of(5) {
                        if t.is_multiple_of(2) { 1.0 } else { -1.0 }
                    } else {
                        0.0
                    }
                };
                self.inputs = (0..length).map(value).collect();
            }
        });
        let at = &mut self.at;
        self.player.advance(|| {
            *at = (*at + 1) % length;
            true
        });
        let lstm = lab.settings.count("cell") == 1;
        let steps = run(lstm, Weights::of(lab.settings), &self.inputs);
        let first = number(steps[0].by_input);
        let last = number(steps[length - 1].hidden);
        ui.label(tr_format!(
            "h of the last step: {last} · its gradient by the first input: {first}",
            "末步的 h：{last} · 它对首个输入的梯度：{first}"
        ));
        let dials = if lstm { 140.0 } else { 92.0 };
        let height = ui.available_height() - dials - 10.0;
        self.steps_ui(ui, &steps, height, lstm);
        dials_ui(ui, &steps, self.at, lstm, dials);
    }
}

impl UnrollView {
    /// Rows of bars: inputs (to drag), values, gradients; the columns are the steps.
    fn steps_ui(&mut self, ui: &mut Ui, steps: &[Step], height: f32, lstm: bool) {
        let (rect, response) =
            ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::click_and_drag());
        let left = rect.left() + 118.0;
        let column = (rect.right() - left) / steps.len() as f32;
        let rows = rows(steps, lstm);
        let row = rect.height() / rows.len() as f32;
        let chosen = Rect::from_min_max(
            pos2(left + self.at as f32 * column, rect.top()),
            pos2(left + (self.at + 1) as f32 * column, rect.bottom()),
        );
        ui.painter().rect_filled(
            chosen,
            3.0,
            theme::accent(ui.visuals()).gamma_multiply(0.18),
        );
        for (n, (name, ink, reach, values)) in rows.iter().enumerate() {
            let top = rect.top() + n as f32 * row;
            let middle = top + row * 0.5;
            let ink = color(*ink, ui.visuals());
            let font = FontId::proportional(12.5);
            ui.painter().text(
                pos2(rect.left(), middle),
                Align2::LEFT_CENTER,
                *name,
                font,
                ink,
            );
            let line = Stroke::new(1.0, ui.visuals().text_color().gamma_multiply(0.25));
            ui.painter().hline(left..=rect.right(), middle, line);
            for (t, value) in values.iter().enumerate() {
                let up = (value / reach).clamp(-1.0, 1.0) as f32 * row * 0.44;
                let from = left + t as f32 * column;
                let bar = Rect::from_two_pos(
                    pos2(from + column * 0.2, middle),
                    pos2(from + column * 0.8, middle - up),
                );
                ui.painter().rect_filled(bar, 1.0, ink);
            }
        }
        for t in 0..steps.len() {
            if steps.len() <= 24 || t % 5 == 0 {
                let at = pos2(left + (t as f32 + 0.5) * column, rect.top());
                let font = FontId::proportional(10.0);
                ui.painter().text(
                    at,
                    Align2::CENTER_TOP,
                    format!("t = {}", t + 1),
                    font,
                    ui.visuals().weak_text_color(),
                );
            }
        }
        self.pointer_ui(ui, &response, [rect.top(), row], [left, column]);
    }

    /// A click chooses a step; dragging in the first row changes its input.
    fn pointer_ui(
        &mut self,
        ui: &Ui,
        response: &egui::Response,
        [top, row]: [f32; 2],
        [left, column]: [f32; 2],
    ) {
        let Some(at) = response.interact_pointer_pos() else {
            return;
        };
        if !response.is_pointer_button_down_on() || at.x < left {
            return;
        }
        let t = (((at.x - left) / column) as usize).min(self.inputs.len() - 1);
        self.at = t;
        let began = ui.input(|input| input.pointer.press_origin()).unwrap_or(at);
        if began.y < top + row && response.dragged() {
            let value = f64::from((top + row * 0.5 - at.y) / (row * 0.44)) * 1.2;
            self.inputs[t] = ((value * 20.0).round() / 20.0).clamp(-1.2, 1.2);
        }
    }
}

/// A row of bars: its name, its colour, the size of a whole bar, and the values.
type Row = (&'static str, usize, f64, Vec<f64>);

fn rows(steps: &[Step], lstm: bool) -> Vec<Row> {
    let mut rows: Vec<Row> = vec![(
        tr("input x (drag)", "输入 x（可拖动）"),
        0,
        1.2,
        steps.iter().map(|step| step.x).collect(),
    )];
    if lstm {
        rows.push((
            tr("cell c", "细胞 c"),
            4,
            1.5,
            steps.iter().map(|step| step.cell).collect(),
        ));
    }
    rows.push((
        tr("hidden h", "隐藏值 h"),
        2,
        1.1,
        steps.iter().map(|step| step.hidden).collect(),
    ));
    let gradients: Vec<f64> = match lstm {
        true => steps.iter().map(|step| step.by_cell).collect(),
        false => steps.iter().map(|step| step.by_hidden).collect(),
    };
    let name = if lstm {
        "∂h(T) / ∂c(t)"
    } else {
        "∂h(T) / ∂h(t)"
    };
    let most = |values: &[f64]| {
        values
            .iter()
            .map(|value| value.abs())
            .fold(1e-9, f64::max)
            .max(1.0)
    };
    rows.push((name, 1, most(&gradients), gradients));
    let inputs: Vec<f64> = steps.iter().map(|step| step.by_input).collect();
    rows.push(("∂h(T) / ∂x(t)", 3, most(&inputs), inputs));
    rows
}

/// The numbers of one step as dials, and in words.
fn dials_ui(ui: &mut Ui, steps: &[Step], at: usize, lstm: bool, height: f32) {
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::hover());
    let step = &steps[at];
    let t = at + 1;
    let title = tr_format!("step {t}", "第 {t} 步");
    let ink = ui.visuals().strong_text_color();
    ui.painter().text(
        rect.left_top(),
        Align2::LEFT_TOP,
        title,
        FontId::proportional(14.0),
        ink,
    );
    let before = at.checked_sub(1).map_or(0.0, |before| steps[before].cell);
    let all = [
        (tr("input gate i", "输入门 i"), step.input, 0.0, 0),
        (tr("forget gate f", "遗忘门 f"), step.forget, 0.0, 1),
        (tr("candidate g", "候选值 g"), step.candidate, -1.0, 3),
        (tr("output gate o", "输出门 o"), step.output, 0.0, 2),
    ];
    let shown: &[_] = if lstm { &all } else { &all[2..3] };
    let gap = (rect.width() / shown.len() as f32).min(190.0);
    for (n, (name, value, least, ink)) in shown.iter().enumerate() {
        let middle = pos2(rect.left() + gap * (n as f32 + 0.5), rect.top() + 62.0);
        dial_ui(ui, middle, *value, *least, color(*ink, ui.visuals()), name);
    }
    let words = match lstm {
        true => {
            let [f, c, i, g, new] = [step.forget, before, step.input, step.candidate, step.cell]
                .map(|v| short((v * 1e3).round() / 1e3));
            format!("c = f·c + i·g = {f} × {c} + {i} × {g} = {new}")
        }
        false => {
            let h = at.checked_sub(1).map_or(0.0, |before| steps[before].hidden);
            let [x, h, new] = [step.x, h, step.hidden].map(|v| short((v * 1e3).round() / 1e3));
            format!("h = tanh(u × {x} + w × {h}) = {new}")
        }
    };
    let at = if lstm {
        rect.left_bottom()
    } else {
        pos2(rect.left() + 200.0, rect.center().y)
    };
    let align = if lstm {
        Align2::LEFT_BOTTOM
    } else {
        Align2::LEFT_CENTER
    };
    ui.painter()
        .text(at, align, words, FontId::proportional(13.0), ink);
}

/// A dial from `least` to 1, open below.
fn dial_ui(ui: &Ui, middle: Pos2, value: f64, least: f64, ink: egui::Color32, name: &str) {
    const RADIUS: f32 = 26.0;
    let arc = |from: f32, to: f32| -> Vec<Pos2> {
        (0..=40)
            .map(|n| from + (to - from) * n as f32 / 40.0)
            .map(|part| {
                let angle = (0.75 + 1.5 * part) * std::f32::consts::PI;
                middle + RADIUS * vec2(angle.cos(), angle.sin())
            })
            .collect()
    };
    let part = ((value - least) / (1.0 - least)).clamp(0.0, 1.0) as f32;
    let faint = ui.visuals().text_color().gamma_multiply(0.2);
    ui.painter()
        .add(Shape::line(arc(0.0, 1.0), Stroke::new(6.0, faint)));
    let zero = if least < 0.0 { 0.5 } else { 0.0 };
    ui.painter()
        .add(Shape::line(arc(zero, part), Stroke::new(6.0, ink)));
    let text = short((value * 100.0).round() / 100.0);
    let strong = ui.visuals().strong_text_color();
    ui.painter().text(
        middle,
        Align2::CENTER_CENTER,
        text,
        FontId::proportional(14.0),
        strong,
    );
    let below = middle + vec2(0.0, RADIUS + 2.0);
    ui.painter().text(
        below,
        Align2::CENTER_TOP,
        name,
        FontId::proportional(11.5),
        ink,
    );
}
