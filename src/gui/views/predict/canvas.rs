//! A sheet to draw on with the mouse, white on black as handwritten digits are.

use std::sync::Arc;

use egui::{Color32, Pos2, Rect, Sense, Slider, Stroke, StrokeKind, Ui, pos2, vec2};
use serde::{Deserialize, Serialize};

use crate::data::Picture;
use crate::gui::context::{Shown, next_serial};
use crate::i18n::tr;

/// Pixels of a side; networks see it reduced.
const SIDE: usize = 112;
/// The share of the side that MNIST's digits fill, and how they are centred: by their mass.
const FILLED: f32 = 20.0 / 28.0;
/// Ink below this does not count as a part of the drawing.
const FAINT: f32 = 0.05;

#[derive(Clone, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Canvas {
    /// The pen's width as a share of the side.
    pen: f32,
    /// Black on white instead.
    invert: bool,
    /// Moves and scales the drawing as MNIST's digits are.
    centre: bool,
    #[serde(skip, default = "blank")]
    ink: Vec<f32>,
    #[serde(skip)]
    last: Option<Pos2>,
    /// The drawing as a picture, once for each change.
    #[serde(skip)]
    shown: Option<Shown>,
}

fn blank() -> Vec<f32> {
    vec![0.0; SIDE * SIDE]
}

impl Default for Canvas {
    fn default() -> Self {
        Self {
            pen: 0.08,
            invert: false,
            centre: true,
            ink: blank(),
            last: None,
            shown: None,
        }
    }
}

impl Canvas {
    /// The drawing as it is handed to the network.
    pub fn shown(&mut self) -> Shown {
        let shown = self.shown.take().unwrap_or_else(|| {
            let ink = match self.centre {
                true => centred(&self.ink),
                false => self.ink.clone(),
            };
            let level = |ink: &f32| {
                let value = (ink.clamp(0.0, 1.0) * 255.0).round() as u8;
                if self.invert { 255 - value } else { value }
            };
            Shown {
                picture: Arc::new(Picture {
                    shape: [1, SIDE, SIDE],
                    pixels: ink.iter().map(level).collect(),
                }),
                name: tr("drawing", "手绘").to_owned(),
                serial: next_serial(),
            }
        });
        self.shown = Some(shown.clone());
        shown
    }

    pub fn bar_ui(&mut self, ui: &mut Ui) {
        ui.spacing_mut().slider_width = 56.0;
        let pen = Slider::new(&mut self.pen, 0.02..=0.25).show_value(false);
        ui.add(pen.text(tr("pen", "笔宽")));
        let before = (self.invert, self.centre);
        ui.checkbox(&mut self.invert, tr("black on white", "白底黑字"));
        let about = tr(
            "Moved by its mass to the middle and scaled to 20 of 28 pixels, as MNIST's digits are",
            "按质心移到中央并缩放到 28 像素中的 20 像素，与 MNIST 数字一致",
        );
        ui.checkbox(&mut self.centre, tr("centre", "居中"))
            .on_hover_text(about);
        if before != (self.invert, self.centre) {
            self.shown = None;
        }
        if ui.button(tr("Clear", "清除")).clicked() {
            self.ink = blank();
            self.shown = None;
        }
    }

    /// The sheet itself.
    pub fn ui(&mut self, ui: &mut Ui) {
        let side = ui.available_width().min(224.0);
        let (rect, response) = ui.allocate_exact_size(vec2(side, side), Sense::click_and_drag());
        let response = response.on_hover_cursor(egui::CursorIcon::Crosshair);
        if let Some(pointer) = response.interact_pointer_pos() {
            let at = ((pointer - rect.min) / side * SIDE as f32).to_pos2();
            let from = self.last.unwrap_or(at);
            self.stroke(from, at);
            self.last = Some(at);
            self.shown = None;
            ui.ctx().request_repaint();
        } else {
            self.last = None;
        }
        let painter = ui.painter_at(rect);
        let (paper, pen) = match self.invert {
            true => (Color32::WHITE, Color32::BLACK),
            false => (Color32::BLACK, Color32::WHITE),
        };
        painter.rect_filled(rect, 0.0, paper);
        // A row of equal ink is one rectangle.
        let pixel = side / SIDE as f32;
        for (y, row) in self.ink.chunks_exact(SIDE).enumerate() {
            let mut x = 0;
            while x < SIDE {
                let value = row[x];
                let end = (x..SIDE).find(|other| row[*other] != value).unwrap_or(SIDE);
                if value > 0.0 {
                    let corner = rect.min + vec2(x as f32, y as f32) * pixel;
                    // A little larger, so that no paper shines through between the rows.
                    let size = vec2((end - x) as f32 * pixel + 0.6, pixel + 0.6);
                    painter.rect_filled(
                        Rect::from_min_size(corner, size),
                        0.0,
                        paper.lerp_to_gamma(pen, value),
                    );
                }
                x = end;
            }
        }
        let line = ui.visuals().widgets.noninteractive.bg_stroke.color;
        painter.rect_stroke(rect, 0.0, Stroke::new(1.0, line), StrokeKind::Inside);
        if self.ink.iter().all(|ink| *ink <= FAINT) {
            let hint = tr("Draw here", "在此绘制");
            let font = egui::TextStyle::Body.resolve(ui.style());
            painter.text(
                rect.center(),
                egui::Align2::CENTER_CENTER,
                hint,
                font,
                Color32::GRAY,
            );
        }
    }

    /// Ink along a line with round ends.
    fn stroke(&mut self, from: Pos2, to: Pos2) {
        let radius = self.pen * SIDE as f32 / 2.0;
        let way = to - from;
        let length = way.length_sq();
        for y in 0..SIDE {
            for x in 0..SIDE {
                let pixel = pos2(x as f32 + 0.5, y as f32 + 0.5);
                let along = match length > 0.0 {
                    true => ((pixel - from).dot(way) / length).clamp(0.0, 1.0),
                    false => 0.0,
                };
                let distance = (pixel - (from + way * along)).length();
                let ink = (radius + 0.5 - distance).clamp(0.0, 1.0);
                let slot = &mut self.ink[y * SIDE + x];
                *slot = slot.max(ink);
            }
        }
    }
}

/// The drawing scaled so that its longer side fills as much as MNIST's digits do, with its mass
/// in the middle; an empty sheet stays as it is.
fn centred(ink: &[f32]) -> Vec<f32> {
    let (mut low, mut high) = ([SIDE; 2], [0usize; 2]);
    let (mut mass, mut sum) = (0.0f32, [0.0f32; 2]);
    for (index, value) in ink.iter().enumerate().filter(|(_, value)| **value > FAINT) {
        let place = [index % SIDE, index / SIDE];
        for axis in 0..2 {
            low[axis] = low[axis].min(place[axis]);
            high[axis] = high[axis].max(place[axis] + 1);
            sum[axis] += value * (place[axis] as f32 + 0.5);
        }
        mass += value;
    }
    if mass == 0.0 {
        return ink.to_vec();
    }
    let longer = (high[0] - low[0]).max(high[1] - low[1]) as f32;
    let scale = FILLED * SIDE as f32 / longer;
    let middle = sum.map(|sum| sum / mass);
    let at = |x: i64, y: i64| {
        let inside = |place: i64| (0..SIDE as i64).contains(&place);
        if inside(x) && inside(y) {
            ink[y as usize * SIDE + x as usize]
        } else {
            0.0
        }
    };
    let half = SIDE as f32 / 2.0;
    let source =
        |place: usize, axis: usize| (place as f32 + 0.5 - half) / scale + middle[axis] - 0.5;
    (0..SIDE * SIDE)
        .map(|index| {
            let (x, y) = (source(index % SIDE, 0), source(index / SIDE, 1));
            let (left, top) = (x.floor(), y.floor());
            let (right, below) = (x - left, y - top);
            let (left, top) = (left as i64, top as i64);
            let above = at(left, top) * (1.0 - right) + at(left + 1, top) * right;
            let under = at(left, top + 1) * (1.0 - right) + at(left + 1, top + 1) * right;
            above * (1.0 - below) + under * below
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawing_is_centred_by_its_mass_and_scaled() {
        let mut canvas = Canvas::default();
        canvas.stroke(pos2(10.0, 10.0), pos2(10.0, 40.0));
        let moved = centred(&canvas.ink);
        let rows: Vec<usize> = (0..SIDE)
            .filter(|y| {
                moved[y * SIDE..(y + 1) * SIDE]
                    .iter()
                    .any(|ink| *ink > FAINT)
            })
            .collect();
        let height = rows.len() as f32;
        assert!((height - FILLED * SIDE as f32).abs() <= 3.0, "{height}");
        let mass: f32 = moved.iter().sum();
        let x: f32 = moved
            .iter()
            .enumerate()
            .map(|(i, ink)| ink * ((i % SIDE) as f32 + 0.5))
            .sum();
        assert!((x / mass - SIDE as f32 / 2.0).abs() < 0.5, "{}", x / mass);
        assert_eq!(centred(&blank()), blank());
    }

    #[test]
    fn a_new_stroke_is_a_new_picture_and_inverting_turns_it() {
        let mut canvas = Canvas::default();
        let empty = canvas.shown();
        assert_eq!(canvas.shown().serial, empty.serial);
        assert!(empty.picture.pixels.iter().all(|pixel| *pixel == 0));
        canvas.invert = true;
        canvas.shown = None;
        let inverted = canvas.shown();
        assert!(inverted.serial != empty.serial && inverted.picture.pixels[0] == 255);
    }
}
