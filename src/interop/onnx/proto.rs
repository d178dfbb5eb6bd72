//! ONNX's messages (onnx.proto) as views of a file's bytes.
//!
//! Messages derived by prost would copy every number and nest as deep as a file likes; here the
//! wire format is walked with [`Fields`], names and numbers stay where they are in the file, and
//! graphs inside graphs are not entered. Invariant: what is allocated is bounded by the limits
//! below and by the file's size, whatever the file says of itself.

use prost::encoding::decode_varint;

use super::Broken;
use super::tensor::TensorData;
use crate::data::{Fields, Wire};
use crate::i18n::{tr, tr_format};

/// More operators are refused: nobody draws them.
const MAX_NODES: usize = 20_000;
/// Initial tensors, inputs and outputs.
const MAX_VALUES: usize = 50_000;
/// Inputs and outputs of one operator.
const MAX_PORTS: usize = 256;
const MAX_ATTRIBUTES: usize = 64;
/// Numbers in one attribute.
const MAX_NUMBERS: usize = 1 << 16;
const MAX_NAME_BYTES: usize = 4_096;

pub(super) struct Model<'a> {
    /// Of ONNX's own operators.
    pub opset: u64,
    pub graph: GraphView<'a>,
}

#[derive(Default)]
pub(super) struct GraphView<'a> {
    pub name: &'a str,
    pub nodes: Vec<NodeView<'a>>,
    pub initializers: Vec<TensorData<'a>>,
    pub inputs: Vec<ValueInfo<'a>>,
    pub outputs: Vec<&'a str>,
}

#[derive(Clone, Default)]
pub(super) struct NodeView<'a> {
    pub name: &'a str,
    pub op: &'a str,
    pub domain: &'a str,
    /// An empty name is an optional input that is left out.
    pub inputs: Vec<&'a str>,
    pub outputs: Vec<&'a str>,
    pub attributes: Vec<Attribute<'a>>,
    /// The modules around it, as PyTorch's newer exporter writes them.
    pub scope: &'a str,
}

#[derive(Clone)]
pub(super) struct Attribute<'a> {
    pub name: &'a str,
    pub value: AttributeValue<'a>,
}

#[derive(Clone, Default)]
pub(super) enum AttributeValue<'a> {
    Real(f32),
    Integer(i64),
    Text(&'a str),
    Tensor(TensorData<'a>),
    Reals(Vec<f32>),
    Integers(Vec<i64>),
    Words(Vec<&'a str>),
    /// A graph or several tensors: nothing that is read here.
    #[default]
    Other,
}

/// An input of the graph.
#[derive(Clone, Default)]
pub(super) struct ValueInfo<'a> {
    pub name: &'a str,
    /// ONNX's number of the element type; 0 where none is said.
    pub kind: u64,
    /// `None` is unknown or has a name (`batch`); no list at all is an unknown rank.
    pub dims: Option<Vec<Option<usize>>>,
}

pub(super) fn text(bytes: &[u8]) -> Result<&str, Broken> {
    if bytes.len() > MAX_NAME_BYTES {
        return Err(Broken(
            tr("a name is absurdly long", "名称长得离谱").to_owned(),
        ));
    }
    std::str::from_utf8(bytes).map_err(|_| Broken::default())
}

/// Refuses the entry after so many.
pub(super) fn push<T>(list: &mut Vec<T>, limit: usize, item: T) -> Result<(), Broken> {
    if list.len() == limit {
        return Err(Broken(tr_format!(
            "the file has more entries of one kind than the {limit} that are read",
            "文件中某类条目超过了可读取的上限 {limit}"
        )));
    }
    list.push(item);
    Ok(())
}

impl<'a> Model<'a> {
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Broken> {
        let (mut opset, mut graph) = (None, None);
        for field in Fields(bytes) {
            match field? {
                (7, Wire::Bytes(body)) => graph = Some(GraphView::parse(body)?),
                (8, Wire::Bytes(body)) => {
                    let (mut domain, mut version) = ("", 0);
                    for field in Fields(body) {
                        match field? {
                            (1, Wire::Bytes(name)) => domain = text(name)?,
                            (2, Wire::Varint(number)) => version = number,
                            _ => {}
                        }
                    }
                    if matches!(domain, "" | "ai.onnx") {
                        opset = Some(version);
                    }
                }
                _ => {}
            }
        }
        let (Some(graph), Some(opset)) = (graph, opset) else {
            return Err(Broken(
                tr("the file holds no ONNX graph", "文件中没有 ONNX 图").to_owned(),
            ));
        };
        Ok(Self { opset, graph })
    }
}

impl<'a> GraphView<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, Broken> {
        let mut graph = Self::default();
        for field in Fields(bytes) {
            match field? {
                (1, Wire::Bytes(body)) => {
                    push(&mut graph.nodes, MAX_NODES, NodeView::parse(body)?)?;
                }
                (2, Wire::Bytes(name)) => graph.name = text(name)?,
                (5, Wire::Bytes(body)) => {
                    let tensor = TensorData::parse(body)?;
                    push(&mut graph.initializers, MAX_VALUES, tensor)?;
                }
                (11, Wire::Bytes(body)) => {
                    push(&mut graph.inputs, MAX_VALUES, ValueInfo::parse(body)?)?;
                }
                (12, Wire::Bytes(body)) => {
                    let name = ValueInfo::parse(body)?.name;
                    push(&mut graph.outputs, MAX_VALUES, name)?;
                }
                _ => {}
            }
        }
        Ok(graph)
    }
}

impl<'a> NodeView<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, Broken> {
        let mut node = Self::default();
        for field in Fields(bytes) {
            match field? {
                (1, Wire::Bytes(name)) => push(&mut node.inputs, MAX_PORTS, text(name)?)?,
                (2, Wire::Bytes(name)) => push(&mut node.outputs, MAX_PORTS, text(name)?)?,
                (3, Wire::Bytes(name)) => node.name = text(name)?,
                (4, Wire::Bytes(name)) => node.op = text(name)?,
                (5, Wire::Bytes(body)) => {
                    let attribute = Attribute::parse(body)?;
                    push(&mut node.attributes, MAX_ATTRIBUTES, attribute)?;
                }
                (7, Wire::Bytes(name)) => node.domain = text(name)?,
                (9, Wire::Bytes(body)) => {
                    let (key, value) = pair(body)?;
                    if key == "namespace" || key.ends_with(".namespace") {
                        node.scope = value;
                    }
                }
                _ => {}
            }
        }
        Ok(node)
    }

    pub fn attribute(&self, name: &str) -> Option<&AttributeValue<'a>> {
        let found = self
            .attributes
            .iter()
            .find(|attribute| attribute.name == name);
        found.map(|attribute| &attribute.value)
    }

    pub fn integer(&self, name: &str) -> Option<i64> {
        match self.attribute(name)? {
            AttributeValue::Integer(number) => Some(*number),
            _ => None,
        }
    }

    pub fn real(&self, name: &str) -> Option<f64> {
        match self.attribute(name)? {
            AttributeValue::Real(number) => Some(f64::from(*number)),
            _ => None,
        }
    }

    pub fn word(&self, name: &str) -> Option<&'a str> {
        match self.attribute(name)? {
            AttributeValue::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn integers(&self, name: &str) -> Option<&[i64]> {
        match self.attribute(name)? {
            AttributeValue::Integers(numbers) => Some(numbers),
            _ => None,
        }
    }

    /// What it is called in messages.
    pub fn title(&self) -> String {
        let name = match (self.name, self.outputs.first()) {
            ("", Some(output)) => output,
            (name, _) => name,
        };
        format!("{name} ({})", self.op)
    }
}

impl<'a> Attribute<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, Broken> {
        let (mut name, mut value) = ("", AttributeValue::Other);
        let mut reals = Vec::new();
        let mut integers = Vec::new();
        let mut words = Vec::new();
        for field in Fields(bytes) {
            match field? {
                (1, Wire::Bytes(bytes)) => name = text(bytes)?,
                (2, Wire::Fixed32(bytes)) => {
                    value = AttributeValue::Real(f32::from_le_bytes(bytes))
                }
                (3, Wire::Varint(number)) => value = AttributeValue::Integer(number as i64),
                // A text of any length may be here, such as a custom operator's; it is no name.
                (4, Wire::Bytes(bytes)) => {
                    let short = bytes.get(..MAX_NAME_BYTES).unwrap_or(bytes);
                    value = AttributeValue::Text(std::str::from_utf8(short).unwrap_or(""));
                }
                (5, Wire::Bytes(body)) => value = AttributeValue::Tensor(TensorData::parse(body)?),
                (7, Wire::Fixed32(bytes)) => {
                    push(&mut reals, MAX_NUMBERS, f32::from_le_bytes(bytes))?;
                }
                (7, Wire::Bytes(packed)) => {
                    for bytes in packed.as_chunks::<4>().0 {
                        push(&mut reals, MAX_NUMBERS, f32::from_le_bytes(*bytes))?;
                    }
                }
                (9, Wire::Bytes(word)) => push(&mut words, MAX_PORTS, text(word)?)?,
                (8, wire) => {
                    each_varint(wire, |number| {
                        push(&mut integers, MAX_NUMBERS, number as i64)
                    })?;
                }
                // It says which kind an empty list is of.
                (20, Wire::Varint(6)) if reals.is_empty() => {
                    value = AttributeValue::Reals(Vec::new())
                }
                (20, Wire::Varint(7)) if integers.is_empty() => {
                    value = AttributeValue::Integers(Vec::new());
                }
                _ => {}
            }
        }
        if !reals.is_empty() {
            value = AttributeValue::Reals(reals);
        } else if !integers.is_empty() {
            value = AttributeValue::Integers(integers);
        } else if !words.is_empty() {
            value = AttributeValue::Words(words);
        }
        Ok(Self { name, value })
    }
}

/// One number, or several that are packed.
pub(super) fn each_varint(
    wire: Wire<'_>,
    mut push: impl FnMut(u64) -> Result<(), Broken>,
) -> Result<(), Broken> {
    match wire {
        Wire::Varint(number) => push(number),
        Wire::Bytes(mut packed) => {
            while !packed.is_empty() {
                push(decode_varint(&mut packed).map_err(|_| Broken::default())?)?;
            }
            Ok(())
        }
        _ => Err(Broken::default()),
    }
}

/// `StringStringEntryProto`
pub(super) fn pair(bytes: &[u8]) -> Result<(&str, &str), Broken> {
    let (mut key, mut value) = ("", "");
    for field in Fields(bytes) {
        match field? {
            (1, Wire::Bytes(bytes)) => key = std::str::from_utf8(bytes).unwrap_or(""),
            (2, Wire::Bytes(bytes)) => value = std::str::from_utf8(bytes).unwrap_or(""),
            _ => {}
        }
    }
    Ok((key, value))
}

impl<'a> ValueInfo<'a> {
    /// `ValueInfoProto` with the tensor type inside it.
    fn parse(bytes: &'a [u8]) -> Result<Self, Broken> {
        let mut info = Self::default();
        for field in Fields(bytes) {
            match field? {
                (1, Wire::Bytes(name)) => info.name = text(name)?,
                (2, Wire::Bytes(kind)) => {
                    for field in Fields(kind) {
                        if let (1, Wire::Bytes(tensor)) = field? {
                            info.tensor_type(tensor)?;
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(info)
    }

    fn tensor_type(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        for field in Fields(bytes) {
            match field? {
                (1, Wire::Varint(kind)) => self.kind = kind,
                (2, Wire::Bytes(shape)) => {
                    let mut dims = Vec::new();
                    for field in Fields(shape) {
                        let (1, Wire::Bytes(dim)) = field? else {
                            continue;
                        };
                        let mut size = None;
                        for field in Fields(dim) {
                            if let (1, Wire::Varint(number)) = field? {
                                size = usize::try_from(number as i64).ok();
                            }
                        }
                        // Some programs write 0 for what they do not know.
                        push(&mut dims, MAX_PORTS, size.filter(|size| *size > 0))?;
                    }
                    self.dims = Some(dims);
                }
                _ => {}
            }
        }
        Ok(())
    }
}
