//! The parts of a network's drawing: a neuron's map, an input, a number on a wire.

use egui::{Align2, Color32, FontId, Pos2, Rect, Stroke, Ui, vec2};

use crate::gui::labs::canvas::Picture;

pub fn tile_ui(ui: &Ui, at: Pos2, tile: f32, picture: &Picture) {
    let rect = Rect::from_center_size(at, vec2(tile, tile));
    picture.paint(ui, rect);
    let line = Stroke::new(1.0, ui.visuals().text_color());
    ui.painter()
        .rect_stroke(rect, 3.0, line, egui::StrokeKind::Middle);
}

pub fn input_ui(ui: &Ui, at: Pos2, tile: f32, n: usize) {
    let rect = Rect::from_center_size(at, vec2(tile, tile).min(vec2(40.0, 40.0)));
    ui.painter()
        .rect_filled(rect, 4.0, ui.visuals().widgets.inactive.bg_fill);
    let font = FontId::proportional(14.0);
    let ink = ui.visuals().strong_text_color();
    let text = ["x₁", "x₂"][n.min(1)];
    ui.painter()
        .text(at, Align2::CENTER_CENTER, text, font, ink);
}

pub fn label_ui(ui: &Ui, at: Pos2, text: &str) {
    let font = FontId::proportional(12.0);
    let ink = ui.visuals().strong_text_color();
    let galley = ui.painter().layout_no_wrap(text.to_owned(), font, ink);
    let rect = Rect::from_center_size(at, galley.size() + vec2(8.0, 4.0));
    ui.painter()
        .rect_filled(rect, 3.0, ui.visuals().window_fill);
    ui.painter()
        .galley(rect.min + vec2(4.0, 2.0), galley, Color32::PLACEHOLDER);
}

/// How far a place is from the line between two others.
pub fn distance(at: Pos2, a: Pos2, b: Pos2) -> f32 {
    let along = b - a;
    let part = ((at - a).dot(along) / along.length_sq().max(1.0)).clamp(0.0, 1.0);
    at.distance(a + along * part)
}

#[cfg(test)]
mod tests {
    use egui::pos2;

    use super::*;

    #[test]
    fn a_wire_is_found_by_its_distance() {
        let (a, b) = (pos2(0.0, 0.0), pos2(10.0, 0.0));
        assert_eq!(distance(pos2(5.0, 3.0), a, b), 3.0);
        assert_eq!(distance(pos2(14.0, 3.0), a, b), 5.0);
    }
}
