//! The view of gradient descent: a ball on a parabola, solvers racing over a surface, and the
//! real surface around a trained network.

mod landscape;
mod race;

use egui::{Align2, Id, Stroke, Ui, vec2};

use super::canvas::Axes;
use super::player::{Asked, Player};
use super::{BenchView, Lab};
use crate::gui::plots::{color, short};
use crate::i18n::{tr, tr_format};
use crate::labs::descent::line::{best_rate, step};
use landscape::LandscapeView;
use race::RaceView;

pub struct DescentView {
    /// Where the ball has been.
    path: Vec<f64>,
    /// The curvature and the best rate that was measured for it.
    measured: Option<[f64; 2]>,
    player: Player,
    race: RaceView,
    landscape: LandscapeView,
}

impl Default for DescentView {
    fn default() -> Self {
        Self {
            path: vec![-1.6],
            measured: None,
            player: Player::new(3.0, 60.0),
            race: RaceView::default(),
            landscape: LandscapeView::default(),
        }
    }
}

impl BenchView for DescentView {
    fn ui(&mut self, ui: &mut Ui, lab: &mut Lab<'_>) {
        match lab.settings.count("show") {
            0 => self.rate_ui(ui, lab),
            1 => self.race.ui(ui, lab),
            _ => self.landscape.ui(ui, lab),
        }
    }
}

impl DescentView {
    fn rate_ui(&mut self, ui: &mut Ui, lab: &mut Lab<'_>) {
        let [curvature, rate] = ["curvature", "rate"].map(|key| lab.settings.number(key));
        ui.horizontal_wrapped(|ui| {
            if self.player.ui(ui, lab.keys) == Asked::Reset {
                self.path.truncate(1);
            }
            ui.separator();
            for factor in [0.5, 1.0, 1.5, 2.0, 2.2] {
                let button = ui.button(format!("{factor} / f″"));
                if button
                    .on_hover_text(tr("Sets the learning rate.", "设置学习率。"))
                    .clicked()
                {
                    lab.settings.set("rate", factor / curvature);
                    self.path.truncate(1);
                }
            }
        });
        let path = &mut self.path;
        self.player.advance(|| {
            let x = path.last().copied().unwrap_or_default();
            let next = step(curvature, rate, x);
            path.push(next);
            next.abs() < 1e4 && next.abs() > 1e-6
        });
        self.facts_ui(ui, curvature, rate);
        let size = vec2(ui.available_width(), ui.available_height() - 4.0);
        let top = 2.2 * curvature;
        let (axes, _) = Axes::show(ui, size, [-2.2, 2.2], [-0.08 * top, 1.1 * top]);
        let f = |x: f64| 0.5 * curvature * x * x;
        let curve: Vec<[f64; 2]> = (0..=300)
            .map(|n| -2.2 + f64::from(n) * 4.4 / 300.0)
            .map(|x| [x, f(x)])
            .collect();
        axes.line(ui, &curve, Stroke::new(2.2, ui.visuals().text_color()));
        let ink = color(1, ui.visuals());
        let trail: Vec<[f64; 2]> = self.path.iter().map(|x| [*x, f(*x)]).collect();
        axes.line(ui, &trail, Stroke::new(1.3, ink.gamma_multiply(0.7)));
        for point in trail.iter().take(200) {
            if point[0].abs() < 2.3 {
                axes.dot(ui, *point, 3.0, ink);
            }
        }
        let x = self.path.last().copied().unwrap_or_default();
        // The slope, and where the next step of this rate would land.
        let next = step(curvature, rate, x);
        axes.arrow(
            ui,
            [x, f(x)],
            [next, f(x)],
            Stroke::new(2.0, color(2, ui.visuals())),
        );
        if x.abs() < 2.2 {
            if let Some([x, _]) = axes.handle(ui, Id::new("ball"), [x, f(x)], ink) {
                self.path = vec![x.clamp(-2.1, 2.1)];
                self.player.stop();
            }
        } else {
            let text = tr(
                "The ball has flown away: R begins anew.",
                "小球已飞走：按 R 重新开始。",
            );
            let at = axes.rect.center();
            let ink = ui.visuals().error_fg_color;
            let font = egui::FontId::proportional(16.0);
            ui.painter()
                .text(at, Align2::CENTER_CENTER, text, font, ink);
        }
    }

    fn facts_ui(&mut self, ui: &mut Ui, curvature: f64, rate: f64) {
        if self.measured.is_none_or(|[of, _]| of != curvature) {
            self.measured = Some([curvature, best_rate(curvature)]);
        }
        let best = short(self.measured.map_or(f64::NAN, |[_, best]| best));
        let [inverse, product, twice] =
            [1.0 / curvature, rate * curvature, 2.0 / curvature].map(short);
        let steps = self.path.len() - 1;
        let x = short(self.path.last().copied().unwrap_or_default());
        ui.label(tr_format!(
            "1 / f″ = {inverse} · measured best rate {best} · diverges above {twice}",
            "1 / f″ = {inverse} · 测得最佳学习率 {best} · 超过 {twice} 发散"
        ));
        let says = match rate * curvature {
            r if r < 0.98 => tr("creeps down one side", "沿一侧缓慢下降"),
            r if r <= 1.02 => tr("arrives in one step", "一步到达"),
            r if r < 1.98 => tr("jumps from side to side, and arrives", "左右跳跃，仍能到达"),
            r if r <= 2.02 => tr("jumps for ever", "永远来回跳"),
            _ => tr("flies away", "飞走（发散）"),
        };
        ui.label(tr_format!(
            "η f″ = {product}: {says} · step {steps}, x = {x}",
            "η f″ = {product}：{says} · 第 {steps} 步，x = {x}"
        ));
    }
}
