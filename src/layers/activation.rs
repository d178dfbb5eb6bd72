//! Activations: one function applied to every element.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use crate::graph::{
    Context, Family, Field, FieldVisitor, Gradients, InferContext, Inferred, Layer, LayerSpec,
    Passed, Problem, Role, Shape, Value, only_gradient,
};
use crate::i18n::Text;
use crate::nn;

/// y = x where x > 0, else negative_slope · x. Caffe's ReLU; PyTorch's `ReLU`, `LeakyReLU`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReLU {
    pub negative_slope: f64,
}

/// y = 1 / (1 + e⁻ˣ).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sigmoid {}

/// y = (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TanH {}

static RELU: LayerSpec = LayerSpec {
    name: "ReLU",
    title: Text::new("ReLU", "ReLU 线性整流"),
    family: Family::Activation,
    role: Role::Layer,
    about: Text::new(
        "Lets positive values through and cuts negative ones off; its gradient does not vanish.",
        "正值原样通过，负值截断；正半轴的梯度不会消失。",
    ),
    formula: "y = max(x, 0) + α · min(x, 0)",
    caffe: ("ReLU", "relu_param"),
};

static SIGMOID: LayerSpec = LayerSpec {
    name: "Sigmoid",
    title: Text::new("Sigmoid", "Sigmoid 函数"),
    family: Family::Activation,
    role: Role::Layer,
    about: Text::new(
        "Squeezes every value into 0 … 1; far from 0 its gradient vanishes.",
        "把每个值压缩到 0 … 1；远离 0 处梯度消失。",
    ),
    formula: "y = 1 / (1 + e⁻ˣ)",
    caffe: ("Sigmoid", "sigmoid_param"),
};

static TANH: LayerSpec = LayerSpec {
    name: "TanH",
    title: Text::new("Hyperbolic tangent", "双曲正切"),
    family: Family::Activation,
    role: Role::Layer,
    about: Text::new(
        "Squeezes every value into −1 … 1, with 0 in the middle; far from 0 its gradient vanishes.",
        "把每个值压缩到 −1 … 1，以 0 为中心；远离 0 处梯度消失。",
    ),
    formula: "y = (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ)",
    caffe: ("TanH", "tanh_param"),
};

/// What every activation's trait says alike: one input, one output of its shape.
macro_rules! activation {
    ($name:ident, $spec:ident, { $($fields:item)? }, $forward:expr, $backward:expr) => {
        impl Layer for $name {
            fn spec(&self) -> &'static LayerSpec {
                &$spec
            }

            $($fields)?

            fn infer(&self, _: &InferContext<'_>, x: &[&Shape]) -> Result<Inferred, Problem> {
                Ok(Inferred::pointwise(x[0].clone()))
            }

            /// Saves the input or the output, whichever the gradient follows from.
            fn forward(&self, _: &Context<'_>, x: &[Value]) -> candle_core::Result<Passed> {
                let forward: fn(&Self, &Tensor) -> candle_core::Result<(Tensor, Tensor)> = $forward;
                let (y, saved) = forward(self, x[0].tensor())?;
                Ok(Passed::new(y, vec![saved]))
            }

            fn backward(
                &self,
                _: &Context<'_>,
                saved: &[Tensor],
                gradients: &[Option<Tensor>],
            ) -> candle_core::Result<Gradients> {
                let dy = only_gradient(gradients)?;
                let backward: fn(&Self, &Tensor, &Tensor) -> candle_core::Result<Tensor> = $backward;
                Ok(Gradients::of_input(backward(self, &saved[0], dy)?))
            }
        }
    };
}

activation!(
    ReLU,
    RELU,
    {
        fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
            let about = Text::new(
                "α: the slope for negative values; 0 is the plain ReLU, 0.01 a leaky one.",
                "α：负半轴的斜率；0 为普通 ReLU，0.01 为 Leaky ReLU。",
            );
            let slope = &mut self.negative_slope;
            visitor.field(Field::real("negative_slope", slope, -10.0..=10.0, about));
        }
    },
    |layer, x| Ok((nn::relu(x, layer.negative_slope)?, x.clone())),
    |layer, x, dy| nn::relu_backward(x, dy, layer.negative_slope)
);

activation!(
    Sigmoid,
    SIGMOID,
    {},
    |_, x| nn::sigmoid(x).map(|y| (y.clone(), y)),
    |_, y, dy| nn::sigmoid_backward(y, dy)
);

activation!(
    TanH,
    TANH,
    {},
    |_, x| nn::tanh(x).map(|y| (y.clone(), y)),
    |_, y, dy| nn::tanh_backward(y, dy)
);
