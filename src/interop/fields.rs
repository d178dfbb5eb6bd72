//! One field of a layer from the message that Caffe keeps it in, by the kind of its value.

use std::collections::BTreeSet;

use super::{Entry, Message, Note, wrong_value};
use crate::graph::{Choice, Field, FieldValue, Filler, Size};

/// Names in Caffe's enums that are not the upper case of ours.
const ALIASES: [(&str, &str); 1] = [("AVE", "average")];

/// Gives one field its value, if the message has one.
pub(super) fn take(
    field: Field<'_>,
    message: &Message,
    taken: &mut BTreeSet<String>,
    notes: &mut Vec<Note>,
) {
    // A field of another message (`loss_param.ignore_label`) is that message's.
    let caffe = field.caffe.rsplit('.').next().unwrap_or_default();
    let entries: Vec<&Entry> = message.all(caffe).collect();
    taken.insert(caffe.to_owned());
    let value = field.value;
    if let FieldValue::Pair { value, .. } = value {
        pair(value, caffe, &entries, message, taken);
        return;
    }
    let Some(last) = entries.last() else { return };
    let done = match value {
        FieldValue::Pair { .. } => Some(()),
        FieldValue::Count { value, .. } => last.count().map(|count| *value = count),
        FieldValue::Size { value, .. } => last.count().map(|count| *value = Size::Count(count)),
        FieldValue::Integer { value, .. } => last.integer().map(|number| *value = number),
        FieldValue::OptionalCount { value, .. } => last.count().map(|count| *value = Some(count)),
        FieldValue::Real { value, .. } => last.real().map(|number| *value = number),
        FieldValue::Flag(value) => {
            let rounding = match last.word() {
                Some("CEIL") => Some(true),
                Some("FLOOR") => Some(false),
                _ => None,
            };
            last.flag().or(rounding).map(|flag| *value = flag)
        }
        FieldValue::Choice(choice) => choose(choice, last),
        FieldValue::Filler(filler) => last
            .message()
            .and_then(filler_of)
            .map(|read| *filler = read),
        FieldValue::Counts { value, .. } => {
            let counts: Option<Vec<usize>> = entries.iter().map(|entry| entry.count()).collect();
            counts.map(|counts| *value = counts)
        }
        FieldValue::Integers { value, .. } => {
            let numbers: Option<Vec<i64>> = entries.iter().map(|entry| entry.integer()).collect();
            let dims = || {
                Some(
                    last.message()?
                        .all("dim")
                        .filter_map(Entry::integer)
                        .collect(),
                )
            };
            numbers.or_else(dims).map(|numbers| *value = numbers)
        }
        FieldValue::Reals { value, .. } => {
            let numbers: Option<Vec<f64>> = entries.iter().map(|entry| entry.real()).collect();
            numbers.map(|numbers| *value = numbers)
        }
    };
    if done.is_none() {
        notes.push(wrong_value(last));
    }
}

/// `kernel_size` once or twice, or `kernel_h` and `kernel_w`.
fn pair(
    value: &mut [usize; 2],
    caffe: &str,
    entries: &[&Entry],
    message: &Message,
    taken: &mut BTreeSet<String>,
) {
    let counts: Vec<usize> = entries.iter().filter_map(|entry| entry.count()).collect();
    match counts[..] {
        [] => {}
        [both] => *value = [both; 2],
        [height, width, ..] => *value = [height, width],
    }
    let stem = caffe.trim_end_matches("_size");
    for (axis, name) in ["h", "w"].into_iter().enumerate() {
        let name = format!("{stem}_{name}");
        if let Some(count) = message.get(&name).and_then(Entry::count) {
            value[axis] = count;
        }
        taken.insert(name);
    }
}

fn choose(choice: &mut dyn Choice, entry: &Entry) -> Option<()> {
    let word = entry.word()?;
    let alias = ALIASES.iter().find(|(caffe, _)| *caffe == word);
    let wanted = alias.map_or(word, |(_, ours)| ours);
    let same = |(name, _): &(&str, _)| name.eq_ignore_ascii_case(wanted);
    let index = choice.options().iter().position(same)?;
    choice.set(index);
    Some(())
}

/// Caffe's `FillerParameter`; a type that is not there is a constant.
fn filler_of(message: &Message) -> Option<Filler> {
    let real = |name: &str, usual: f64| message.get(name).map_or(Some(usual), Entry::real);
    let norm = message.text("variance_norm").unwrap_or("FAN_IN");
    Some(match (message.text("type").unwrap_or("constant"), norm) {
        ("constant", _) => Filler::Constant(real("value", 0.0)?),
        ("uniform", _) => Filler::Uniform {
            min: real("min", 0.0)?,
            max: real("max", 1.0)?,
        },
        ("gaussian", _) => Filler::Gaussian {
            mean: real("mean", 0.0)?,
            std: real("std", 1.0)?,
        },
        ("xavier", "FAN_OUT") => Filler::XavierFanOut,
        ("xavier", "AVERAGE") => Filler::XavierAverage,
        ("xavier", _) => Filler::Xavier,
        ("msra", "FAN_OUT") => Filler::MsraFanOut,
        ("msra", "AVERAGE") => Filler::MsraAverage,
        ("msra", _) => Filler::Msra,
        ("bilinear", _) => Filler::Bilinear,
        ("positive_unitball", _) => Filler::PositiveUnitball,
        _ => return None,
    })
}
