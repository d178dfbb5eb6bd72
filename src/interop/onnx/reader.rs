//! An ONNX graph as one of ours: the operators are walked in their order, each becomes a draft
//! of a node, a known number or another view of what is there, and at the end the drafts get
//! their names.
//!
//! Which operator is which layer is said in the files below, by family. Invariant: reading is
//! total above the format; what has no counterpart becomes a layer that keeps its text, and a
//! note.

mod filters;
mod inputs;
mod math;
mod names;
mod pick;
mod pooling;
mod recurrent;
mod shapes;
mod unknown;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use candle_core::Tensor;

use super::Broken;
use super::fold::fold;
use super::proto::{AttributeValue, GraphView, Model, NodeView};
use super::tensor::TensorData;
use super::values::{FEW, Flow, Gap, Numbers, Source, Value, Weights};
use crate::graph::{InferContext, Layer, Phase, Shape, out_of_range};
use crate::i18n::{tr, tr_format};
use crate::layers;
use names::Place;
pub(super) use names::finish;
pub(super) use recurrent::{arranged, gates};

/// More nodes are refused: nobody draws them, and inference is not made for them.
const MAX_DRAFTS: usize = 5_000;
/// The first version in which the operators read here mean what they mean since.
const OLDEST: u64 = 7;
/// As many numbers as [`Net`](crate::net::Net) takes in weights.
const MAX_NUMBERS: usize = 1 << 30;

/// What an operator gives, or why it has no counterpart.
pub(super) type Found<'a> = Result<Vec<Value<'a>>, Gap>;

/// A node before it has its name.
pub(super) struct Draft {
    pub layer: Box<dyn Layer>,
    /// Draft and port behind each input.
    pub inputs: Vec<Option<(usize, usize)>>,
    pub place: Place,
    /// The prefix of its parameters' names in the file.
    pub key: Option<String>,
    pub params: Vec<Param>,
    /// The draft that does its work too.
    pub merged: Option<usize>,
    /// The last step of a sequence, taken out of draft `.0`.
    pub last_of: Option<usize>,
}

/// A parameter and where it is from: what has one origin may be shared.
#[derive(Clone)]
pub(super) struct Param {
    pub suffix: &'static str,
    pub tensor: Tensor,
    pub origin: String,
}

pub(super) struct Reader<'a> {
    pub opset: u64,
    pub folder: Option<&'a Path>,
    pub values: BTreeMap<&'a str, Value<'a>>,
    /// How often a name is read.
    pub uses: BTreeMap<&'a str, usize>,
    pub drafts: Vec<Draft>,
    pub notes: Vec<String>,
    /// Tensors that were read, so that what is used twice is there once.
    tensors: BTreeMap<&'a str, Tensor>,
    numbers: usize,
    /// What makes the whole file unreadable, found while an operator was read.
    broken: Option<Broken>,
}

/// What was read of a graph, before it has names.
pub(super) struct Drafted {
    pub drafts: Vec<Draft>,
    pub notes: Vec<String>,
    /// Numbers that were read and made for them.
    pub numbers: usize,
}

/// One operator while it is read.
pub(super) struct Op<'r, 'a> {
    pub reader: &'r mut Reader<'a>,
    pub node: &'r NodeView<'a>,
    pub inputs: Vec<Value<'a>>,
}

pub(super) fn read<'a>(model: &Model<'a>, folder: Option<&'a Path>) -> Result<Drafted, Broken> {
    let graph = &model.graph;
    let mut reader = Reader {
        opset: model.opset,
        folder,
        values: BTreeMap::new(),
        uses: uses(graph),
        drafts: Vec::new(),
        notes: Vec::new(),
        tensors: BTreeMap::new(),
        numbers: 0,
        broken: None,
    };
    for tensor in &graph.initializers {
        tensor.check()?;
        let value = reader.constant(tensor.name, tensor)?;
        reader.values.insert(tensor.name, value);
    }
    if model.opset < OLDEST {
        let opset = model.opset;
        reader.notes.push(tr_format!(
            "opset {opset} is older than {OLDEST}, from which on operators mean what is read here",
            "算子集版本 {opset} 早于 {OLDEST}，其算子含义可能与此处读取的不同"
        ));
    }
    reader.inputs(graph)?;
    for node in &graph.nodes {
        reader.node(node)?;
        if reader.drafts.len() > MAX_DRAFTS {
            return Err(Broken(tr_format!(
                "the network has more than {MAX_DRAFTS} layers",
                "网络的层数超过 {MAX_DRAFTS}"
            )));
        }
    }
    reader.outputs(graph)?;
    Ok(Drafted {
        drafts: reader.drafts,
        notes: reader.notes,
        numbers: reader.numbers,
    })
}

fn uses<'a>(graph: &GraphView<'a>) -> BTreeMap<&'a str, usize> {
    let mut uses = BTreeMap::new();
    let read = graph.nodes.iter().flat_map(|node| &node.inputs);
    for name in read.chain(&graph.outputs) {
        *uses.entry(*name).or_insert(0) += 1;
    }
    uses
}

impl<'a> Reader<'a> {
    /// A tensor of the file as a value: few numbers are known at once, more when they are asked
    /// for.
    fn constant(&mut self, name: &'a str, tensor: &TensorData<'a>) -> Result<Value<'a>, Broken> {
        let few = tensor.count().is_some_and(|count| count <= 64) && tensor.dims.len() <= 1;
        // Whole numbers are shapes and places, real ones weights, but for single ones.
        let is_known = !tensor.kind().is_real() && tensor.count().is_some_and(|count| count <= FEW);
        if is_known || (few && tensor.dims.iter().all(|size| *size == 1)) {
            return Ok(Value::Numbers(Numbers {
                dims: tensor.dims.clone(),
                values: tensor.numbers(self.folder)?.into_iter().map(Some).collect(),
                whole: !tensor.kind().is_real(),
            }));
        }
        Ok(Value::Weights(Weights {
            name,
            dims: tensor.dims.clone(),
            source: Source::File(tensor.clone()),
        }))
    }

    fn node(&mut self, node: &NodeView<'a>) -> Result<(), Broken> {
        let mut inputs = Vec::with_capacity(node.inputs.len());
        for name in &node.inputs {
            inputs.push(match (*name, self.values.get(name)) {
                ("", _) => Value::Absent,
                (_, Some(value)) => value.clone(),
                (name, None) => {
                    let title = node.title();
                    return Err(Broken(tr_format!(
                        "{title} reads “{name}”, which nothing before it gives",
                        "{title} 读取“{name}”，但之前没有任何节点给出它"
                    )));
                }
            });
        }
        let is_own = matches!(node.domain, "" | "ai.onnx");
        let folded = match (node.op, is_own) {
            ("Constant", true) => Some(self.constant_node(node)?),
            (_, true) => fold(node, &inputs, self.opset).map(|value| vec![value]),
            _ => None,
        };
        let outputs = match folded {
            Some(outputs) => outputs,
            None => {
                let drafts = self.drafts.len();
                let mut op = Op {
                    reader: self,
                    node,
                    inputs: inputs.clone(),
                };
                let found = match is_own {
                    true => op.read(),
                    false => Err(Gap(tr_format!(
                        "it is of the domain {}",
                        "它属于域 {}",
                        node.domain
                    ))),
                };
                match found {
                    Ok(outputs) => outputs,
                    Err(gap) => {
                        // What was drafted before the gap was found does nothing.
                        op.reader.drafts.truncate(drafts);
                        op.unknown(gap)
                    }
                }
            }
        };
        if let Some(broken) = self.broken.take() {
            return Err(broken);
        }
        // An optional output that is not given is absent, not unknown.
        let absent = std::iter::repeat_with(|| Value::Absent);
        for (name, value) in node.outputs.iter().zip(outputs.into_iter().chain(absent)) {
            let value = match value {
                // A copy of weights goes by its new name.
                Value::Weights(weights) => Value::Weights(Weights { name, ..weights }),
                value => value,
            };
            if !name.is_empty() {
                self.values.insert(name, value);
            }
        }
        Ok(())
    }

    fn constant_node(&mut self, node: &NodeView<'a>) -> Result<Vec<Value<'a>>, Broken> {
        let name = node.outputs.first().copied().unwrap_or_default();
        let real = |number: f64, whole| Numbers {
            dims: Vec::new(),
            values: vec![Some(number)],
            whole,
        };
        for attribute in &node.attributes {
            return Ok(vec![match &attribute.value {
                AttributeValue::Tensor(tensor) => self.constant(name, tensor)?,
                AttributeValue::Integer(number) => Value::Numbers(real(*number as f64, true)),
                AttributeValue::Real(number) => Value::Numbers(real(f64::from(*number), false)),
                AttributeValue::Integers(numbers) if numbers.len() <= FEW => {
                    let numbers = numbers.iter().map(|number| Some(*number as f64));
                    Value::Numbers(Numbers::list(numbers.collect()))
                }
                AttributeValue::Reals(numbers) if numbers.len() <= FEW => {
                    let numbers = numbers.iter().map(|number| Some(f64::from(*number)));
                    Value::Numbers(Numbers {
                        whole: false,
                        ..Numbers::list(numbers.collect())
                    })
                }
                _ => continue,
            }]);
        }
        let title = node.title();
        Err(Broken(tr_format!(
            "the constant {title} has no numbers",
            "常量 {title} 没有数据"
        )))
    }

    /// A draft of a node that reads `inputs`, which are plain; its outputs as flows.
    pub fn draft(
        &mut self,
        place: Place,
        layer: Box<dyn Layer>,
        inputs: &[&Flow],
        params: Vec<Param>,
    ) -> Result<Vec<Flow>, Gap> {
        let needed = layer.inputs().required;
        if inputs.len() < needed {
            let found = inputs.len();
            return Err(Gap(tr_format!(
                "it has {found} inputs, but needs {needed}",
                "它有 {found} 个输入，而需要 {needed} 个"
            )));
        }
        let shapes: Option<Vec<&Shape>> = inputs.iter().map(|flow| flow.shape.as_ref()).collect();
        let outputs = match shapes {
            Some(shapes) => Some(inferred(&*layer, &shapes, &params)?),
            None => None,
        };
        let index = self.drafts.len();
        let ports = layer.outputs().len();
        let shape = |port: usize| {
            outputs
                .as_ref()
                .and_then(|outputs| outputs.get(port))
                .cloned()
        };
        let flows = (0..ports)
            .map(|port| Flow::new((index, port), shape(port)))
            .collect();
        let key = params
            .first()
            .and_then(|param| param.origin.rsplit_once('.'));
        self.drafts.push(Draft {
            layer,
            inputs: inputs.iter().map(|flow| Some(flow.from)).collect(),
            key: key.map(|(prefix, _)| prefix.to_owned()),
            params,
            place,
            merged: None,
            last_of: None,
        });
        Ok(flows)
    }

    /// The numbers of weights, read once.
    pub fn tensor(&mut self, weights: &Weights<'a>) -> Result<Tensor, Gap> {
        let data = match &weights.source {
            Source::Read(tensor) => return Ok(tensor.clone()),
            Source::File(data) => data,
        };
        if let Some(tensor) = self
            .tensors
            .get(data.name)
            .filter(|_| !data.name.is_empty())
        {
            return Ok(tensor.clone());
        }
        self.count(data.count())?;
        let tensor = match data.tensor(self.folder) {
            Ok(tensor) => tensor,
            Err(broken) => {
                self.broken = Some(broken);
                return Err(Gap(String::new()));
            }
        };
        if !data.name.is_empty() {
            self.tensors.insert(data.name, tensor.clone());
        }
        Ok(tensor)
    }

    /// Takes so many numbers from what may be read and made in all.
    pub fn count(&mut self, count: Option<usize>) -> Result<(), Gap> {
        self.numbers = count
            .and_then(|count| self.numbers.checked_add(count))
            .unwrap_or(usize::MAX);
        match self.numbers <= MAX_NUMBERS {
            true => Ok(()),
            false => Err(Gap(tr("there are too many numbers", "数据过多").to_owned())),
        }
    }
}

impl<'a> Op<'_, 'a> {
    pub fn input(&self, index: usize) -> &Value<'a> {
        self.inputs.get(index).unwrap_or(&Value::Absent)
    }

    /// What a node gives, with whatever view it has.
    pub fn flow(&self, index: usize) -> Result<Flow, Gap> {
        match self.input(index) {
            Value::Flow(flow) => Ok(flow.clone()),
            _ => Err(Gap(tr_format!(
                "its input {} is a constant or missing",
                "它的第 {} 个输入是常量或缺失",
                index + 1
            ))),
        }
    }

    /// What a node gives under the axes that ONNX sees.
    pub fn plain(&mut self, index: usize) -> Result<Flow, Gap> {
        let flow = self.flow(index)?;
        self.laid_out(flow)
    }

    /// Known whole numbers, from an attribute in older versions and an input in later ones.
    pub fn integers(&self, attribute: &str, index: usize) -> Option<Vec<i64>> {
        match (self.node.integers(attribute), self.input(index)) {
            (Some(numbers), _) => Some(numbers.to_vec()),
            (None, Value::Numbers(numbers)) => numbers.integers(),
            _ => None,
        }
    }

    /// One known number.
    pub fn number(&self, index: usize) -> Option<f64> {
        match self.input(index) {
            Value::Numbers(numbers) => numbers.single(),
            Value::Filled { value, dims } if dims.iter().all(|size| *size == Some(1)) => {
                Some(*value)
            }
            _ => None,
        }
    }

    /// The numbers of a constant input and the name that it goes by.
    pub fn weights(&mut self, index: usize) -> Result<(Tensor, &'a str), Gap> {
        let name = self.node.inputs.get(index).copied().unwrap_or_default();
        match self.input(index).clone() {
            Value::Weights(weights) => Ok((self.reader.tensor(&weights)?, weights.name)),
            Value::Numbers(numbers) => {
                let known = numbers.known().ok_or_else(|| not_constant(index))?;
                let known: Vec<f32> = known.into_iter().map(|number| number as f32).collect();
                let tensor = Tensor::from_vec(known, numbers.dims, &candle_core::Device::Cpu)?;
                Ok((tensor, name))
            }
            Value::Filled { dims, value } => {
                let dims: Option<Vec<usize>> = dims.into_iter().collect();
                let dims = dims.ok_or_else(|| not_constant(index))?;
                let count = dims
                    .iter()
                    .try_fold(1usize, |count, size| count.checked_mul(*size));
                self.reader.count(count)?;
                let tensor = Tensor::full(value as f32, dims, &candle_core::Device::Cpu)?;
                Ok((tensor, name))
            }
            _ => Err(not_constant(index)),
        }
    }

    /// Whether this operator alone reads what the input is.
    pub fn is_only_reader(&self, index: usize) -> bool {
        let name = self.node.inputs.get(index).copied().unwrap_or_default();
        self.reader.uses.get(name) == Some(&1)
    }

    /// A draft of a node that reads `inputs`, which are plain; its outputs as flows.
    pub fn draft(
        &mut self,
        layer: impl Layer,
        inputs: &[&Flow],
        params: Vec<Param>,
    ) -> Result<Vec<Flow>, Gap> {
        let place = names::place(self.node);
        self.reader.draft(place, Box::new(layer), inputs, params)
    }

    /// The same for a layer with one output.
    pub fn one(
        &mut self,
        layer: impl Layer,
        inputs: &[&Flow],
        params: Vec<Param>,
    ) -> Result<Flow, Gap> {
        let mut flows = self.draft(layer, inputs, params)?;
        match flows.is_empty() {
            false => Ok(flows.swap_remove(0)),
            true => Err(Gap(String::new())),
        }
    }

    /// A function of every number by itself: the view stays.
    pub fn pointwise(&mut self, layer: impl Layer) -> Found<'a> {
        let flow = self.flow(0)?;
        Ok(vec![Value::Flow(self.pointwise_of(layer, flow)?)])
    }

    pub fn pointwise_of(&mut self, layer: impl Layer, flow: Flow) -> Result<Flow, Gap> {
        if flow.pad != [0; 4] {
            return Err(padded());
        }
        let bare = Flow {
            view: None,
            ..flow.clone()
        };
        let y = self.one(layer, &[&bare], Vec::new())?;
        Ok(Flow {
            view: flow.view,
            ..y
        })
    }

    fn read(&mut self) -> Found<'a> {
        match self.node.op {
            "Conv" | "ConvTranspose" | "Gemm" | "MatMul" | "BatchNormalization" | "PRelu"
            | "LRN" => self.filters(),
            "MaxPool" | "AveragePool" | "GlobalAveragePool" | "GlobalMaxPool" | "ReduceMean"
            | "ReduceSum" | "ReduceL1" | "ReduceSumSquare" | "Upsample" | "Resize" | "Pad" => {
                self.pooling()
            }
            "LSTM" | "GRU" | "RNN" => self.recurrent(),
            "Shape" | "Size" | "Reshape" | "Flatten" | "Transpose" | "Squeeze" | "Unsqueeze"
            | "Expand" | "Identity" | "Cast" | "CastLike" | "Dropout" | "Concat" | "Tile" => {
                self.shapes()
            }
            "Gather" | "Slice" | "Split" | "ArgMax" => self.pick(),
            _ => self.math(),
        }
    }
}

/// A layer's outputs, where its parameters are in their ranges and the shapes are those that it
/// needs.
fn inferred(layer: &dyn Layer, shapes: &[&Shape], params: &[Param]) -> Result<Vec<Shape>, Gap> {
    if let Some(problem) = out_of_range(layer).first() {
        return Err(Gap(problem.message().to_owned()));
    }
    let context = InferContext {
        phase: Phase::Test,
        classes: None,
        data: None,
        example: None,
    };
    let found = layer
        .infer(&context, shapes)
        .map_err(|problem| Gap(problem.message().to_owned()))?;
    let needed: BTreeSet<&str> = found.params.iter().map(|spec| spec.suffix).collect();
    for spec in &found.params {
        let own = params.iter().find(|param| param.suffix == spec.suffix);
        let dims = own.map(|param| param.tensor.dims());
        if dims != Some(spec.shape.as_slice()) {
            let (suffix, needed) = (spec.suffix, &spec.shape);
            let found = dims.unwrap_or_default();
            return Err(Gap(tr_format!(
                "its {suffix} has the shape {found:?}, but {needed:?} is needed",
                "其 {suffix} 的形状为 {found:?}，而需要 {needed:?}"
            )));
        }
    }
    match params.iter().all(|param| needed.contains(param.suffix)) {
        true => Ok(found.outputs),
        false => Err(Gap(tr("its weights do not fit", "其权重不匹配").to_owned())),
    }
}

fn not_constant(index: usize) -> Gap {
    Gap(tr_format!(
        "its input {} must be a constant",
        "它的第 {} 个输入必须是常量",
        index + 1
    ))
}

pub(super) fn padded() -> Gap {
    Gap(tr(
        "zeros were padded before it, which only a convolution or pooling can take over",
        "之前填充了零，而只有卷积或池化能承接这种填充",
    )
    .to_owned())
}

impl From<candle_core::Error> for Gap {
    fn from(error: candle_core::Error) -> Self {
        Self(error.to_string())
    }
}

/// A layer of the catalogue by its text.
pub(super) fn layer_of(text: &str) -> Box<dyn Layer> {
    layers::parse(text).unwrap_or_else(|_| Box::new(layers::Input::default()))
}
