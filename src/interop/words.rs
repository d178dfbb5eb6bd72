//! The few words by which a drawing or a table describes a layer.

use std::collections::BTreeMap;

use crate::graph::{Field, FieldValue, Layer, Shape};
use crate::i18n::tr;

/// The shape of one example; a single number or one number per example needs no shape.
pub fn example_shape(shape: &Shape) -> Option<String> {
    let dims = shape
        .0
        .get(1..)
        .filter(|dims| !dims.is_empty())?
        .iter()
        .map(|dim| match dim {
            Some(size) => size.to_string(),
            None => "?".to_owned(),
        });
    Some(dims.collect::<Vec<_>>().join("×"))
}

/// The parameters that a reader of a diagram looks for: sizes and kernels, and whatever
/// differs from the default; how weights begin is left to the form.
pub fn parameters(layer: &dyn Layer) -> Vec<String> {
    let mut usual = BTreeMap::new();
    if let Some(mut default) = crate::layers::make(layer.spec().name) {
        default.fields(&mut |field: Field<'_>| {
            usual.insert(field.name, short_value(&field.value));
        });
    }
    let mut words = Vec::new();
    layer.clone_layer().fields(&mut |field: Field<'_>| {
        let Some(value) = short_value(&field.value) else {
            return;
        };
        let says_size = matches!(field.value, FieldValue::Size { .. });
        let is_kernel = field.name == "kernel" || field.name == "ratio";
        let differs = usual
            .get(field.name)
            .is_none_or(|usual| *usual != Some(value.clone()));
        if says_size || is_kernel || differs {
            words.push(match field.value {
                FieldValue::Choice(_) => value,
                FieldValue::Size { .. } => format!("→ {value}"),
                _ => format!("{} {value}", field.name),
            });
        }
    });
    words
}

fn short_value(value: &FieldValue<'_>) -> Option<String> {
    Some(match value {
        FieldValue::Count { value, .. } => value.to_string(),
        FieldValue::Pair { value: [h, w], .. } if h == w => h.to_string(),
        FieldValue::Pair { value: [h, w], .. } => format!("{h}×{w}"),
        FieldValue::Size { value, .. } => value.to_string(),
        FieldValue::Integer { value, .. } => value.to_string(),
        FieldValue::OptionalCount { value, .. } => (**value)?.to_string(),
        FieldValue::Real { value, .. } => value.to_string(),
        FieldValue::Flag(value) => if **value {
            tr("yes", "是")
        } else {
            tr("no", "否")
        }
        .to_owned(),
        FieldValue::Choice(choice) => choice.options().get(choice.index())?.1.get().to_owned(),
        FieldValue::Filler(_) => return None,
        FieldValue::Counts { value, .. } => join(value),
        FieldValue::Integers { value, .. } => join(value),
        FieldValue::Reals { value, .. } => join(value),
    })
}

fn join<T: ToString>(values: &[T]) -> String {
    let texts: Vec<String> = values.iter().map(T::to_string).collect();
    texts.join(", ")
}
