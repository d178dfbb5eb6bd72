//! How numbers become colours, and how large they are drawn: the choices that views share.

use egui::{ComboBox, DragValue, Slider, Ui};

use crate::i18n::{Text, tr};
use crate::inspect::{ColorMap, Coloring, Scale};

/// Black or white, whichever is easier to read on a colour.
pub fn ink_on([red, green, blue]: [u8; 3]) -> egui::Color32 {
    let light = 0.299 * f32::from(red) + 0.587 * f32::from(green) + 0.114 * f32::from(blue);
    if light > 140.0 {
        egui::Color32::BLACK
    } else {
        egui::Color32::WHITE
    }
}

/// How large pictures are; it goes first in a row, because a slider does not wrap.
pub fn zoom_ui(ui: &mut Ui, zoom: &mut f32) {
    ui.spacing_mut().slider_width = 60.0;
    let slider = Slider::new(zoom, 0.25..=8.0)
        .logarithmic(true)
        .show_value(false);
    let about = tr("zoom; double click: fit the panel", "缩放；双击：适应面板");
    if ui.add(slider).on_hover_text(about).double_clicked() {
        *zoom = 1.0;
    }
}

/// The choice of colour map and scale.
pub fn coloring_ui(ui: &mut Ui, coloring: &mut Coloring) {
    let name = |map| match map {
        ColorMap::Gray => Text::new("gray", "灰度"),
        ColorMap::Viridis => Text::new("viridis", "viridis"),
        ColorMap::Diverging => Text::new("blue–red", "蓝–红"),
    };
    ComboBox::from_id_salt("color map")
        .width(70.0)
        .selected_text(name(coloring.map).get())
        .show_ui(ui, |ui| {
            for map in ColorMap::ALL {
                ui.selectable_value(&mut coloring.map, map, name(map).get());
            }
        });
    let kind = |scale| match scale {
        Scale::PerMap => Text::new("each map", "逐图"),
        Scale::Shared => Text::new("shared", "共享"),
        Scale::Fixed(..) => Text::new("fixed", "固定"),
    };
    let fixed = match coloring.scale {
        Scale::Fixed(lo, hi) => Scale::Fixed(lo, hi),
        _ => Scale::Fixed(
            if coloring.map == ColorMap::Diverging {
                -1.0
            } else {
                0.0
            },
            1.0,
        ),
    };
    let combo = ComboBox::from_id_salt("scale")
        .width(70.0)
        .selected_text(kind(coloring.scale).get());
    let response = combo.show_ui(ui, |ui| {
        for scale in [Scale::PerMap, Scale::Shared, fixed] {
            ui.selectable_value(&mut coloring.scale, scale, kind(scale).get());
        }
    });
    response.response.on_hover_text(tr(
        "range of the colour scale: of each map by itself, shared by all, or fixed",
        "颜色刻度的范围：逐图、全部共享或固定",
    ));
    if let Scale::Fixed(lo, hi) = &mut coloring.scale {
        ui.add(DragValue::new(lo).speed(0.01));
        ui.label("…");
        ui.add(DragValue::new(hi).speed(0.01));
    }
}
