//! Metrics: numbers for people, without gradients.

use candle_core::{DType, Tensor};
use serde::{Deserialize, Serialize};

use super::loss::{AXIS, by_axis, labels_fit, scalar};
use crate::graph::{
    Context, Family, Field, FieldVisitor, InferContext, Inferred, InputPorts, Layer, LayerSpec,
    Metric, Passed, Port, Problem, Role, Shape, Value,
};
use crate::i18n::Text;

/// The share of labels whose score is among the `top_k` largest. Caffe's Accuracy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Accuracy {
    pub top_k: usize,
    pub axis: usize,
}

impl Default for Accuracy {
    fn default() -> Self {
        Self { top_k: 1, axis: 1 }
    }
}

static SPEC: LayerSpec = LayerSpec {
    name: "Accuracy",
    title: Text::new("Accuracy", "准确率"),
    family: Family::Metric,
    role: Role::Metric,
    about: Text::new(
        "The share of examples whose right class is among the k highest scores.",
        "正确类别位列得分前 k 名的样本所占比例。",
    ),
    formula: "(1/N) Σₙ [yₙ is among the k largest of xₙ]",
    caffe: ("Accuracy", "accuracy_param"),
};

/// How many labels are among the `top_k` largest scores, and how many labels there are. A score
/// counts as larger only if it truly is, or is equal and comes first, as in Caffe's sort.
fn count_hits(
    scores: &Tensor,
    labels: &Tensor,
    top_k: usize,
    axis: usize,
) -> candle_core::Result<(u64, u64)> {
    let (scores, labels) = by_axis(scores, labels, axis)?;
    let (batch, classes) = (scores.dim(0)?, scores.dim(1)?);
    let places = scores
        .elem_count()
        .checked_div(batch * classes)
        .unwrap_or(0);
    let scores = scores
        .to_dtype(DType::F64)?
        .flatten_all()?
        .to_vec1::<f64>()?;
    let labels = labels.flatten_all()?.to_vec1::<u32>()?;
    let mut hits = 0;
    for (index, label) in labels.iter().enumerate() {
        let (example, place) = (index / places.max(1), index % places.max(1));
        let score = |class: usize| scores[(example * classes + class) * places + place];
        let label = *label as usize;
        if label >= classes {
            candle_core::bail!("the label {label} is not below the number of scores, {classes}");
        }
        let own = score(label);
        let better = (0..classes)
            .filter(|&class| score(class) > own || (score(class) == own && class < label))
            .count();
        // NaN compares with nothing: it must not pass as the best.
        hits += u64::from(better < top_k && !own.is_nan());
    }
    Ok((hits, labels.len() as u64))
}

impl Layer for Accuracy {
    fn spec(&self) -> &'static LayerSpec {
        &SPEC
    }

    fn inputs(&self) -> InputPorts {
        InputPorts::fixed(const { &[Port::tensor("scores"), Port::labels("label")] })
    }

    fn outputs(&self) -> &'static [Port] {
        const { &[Port::tensor("accuracy")] }
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        let about = Text::new(
            "k: how many of the highest scores count as an answer.",
            "k：取得分最高的前几个作为答案。",
        );
        visitor.field(Field::count("top_k", &mut self.top_k, 1..=1 << 16, about));
        visitor.field(Field::count("axis", &mut self.axis, 1..=3, AXIS));
    }

    fn infer(&self, context: &InferContext<'_>, inputs: &[&Shape]) -> Result<Inferred, Problem> {
        labels_fit(context, inputs[0], inputs[1], self.axis)?;
        Ok(scalar())
    }

    fn forward(&self, _: &Context<'_>, inputs: &[Value]) -> candle_core::Result<Passed> {
        let scores = inputs[0].tensor();
        let (hits, count) = count_hits(scores, inputs[1].tensor(), self.top_k, self.axis)?;
        let share = hits as f64 / count as f64;
        let share = Tensor::new(share, scores.device())?.to_dtype(scores.dtype())?;
        Ok(Passed::new(share, Vec::new()))
    }

    fn metric(&self) -> Option<Box<dyn Metric>> {
        Some(Box::new(Hits {
            of: self.clone(),
            hits: 0,
            count: 0,
        }))
    }
}

struct Hits {
    of: Accuracy,
    hits: u64,
    count: u64,
}

impl Metric for Hits {
    fn add(&mut self, inputs: &[Value]) -> candle_core::Result<()> {
        let [scores, labels] = inputs else {
            candle_core::bail!("accuracy needs scores and labels");
        };
        let (hits, count) = count_hits(
            scores.tensor(),
            labels.tensor(),
            self.of.top_k,
            self.of.axis,
        )?;
        self.hits += hits;
        self.count += count;
        Ok(())
    }

    fn result(&self) -> f64 {
        self.hits as f64 / self.count as f64
    }
}
