//! The view of the neuron, the perceptron rule and the small network.

mod draw;
mod network;
mod read;

use egui::{Color32, Id, Stroke, Ui, vec2};

use super::canvas::{Axes, Picture, rgb};
use super::player::{Asked, Player};
use super::{BenchView, Lab};
use crate::gui::plots::{color, short};
use crate::i18n::tr;
use crate::i18n::tr_format;
use crate::inspect::{ColorMap, Range};
use crate::labs::Settings;
use crate::labs::neuron::COUNT;
use crate::labs::neuron::network::{REACH, grid};
use crate::labs::neuron::perceptron::Perceptron;
use crate::labs::neuron::points::{OWN, Point, points};
use network::NetworkView;

/// Numbers on a side of the picture behind a line.
const SIDE: usize = 60;

pub struct NeuronView {
    /// The line that is dragged, and the one that the rule moves.
    hand: Perceptron,
    line: Perceptron,
    last: Option<(usize, bool)>,
    points: Vec<Point>,
    own: Vec<Point>,
    /// What the points were made from.
    made_of: Option<[f64; 3]>,
    player: Player,
    network: NetworkView,
    picture: Picture,
    painted: Option<Perceptron>,
}

impl Default for NeuronView {
    fn default() -> Self {
        Self {
            hand: Perceptron {
                weights: [0.6, -0.3],
                bias: 0.5,
                ..Perceptron::default()
            },
            line: Perceptron::default(),
            last: None,
            points: Vec::new(),
            own: Vec::new(),
            made_of: None,
            player: Player::new(4.0, 500.0),
            network: NetworkView::default(),
            picture: Picture::default(),
            painted: None,
        }
    }
}

impl BenchView for NeuronView {
    fn ui(&mut self, ui: &mut Ui, lab: &mut Lab<'_>) {
        self.make_points(lab.settings);
        match lab.settings.count("show") {
            0 => self.hand_ui(ui),
            1 => self.rule_ui(ui, lab),
            _ => {
                let added = self.network.ui(ui, lab, &self.points);
                self.add(added, lab.settings);
            }
        }
    }
}

impl NeuronView {
    fn make_points(&mut self, settings: &Settings) {
        let of = ["data", "noise", "seed"].map(|key| settings.number(key));
        if self.made_of == Some(of) {
            return;
        }
        self.made_of = Some(of);
        self.points = match of[0] as usize {
            OWN => self.own.clone(),
            kind => points(kind, COUNT, of[1], of[2] as u64),
        };
        self.line = Perceptron::default();
        self.last = None;
        self.network.renew();
    }

    /// A point that was drawn goes to those that are there; from then on they are one's own.
    fn add(&mut self, drawn: network::Drawn, settings: &mut Settings) {
        match drawn {
            network::Drawn::Nothing => return,
            network::Drawn::Point(point) => self.points.push(point),
            network::Drawn::All(points) => self.points = points,
        }
        self.own = self.points.clone();
        settings.set("data", OWN as f64);
        self.made_of = Some(["data", "noise", "seed"].map(|key| settings.number(key)));
        self.network.renew();
    }

    fn hand_ui(&mut self, ui: &mut Ui) {
        let w1 = short(self.hand.weights[0]);
        let [w2, b] = [self.hand.weights[1], self.hand.bias].map(signed);
        let total = self.points.len();
        let right = total - self.hand.mistakes(&self.points);
        ui.label(tr_format!(
            "y = σ({w1} x₁ {w2} x₂ {b}) · right: {right} of {total}",
            "y = σ({w1} x₁ {w2} x₂ {b}) · 分对：{right} / {total}"
        ));
        let line = self.hand;
        let axes = self.plane_ui(ui, line, true);
        let ink = ui.visuals().strong_text_color();
        let [w1, w2] = line.weights;
        let length = w1.hypot(w2).max(1e-6);
        // The foot of the line's normal, and the tip of the weights on it.
        let foot = [
            -w1 * line.bias / length.powi(2),
            -w2 * line.bias / length.powi(2),
        ];
        let foot = foot.map(|value| value.clamp(-REACH, REACH));
        let tip = [foot[0] + 3.0 * w1, foot[1] + 3.0 * w2];
        axes.arrow(ui, foot, tip, Stroke::new(2.5, ink));
        let accent = color(1, ui.visuals());
        if let Some([x, y]) = axes.handle(ui, Id::new("weights tip"), tip, accent) {
            self.hand.weights = [(x - foot[0]) / 3.0, (y - foot[1]) / 3.0];
            // The line stays at the foot while its arrow turns.
            let [w1, w2] = self.hand.weights;
            self.hand.bias = -(w1 * foot[0] + w2 * foot[1]);
        }
        if let Some([x, y]) = axes.handle(ui, Id::new("line foot"), foot, color(0, ui.visuals())) {
            self.hand.bias = -(w1 * x + w2 * y);
        }
    }

    fn rule_ui(&mut self, ui: &mut Ui, lab: &Lab<'_>) {
        ui.horizontal(|ui| {
            if self.player.ui(ui, lab.keys) == Asked::Reset {
                self.line = Perceptron::default();
                self.last = None;
            }
        });
        let points = &self.points;
        let (line, last) = (&mut self.line, &mut self.last);
        self.player.advance(|| {
            *last = line.step(points);
            line.mistakes(points) > 0
        });
        let wrong = self.line.mistakes(&self.points);
        let (updates, visits) = (self.line.updates, self.line.visits);
        let [w1, w2] = self.line.weights.map(short);
        let b = short(self.line.bias);
        ui.label(tr_format!(
            "w = ({w1}, {w2}), b = {b} · visits {visits} · corrections {updates} · wrong {wrong}",
            "w = ({w1}, {w2})，b = {b} · 访问 {visits} · 修正 {updates} · 分错 {wrong}"
        ));
        let line = self.line;
        let axes = self.plane_ui(ui, line, false);
        let Some((place, corrected)) = self.last else {
            return;
        };
        let Some(point) = self.points.get(place) else {
            return;
        };
        let ink = if corrected {
            ui.visuals().error_fg_color
        } else {
            ui.visuals().strong_text_color()
        };
        let at = axes.to_screen(point.at);
        ui.painter().circle_stroke(at, 9.0, Stroke::new(2.0, ink));
        if corrected {
            let word = tr("wrong: the line is pulled", "分错：直线被拉动");
            axes.text(
                ui,
                point.at,
                egui::Align2::LEFT_BOTTOM,
                &format!("   {word}"),
                ink,
            );
        }
    }

    /// The plane with the points, the line, and on which side of it the neuron says what.
    fn plane_ui(&mut self, ui: &mut Ui, line: Perceptron, smooth: bool) -> Axes {
        let side = ui
            .available_width()
            .min(ui.available_height() - 4.0)
            .max(200.0);
        let bounds = [-REACH, REACH];
        let (axes, _) = Axes::show(ui, vec2(side, side), bounds, bounds);
        if self.painted != Some(line) || !self.picture.is_set() {
            let scale = if smooth { 1.0 } else { 40.0 };
            let answers: Vec<f64> = grid(SIDE)
                .map(|at| (scale * line.score(at)).tanh())
                .collect();
            self.picture.set(ui, [SIDE, SIDE], shades(&answers), true);
            self.painted = Some(line);
        }
        axes.picture(ui, &self.picture);
        let [w1, w2] = line.weights;
        if w1 != 0.0 || w2 != 0.0 {
            let length = w1.hypot(w2);
            let foot = [
                -w1 * line.bias / length.powi(2),
                -w2 * line.bias / length.powi(2),
            ];
            let along = [-w2 / length * 30.0, w1 / length * 30.0];
            let ends = [
                [foot[0] - along[0], foot[1] - along[1]],
                [foot[0] + along[0], foot[1] + along[1]],
            ];
            axes.line(ui, &ends, Stroke::new(2.0, Color32::BLACK));
        }
        points_ui(ui, &axes, &self.points, 4.0);
        axes
    }
}

/// A number behind others that it is added to.
fn signed(value: f64) -> String {
    match value < 0.0 {
        true => format!("− {}", short(-value)),
        false => format!("+ {}", short(value)),
    }
}

/// Numbers from −1 to 1 as pale colours of the two classes.
pub fn shades(answers: &[f64]) -> Vec<Color32> {
    let range = Range { lo: -1.6, hi: 1.6 };
    let shade = |value: &f64| rgb(ColorMap::Diverging.of(*value as f32, range));
    answers.iter().map(shade).collect()
}

/// The colour of a class's points, on the pale ground of either theme.
pub fn class_color(class: u32) -> Color32 {
    match class {
        1 => Color32::from_rgb(0xc2, 0x2e, 0x16),
        _ => Color32::from_rgb(0x12, 0x4f, 0xb8),
    }
}

pub fn points_ui(ui: &Ui, axes: &Axes, points: &[Point], radius: f32) {
    let painter = ui.painter_at(axes.rect);
    let ring = Stroke::new(1.0, Color32::WHITE);
    for point in points {
        painter.circle(
            axes.to_screen(point.at),
            radius,
            class_color(point.class),
            ring,
        );
    }
}
