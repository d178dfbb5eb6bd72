//! Embedding: the table that turns tokens into vectors.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::{BIAS_FILLER, BIAS_TERM, WEIGHT_FILLER};
use crate::graph::{
    Context, Family, Field, FieldVisitor, Filler, Gradients, InferContext, Inferred, Layer,
    LayerSpec, ParamSpec, Passed, Problem, Role, Shape, Size, Value, only_gradient,
};
use crate::i18n::{Text, tr_format};
use crate::nn;

/// Each token's own learned vector: (N, T) whole numbers → (N, T, num_output). Caffe's Embed;
/// PyTorch's `Embedding`, which has no bias.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Embed {
    pub num_output: Size,
    pub input_dim: Size,
    pub bias: bool,
    pub weight_filler: Filler,
    pub bias_filler: Filler,
}

impl Default for Embed {
    fn default() -> Self {
        Self {
            num_output: Size::Count(32),
            input_dim: Size::Classes,
            bias: false,
            weight_filler: Filler::Gaussian {
                mean: 0.0,
                std: 1.0,
            },
            bias_filler: Filler::Constant(0.0),
        }
    }
}

static EMBED: LayerSpec = LayerSpec {
    name: "Embed",
    title: Text::new("Embedding", "嵌入"),
    family: Family::Recurrent,
    role: Role::Layer,
    about: Text::new(
        "Gives every token (a character, a word) a learned vector of its own.",
        "为每个词元（字符或单词）学习一个专属向量。",
    ),
    formula: "y = W[x] + b",
    caffe: ("Embed", "embed_param"),
};

impl Layer for Embed {
    fn spec(&self) -> &'static LayerSpec {
        &EMBED
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        let about = Text::new("How many numbers each vector has.", "每个向量的维数。");
        visitor.field(Field::size(
            "num_output",
            &mut self.num_output,
            1 << 16,
            about,
        ));
        let about = Text::new(
            "How many different tokens there are; with text, the size of its vocabulary (classes).",
            "词元的种类数；对文本而言即词表大小（类别数）。",
        );
        visitor.field(Field::size(
            "input_dim",
            &mut self.input_dim,
            1 << 24,
            about,
        ));
        visitor.field(Field::flag("bias", &mut self.bias, BIAS_TERM).caffe("bias_term"));
        visitor.field(Field::filler(
            "weight_filler",
            &mut self.weight_filler,
            WEIGHT_FILLER,
        ));
        visitor.field(Field::filler(
            "bias_filler",
            &mut self.bias_filler,
            BIAS_FILLER,
        ));
    }

    fn infer(&self, context: &InferContext<'_>, inputs: &[&Shape]) -> Result<Inferred, Problem> {
        let (width, rows) = (
            self.num_output.resolve(context.classes),
            self.input_dim.resolve(context.classes),
        );
        let (Some(width), Some(rows)) = (width, rows) else {
            return Err(super::classes_unknown());
        };
        let x = inputs[0];
        if x.rank() == 0 || x.rank() > 2 {
            return Err(Problem::Shape(tr_format!(
                "an embedding needs tokens (N) or (N, T), whole numbers from 0, but gets {x}",
                "嵌入层需要词元 (N) 或 (N, T)，即从 0 开始的整数，而得到的是 {x}"
            )));
        }
        let mut params = vec![ParamSpec::learnable(
            "weight",
            vec![rows, width],
            self.weight_filler,
        )];
        if self.bias {
            params.push(ParamSpec::learnable("bias", vec![width], self.bias_filler));
        }
        let mut output = x.clone();
        output.0.push(Some(width));
        Ok(Inferred {
            params,
            ..Inferred::pointwise(output)
        })
    }

    fn forward(&self, context: &Context<'_>, inputs: &[Value]) -> candle_core::Result<Passed> {
        let x = inputs[0].tensor();
        let mut y = nn::embed(x, &context.params[0])?;
        if let Some(bias) = context.params.get(1) {
            y = y.broadcast_add(bias)?;
        }
        Ok(Passed::new(y, vec![x.clone()]))
    }

    /// Tokens have no gradient.
    fn backward(
        &self,
        context: &Context<'_>,
        saved: &[Tensor],
        gradients: &[Option<Tensor>],
    ) -> candle_core::Result<Gradients> {
        let dy = only_gradient(gradients)?;
        if !context.needs_params {
            return Ok(Gradients::default());
        }
        let (rows, width) = context.params[0].dims2()?;
        let mut params = vec![Some(nn::embed_backward(&saved[0], dy, rows)?)];
        if self.bias {
            params.push(Some(nn::bias_backward(&dy.reshape(((), width))?)?));
        }
        Ok(Gradients {
            inputs: Vec::new(),
            params,
        })
    }
}
