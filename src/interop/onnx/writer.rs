//! A project's test phase as an ONNX model.
//!
//! One operator a layer where ONNX has it, under the node's name; else several, which are named
//! after it. Weights go by their keys. Losses, metrics and dropout are left out, so that the
//! outputs are what the network answers with: scores, where a loss would take their softmax.
//! Invariant: what cannot be said exactly is an error that names the node.

mod filters;
mod pointwise;
mod pooling;
mod recurrent;
mod structure;

use std::collections::{BTreeMap, BTreeSet};

use candle_core::{DType, Tensor};

use super::OnnxError;
use super::encode::{self, Attribute, FLOAT, INT64, Message};
use crate::graph::{
    Graph, Inference, Layer, Node, NodeInfo, Phase, PortRef, Role, Severity, Shape,
};
use crate::i18n::{tr, tr_format};
use crate::layers::Embed;

/// The version of ONNX's operators that is written.
pub const OPSET: u64 = 17;
/// The version of the file's form; onnxruntime reads it from 1.12 on.
const IR_VERSION: u64 = 8;

/// Why a layer has no form.
pub(super) type Formed = Result<(), String>;

/// What an operator reads or gives: the name of a value.
type Name = String;

struct Writer<'a> {
    graph: &'a Graph,
    inference: &'a Inference,
    weights: &'a BTreeMap<String, Tensor>,
    nodes: Message,
    initializers: Message,
    /// The shape of each initial tensor by its name.
    written: BTreeMap<String, Vec<usize>>,
    /// The value that an output of a node is.
    values: BTreeMap<PortRef, Name>,
    /// Every name of a value, and of an operator.
    taken: BTreeSet<String>,
    operators: BTreeSet<String>,
}

/// One node while it is written.
pub(super) struct Form<'w, 'a> {
    writer: &'w mut Writer<'a>,
    node: &'a Node,
    info: &'a NodeInfo,
    /// Values and shapes behind the inputs.
    inputs: Vec<Name>,
    shapes: Vec<Shape>,
}

/// The bytes of a model.
pub(super) fn write(
    title: &str,
    graph: &Graph,
    inference: &Inference,
    weights: &BTreeMap<String, Tensor>,
) -> Result<Vec<u8>, OnnxError> {
    let mut writer = Writer {
        graph,
        inference,
        weights,
        nodes: Message::default(),
        initializers: Message::default(),
        written: BTreeMap::new(),
        values: BTreeMap::new(),
        taken: BTreeSet::new(),
        operators: BTreeSet::new(),
    };
    writer.refuse_errors()?;
    let mut ends = Message::default();
    let phase = inference.phase(Phase::Test);
    let nodes = phase.order.iter().filter_map(|id| graph.node(*id));
    for node in nodes.clone() {
        match node.layer.spec().role {
            Role::Data | Role::Input => {
                ends = ends.message(11, &writer.input(node));
            }
            Role::Layer | Role::Unknown => writer.layer(node)?,
            Role::Loss | Role::Metric => {}
        }
    }
    let mut answers = 0;
    for node in nodes {
        if !writer.is_answer(node) {
            continue;
        }
        ends = ends.message(12, &writer.output(node));
        answers += 1;
    }
    if answers == 0 {
        return Err(no_form(
            title,
            tr("the network has no output", "网络没有输出"),
        ));
    }
    let Writer {
        nodes,
        initializers,
        ..
    } = writer;
    let mut body = nodes.text(2, title);
    body.0.extend(initializers.0);
    body.0.extend(ends.0);
    let opset = Message::default().text(1, "").number(2, OPSET);
    let model = Message::default()
        .number(1, IR_VERSION)
        .text(2, env!("CARGO_PKG_NAME"))
        .text(3, env!("CARGO_PKG_VERSION"))
        .message(7, &body)
        .message(8, &opset);
    match model.0.len() as u64 <= super::MAX_BYTES {
        true => Ok(model.0),
        false => Err(no_form(
            title,
            tr(
                "it is larger than the 2 GB that the format allows",
                "超过该格式允许的 2 GB",
            ),
        )),
    }
}

fn no_form(node: &str, why: &str) -> OnnxError {
    OnnxError::NoForm {
        node: node.to_owned(),
        why: why.to_owned(),
    }
}

impl<'a> Writer<'a> {
    /// Only a network that can run is written.
    fn refuse_errors(&self) -> Result<(), OnnxError> {
        let errors = self.inference.diagnostics.iter();
        let mut errors = errors.filter(|found| found.severity() == Severity::Error);
        match errors.next() {
            Some(error) => {
                let node = error.node.and_then(|id| self.graph.node(id));
                Err(no_form(node.map_or("", |node| &node.name), error.message()))
            }
            None => Ok(()),
        }
    }

    fn info(&self, node: &Node) -> Option<&'a NodeInfo> {
        self.inference.phase(Phase::Test).nodes.get(&node.id)
    }

    fn shape(&self, from: &PortRef) -> Option<Shape> {
        let node = self.graph.named(&from.node, Phase::Test)?;
        self.info(node)?.outputs.as_ref()?.get(from.port).cloned()
    }

    /// The readers of a node in the test phase.
    fn readers(&self, name: &str) -> impl Iterator<Item = &'a Node> {
        let reads = move |node: &&Node| {
            let inputs = node.inputs_in(Phase::Test);
            inputs.0.iter().flatten().any(|from| from.node == name)
        };
        let nodes = self.graph.nodes().iter();
        nodes
            .filter(|node| node.phases.contains(Phase::Test))
            .filter(reads)
    }

    fn input(&mut self, node: &Node) -> Message {
        let name = self.free(&node.name);
        let from = PortRef::new(&node.name, 0);
        let shape = self.shape(&from).unwrap_or_default();
        self.values.insert(from, name.clone());
        encode::value_info(&name, self.kind(node), &shape.0)
    }

    /// Whole numbers, where only embeddings read a source.
    fn kind(&self, node: &Node) -> u64 {
        let is_embedding = |reader: &Node| reader.layer.as_any().is::<Embed>();
        let layers = || self.readers(&node.name).filter(|reader| is_layer(reader));
        match layers().next().is_some() && layers().all(is_embedding) {
            true => INT64,
            false => FLOAT,
        }
    }

    /// Whether a node is one of those that the network answers with.
    fn is_answer(&self, node: &Node) -> bool {
        is_layer(node) && !self.readers(&node.name).any(is_layer)
    }

    fn output(&mut self, node: &Node) -> Message {
        let from = PortRef::new(&node.name, 0);
        let shape = self.shape(&from).unwrap_or_default();
        let value = self.values.get(&from).cloned().unwrap_or_default();
        let name = match value == node.name {
            true => value,
            false => {
                // What is only another name here (dropout) needs an operator to have it there.
                let name = self.free(&node.name);
                self.push(&name, "Identity", &[&value], &[&name], &[]);
                name
            }
        };
        encode::value_info(&name, FLOAT, &shape.0)
    }

    fn layer(&mut self, node: &'a Node) -> Result<(), OnnxError> {
        let failed = |why: String| no_form(&node.name, &why);
        let Some(info) = self.info(node).filter(|info| info.outputs.is_some()) else {
            return Err(failed(
                tr("its shape is not known", "其形状未知").to_owned(),
            ));
        };
        let (mut inputs, mut shapes) = (Vec::new(), Vec::new());
        for from in node.inputs_in(Phase::Test).0.iter().flatten() {
            let (Some(value), Some(shape)) = (self.values.get(from), self.shape(from)) else {
                return Err(failed(tr_format!(
                    "it reads “{from}”, which a model without labels does not have",
                    "它读取“{from}”，而不带标签的模型没有这个输入"
                )));
            };
            inputs.push(value.clone());
            shapes.push(shape);
        }
        let mut form = Form {
            writer: self,
            node,
            info,
            inputs,
            shapes,
        };
        form.write().map_err(failed)
    }

    /// An operator under this name, or with the first number that makes it new.
    fn push(
        &mut self,
        name: &str,
        op: &str,
        inputs: &[&str],
        outputs: &[&str],
        attributes: &[Attribute<'_>],
    ) {
        let name = new_name(&mut self.operators, name);
        let node = encode::node(&name, op, inputs, outputs, attributes);
        let nodes = std::mem::take(&mut self.nodes);
        self.nodes = nodes.message(1, &node);
    }

    /// A name for a value.
    fn free(&mut self, wanted: &str) -> String {
        new_name(&mut self.taken, wanted)
    }

    /// An initial tensor; equal names of equal shapes are one.
    fn initial(
        &mut self,
        wanted: &str,
        dims: &[usize],
        kind: u64,
        raw: &[u8],
        shared: bool,
    ) -> Name {
        if shared && self.written.get(wanted).is_some_and(|known| known == dims) {
            return wanted.to_owned();
        }
        let name = self.free(wanted);
        self.written.insert(name.clone(), dims.to_vec());
        let tensor = encode::tensor(&name, dims, kind, raw);
        let initializers = std::mem::take(&mut self.initializers);
        self.initializers = initializers.message(5, &tensor);
        name
    }
}

/// `wanted`, or with the first number that makes it new.
fn new_name(taken: &mut BTreeSet<String>, wanted: &str) -> String {
    let numbered = (2..).map(|number| format!("{wanted}_{number}"));
    let mut names = std::iter::once(wanted.to_owned()).chain(numbered);
    let name = names.find(|name| !taken.contains(name)).unwrap_or_default();
    taken.insert(name.clone());
    name
}

fn is_layer(node: &Node) -> bool {
    node.layer.spec().role == Role::Layer && !node.layer.outputs().is_empty()
}

impl Form<'_, '_> {
    fn write(&mut self) -> Formed {
        match self.node.layer.spec().name {
            "Convolution" | "Deconvolution" | "InnerProduct" | "Embed" | "PReLU" | "BatchNorm"
            | "FusedBatchNorm" | "Scale" | "Bias" | "LRN" => self.filters(),
            "Pooling" | "SpatialPyramidPool" | "Upsample" | "Crop" | "MVN" | "Reduction" => {
                self.pooling()
            }
            "RNN" | "LSTM" | "GRU" => self.recurrent(),
            "Flatten" | "Reshape" | "Concat" | "Slice" | "Tile" | "Eltwise" | "ArgMax"
            | "Maxout" | "Dropout" | "Silence" => self.structure(),
            _ => self.pointwise(),
        }
    }

    /// The layer itself.
    fn layer<T: Layer + Clone>(&self) -> Result<T, String> {
        let layer = self.node.layer.as_any().downcast_ref::<T>();
        layer.cloned().ok_or_else(unsaid)
    }

    fn x(&self) -> Result<(Name, Shape), String> {
        match (self.inputs.first(), self.shapes.first()) {
            (Some(name), Some(shape)) => Ok((name.clone(), shape.clone())),
            _ => Err(unsaid()),
        }
    }

    fn output_shape(&self) -> Shape {
        let outputs = self.info.outputs.as_ref();
        outputs
            .and_then(|outputs| outputs.first())
            .cloned()
            .unwrap_or_default()
    }

    /// Says that an output of the node is this value.
    fn give(&mut self, port: usize, value: Name) {
        let from = PortRef::new(&self.node.name, port);
        self.writer.values.insert(from, value);
    }

    /// The operator that gives what the node gives.
    fn last(&mut self, op: &str, inputs: &[&str], attributes: &[Attribute<'_>]) -> Formed {
        let name = self.node.name.clone();
        self.last_named(&name, op, inputs, attributes)
    }

    fn last_named(
        &mut self,
        name: &str,
        op: &str,
        inputs: &[&str],
        attributes: &[Attribute<'_>],
    ) -> Formed {
        let value = self.writer.free(&self.node.name);
        self.writer.push(name, op, inputs, &[&value], attributes);
        self.give(0, value);
        Ok(())
    }

    /// An operator on the way, called after the node; its value.
    fn step(&mut self, op: &str, inputs: &[&str], attributes: &[Attribute<'_>]) -> Name {
        let name = format!("{}_{}", self.node.name, op.to_lowercase());
        self.step_named(&name, op, inputs, attributes)
    }

    /// The same under the node's own name, where it is the one that counts.
    fn step_named(
        &mut self,
        name: &str,
        op: &str,
        inputs: &[&str],
        attributes: &[Attribute<'_>],
    ) -> Name {
        // No node's name holds a point.
        let wanted = format!("{}.{}", self.node.name, op.to_lowercase());
        let value = self.writer.free(&wanted);
        self.writer.push(name, op, inputs, &[&value], attributes);
        value
    }

    /// A parameter's numbers.
    fn param(&self, suffix: &str) -> Result<(String, Tensor), String> {
        let params = self.info.params.iter();
        let found = params.clone().find(|(_, spec)| spec.suffix == suffix);
        let (key, spec) = found.ok_or_else(unsaid)?;
        match self.writer.weights.get(key) {
            Some(tensor) if tensor.dims() == spec.shape => Ok((key.clone(), tensor.clone())),
            Some(tensor) => {
                let (found, needed) = (tensor.dims(), &spec.shape);
                Err(tr_format!(
                    "its weight {key} has the shape {found:?} instead of {needed:?}",
                    "其权重 {key} 的形状为 {found:?}，而应为 {needed:?}"
                ))
            }
            None => Err(tr_format!("there is no weight {key}", "缺少权重 {key}")),
        }
    }

    /// A parameter as it is.
    fn weight(&mut self, suffix: &str) -> Result<Name, String> {
        let (key, tensor) = self.param(suffix)?;
        self.numbers(&key, &tensor)
    }

    /// An initial tensor of real numbers under a name that says the parameter's key.
    fn numbers(&mut self, name: &str, tensor: &Tensor) -> Result<Name, String> {
        let read = || -> candle_core::Result<Vec<f32>> {
            tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()
        };
        let raw: Vec<u8> = read()
            .map_err(|error| error.to_string())?
            .into_iter()
            .flat_map(f32::to_le_bytes)
            .collect();
        Ok(self.writer.initial(name, tensor.dims(), FLOAT, &raw, true))
    }

    /// A single number.
    fn number(&mut self, value: f64) -> Name {
        let name = format!("{}.number", self.node.name);
        let raw = (value as f32).to_le_bytes();
        self.writer.initial(&name, &[], FLOAT, &raw, false)
    }

    /// A list of whole numbers, such as axes or sizes.
    fn integers(&mut self, what: &str, values: &[i64]) -> Name {
        let name = format!("{}.{what}", self.node.name);
        let raw: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        self.writer
            .initial(&name, &[values.len()], INT64, &raw, false)
    }

    /// The sizes of a shape for Reshape: the batch is copied where an example keeps its numbers.
    fn sizes(&self, from: &Shape, to: &Shape) -> Result<Vec<i64>, String> {
        let same = from.per_example().is_some() && from.per_example() == to.per_example();
        let mut rest = false;
        let mut sizes = Vec::with_capacity(to.rank());
        for (axis, size) in to.0.iter().enumerate() {
            sizes.push(match size {
                Some(size) => *size as i64,
                None if axis == 0 && same => 0,
                None if !rest => {
                    rest = true;
                    -1
                }
                None => return Err(tr("its shape is not known", "其形状未知").to_owned()),
            });
        }
        Ok(sizes)
    }

    /// The same numbers as (N, all).
    fn flat(&mut self, x: &str) -> Name {
        self.step("Flatten", &[x], &[Attribute::Integer("axis", 1)])
    }
}

fn unsaid() -> String {
    tr("ONNX has no such layer", "ONNX 没有这样的层").to_owned()
}

fn integers<'a>(name: &'a str, values: &[usize]) -> Attribute<'a> {
    Attribute::Integers(name, values.iter().map(|value| *value as i64).collect())
}
