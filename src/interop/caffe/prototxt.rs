//! The text format of Protocol Buffers, without a schema: names and values with their places.
//!
//! After the language's specification (protobuf.dev, “Text Format Language”). No crate reads it
//! without compiled descriptors and keeps what those do not know, hence this one. Invariant: the
//! tree's size is proportional to the text's, and its depth is bounded.
//!
//! What Caffe has no field for stands in comments that begin with [`OWN`] and hold fields in the
//! same format, so that Caffe passes over them and nothing is lost here.

mod parse;
mod write;

pub use parse::parse;

use std::fmt;

use super::Note;

/// Begins a comment whose fields are Layerlab's own.
const OWN: &str = "# layerlab:";

/// Fields in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message(pub Vec<Entry>);

/// One field, once for each value of a repeated one.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub name: String,
    pub value: Value,
    /// Stands in a comment for Layerlab alone.
    pub own: bool,
    /// From 1; 0 in what is written.
    pub line: usize,
    pub column: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number or the name of an enum's value, as written.
    Word(String),
    /// Quoted; escapes are resolved.
    Text(String),
    Message(Message),
}

/// Where a text breaks off being one.
#[derive(Clone, Debug, PartialEq)]
pub struct Syntax {
    pub line: usize,
    pub column: usize,
    pub problem: String,
}

impl fmt::Display for Syntax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.problem)
    }
}

impl Message {
    /// Adds a field of Caffe's.
    pub fn put(&mut self, name: &str, value: Value) {
        self.0.push(Entry::new(name, value));
    }

    /// Adds a field that Caffe does not see.
    pub fn put_own(&mut self, name: &str, value: Value) {
        let own = true;
        self.0.push(Entry {
            own,
            ..Entry::new(name, value)
        });
    }

    /// Adds fields from elsewhere: they take the place of those of their names, and parameter
    /// messages (`…_param`) become one.
    pub fn merge(&mut self, other: Message) {
        let is_param = |entry: &Entry| entry.name.ends_with("_param");
        let mut replaced = std::collections::BTreeMap::new();
        for entry in other.0 {
            let same = self
                .0
                .iter_mut()
                .find(|own| own.name == entry.name && is_param(own));
            match (same.map(|own| &mut own.value), entry.value) {
                (Some(Value::Message(own)), Value::Message(new)) => own.merge(new),
                (_, value) => {
                    let place = match replaced.get(&entry.name) {
                        Some(last) => last + 1,
                        None => {
                            let first = self.0.iter().position(|own| own.name == entry.name);
                            self.0.retain(|own| own.name != entry.name);
                            first.unwrap_or(self.0.len()).min(self.0.len())
                        }
                    };
                    for last in replaced.values_mut().filter(|last| **last >= place) {
                        *last += 1;
                    }
                    replaced.insert(entry.name.clone(), place);
                    self.0.insert(place, Entry { value, ..entry });
                }
            }
        }
    }

    /// The same with what the layer's type has in messages behind the rest, so that what is kept
    /// of a layer does not depend on where it stood.
    pub fn in_order(mut self) -> Self {
        self.0.sort_by_key(|entry| match entry.name.as_str() {
            "include" | "exclude" => (2, String::new()),
            "top" => (3, String::new()),
            name if name.ends_with("_param") => (1, name.to_owned()),
            _ => (0, String::new()),
        });
        self
    }

    /// The fields that pass, with the rest left out.
    pub fn filtered(&self, keep: impl Fn(&Entry) -> bool) -> Self {
        Self(self.0.iter().filter(|entry| keep(entry)).cloned().collect())
    }

    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Entry> {
        self.0.iter().filter(move |entry| entry.name == name)
    }

    /// The last one, which is the one that counts.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.0.iter().rev().find(|entry| entry.name == name)
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.word()
    }

    /// A solver says how to train, a network has layers.
    pub fn is_solver(&self) -> bool {
        let own = ["net", "train_net", "base_lr", "lr_policy", "max_iter"];
        let layers = ["layer", "layers"];
        let has = |names: &[&str]| {
            self.0
                .iter()
                .any(|entry| names.contains(&entry.name.as_str()))
        };
        has(&own) && !has(&layers)
    }
}

impl Value {
    pub fn word(word: impl ToString) -> Self {
        Self::Word(word.to_string())
    }

    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }
}

impl Entry {
    pub fn new(name: &str, value: Value) -> Self {
        Self {
            name: name.to_owned(),
            value,
            own: false,
            line: 0,
            column: 0,
        }
    }

    /// A number, a name or a text; `None` for a message.
    pub fn word(&self) -> Option<&str> {
        match &self.value {
            Value::Word(text) | Value::Text(text) => Some(text),
            Value::Message(_) => None,
        }
    }

    pub fn message(&self) -> Option<&Message> {
        match &self.value {
            Value::Message(message) => Some(message),
            _ => None,
        }
    }

    /// A real number; C's suffix `f` is allowed.
    pub fn real(&self) -> Option<f64> {
        let Value::Word(word) = &self.value else {
            return None;
        };
        let bare = if word.starts_with("0x") {
            word
        } else {
            word.trim_end_matches(['f', 'F'])
        };
        let number = bare.parse().ok().or_else(|| Some(self.integer()? as f64));
        number.filter(|number: &f64| number.is_finite())
    }

    /// A whole number: decimal, hexadecimal or octal.
    pub fn integer(&self) -> Option<i64> {
        let Value::Word(word) = &self.value else {
            return None;
        };
        let (sign, digits) = match word.strip_prefix('-') {
            Some(digits) => (-1, digits),
            None => (1, word.as_str()),
        };
        // One sign is enough.
        if !digits.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        let number = if let Some(digits) = digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
            i64::from_str_radix(digits, 16)
        } else if digits.len() > 1 && digits.starts_with('0') {
            i64::from_str_radix(digits, 8)
        } else {
            digits.parse()
        };
        number.ok().and_then(|number: i64| number.checked_mul(sign))
    }

    pub fn count(&self) -> Option<usize> {
        self.integer()
            .and_then(|number| usize::try_from(number).ok())
    }

    pub fn flag(&self) -> Option<bool> {
        match self.word()? {
            "true" | "True" | "t" | "1" => Some(true),
            "false" | "False" | "f" | "0" => Some(false),
            _ => None,
        }
    }

    pub fn note(&self, message: impl Into<String>) -> Note {
        Note {
            line: self.line,
            column: self.column,
            message: message.into(),
        }
    }
}
