//! Sliders, lists and switches, made from what a bench says of its controls.

use egui::{ComboBox, RichText, Slider, Ui};

use crate::i18n::tr;
use crate::labs::{Control, Range, SHOW, Settings};

/// Draws all controls.
pub fn controls_ui(ui: &mut Ui, settings: &mut Settings) {
    ui.spacing_mut().slider_width = (ui.available_width() - 76.0).clamp(60.0, 240.0);
    for control in settings.controls() {
        if control.key == SHOW || !settings.matters(control) {
            continue;
        }
        control_ui(ui, control, settings);
    }
    if settings.controls().is_empty() {
        return;
    }
    let reset = ui.button(tr("Defaults", "恢复默认"));
    if reset.clicked() {
        settings.reset();
    }
    ui.separator();
}

/// Draws one.
pub fn control_ui(ui: &mut Ui, control: &'static Control, settings: &mut Settings) {
    let before = settings.number(control.key);
    let mut value = before;
    let name = RichText::new(control.name.get()).small();
    match control.range {
        Range::Number {
            min,
            max,
            log,
            unit,
            ..
        } => {
            ui.label(name).on_hover_text(control.about.get());
            let slider = Slider::new(&mut value, min..=max)
                .logarithmic(log)
                .suffix(unit);
            let slider = slider
                .smallest_positive(1e-6)
                .max_decimals(5)
                .custom_formatter(|v, _| {
                    let text = crate::gui::plots::short(v);
                    text.replace('−', "-")
                });
            ui.add(slider).on_hover_text(control.about.get());
        }
        Range::Count { min, max, .. } => {
            ui.label(name).on_hover_text(control.about.get());
            let slider = Slider::new(&mut value, min as f64..=max as f64).integer();
            ui.add(slider).on_hover_text(control.about.get());
        }
        Range::Choice { options, .. } => {
            ui.label(name).on_hover_text(control.about.get());
            let shown = options
                .get(value as usize)
                .map_or("", |(_, text)| text.get());
            let width = ui.available_width() - 8.0;
            let list = ComboBox::from_id_salt(control.key)
                .selected_text(shown)
                .width(width);
            let response = list.show_ui(ui, |ui| {
                for (place, (_, text)) in options.iter().enumerate() {
                    ui.selectable_value(&mut value, place as f64, text.get());
                }
            });
            response.response.on_hover_text(control.about.get());
        }
        Range::Switch(_) => {
            let mut on = value != 0.0;
            ui.checkbox(&mut on, control.name.get())
                .on_hover_text(control.about.get());
            value = f64::from(u8::from(on));
        }
    }
    if value != before {
        settings.set(control.key, value);
    }
}
