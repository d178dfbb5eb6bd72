//! What a layer is: its statement, its shape rule, its forward and its backward.
//!
//! A layer is a plain serde struct that implements [`Layer`]. Everything that the program says
//! about it or does with it comes from this trait; nothing here names a particular layer.

use std::any::Any;
use std::fmt::Debug;

use candle_core::{DType, Device, Tensor};
use serde::Serialize;

use super::{DataFacts, FieldVisitor, Filler, Phase, PortType, Problem, Shape};
use crate::i18n::Text;

/// What a layer is for; the palette is grouped by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    Data,
    Convolution,
    Pooling,
    Linear,
    Recurrent,
    Activation,
    Normalisation,
    Regularisation,
    Structure,
    Loss,
    Metric,
    Unknown,
}

impl Family {
    pub fn text(self) -> Text {
        match self {
            Self::Data => Text::new("Data", "数据"),
            Self::Convolution => Text::new("Convolution", "卷积"),
            Self::Pooling => Text::new("Pooling", "池化"),
            Self::Linear => Text::new("Full connection", "全连接"),
            Self::Recurrent => Text::new("Recurrent", "循环网络"),
            Self::Activation => Text::new("Activation", "激活函数"),
            Self::Normalisation => Text::new("Normalisation", "归一化"),
            Self::Regularisation => Text::new("Regularisation", "正则化"),
            Self::Structure => Text::new("Structure", "结构"),
            Self::Loss => Text::new("Loss", "损失函数"),
            Self::Metric => Text::new("Metric", "评价指标"),
            Self::Unknown => Text::new("Unknown", "未知"),
        }
    }
}

/// How the walk through the network treats a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Computes outputs from inputs.
    Layer,
    /// Has no inputs: its outputs are the batch's examples, their labels and their targets.
    Data,
    /// Has no inputs: its output is a tensor that the caller gives.
    Input,
    /// Its first output is a scalar to be minimised.
    Loss,
    /// Its output is read by people only; no gradient passes.
    Metric,
    /// Not known to the program; cannot run.
    Unknown,
}

/// What a layer type says about itself, the same for every instance.
#[derive(Debug)]
pub struct LayerSpec {
    /// The type's name in project files; Caffe's wherever Caffe has the layer.
    pub name: &'static str,
    pub title: Text,
    pub family: Family,
    pub role: Role,
    /// One line for hover texts, help and documentation.
    pub about: Text,
    /// The forward computation, in the usual symbols.
    pub formula: &'static str,
    /// Caffe's layer type and the name of its parameter message, empty where it has none.
    pub caffe: (&'static str, &'static str),
}

/// An input or output of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    pub name: &'static str,
    pub kind: PortType,
}

impl Port {
    pub const fn tensor(name: &'static str) -> Self {
        Self {
            name,
            kind: PortType::Tensor,
        }
    }

    pub const fn labels(name: &'static str) -> Self {
        Self {
            name,
            kind: PortType::Labels,
        }
    }
}

/// The inputs of a layer.
#[derive(Clone, Copy, Debug)]
pub struct InputPorts {
    pub ports: &'static [Port],
    /// The last port may be repeated (Concat, Eltwise).
    pub repeat_last: bool,
    /// How many of them, from the first on, must be connected; the others may be.
    pub required: usize,
}

impl InputPorts {
    pub const fn fixed(ports: &'static [Port]) -> Self {
        Self {
            ports,
            repeat_last: false,
            required: ports.len(),
        }
    }

    pub const fn repeated(ports: &'static [Port]) -> Self {
        Self {
            ports,
            repeat_last: true,
            required: ports.len(),
        }
    }

    /// All but the first `required` may be left unconnected.
    pub const fn with_optional(ports: &'static [Port], required: usize) -> Self {
        Self {
            ports,
            repeat_last: false,
            required,
        }
    }

    /// The port at `index`, if the layer has one there.
    pub fn port(&self, index: usize) -> Option<&'static Port> {
        let repeated = self.ports.last().filter(|_| self.repeat_last);
        self.ports.get(index).or(repeated)
    }
}

/// What inference knows beside the shapes of the inputs.
#[derive(Clone, Copy, Debug)]
pub struct InferContext<'a> {
    pub phase: Phase,
    /// The number of classes in the data.
    pub classes: Option<usize>,
    /// Everything that is known of the data.
    pub data: Option<&'a DataFacts>,
    /// For a layer that brings data in: the shape of one example.
    pub example: Option<&'a [usize]>,
}

/// A tensor that belongs to a node and outlives a pass.
#[derive(Clone, Debug, PartialEq)]
pub struct ParamSpec {
    /// `weight`, `bias`, `running_mean`, … as PyTorch names them.
    pub suffix: &'static str,
    pub shape: Vec<usize>,
    pub filler: Filler,
    /// Trained by the solver; else a buffer that the layer itself updates.
    pub learnable: bool,
}

impl ParamSpec {
    pub fn learnable(suffix: &'static str, shape: Vec<usize>, filler: Filler) -> Self {
        Self {
            suffix,
            shape,
            filler,
            learnable: true,
        }
    }

    /// Saturating.
    pub fn count(&self) -> usize {
        self.shape
            .iter()
            .fold(1, |count, dim| count.saturating_mul(*dim))
    }
}

/// Which part of its input one output element sees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Window {
    /// The same place.
    Point,
    /// A window that slides: `kernel` includes the dilation's gaps; height, width.
    Slide {
        kernel: [usize; 2],
        stride: [usize; 2],
        pad: [usize; 2],
    },
    /// Everything.
    Whole,
    /// Has no place in the image (a loss, a metric).
    Nowhere,
}

/// What a layer's shape rule finds.
#[derive(Clone, Debug)]
pub struct Inferred {
    pub outputs: Vec<Shape>,
    pub params: Vec<ParamSpec>,
    /// Multiply-adds per example, `None` where a size is unknown.
    pub macs: Option<u64>,
    pub window: Window,
}

impl Inferred {
    /// One output, nothing to learn, each element from the same place of the input.
    pub fn pointwise(output: Shape) -> Self {
        Self {
            outputs: vec![output],
            params: Vec::new(),
            macs: Some(0),
            window: Window::Point,
        }
    }
}

/// What travels along a wire while the network runs.
#[derive(Clone, Debug)]
pub enum Value {
    Tensor(Tensor),
    /// u32 class indices.
    Labels(Tensor),
}

impl Value {
    /// The numbers of either kind.
    pub fn tensor(&self) -> &Tensor {
        match self {
            Self::Tensor(tensor) | Self::Labels(tensor) => tensor,
        }
    }
}

/// What a layer may look at during a pass, beside its inputs.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    pub phase: Phase,
    /// In the order of the [`ParamSpec`]s of the shape rule.
    pub params: &'a [Tensor],
    /// The start of the node's own random stream: a function of (seed, iteration, node).
    pub seed: u64,
    /// For each input, whether anybody needs its gradient.
    pub needs_input: &'a [bool],
    /// Whether anybody needs the gradients of the parameters.
    pub needs_params: bool,
    /// What the layer handed over as [`Passed::state`] in an earlier pass; empty at the start
    /// of a sequence, and for every layer that is not recurrent.
    pub state: &'a [Tensor],
}

/// What a forward pass leaves.
#[derive(Clone, Debug, Default)]
pub struct Passed {
    pub outputs: Vec<Value>,
    /// What backward needs: inputs, outputs, masks, indices. Nothing else stays alive.
    pub saved: Vec<Tensor>,
    /// New values of buffers, by index into the parameters.
    pub buffers: Vec<(usize, Tensor)>,
    /// The state after the last step, from which a later pass may go on ([`Context::state`]).
    pub state: Vec<Tensor>,
}

impl Passed {
    pub fn new(output: Tensor, saved: Vec<Tensor>) -> Self {
        Self {
            outputs: vec![Value::Tensor(output)],
            saved,
            ..Self::default()
        }
    }
}

/// What a backward pass gives: ∂loss by each input and parameter, `None` where it is not
/// needed or is zero.
#[derive(Clone, Debug, Default)]
pub struct Gradients {
    pub inputs: Vec<Option<Tensor>>,
    pub params: Vec<Option<Tensor>>,
}

impl Gradients {
    pub fn of_input(gradient: Tensor) -> Self {
        Self {
            inputs: vec![Some(gradient)],
            params: Vec::new(),
        }
    }

    /// One gradient for each input, none for parameters.
    pub fn of_inputs(gradients: impl IntoIterator<Item = Option<Tensor>>) -> Self {
        Self {
            inputs: gradients.into_iter().collect(),
            params: Vec::new(),
        }
    }
}

/// What a metric's number is, and so how it is shown and which way is better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MetricKind {
    /// From 0 to 1, shown as a percentage; more is better.
    #[default]
    Share,
    /// In the units of the data; less is better.
    Error,
}

/// A number about a whole split, gathered batch by batch.
pub trait Metric: Send {
    fn add(&mut self, inputs: &[Value]) -> candle_core::Result<()>;
    /// The result so far; NaN before the first example.
    fn result(&self) -> f64;
}

/// A type of layer.
pub trait Layer: LayerObject + Debug + Send + Sync + 'static {
    fn spec(&self) -> &'static LayerSpec;

    /// The type's name for messages; an unknown layer gives the name that its file used.
    fn title(&self) -> &str {
        self.spec().name
    }

    /// One tensor, unless the layer says otherwise.
    fn inputs(&self) -> InputPorts {
        InputPorts::fixed(const { &[Port::tensor("x")] })
    }

    /// One tensor, unless the layer says otherwise.
    fn outputs(&self) -> &'static [Port] {
        const { &[Port::tensor("y")] }
    }

    /// Shows the visitor every parameter, in the order of the form; by default there is none.
    fn fields(&mut self, _visitor: &mut dyn FieldVisitor) {}

    /// The shape rule, total: it is called with parameters in their ranges and one shape for
    /// each input port in use, and returns a problem where they do not fit.
    fn infer(&self, context: &InferContext<'_>, inputs: &[&Shape]) -> Result<Inferred, Problem>;

    /// Computes the outputs. Never called for [`Role::Data`] and [`Role::Input`], whose outputs
    /// the caller of the network gives.
    fn forward(&self, context: &Context<'_>, inputs: &[Value]) -> candle_core::Result<Passed>;

    /// From `saved` and ∂loss/∂outputs (`None` is zero) to ∂loss by inputs and parameters.
    /// Called only where some gradient arrived, so a layer with one output has it; see
    /// [`only_gradient`]. By default no gradient passes.
    fn backward(
        &self,
        _context: &Context<'_>,
        _saved: &[Tensor],
        _gradients: &[Option<Tensor>],
    ) -> candle_core::Result<Gradients> {
        Ok(Gradients::default())
    }

    /// For a metric: a fresh accumulator.
    fn metric(&self) -> Option<Box<dyn Metric>> {
        None
    }

    /// For a metric: what its number is.
    fn metric_kind(&self) -> MetricKind {
        MetricKind::default()
    }
}

/// What every layer gets for free by being a plain serde struct.
pub trait LayerObject {
    fn clone_layer(&self) -> Box<dyn Layer>;
    fn same_as(&self, other: &dyn Layer) -> bool;
    fn as_any(&self) -> &dyn Any;
    /// The layer on one line of RON, every parameter written out: `Pooling(method: max, …)`.
    fn to_ron(&self) -> Result<String, ron::Error>;
}

impl<T: Layer + Clone + PartialEq + Serialize> LayerObject for T {
    fn clone_layer(&self) -> Box<dyn Layer> {
        Box::new(self.clone())
    }

    fn same_as(&self, other: &dyn Layer) -> bool {
        other.as_any().downcast_ref::<T>() == Some(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn to_ron(&self) -> Result<String, ron::Error> {
        let compact = ron::ser::PrettyConfig::new()
            .struct_names(true)
            .compact_structs(true)
            .compact_arrays(true)
            .compact_maps(true);
        ron_options().to_string_pretty(self, compact)
    }
}

/// How layers are written: a parameter that may be left out needs no `Some` around it.
pub fn ron_options() -> ron::Options {
    ron::Options::default().with_default_extension(ron::extensions::Extensions::IMPLICIT_SOME)
}

/// The gradient that arrived at the output of a layer that has one.
pub fn only_gradient(gradients: &[Option<Tensor>]) -> candle_core::Result<&Tensor> {
    match gradients {
        [Some(gradient), ..] => Ok(gradient),
        _ => candle_core::bail!("no gradient arrived at the first output"),
    }
}

/// The gradient that arrived at output `port`, or zeros of this shape where none did.
pub fn gradient_or_zeros(
    gradients: &[Option<Tensor>],
    port: usize,
    shape: &[usize],
    dtype: DType,
    device: &Device,
) -> candle_core::Result<Tensor> {
    match gradients.get(port).and_then(Option::as_ref) {
        Some(gradient) => Ok(gradient.clone()),
        None => Tensor::zeros(shape, dtype, device),
    }
}
