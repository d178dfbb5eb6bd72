//! One field of a layer between its form and the messages that Caffe keeps it in, both ways, by
//! the kind of its value.

mod filler;

use std::collections::{BTreeMap, BTreeSet};

use filler::{filler_message, filler_of};

use super::prototxt::{Entry, Message, Value};
use super::{Note, wrong_value};
use crate::graph::{Choice, Field, FieldValue, Filler, Layer, Size};

/// Names in Caffe's enums that are not the upper case of ours.
const ALIASES: [(&str, &str); 1] = [("AVE", "average")];

/// Where Caffe counts something that the message itself shows: the layer's tops.
const TOPS: &str = "top";

/// Fields that Caffe has no default for, or whose default is no use.
const REQUIRED: [&str; 6] = [
    "num_output",
    "kernel_size",
    "input_dim",
    "pyramid_height",
    "shape",
    "tiles",
];

/// Which fields of which message were read.
pub(super) type Taken = BTreeMap<String, BTreeSet<String>>;

/// The message and the name under which a field stands, and whether only Layerlab has it.
fn place<'a>(field: &Field<'_>, own: &'a str) -> (&'a str, &'static str, bool) {
    match field.caffe.split_once('.') {
        Some((message, name)) => (message, name, false),
        None if field.caffe.is_empty() => (own, field.name, true),
        None => (own, field.caffe, false),
    }
}

/// Gives a layer's fields what the messages of `from` say, `own` being the layer's own message;
/// returns what was read.
pub(super) fn take(
    layer: &mut dyn Layer,
    from: &Message,
    own: &str,
    notes: &mut Vec<Note>,
) -> Taken {
    let mut taken = Taken::new();
    // cuDNN or Caffe's own code: no matter here.
    taken
        .entry(own.to_owned())
        .or_default()
        .insert("engine".to_owned());
    let tops = from.all(TOPS).count();
    layer.fields(&mut |field: Field<'_>| {
        if field.caffe == TOPS {
            if let (FieldValue::Count { value, .. }, 1..) = (field.value, tops) {
                *value = tops;
            }
            return;
        }
        let (message, name, _) = place(&field, own);
        let mut whole = Message::default();
        for part in from.all(message).filter_map(Entry::message) {
            whole.0.extend(part.0.iter().cloned());
        }
        let taken = taken.entry(message.to_owned()).or_default();
        if name == "normalization" {
            older_normalization(&mut whole, taken);
        }
        take_one(field.value, name, &whole, taken, notes);
    });
    taken
}

/// `normalize: false`, the form before `normalization`, divides by the batch's size.
fn older_normalization(message: &mut Message, taken: &mut BTreeSet<String>) {
    taken.insert("normalize".to_owned());
    let older = message.get("normalize").and_then(Entry::flag);
    if let (Some(normalize), None) = (older, message.get("normalization")) {
        let word = if normalize { "VALID" } else { "BATCH_SIZE" };
        message.put("normalization", Value::word(word));
    }
}

fn take_one(
    value: FieldValue<'_>,
    name: &str,
    message: &Message,
    taken: &mut BTreeSet<String>,
    notes: &mut Vec<Note>,
) {
    let entries: Vec<&Entry> = message.all(name).collect();
    taken.insert(name.to_owned());
    if let FieldValue::Pair { value, .. } = value {
        let names = pair_names(name);
        pair(value, &names, &entries, message);
        taken.extend(names);
        return;
    }
    let Some(last) = entries.last() else { return };
    let all = |read: fn(&Entry) -> Option<i64>| -> Option<Vec<i64>> {
        let dims = last
            .message()
            .map(|shape| shape.all("dim").collect::<Vec<_>>());
        dims.as_ref()
            .unwrap_or(&entries)
            .iter()
            .map(|entry| read(entry))
            .collect()
    };
    let done = match value {
        FieldValue::Pair { .. } => Some(()),
        FieldValue::Count { value, .. } => last.count().map(|count| *value = count),
        FieldValue::Size { value, .. } => size(&entries).map(|size| *value = size),
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
        FieldValue::Counts { value, .. } => all(Entry::integer)
            .and_then(|numbers| {
                numbers
                    .into_iter()
                    .map(|n| usize::try_from(n).ok())
                    .collect()
            })
            .map(|counts| *value = counts),
        FieldValue::Integers { value, .. } => all(Entry::integer).map(|numbers| *value = numbers),
        FieldValue::Reals { value, .. } => {
            let numbers: Option<Vec<f64>> = entries.iter().map(|entry| entry.real()).collect();
            numbers.map(|numbers| *value = numbers)
        }
    };
    if done.is_none() {
        notes.push(wrong_value(last));
    }
}

/// `kernel_size` → `kernel_h`, `kernel_w`; a field that Caffe has under two names only gives them
/// with a space between.
fn pair_names(name: &str) -> [String; 2] {
    if let Some((height, width)) = name.split_once(' ') {
        return [height, width].map(str::to_owned);
    }
    let stem = name.trim_end_matches("_size");
    ["h", "w"].map(|axis| format!("{stem}_{axis}"))
}

/// `kernel_size` once or twice, or `kernel_h` and `kernel_w`.
fn pair(value: &mut [usize; 2], names: &[String; 2], entries: &[&Entry], message: &Message) {
    let counts: Vec<usize> = entries.iter().filter_map(|entry| entry.count()).collect();
    match counts[..] {
        [] => {}
        [both] => *value = [both; 2],
        [height, width, ..] => *value = [height, width],
    }
    for (value, name) in value.iter_mut().zip(names) {
        if let Some(count) = message.get(name).and_then(Entry::count) {
            *value = count;
        }
    }
}

/// A number; or, beside it, our `"10 = classes"`, which holds while the number is still that.
fn size(entries: &[&Entry]) -> Option<Size> {
    let number = entries.iter().rev().find_map(|entry| entry.count());
    let by_classes = |entry: &&&Entry| {
        let (count, name) = entry.word()?.split_once(" = ")?;
        let holds = number.is_none() || number == count.parse().ok();
        let known = Size::BY_CLASSES.iter().find(|(known, _)| *known == name);
        known.filter(|_| holds).map(|(_, size)| *size)
    };
    let by_classes = entries
        .iter()
        .filter(|entry| entry.own)
        .find_map(|entry| by_classes(&entry));
    by_classes.or(number.map(Size::Count))
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

/// What a layer's parameter messages say of it: every field that differs from `usual`, which is
/// the layer that Caffe means by empty messages, and those that must be said. Notes what Caffe
/// will not understand.
pub(super) fn give(
    layer: &dyn Layer,
    usual: &dyn Layer,
    own: &str,
    classes: Option<usize>,
    notes: &mut Vec<String>,
) -> Message {
    let render = |layer: &dyn Layer, notes: &mut Vec<String>| {
        let mut rendered = Vec::new();
        layer.clone_layer().fields(&mut |field: Field<'_>| {
            let (message, name, ours) = place(&field, own);
            // Said by other means.
            if field.caffe == TOPS {
                return;
            }
            let entries = give_one(&field.value, name, classes, notes);
            rendered.push((message.to_owned(), name.to_owned(), ours, entries));
        });
        rendered
    };
    let usual = render(usual, &mut Vec::new());
    let mut whole = Message::default();
    for (index, (message, name, ours, entries)) in render(layer, notes).into_iter().enumerate() {
        let same = usual
            .get(index)
            .is_some_and(|(.., usual)| *usual == entries);
        if same && !REQUIRED.contains(&name.as_str()) {
            continue;
        }
        let entries = entries.into_iter().map(|entry| Entry {
            own: entry.own || ours,
            ..entry
        });
        let part = Value::Message(Message(entries.collect()));
        let mut one = Message::default();
        one.put(&message, part);
        add(&mut whole, one);
    }
    whole
}

/// Puts the fields of messages behind those of their names.
fn add(whole: &mut Message, other: Message) {
    for entry in other.0 {
        let same = whole.0.iter_mut().find(|known| known.name == entry.name);
        match (same.map(|known| &mut known.value), entry.value) {
            (Some(Value::Message(known)), Value::Message(new)) => known.0.extend(new.0),
            (_, value) => whole.put(&entry.name, value),
        }
    }
}

fn give_one(
    value: &FieldValue<'_>,
    name: &str,
    classes: Option<usize>,
    notes: &mut Vec<String>,
) -> Vec<Entry> {
    let word = |value: &dyn ToString| Entry::new(name, Value::Word(value.to_string()));
    match value {
        FieldValue::Count { value, .. } => vec![word(value)],
        FieldValue::Pair { value: [h, w], .. } => {
            let names = pair_names(name);
            let has_one_name = !name.contains(' ');
            match name {
                _ if h == w && has_one_name => vec![word(h)],
                // Caffe repeats it, one for each axis.
                "dilation" => vec![word(h), word(w)],
                _ => (names.iter().zip([h, w]))
                    .map(|(name, size)| Entry::new(name, Value::word(size)))
                    .collect(),
            }
        }
        FieldValue::Size { value, .. } => {
            let count = value.resolve(classes);
            let mut entries: Vec<Entry> = count.iter().map(|count| word(count)).collect();
            if let Some((by, _)) = Size::BY_CLASSES.iter().find(|(_, size)| size == *value) {
                let count = count.map_or_else(|| "?".to_owned(), |count| count.to_string());
                entries.push(Entry {
                    own: true,
                    ..Entry::new(name, Value::Text(format!("{count} = {by}")))
                });
            }
            entries
        }
        FieldValue::Integer { value, .. } => vec![word(value)],
        FieldValue::OptionalCount { value, .. } => value.iter().map(|count| word(count)).collect(),
        FieldValue::Real { value, .. } => vec![word(value)],
        FieldValue::Flag(value) if name == "round_mode" => {
            vec![word(&if **value { "CEIL" } else { "FLOOR" })]
        }
        FieldValue::Flag(value) => vec![word(value)],
        FieldValue::Choice(choice) => {
            let (ours, _) = choice.options()[choice.index()];
            let alias = ALIASES.iter().find(|(_, known)| *known == ours);
            let upper = ours.to_ascii_uppercase();
            let caffe = match (alias, ours) {
                (Some((caffe, _)), _) => *caffe,
                // A flag that may also be left out.
                (None, "true" | "false") => ours,
                (None, _) => &upper,
            };
            vec![word(&caffe)]
        }
        FieldValue::Filler(filler) => {
            if matches!(
                **filler,
                Filler::ScaledUniform(_) | Filler::ScaledGaussian(_)
            ) {
                notes.push(super::no_filler(filler.name()));
            }
            vec![Entry::new(name, Value::Message(filler_message(**filler)))]
        }
        FieldValue::Counts { value, .. } if name == "shape" => {
            vec![Entry::new(name, Value::Message(dims(value.iter())))]
        }
        FieldValue::Integers { value, .. } if name == "shape" => {
            vec![Entry::new(name, Value::Message(dims(value.iter())))]
        }
        FieldValue::Counts { value, .. } => value.iter().map(|number| word(number)).collect(),
        FieldValue::Integers { value, .. } => value.iter().map(|number| word(number)).collect(),
        FieldValue::Reals { value, .. } => value.iter().map(|number| word(number)).collect(),
    }
}

/// `{ dim: 1 dim: 3 … }`
pub(super) fn dims(sizes: impl Iterator<Item = impl ToString>) -> Message {
    let mut message = Message::default();
    sizes.for_each(|size| message.put("dim", Value::word(size)));
    message
}
