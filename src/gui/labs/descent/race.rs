//! All solvers over one surface, seen from above.

use egui::{Color32, Id, Stroke, Ui, vec2};

use crate::gui::labs::Lab;
use crate::gui::labs::canvas::{Axes, Picture, rgb};
use crate::gui::labs::player::{Asked, Player};
use crate::gui::plots::{color, number, short};
use crate::i18n::{tr, tr_format};
use crate::inspect::{ColorMap, Range};
use crate::labs::Settings;
use crate::labs::descent::race::Race;
use crate::labs::descent::surface::{REACH, Surface};
use crate::labs::descent::{SOLVERS, SURFACES_START};

const SIDE: usize = 120;

pub struct RaceView {
    race: Option<Race>,
    start: [f64; 2],
    made_of: Option<Settings>,
    picture: Picture,
    shown: [bool; SOLVERS.len()],
    player: Player,
    problem: Option<String>,
}

impl Default for RaceView {
    fn default() -> Self {
        Self {
            race: None,
            start: SURFACES_START[0],
            made_of: None,
            picture: Picture::default(),
            shown: [true; SOLVERS.len()],
            player: Player::new(30.0, 500.0),
            problem: None,
        }
    }
}

impl RaceView {
    pub fn ui(&mut self, ui: &mut Ui, lab: &mut Lab<'_>) {
        ui.horizontal(|ui| {
            if self.player.ui(ui, lab.keys) == Asked::Reset {
                self.made_of = None;
            }
        });
        self.make(ui, lab.settings);
        let problem = &mut self.problem;
        if let Some(race) = &mut self.race {
            self.player.advance(|| {
                *problem = race.step().err().map(|error| error.to_string());
                problem.is_none() && race.steps < 20_000
            });
        }
        if let Some(problem) = &self.problem {
            ui.colored_label(ui.visuals().error_fg_color, problem);
        }
        let room = ui.available_size();
        let side = room.y.min(room.x - 236.0).max(160.0) - 4.0;
        ui.horizontal_top(|ui| {
            let bounds = [-REACH, REACH];
            let (axes, _) = Axes::show(ui, vec2(side, side), bounds, bounds);
            axes.picture(ui, &self.picture);
            self.paths_ui(ui, &axes);
            ui.add_space(8.0);
            ui.vertical(|ui| self.table_ui(ui));
        });
    }

    fn make(&mut self, ui: &Ui, settings: &Settings) {
        let new_surface = self
            .made_of
            .as_ref()
            .is_none_or(|before| before.count("surface") != settings.count("surface"));
        if self.made_of.as_ref() == Some(settings) {
            return;
        }
        if new_surface
            && self
                .race
                .as_ref()
                .is_none_or(|race| race.surface.kind != settings.count("surface"))
        {
            self.start = SURFACES_START[settings.count("surface")];
        }
        self.made_of = Some(settings.clone());
        self.begin(settings);
        if let Some(race) = &self.race {
            self.picture
                .set(ui, [SIDE, SIDE], contours(&race.surface), true);
        }
    }

    fn begin(&mut self, settings: &Settings) {
        let made = Race::new(settings, self.start);
        self.race = made
            .map_err(|error| self.problem = Some(error.to_string()))
            .ok();
        self.player.stop();
    }

    fn paths_ui(&mut self, ui: &Ui, axes: &Axes) {
        let Some(race) = &self.race else { return };
        for (n, runner) in race
            .runners
            .iter()
            .enumerate()
            .filter(|(n, _)| self.shown[*n])
        {
            let ink = color(n, ui.visuals());
            let from = runner.path.len().saturating_sub(3000);
            axes.line(
                ui,
                &runner.path[from..],
                Stroke::new(4.0, Color32::from_black_alpha(120)),
            );
            axes.line(ui, &runner.path[from..], Stroke::new(2.2, ink));
            axes.dot(ui, runner.at(), 5.5, ink);
        }
        if let Some(at) = race.surface.minimum() {
            let at = axes.to_screen(at);
            let stroke = Stroke::new(1.5, Color32::WHITE);
            ui.painter()
                .line_segment([at - vec2(5.0, 5.0), at + vec2(5.0, 5.0)], stroke);
            ui.painter()
                .line_segment([at - vec2(5.0, -5.0), at + vec2(5.0, -5.0)], stroke);
        }
        if let Some(to) = axes.handle(ui, Id::new("race start"), self.start, Color32::WHITE) {
            self.start = to.map(|value| value.clamp(-REACH, REACH));
            if let Some(settings) = self.made_of.clone() {
                self.begin(&settings);
            }
        }
    }

    fn table_ui(&mut self, ui: &mut Ui) {
        let Some(race) = &self.race else { return };
        let steps = race.steps;
        ui.label(tr_format!("step {steps}", "第 {steps} 步"));
        ui.label(tr("Drag the white dot: the start.", "拖动白点改变起点。"));
        egui::Grid::new("race")
            .spacing(vec2(10.0, 5.0))
            .show(ui, |ui| {
                for heading in ["", tr("value", "函数值"), tr("arrived", "到达")] {
                    ui.weak(heading);
                }
                ui.end_row();
                for (n, runner) in race.runners.iter().enumerate() {
                    let ink = color(n, ui.visuals());
                    let name = egui::RichText::new(runner.name().get()).color(ink);
                    let hint = short(runner.rate());
                    ui.checkbox(&mut self.shown[n], name)
                        .on_hover_text(format!("η = {hint}"));
                    ui.label(number(race.surface.value(runner.at())));
                    let arrived = runner
                        .arrived
                        .map_or("–".to_owned(), |step| step.to_string());
                    ui.label(arrived).on_hover_text(tr(
                        "The step after which it was within 1 % of the start's height.",
                        "降到起点高度 1 % 以内的步数。",
                    ));
                    ui.end_row();
                }
            });
    }
}

/// The surface's height as colours, with lines of equal height.
fn contours(surface: &Surface) -> Vec<Color32> {
    let place = |n: usize| REACH * (2.0 * (n as f64 + 0.5) / SIDE as f64 - 1.0);
    let places = (0..SIDE * SIDE).map(|n| [place(n % SIDE), -place(n / SIDE)]);
    let values: Vec<f64> = places.map(|at| surface.value(at)).collect();
    shade(&values)
}

/// Heights by their roots, so that the floor is told apart, in twenty shades.
pub fn shade(values: &[f64]) -> Vec<Color32> {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let roots: Vec<f32> = values
        .iter()
        .map(|value| (value - least).max(0.0).sqrt() as f32)
        .collect();
    let range = Range {
        lo: 0.0,
        hi: Range::of(&roots).hi,
    };
    let shade = |root: &f32| {
        let place = range.place(*root);
        let level = (place * 20.0).floor() / 20.0;
        rgb(ColorMap::Viridis.rgb(level)).gamma_multiply(0.8)
    };
    roots
        .iter()
        .map(shade)
        .map(|color| color.to_opaque())
        .collect()
}
