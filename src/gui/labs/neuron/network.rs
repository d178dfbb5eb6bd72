//! The small network: every neuron's map, the wires between them, the plane with the points.

use egui::{Pos2, Rect, Sense, Stroke, Ui, pos2, vec2};

use super::draw::{distance, input_ui, label_ui, tile_ui};
use super::read::read_points;
use super::{points_ui, shades};
use crate::gui::context::Action;
use crate::gui::labs::Lab;
use crate::gui::labs::canvas::{Axes, Picture};
use crate::gui::labs::chart::{Chart, Curve};
use crate::gui::labs::player::{Asked, Player};
use crate::gui::plots::{number, percent, short};
use crate::gui::toasts::Tone;
use crate::i18n::{tr, tr_format};
use crate::labs::Settings;
use crate::labs::neuron::network::{Network, REACH};
use crate::labs::neuron::points::Point;

/// Numbers on a side of a neuron's map, and of the output's.
const SIDE: usize = 32;
/// Steps between two notes of the losses.
const NOTED: u64 = 10;

/// What a person drew.
pub enum Drawn {
    Nothing,
    Point(Point),
    All(Vec<Point>),
}

pub struct NetworkView {
    network: Option<Network>,
    made_of: Option<Settings>,
    player: Player,
    maps: Vec<Vec<Picture>>,
    /// The steps after which the maps were painted.
    painted: Option<u64>,
    frame: u8,
    accuracy: f64,
    /// The wire that is dragged: layer, and place among its weights.
    wire: Option<(usize, usize)>,
    path: String,
    problem: Option<String>,
}

impl Default for NetworkView {
    fn default() -> Self {
        Self {
            network: None,
            made_of: None,
            player: Player::new(200.0, 2000.0),
            maps: Vec::new(),
            painted: None,
            frame: 0,
            accuracy: f64::NAN,
            wire: None,
            path: String::new(),
            problem: None,
        }
    }
}

impl NetworkView {
    /// Begins anew at the next frame.
    pub fn renew(&mut self) {
        self.made_of = None;
    }

    pub fn ui(&mut self, ui: &mut Ui, lab: &mut Lab<'_>, points: &[Point]) -> Drawn {
        self.make(lab.settings, points);
        let mut drawn = Drawn::Nothing;
        ui.horizontal_wrapped(|ui| {
            if self.player.ui(ui, lab.keys) == Asked::Reset {
                self.made_of = None;
                self.make(lab.settings, points);
            }
            if let Some(points) = self.own_points_ui(ui, lab) {
                drawn = Drawn::All(points);
            }
        });
        self.advance(lab.settings.number("rate"));
        if let Some(problem) = &self.problem {
            ui.colored_label(ui.visuals().error_fg_color, problem);
        }
        self.paint(ui);
        let Some(network) = &self.network else {
            return drawn;
        };
        let steps = network.steps();
        let accuracy = percent(self.accuracy);
        let loss = network.losses.last().map_or(f64::NAN, |losses| losses[1]);
        let loss = number(loss);
        ui.label(tr_format!(
            "step {steps} · test loss {loss} · test accuracy {accuracy}",
            "第 {steps} 步 · 测试损失 {loss} · 测试准确率 {accuracy}"
        ));
        let room = ui.available_size();
        let chart = 120.0;
        let (area, _) = ui.allocate_exact_size(vec2(room.x, room.y - chart - 8.0), Sense::hover());
        let clicked = self.diagram_ui(ui, area, points);
        self.losses_ui(ui, vec2(room.x, chart));
        match clicked {
            Some(point) => Drawn::Point(point),
            None => drawn,
        }
    }

    fn make(&mut self, settings: &Settings, points: &[Point]) {
        let mut of = settings.clone();
        // The rate changes in flight, and what is shown changes nothing.
        for key in ["rate", "show"] {
            of.set(key, 1.0);
        }
        if self.made_of.as_ref() == Some(&of) {
            return;
        }
        let made = Network::new(settings, points, settings.count("seed") as u64);
        self.network = made
            .map_err(|error| self.problem = Some(error.to_string()))
            .ok();
        self.made_of = Some(of);
        self.painted = None;
        self.wire = None;
    }

    fn advance(&mut self, rate: f64) {
        let Some(network) = &mut self.network else {
            return;
        };
        network.set_rate(rate);
        let problem = &mut self.problem;
        self.player.advance(|| {
            let done = network.step().and_then(|()| match network.steps() % NOTED {
                0 => network.note(),
                _ => Ok(()),
            });
            *problem = done.err().map(|error| error.to_string());
            problem.is_none()
        });
    }

    /// Paints the maps anew when the weights have changed.
    fn paint(&mut self, ui: &Ui) {
        let Some(network) = &self.network else { return };
        // While it plays, the eye misses nothing if every third frame is painted.
        self.frame = (self.frame + 1) % 3;
        let playing = self.player.is_playing() && self.frame != 0 && self.painted.is_some();
        if self.painted == Some(network.steps()) || playing {
            return;
        }
        self.painted = Some(network.steps());
        self.accuracy = network.accuracy().unwrap_or(f64::NAN);
        let Ok(maps) = network.maps(SIDE) else { return };
        self.maps.resize_with(maps.len(), Vec::new);
        let last = maps.len() - 1;
        for (layer, neurons) in maps.into_iter().enumerate() {
            self.maps[layer].resize_with(neurons.len(), Picture::default);
            for (picture, map) in self.maps[layer].iter_mut().zip(neurons) {
                let answers: Vec<f64> = match layer == last {
                    true => map.iter().map(|value| 2.0 * value - 1.0).collect(),
                    false => map.iter().map(|value| value.tanh()).collect(),
                };
                picture.set(ui, [SIDE, SIDE], shades(&answers), true);
            }
        }
    }

    /// A path to type, and a button to begin with an empty plane.
    fn own_points_ui(&mut self, ui: &mut Ui, lab: &mut Lab<'_>) -> Option<Vec<Point>> {
        let clear = ui.button(tr("Clear points", "清空数据点"));
        if clear
            .on_hover_text(tr("An empty plane to draw in.", "在空白平面上作画。"))
            .clicked()
        {
            return Some(Vec::new());
        }
        let hint = tr("x1, x2, class: a CSV file", "CSV 文件：x1, x2, 类别");
        let field = egui::TextEdit::singleline(&mut self.path).desired_width(150.0);
        let field = ui.add(field.hint_text(hint));
        let entered = field.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
        let open = ui.add_enabled(!self.path.is_empty(), egui::Button::new(tr("Open", "打开")));
        if !(open.clicked() || entered) {
            return None;
        }
        let path = lab.ctx.path.and_then(|path| path.parent());
        match read_points(&self.path, path.unwrap_or(std::path::Path::new("."))) {
            Ok(points) => Some(points),
            Err(problem) => {
                lab.actions.push(Action::Say(Tone::Warning, problem));
                None
            }
        }
    }

    /// Inputs, neurons and output from left to right; a point that was clicked into the plane.
    fn diagram_ui(&mut self, ui: &mut Ui, area: Rect, points: &[Point]) -> Option<Point> {
        let network = self.network.as_ref()?;
        let plane = (area.height() - 4.0).min(area.width() * 0.56);
        let inner = Rect::from_min_max(area.min, pos2(area.right() - plane - 30.0, area.bottom()));
        let layers = network.shape.len();
        let tallest = network.shape.iter().copied().max().unwrap_or(2).max(2);
        let gap = inner.width() / (layers as f32 + 1.0);
        let tile = (inner.height() / tallest as f32 - 8.0)
            .min(gap * 0.6)
            .clamp(14.0, 84.0);
        let place = |layer: usize, n: usize, of: usize| {
            let x = inner.left() + tile * 0.5 + gap * layer as f32;
            let y = inner.center().y + (n as f32 - (of as f32 - 1.0) * 0.5) * (tile + 8.0);
            pos2(x, y)
        };
        let mut columns: Vec<Vec<Pos2>> = vec![(0..2).map(|n| place(0, n, 2)).collect()];
        for (layer, size) in network.shape.iter().enumerate() {
            columns.push((0..*size).map(|n| place(layer + 1, n, *size)).collect());
        }
        columns.push(vec![pos2(inner.right() + 20.0, inner.center().y)]);
        self.wires_ui(ui, inner, &columns, tile);
        for (n, at) in columns[0].iter().enumerate() {
            input_ui(ui, *at, tile, n);
        }
        for (layer, column) in columns[1..=layers].iter().enumerate() {
            for (at, picture) in column.iter().zip(&self.maps[layer]) {
                tile_ui(ui, *at, tile, picture);
            }
        }
        let rect = Rect::from_min_size(pos2(area.right() - plane, area.top()), vec2(plane, plane));
        self.plane_ui(ui, rect, points)
    }

    fn plane_ui(&self, ui: &mut Ui, rect: Rect, points: &[Point]) -> Option<Point> {
        let mut inside = ui.new_child(egui::UiBuilder::new().max_rect(rect));
        let bounds = [-REACH, REACH];
        let (axes, response) = Axes::show(&mut inside, rect.size(), bounds, bounds);
        if let Some(picture) = self.maps.last().and_then(|neurons| neurons.first()) {
            axes.picture(&inside, picture);
        }
        points_ui(&inside, &axes, points, 3.5);
        let response = response.on_hover_text(tr(
            "Click: a red point. Right click: a blue one.",
            "单击添加红点，右键添加蓝点。",
        ));
        let class = match () {
            () if response.clicked() => 1,
            () if response.secondary_clicked() => 0,
            () => return None,
        };
        let at = axes.to_data(response.interact_pointer_pos()?);
        Some(Point { at, class })
    }

    /// Wires as thick as their weights, red above 0 and blue below; one is changed by dragging.
    fn wires_ui(&mut self, ui: &mut Ui, inner: Rect, columns: &[Vec<Pos2>], tile: f32) {
        let Some(network) = &mut self.network else {
            return;
        };
        let response = ui.interact(inner, ui.id().with("wires"), Sense::drag());
        let pointer = response.hover_pos().or(response.interact_pointer_pos());
        let mut nearest: Option<(f32, (usize, usize))> = None;
        let mut shown = None;
        for layer in 0..columns.len() - 1 {
            let [weights, _] = network.weights(layer);
            let (from, to) = (&columns[layer], &columns[layer + 1]);
            for (n, weight) in weights.iter().enumerate() {
                // Maxout's second values have no wire of their own.
                let (Some(end), Some(start)) = (to.get(n / from.len()), from.get(n % from.len()))
                else {
                    continue;
                };
                let (a, b) = (*start + vec2(tile * 0.5, 0.0), *end - vec2(tile * 0.5, 0.0));
                let near = pointer
                    .map(|at| distance(at, a, b))
                    .filter(|near| *near < 7.0);
                if let Some(near) = near.filter(|near| nearest.is_none_or(|best| *near < best.0)) {
                    nearest = Some((near, (layer, n)));
                }
                let chosen = self.wire == Some((layer, n));
                if chosen {
                    shown = Some((a, b, *weight));
                }
                let width = (weight.abs() as f32 * 2.2).clamp(0.6, 7.0);
                let ink = super::class_color(u32::from(*weight > 0.0));
                let ink = if chosen {
                    ink
                } else {
                    ink.gamma_multiply(0.65)
                };
                ui.painter().line_segment([a, b], Stroke::new(width, ink));
            }
        }
        if !response.dragged() {
            self.wire = nearest.map(|(_, wire)| wire);
        } else if let Some((layer, n)) = self.wire {
            let [mut weights, _] = network.weights(layer);
            if let Some(weight) = weights.get_mut(n) {
                *weight -= f64::from(response.drag_delta().y) * 0.02;
            }
            if network.set_weights(layer, &weights).is_ok() {
                self.painted = None;
            }
        }
        if let Some((a, b, weight)) = shown {
            ui.ctx().set_cursor_icon(egui::CursorIcon::ResizeVertical);
            let at = a + (b - a) * 0.5 - vec2(0.0, 9.0);
            label_ui(ui, at, &format!("w = {}", short(weight)));
        }
    }

    fn losses_ui(&self, ui: &mut Ui, size: egui::Vec2) {
        let Some(network) = &self.network else { return };
        let names = [tr("training loss", "训练损失"), tr("test loss", "测试损失")];
        let curve = |place: usize| {
            let points = network.losses.iter().enumerate();
            let points = points.map(|(n, losses)| [(n as u64 * NOTED) as f64, losses[place]]);
            Curve::new(ui, place, names[place], points.collect())
        };
        let curves = vec![curve(0), curve(1)];
        let chart = Chart {
            id: "playground losses",
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
