//! Softmax, and its cross entropy with labels.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::{AXIS, LOSS, Normalization, averaging, averaging_fields, by_axis, labels_fit, scalar};
use crate::graph::{
    Context, Family, Field, FieldVisitor, Gradients, InferContext, Inferred, InputPorts, Layer,
    LayerSpec, Passed, Port, Problem, Role, Shape, Value, only_gradient,
};
use crate::i18n::{Text, tr_format};
use crate::layers::{around, axis_of};
use crate::nn;

/// Scores (N, C, …) → probabilities that sum to 1 over C, or over another axis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Softmax {
    pub axis: i64,
}

impl Default for Softmax {
    fn default() -> Self {
        Self { axis: 1 }
    }
}

static SOFTMAX: LayerSpec = LayerSpec {
    name: "Softmax",
    title: Text::new("Softmax", "Softmax 归一化"),
    family: Family::Activation,
    role: Role::Layer,
    about: Text::new(
        "Turns the scores of the classes into probabilities that sum to 1.",
        "把各类别的得分变成总和为 1 的概率。",
    ),
    formula: "p_c = e^(x_c) / Σₖ e^(xₖ)",
    caffe: ("Softmax", "softmax_param"),
};

impl Layer for Softmax {
    fn spec(&self) -> &'static LayerSpec {
        &SOFTMAX
    }

    fn outputs(&self) -> &'static [Port] {
        const { &[Port::tensor("p")] }
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        let about = Text::new(
            "The axis that sums to 1: 1 is the classes or channels, −1 the last.",
            "沿哪一维求和为 1：1 为类别或通道，−1 为最后一维。",
        );
        visitor.field(Field::integer("axis", &mut self.axis, -8..=8, about));
    }

    fn infer(&self, _: &InferContext<'_>, inputs: &[&Shape]) -> Result<Inferred, Problem> {
        let (x, axis) = (inputs[0], self.axis);
        let fits = |&axis: &usize| x.rank() >= 2 && x.dim(axis) != Some(0);
        if axis_of(axis, x.rank()).filter(fits).is_none() {
            return Err(Problem::Shape(tr_format!(
                "the scores must be (N, classes) or (N, classes, H, W), with an axis {axis}, but are {x}",
                "得分应为 (N, 类别数) 或 (N, 类别数, H, W)，且含第 {axis} 维，而得到的是 {x}"
            )));
        }
        Ok(Inferred::pointwise(x.clone()))
    }

    fn forward(&self, _: &Context<'_>, inputs: &[Value]) -> candle_core::Result<Passed> {
        let x = inputs[0].tensor();
        let p = nn::softmax(&around(x, self.axis)?)?.reshape(x.shape())?;
        Ok(Passed::new(p.clone(), vec![p]))
    }

    fn backward(
        &self,
        _: &Context<'_>,
        saved: &[Tensor],
        gradients: &[Option<Tensor>],
    ) -> candle_core::Result<Gradients> {
        let (p, dy) = (&saved[0], only_gradient(gradients)?);
        let dx = nn::softmax_backward(&around(p, self.axis)?, &around(dy, self.axis)?)?;
        Ok(Gradients::of_input(dx.reshape(p.shape())?))
    }
}

/// Cross-entropy of the softmax of scores (N, C, …) with labels (N, …), by default averaged over
/// all of them. Caffe's SoftmaxWithLoss; PyTorch's `CrossEntropyLoss`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SoftmaxWithLoss {
    pub axis: usize,
    pub ignore_label: Option<usize>,
    pub normalization: Normalization,
}

impl Default for SoftmaxWithLoss {
    fn default() -> Self {
        Self {
            axis: 1,
            ignore_label: None,
            normalization: Normalization::Valid,
        }
    }
}

static SOFTMAX_WITH_LOSS: LayerSpec = LayerSpec {
    name: "SoftmaxWithLoss",
    title: Text::new("Softmax loss", "Softmax 损失"),
    family: Family::Loss,
    role: Role::Loss,
    about: Text::new(
        "How surprised the network is by the right class: the mean of −log of its probability.",
        "网络对正确类别的“意外程度”：其概率的 −log 的平均值。",
    ),
    formula: "L = −(1/N) Σₙ log p_yₙ,  ∂L/∂x = (p − 1_y) / N",
    caffe: ("SoftmaxWithLoss", "softmax_param"),
};

impl SoftmaxWithLoss {
    fn averaging(&self) -> nn::Averaging {
        averaging(self.ignore_label, self.normalization)
    }
}

impl Layer for SoftmaxWithLoss {
    fn spec(&self) -> &'static LayerSpec {
        &SOFTMAX_WITH_LOSS
    }

    fn inputs(&self) -> InputPorts {
        InputPorts::fixed(const { &[Port::tensor("scores"), Port::labels("label")] })
    }

    fn outputs(&self) -> &'static [Port] {
        LOSS
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        visitor.field(Field::count("axis", &mut self.axis, 1..=3, AXIS));
        averaging_fields(&mut self.ignore_label, &mut self.normalization, visitor);
    }

    fn infer(&self, context: &InferContext<'_>, inputs: &[&Shape]) -> Result<Inferred, Problem> {
        labels_fit(context, inputs[0], inputs[1], self.axis)?;
        Ok(scalar())
    }

    fn forward(&self, _: &Context<'_>, inputs: &[Value]) -> candle_core::Result<Passed> {
        let scores = inputs[0].tensor();
        let (rows, labels) = by_axis(scores, inputs[1].tensor(), self.axis)?;
        let (loss, probabilities) = nn::softmax_cross_entropy(&rows, &labels, &self.averaging())?;
        Ok(Passed::new(
            loss,
            vec![probabilities, labels, scores.clone()],
        ))
    }

    fn backward(
        &self,
        _: &Context<'_>,
        saved: &[Tensor],
        gradients: &[Option<Tensor>],
    ) -> candle_core::Result<Gradients> {
        let d_loss = only_gradient(gradients)?;
        let averaging = self.averaging();
        let dx = nn::softmax_cross_entropy_backward(&saved[0], &saved[1], &averaging, d_loss)?;
        let dx = dx.reshape(saved[2].shape())?;
        Ok(Gradients::of_inputs([Some(dx), None]))
    }
}
