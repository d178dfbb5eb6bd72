//! One widget for each kind of value. Each says whether the value was changed; values outside
//! of their range cannot be entered.

use egui::{DragValue, Ui};

use crate::graph::{Choice, Field, FieldValue, Filler, Size};
use crate::i18n::tr;

/// The text of a list field while it is typed: the field's id and the text.
pub type Typing = Option<(egui::Id, String)>;

/// The field of a layer's parameter.
pub fn field_ui(ui: &mut Ui, field: Field<'_>, typing: &mut Typing) -> bool {
    let about = if field.caffe.is_empty() {
        field.about.get().to_owned()
    } else {
        format!("{}\n(Caffe: {})", field.about, field.caffe)
    };
    super::name_ui(ui, field.name, &about);
    let id = ui.id().with(field.name);
    let changed = ui
        .horizontal_wrapped(|ui| value_ui(ui, field.value, id, typing))
        .inner;
    ui.end_row();
    changed
}

fn value_ui(ui: &mut Ui, value: FieldValue<'_>, id: egui::Id, typing: &mut Typing) -> bool {
    match value {
        FieldValue::Count { value, min, max } => count_ui(ui, value, min, max),
        FieldValue::Pair { value, min, max } => pair_ui(ui, value, min, max),
        FieldValue::Size { value, max } => size_ui(ui, value, max, id),
        FieldValue::Integer { value, min, max } => ui
            .add(DragValue::new(value).range(min..=max).speed(0.1))
            .changed(),
        FieldValue::OptionalCount { value, min, max } => optional_ui(ui, value, min, max),
        FieldValue::Real { value, min, max } => real_ui(ui, value, min, max),
        FieldValue::Flag(value) => ui.checkbox(value, "").changed(),
        FieldValue::Choice(choice) => choice_ui(ui, choice, id),
        FieldValue::Filler(filler) => filler_ui(ui, filler, id),
        FieldValue::Counts {
            value,
            min,
            max,
            max_len,
        } => {
            let parse = |text: &str| {
                text.parse::<usize>()
                    .ok()
                    .filter(|n| (min..=max).contains(n))
            };
            list_ui(ui, value, max_len, parse, id, typing)
        }
        FieldValue::Integers {
            value,
            min,
            max,
            max_len,
        } => {
            let parse = |text: &str| {
                let number = text.replace('−', "-").parse::<i64>().ok();
                number.filter(|n| (min..=max).contains(n))
            };
            list_ui(ui, value, max_len, parse, id, typing)
        }
        FieldValue::Reals { value, max_len } => {
            let parse = |text: &str| text.parse::<f64>().ok().filter(|x| x.is_finite());
            list_ui(ui, value, max_len, parse, id, typing)
        }
    }
}

pub fn count_ui(ui: &mut Ui, value: &mut usize, min: usize, max: usize) -> bool {
    ui.add(DragValue::new(value).range(min..=max).speed(0.1))
        .changed()
}

pub fn whole_ui(ui: &mut Ui, value: &mut u64, max: u64) -> bool {
    ui.add(DragValue::new(value).range(0..=max).speed(1.0))
        .changed()
}

/// A number that counts only while its box is ticked.
fn optional_ui(ui: &mut Ui, value: &mut Option<usize>, min: usize, max: usize) -> bool {
    let mut used = value.is_some();
    let mut changed = ui.checkbox(&mut used, "").changed();
    if changed {
        *value = used.then_some(min);
    }
    if let Some(value) = value {
        changed |= count_ui(ui, value, min, max);
    }
    changed
}

/// Height × width.
fn pair_ui(ui: &mut Ui, value: &mut [usize; 2], min: usize, max: usize) -> bool {
    let [height, width] = value;
    let mut changed = count_ui(ui, height, min, max);
    ui.label("×");
    changed |= count_ui(ui, width, min, max);
    changed
}

/// A number, or one that follows from the data.
fn size_ui(ui: &mut Ui, value: &mut Size, max: usize, id: egui::Id) -> bool {
    let mut changed = false;
    if let Size::Count(n) = value {
        changed |= count_ui(ui, n, 1, max);
    }
    let title = match *value {
        Size::Count(_) => tr("number", "数值").to_owned(),
        by_classes => by_classes.to_string(),
    };
    egui::ComboBox::from_id_salt(id)
        .selected_text(title)
        .width(84.0)
        .show_ui(ui, |ui| {
            let is_count = matches!(value, Size::Count(_));
            if ui
                .selectable_label(is_count, tr("number", "数值"))
                .clicked()
                && !is_count
            {
                *value = Size::Count(10);
                changed = true;
            }
            for (name, size) in Size::BY_CLASSES {
                changed |= ui.selectable_value(value, size, name).changed();
            }
        });
    changed
}

/// A number that may span orders of magnitude: the drag's speed follows its size.
pub fn real_ui(ui: &mut Ui, value: &mut f64, min: f64, max: f64) -> bool {
    let speed = if max - min <= 1.0 {
        0.005
    } else {
        value.abs().max(1e-5) * 0.01
    };
    let field = DragValue::new(value).range(min..=max).speed(speed);
    let show = |x: f64, _: std::ops::RangeInclusive<usize>| number(x);
    let field = field.custom_formatter(show);
    let field = field.custom_parser(|text| text.trim().replace('−', "-").parse().ok());
    ui.add(field).changed()
}

/// The shortest text that is the number again, with an exponent where that is shorter.
fn number(x: f64) -> String {
    let plain = x.to_string();
    if plain.len() <= 9 {
        plain
    } else {
        format!("{x:e}")
    }
}

pub fn choice_ui(ui: &mut Ui, choice: &mut dyn Choice, id: egui::Id) -> bool {
    let options = choice.options();
    let now = choice.index();
    let mut picked = now;
    let text = options.get(now).map_or("", |(_, text)| text.get());
    egui::ComboBox::from_id_salt(id)
        .selected_text(text)
        .show_ui(ui, |ui| {
            for (index, (_, text)) in options.iter().enumerate() {
                ui.selectable_value(&mut picked, index, text.get());
            }
        });
    choice.set(picked);
    picked != now
}

fn filler_ui(ui: &mut Ui, filler: &mut Filler, id: egui::Id) -> bool {
    let mut changed = false;
    let name = filler.name();
    egui::ComboBox::from_id_salt(id)
        .selected_text(name)
        .width(84.0)
        .show_ui(ui, |ui| {
            for (other, usual) in Filler::ALL {
                let label = ui.selectable_label(other == name, other);
                if label.on_hover_text(usual.formula()).clicked() && other != name {
                    *filler = usual;
                    changed = true;
                }
            }
        });
    const WIDE: f64 = 1e6;
    let mut number = |ui: &mut Ui, name: &str, value: &mut f64, min: f64| {
        // An empty label would begin the row anew.
        if !name.is_empty() {
            ui.weak(name);
        }
        changed |= real_ui(ui, value, min, WIDE);
    };
    match filler {
        Filler::Constant(value) => number(ui, "", value, -WIDE),
        Filler::Uniform { min, max } => {
            number(ui, "", min, -WIDE);
            number(ui, "…", max, -WIDE);
            *max = max.max(*min);
        }
        Filler::Gaussian { mean, std } => {
            number(ui, "μ", mean, -WIDE);
            number(ui, "σ", std, 0.0);
        }
        Filler::ScaledUniform(scale) | Filler::ScaledGaussian(scale) => {
            number(ui, "s", scale, -WIDE);
        }
        _ => {}
    }
    changed
}

/// Numbers with commas between them; taken over whenever the text is a valid list.
pub fn list_ui<T: Clone + PartialEq + ToString>(
    ui: &mut Ui,
    value: &mut Vec<T>,
    max_len: usize,
    parse: impl Fn(&str) -> Option<T>,
    id: egui::Id,
    typing: &mut Typing,
) -> bool {
    let written = value
        .iter()
        .map(T::to_string)
        .collect::<Vec<_>>()
        .join(", ");
    let mut text = match typing {
        Some((of, text)) if *of == id => text.clone(),
        _ => written,
    };
    let read = |text: &str| -> Option<Vec<T>> {
        let parts = text
            .split([',', ' ', '，'])
            .map(str::trim)
            .filter(|part| !part.is_empty());
        let list: Option<Vec<T>> = parts.map(&parse).collect();
        list.filter(|list| list.len() <= max_len)
    };
    let mut field = egui::TextEdit::singleline(&mut text)
        .id(id)
        .desired_width(130.0);
    if read(&text_of(typing, id)).is_none() {
        field = field.text_color(ui.visuals().error_fg_color);
    }
    let response = ui.add(field);
    if !response.has_focus() {
        if typing.as_ref().is_some_and(|(of, _)| *of == id) {
            *typing = None;
        }
        return false;
    }
    let list = read(&text);
    *typing = Some((id, text));
    match list {
        Some(list) if list != *value => {
            *value = list;
            true
        }
        _ => false,
    }
}

/// What is being typed into this field; an empty list otherwise, which is valid.
fn text_of(typing: &Typing, id: egui::Id) -> String {
    match typing {
        Some((of, text)) if *of == id => text.clone(),
        _ => String::new(),
    }
}
