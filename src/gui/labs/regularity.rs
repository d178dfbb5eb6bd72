//! The view of dropout and batch normalisation.

use egui::{Align2, Id, RichText, Stroke, Ui, vec2};

use super::canvas::Axes;
use super::contest::ContestView;
use super::{BenchView, Lab};
use crate::gui::plots::{color, empty_ui, number, short};
use crate::i18n::{tr, tr_format};
use crate::inspect::Histogram;
use crate::labs::regularity::compare::{NORMALISED, PLAIN, Race, fewest};
use crate::labs::regularity::numbers::{Batch, EXAMPLE, dropped, transformed};

/// Masks of the histogram.
const MASKS: usize = 4000;
/// Units whose sum is looked at.
const UNITS: usize = 20;

pub struct RegularityView {
    sums: Option<([f64; 3], Vec<f32>)>,
    values: Vec<f64>,
    /// The running mean and variance, and batches seen.
    running: [f64; 2],
    seen: u32,
    contest: ContestView,
}

impl Default for RegularityView {
    fn default() -> Self {
        Self {
            sums: None,
            values: EXAMPLE.to_vec(),
            running: [0.0, 1.0],
            seen: 0,
            contest: ContestView::default(),
        }
    }
}

impl BenchView for RegularityView {
    fn ui(&mut self, ui: &mut Ui, lab: &mut Lab<'_>) {
        match lab.settings.count("show") {
            0 => self.dropout_ui(ui, lab),
            1 => self.batch_ui(ui, lab),
            _ => self.compare_ui(ui, lab),
        }
    }
}

impl RegularityView {
    /// The mean of twenty units of 1 under thousands of masks.
    fn dropout_ui(&mut self, ui: &mut Ui, lab: &mut Lab<'_>) {
        let [ratio, scale, seed] = ["ratio", "scale", "seed"].map(|key| lab.settings.number(key));
        let of = [ratio, scale, seed];
        if self.sums.as_ref().is_none_or(|(made, _)| *made != of) {
            let values = dropped(ratio, scale != 0.0, MASKS * UNITS, seed as u64);
            let sums = values.unwrap_or_default();
            let sums = sums
                .chunks_exact(UNITS)
                .map(|part| part.iter().sum::<f64>() as f32 / UNITS as f32);
            self.sums = Some((of, sums.collect()));
        }
        let Some((_, sums)) = &self.sums else { return };
        let mean = sums.iter().map(|sum| f64::from(*sum)).sum::<f64>() / sums.len().max(1) as f64;
        let spread = sums
            .iter()
            .map(|sum| (f64::from(*sum) - mean).powi(2))
            .sum::<f64>()
            / sums.len().max(1) as f64;
        let (mean_text, spread) = (number(mean), number(spread.sqrt()));
        ui.label(tr_format!(
            "The mean of {UNITS} units of value 1, each dropped with probability p, under {MASKS} masks:",
            "{UNITS} 个值为 1 的单元，各以概率 p 丢弃，在 {MASKS} 个掩码下的平均："
        ));
        ui.label(
            RichText::new(tr_format!(
                "in training, on average {mean_text} ± {spread} · in testing, without masks, 1",
                "训练时平均 {mean_text} ± {spread} · 测试时不用掩码，为 1"
            ))
            .strong(),
        );
        let histogram = Histogram::of(sums, 41);
        let most = histogram.bins().map(|(_, count)| count).max().unwrap_or(1) as f64;
        let size = vec2(ui.available_width(), ui.available_height() - 4.0);
        let (axes, _) = Axes::show(ui, size, [-0.05, 2.2], [0.0, 1.12 * most]);
        let width = histogram.bin_width();
        let ink = color(0, ui.visuals());
        for (middle, count) in histogram.bins() {
            let ends = [
                [middle - width / 2.0, 0.0],
                [middle + width / 2.0, count as f64],
            ];
            let [a, b] = ends.map(|end| axes.to_screen(end));
            let bar = egui::Rect::from_two_pos(a, b).shrink2(vec2(0.5, 0.0));
            ui.painter_at(axes.rect)
                .rect_filled(bar, 0.0, ink.gamma_multiply(0.75));
        }
        let lines = [
            (
                mean,
                color(1, ui.visuals()),
                tr("expectation in training", "训练时的期望"),
            ),
            (
                1.0,
                color(2, ui.visuals()),
                tr("value in testing", "测试时的值"),
            ),
        ];
        for (n, (at, ink, name)) in lines.into_iter().enumerate() {
            axes.line(ui, &[[at, 0.0], [at, 1.12 * most]], Stroke::new(2.0, ink));
            let up = (1.07 - 0.06 * n as f64) * most;
            axes.text(ui, [at, up], Align2::LEFT_CENTER, &format!("  {name}"), ink);
        }
    }

    fn batch_ui(&mut self, ui: &mut Ui, lab: &mut Lab<'_>) {
        let [gamma, beta, part] = ["gamma", "beta", "average"].map(|key| lab.settings.number(key));
        let batch = Batch::of(&self.values);
        self.batch_buttons_ui(ui, lab, &batch, part);
        let batch = Batch::of(&self.values);
        let [mean, variance] = [batch.mean, batch.variance].map(number);
        let [running_mean, running_variance] = self.running.map(number);
        let seen = self.seen;
        ui.label(tr_format!(
            "batch: mean {mean}, variance {variance} · running after {seen} batches: mean {running_mean}, variance {running_variance}",
            "批次：均值 {mean}，方差 {variance} · {seen} 个批次后的滑动值：均值 {running_mean}，方差 {running_variance}"
        ));
        let height = (ui.available_height() - 12.0) / 3.0;
        let train = batch.transformed(gamma, beta);
        let test = transformed(&self.values, self.running[0], self.running[1], gamma, beta);
        let titles = [
            tr("the batch x: drag its dots", "批次 x：拖动各点"),
            tr(
                "in training: γ (x − μ) / σ + β of this batch",
                "训练时：用本批次的 γ (x − μ) / σ + β",
            ),
            tr(
                "in testing: the same with the running statistics",
                "测试时：改用滑动统计量",
            ),
        ];
        for (row, title) in titles.into_iter().enumerate() {
            let shown = [&self.values, &train, &test][row].clone();
            let size = vec2(ui.available_width(), height);
            let (axes, _) = Axes::flat(ui, size, [-6.0, 8.0], [0.0, 1.0]);
            let ink = color([0, 2, 4][row], ui.visuals());
            let of = Batch::of(&shown);
            let deviation = of.variance.sqrt();
            let band = [of.mean - deviation, of.mean + deviation];
            let [a, b] = [[band[0], 0.0], [band[1], 1.0]].map(|end| axes.to_screen(end));
            let band = egui::Rect::from_two_pos(a, b).intersect(axes.rect);
            ui.painter_at(axes.rect)
                .rect_filled(band, 0.0, ink.gamma_multiply(0.15));
            axes.line(ui, &[[of.mean, 0.0], [of.mean, 1.0]], Stroke::new(1.5, ink));
            axes.text(
                ui,
                [-5.9, 0.9],
                Align2::LEFT_CENTER,
                title,
                ui.visuals().text_color(),
            );
            let text = format!(
                "μ = {}, σ = {}",
                short(round(of.mean)),
                short(round(deviation))
            );
            axes.text(ui, [7.9, 0.9], Align2::RIGHT_CENTER, &text, ink);
            for (n, value) in shown.iter().enumerate() {
                let at = [*value, 0.2 + 0.5 * (n % 5) as f64 / 4.0];
                if row > 0 {
                    axes.dot(ui, at, 5.5, ink);
                } else if let Some([x, _]) = axes.handle(ui, Id::new(("batch", n)), at, ink) {
                    self.values[n] = x.clamp(-6.0, 8.0);
                }
            }
        }
    }

    fn batch_buttons_ui(&mut self, ui: &mut Ui, lab: &Lab<'_>, batch: &Batch, part: f64) {
        ui.horizontal_wrapped(|ui| {
            let step = ui.button(tr("Train on this batch", "用此批次训练"));
            let hint = tr(
                "Moves the running statistics towards the batch's.",
                "让滑动统计量向批次统计量移动。",
            );
            let key = lab.keys
                && ui.input_mut(|input| input.consume_key(egui::Modifiers::NONE, egui::Key::Space));
            if step.on_hover_text(hint).clicked() || key {
                self.running[0] += part * (batch.mean - self.running[0]);
                self.running[1] += part * (batch.variance - self.running[1]);
                self.seen += 1;
            }
            if ui.button(tr("Reset", "重置")).clicked() {
                self.values = EXAMPLE.to_vec();
                (self.running, self.seen) = ([0.0, 1.0], 0);
            }
            if ui
                .button("+")
                .on_hover_text(tr("One more example in the batch.", "批次中增加一个样本。"))
                .clicked()
                && self.values.len() < 16
            {
                self.values.push(0.0);
            }
            if ui
                .button("−")
                .on_hover_text(tr("One example less.", "减少一个样本。"))
                .clicked()
                && self.values.len() > 1
            {
                self.values.pop();
            }
        });
    }

    fn compare_ui(&mut self, ui: &mut Ui, lab: &mut Lab<'_>) {
        self.contest.poll();
        ui.horizontal(|ui| {
            if self.contest.buttons_ui(ui, lab.keys) {
                let race =
                    Race::start(lab.settings, ContestView::priority(), ContestView::wake(ui));
                self.contest.contest = Some(race.contest);
            }
            let folder = lab
                .ctx
                .path
                .and_then(|path| path.parent())
                .map(ToOwned::to_owned);
            self.contest.export_ui(ui, folder, lab.actions);
        });
        let Some(contest) = &self.contest.contest else {
            let hint = tr(
                "Five runs of one network on digits: same first weights, same batches.",
                "同一网络在手写数字上的五次训练：相同的初始权重，相同的批次。",
            );
            return empty_ui(ui, tr("No runs yet", "尚无训练"), hint);
        };
        let goal = lab.settings.number("goal");
        let best = fewest(contest, NORMALISED, goal);
        // The plain network's better one of two rates against the better one with normalisation.
        let plain = fewest(contest, PLAIN, goal);
        if best.is_finite() {
            let text = match plain.is_finite() {
                true => {
                    let ratio = number(plain / best);
                    tr_format!(
                        "to the same accuracy, the best plain run took {ratio} times as many steps as the best normalised one",
                        "达到同样准确率，最好的普通训练所用步数是最好的批归一化训练的 {ratio} 倍"
                    )
                }
                false => tr(
                    "a normalised run has arrived, no plain one has yet",
                    "批归一化的训练已到达，普通训练尚未到达",
                )
                .to_owned(),
            };
            ui.label(RichText::new(text).strong());
        }
        let room = ui.available_size();
        self.contest.curves_ui(ui, vec2(room.x, room.y * 0.6));
        self.contest.table_ui(ui, Some(goal));
    }
}

fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
