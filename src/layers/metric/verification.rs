//! Whether two examples are of one class, by the distance of their descriptions.

use candle_core::{DType, Tensor};
use serde::{Deserialize, Serialize};

use super::batch_value;
use crate::graph::{
    Context, Details, Family, InferContext, Inferred, InputPorts, Layer, LayerSpec, Metric, Passed,
    Port, Problem, Role, Shape, Value,
};
use crate::i18n::Text;
use crate::layers::loss::scalar;

/// The parts of the split, each judged by a threshold from all others.
const FOLDS: usize = 10;

/// Accuracy of verification as “Labeled Faces in the Wild” defines it (Huang et al. 2007): the
/// pairs stand in ten parts, one after the other; for each the threshold on the distance is the
/// one that suits the other nine best, and the result is the mean of the ten accuracies.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Verification {}

static SPEC: LayerSpec = LayerSpec {
    name: "Verification",
    title: Text::new("Verification", "验证准确率"),
    family: Family::Metric,
    role: Role::Metric,
    about: Text::new(
        "Whether two descriptions are of one class, by their distance: the accuracy over ten parts of the pairs, each with the threshold that suits the other nine best, as LFW defines it.",
        "根据两个描述向量的距离判断是否同类：将所有样本对分为十份，每份使用其余九份上最优的阈值，取十次准确率的平均（LFW 的定义）。",
    ),
    formula: "(1/10) Σ_f accuracy_f(t_f),  same where ‖a − b‖ ≤ t_f",
    caffe: ("", ""),
};

impl Layer for Verification {
    fn spec(&self) -> &'static LayerSpec {
        &SPEC
    }

    fn inputs(&self) -> InputPorts {
        InputPorts::fixed(
            const {
                &[
                    Port::tensor("a"),
                    Port::tensor("b"),
                    Port::labels("similar"),
                ]
            },
        )
    }

    fn outputs(&self) -> &'static [Port] {
        const { &[Port::tensor("accuracy")] }
    }

    fn infer(&self, _: &InferContext<'_>, inputs: &[&Shape]) -> Result<Inferred, Problem> {
        crate::layers::loss::pairs_fit(inputs[0], inputs[1], inputs[2])?;
        Ok(scalar())
    }

    fn forward(&self, _: &Context<'_>, inputs: &[Value]) -> candle_core::Result<Passed> {
        let mut pairs = Pairs::default();
        pairs.add(inputs)?;
        let all: Vec<&Pair> = pairs.0.iter().collect();
        let value = Threshold::best(&all).accuracy(&all);
        batch_value(value, inputs[0].tensor())
    }

    fn metric(&self) -> Option<Box<dyn Metric>> {
        Some(Box::new(Pairs::default()))
    }
}

/// A distance, and whether it is one within a class.
type Pair = (f32, bool);

/// Every pair so far, in order.
#[derive(Default)]
struct Pairs(Vec<Pair>);

impl Metric for Pairs {
    fn add(&mut self, inputs: &[Value]) -> candle_core::Result<()> {
        let [a, b, similar] = inputs else {
            candle_core::bail!("verification needs two descriptions and whether they are alike");
        };
        let off = (a.tensor() - b.tensor())?.to_dtype(DType::F64)?;
        let distances = off.flatten_from(1)?.sqr()?.sum(1)?.sqrt()?;
        let distances: Vec<f64> = distances.to_vec1()?;
        let similar: Vec<u32> = Tensor::to_vec1(&similar.tensor().flatten_all()?)?;
        let pairs = distances.into_iter().zip(similar);
        self.0
            .extend(pairs.map(|(distance, similar)| (distance as f32, similar != 0)));
        Ok(())
    }

    fn result(&self) -> f64 {
        mean(&self.folds())
    }

    fn details(&self) -> Details {
        let folds = self.folds();
        let variance = folds
            .iter()
            .map(|fold| (fold - mean(&folds)).powi(2))
            .sum::<f64>()
            / (FOLDS - 1) as f64;
        let all: Vec<&Pair> = self.0.iter().collect();
        let (error, area) = curve(&self.0);
        let numbers = [
            (
                "standard_error",
                Text::new("standard error", "标准误差"),
                (variance / FOLDS as f64).sqrt(),
            ),
            (
                "threshold",
                Text::new("best threshold", "最优阈值"),
                f64::from(Threshold::best(&all).0),
            ),
            (
                "equal_error_rate",
                Text::new("equal error rate", "等错误率"),
                error,
            ),
            (
                "area_under_roc",
                Text::new("area under ROC", "ROC 曲线下面积"),
                area,
            ),
        ];
        Details {
            numbers: numbers.to_vec(),
            pairs: self.0.clone(),
            ..Details::default()
        }
    }
}

impl Pairs {
    /// The accuracy of each part; NaN where there are fewer pairs than parts.
    fn folds(&self) -> Vec<f64> {
        let count = self.0.len();
        let edge = |fold: usize| fold * count / FOLDS;
        let accuracy = |fold: usize| {
            let (before, rest) = self.0.split_at(edge(fold));
            let (part, after) = rest.split_at(edge(fold + 1) - edge(fold));
            let others: Vec<&Pair> = before.iter().chain(after).collect();
            Threshold::best(&others).accuracy(&part.iter().collect::<Vec<_>>())
        };
        (0..FOLDS).map(accuracy).collect()
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Pairs up to this distance are taken for ones of one class.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Threshold(f32);

impl Threshold {
    /// The one with the most right answers: halfway to the next distance, the least of equals.
    fn best(pairs: &[&Pair]) -> Self {
        let mut sorted: Vec<&Pair> = pairs.to_vec();
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
        let others = sorted.iter().filter(|(_, same)| !same).count() as i64;
        // Below every distance all are taken for different.
        let first = sorted.first().map_or(0.0, |pair| pair.0);
        let (mut best, mut threshold) = (others, first - 1.0);
        let mut right = others;
        for (place, (distance, same)) in sorted.iter().enumerate() {
            right += if *same { 1 } else { -1 };
            let next = sorted.get(place + 1).map(|pair| pair.0);
            // Equal distances are answered alike.
            if next != Some(*distance) && right > best {
                best = right;
                threshold = next.map_or(*distance, |next| distance + (next - distance) / 2.0);
            }
        }
        Self(threshold)
    }

    fn accuracy(self, pairs: &[&Pair]) -> f64 {
        let right = pairs
            .iter()
            .filter(|(distance, same)| (*distance <= self.0) == *same);
        right.count() as f64 / pairs.len() as f64
    }
}

/// The rate at which as many pairs of two classes are accepted as pairs of one are refused, and
/// the area under the curve of right against wrong acceptances.
fn curve(pairs: &[Pair]) -> (f64, f64) {
    let mut sorted = pairs.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let same = sorted.iter().filter(|pair| pair.1).count() as f64;
    let others = sorted.len() as f64 - same;
    let (mut accepted, mut wrongly, mut area) = (0.0, 0.0, 0.0);
    let mut error = f64::NAN;
    let mut at = 0;
    while at < sorted.len() {
        let (accepted_before, wrongly_before) = (accepted, wrongly);
        let distance = sorted[at].0;
        while at < sorted.len() && sorted[at].0.total_cmp(&distance).is_eq() {
            *(if sorted[at].1 {
                &mut accepted
            } else {
                &mut wrongly
            }) += 1.0;
            at += 1;
        }
        area += (wrongly - wrongly_before) * (accepted + accepted_before) / 2.0;
        let (refused, before) = (1.0 - accepted / same, 1.0 - accepted_before / same);
        if error.is_nan() && wrongly / others >= refused {
            // The two lines cross between this threshold and the one before.
            let (gap, now) = (before - wrongly_before / others, wrongly / others - refused);
            let part = if gap + now > 0.0 {
                gap / (gap + now)
            } else {
                0.0
            };
            error = before + (refused - before) * part;
        }
    }
    (error, area / (same * others))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threshold_has_the_most_right_answers() {
        for (pairs, expected, accuracy) in [
            (&[(1.0, true), (3.0, false)][..], 2.0, 1.0),
            (
                &[(1.0, true), (2.0, false), (2.5, true), (4.0, false)],
                1.5,
                0.75,
            ),
            (&[(1.0, false), (2.0, true)], 0.0, 0.5),
            (&[(1.0, true), (1.0, false), (1.0, true)], 1.0, 2.0 / 3.0),
        ] {
            let all: Vec<&Pair> = pairs.iter().collect();
            let threshold = Threshold::best(&all);
            assert_eq!(threshold, Threshold(expected), "{pairs:?}");
            assert_eq!(threshold.accuracy(&all), accuracy, "{pairs:?}");
        }
    }

    /// Worked out by hand: nine parts of 2 pairs are told apart at 1.5; in the last one the
    /// pairs lie the other way round. Its own pairs may not move its threshold.
    #[test]
    fn a_part_is_judged_by_the_others() {
        let mut pairs: Vec<Pair> = [(1.0, true), (2.0, false)].repeat(9);
        pairs.extend([(2.0, true), (1.0, false)]);
        let metric = Pairs(pairs);
        assert_eq!(metric.folds(), [&[1.0; 9][..], &[0.0]].concat());
        assert!((metric.result() - 0.9).abs() < 1e-12);
        let numbers = metric.details().numbers;
        let number = |key: &str| numbers.iter().find(|number| number.0 == key).unwrap().2;
        assert!((number("standard_error") - 0.1).abs() < 1e-12);
        assert_eq!(number("threshold"), 1.5);
        assert!((number("equal_error_rate") - 0.1).abs() < 1e-12);
        assert!((number("area_under_roc") - 0.9).abs() < 1e-12);
        assert!(Pairs::default().result().is_nan());
    }

    #[test]
    fn the_area_counts_pairs_of_pairs_in_order() {
        let pairs = [
            (0.1, true),
            (0.2, false),
            (0.3, true),
            (0.4, false),
            (0.4, true),
        ];
        let mut right = 0.0;
        for (near, _) in pairs.iter().filter(|pair| pair.1) {
            for (far, _) in pairs.iter().filter(|pair| !pair.1) {
                right += if near < far {
                    1.0
                } else if near == far {
                    0.5
                } else {
                    0.0
                };
            }
        }
        assert!((curve(&pairs).1 - right / 6.0).abs() < 1e-12);
        assert_eq!(curve(&[(1.0, true), (2.0, false)]), (0.0, 1.0));
    }
}
