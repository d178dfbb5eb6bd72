//! Activations with learned pieces: PReLU's slopes, Maxout's linear pieces.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::channels_needed;
use crate::graph::{
    Context, Family, Field, FieldVisitor, Filler, Gradients, InferContext, Inferred, Layer,
    LayerSpec, ParamSpec, Passed, Problem, Role, Shape, Value, only_gradient,
};
use crate::i18n::{Text, tr_format};
use crate::nn;

/// y = x where x > 0, else a · x with a learned slope for each channel, or one for all
/// (He et al. 2015). Caffe's PReLU; PyTorch's `PReLU`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PReLU {
    pub channel_shared: bool,
    pub filler: Filler,
}

impl Default for PReLU {
    fn default() -> Self {
        Self {
            channel_shared: false,
            filler: Filler::Constant(0.25),
        }
    }
}

static PRELU: LayerSpec = LayerSpec {
    name: "PReLU",
    title: Text::new("PReLU", "PReLU 参数化线性整流"),
    family: Family::Activation,
    role: Role::Layer,
    about: Text::new(
        "A leaky ReLU whose slope for negative values is learned.",
        "负半轴斜率可学习的 Leaky ReLU。",
    ),
    formula: "y = max(x, 0) + a · min(x, 0)",
    caffe: ("PReLU", "prelu_param"),
};

impl Layer for PReLU {
    fn spec(&self) -> &'static LayerSpec {
        &PRELU
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        visitor.field(Field::flag(
            "channel_shared",
            &mut self.channel_shared,
            Text::new(
                "One slope for all channels instead of one each.",
                "所有通道共用一个斜率，而非每通道一个。",
            ),
        ));
        let about = Text::new("How the slopes begin.", "斜率的初始化方法。");
        visitor.field(Field::filler("filler", &mut self.filler, about));
    }

    fn infer(&self, _: &InferContext<'_>, x: &[&Shape]) -> Result<Inferred, Problem> {
        let channels = channels_needed(x[0])?;
        let count = if self.channel_shared { 1 } else { channels };
        Ok(Inferred {
            params: vec![ParamSpec::learnable("weight", vec![count], self.filler)],
            ..Inferred::pointwise(x[0].clone())
        })
    }

    fn forward(&self, context: &Context<'_>, x: &[Value]) -> candle_core::Result<Passed> {
        let x = x[0].tensor();
        let y = nn::prelu(x, &context.params[0])?;
        Ok(Passed::new(y, vec![x.clone()]))
    }

    fn backward(
        &self,
        context: &Context<'_>,
        saved: &[Tensor],
        gradients: &[Option<Tensor>],
    ) -> candle_core::Result<Gradients> {
        let dy = only_gradient(gradients)?;
        let (dx, slope) = nn::prelu_backward(&saved[0], &context.params[0], dy)?;
        Ok(Gradients {
            inputs: vec![Some(dx)],
            params: vec![Some(slope)],
        })
    }
}

/// (N, k·C, …) → (N, C, …): the largest of k pieces (Goodfellow et al. 2013). Piece j of channel c
/// is channel j·C + c, so it is also Slice into k parts and Eltwise's maximum over them; with the
/// full connection or convolution before it, the pieces are linear. Caffe has no such layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Maxout {
    pub pieces: usize,
}

impl Default for Maxout {
    fn default() -> Self {
        Self { pieces: 2 }
    }
}

static MAXOUT: LayerSpec = LayerSpec {
    name: "Maxout",
    title: Text::new("Maxout", "Maxout 最大输出"),
    family: Family::Activation,
    role: Role::Layer,
    about: Text::new(
        "The largest of k channels: any convex function can be learned. The same as Slice, then Eltwise with max.",
        "取 k 个通道中的最大值，可学习任意凸函数；等同于 Slice 后接取最大值的 Eltwise。",
    ),
    formula: "y_c = max over j of x_(j·C + c)",
    caffe: ("", ""),
};

impl Maxout {
    fn split(&self, x: &Tensor) -> candle_core::Result<Vec<Tensor>> {
        let channels = x.dim(1)? / self.pieces;
        let piece = |j| x.narrow(1, j * channels, channels)?.contiguous();
        (0..self.pieces).map(piece).collect()
    }
}

impl Layer for Maxout {
    fn spec(&self) -> &'static LayerSpec {
        &MAXOUT
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        let about = Text::new(
            "k: channels of the input for each of the output.",
            "k：每个输出通道对应的输入通道数。",
        );
        visitor.field(Field::count("pieces", &mut self.pieces, 1..=1024, about).caffe(""));
    }

    fn infer(&self, _: &InferContext<'_>, x: &[&Shape]) -> Result<Inferred, Problem> {
        let (channels, pieces) = (channels_needed(x[0])?, self.pieces);
        if !channels.is_multiple_of(pieces) {
            return Err(Problem::Shape(tr_format!(
                "{channels} channels cannot be divided into {pieces} pieces",
                "{channels} 个通道不能平分为 {pieces} 份"
            )));
        }
        let y = x[0].clone().with(1, Some(channels / pieces));
        Ok(Inferred::pointwise(y))
    }

    fn forward(&self, _: &Context<'_>, x: &[Value]) -> candle_core::Result<Passed> {
        let x = x[0].tensor();
        let y = nn::eltwise_max(&self.split(x)?)?;
        Ok(Passed::new(y.clone(), vec![x.clone(), y]))
    }

    fn backward(
        &self,
        _: &Context<'_>,
        saved: &[Tensor],
        gradients: &[Option<Tensor>],
    ) -> candle_core::Result<Gradients> {
        let dy = only_gradient(gradients)?;
        let pieces = nn::eltwise_max_backward(&self.split(&saved[0])?, &saved[1], dy)?;
        Ok(Gradients::of_input(Tensor::cat(&pieces, 1)?))
    }
}
