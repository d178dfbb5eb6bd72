//! The words in a box: its main parameters, its cost, its ports and their shapes.

use std::collections::BTreeMap;

use crate::graph::{Field, FieldValue, Node, NodeInfo, PortType, Shape};
use crate::gui::format;
use crate::i18n::{tr, tr_format};

pub(super) fn about_pin(node: &str, port: &str, kind: PortType, shape: Option<&Shape>) -> String {
    let kind = kind.text();
    match shape {
        Some(shape) => tr_format!(
            "{node}, {port}: {kind} {shape}",
            "{node}，{port}：{kind} {shape}"
        ),
        None => tr_format!("{node}, {port}: {kind}", "{node}，{port}：{kind}"),
    }
}

/// The shape of one example; a single number or one number per example needs no shape.
pub(super) fn example_shape(shape: &Shape) -> Option<String> {
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

pub(super) fn cost(info: &NodeInfo) -> String {
    costs(info.param_count(), info.macs.unwrap_or(0))
}

pub(super) fn costs(params: u64, macs: u64) -> String {
    let mut parts = Vec::new();
    if params > 0 {
        let count = format::count(params);
        parts.push(tr_format!("{count} params", "{count} 参数"));
    }
    if macs > 0 {
        let count = format::count(macs);
        parts.push(tr_format!("{count} MACs", "{count} 次乘加"));
    }
    parts.join(", ")
}

/// The parameters that a reader of a diagram looks for: sizes and kernels, and whatever
/// differs from the default; how weights begin is left to the form.
pub(super) fn parameter_lines(node: &Node) -> Vec<String> {
    let mut usual = BTreeMap::new();
    if let Some(mut default) = crate::layers::make(node.layer.spec().name) {
        default.fields(&mut |field: Field<'_>| {
            usual.insert(field.name, short_value(&field.value));
        });
    }
    let mut words = Vec::new();
    node.layer.clone_layer().fields(&mut |field: Field<'_>| {
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
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() < 26 => {
                line.push_str(", ");
                line.push_str(&word);
            }
            _ => lines.push(word),
        }
    }
    lines.truncate(3);
    lines
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
