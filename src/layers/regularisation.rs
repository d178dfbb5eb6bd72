//! Layers against overfitting.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use crate::graph::{
    Context, Family, Field, FieldVisitor, Gradients, InferContext, Inferred, Layer, LayerSpec,
    Passed, Phase, Problem, Role, Shape, Value, only_gradient,
};
use crate::i18n::Text;
use crate::nn;

/// Silences elements at random while training; the others are scaled up by 1/(1−ratio), so that
/// testing needs no change. Srivastava et al. 2014 in its inverted form, as Caffe and PyTorch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dropout {
    pub ratio: f64,
}

impl Default for Dropout {
    fn default() -> Self {
        Self { ratio: 0.5 }
    }
}

static SPEC: LayerSpec = LayerSpec {
    name: "Dropout",
    title: Text::new("Dropout", "Dropout 随机失活"),
    family: Family::Regularisation,
    role: Role::Layer,
    about: Text::new(
        "Silences each element at random while training, so that none relies on another; does nothing in testing.",
        "训练时随机让部分元素失活，使神经元互不依赖；测试时不起作用。",
    ),
    formula: "train: y = m · x / (1 − p), m ∈ {0, 1};  test: y = x",
    caffe: ("Dropout", "dropout_param"),
};

impl Dropout {
    /// The operation on activations and on gradients alike.
    fn masked(&self, context: &Context<'_>, x: &Tensor) -> candle_core::Result<Tensor> {
        match context.phase {
            Phase::Train => nn::dropout(x, self.ratio, context.seed),
            Phase::Test => Ok(x.clone()),
        }
    }
}

impl Layer for Dropout {
    fn spec(&self) -> &'static LayerSpec {
        &SPEC
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        let about = Text::new(
            "p: the probability that an element is silenced.",
            "p：元素被置零的概率。",
        );
        visitor
            .field(Field::real("ratio", &mut self.ratio, 0.0..=0.99, about).caffe("dropout_ratio"));
    }

    fn infer(&self, _: &InferContext<'_>, x: &[&Shape]) -> Result<Inferred, Problem> {
        Ok(Inferred::pointwise(x[0].clone()))
    }

    /// Saves nothing: the mask follows from the seed, and in testing the input passes as it is.
    fn forward(&self, context: &Context<'_>, inputs: &[Value]) -> candle_core::Result<Passed> {
        Ok(Passed::new(
            self.masked(context, inputs[0].tensor())?,
            Vec::new(),
        ))
    }

    fn backward(
        &self,
        context: &Context<'_>,
        _: &[Tensor],
        gradients: &[Option<Tensor>],
    ) -> candle_core::Result<Gradients> {
        let dy = only_gradient(gradients)?;
        Ok(Gradients::of_input(self.masked(context, dy)?))
    }
}
