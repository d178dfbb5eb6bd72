//! What a layer is: its statement, its shape rule, its forward and its backward.
//!
//! A layer is a plain serde struct that implements [`Layer`]. Everything that the program says
//! about it or does with it comes from this trait; nothing here names a particular layer.

use std::any::Any;
use std::fmt::Debug;

use candle_core::Tensor;
use serde::Serialize;

use super::{
    Context, DataFacts, FieldVisitor, Filler, Gradients, InputPorts, LayerSpec, Passed, Phase,
    Port, Problem, Shape, Value,
};
use crate::i18n::Text;

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
    /// What stands behind the result; by default nothing.
    fn details(&self) -> Details {
        Details::default()
    }
}

/// What stands behind a metric's one number.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Details {
    /// The same number of each class by itself, NaN where the class does not occur.
    pub by_class: Vec<f64>,
    /// Further numbers: a key for files, what it is, and the number.
    pub numbers: Vec<(&'static str, Text, f64)>,
    /// The distance of each pair of examples in order, and whether the two are of one class.
    pub pairs: Vec<(f32, bool)>,
}

impl Details {
    pub fn is_empty(&self) -> bool {
        self.by_class.is_empty() && self.numbers.is_empty() && self.pairs.is_empty()
    }
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

    /// Computes the outputs. Never called for [`Role::Data`](super::Role::Data) and [`Role::Input`](super::Role::Input), whose outputs
    /// the caller of the network gives.
    fn forward(&self, context: &Context<'_>, inputs: &[Value]) -> candle_core::Result<Passed>;

    /// From `saved` and ∂loss/∂outputs (`None` is zero) to ∂loss by inputs and parameters.
    /// Called only where some gradient arrived, so a layer with one output has it; see
    /// [`only_gradient`](super::only_gradient). By default no gradient passes.
    fn backward(
        &self,
        _context: &Context<'_>,
        _saved: &[Tensor],
        _gradients: &[Option<Tensor>],
    ) -> candle_core::Result<Gradients> {
        Ok(Gradients::default())
    }

    /// For a layer whose only parameters are running statistics: whether it uses them as they are
    /// in training too. Others have [`Context::frozen`], which follows from their multipliers.
    fn keep_statistics(&mut self, _keep: bool) {}

    /// Whether the layer is max(x, 0) and nothing else.
    fn is_relu(&self) -> bool {
        false
    }

    /// Whether the layer can apply the ReLU behind it in its own last walk over its output, where
    /// [`Context::relu`] says so. Forward and backward, the numbers are those of both nodes apart.
    fn joins_relu(&self) -> bool {
        false
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
