//! Probabilities and losses.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use crate::graph::{
    Context, Family, Field, FieldVisitor, Gradients, InferContext, Inferred, InputPorts, Layer,
    LayerSpec, Passed, Port, Problem, Role, Shape, Value, Window, only_gradient,
};
use crate::i18n::{Text, tr_format};
use crate::nn;

/// Scores (N, C, …) → probabilities that sum to 1 over C.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Softmax {}

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

    fn infer(&self, _: &InferContext<'_>, inputs: &[&Shape]) -> Result<Inferred, Problem> {
        scores_rank(inputs[0])?;
        Ok(Inferred::pointwise(inputs[0].clone()))
    }

    fn forward(&self, _: &Context<'_>, inputs: &[Value]) -> candle_core::Result<Passed> {
        let p = nn::softmax(inputs[0].tensor())?;
        Ok(Passed::new(p.clone(), vec![p]))
    }

    fn backward(
        &self,
        _: &Context<'_>,
        saved: &[Tensor],
        gradients: &[Option<Tensor>],
    ) -> candle_core::Result<Gradients> {
        let dy = only_gradient(gradients)?;
        Ok(Gradients::of_input(nn::softmax_backward(&saved[0], dy)?))
    }
}

/// Cross-entropy of the softmax of scores (N, C, …) with labels (N, …), averaged over all of
/// them. Caffe's SoftmaxWithLoss; PyTorch's `CrossEntropyLoss`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SoftmaxWithLoss {
    pub axis: usize,
}

impl Default for SoftmaxWithLoss {
    fn default() -> Self {
        Self { axis: 1 }
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

impl Layer for SoftmaxWithLoss {
    fn spec(&self) -> &'static LayerSpec {
        &SOFTMAX_WITH_LOSS
    }

    fn inputs(&self) -> InputPorts {
        InputPorts::fixed(const { &[Port::tensor("scores"), Port::labels("label")] })
    }

    fn outputs(&self) -> &'static [Port] {
        const { &[Port::tensor("loss")] }
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        visitor.field(Field::count("axis", &mut self.axis, 1..=3, AXIS));
    }

    fn infer(&self, context: &InferContext<'_>, inputs: &[&Shape]) -> Result<Inferred, Problem> {
        labels_fit(context, inputs[0], inputs[1], self.axis)?;
        Ok(scalar())
    }

    fn forward(&self, _: &Context<'_>, inputs: &[Value]) -> candle_core::Result<Passed> {
        let scores = inputs[0].tensor();
        let (rows, labels) = by_axis(scores, inputs[1].tensor(), self.axis)?;
        let (loss, probabilities) = nn::softmax_cross_entropy(&rows, &labels)?;
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
        let dx = nn::softmax_cross_entropy_backward(&saved[0], &saved[1], d_loss)?;
        let dx = dx.reshape(saved[2].shape())?;
        Ok(Gradients {
            inputs: vec![Some(dx), None],
            params: Vec::new(),
        })
    }
}

/// Half the sum of squared differences, over the number of examples. Caffe's EuclideanLoss;
/// PyTorch's `MSELoss` divides by the number of elements and does not halve.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EuclideanLoss {}

static EUCLIDEAN: LayerSpec = LayerSpec {
    name: "EuclideanLoss",
    title: Text::new("Euclidean loss", "欧氏损失"),
    family: Family::Loss,
    role: Role::Loss,
    about: Text::new(
        "Half the squared distance between prediction and target, averaged over the examples: for regression.",
        "预测与目标之间距离平方的一半，对样本取平均：用于回归。",
    ),
    formula: "L = 1/(2N) Σₙ ‖aₙ − bₙ‖²,  ∂L/∂a = (a − b) / N",
    caffe: ("EuclideanLoss", ""),
};

impl Layer for EuclideanLoss {
    fn spec(&self) -> &'static LayerSpec {
        &EUCLIDEAN
    }

    fn inputs(&self) -> InputPorts {
        InputPorts::fixed(const { &[Port::tensor("prediction"), Port::tensor("target")] })
    }

    fn outputs(&self) -> &'static [Port] {
        const { &[Port::tensor("loss")] }
    }

    fn infer(&self, _: &InferContext<'_>, inputs: &[&Shape]) -> Result<Inferred, Problem> {
        let (a, b) = (inputs[0], inputs[1]);
        if a.rank() == 0 || !a.agrees(b) {
            return Err(Problem::Shape(tr_format!(
                "the prediction is {a} and the target {b}; they need the same shape, with a batch axis",
                "预测为 {a}，目标为 {b}；两者形状必须相同，且含批次维"
            )));
        }
        Ok(scalar())
    }

    fn forward(&self, _: &Context<'_>, inputs: &[Value]) -> candle_core::Result<Passed> {
        let (a, b) = (inputs[0].tensor(), inputs[1].tensor());
        Ok(Passed::new(
            nn::euclidean_loss(a, b)?,
            vec![a.clone(), b.clone()],
        ))
    }

    fn backward(
        &self,
        _: &Context<'_>,
        saved: &[Tensor],
        gradients: &[Option<Tensor>],
    ) -> candle_core::Result<Gradients> {
        let d_loss = only_gradient(gradients)?;
        let (da, db) = nn::euclidean_loss_backward(&saved[0], &saved[1], d_loss)?;
        Ok(Gradients {
            inputs: vec![Some(da), Some(db)],
            params: Vec::new(),
        })
    }
}

/// One number without a place in the image.
pub(super) fn scalar() -> Inferred {
    Inferred {
        window: Window::Nowhere,
        ..Inferred::pointwise(Shape::default())
    }
}

fn scores_rank(scores: &Shape) -> Result<(), Problem> {
    if scores.rank() >= 2 && scores.dim(1) != Some(0) {
        return Ok(());
    }
    Err(Problem::Shape(tr_format!(
        "the scores must be (N, classes) or (N, classes, H, W), but are {scores}",
        "得分应为 (N, 类别数) 或 (N, 类别数, H, W)，而得到的是 {scores}"
    )))
}

pub(super) const AXIS: Text = Text::new(
    "The axis of the classes: 1 for (N, classes) and images, 2 for sequences (N, T, classes).",
    "类别所在的维：1 对应 (N, 类别数) 和图像，2 对应序列 (N, T, 类别数)。",
);

/// Scores with the classes at `axis` and their labels, as (N, C, …) and (N, …).
pub(super) fn by_axis(
    scores: &Tensor,
    labels: &Tensor,
    axis: usize,
) -> candle_core::Result<(Tensor, Tensor)> {
    if axis == 1 {
        return Ok((scores.clone(), labels.clone()));
    }
    let classes = scores.dim(axis)?;
    let outer: usize = scores.dims()[..axis].iter().product();
    let inner: usize = scores.dims()[axis + 1..].iter().product();
    let scores = scores.contiguous()?.reshape((outer, classes, inner))?;
    Ok((scores, labels.contiguous()?.reshape((outer, inner))?))
}

/// Labels (N, …) for scores (N, C, …), with at least as many scores as the data has classes,
/// which stand at `axis`.
pub(super) fn labels_fit(
    context: &InferContext<'_>,
    scores: &Shape,
    labels: &Shape,
    axis: usize,
) -> Result<(), Problem> {
    scores_rank(scores)?;
    if axis >= scores.rank() {
        return Err(Problem::Shape(tr_format!(
            "the scores {scores} have no axis {axis}",
            "得分 {scores} 没有第 {axis} 维"
        )));
    }
    let mut expected = scores.clone();
    expected.0.remove(axis);
    if !expected.agrees(labels) {
        return Err(Problem::Shape(tr_format!(
            "scores {scores} need labels {expected}, but get {labels}; flatten the maps first, or use labels for every pixel",
            "得分 {scores} 需要标签 {expected}，而得到的是 {labels}；请先展平，或使用逐像素标签"
        )));
    }
    if let (Some(given), Some(classes)) = (scores.dim(axis), context.classes)
        && given < classes
    {
        return Err(Problem::Shape(tr_format!(
            "there are {given} scores, but the data has {classes} classes; set num_output of the layer before to {classes}",
            "得分只有 {given} 个，而数据有 {classes} 个类别；请把前一层的 num_output 设为 {classes}"
        )));
    }
    Ok(())
}
