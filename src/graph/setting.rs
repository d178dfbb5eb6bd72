//! The value of a layer's parameter apart from the layer: to compare layers, to give one layer
//! what another has, and to write a value down.
//!
//! Read and written through [`FieldVisitor`](super::FieldVisitor), so no layer knows of it.

use super::{Choice, Field, FieldValue, Filler, Layer, Size};

/// A parameter's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Setting {
    Count(usize),
    Pair([usize; 2]),
    Size(Size),
    Integer(i64),
    OptionalCount(Option<usize>),
    Real(f64),
    Flag(bool),
    /// The name in files, and the index among the options.
    Choice(&'static str),
    Filler(Filler),
    Counts(Vec<usize>),
    Integers(Vec<i64>),
    Reals(Vec<f64>),
}

impl Setting {
    pub fn of(value: &FieldValue<'_>) -> Self {
        match value {
            FieldValue::Count { value, .. } => Self::Count(**value),
            FieldValue::Pair { value, .. } => Self::Pair(**value),
            FieldValue::Size { value, .. } => Self::Size(**value),
            FieldValue::Integer { value, .. } => Self::Integer(**value),
            FieldValue::OptionalCount { value, .. } => Self::OptionalCount(**value),
            FieldValue::Real { value, .. } => Self::Real(**value),
            FieldValue::Flag(value) => Self::Flag(**value),
            FieldValue::Choice(choice) => Self::Choice(chosen(&**choice)),
            FieldValue::Filler(filler) => Self::Filler(**filler),
            FieldValue::Counts { value, .. } => Self::Counts((*value).clone()),
            FieldValue::Integers { value, .. } => Self::Integers((*value).clone()),
            FieldValue::Reals { value, .. } => Self::Reals((*value).clone()),
        }
    }

    /// Puts the value into a field of the same kind; whether it is one.
    pub fn write(&self, field: &mut FieldValue<'_>) -> bool {
        match (self, field) {
            (Self::Count(new), FieldValue::Count { value, .. }) => **value = *new,
            (Self::Pair(new), FieldValue::Pair { value, .. }) => **value = *new,
            (Self::Size(new), FieldValue::Size { value, .. }) => **value = *new,
            (Self::Integer(new), FieldValue::Integer { value, .. }) => **value = *new,
            (Self::OptionalCount(new), FieldValue::OptionalCount { value, .. }) => **value = *new,
            (Self::Real(new), FieldValue::Real { value, .. }) => **value = *new,
            (Self::Flag(new), FieldValue::Flag(value)) => **value = *new,
            (Self::Choice(new), FieldValue::Choice(choice)) => {
                let Some(index) = choice.options().iter().position(|(name, _)| name == new) else {
                    return false;
                };
                choice.set(index);
            }
            (Self::Filler(new), FieldValue::Filler(filler)) => **filler = *new,
            (Self::Counts(new), FieldValue::Counts { value, .. }) => value.clone_from(new),
            (Self::Integers(new), FieldValue::Integers { value, .. }) => value.clone_from(new),
            (Self::Reals(new), FieldValue::Reals { value, .. }) => value.clone_from(new),
            _ => return false,
        }
        true
    }

    /// As short as a person would write it.
    pub fn text(&self) -> String {
        match self {
            Self::Count(n) => n.to_string(),
            Self::Pair([h, w]) if h == w => h.to_string(),
            Self::Pair([h, w]) => format!("{h}×{w}"),
            Self::Size(size) => size.to_string(),
            Self::Integer(n) => n.to_string(),
            Self::OptionalCount(n) => n.map_or_else(|| "–".to_owned(), |n| n.to_string()),
            Self::Real(x) => x.to_string(),
            Self::Flag(flag) => flag.to_string(),
            Self::Choice(name) => (*name).to_owned(),
            Self::Filler(filler) => filler_text(filler),
            Self::Counts(list) => join(list),
            Self::Integers(list) => join(list),
            Self::Reals(list) => join(list),
        }
    }
}

fn chosen(choice: &dyn Choice) -> &'static str {
    let option = choice.options().get(choice.index());
    option.map_or("", |(name, _)| name)
}

fn join<T: ToString>(list: &[T]) -> String {
    let texts: Vec<String> = list.iter().map(T::to_string).collect();
    format!("[{}]", texts.join(", "))
}

fn filler_text(filler: &Filler) -> String {
    let name = filler.name();
    match filler {
        Filler::Constant(value) => format!("{name} {value}"),
        Filler::Uniform { min, max } => format!("{name} {min} … {max}"),
        Filler::Gaussian { mean, std } => format!("{name} {mean} ± {std}"),
        Filler::ScaledUniform(scale) | Filler::ScaledGaussian(scale) => format!("{name} {scale}"),
        _ => name.to_owned(),
    }
}

/// Every parameter of a layer with its value, in the order of the form.
pub fn settings(layer: &dyn Layer) -> Vec<(&'static str, Setting)> {
    let mut settings = Vec::new();
    layer.clone_layer().fields(&mut |field: Field<'_>| {
        settings.push((field.name, Setting::of(&field.value)));
    });
    settings
}

/// Gives a layer the parameters of these names, where it has them and they are of the same kind;
/// how many it took.
pub fn apply(layer: &mut dyn Layer, settings: &[(&'static str, Setting)]) -> usize {
    let mut taken = 0;
    layer.fields(&mut |mut field: Field<'_>| {
        let new = settings.iter().find(|(name, _)| *name == field.name);
        taken += usize::from(new.is_some_and(|(_, new)| new.write(&mut field.value)));
    });
    taken
}
