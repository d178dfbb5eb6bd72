//! The share of right answers.

use serde::{Deserialize, Serialize};

use super::{Scored, batch_value};
use crate::graph::{
    Context, Family, Field, FieldVisitor, InferContext, Inferred, InputPorts, Layer, LayerSpec,
    Metric, Passed, Port, Problem, Role, Shape, Value,
};
use crate::i18n::Text;
use crate::layers::loss::{AXIS, ignore_label_field, labels_fit, scalar};

/// The share of labels whose score is among the `top_k` largest. Caffe's Accuracy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Accuracy {
    pub top_k: usize,
    pub axis: usize,
    pub ignore_label: Option<usize>,
}

impl Default for Accuracy {
    fn default() -> Self {
        Self {
            top_k: 1,
            axis: 1,
            ignore_label: None,
        }
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

impl Accuracy {
    /// How many labels are among the `top_k` largest scores, and how many labels count. A score
    /// counts as larger only if it truly is, or is equal and comes first, as in Caffe's sort.
    fn count_hits(&self, inputs: &[Value]) -> candle_core::Result<(u64, u64)> {
        let [scores, labels] = inputs else {
            candle_core::bail!("accuracy needs scores and labels");
        };
        let scored = Scored::of(scores.tensor(), labels.tensor(), self.axis)?;
        let (mut hits, mut count) = (0, 0);
        for (position, label) in scored.labels(self.ignore_label) {
            scored.check(label)?;
            let score = |class: usize| scored.score(position, class);
            let own = score(label);
            let better = (0..scored.classes)
                .filter(|&class| score(class) > own || (score(class) == own && class < label))
                .count();
            // NaN compares with nothing: it must not pass as the best.
            hits += u64::from(better < self.top_k && !own.is_nan());
            count += 1;
        }
        Ok((hits, count))
    }
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
        visitor.field(ignore_label_field(&mut self.ignore_label));
    }

    fn infer(&self, context: &InferContext<'_>, inputs: &[&Shape]) -> Result<Inferred, Problem> {
        labels_fit(context, inputs[0], inputs[1], self.axis)?;
        Ok(scalar())
    }

    fn forward(&self, _: &Context<'_>, inputs: &[Value]) -> candle_core::Result<Passed> {
        let (hits, count) = self.count_hits(inputs)?;
        batch_value(hits as f64 / count as f64, inputs[0].tensor())
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
        let (hits, count) = self.of.count_hits(inputs)?;
        self.hits += hits;
        self.count += count;
        Ok(())
    }

    fn result(&self) -> f64 {
        self.hits as f64 / self.count as f64
    }
}
