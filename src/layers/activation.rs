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
    ($name:ident, $spec:expr, { $($items:item)* }, $forward:expr, $backward:expr) => {
        impl Layer for $name {
            fn spec(&self) -> &'static LayerSpec {
                $spec
            }

            $($items)*

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
    &RELU,
    {
        fn is_relu(&self) -> bool {
            self.negative_slope == 0.0
        }

        fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
            let about = Text::new(
                "α: the slope for negative values; 0 is the plain ReLU, 0.01 a leaky one.",
                "α：负半轴的斜率；0 为普通 ReLU，0.01 为 Leaky ReLU。",
            );
            let slope = &mut self.negative_slope;
            visitor.field(Field::real("negative_slope", slope, -10.0..=10.0, about));
        }
    },
    // With a slope that is not negative the output has the input's signs, and is kept anyway by
    // whoever reads it; saving it lets the input go.
    |layer, x| {
        let y = nn::relu(x, layer.negative_slope)?;
        let saved = if layer.negative_slope < 0.0 {
            x.clone()
        } else {
            y.clone()
        };
        Ok((y, saved))
    },
    |layer, x, dy| nn::relu_backward(x, dy, layer.negative_slope)
);

activation!(
    Sigmoid,
    &SIGMOID,
    {},
    |_, x| nn::sigmoid(x).map(|y| (y.clone(), y)),
    |_, y, dy| nn::sigmoid_backward(y, dy)
);

activation!(
    TanH,
    &TANH,
    {},
    |_, x| nn::tanh(x).map(|y| (y.clone(), y)),
    |_, y, dy| nn::tanh_backward(y, dy)
);

/// A layer that is one [`nn::Pointwise`] function: its parameters, what it says, which function.
macro_rules! pointwise {
    ($(#[$meta:meta])* $name:ident, $message:literal, $title:expr, $about:expr, $formula:literal,
        { $($field:ident = $default:literal in $range:expr, $en:literal $zh:literal;)* },
        $function:expr) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            $(pub $field: f64,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl $name {
            const SPEC: LayerSpec = LayerSpec {
                name: stringify!($name),
                title: $title,
                family: Family::Activation,
                role: Role::Layer,
                about: $about,
                formula: $formula,
                caffe: (stringify!($name), $message),
            };
            const STATEMENT: &'static LayerSpec = &Self::SPEC;

            fn function(&self) -> nn::Pointwise {
                let function: fn(&Self) -> nn::Pointwise = $function;
                function(self)
            }
        }

        activation!(
            $name,
            $name::STATEMENT,
            {
                fn fields(&mut self, _visitor: &mut dyn FieldVisitor) {
                    $(_visitor.field(Field::real(
                        stringify!($field), &mut self.$field, $range, Text::new($en, $zh),
                    ));)*
                }
            },
            |layer, x| Ok((nn::pointwise(x, layer.function())?, x.clone())),
            |layer, x, dy| nn::pointwise_backward(x, dy, layer.function())
        );
    };
}

pointwise!(
    /// y = x where x > 0, else α (eˣ − 1) (Clevert et al. 2015). PyTorch's `ELU`.
    ELU,
    "elu_param",
    Text::new("ELU", "ELU 指数线性单元"),
    Text::new(
        "Lets positive values through and bends negative ones smoothly towards −α, so that means stay near 0.",
        "正值原样通过，负值平滑趋近 −α，使均值接近 0。",
    ),
    "y = x where x > 0, else α (eˣ − 1)",
    { alpha = 1.0 in -100.0..=100.0, "α: what large negative values tend to, negated." "α：很大的负值趋近 −α。"; },
    |layer| nn::Pointwise::Elu { alpha: layer.alpha }
);

pointwise!(
    /// y = |x|.
    AbsVal,
    "",
    Text::new("Absolute value", "绝对值"),
    Text::new("Drops the sign of every value.", "去掉每个值的符号。"),
    "y = |x|",
    {},
    |_| nn::Pointwise::Abs
);

pointwise!(
    /// y = (shift + scale · x)^power.
    Power,
    "power_param",
    Text::new("Power", "幂函数"),
    Text::new(
        "Scales, shifts and raises every value to a power; with power 1 it is a fixed linear map.",
        "对每个值缩放、平移后取幂；幂为 1 时即固定的线性变换。",
    ),
    "y = (shift + scale · x)^power",
    {
        power = 1.0 in -100.0..=100.0, "The exponent." "指数。";
        scale = 1.0 in -1e6..=1e6, "What x is multiplied by first." "先乘以 x 的系数。";
        shift = 0.0 in -1e6..=1e6, "What is added before the power." "取幂之前加上的数。";
    },
    |layer| nn::Pointwise::Power { power: layer.power, scale: layer.scale, shift: layer.shift }
);

/// Caffe's bases: −1 stands for e; what is no base (0 or less) too.
fn log_of_base(base: f64) -> f64 {
    if base > 0.0 { base.ln() } else { 1.0 }
}

pointwise!(
    /// y = base^(shift + scale · x).
    Exp,
    "exp_param",
    Text::new("Exponential", "指数函数"),
    Text::new("Raises a base to every value.", "以每个值为指数取幂。"),
    "y = base^(shift + scale · x)",
    {
        base = -1.0 in -1.0..=1e6, "The base; −1 is e." "底数；−1 表示 e。";
        scale = 1.0 in -1e6..=1e6, "What x is multiplied by first." "先乘以 x 的系数。";
        shift = 0.0 in -1e6..=1e6, "What is added to the exponent." "加在指数上的数。";
    },
    |layer| {
        let log = log_of_base(layer.base);
        nn::Pointwise::Exp { rate: log * layer.scale, offset: log * layer.shift }
    }
);

pointwise!(
    /// y = log_base(shift + scale · x).
    Log,
    "log_param",
    Text::new("Logarithm", "对数函数"),
    Text::new(
        "Takes the logarithm of every value; the values must be positive.",
        "对每个值取对数；输入必须为正。",
    ),
    "y = log(shift + scale · x) / log(base)",
    {
        base = -1.0 in -1.0..=1e6, "The base; −1 is e." "底数；−1 表示 e。";
        scale = 1.0 in -1e6..=1e6, "What x is multiplied by first." "先乘以 x 的系数。";
        shift = 0.0 in -1e6..=1e6, "What is added before the logarithm." "取对数之前加上的数。";
    },
    |layer| nn::Pointwise::Log {
        factor: 1.0 / log_of_base(layer.base),
        scale: layer.scale,
        shift: layer.shift,
    }
);

pointwise!(
    /// y = ln(1 + eˣ). PyTorch's `Softplus`.
    BNLL,
    "",
    Text::new("BNLL (softplus)", "BNLL 软加函数"),
    Text::new(
        "A smooth ReLU: the logarithm of one plus the exponential.",
        "平滑的 ReLU：1 加指数后取对数。",
    ),
    "y = log(1 + eˣ)",
    {},
    |_| nn::Pointwise::Bnll
);

pointwise!(
    /// y = 1 where x > threshold, else 0. Its slope is 0 everywhere, so nothing before it learns.
    Threshold,
    "threshold_param",
    Text::new("Threshold", "阈值"),
    Text::new(
        "1 above a threshold, else 0; no gradient passes, so nothing before it learns.",
        "大于阈值为 1，否则为 0；梯度无法通过，其前面的层不会学习。",
    ),
    "y = 1 where x > t, else 0",
    { threshold = 0.0 in -1e6..=1e6, "t: values above it become 1." "t：大于它的值变为 1。"; },
    |layer| nn::Pointwise::Threshold { threshold: layer.threshold }
);
