//! The view of universal approximation: a step to drag, bumps to pull up, towers to count.

use egui::{Align2, Id, Stroke, Ui, vec2};

use super::canvas::{Axes, Picture, rgb};
use super::player::{Asked, Player};
use super::{BenchView, Lab};
use crate::gui::plots::{color, number, short};
use crate::i18n::{tr, tr_format};
use crate::inspect::{ColorMap, Range};
use crate::labs::Settings;
use crate::labs::approximation::bumps::{Approximator, Bumps, deviation, sigmoid, xs};
use crate::labs::approximation::{TARGETS, sampled, towers};

const BOUNDS: [f64; 2] = [-1.2, 1.2];

pub struct ApproximationView {
    /// Of the one neuron: its step's place, and its weight.
    step: [f64; 2],
    target: Vec<f64>,
    bumps: Bumps,
    network: Option<Approximator>,
    answers: Vec<f64>,
    /// Deviation of the weights that were set by hand, and of the network as it is.
    by_hand: f64,
    now: f64,
    draws: bool,
    last: Option<[f64; 2]>,
    made_of: Option<[f64; 3]>,
    problem: Option<String>,
    player: Player,
    pictures: [Picture; 2],
    towers: Option<([usize; 2], f64)>,
}

impl Default for ApproximationView {
    fn default() -> Self {
        Self {
            step: [0.4, 40.0],
            target: Vec::new(),
            bumps: Bumps::flat(1, 1.0),
            network: None,
            answers: Vec::new(),
            by_hand: f64::NAN,
            now: f64::NAN,
            draws: false,
            last: None,
            made_of: None,
            problem: None,
            player: Player::new(60.0, 1000.0),
            pictures: Default::default(),
            towers: None,
        }
    }
}

impl BenchView for ApproximationView {
    fn ui(&mut self, ui: &mut Ui, lab: &mut Lab<'_>) {
        match lab.settings.count("show") {
            0 => self.step_ui(ui),
            1 => self.bumps_ui(ui, lab),
            _ => self.towers_ui(ui, lab.settings),
        }
    }
}

impl ApproximationView {
    fn step_ui(&mut self, ui: &mut Ui) {
        let [s, w] = self.step;
        let (ws, bs, ss) = (short(w), short(-w * s), short(s));
        ui.label(tr_format!(
            "y = σ(w x + b),  w = {ws},  b = {bs}   →   s = −b / w = {ss}",
            "y = σ(w x + b)，w = {ws}，b = {bs}   →   s = −b / w = {ss}"
        ));
        let size = vec2(ui.available_width(), ui.available_height() - 4.0);
        let (axes, _) = Axes::show(ui, size, [0.0, 1.0], [-0.1, 1.1]);
        let points: Vec<[f64; 2]> = (0..=600)
            .map(|n| f64::from(n) / 600.0)
            .map(|x| [x, sigmoid(w * (x - s))])
            .collect();
        axes.line(ui, &points, Stroke::new(2.5, color(0, ui.visuals())));
        let faint = ui.visuals().weak_text_color();
        axes.line(ui, &[[s, -0.1], [s, 1.1]], Stroke::new(1.0, faint));
        axes.text(
            ui,
            [s, 1.05],
            Align2::LEFT_CENTER,
            &format!("  s = {ss}"),
            faint,
        );
        // Where σ is 0.8: nearer to the step, the steeper it is.
        let reach = 4f64.ln() / w;
        if let Some([x, _]) = axes.handle(
            ui,
            Id::new("steepness"),
            [s + reach, 0.8],
            color(1, ui.visuals()),
        ) {
            let reach = (x - s).clamp(-0.5, 0.5);
            let reach = if reach.abs() < 0.0007 {
                0.0007f64.copysign(reach)
            } else {
                reach
            };
            self.step[1] = 4f64.ln() / reach;
        }
        if let Some([x, _]) = axes.handle(ui, Id::new("step"), [s, 0.5], color(0, ui.visuals())) {
            self.step[0] = x.clamp(0.0, 1.0);
        }
    }

    fn bumps_ui(&mut self, ui: &mut Ui, lab: &mut Lab<'_>) {
        self.make(lab.settings);
        ui.horizontal_wrapped(|ui| {
            if self.player.ui(ui, lab.keys) == Asked::Reset {
                self.set_by_hand();
            }
            ui.separator();
            if ui
                .button(tr("Place the bumps", "放置凸块"))
                .on_hover_text(tr(
                    "Each as high as the function is on average there.",
                    "每个凸块取函数在该段的平均高度。",
                ))
                .clicked()
            {
                self.bumps =
                    Bumps::placed(&self.target, self.bumps.heights.len(), self.bumps.steepness);
                self.set_by_hand();
            }
            if ui
                .button(tr("Flat", "压平"))
                .on_hover_text(tr("Every bump back to 0.", "所有凸块归零。"))
                .clicked()
            {
                self.bumps = Bumps::flat(self.bumps.heights.len(), self.bumps.steepness);
                self.set_by_hand();
            }
            ui.toggle_value(&mut self.draws, tr("Draw the function", "画函数"))
                .on_hover_text(tr(
                    "Drag over the plot to draw another function.",
                    "在图上拖动，画出另一个函数。",
                ));
        });
        self.train(lab.settings);
        self.score_ui(ui);
        let size = vec2(ui.available_width(), ui.available_height() - 4.0);
        let (axes, response) = Axes::show(ui, size, [0.0, 1.0], BOUNDS);
        self.curves_ui(ui, &axes);
        let pointer = response
            .interact_pointer_pos()
            .filter(|_| response.is_pointer_button_down_on());
        match pointer.map(|at| axes.to_data(at)) {
            Some(at) if self.draws => self.draw(at),
            Some(at) => self.pull(at),
            None => self.last = None,
        }
        if let Some(problem) = &self.problem {
            ui.colored_label(ui.visuals().error_fg_color, problem);
        }
    }

    fn score_ui(&self, ui: &mut Ui) {
        let steps = self.network.as_ref().map_or(0, Approximator::steps);
        let (by_hand, now) = (number(self.by_hand), number(self.now));
        let trained = match steps {
            0 => tr("not trained yet", "尚未训练").to_owned(),
            _ => tr_format!("after {steps} steps {now}", "训练 {steps} 步后 {now}"),
        };
        let inks = [0, 1].map(|place| color(place, ui.visuals()));
        ui.horizontal(|ui| {
            ui.label(tr("mean deviation:", "平均偏差："));
            ui.colored_label(
                inks[0],
                tr_format!("your weights {by_hand}", "你的权重 {by_hand}"),
            );
            ui.colored_label(inks[1], trained);
        });
    }

    fn make(&mut self, settings: &Settings) {
        let of = ["function", "bumps", "steepness"].map(|key| settings.number(key));
        if self.made_of == Some(of) {
            return;
        }
        let new_function = self.made_of.is_none_or(|before| before[0] != of[0]);
        self.made_of = Some(of);
        if new_function {
            self.target = sampled(TARGETS[of[0] as usize].of);
        }
        if new_function || self.bumps.heights.len() != of[1] as usize {
            self.bumps = Bumps::placed(&self.target, of[1] as usize, of[2]);
        }
        self.bumps.steepness = of[2];
        self.set_by_hand();
    }

    /// A new network with the weights of the bumps.
    fn set_by_hand(&mut self) {
        let made = Approximator::new(self.bumps.heights.len(), 0.001).and_then(|mut network| {
            network.set(&self.bumps)?;
            Ok(network)
        });
        self.network = made
            .map_err(|error| self.problem = Some(error.to_string()))
            .ok();
        self.player.stop();
        self.look();
        self.by_hand = self.now;
    }

    fn look(&mut self) {
        let answers = self
            .network
            .as_ref()
            .and_then(|network| network.answers().ok());
        self.answers = answers.unwrap_or_default();
        self.now = deviation(&self.answers, &self.target);
    }

    fn train(&mut self, settings: &Settings) {
        let Some(network) = &mut self.network else {
            return;
        };
        network.set_rate(settings.number("rate"));
        let most = settings.count("steps") as u64;
        let (target, problem) = (&self.target, &mut self.problem);
        let before = network.steps();
        self.player.advance(|| {
            let done = network.step(target);
            *problem = done.err().map(|error| error.to_string());
            problem.is_none() && network.steps() < most
        });
        if network.steps() != before {
            self.look();
        }
    }

    fn curves_ui(&self, ui: &Ui, axes: &Axes) {
        let ink = ui.visuals().text_color();
        let [hand, net] = [color(0, ui.visuals()), color(1, ui.visuals())];
        let count = self.bumps.heights.len() as f64;
        let painter = ui.painter_at(axes.rect);
        for (n, height) in self.bumps.heights.iter().enumerate() {
            let ends = [[n as f64 / count, 0.0], [(n as f64 + 1.0) / count, *height]];
            let [a, b] = ends.map(|end| axes.to_screen(end));
            let rect = egui::Rect::from_two_pos(a, b).shrink2(vec2(1.0, 0.0));
            painter.rect_filled(rect, 0.0, hand.gamma_multiply(0.35));
            painter.hline(rect.x_range(), b.y, Stroke::new(2.0, hand));
        }
        let curve =
            |values: &[f64]| -> Vec<[f64; 2]> { xs().zip(values).map(|(x, y)| [x, *y]).collect() };
        axes.line(ui, &curve(&self.target), Stroke::new(2.0, ink));
        axes.line(ui, &curve(&self.answers), Stroke::new(2.0, net));
        let Some(network) = self.network.as_ref().filter(|network| network.steps() > 0) else {
            return;
        };
        // Where training has moved the steps: the ticks at the bottom.
        for [s, weight] in network.steps_at() {
            let at = axes.to_screen([s, BOUNDS[0]]);
            let reach = (weight.abs() as f32 * 24.0).clamp(3.0, 24.0);
            painter.vline(at.x, at.y - reach..=at.y, Stroke::new(1.5, net));
        }
    }

    /// Pulls the bump under the pointer to its height.
    fn pull(&mut self, [x, y]: [f64; 2]) {
        let count = self.bumps.heights.len();
        let place = ((x * count as f64).max(0.0) as usize).min(count - 1);
        self.bumps.heights[place] = y.clamp(BOUNDS[0], BOUNDS[1]);
        self.set_by_hand();
    }

    /// Draws the function from the last place of the pointer to this one.
    fn draw(&mut self, at: [f64; 2]) {
        let from = self.last.replace(at).unwrap_or(at);
        let (a, b) = if from[0] <= at[0] {
            (from, at)
        } else {
            (at, from)
        };
        let half = 0.5 / self.target.len().max(1) as f64;
        for (x, value) in xs().zip(&mut self.target) {
            if (a[0] - half..=b[0] + half).contains(&x) {
                let part = ((x - a[0]) / (b[0] - a[0]).max(1e-9)).clamp(0.0, 1.0);
                *value = (a[1] + part * (b[1] - a[1])).clamp(BOUNDS[0], BOUNDS[1]);
            }
        }
        self.look();
        self.by_hand = self.now;
    }

    fn towers_ui(&mut self, ui: &mut Ui, settings: &Settings) {
        let side = settings.count("towers");
        let key = [side, settings.number("steepness") as usize];
        if self.towers.is_none_or(|(of, _)| of != key) {
            let steepness = settings.number("steepness");
            let built = towers::Towers::placed(side, steepness);
            let range = Range { lo: -1.0, hi: 1.0 };
            let shade = |value: &f64| rgb(ColorMap::Diverging.of(*value as f32, range));
            let values = [
                towers::picture(towers::target),
                towers::picture(|x, y| built.value(x, y)),
            ];
            for (picture, values) in self.pictures.iter_mut().zip(&values) {
                let pixels = values.iter().map(shade).collect();
                picture.set(ui, [towers::SIDE, towers::SIDE], pixels, false);
            }
            self.towers = Some((key, deviation(&values[0], &values[1])));
        }
        let found = number(self.towers.map_or(f64::NAN, |(_, found)| found));
        let (towers, hidden) = (side * side, 4 * side);
        ui.label(tr_format!(
            "{towers} towers from {hidden} steps · mean deviation {found}",
            "{towers} 座塔，由 {hidden} 个阶跃构成 · 平均偏差 {found}"
        ));
        let width = (ui.available_width() - 12.0) / 2.0;
        let length = width.min(ui.available_height() - 28.0);
        let titles = [
            tr("the function f(x, y)", "函数 f(x, y)"),
            tr("its towers", "塔的近似"),
        ];
        ui.horizontal(|ui| {
            for (picture, title) in self.pictures.iter().zip(titles) {
                ui.vertical(|ui| {
                    ui.label(title);
                    let (axes, _) = Axes::show(ui, vec2(length, length), [0.0, 1.0], [0.0, 1.0]);
                    axes.picture(ui, picture);
                });
            }
        });
    }
}
