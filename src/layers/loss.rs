//! Losses: of probabilities ([`softmax`], [`entropy`]), of margins ([`margin`]) and of distances
//! ([`regression`]); and what they and the metrics share about labels.

mod entropy;
mod margin;
mod regression;
mod softmax;

pub use entropy::{InfogainLoss, MultinomialLogisticLoss, SigmoidCrossEntropyLoss};
pub use margin::{ContrastiveLoss, HingeLoss, HingeNorm};
pub use regression::{EuclideanLoss, SmoothL1Loss};
pub use softmax::{Softmax, SoftmaxWithLoss};

use candle_core::Tensor;

use crate::choice;
use crate::graph::{Field, FieldVisitor, InferContext, Inferred, Port, Problem, Shape, Window};
use crate::i18n::{Text, tr_format};
use crate::nn;

choice! {
    /// What the sum of the losses of all places is divided by: Caffe's `NormalizationMode`.
    Normalization {
        Valid = "valid" "the labels that count" "有效标签数",
        Full = "full" "all labels" "全部标签数",
        BatchSize = "batch_size" "the examples" "样本数",
        None = "none" "nothing" "不除",
    }
}

impl Normalization {
    fn divisor(self) -> nn::Divisor {
        match self {
            Self::Valid => nn::Divisor::Valid,
            Self::Full => nn::Divisor::Full,
            Self::BatchSize => nn::Divisor::Batch,
            Self::None => nn::Divisor::One,
        }
    }
}

/// The one output of every loss.
const LOSS: &[Port] = &[Port::tensor("loss")];

/// The largest label that a field may name.
const LARGEST_LABEL: usize = u32::MAX as usize;

pub(super) fn ignore_label_field<'a>(value: &'a mut Option<usize>) -> Field<'a> {
    let about = Text::new(
        "Places with this label do not count, such as 255 for the unlabelled pixels of PASCAL VOC.",
        "带有此标签的位置不计入，例如 PASCAL VOC 中未标注像素的 255。",
    );
    Field::optional_count("ignore_label", value, 0..=LARGEST_LABEL, about)
}

fn normalization_field<'a>(value: &'a mut Normalization) -> Field<'a> {
    let about = Text::new(
        "What the sum of all losses is divided by.",
        "损失总和除以什么。",
    );
    Field::choice("normalization", value, about).caffe("loss_param.normalization")
}

/// Both fields of a loss over labels.
fn averaging_fields(
    ignore_label: &mut Option<usize>,
    normalization: &mut Normalization,
    visitor: &mut dyn FieldVisitor,
) {
    visitor.field(ignore_label_field(ignore_label).caffe("loss_param.ignore_label"));
    visitor.field(normalization_field(normalization));
}

fn averaging(ignore_label: Option<usize>, normalization: Normalization) -> nn::Averaging {
    nn::Averaging {
        divisor: normalization.divisor(),
        ignore: ignore_label.and_then(|label| u32::try_from(label).ok()),
    }
}

/// One number without a place in the image.
pub(super) fn scalar() -> Inferred {
    Inferred {
        window: Window::Nowhere,
        ..Inferred::pointwise(Shape::default())
    }
}

/// Prediction and target of one shape with a batch axis.
pub(super) fn pair_fits(a: &Shape, b: &Shape) -> Result<(), Problem> {
    if a.rank() == 0 || !a.agrees(b) {
        return Err(Problem::Shape(tr_format!(
            "the prediction is {a} and the target {b}; they need the same shape, with a batch axis",
            "预测为 {a}，目标为 {b}；两者形状必须相同，且含批次维"
        )));
    }
    Ok(())
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

/// Two descriptions (N, …) of one shape, and a mark for each pair.
pub(super) fn pairs_fit(a: &Shape, b: &Shape, similar: &Shape) -> Result<(), Problem> {
    let marks = Shape(a.0.iter().take(1).copied().collect());
    if a.rank() < 2 || !a.agrees(b) || !marks.agrees(similar) {
        return Err(Problem::Shape(tr_format!(
            "two inputs (N, …) of one shape and one label for each pair are needed, but they are {a}, {b} and {similar}",
            "需要两个形状相同的输入 (N, …) 和每对一个标签，而得到的是 {a}、{b} 和 {similar}"
        )));
    }
    Ok(())
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
