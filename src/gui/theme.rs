//! Colours, fonts and spacing of the window, light and dark: one accent colour, one table of
//! family colours, one of port colours.

use std::sync::Arc;

use egui::{
    Color32, CornerRadius, FontData, FontDefinitions, FontFamily, FontId, Stroke, Style, TextStyle,
    Theme, Visuals, vec2,
};

use crate::graph::{Family, PortType, Severity};
use crate::interop::drawing;

/// Gives the context its fonts and both styles.
pub fn install(ctx: &egui::Context) {
    ctx.set_fonts(fonts());
    ctx.set_style_of(Theme::Dark, style(dark()));
    ctx.set_style_of(Theme::Light, style(light()));
}

/// Noto's own Latin goes first, so that both languages have one weight and one look; signs that
/// it lacks come from the fonts that egui brings along.
fn fonts() -> FontDefinitions {
    let mut fonts = FontDefinitions::default();
    let noto = "Noto Sans SC".to_owned();
    (fonts.font_data).insert(noto.clone(), Arc::new(FontData::from_static(drawing::FONT)));
    let proportional = fonts.families.entry(FontFamily::Proportional).or_default();
    proportional.insert(0, noto.clone());
    let monospace = fonts.families.entry(FontFamily::Monospace).or_default();
    monospace.insert(1.min(monospace.len()), noto);
    fonts
}

fn style(visuals: Visuals) -> Style {
    let mut style = Style {
        visuals,
        ..Style::default()
    };
    style.text_styles = [
        (TextStyle::Small, FontId::proportional(11.0)),
        (TextStyle::Body, FontId::proportional(13.0)),
        (TextStyle::Button, FontId::proportional(13.0)),
        (TextStyle::Heading, FontId::proportional(16.0)),
        (TextStyle::Monospace, FontId::monospace(12.0)),
    ]
    .into();
    style.spacing.item_spacing = vec2(8.0, 5.0);
    style.spacing.button_padding = vec2(8.0, 3.0);
    style.spacing.interact_size.y = 22.0;
    style.spacing.combo_width = 72.0;
    style.spacing.tooltip_width = 380.0;
    style.interaction.tooltip_delay = 0.4;
    style.interaction.selectable_labels = false;
    style.animation_time = 0.08;
    style
}

fn dark() -> Visuals {
    let mut visuals = Visuals::dark();
    let text = Color32::from_rgb(0xdc, 0xdf, 0xe6);
    visuals.panel_fill = Color32::from_rgb(0x1b, 0x1d, 0x23);
    visuals.window_fill = Color32::from_rgb(0x23, 0x26, 0x2e);
    visuals.extreme_bg_color = Color32::from_rgb(0x12, 0x14, 0x18);
    visuals.faint_bg_color = Color32::from_rgb(0x22, 0x25, 0x2c);
    visuals.code_bg_color = Color32::from_rgb(0x2a, 0x2d, 0x36);
    visuals.warn_fg_color = Color32::from_rgb(0xf2, 0xb3, 0x4b);
    visuals.error_fg_color = Color32::from_rgb(0xff, 0x73, 0x73);
    let grays =
        [0x34, 0x2c, 0x38, 0x44].map(|gray: u8| Color32::from_rgb(gray, gray + 3, gray + 12));
    finish(visuals, text, grays)
}

fn light() -> Visuals {
    let mut visuals = Visuals::light();
    let text = Color32::from_rgb(0x1f, 0x23, 0x2b);
    visuals.panel_fill = Color32::from_rgb(0xf7, 0xf8, 0xfa);
    visuals.window_fill = Color32::from_rgb(0xff, 0xff, 0xff);
    visuals.extreme_bg_color = Color32::from_rgb(0xff, 0xff, 0xff);
    visuals.faint_bg_color = Color32::from_rgb(0xee, 0xf0, 0xf4);
    visuals.code_bg_color = Color32::from_rgb(0xe9, 0xec, 0xf1);
    visuals.warn_fg_color = Color32::from_rgb(0xa8, 0x62, 0x00);
    visuals.error_fg_color = Color32::from_rgb(0xc6, 0x28, 0x28);
    let grays =
        [0xd6, 0xe8, 0xdd, 0xcf].map(|gray: u8| Color32::from_rgb(gray, gray + 2, gray + 8));
    finish(visuals, text, grays)
}

/// `grays`: lines, widgets at rest, under the pointer, pressed.
fn finish(mut visuals: Visuals, text: Color32, grays: [Color32; 4]) -> Visuals {
    let [line, rest, hover, press] = grays;
    let accent = accent(&visuals);
    visuals.window_stroke = Stroke::new(1.0, line);
    visuals.window_corner_radius = CornerRadius::same(8);
    visuals.menu_corner_radius = CornerRadius::same(6);
    visuals.hyperlink_color = accent;
    visuals.selection.bg_fill = accent.gamma_multiply(0.35);
    visuals.selection.stroke = Stroke::new(1.0, text);
    visuals.weak_text_alpha = 0.68;
    let widgets = &mut visuals.widgets;
    widgets.noninteractive.bg_stroke = Stroke::new(1.0, line);
    widgets.noninteractive.fg_stroke = Stroke::new(1.0, text);
    for (widget, fill) in [
        (&mut widgets.inactive, rest),
        (&mut widgets.hovered, hover),
        (&mut widgets.active, press),
        (&mut widgets.open, hover),
    ] {
        widget.weak_bg_fill = fill;
        widget.bg_fill = fill;
        widget.bg_stroke = Stroke::NONE;
        widget.fg_stroke = Stroke::new(1.0, text);
        widget.corner_radius = CornerRadius::same(4);
        widget.expansion = 0.0;
    }
    widgets.inactive.bg_stroke = Stroke::new(1.0, line.gamma_multiply(0.6));
    widgets.hovered.bg_stroke = Stroke::new(1.0, line);
    widgets.active.bg_stroke = Stroke::new(1.0, accent);
    visuals
}

/// The frame of a question in the middle of the window.
pub fn modal_frame(style: &Style) -> egui::Frame {
    egui::Frame::popup(style).inner_margin(18).corner_radius(8)
}

/// The one colour for what is selected, running or recommended.
pub fn accent(visuals: &Visuals) -> Color32 {
    if visuals.dark_mode {
        Color32::from_rgb(0x5b, 0x9d, 0xff)
    } else {
        Color32::from_rgb(0x1f, 0x66, 0xd6)
    }
}

/// The colour of a family of layers: in the palette, on nodes, in diagrams.
pub fn family_color(family: Family, visuals: &Visuals) -> Color32 {
    let (dark, light) = drawing::family_colors(family);
    rgb(if visuals.dark_mode { dark } else { light })
}

/// The colour of a pin and of the wires at it.
pub fn port_color(kind: PortType, visuals: &Visuals) -> Color32 {
    let (dark, light) = match kind {
        PortType::Tensor => (0x8fa3c4, 0x55698c),
        PortType::Labels => (0xe8a06a, 0xb8600f),
        PortType::Any => (0x8b8f98, 0x6b7280),
    };
    rgb(if visuals.dark_mode { dark } else { light })
}

pub fn severity_color(severity: Severity, visuals: &Visuals) -> Color32 {
    match severity {
        Severity::Error => visuals.error_fg_color,
        Severity::Warning => visuals.warn_fg_color,
    }
}

fn rgb(hex: u32) -> Color32 {
    let [_, red, green, blue] = hex.to_be_bytes();
    Color32::from_rgb(red, green, blue)
}

/// `part` of `top` over `ground`, opaque.
pub fn blend(ground: Color32, top: Color32, part: f32) -> Color32 {
    ground.lerp_to_gamma(top, part)
}
