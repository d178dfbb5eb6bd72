//! How well the regions of each class are covered.

use serde::{Deserialize, Serialize};

use super::{Scored, batch_value};
use crate::graph::{
    Context, Details, Family, Field, FieldVisitor, InferContext, Inferred, InputPorts, Layer,
    LayerSpec, Metric, Passed, Port, Problem, Role, Shape, Value,
};
use crate::i18n::Text;
use crate::layers::loss::{AXIS, ignore_label_field, labels_fit, scalar};

/// Intersection over union of each class between the largest score and the label, averaged over
/// the classes that occur in either: PASCAL VOC's measure of segmentation (Everingham et al.
/// 2010; FCN's “mean IU”). Over a split it comes from one confusion matrix of all its pixels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MeanIoU {
    pub axis: usize,
    pub ignore_label: Option<usize>,
}

impl Default for MeanIoU {
    fn default() -> Self {
        Self {
            axis: 1,
            ignore_label: None,
        }
    }
}

static SPEC: LayerSpec = LayerSpec {
    name: "MeanIoU",
    title: Text::new("Mean IoU", "平均交并比"),
    family: Family::Metric,
    role: Role::Metric,
    about: Text::new(
        "For each class, the pixels that are rightly named over all that are it or are named so; averaged over the classes.",
        "对每个类别，预测正确的像素数除以属于或被预测为该类的像素数；再对类别取平均。",
    ),
    formula: "(1/C) Σ_c TP_c / (TP_c + FP_c + FN_c)",
    caffe: ("", ""),
};

impl Layer for MeanIoU {
    fn spec(&self) -> &'static LayerSpec {
        &SPEC
    }

    fn inputs(&self) -> InputPorts {
        InputPorts::fixed(const { &[Port::tensor("scores"), Port::labels("label")] })
    }

    fn outputs(&self) -> &'static [Port] {
        const { &[Port::tensor("mean IoU")] }
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        visitor.field(Field::count("axis", &mut self.axis, 1..=3, AXIS).caffe(""));
        visitor.field(ignore_label_field(&mut self.ignore_label).caffe(""));
    }

    fn infer(&self, context: &InferContext<'_>, inputs: &[&Shape]) -> Result<Inferred, Problem> {
        labels_fit(context, inputs[0], inputs[1], self.axis)?;
        Ok(scalar())
    }

    fn forward(&self, _: &Context<'_>, inputs: &[Value]) -> candle_core::Result<Passed> {
        let mut confusion = Confusion::of(self);
        confusion.add(inputs)?;
        batch_value(confusion.result(), inputs[0].tensor())
    }

    fn metric(&self) -> Option<Box<dyn Metric>> {
        Some(Box::new(Confusion::of(self)))
    }
}

/// How often each label was answered with each class.
struct Confusion {
    of: MeanIoU,
    classes: usize,
    /// Label times `classes` plus answer.
    counts: Vec<u64>,
}

impl Confusion {
    fn of(of: &MeanIoU) -> Self {
        Self {
            of: of.clone(),
            classes: 0,
            counts: Vec::new(),
        }
    }
}

impl Confusion {
    /// The overlap of each class, NaN where it was neither a label nor an answer.
    fn by_class(&self) -> impl Iterator<Item = f64> + '_ {
        let classes = self.classes;
        let count = move |label: usize, answer: usize| self.counts[label * classes + answer];
        (0..classes).map(move |class| {
            let labelled: u64 = (0..classes).map(|answer| count(class, answer)).sum();
            let answered: u64 = (0..classes).map(|label| count(label, class)).sum();
            let both = count(class, class);
            both as f64 / (labelled + answered - both) as f64
        })
    }
}

impl Metric for Confusion {
    fn add(&mut self, inputs: &[Value]) -> candle_core::Result<()> {
        let [scores, labels] = inputs else {
            candle_core::bail!("the overlap needs scores and labels");
        };
        let scored = Scored::of(scores.tensor(), labels.tensor(), self.of.axis)?;
        if self.classes == 0 {
            self.classes = scored.classes;
            self.counts = vec![0; scored.classes * scored.classes];
        }
        if self.classes != scored.classes {
            let (before, now) = (self.classes, scored.classes);
            candle_core::bail!("one batch has {before} scores and another {now}");
        }
        for (position, label) in scored.labels(self.of.ignore_label) {
            scored.check(label)?;
            let mut answer = 0;
            for class in 1..scored.classes {
                if scored.score(position, class) > scored.score(position, answer) {
                    answer = class;
                }
            }
            self.counts[label * self.classes + answer] += 1;
        }
        Ok(())
    }

    fn result(&self) -> f64 {
        let occurring = self.by_class().filter(|overlap| !overlap.is_nan());
        let (sum, count) = occurring.fold((0.0, 0u64), |(sum, count), overlap| {
            (sum + overlap, count + 1)
        });
        sum / count as f64
    }

    fn details(&self) -> Details {
        Details {
            by_class: self.by_class().collect(),
            ..Details::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Tensor};

    fn batch(answers: &[u32], labels: &[u32]) -> [Value; 2] {
        let score = |&answer: &u32| [0, 1, 2].map(|class| f32::from(u8::from(class == answer)));
        let scores: Vec<f32> = answers.iter().flat_map(score).collect();
        let scores = Tensor::from_vec(scores, (answers.len(), 3), &Device::Cpu).unwrap();
        let labels = Tensor::from_slice(labels, labels.len(), &Device::Cpu).unwrap();
        [Value::Tensor(scores), Value::Labels(labels)]
    }

    /// Class 0: 2 of 3; class 1: 1 of 3; class 2 never occurs; 255 does not count.
    #[test]
    fn the_overlap_of_a_split_is_not_the_mean_of_its_batches() {
        let layer = MeanIoU {
            ignore_label: Some(255),
            ..MeanIoU::default()
        };
        let mut metric = layer.metric().unwrap();
        assert!(metric.result().is_nan());
        metric.add(&batch(&[0, 0, 1], &[0, 0, 1])).unwrap();
        assert_eq!(metric.result(), 1.0);
        metric.add(&batch(&[0, 1, 2], &[1, 0, 255])).unwrap();
        assert!((metric.result() - (2.0 / 4.0 + 1.0 / 3.0) / 2.0).abs() < 1e-12);
        let by_class = metric.details().by_class;
        assert_eq!(by_class[..2], [2.0 / 4.0, 1.0 / 3.0]);
        assert!(by_class[2].is_nan());
        metric.add(&batch(&[0], &[7])).unwrap_err();
    }
}
