//! Two networks of as many parameters on the spiral, with what their units detect.

use egui::{RichText, Ui, vec2};

use crate::gui::labs::Lab;
use crate::gui::labs::canvas::{Axes, Picture};
use crate::gui::labs::chart::{Chart, Curve};
use crate::gui::labs::neuron::{points_ui, shades};
use crate::gui::labs::player::{Asked, Player};
use crate::gui::plots::percent;
use crate::i18n::{tr, tr_format};
use crate::labs::Settings;
use crate::labs::depth::duel::Duel;
use crate::labs::neuron::network::{Network, REACH};

const SIDE: usize = 28;
/// Neurons of a layer that are shown.
const SHOWN: usize = 16;

pub struct DuelView {
    duel: Option<Duel>,
    made_of: Option<[f64; 4]>,
    player: Player,
    pictures: [Vec<Vec<Picture>>; 2],
    /// Frames, over and over, and the steps after which each network was painted.
    frame: u8,
    painted: [Option<u64>; 2],
    accuracies: [f64; 2],
    problem: Option<String>,
}

impl Default for DuelView {
    fn default() -> Self {
        Self {
            duel: None,
            made_of: None,
            player: Player::new(100.0, 1000.0),
            pictures: Default::default(),
            frame: 3,
            painted: [None; 2],
            accuracies: [f64::NAN; 2],
            problem: None,
        }
    }
}

impl DuelView {
    pub fn ui(&mut self, ui: &mut Ui, lab: &mut Lab<'_>) {
        ui.horizontal(|ui| {
            if self.player.ui(ui, lab.keys) == Asked::Reset {
                self.made_of = None;
            }
        });
        self.make(lab.settings);
        let problem = &mut self.problem;
        if let Some(duel) = &mut self.duel {
            self.player.advance(|| {
                *problem = duel.step().err().map(|error| error.to_string());
                problem.is_none()
            });
        }
        if let Some(problem) = &self.problem {
            ui.colored_label(ui.visuals().error_fg_color, problem);
        }
        self.paint(ui);
        let room = ui.available_size();
        let chart = 130.0;
        let half = vec2((room.x - 16.0) / 2.0, room.y - chart - 12.0);
        ui.horizontal(|ui| {
            for which in 0..2 {
                ui.allocate_ui(half, |ui| {
                    ui.set_min_size(half);
                    ui.vertical(|ui| self.network_ui(ui, which));
                });
            }
        });
        self.losses_ui(ui, vec2(room.x, chart));
    }

    fn make(&mut self, settings: &Settings) {
        let of = ["layers", "unit", "rate", "seed"].map(|key| settings.number(key));
        if self.made_of == Some(of) {
            return;
        }
        self.made_of = Some(of);
        self.painted = [None; 2];
        self.problem = None;
        let made = Duel::new(settings);
        self.duel = made
            .map_err(|error| self.problem = Some(error.to_string()))
            .ok();
    }

    /// Paints the networks in turn, each after some frames, so that a frame stays short.
    fn paint(&mut self, ui: &Ui) {
        let Some(duel) = &self.duel else { return };
        self.frame = (self.frame + 1) % 8;
        let which = usize::from(self.frame >= 4);
        let now = duel.deep.steps();
        if self.painted[which] == Some(now) || !self.frame.is_multiple_of(4) {
            if self.painted != [Some(now); 2] {
                ui.ctx().request_repaint();
            }
            return;
        }
        self.painted[which] = Some(now);
        let network = [&duel.shallow, &duel.deep][which];
        self.accuracies[which] = network.accuracy().unwrap_or(f64::NAN);
        let Ok(maps) = network.maps(SIDE) else { return };
        let last = maps.len() - 1;
        let pictures = &mut self.pictures[which];
        pictures.resize_with(maps.len(), Vec::new);
        for (layer, neurons) in maps.iter().enumerate() {
            pictures[layer].resize_with(neurons.len().min(SHOWN), Picture::default);
            for (picture, map) in pictures[layer].iter_mut().zip(neurons) {
                let answer = |value: &f64| match layer == last {
                    true => 2.0 * value - 1.0,
                    false => value.tanh(),
                };
                let answers: Vec<f64> = map.iter().map(answer).collect();
                picture.set(ui, [SIDE, SIDE], shades(&answers), true);
            }
        }
    }

    fn network_ui(&self, ui: &mut Ui, which: usize) {
        let Some(duel) = &self.duel else { return };
        let network: &Network = if which == 0 {
            &duel.shallow
        } else {
            &duel.deep
        };
        let name = [tr("Shallow", "浅网络"), tr("Deep", "深网络")][which];
        let shape = network
            .shape
            .iter()
            .map(usize::to_string)
            .collect::<Vec<_>>()
            .join(" – ");
        let (parameters, accuracy) = (network.parameters(), percent(self.accuracies[which]));
        ui.label(RichText::new(name).strong());
        ui.label(tr_format!(
            "2 – {shape} – 1 · {parameters} parameters · test accuracy {accuracy}",
            "2 – {shape} – 1 · {parameters} 个参数 · 测试准确率 {accuracy}"
        ));
        let pictures = &self.pictures[which];
        let Some((output, hidden)) = pictures.split_last() else {
            return;
        };
        let rows: usize = hidden.iter().map(|layer| layer.len().div_ceil(8)).sum();
        let tile = ((ui.available_width() - 8.0) / 8.0 - 4.0).clamp(10.0, 46.0);
        let taken = rows as f32 * (tile + 4.0) + hidden.len() as f32 * 18.0;
        for (n, layer) in hidden.iter().enumerate() {
            let place = n + 1;
            let text = tr_format!("layer {place}", "第 {place} 层");
            ui.label(RichText::new(text).small().weak());
            for row in layer.chunks(8) {
                ui.horizontal(|ui| {
                    ui.spacing_mut().item_spacing = vec2(4.0, 2.0);
                    for picture in row {
                        let (rect, _) =
                            ui.allocate_exact_size(vec2(tile, tile), egui::Sense::hover());
                        picture.paint(ui, rect);
                    }
                });
            }
        }
        let room = ui.available_size();
        let side = room.x.min(room.y.min(900.0 - taken)).max(90.0);
        let (axes, _) = Axes::show(ui, vec2(side, side), [-REACH, REACH], [-REACH, REACH]);
        if let Some(picture) = output.first() {
            axes.picture(ui, picture);
        }
        points_ui(ui, &axes, &duel.points, 2.5);
    }

    fn losses_ui(&self, ui: &mut Ui, size: egui::Vec2) {
        let Some(duel) = &self.duel else { return };
        let curve = |place: usize, name: &str, network: &Network| {
            let losses = network.losses.iter().enumerate();
            let points = losses
                .map(|(n, losses)| [n as f64 * 10.0, losses[1]])
                .collect();
            Curve::new(ui, place, name, points)
        };
        let curves = vec![
            curve(
                0,
                tr("shallow: test loss", "浅网络：测试损失"),
                &duel.shallow,
            ),
            curve(1, tr("deep: test loss", "深网络：测试损失"), &duel.deep),
        ];
        let chart = Chart {
            id: "duel",
            size,
            log: false,
            legend: true,
            x: "",
            y: "",
            include: &[0.0],
        };
        chart.ui(ui, curves);
    }
}
