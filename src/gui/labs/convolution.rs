//! The view of convolution: planes of numbers to point at and draw in, a kernel to drag.

mod cells;
mod parts;

use egui::{RichText, Ui, vec2};

use super::player::{Asked, Player};
use super::{BenchView, Lab};
use crate::gui::plots::short;
use crate::i18n::{tr, tr_format};
use crate::labs::Settings;
use crate::labs::convolution::kernels::kernel;
use crate::labs::convolution::plane::{Plane, Term, apply, pooling, terms};
use crate::labs::convolution::{picture, slide};
use cells::{Cells, cells_ui};
use parts::Parts;

pub struct ConvolutionView {
    /// The example as it is, and half as large with what was drawn into it.
    example: Plane,
    image: Plane,
    kernel: Plane,
    output: Plane,
    pooled: Plane,
    /// The output that is explained.
    place: [usize; 2],
    example_of: Option<[usize; 2]>,
    kernel_of: Option<[f64; 2]>,
    output_of: Option<[usize; 5]>,
    stale: bool,
    player: Player,
    parts: Parts,
    problem: Option<String>,
}

impl Default for ConvolutionView {
    fn default() -> Self {
        Self {
            example: Plane::default(),
            image: Plane::default(),
            kernel: Plane::default(),
            output: Plane::default(),
            pooled: Plane::default(),
            place: [4, 4],
            example_of: None,
            kernel_of: None,
            output_of: None,
            stale: true,
            player: Player::new(4.0, 60.0),
            parts: Parts::default(),
            problem: None,
        }
    }
}

impl BenchView for ConvolutionView {
    fn ui(&mut self, ui: &mut Ui, lab: &mut Lab<'_>) {
        self.make(lab.settings);
        if let Some(problem) = &self.problem {
            ui.colored_label(ui.visuals().error_fg_color, problem);
        }
        match lab.settings.count("show") {
            0 => self.steps_ui(ui, lab),
            1 => self.parts.kernels_ui(ui, lab.settings, &self.example),
            2 => parts::weights_ui(ui, lab.settings),
            _ => self.parts.restore_ui(ui, lab, &self.example),
        }
    }
}

impl ConvolutionView {
    fn make(&mut self, settings: &Settings) {
        let of = ["picture", "index"].map(|key| settings.count(key));
        if self.example_of != Some(of) {
            self.example_of = Some(of);
            match picture(settings) {
                Ok(example) => {
                    self.image = example.halved();
                    self.example = example;
                    self.stale = true;
                }
                Err(error) => self.problem = Some(error.to_string()),
            }
        }
        let of = ["kernel", "angle"].map(|key| settings.number(key));
        if self.kernel_of != Some(of) {
            self.kernel_of = Some(of);
            self.kernel = kernel(of[0] as usize, of[1]);
            self.stale = true;
        }
        let keys = ["operation", "stride", "pad", "dilation", "pooling"];
        let of = keys.map(|key| settings.count(key));
        if self.output_of != Some(of) || self.stale {
            self.output_of = Some(of);
            self.stale = false;
            self.output = apply(of[0], &self.image, &self.kernel, slide(settings));
            self.pooled = pooling(of[4], &self.output);
            let last = [self.output.height, self.output.width].map(|n| n.saturating_sub(1));
            self.place = [self.place[0].min(last[0]), self.place[1].min(last[1])];
        }
    }

    fn steps_ui(&mut self, ui: &mut Ui, lab: &mut Lab<'_>) {
        ui.horizontal(|ui| {
            if self.player.ui(ui, lab.keys) == Asked::Reset {
                self.place = [0, 0];
                self.example_of = None;
                self.kernel_of = None;
            }
        });
        let (place, output) = (&mut self.place, &self.output);
        self.player.advance(|| {
            let next = place[0] * output.width + place[1] + 1;
            let next = if next < output.height * output.width {
                next
            } else {
                0
            };
            *place = [next / output.width.max(1), next % output.width.max(1)];
            true
        });
        let operation = lab.settings.count("operation");
        let terms = terms(
            operation,
            &self.image,
            &self.kernel,
            slide(lab.settings),
            self.place,
        );
        let room = ui.available_size();
        let side = ((room.x - 30.0) / 2.0).min(room.y * 0.56);
        ui.horizontal_top(|ui| {
            self.image_ui(ui, side, &terms);
            ui.add_space(10.0);
            self.output_ui(ui, side);
        });
        ui.add_space(4.0);
        let height = ui.available_height();
        ui.horizontal_top(|ui| {
            self.kernel_ui(ui, (height - 26.0).min(190.0), &terms);
            ui.add_space(10.0);
            if lab.settings.count("pooling") > 0 {
                self.pooled_ui(ui, (height - 26.0).min(190.0));
                ui.add_space(10.0);
            }
            ui.vertical(|ui| {
                sum_ui(
                    ui,
                    &terms,
                    &self.image,
                    &self.kernel,
                    self.output.at(self.place),
                )
            });
        });
    }

    fn image_ui(&mut self, ui: &mut Ui, side: f32, terms: &[Term]) {
        ui.vertical(|ui| {
            let (height, width) = (self.image.height, self.image.width);
            ui.label(tr_format!(
                "input {height} × {width} (draw in it)",
                "输入 {height} × {width}（可作画）"
            ));
            let marked: Vec<[usize; 2]> = terms.iter().map(|term| term.input).collect();
            let cells = Cells {
                plane: &self.image,
                side,
                marked: &marked,
                signed: false,
            };
            let found = cells_ui(ui, &cells);
            if let Some(place) = found.pressed {
                // The left button paints white, the right one black.
                let value = if ui.input(|input| input.pointer.secondary_down()) {
                    0.0
                } else {
                    1.0
                };
                self.image.set(place, value);
                self.stale = true;
            }
        });
    }

    fn output_ui(&mut self, ui: &mut Ui, side: f32) {
        ui.vertical(|ui| {
            let (height, width) = (self.output.height, self.output.width);
            ui.label(tr_format!(
                "output {height} × {width} (point at it)",
                "输出 {height} × {width}（可指点）"
            ));
            if self.output.values.is_empty() {
                ui.label(tr(
                    "The kernel does not fit into the image.",
                    "卷积核大于图像。",
                ));
                return;
            }
            let marked = [self.place];
            let cells = Cells {
                plane: &self.output,
                side,
                marked: &marked,
                signed: true,
            };
            if let Some(place) = cells_ui(ui, &cells).hovered {
                self.place = place;
            }
        });
    }

    fn kernel_ui(&mut self, ui: &mut Ui, side: f32, terms: &[Term]) {
        ui.vertical(|ui| {
            ui.label(tr("kernel (drag up and down)", "卷积核（上下拖动）"));
            let marked: Vec<[usize; 2]> = terms.iter().map(|term| term.weight).collect();
            let whole = terms.len() == self.kernel.values.len();
            let marked = if whole { &[][..] } else { &marked };
            let cells = Cells {
                plane: &self.kernel,
                side,
                marked,
                signed: true,
            };
            let found = cells_ui(ui, &cells);
            if let Some((place, moved)) = found.dragged {
                let value = self.kernel.at(place) - f64::from(moved) * 0.02;
                self.kernel.set(place, value);
                self.stale = true;
            }
        });
    }

    fn pooled_ui(&mut self, ui: &mut Ui, side: f32) {
        ui.vertical(|ui| {
            let (height, width) = (self.pooled.height, self.pooled.width);
            ui.label(tr_format!(
                "pooled {height} × {width}",
                "池化 {height} × {width}"
            ));
            let marked = [[self.place[0] / 2, self.place[1] / 2]];
            let cells = Cells {
                plane: &self.pooled,
                side,
                marked: &marked,
                signed: true,
            };
            cells_ui(ui, &cells);
        });
    }
}

/// The products of one output, and their sum.
fn sum_ui(ui: &mut Ui, terms: &[Term], image: &Plane, kernel: &Plane, sum: f64) {
    ui.label(tr("weight × input, summed", "权重 × 输入，再求和"));
    let column = (terms.len().div_ceil(3)).max(3);
    ui.horizontal_top(|ui| {
        for part in terms.chunks(column).take(5) {
            ui.vertical(|ui| {
                ui.spacing_mut().item_spacing = vec2(4.0, 1.0);
                for term in part {
                    let (w, x) = (
                        short(round(kernel.at(term.weight))),
                        short(round(image.at(term.input))),
                    );
                    ui.label(RichText::new(format!("{w} × {x}")).monospace());
                }
            });
        }
    });
    let sum = short(round(sum));
    ui.label(RichText::new(format!("Σ = {sum}")).strong().monospace());
    let left = kernel.values.len() - terms.len();
    if left > 0 {
        ui.label(
            RichText::new(tr_format!(
                "{left} weights meet nothing (padding, or a gap)",
                "{left} 个权重没有对应输入（填充或空隙）"
            ))
            .weak(),
        );
    }
}

/// To hundredths: more has no room.
fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
