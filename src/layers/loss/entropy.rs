//! Losses of probabilities: sigmoid cross entropy, multinomial logistic and information gain.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::{
    AXIS, LOSS, Normalization, averaging, averaging_fields, by_axis, labels_fit,
    normalization_field, pair_fits, scalar,
};
use crate::graph::{
    Context, Family, Field, FieldVisitor, Gradients, InferContext, Inferred, InputPorts, Layer,
    LayerSpec, Passed, Port, Problem, Role, Shape, Value, only_gradient,
};
use crate::i18n::{Text, tr_format};
use crate::nn;

/// Cross entropy of the sigmoid of each score with a target in 0 … 1 of the same shape (N, …),
/// by default summed over an example and averaged over the batch. Caffe's
/// SigmoidCrossEntropyLoss; PyTorch's `BCEWithLogitsLoss` divides by the number of elements.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SigmoidCrossEntropyLoss {
    /// Targets with these values do not count.
    pub ignore_label: Vec<i64>,
    pub normalization: Normalization,
}

impl Default for SigmoidCrossEntropyLoss {
    fn default() -> Self {
        Self {
            ignore_label: Vec::new(),
            normalization: Normalization::BatchSize,
        }
    }
}

static SIGMOID_CROSS_ENTROPY: LayerSpec = LayerSpec {
    name: "SigmoidCrossEntropyLoss",
    title: Text::new("Sigmoid loss", "Sigmoid 交叉熵损失"),
    family: Family::Loss,
    role: Role::Loss,
    about: Text::new(
        "Each score is a yes or no of its own: for several labels at once, or for pixels of an image that is to be made again.",
        "每个得分各自回答是或否：用于多标签，或按像素重建图像。",
    ),
    formula: "L = −(1/N) Σ [t log σ(x) + (1 − t) log(1 − σ(x))],  ∂L/∂x = (σ(x) − t) / N",
    caffe: ("SigmoidCrossEntropyLoss", ""),
};

impl Layer for SigmoidCrossEntropyLoss {
    fn spec(&self) -> &'static LayerSpec {
        &SIGMOID_CROSS_ENTROPY
    }

    fn inputs(&self) -> InputPorts {
        InputPorts::fixed(const { &[Port::tensor("scores"), Port::tensor("target")] })
    }

    fn outputs(&self) -> &'static [Port] {
        LOSS
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        let about = Text::new(
            "Targets with this value do not count, such as -1; empty counts all.",
            "目标为此值的位置不计入，例如 -1；留空则全部计入。",
        );
        let field = Field::integers(
            "ignore_label",
            &mut self.ignore_label,
            i64::from(i32::MIN)..=i64::from(i32::MAX),
            1,
            about,
        );
        visitor.field(field.caffe("loss_param.ignore_label"));
        visitor.field(normalization_field(&mut self.normalization));
    }

    fn infer(&self, _: &InferContext<'_>, inputs: &[&Shape]) -> Result<Inferred, Problem> {
        pair_fits(inputs[0], inputs[1])?;
        Ok(scalar())
    }

    fn forward(&self, _: &Context<'_>, inputs: &[Value]) -> candle_core::Result<Passed> {
        let (x, t) = (inputs[0].tensor(), inputs[1].tensor());
        let divisor = self.normalization.divisor();
        let loss = nn::sigmoid_cross_entropy(x, t, &self.ignore_label, divisor)?;
        Ok(Passed::new(loss, vec![x.clone(), t.clone()]))
    }

    fn backward(
        &self,
        _: &Context<'_>,
        saved: &[Tensor],
        gradients: &[Option<Tensor>],
    ) -> candle_core::Result<Gradients> {
        let (divisor, d_loss) = (self.normalization.divisor(), only_gradient(gradients)?);
        let (x, t) = (&saved[0], &saved[1]);
        let (dx, dt) =
            nn::sigmoid_cross_entropy_backward(x, t, &self.ignore_label, divisor, d_loss)?;
        Ok(Gradients::of_inputs([Some(dx), Some(dt)]))
    }
}

/// Mean of −log of the probability (N, C, …) of the labels (N, …): the second half of
/// SoftmaxWithLoss. Caffe's MultinomialLogisticLoss; PyTorch's `NLLLoss` takes the logarithms.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MultinomialLogisticLoss {}

static MULTINOMIAL: LayerSpec = LayerSpec {
    name: "MultinomialLogisticLoss",
    title: Text::new("Logistic loss", "多项逻辑损失"),
    family: Family::Loss,
    role: Role::Loss,
    about: Text::new(
        "The mean of −log of the right class's probability, where a Softmax before it made the probabilities; the two in one are steadier.",
        "正确类别概率的 −log 的平均值，概率由前面的 Softmax 给出；两者合一的损失数值更稳定。",
    ),
    formula: "L = −(1/N) Σₙ log p_yₙ,  ∂L/∂p_yₙ = −1 / (N p_yₙ)",
    caffe: ("MultinomialLogisticLoss", ""),
};

impl Layer for MultinomialLogisticLoss {
    fn spec(&self) -> &'static LayerSpec {
        &MULTINOMIAL
    }

    fn inputs(&self) -> InputPorts {
        InputPorts::fixed(const { &[Port::tensor("p"), Port::labels("label")] })
    }

    fn outputs(&self) -> &'static [Port] {
        LOSS
    }

    fn infer(&self, context: &InferContext<'_>, inputs: &[&Shape]) -> Result<Inferred, Problem> {
        labels_fit(context, inputs[0], inputs[1], 1)?;
        Ok(scalar())
    }

    fn forward(&self, _: &Context<'_>, inputs: &[Value]) -> candle_core::Result<Passed> {
        let (p, labels) = (inputs[0].tensor(), inputs[1].tensor());
        let loss = nn::multinomial_logistic_loss(p, labels)?;
        Ok(Passed::new(loss, vec![p.clone(), labels.clone()]))
    }

    fn backward(
        &self,
        _: &Context<'_>,
        saved: &[Tensor],
        gradients: &[Option<Tensor>],
    ) -> candle_core::Result<Gradients> {
        let d_loss = only_gradient(gradients)?;
        let dp = nn::multinomial_logistic_loss_backward(&saved[0], &saved[1], d_loss)?;
        Ok(Gradients::of_inputs([Some(dp), None]))
    }
}

/// SoftmaxWithLoss with a matrix H (C, C) of what each answer is worth where a label is right:
/// the third input, else the field, else the identity, which makes it SoftmaxWithLoss. Caffe's
/// InfogainLoss, but without its floor of 1e−20 under the probabilities.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InfogainLoss {
    pub axis: usize,
    /// C·C numbers, row by row, a row for each label; empty is the identity.
    pub matrix: Vec<f64>,
    pub ignore_label: Option<usize>,
    pub normalization: Normalization,
}

impl Default for InfogainLoss {
    fn default() -> Self {
        Self {
            axis: 1,
            matrix: Vec::new(),
            ignore_label: None,
            normalization: Normalization::Valid,
        }
    }
}

static INFOGAIN: LayerSpec = LayerSpec {
    name: "InfogainLoss",
    title: Text::new("Information gain loss", "信息增益损失"),
    family: Family::Loss,
    role: Role::Loss,
    about: Text::new(
        "Softmax loss that weighs each pair of right class and answer with a matrix: for rare classes, or mistakes that cost differently.",
        "用矩阵为每一对正确类别与回答加权的 Softmax 损失：用于稀有类别或代价不同的错误。",
    ),
    formula: "L = −(1/N) Σₙ Σ_c H(yₙ, c) log p_c",
    caffe: ("InfogainLoss", "infogain_loss_param"),
};

impl InfogainLoss {
    fn averaging(&self) -> nn::Averaging {
        averaging(self.ignore_label, self.normalization)
    }

    /// H as (C, C): what is wired, or what the field says.
    fn matrix(&self, x: &Tensor, wired: Option<&Tensor>) -> candle_core::Result<Tensor> {
        let classes = x.dim(self.axis)?;
        match wired {
            Some(wired) => wired.contiguous()?.reshape((classes, classes)),
            None if self.matrix.is_empty() => Tensor::eye(classes, x.dtype(), x.device()),
            None => Tensor::new(self.matrix.as_slice(), x.device())?
                .reshape((classes, classes))?
                .to_dtype(x.dtype()),
        }
    }
}

impl Layer for InfogainLoss {
    fn spec(&self) -> &'static LayerSpec {
        &INFOGAIN
    }

    fn inputs(&self) -> InputPorts {
        InputPorts::with_optional(
            const {
                &[
                    Port::tensor("scores"),
                    Port::labels("label"),
                    Port::tensor("H"),
                ]
            },
            2,
        )
    }

    fn outputs(&self) -> &'static [Port] {
        LOSS
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        visitor.field(Field::count("axis", &mut self.axis, 1..=3, AXIS));
        let about = Text::new(
            "H: classes × classes numbers, a row for each right class; empty is 1 on the diagonal. A third input takes its place.",
            "H：类别数 × 类别数个数，每行对应一个正确类别；留空为对角线为 1。接了第三个输入时以其为准。",
        );
        visitor.field(Field::reals("matrix", &mut self.matrix, 1 << 16, about).caffe(""));
        averaging_fields(&mut self.ignore_label, &mut self.normalization, visitor);
    }

    fn infer(&self, context: &InferContext<'_>, inputs: &[&Shape]) -> Result<Inferred, Problem> {
        let scores = inputs[0];
        labels_fit(context, scores, inputs[1], self.axis)?;
        let given = match inputs.get(2) {
            Some(wired) => wired.count_from(0),
            None => Some(self.matrix.len()).filter(|count| *count > 0),
        };
        if let (Some(given), Some(classes)) = (given, scores.dim(self.axis))
            && given != classes.saturating_mul(classes)
        {
            return Err(Problem::Shape(tr_format!(
                "H has {given} numbers, but {classes} scores need {classes} × {classes}",
                "H 有 {given} 个数，而 {classes} 个得分需要 {classes} × {classes} 个"
            )));
        }
        Ok(scalar())
    }

    fn forward(&self, _: &Context<'_>, inputs: &[Value]) -> candle_core::Result<Passed> {
        let saved: Vec<Tensor> = inputs.iter().map(|value| value.tensor().clone()).collect();
        let h = self.matrix(&saved[0], saved.get(2))?;
        let (x, labels) = by_axis(&saved[0], &saved[1], self.axis)?;
        let loss = nn::infogain_loss(&x, &labels, &h, &self.averaging())?;
        Ok(Passed::new(loss, saved))
    }

    fn backward(
        &self,
        _: &Context<'_>,
        saved: &[Tensor],
        gradients: &[Option<Tensor>],
    ) -> candle_core::Result<Gradients> {
        let (averaging, d_loss) = (self.averaging(), only_gradient(gradients)?);
        let h = self.matrix(&saved[0], saved.get(2))?;
        let (x, labels) = by_axis(&saved[0], &saved[1], self.axis)?;
        let (dx, dh) = nn::infogain_loss_backward(&x, &labels, &h, &averaging, d_loss)?;
        let dh = match saved.get(2) {
            Some(wired) => Some(dh.reshape(wired.shape())?),
            None => None,
        };
        let dx = dx.reshape(saved[0].shape())?;
        Ok(Gradients::of_inputs([Some(dx), None, dh]))
    }
}
