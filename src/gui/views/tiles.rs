//! Many small pictures side by side, drawn from one texture.

use egui::{
    Color32, ColorImage, Mesh, Pos2, Rect, Response, Sense, Stroke, StrokeKind, TextureHandle,
    TextureOptions, Ui, Vec2, WidgetInfo, WidgetType, pos2, vec2,
};

use crate::inspect::{Picture, Tiling};

/// The points between two tiles.
const GAP: f32 = 2.0;

/// A texture of tiles that is made anew only when its key changes.
pub struct Tiles<K> {
    made: Option<(K, Tiling, TextureHandle)>,
}

impl<K> Default for Tiles<K> {
    fn default() -> Self {
        Self { made: None }
    }
}

/// The place on the tiles under the pointer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    pub tile: usize,
    /// Pixels of the tile's picture.
    pub x: usize,
    pub y: usize,
}

/// How tiles lie on the screen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grid {
    pub columns: usize,
    pub side: Vec2,
}

impl Grid {
    /// At `zoom` 1 all tiles (of this width and height in pixels) fit into `room`; larger, they
    /// go on below it.
    pub fn new(count: usize, tile: [usize; 2], room: Vec2, zoom: f32) -> Self {
        let tile = tile.map(|side| side.max(1) as f32);
        let fitting = Tiling::columns_to_fill(count, tile, room.into(), GAP);
        // A single small picture does not have to fill a whole screen.
        let scale =
            (fitting.1.min(240.0 / tile[0].max(tile[1]).min(240.0)) * zoom).max(2.0 / tile[0]);
        let side = vec2(tile[0], tile[1]) * scale;
        let most = ((room.x + GAP) / (side.x + GAP)).floor().max(1.0) as usize;
        Self {
            columns: most.min(count.max(1)),
            side,
        }
    }

    /// A given number of tiles in a row, as wide as `room` allows.
    pub fn rows_of(columns: usize, tile: [usize; 2], room: f32, zoom: f32) -> Self {
        let tile = tile.map(|side| side.max(1) as f32);
        let fitting = (room + GAP) / columns.max(1) as f32 - GAP;
        let scale = (fitting / tile[0]).clamp(1.0, 12.0) * zoom;
        Self {
            columns: columns.max(1),
            side: vec2(tile[0], tile[1]) * scale,
        }
    }

    pub fn size(&self, count: usize) -> Vec2 {
        let columns = self.columns.min(count) as f32;
        let rows = count.div_ceil(self.columns) as f32;
        (vec2(columns, rows) * (self.side + Vec2::splat(GAP)) - Vec2::splat(GAP)).max(Vec2::ZERO)
    }

    /// Where a tile lies on the screen.
    pub fn rect(&self, index: usize, origin: Pos2) -> Rect {
        let place = vec2((index % self.columns) as f32, (index / self.columns) as f32);
        Rect::from_min_size(origin + place * (self.side + Vec2::splat(GAP)), self.side)
    }

    /// The tile under a point, and where on it from 0 to 1.
    fn at(&self, point: Vec2, count: usize) -> Option<(usize, Vec2)> {
        let cell = self.side + Vec2::splat(GAP);
        if point.x < 0.0 || point.y < 0.0 {
            return None;
        }
        let (column, row) = ((point.x / cell.x) as usize, (point.y / cell.y) as usize);
        let index = row.checked_mul(self.columns)?.checked_add(column)?;
        let part = (point - vec2(column as f32, row as f32) * cell) / self.side;
        let inside = column < self.columns && index < count && part.x < 1.0 && part.y < 1.0;
        inside.then_some((index, part))
    }
}

impl<K: PartialEq> Tiles<K> {
    /// `make` gets the longest side that a texture may have.
    pub fn refresh(&mut self, ui: &Ui, key: K, make: impl FnOnce(usize) -> (Tiling, Picture)) {
        if self.made.as_ref().is_some_and(|(made, ..)| *made == key) {
            return;
        }
        let (tiling, picture) = make(ui.input(|input| input.max_texture_side));
        if picture.rgb.is_empty() {
            self.made = None;
            return;
        }
        let image = ColorImage::from_rgb([picture.width, picture.height], &picture.rgb);
        // The same texture goes on, so that a picture of every snapshot costs no new one.
        let texture = match self.made.take() {
            Some((.., mut texture)) => {
                texture.set(image, TextureOptions::NEAREST);
                texture
            }
            None => ui
                .ctx()
                .load_texture("tiles", image, TextureOptions::NEAREST),
        };
        self.made = Some((key, tiling, texture));
    }

    /// The number of tiles there are.
    pub fn count(&self) -> usize {
        self.made.as_ref().map_or(0, |(_, tiling, _)| tiling.count)
    }

    /// Draws those tiles that can be seen; `name` is for those who hear the window.
    pub fn ui(&self, ui: &mut Ui, grid: &Grid, name: &str) -> (Response, Option<Hit>) {
        let count = self.count();
        let (area, response) = ui.allocate_exact_size(grid.size(count), Sense::click());
        response.widget_info(|| WidgetInfo::labeled(WidgetType::Image, true, name));
        let Some((_, tiling, texture)) = &self.made else {
            return (response, None);
        };
        let mut mesh = Mesh::with_texture(texture.id());
        let seen = ui.clip_rect();
        for index in 0..count {
            let rect = grid.rect(index, area.min);
            if rect.intersects(seen) {
                mesh.add_rect_with_uv(rect, part_of_texture(tiling, index), Color32::WHITE);
            }
        }
        ui.painter().add(mesh);
        let hit = response
            .hover_pos()
            .and_then(|pos| grid.at(pos - area.min, count));
        let hit = hit.map(|(tile, part)| {
            let stroke = Stroke::new(1.0, ui.visuals().hyperlink_color);
            let rect = grid.rect(tile, area.min).expand(1.0);
            ui.painter()
                .rect_stroke(rect, 0.0, stroke, StrokeKind::Outside);
            let [width, height] = tiling.tile;
            let (x, y) = (
                (part.x * width as f32) as usize,
                (part.y * height as f32) as usize,
            );
            Hit { tile, x, y }
        });
        (response, hit)
    }
}

/// A little inside of the tile, so that no neighbour shines through at its edge.
fn part_of_texture(tiling: &Tiling, index: usize) -> Rect {
    let [width, height] = tiling.size().map(|side| side.max(1) as f32);
    let [left, top] = tiling.origin(index).map(|side| side as f32);
    let [tile_width, tile_height] = tiling.tile.map(|side| side as f32);
    let corner = |x: f32, y: f32| pos2(x / width, y / height);
    Rect::from_min_max(
        corner(left + 0.02, top + 0.02),
        corner(left + tile_width - 0.02, top + tile_height - 0.02),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_fills_its_room_and_knows_its_places() {
        let grid = Grid::new(4, [10, 10], vec2(42.0, 42.0), 1.0);
        assert_eq!((grid.columns, grid.side), (2, vec2(20.0, 20.0)));
        assert_eq!(grid.size(4), vec2(42.0, 42.0));
        assert_eq!(grid.size(3), vec2(42.0, 42.0));
        assert_eq!(grid.at(vec2(23.0, 1.0), 4), Some((1, vec2(0.05, 0.05))));
        assert_eq!(grid.at(vec2(21.0, 1.0), 4), None, "the gap");
        assert_eq!(grid.at(vec2(30.0, 30.0), 3), None, "no such tile");
        assert_eq!(grid.at(vec2(-1.0, 3.0), 4), None);
        let larger = Grid::new(4, [10, 10], vec2(42.0, 42.0), 2.0);
        assert_eq!((larger.columns, larger.side), (1, vec2(40.0, 40.0)));
        for (count, tile, room) in [
            (0, [0, 0], vec2(0.0, -3.0)),
            (9, [5, 1], vec2(f32::NAN, 3.0)),
            (4096, [7, 7], vec2(1.0, 1.0)),
        ] {
            let grid = Grid::new(count, tile, room, 1.0);
            assert!(grid.columns >= 1 && grid.side.min_elem() > 0.0, "{grid:?}");
            assert!(grid.size(count).is_finite(), "{grid:?}");
        }
    }
}
