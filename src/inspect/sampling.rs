//! Text from a network that predicts the next token: each token that is drawn is read next, and
//! the recurrent state goes on from token to token (Graves 2013, “Generating sequences with
//! recurrent neural networks”).
//!
//! A pure function of a network, a temperature and a seed; it knows no vocabulary.

use candle_core::{DType, Device, Tensor};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, BTreeSet};

use crate::graph::{Phase, PortRef};
use crate::i18n::tr;
use crate::net::{ForwardOptions, Keep, Net, NetError, NetFeed};

/// Why no text can be drawn.
#[derive(Debug, thiserror::Error)]
pub enum SamplingError {
    #[error(
        "{}",
        tr(
            "the network has no output that gives one score for each token at each step",
            "网络没有在每一步为每个词元给出得分的输出"
        )
    )]
    NoScores,
    #[error(transparent)]
    Net(#[from] NetError),
}

impl From<candle_core::Error> for SamplingError {
    fn from(error: candle_core::Error) -> Self {
        Self::Net(error.into())
    }
}

/// Draws one token after the other.
#[derive(Debug)]
pub struct Sampler {
    /// The recurrent nodes' states after everything that was read.
    states: BTreeMap<String, Vec<Tensor>>,
    random: ChaCha8Rng,
    /// Scores for the next token, by class; empty before anything was read.
    scores: Vec<f64>,
}

impl Sampler {
    pub fn new(seed: u64) -> Self {
        Self {
            states: BTreeMap::new(),
            random: ChaCha8Rng::seed_from_u64(seed),
            scores: Vec::new(),
        }
    }

    /// Lets the network read a token, from the state in which it is.
    pub fn read(&mut self, net: &Net, token: u32) -> Result<(), SamplingError> {
        let Some(PortRef { node, port }) = net.outputs(Phase::Test).into_iter().next() else {
            return Err(SamplingError::NoScores);
        };
        let wanted = BTreeSet::from([node.clone()]);
        let token = Tensor::new(&[[token as f32]], &Device::Cpu)?.to_dtype(net.config().dtype)?;
        let options = ForwardOptions {
            keep: Keep::Only(wanted.clone()),
            until: Some(wanted),
            states: std::mem::take(&mut self.states),
            ..ForwardOptions::default()
        };
        let pass = net.forward(Phase::Test, &NetFeed::only(token, net), options)?;
        let scores = pass.value(net, &PortRef::new(node, port));
        let scores = scores.ok_or(SamplingError::NoScores)?.tensor();
        self.scores = scores.flatten_all()?.to_dtype(DType::F64)?.to_vec1()?;
        self.states = pass.states;
        Ok(())
    }

    /// Draws the next token with the probabilities softmax(scores / temperature), or takes the
    /// likeliest at temperature 0; `None` before anything was read, or if the network gives
    /// nothing that can be drawn from (NaN). [`Sampler::read`] it to go on.
    pub fn draw(&mut self, temperature: f64) -> Option<u32> {
        let top = self
            .scores
            .iter()
            .copied()
            .fold(f64::NEG_INFINITY, f64::max);
        if !top.is_finite() || self.scores.iter().any(|score| score.is_nan()) {
            return None;
        }
        if temperature <= 0.0 {
            let best = self.scores.iter().position(|score| *score == top);
            return best.map(|class| class as u32);
        }
        let weight = |score: &f64| ((score - top) / temperature).exp();
        let sum: f64 = self.scores.iter().map(weight).sum();
        let mut left = self.random.random::<f64>() * sum;
        for (class, score) in self.scores.iter().enumerate() {
            left -= weight(score);
            if left < 0.0 {
                return Some(class as u32);
            }
        }
        self.scores.len().checked_sub(1).map(|last| last as u32)
    }

    /// The probability of each token to be next, at temperature 1; empty before anything was read.
    pub fn probabilities(&self) -> Vec<f64> {
        let top = self
            .scores
            .iter()
            .copied()
            .fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> = self
            .scores
            .iter()
            .map(|score| (score - top).exp())
            .collect();
        let sum: f64 = weights.iter().sum();
        weights.into_iter().map(|weight| weight / sum).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{DataFacts, Facts, Graph, Inputs, Node};
    use crate::layers;
    use crate::net::NetConfig;

    fn net(recurrent: &str) -> Net {
        let mut graph = Graph::default();
        let chain = [
            ("data", "Data()"),
            ("embed", "Embed(num_output: 3)"),
            ("rnn", recurrent),
            ("scores", "InnerProduct(num_output: \"classes\", axis: 2)"),
        ];
        let mut before = None;
        for (name, layer) in chain {
            let mut node = Node::new(name, layers::parse(layer).unwrap());
            node.inputs = Inputs(
                before
                    .into_iter()
                    .map(|name| Some(PortRef::new(name, 0)))
                    .collect(),
            );
            before = Some(name.to_owned());
            graph.add(node);
        }
        let mut loss = Node::new("loss", layers::parse("SoftmaxWithLoss(axis: 2)").unwrap());
        let wires = [PortRef::new("scores", 0), PortRef::new("data", 1)];
        loss.inputs = Inputs(wires.map(Some).into());
        graph.add(loss);
        let facts = Facts {
            data: Some(DataFacts {
                shape: vec![6],
                classes: Some(5),
                labels: Some(vec![6]),
                ..DataFacts::default()
            }),
            ..Facts::default()
        };
        let config = NetConfig {
            dtype: DType::F64,
            ..NetConfig::default()
        };
        Net::compile(&graph, &facts, config).unwrap()
    }

    /// Token by token with the state handed on = the whole sequence at once.
    #[test]
    fn the_state_goes_on_from_token_to_token() {
        for recurrent in [
            "RNN(num_output: 4)",
            "LSTM(num_output: 4, num_layers: 2)",
            "GRU(num_output: 4)",
        ] {
            let net = net(recurrent);
            let tokens = [1u32, 4, 0, 2, 2, 3];
            let whole: Vec<f64> = tokens.iter().map(|token| f64::from(*token)).collect();
            let whole = Tensor::from_vec(whole, (1, 6), &Device::Cpu).unwrap();
            let feed = NetFeed::only(whole, &net);
            let options = ForwardOptions {
                until: Some(BTreeSet::from(["scores".to_owned()])),
                ..ForwardOptions::default()
            };
            let pass = net.forward(Phase::Test, &feed, options).unwrap();
            let value = pass.value(&net, &PortRef::new("scores", 0)).unwrap();
            let scores = value.tensor().squeeze(0).unwrap().to_vec2::<f64>().unwrap();
            let mut sampler = Sampler::new(1);
            for (token, expected) in tokens.iter().zip(&scores) {
                sampler.read(&net, *token).unwrap();
                for (ours, expected) in sampler.scores.iter().zip(expected) {
                    assert!((ours - expected).abs() < 1e-13, "{recurrent}");
                }
            }
        }
    }

    #[test]
    fn draws_follow_the_probabilities() {
        let mut sampler = Sampler::new(3);
        assert_eq!(sampler.draw(1.0), None);
        sampler.scores = vec![0.0, 2f64.ln(), f64::NEG_INFINITY];
        let mut counts = [0; 3];
        for _ in 0..3000 {
            counts[sampler.draw(1.0).unwrap() as usize] += 1;
        }
        assert_eq!(counts[2], 0);
        assert!(
            (counts[1] as f64 / 3000.0 - 2.0 / 3.0).abs() < 0.03,
            "{counts:?}"
        );
        assert_eq!(sampler.draw(0.0), Some(1));
        let sum: f64 = sampler.probabilities().iter().sum();
        assert!((sum - 1.0).abs() < 1e-12);
        sampler.scores[0] = f64::NAN;
        assert_eq!(sampler.draw(1.0), None);
    }
}
