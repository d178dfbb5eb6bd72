//! Maps as pictures: all of a tensor beside each other, or one enlarged with its numbers.

use egui::{RichText, Ui, vec2};

use super::sections::Section;
use super::{MapsView, Shown};
use crate::gui::plots::number;
use crate::gui::views::coloring::ink_on;
use crate::gui::views::tiles::{Grid, Hit};
use crate::i18n::tr_format;
use crate::inspect::{Coloring, Maps, Tiling, paint};

impl MapsView {
    pub(super) fn tiles_ui(
        &mut self,
        ui: &mut Ui,
        section: &Section,
        shown: &mut Shown,
        height: f32,
    ) {
        let coloring = *self.coloring();
        let one = self
            .enlarged
            .as_ref()
            .filter(|(title, _)| *title == section.title)
            .map(|(_, channel)| *channel);
        let (serial, gradients, member) = shown.key.unwrap_or_default();
        let maps = &shown.maps;
        let tile = [maps.width, maps.height];
        let first = one.unwrap_or(0);
        let wanted = if one.is_some() { 1 } else { maps.channels };
        shown
            .tiles
            .refresh(ui, (serial, gradients, member, coloring, one), |side| {
                let tiling = Tiling::within(wanted, tile, side);
                (tiling, paint(maps, first, &tiling, &coloring))
            });
        let room = vec2(
            ui.available_width().min(ui.clip_rect().width()) - 12.0,
            height,
        );
        let grid = match one {
            Some(_) => {
                let scale = (room.x / tile[0] as f32)
                    .min(room.y / tile[1] as f32)
                    .max(1.0)
                    * self.zoom;
                Grid {
                    columns: 1,
                    side: vec2(tile[0] as f32, tile[1] as f32) * scale,
                }
            }
            None => Grid::new(wanted, tile, room, self.zoom),
        };
        let (number, [width, height]) = (maps.channels, tile);
        let name = tr_format!(
            "{number} maps of {height} × {width}",
            "{number} 个 {height} × {width} 特征图"
        );
        let (response, hit) = shown.tiles.ui(ui, &grid, &name);
        if one.is_some() {
            numbers_ui(ui, &grid, response.rect, maps, first, &coloring);
        }
        if let Some(hit) = hit {
            let channel = first + hit.tile;
            if response.clicked() {
                self.enlarged = one.is_none().then(|| (section.title.clone(), channel));
            }
            response.on_hover_ui_at_pointer(|ui| place_ui(ui, maps, channel, hit));
        }
        let left_out = wanted - shown.tiles.count();
        if left_out > 0 {
            ui.label(
                RichText::new(tr_format!(
                    "{left_out} more do not fit into one picture",
                    "另有 {left_out} 个无法放入同一张图"
                ))
                .weak(),
            );
        }
    }
}

fn place_ui(ui: &mut Ui, maps: &Maps, channel: usize, Hit { x, y, .. }: Hit) {
    let value = maps
        .at(channel, y, x)
        .map_or_else(String::new, |value| number(f64::from(value)));
    let place = match maps.is_vector() {
        true => tr_format!("element {channel}", "第 {channel} 个元素"),
        false => tr_format!(
            "channel {channel}, y {y}, x {x}",
            "通道 {channel}，y {y}，x {x}"
        ),
    };
    ui.label(RichText::new(value).strong());
    ui.label(RichText::new(place).weak());
}

/// Writes the numbers into the cells of an enlarged map where they are large enough.
fn numbers_ui(
    ui: &Ui,
    grid: &Grid,
    area: egui::Rect,
    maps: &Maps,
    channel: usize,
    coloring: &Coloring,
) {
    let cell = vec2(
        grid.side.x / maps.width as f32,
        grid.side.y / maps.height as f32,
    );
    if cell.x < 40.0 || cell.y < 16.0 {
        return;
    }
    let font = egui::TextStyle::Small.resolve(ui.style());
    let range = coloring.range(maps, channel);
    for (index, value) in maps.channel(channel).iter().enumerate() {
        let place = vec2(
            (index % maps.width) as f32 + 0.5,
            (index / maps.width) as f32 + 0.5,
        );
        let at = area.min + place * cell;
        if ui.clip_rect().contains(at) {
            let ink = ink_on(coloring.map.of(*value, range));
            ui.painter().text(
                at,
                egui::Align2::CENTER_CENTER,
                number(f64::from(*value)),
                font.clone(),
                ink,
            );
        }
    }
}
