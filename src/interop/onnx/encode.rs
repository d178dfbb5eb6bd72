//! ONNX's messages as bytes.

use prost::encoding::{WireType, encode_key, encode_varint};

/// ONNX's numbers of element types.
pub(super) const FLOAT: u64 = 1;
pub(super) const INT64: u64 = 7;

/// A message, field by field.
#[derive(Default)]
pub(super) struct Message(pub Vec<u8>);

impl Message {
    pub fn bytes(mut self, number: u32, value: &[u8]) -> Self {
        encode_key(number, WireType::LengthDelimited, &mut self.0);
        encode_varint(value.len() as u64, &mut self.0);
        self.0.extend_from_slice(value);
        self
    }

    pub fn text(self, number: u32, value: &str) -> Self {
        self.bytes(number, value.as_bytes())
    }

    pub fn message(self, number: u32, value: &Self) -> Self {
        self.bytes(number, &value.0)
    }

    pub fn number(mut self, number: u32, value: u64) -> Self {
        encode_key(number, WireType::Varint, &mut self.0);
        encode_varint(value, &mut self.0);
        self
    }

    fn real(mut self, number: u32, value: f32) -> Self {
        encode_key(number, WireType::ThirtyTwoBit, &mut self.0);
        self.0.extend(value.to_le_bytes());
        self
    }

    fn numbers(self, number: u32, values: impl Iterator<Item = u64>) -> Self {
        let mut packed = Vec::new();
        values.for_each(|value| encode_varint(value, &mut packed));
        self.bytes(number, &packed)
    }
}

/// An attribute of an operator.
pub(super) enum Attribute<'a> {
    Real(&'a str, f64),
    Integer(&'a str, i64),
    Integers(&'a str, Vec<i64>),
    Word(&'a str, &'a str),
}

impl Attribute<'_> {
    fn message(&self) -> Message {
        // With its type's number, which readers ask for.
        let named = |name: &str, kind: u64| Message::default().text(1, name).number(20, kind);
        match self {
            Self::Real(name, value) => named(name, 1).real(2, *value as f32),
            Self::Integer(name, value) => named(name, 2).number(3, *value as u64),
            Self::Word(name, value) => named(name, 3).text(4, value),
            Self::Integers(name, values) => {
                let values = values.iter().map(|value| *value as u64);
                named(name, 7).numbers(8, values)
            }
        }
    }
}

pub(super) fn node(
    name: &str,
    op: &str,
    inputs: &[&str],
    outputs: &[&str],
    attributes: &[Attribute<'_>],
) -> Message {
    let mut node = Message::default();
    for input in inputs {
        node = node.text(1, input);
    }
    for output in outputs {
        node = node.text(2, output);
    }
    node = node.text(3, name).text(4, op);
    let attributes = attributes.iter().map(Attribute::message);
    attributes.fold(node, |node, attribute| node.message(5, &attribute))
}

/// `TensorProto` with its numbers as raw bytes.
pub(super) fn tensor(name: &str, dims: &[usize], kind: u64, raw: &[u8]) -> Message {
    Message::default()
        .numbers(1, dims.iter().map(|size| *size as u64))
        .number(2, kind)
        .text(8, name)
        .bytes(9, raw)
}

/// `ValueInfoProto` of a tensor; sizes that are not known have names.
pub(super) fn value_info(name: &str, kind: u64, dims: &[Option<usize>]) -> Message {
    let mut shape = Message::default();
    for (axis, size) in dims.iter().enumerate() {
        let dim = match (size, axis) {
            (Some(size), _) => Message::default().number(1, *size as u64),
            (None, 0) => Message::default().text(2, "batch"),
            (None, axis) => Message::default().text(2, &format!("{name}_{axis}")),
        };
        shape = shape.message(1, &dim);
    }
    let tensor = Message::default().number(1, kind).message(2, &shape);
    let kind = Message::default().message(1, &tensor);
    Message::default().text(1, name).message(2, &kind)
}
