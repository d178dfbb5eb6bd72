//! Where a network says which class it sees, and how sure it is.

use candle_core::{DType, Tensor};

use super::{Failure, Prediction};
use crate::graph::{Phase, PortRef, Role};
use crate::net::{Net, Pass};

/// Layers whose first input is one score for each class.
const JUDGES: [&str; 5] = [
    "SoftmaxWithLoss",
    "MultinomialLogisticLoss",
    "InfogainLoss",
    "HingeLoss",
    "Accuracy",
];

/// Where a network's answer can be read: what its classification loss or accuracy reads.
#[derive(Clone, Debug, PartialEq)]
pub struct Classifier {
    pub scores: PortRef,
    /// Whether the scores are probabilities already.
    normalised: bool,
}

impl Classifier {
    /// Where a loss or metric of the test phase reads the scores; of several the one that counts
    /// most in the objective, and of equal ones the first. `None` where nobody judges classes.
    pub(super) fn of(net: &Net) -> Option<Self> {
        let judges = net.order(Phase::Test).filter(|node| {
            let spec = node.layer.spec();
            matches!(spec.role, Role::Loss | Role::Metric) && JUDGES.contains(&spec.name)
        });
        let main = judges.reduce(|main, node| match node.loss_weight() > main.loss_weight() {
            true => node,
            false => main,
        })?;
        let scores = net.inputs_of(Phase::Test, &main.name).into_iter().next()?;
        Self::reading(net, scores)
    }

    /// The same; where nobody judges, the only Softmax among the outputs, or the only output of
    /// a network without losses.
    pub fn find(net: &Net) -> Option<Self> {
        let answer = || {
            let outputs = net.outputs(Phase::Test);
            let kind = |port: &&PortRef| {
                let node = net.graph().named(&port.node, Phase::Test)?;
                Some(node.layer.spec().name)
            };
            let mut softmax = outputs.iter().filter(|port| kind(port) == Some("Softmax"));
            if let (Some(only), None) = (softmax.next(), softmax.next()) {
                return Self::reading(net, only.clone());
            }
            let has_loss = net
                .graph()
                .nodes()
                .iter()
                .any(|node| node.layer.spec().role == Role::Loss);
            match &outputs[..] {
                [only] if !has_loss => Self::reading(net, only.clone()),
                _ => None,
            }
        };
        Self::of(net).or_else(answer)
    }

    /// Scores that somebody names; `None` where there is no such node.
    pub fn reading(net: &Net, scores: PortRef) -> Option<Self> {
        let source = net.graph().named(&scores.node, Phase::Test)?;
        Some(Self {
            normalised: source.layer.spec().name == "Softmax",
            scores,
        })
    }

    /// The probability of every class for each example; `None` where the answer is not one row
    /// of scores an example.
    pub fn probabilities(&self, scores: &Tensor) -> candle_core::Result<Option<Vec<Vec<f32>>>> {
        let is_row = scores.rank() >= 2 && scores.dims().iter().skip(2).all(|side| *side == 1);
        if !is_row {
            return Ok(None);
        }
        let scores = scores.flatten_from(1)?.to_dtype(DType::F32)?;
        let mut rows = scores.to_vec2::<f32>()?;
        if !self.normalised {
            rows.iter_mut().for_each(|row| softmax(row));
        }
        Ok(Some(rows))
    }

    /// One for each example; none where the scores are not one row an example.
    pub(super) fn predictions(
        &self,
        net: &Net,
        pass: &Pass,
        labels: &Tensor,
    ) -> Result<Vec<Prediction>, Failure> {
        let Some(scores) = pass.value(net, &self.scores) else {
            return Ok(Vec::new());
        };
        let scores = scores.tensor();
        let one_row_each = scores.dims().first() == labels.dims().first()
            && scores.dims().iter().skip(2).all(|side| *side == 1);
        if scores.rank() < 2 || labels.rank() != 1 || !one_row_each {
            return Ok(Vec::new());
        }
        let rows = scores
            .flatten_from(1)?
            .to_dtype(DType::F32)?
            .to_vec2::<f32>()?;
        let labels = labels.to_vec1::<u32>()?;
        let answer = |(row, truth): (&Vec<f32>, u32)| self.prediction(row, truth);
        Ok(rows.iter().zip(labels).map(answer).collect())
    }

    /// The first of the largest scores, and its softmax.
    fn prediction(&self, scores: &[f32], truth: u32) -> Prediction {
        let mut best = 0;
        for (class, score) in scores.iter().enumerate() {
            if *score > scores[best] {
                best = class;
            }
        }
        let largest = scores.get(best).copied().unwrap_or(f32::NAN);
        let sum: f32 = scores.iter().map(|score| (score - largest).exp()).sum();
        Prediction {
            truth,
            predicted: best as u32,
            confidence: if self.normalised { largest } else { 1.0 / sum },
        }
    }
}

fn softmax(scores: &mut [f32]) {
    let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    scores
        .iter_mut()
        .for_each(|score| *score = (*score - largest).exp());
    let sum: f32 = scores.iter().sum();
    scores.iter_mut().for_each(|score| *score /= sum);
}

/// The `count` largest probabilities with their classes, the largest first; of equal ones the
/// first class goes first, and what is no number last.
pub fn best(probabilities: &[f32], count: usize) -> Vec<(usize, f32)> {
    let mut ranked: Vec<(usize, f32)> = probabilities.iter().copied().enumerate().collect();
    let key = |p: f32| if p.is_nan() { f32::NEG_INFINITY } else { p };
    ranked.sort_by(|a, b| key(b.1).total_cmp(&key(a.1)));
    ranked.truncate(count);
    ranked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prediction_is_the_first_largest_score_and_its_softmax() {
        let mut classifier = Classifier {
            scores: PortRef::new("scores", 0),
            normalised: false,
        };
        let prediction = classifier.prediction(&[1.0, 3.0, 3.0, 0.0], 2);
        assert_eq!((prediction.predicted, prediction.truth), (1, 2));
        // e³ / (e + 2 e³ + 1)
        assert!(
            (prediction.confidence - 0.457_640_3).abs() < 1e-6,
            "{prediction:?}"
        );
        classifier.normalised = true;
        assert_eq!(classifier.prediction(&[0.25, 0.75], 0).confidence, 0.75);
        assert_eq!(classifier.prediction(&[], 0).predicted, 0);
    }

    #[test]
    fn the_best_are_the_likeliest_in_order() {
        let mut row = [1.0, 3.0, f32::NAN, 3.0, 0.0];
        assert_eq!(best(&row, 3), [(1, 3.0), (3, 3.0), (0, 1.0)]);
        assert_eq!(best(&row, 9).len(), 5);
        row[2] = -100.0;
        softmax(&mut row);
        assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6 && row[1] == row[3]);
        let classifier = Classifier {
            scores: PortRef::new("scores", 0),
            normalised: false,
        };
        let maps = Tensor::zeros((1, 3, 2, 2), DType::F32, &candle_core::Device::Cpu).unwrap();
        assert_eq!(classifier.probabilities(&maps).unwrap(), None);
        let row = maps.narrow(2, 0, 1).unwrap().narrow(3, 0, 1).unwrap();
        let third = classifier.probabilities(&row).unwrap().unwrap();
        assert!(third[0].iter().all(|p| (p - 1.0 / 3.0).abs() < 1e-6));
    }
}
