//! The other parts of the bench: fixed kernels side by side, weights counted, an image restored.

use egui::{Align2, FontId, Rect, Sense, Ui, pos2, vec2};

use crate::gui::format::exact;
use crate::gui::labs::Lab;
use crate::gui::labs::canvas::{Picture, rgb};
use crate::gui::labs::player::{Asked, Player};
use crate::gui::plots::{color, number};
use crate::i18n::{tr, tr_format};
use crate::inspect::{ColorMap, Range};
use crate::labs::Settings;
use crate::labs::convolution::kernels::{KERNELS, kernel};
use crate::labs::convolution::plane::{Plane, Slide, apply};
use crate::labs::convolution::restore::Restoring;
use crate::labs::convolution::weights;

pub struct Parts {
    kernels: Vec<[Picture; 2]>,
    kernels_of: Option<(Vec<f64>, f64)>,
    original: Picture,
    restoring: Option<Restoring>,
    restoring_of: Option<(Vec<f64>, [f64; 2])>,
    pictures: [Picture; 4],
    player: Player,
}

impl Default for Parts {
    fn default() -> Self {
        Self {
            kernels: Vec::new(),
            kernels_of: None,
            original: Picture::default(),
            restoring: None,
            restoring_of: None,
            pictures: Default::default(),
            player: Player::new(20.0, 200.0),
        }
    }
}

impl Parts {
    pub fn kernels_ui(&mut self, ui: &mut Ui, settings: &Settings, example: &Plane) {
        let angle = settings.number("angle");
        let of = (example.values.clone(), angle);
        if self.kernels_of.as_ref() != Some(&of) {
            self.kernels_of = Some(of);
            self.kernels.resize_with(KERNELS.len(), Default::default);
            for (place, [weights, answer]) in self.kernels.iter_mut().enumerate() {
                let kernel = kernel(place, angle);
                let slide = Slide {
                    stride: 1,
                    pad: kernel.height / 2,
                    dilation: 1,
                };
                set(ui, weights, &kernel, true);
                set(
                    ui,
                    answer,
                    &apply(0, example, &kernel, slide),
                    place != 3 && place != 7,
                );
            }
            set(ui, &mut self.original, example, false);
        }
        ui.label(tr(
            "Each kernel (small) and what it makes of the image: blue below zero, red above.",
            "每个卷积核（小图）及其输出：蓝色小于零，红色大于零。",
        ));
        let room = ui.available_size();
        let side = ((room.x - 40.0) / 4.0)
            .min((room.y - 70.0) / 2.0 - 30.0)
            .max(60.0);
        egui::Grid::new("kernels")
            .spacing(vec2(10.0, 8.0))
            .show(ui, |ui| {
                for (place, [weights, answer]) in self.kernels.iter().enumerate() {
                    ui.vertical(|ui| {
                        ui.label(KERNELS[place].1.get());
                        let (rect, _) = ui.allocate_exact_size(vec2(side, side), Sense::hover());
                        answer.paint(ui, rect);
                        let small = vec2(side * 0.24, side * 0.24);
                        let corner = Rect::from_min_size(rect.min + vec2(3.0, 3.0), small);
                        ui.painter()
                            .rect_filled(corner.expand(2.0), 2.0, ui.visuals().panel_fill);
                        weights.paint(ui, corner);
                    });
                    if place % 4 == 3 {
                        ui.end_row();
                    }
                }
            });
    }

    pub fn restore_ui(&mut self, ui: &mut Ui, lab: &mut Lab<'_>, example: &Plane) {
        ui.horizontal(|ui| {
            if self.player.ui(ui, lab.keys) == Asked::Reset {
                self.restoring_of = None;
            }
        });
        let numbers = ["blur", "noise"].map(|key| lab.settings.number(key));
        let of = (example.values.clone(), numbers);
        let mut changed = false;
        if self.restoring_of.as_ref() != Some(&of) {
            self.restoring_of = Some(of);
            self.restoring = Some(Restoring::new(example.clone(), numbers[0], numbers[1]));
            changed = true;
        }
        let Some(restoring) = &mut self.restoring else {
            return;
        };
        let most = lab.settings.count("iterations") as u64;
        self.player.advance(|| {
            restoring.step();
            changed = true;
            restoring.iterations < most
        });
        let planes = [
            &restoring.image,
            &restoring.blurred,
            &restoring.transposed,
            &restoring.restored,
        ];
        if changed {
            for (picture, plane) in self.pictures.iter_mut().zip(planes) {
                set(ui, picture, plane, false);
            }
        }
        let [blurred, transposed, restored] = restoring.errors().map(number);
        let iterations = restoring.iterations;
        let titles = [
            tr("the image x", "原图 x").to_owned(),
            tr_format!(
                "blurred, y = W x · error {blurred}",
                "模糊 y = W x · 误差 {blurred}"
            ),
            tr_format!(
                "transposed, W^T y · error {transposed}",
                "转置 W^T y · 误差 {transposed}"
            ),
            tr_format!(
                "descent, {iterations} iterations · error {restored}",
                "下降 {iterations} 次迭代 · 误差 {restored}"
            ),
        ];
        let room = ui.available_size();
        let side = ((room.x - 12.0) / 2.0).min(room.y / 2.0 - 32.0).max(60.0);
        egui::Grid::new("restored")
            .spacing(vec2(12.0, 8.0))
            .show(ui, |ui| {
                for (place, (picture, title)) in self.pictures.iter().zip(titles).enumerate() {
                    ui.vertical(|ui| {
                        ui.label(title);
                        let (rect, _) = ui.allocate_exact_size(vec2(side, side), Sense::hover());
                        picture.paint(ui, rect);
                    });
                    if place % 2 == 1 {
                        ui.end_row();
                    }
                }
            });
    }
}

/// Three ways to connect the same input to the same output, with bars over powers of ten.
pub fn weights_ui(ui: &mut Ui, settings: &Settings) {
    let [side, channels, maps, size] =
        ["side", "channels", "maps", "size"].map(|key| settings.count(key));
    let counts = weights(side, channels, maps, size);
    let out = (side + 1).saturating_sub(size);
    ui.label(tr_format!(
        "input {channels} × {side} × {side} → output {maps} × {out} × {out}, kernel {size} × {size}",
        "输入 {channels} × {side} × {side} → 输出 {maps} × {out} × {out}，核 {size} × {size}"
    ));
    let rows = [
        (
            tr("full connection", "全连接"),
            tr("every output sees every input", "每个输出连接全部输入"),
        ),
        (
            tr("local connection", "局部连接"),
            tr(
                "every output sees a window, with weights of its own",
                "每个输出只看一个窗口，权重各自独立",
            ),
        ),
        (
            tr("shared weights: convolution", "权重共享：卷积"),
            tr(
                "all places of a map use the same weights",
                "同一特征图的所有位置共用一组权重",
            ),
        ),
    ];
    ui.add_space(12.0);
    let most = counts[0].max(10) as f32;
    for (place, ((name, about), count)) in rows.into_iter().zip(counts).enumerate() {
        let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 92.0), Sense::hover());
        let part = (count.max(1) as f32).ln() / most.ln();
        let bar = Rect::from_min_size(
            rect.min + vec2(0.0, 26.0),
            vec2(rect.width() * part.max(0.01), 30.0),
        );
        let ink = color(place, ui.visuals());
        ui.painter().rect_filled(bar, 3.0, ink);
        let text = ui.visuals().strong_text_color();
        let font = FontId::proportional(15.0);
        ui.painter().text(
            rect.min,
            Align2::LEFT_TOP,
            format!("{name}: {}", exact(count)),
            font,
            text,
        );
        let at = pos2(rect.left(), bar.bottom() + 4.0);
        ui.painter().text(
            at,
            Align2::LEFT_TOP,
            about,
            FontId::proportional(12.0),
            ui.visuals().weak_text_color(),
        );
    }
    let saved = number(counts[0] as f64 / counts[2].max(1) as f64);
    ui.label(tr_format!(
        "Sharing needs {saved} times fewer weights than the full connection. (The bars' lengths are logarithms.)",
        "与全连接相比，权重共享把权重数减少到 1/{saved}。（条形长度为对数。）"
    ));
}

fn set(ui: &Ui, picture: &mut Picture, plane: &Plane, signed: bool) {
    let values: Vec<f32> = plane.values.iter().map(|value| *value as f32).collect();
    let (map, range) = match signed {
        true => (ColorMap::Diverging, Range::of(&values).around_zero()),
        false => (ColorMap::Gray, Range { lo: 0.0, hi: 1.0 }),
    };
    let pixels = values
        .iter()
        .map(|value| rgb(map.of(*value, range)))
        .collect();
    picture.set(ui, [plane.width, plane.height], pixels, false);
}
