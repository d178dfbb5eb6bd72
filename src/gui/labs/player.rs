//! Play, pause, step, reset and speed of a simulation, by buttons and keys.
//!
//! Invariant: one frame works no longer than its budget, however fast the simulation is asked to
//! run.

use std::time::{Duration, Instant};

use egui::{Key, Modifiers, Slider, Ui};

use crate::i18n::tr;

/// A frame's time for a simulation; 60 frames a second leave 16 ms for everything.
const BUDGET: Duration = Duration::from_millis(4);

pub struct Player {
    playing: bool,
    /// Steps a second.
    pub speed: f64,
    fastest: f64,
    /// Steps that are due, in part.
    owed: f64,
    steps: u32,
}

/// What a person asked for in this frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    Nothing,
    Reset,
}

impl Player {
    pub fn new(speed: f64, fastest: f64) -> Self {
        Self {
            playing: false,
            speed,
            fastest,
            owed: 0.0,
            steps: 0,
        }
    }

    pub fn is_playing(&self) -> bool {
        self.playing
    }

    pub fn stop(&mut self) {
        self.playing = false;
        self.steps = 0;
    }

    pub fn play(&mut self) {
        self.playing = true;
    }

    /// The buttons; `keys`: Space, the full stop and R work too.
    pub fn ui(&mut self, ui: &mut Ui, keys: bool) -> Asked {
        let pressed = |key| keys && ui.input_mut(|input| input.consume_key(Modifiers::NONE, key));
        let (space, dot, r) = (pressed(Key::Space), pressed(Key::Period), pressed(Key::R));
        let name = match self.playing {
            true => tr("⏸ Pause", "⏸ 暂停"),
            false => tr("▶ Play", "▶ 播放"),
        };
        let play = ui.add(egui::Button::new(name).min_size(egui::vec2(74.0, 0.0)));
        if play.on_hover_text(tr("Space", "空格键")).clicked() || space {
            self.playing = !self.playing;
        }
        let step = ui
            .button(tr("Step", "单步"))
            .on_hover_text(tr("full stop", "句点键"));
        let stepped = step.clicked() || dot;
        let reset = ui.button(tr("Reset", "重置")).on_hover_text("R").clicked() || r;
        ui.spacing_mut().slider_width = 90.0;
        let slider = Slider::new(&mut self.speed, 1.0..=self.fastest);
        let slider = slider.logarithmic(true).max_decimals(0).show_value(true);
        ui.add(slider)
            .on_hover_text(tr("steps a second", "每秒步数"));
        self.steps = u32::from(stepped);
        if stepped {
            self.playing = false;
        }
        if self.playing {
            let seconds = f64::from(ui.input(|input| input.stable_dt)).min(0.1);
            // What could not be done in time is not owed for ever.
            self.owed = (self.owed + seconds * self.speed).min(self.speed * 0.25 + 1.0);
            self.steps += self.owed as u32;
            self.owed = self.owed.fract();
            ui.ctx().request_repaint();
        }
        match reset {
            true => Asked::Reset,
            false => Asked::Nothing,
        }
    }

    /// Does the steps that are due, as many as there is time for; a step that says `false` is
    /// the last.
    pub fn advance(&mut self, mut step: impl FnMut() -> bool) {
        let begun = Instant::now();
        while self.steps > 0 {
            self.steps -= 1;
            if !step() {
                self.stop();
            }
            if begun.elapsed() > BUDGET {
                self.steps = 0;
            }
        }
    }
}
