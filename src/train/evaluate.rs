//! What a network makes of a whole split: mean loss, metrics, and its answer to every example.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::run::feed_of;
use super::{Classifier, Evaluation, Failure};
use crate::data::{Feed, SplitName};
use crate::graph::{Metric, Phase, PortRef};
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
