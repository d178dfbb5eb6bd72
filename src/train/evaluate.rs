//! What a network makes of a whole split: mean loss, metrics, and its answer to every example.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use candle_core::{DType, Tensor};

use super::run::feed_of;
use super::{Evaluation, Failure, Prediction};
use crate::data::{Feed, SplitName};
use crate::graph::{Metric, Phase, PortRef, Role};
use crate::net::{ForwardOptions, Keep, Net, Pass};

/// Evaluates a split in the test phase, batch by batch. `None` where the split is empty or
/// `stopped` said so on the way.
pub fn evaluate(
    net: &Net,
    feed: &Feed,
    split: SplitName,
    iteration: u64,
    stopped: &dyn Fn() -> bool,
) -> Result<Option<Evaluation>, Failure> {
    if feed.dataset().is_empty(split) {
        return Ok(None);
    }
    let begin = Instant::now();
    let classifier = Classifier::of(net);
    let mut tally = Tally::of(net);
    let mut keep: BTreeSet<String> = (tally.metrics.iter())
        .flat_map(|(_, inputs, _)| inputs.iter().map(|port| port.node.clone()))
        .collect();
    keep.extend(
        classifier
            .iter()
            .map(|classifier| classifier.scores.node.clone()),
    );
    let mut predictions = Vec::new();
    for range in feed.evaluation(split) {
        if stopped() {
            return Ok(None);
        }
        let batch = feed.batch(split, &range.collect::<Vec<_>>())?;
        let options = ForwardOptions {
            keep: Keep::Only(keep.clone()),
            ..ForwardOptions::default()
        };
        let pass = net.forward(Phase::Test, &feed_of(&batch), options)?;
        tally.add(net, &pass, batch.indices.len())?;
        if let (Some(classifier), Some(labels)) = (&classifier, &batch.labels) {
            predictions.extend(classifier.predictions(net, &pass, labels)?);
        }
    }
    let mut details = BTreeMap::new();
    for (name, _, metric) in &tally.metrics {
        let found = metric.details();
        if !found.is_empty() {
            details.insert(name.clone(), found);
        }
    }
    let metrics = tally.metrics.into_iter();
    Ok(Some(Evaluation {
        iteration,
        split,
        loss: tally.loss.map(|sum| sum / tally.examples as f64),
        metrics: metrics
            .map(|(name, _, metric)| (name, metric.result()))
            .collect(),
        details,
        predictions,
        seconds: begin.elapsed().as_secs_f64(),
    }))
}

/// The sums over the batches so far.
struct Tally {
    /// Batch losses times their examples, so that a smaller last batch counts for less.
    loss: Option<f64>,
    examples: usize,
    /// Name, what it reads, and its accumulator.
    metrics: Vec<(String, Vec<PortRef>, Box<dyn Metric>)>,
}

impl Tally {
    fn of(net: &Net) -> Self {
        let metrics = net.metrics(Phase::Test).into_iter();
        Self {
            loss: None,
            examples: 0,
            metrics: metrics
                .map(|(name, metric)| {
                    let inputs = net.inputs_of(Phase::Test, &name);
                    (name, inputs, metric)
                })
                .collect(),
        }
    }

    fn add(&mut self, net: &Net, pass: &Pass, examples: usize) -> Result<(), Failure> {
        if let Some(loss) = pass.loss(net)? {
            self.loss = Some(self.loss.unwrap_or(0.0) + loss * examples as f64);
        }
        self.examples += examples;
        for (name, inputs, metric) in &mut self.metrics {
            let values = inputs
                .iter()
                .filter_map(|port| pass.value(net, port).cloned());
            let values: Vec<_> = values.collect();
            let in_node = |error: candle_core::Error| Failure::at(name, error.to_string());
            metric.add(&values).map_err(in_node)?;
        }
        Ok(())
    }
}

/// Layers whose first input is one score for each class.
const JUDGES: [&str; 5] = [
    "SoftmaxWithLoss",
    "MultinomialLogisticLoss",
    "InfogainLoss",
    "HingeLoss",
    "Accuracy",
];

/// Where a network's answer can be read: what its classification loss or accuracy reads.
struct Classifier {
    scores: PortRef,
    /// Whether the scores are probabilities already.
    normalised: bool,
}

impl Classifier {
    /// `None` where the network does not classify.
    fn of(net: &Net) -> Option<Self> {
        let judges = |role| matches!(role, Role::Loss | Role::Metric);
        let node = net.order(Phase::Test).find(|node| {
            let kind = node.layer.spec().name;
            judges(node.layer.spec().role) && JUDGES.contains(&kind)
        })?;
        let scores = net.inputs_of(Phase::Test, &node.name).into_iter().next()?;
        let source = net.graph().named(&scores.node, Phase::Test)?;
        Some(Self {
            normalised: source.layer.spec().name == "Softmax",
            scores,
        })
    }

    /// One for each example; none where the scores are not one row an example.
    fn predictions(
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
}
