//! A plane of numbers as cells, each with its number where there is room.

use egui::{Align2, Color32, FontId, Rect, Sense, Stroke, StrokeKind, Ui, pos2, vec2};

use crate::gui::labs::canvas::rgb;
use crate::inspect::{ColorMap, Range};
use crate::labs::convolution::plane::Plane;

/// What is drawn, and how.
pub struct Cells<'a> {
    pub plane: &'a Plane,
    pub side: f32,
    /// Cells with a frame.
    pub marked: &'a [[usize; 2]],
    /// Whether numbers below 0 mean something of their own.
    pub signed: bool,
}

/// What the pointer does there.
#[derive(Default)]
pub struct Found {
    pub hovered: Option<[usize; 2]>,
    pub pressed: Option<[usize; 2]>,
    /// The cell where dragging began, and how far down the pointer moved.
    pub dragged: Option<([usize; 2], f32)>,
}

/// Draws the cells in a square.
pub fn cells_ui(ui: &mut Ui, cells: &Cells<'_>) -> Found {
    let plane = cells.plane;
    let longest = plane.height.max(plane.width).max(1) as f32;
    let cell = cells.side / longest;
    let size = vec2(plane.width as f32 * cell, plane.height as f32 * cell);
    let (rect, response) =
        ui.allocate_exact_size(size.max(vec2(8.0, 8.0)), Sense::click_and_drag());
    let range = match cells.signed {
        true => range(plane).around_zero(),
        false => Range { lo: 0.0, hi: 1.0 },
    };
    let map = if cells.signed {
        ColorMap::Diverging
    } else {
        ColorMap::Gray
    };
    let place_of = |[row, column]: [usize; 2]| {
        let corner = pos2(
            rect.left() + column as f32 * cell,
            rect.top() + row as f32 * cell,
        );
        Rect::from_min_size(corner, vec2(cell, cell))
    };
    let painter = ui.painter();
    let font = FontId::proportional((cell * 0.36).min(13.0));
    for row in 0..plane.height {
        for column in 0..plane.width {
            let value = plane.at([row, column]);
            let color = rgb(map.of(value as f32, range));
            let place = place_of([row, column]);
            painter.rect_filled(place.shrink(0.5), 0.0, color);
            if cell > 24.0 {
                painter.text(
                    place.center(),
                    Align2::CENTER_CENTER,
                    brief(value),
                    font.clone(),
                    ink_on(color),
                );
            }
        }
    }
    // Two strokes, so that one stands out on every ground.
    let frames = [
        Stroke::new(3.5, Color32::BLACK),
        Stroke::new(2.0, Color32::from_rgb(0xff, 0xc2, 0x2e)),
    ];
    for place in cells.marked {
        for frame in frames {
            painter.rect_stroke(place_of(*place), 1.0, frame, StrokeKind::Inside);
        }
    }
    let cell_at = |at: egui::Pos2| {
        let (row, column) = ((at.y - rect.top()) / cell, (at.x - rect.left()) / cell);
        let inside = row >= 0.0 && column >= 0.0;
        let place = [row as usize, column as usize];
        (inside && place[0] < plane.height && place[1] < plane.width).then_some(place)
    };
    let pointer = response.interact_pointer_pos();
    let began = ui.input(|input| input.pointer.press_origin());
    Found {
        hovered: response.hover_pos().and_then(cell_at),
        pressed: pointer
            .filter(|_| response.is_pointer_button_down_on())
            .and_then(cell_at),
        dragged: (began.and_then(cell_at))
            .filter(|_| response.dragged())
            .map(|place| (place, response.drag_delta().y)),
    }
}

fn range(plane: &Plane) -> Range {
    let values: Vec<f32> = plane.values.iter().map(|value| *value as f32).collect();
    Range::of(&values)
}

/// Black on light colours, white on dark ones.
fn ink_on(color: Color32) -> Color32 {
    let [red, green, blue, _] = color.to_array();
    let light = 0.3 * f32::from(red) + 0.59 * f32::from(green) + 0.11 * f32::from(blue);
    if light > 128.0 {
        Color32::BLACK
    } else {
        Color32::WHITE
    }
}

/// As many digits as a cell has room for.
fn brief(value: f64) -> String {
    let text = match value.abs() {
        size if size < 0.005 => "0".to_owned(),
        size if size < 9.95 => {
            let text = format!("{value:.1}");
            text.strip_suffix(".0").unwrap_or(&text).to_owned()
        }
        _ => format!("{value:.0}"),
    };
    text.replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::brief;

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (0.0, "0"),
            (-0.001, "0"),
            (1.0, "1"),
            (-0.5, "−0.5"),
            (12.3, "12"),
        ] {
            assert_eq!(brief(value), text);
        }
    }
}
