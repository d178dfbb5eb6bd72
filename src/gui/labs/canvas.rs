//! A square of data coordinates on the screen, to draw in and to drag things about: axes, lines,
//! dots, arrows, pictures of numbers.
//!
//! It must not know what is drawn.

use egui::{
    Align2, Color32, ColorImage, FontId, Id, Mesh, Pos2, Rect, Response, Sense, Shape, Stroke,
    TextureHandle, TextureOptions, Ui, Vec2, pos2, vec2,
};

use super::chart::short_number;

/// Data coordinates on the screen.
#[derive(Clone, Copy)]
pub struct Axes {
    pub rect: Rect,
    pub x: [f64; 2],
    pub y: [f64; 2],
}

impl Axes {
    /// Takes room and draws a ground with a grid and numbers; the response is of the inside.
    pub fn show(ui: &mut Ui, size: Vec2, x: [f64; 2], y: [f64; 2]) -> (Self, Response) {
        Self::with_grid(ui, size, [x, y], [true, true])
    }

    /// Without numbers at the side, where up and down mean nothing.
    pub fn flat(ui: &mut Ui, size: Vec2, x: [f64; 2], y: [f64; 2]) -> (Self, Response) {
        Self::with_grid(ui, size, [x, y], [true, false])
    }

    /// Without numbers below, where left and right mean nothing.
    pub fn upright(ui: &mut Ui, size: Vec2, x: [f64; 2], y: [f64; 2]) -> (Self, Response) {
        Self::with_grid(ui, size, [x, y], [false, true])
    }

    fn with_grid(
        ui: &mut Ui,
        size: Vec2,
        [x, y]: [[f64; 2]; 2],
        grid: [bool; 2],
    ) -> (Self, Response) {
        let (whole, response) = ui.allocate_exact_size(size, Sense::click_and_drag());
        let rect = Rect::from_min_max(whole.min + vec2(34.0, 4.0), whole.max - vec2(6.0, 18.0));
        let axes = Self { rect, x, y };
        let painter = ui.painter();
        painter.rect_filled(rect, 2.0, ui.visuals().extreme_bg_color);
        axes.grid(ui, grid);
        (axes, response)
    }

    fn grid(&self, ui: &Ui, [across, up]: [bool; 2]) {
        let painter = ui.painter();
        let line = Stroke::new(1.0, ui.visuals().text_color().gamma_multiply(0.13));
        let zero = Stroke::new(1.0, ui.visuals().text_color().gamma_multiply(0.35));
        let ink = ui.visuals().weak_text_color();
        let font = FontId::proportional(10.5);
        let places = ticks(self.x, (self.rect.width() / 64.0) as usize);
        for x in places.into_iter().filter(|_| across) {
            let at = self.to_screen([x, 0.0]).x;
            let stroke = if x == 0.0 { zero } else { line };
            painter.vline(at, self.rect.y_range(), stroke);
            let place = pos2(at, self.rect.bottom() + 3.0);
            painter.text(
                place,
                Align2::CENTER_TOP,
                short_number(x),
                font.clone(),
                ink,
            );
        }
        let places = ticks(self.y, (self.rect.height() / 40.0) as usize);
        for y in places.into_iter().filter(|_| up) {
            let at = self.to_screen([0.0, y]).y;
            let stroke = if y == 0.0 { zero } else { line };
            painter.hline(self.rect.x_range(), at, stroke);
            let place = pos2(self.rect.left() - 4.0, at);
            painter.text(
                place,
                Align2::RIGHT_CENTER,
                short_number(y),
                font.clone(),
                ink,
            );
        }
    }

    pub fn to_screen(self, [x, y]: [f64; 2]) -> Pos2 {
        let across = (x - self.x[0]) / (self.x[1] - self.x[0]);
        let up = (y - self.y[0]) / (self.y[1] - self.y[0]);
        // Far outside, a screen has no numbers any more.
        let bound = |value: f64| value.clamp(-50.0, 50.0) as f32;
        pos2(
            self.rect.left() + bound(across) * self.rect.width(),
            self.rect.bottom() - bound(up) * self.rect.height(),
        )
    }

    pub fn to_data(self, at: Pos2) -> [f64; 2] {
        let across = f64::from((at.x - self.rect.left()) / self.rect.width());
        let up = f64::from((self.rect.bottom() - at.y) / self.rect.height());
        [
            self.x[0] + across * (self.x[1] - self.x[0]),
            self.y[0] + up * (self.y[1] - self.y[0]),
        ]
    }

    pub fn line(&self, ui: &Ui, points: &[[f64; 2]], stroke: impl Into<Stroke>) {
        let stroke = stroke.into();
        let painter = ui.painter_at(self.rect);
        // A line ends where its values are no numbers.
        for run in points.split(|[x, y]| !(x.is_finite() && y.is_finite())) {
            let points: Vec<Pos2> = run.iter().map(|point| self.to_screen(*point)).collect();
            if points.len() > 1 {
                painter.add(Shape::line(points, stroke));
            }
        }
    }

    pub fn dot(&self, ui: &Ui, point: [f64; 2], radius: f32, color: Color32) {
        let ring = Stroke::new(1.0, ui.visuals().extreme_bg_color);
        let painter = ui.painter_at(self.rect.expand(radius));
        painter.circle(self.to_screen(point), radius, color, ring);
    }

    pub fn arrow(&self, ui: &Ui, from: [f64; 2], to: [f64; 2], stroke: impl Into<Stroke>) {
        let (from, to) = (self.to_screen(from), self.to_screen(to));
        ui.painter_at(self.rect)
            .arrow(from, to - from, stroke.into());
    }

    /// A point that can be dragged; its new place while it is.
    pub fn handle(&self, ui: &Ui, id: Id, point: [f64; 2], color: Color32) -> Option<[f64; 2]> {
        let at = self.to_screen(point);
        let at = pos2(
            at.x.clamp(self.rect.left(), self.rect.right()),
            at.y.clamp(self.rect.top(), self.rect.bottom()),
        );
        let response = ui.interact(
            Rect::from_center_size(at, Vec2::splat(22.0)),
            id,
            Sense::drag(),
        );
        let grabbed = response.hovered() || response.dragged();
        let radius = if grabbed { 8.0 } else { 6.5 };
        let ring = Stroke::new(2.0, ui.visuals().strong_text_color());
        ui.painter().circle(at, radius, color, ring);
        if grabbed {
            ui.ctx().set_cursor_icon(egui::CursorIcon::Grab);
        }
        let pointer = response.interact_pointer_pos();
        pointer
            .filter(|_| response.dragged())
            .map(|at| self.to_data(at))
    }

    /// Words at a place.
    pub fn text(&self, ui: &Ui, point: [f64; 2], align: Align2, text: &str, color: Color32) {
        let painter = ui.painter_at(self.rect.expand(2.0));
        painter.text(
            self.to_screen(point),
            align,
            text,
            FontId::proportional(12.0),
            color,
        );
    }

    /// A picture over the whole square.
    pub fn picture(&self, ui: &Ui, picture: &Picture) {
        picture.paint(ui, self.rect);
    }
}

/// Round numbers within the bounds, about as many as asked for.
fn ticks([lo, hi]: [f64; 2], count: usize) -> Vec<f64> {
    let rough = (hi - lo) / count.clamp(2, 12) as f64;
    if !(rough > 0.0 && rough.is_finite()) {
        return Vec::new();
    }
    let unit = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .map(|factor| factor * unit)
        .into_iter()
        .find(|step| *step >= rough)
        .unwrap_or(10.0 * unit);
    let first = (lo / step).ceil() as i64;
    let last = (hi / step).floor() as i64;
    (first..=last.min(first + 40))
        .map(|n| n as f64 * step)
        .collect()
}

/// A picture of numbers or colours, kept as a texture.
#[derive(Default)]
pub struct Picture {
    texture: Option<TextureHandle>,
}

impl Picture {
    /// Row by row from the top.
    pub fn set(
        &mut self,
        ui: &Ui,
        [width, height]: [usize; 2],
        pixels: Vec<Color32>,
        smooth: bool,
    ) {
        if pixels.len() != width * height {
            return;
        }
        let image = ColorImage::new([width, height], pixels);
        let options = match smooth {
            true => TextureOptions::LINEAR,
            false => TextureOptions::NEAREST,
        };
        match &mut self.texture {
            Some(texture) => texture.set(image, options),
            None => self.texture = Some(ui.ctx().load_texture("bench", image, options)),
        }
    }

    pub fn is_set(&self) -> bool {
        self.texture.is_some()
    }

    pub fn paint(&self, ui: &Ui, rect: Rect) {
        let Some(texture) = &self.texture else { return };
        let mut mesh = Mesh::with_texture(texture.id());
        let whole = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
        mesh.add_rect_with_uv(rect, whole, Color32::WHITE);
        ui.painter().add(Shape::mesh(mesh));
    }
}

pub fn rgb([red, green, blue]: [u8; 3]) -> Color32 {
    Color32::from_rgb(red, green, blue)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_within() {
        assert_eq!(ticks([-1.0, 1.0], 4), [-1.0, -0.5, 0.0, 0.5, 1.0]);
        assert_eq!(ticks([0.3, 9.0], 3), [5.0]);
        assert!(ticks([0.0, f64::INFINITY], 4).is_empty());
        assert!(ticks([1.0, 1.0], 4).is_empty());
    }

    #[test]
    fn places_on_the_screen_and_back() {
        let axes = Axes {
            rect: Rect::from_min_size(pos2(10.0, 20.0), vec2(200.0, 100.0)),
            x: [-2.0, 2.0],
            y: [0.0, 5.0],
        };
        let at = axes.to_screen([1.0, 2.5]);
        assert_eq!(at, pos2(160.0, 70.0));
        let back = axes.to_data(at);
        assert!((back[0] - 1.0).abs() < 1e-6 && (back[1] - 2.5).abs() < 1e-6);
    }
}
