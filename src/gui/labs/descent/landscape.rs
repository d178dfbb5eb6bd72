//! The loss around a trained network, found a few numbers a frame.

use egui::{Color32, Sense, Ui, vec2};

use super::race::shade;
use crate::gui::labs::Lab;
use crate::gui::labs::canvas::{Axes, Picture};
use crate::gui::labs::player::{Asked, Player};
use crate::gui::plots::number;
use crate::i18n::{tr, tr_format};
use crate::labs::descent::landscape::{Landscape, SIDE, STEPS};

pub struct LandscapeView {
    landscape: Option<Landscape>,
    made_of: Option<[f64; 3]>,
    /// Steps of training before the picture.
    trained: u64,
    picture: Picture,
    player: Player,
    problem: Option<String>,
}

impl Default for LandscapeView {
    fn default() -> Self {
        let mut player = Player::new(800.0, 4000.0);
        player.play();
        Self {
            landscape: None,
            made_of: None,
            trained: 100,
            picture: Picture::default(),
            player,
            problem: None,
        }
    }
}

impl LandscapeView {
    pub fn ui(&mut self, ui: &mut Ui, lab: &mut Lab<'_>) {
        ui.horizontal_wrapped(|ui| {
            if self.player.ui(ui, lab.keys) == Asked::Reset {
                self.made_of = None;
            }
            ui.separator();
            ui.label(tr("trained for", "已训练"));
            for steps in [0, 20, 100, STEPS] {
                let text = tr_format!("{steps} steps", "{steps} 步");
                ui.selectable_value(&mut self.trained, steps, text);
            }
        });
        let of = [
            lab.settings.number("reach"),
            lab.settings.number("seed"),
            self.trained as f64,
        ];
        if self.made_of != Some(of) {
            self.made_of = Some(of);
            let made = Landscape::new(lab.settings, self.trained);
            self.problem = made.as_ref().err().map(ToString::to_string);
            self.landscape = made.ok();
            self.player.play();
            ui.ctx().request_repaint();
        }
        if let Some(problem) = &self.problem {
            ui.colored_label(ui.visuals().error_fg_color, problem);
        }
        let Some(landscape) = &mut self.landscape else {
            return;
        };
        let before = landscape.losses.len();
        let problem = &mut self.problem;
        self.player.advance(|| {
            if !landscape.is_done() {
                *problem = landscape.step().err().map(|error| error.to_string());
            }
            !landscape.is_done() && problem.is_none()
        });
        if landscape.losses.len() != before || !self.picture.is_set() {
            let mut pixels = shade(&landscape.losses);
            pixels.resize(SIDE * SIDE, Color32::from_gray(40));
            self.picture
                .set(ui, [SIDE, SIDE], pixels, landscape.is_done());
        }
        let middle = landscape
            .losses
            .get(SIDE * SIDE / 2)
            .copied()
            .unwrap_or(f64::NAN);
        let worst = landscape
            .losses
            .iter()
            .copied()
            .fold(f64::NEG_INFINITY, f64::max);
        let (middle, worst, found) = (number(middle), number(worst), landscape.losses.len());
        ui.label(tr_format!(
            "loss of the network itself {middle} · highest {worst} · {found} losses found",
            "网络自身的损失 {middle} · 最高 {worst} · 已计算 {found} 个损失"
        ));
        let room = ui.available_size();
        let side = room.x.min(room.y) - 4.0;
        let reach = lab.settings.number("reach");
        let (axes, _) = Axes::show(ui, vec2(side, side), [-reach, reach], [-reach, reach]);
        axes.picture(ui, &self.picture);
        axes.dot(ui, [0.0, 0.0], 5.0, Color32::WHITE);
        let hover = ui.interact(axes.rect, ui.id().with("landscape"), Sense::hover());
        if let Some(at) = hover.hover_pos().map(|at| axes.to_data(at)) {
            let place = |value: f64| {
                (((value / reach + 1.0) / 2.0 * SIDE as f64).max(0.0) as usize).min(SIDE - 1)
            };
            let n = (SIDE - 1 - place(at[1])) * SIDE + place(at[0]);
            if let Some(loss) = landscape.losses.get(n) {
                let text = number(*loss);
                hover.on_hover_text_at_pointer(tr_format!("loss {text}", "损失 {text}"));
            }
        }
    }
}
