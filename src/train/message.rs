//! What goes between a session and whoever watches it: commands in, events and snapshots out.
//!
//! Events are numbers and every one is kept; a snapshot is heavy and only the newest is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use candle_core::Tensor;

use crate::data::SplitName;
use crate::graph::{Details, Value};

/// What a session is told to do; carried out between two iterations.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    Pause,
    Resume,
    /// One iteration, then pause.
    Step,
    /// Ends the session; its last event is [`Event::Ended`].
    Stop,
    /// The solver's η₀ from the next iteration on; the policy goes on from it.
    SetBaseRate(f64),
    /// What the open views want in every snapshot from now on.
    Watch(Watch),
    /// Writes a checkpoint into this folder.
    Save(PathBuf),
    /// Evaluates a split now.
    Evaluate(SplitName),
}

/// What the open views want to see.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Watch {
    /// Names of the nodes whose outputs on the shown example, and gradients, are wanted.
    pub nodes: BTreeSet<String>,
    /// The example that is shown.
    pub split: Option<SplitName>,
    pub index: usize,
}

/// Something that happened in a session.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The network is compiled and training begins or goes on at this iteration.
    Started {
        iteration: u64,
        total: u64,
        device: String,
        notice: Option<String>,
    },
    /// The first iteration will take longer than the others, and why. It ends with the iteration.
    Compiling(String),
    /// One iteration was done. `iteration` counts finished ones, from 1.
    Iteration(Progress),
    Evaluated(Evaluation),
    Paused,
    Resumed,
    /// The base rate was changed by hand after this many iterations.
    RateChanged {
        iteration: u64,
        base_lr: f64,
    },
    Saved {
        iteration: u64,
        folder: PathBuf,
    },
    /// A command could not be carried out; training goes on.
    Refused(String),
    /// The last event of every session.
    Ended(Ending),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Finished iterations, over all stages.
    pub iteration: u64,
    pub stage: usize,
    /// The objective on this iteration's batch: losses times their weights.
    pub loss: f64,
    pub rate: f64,
    /// Examples in the batch.
    pub examples: usize,
    /// Wall time of the iteration.
    pub seconds: f64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    pub iteration: u64,
    pub split: SplitName,
    /// Mean over the split; `None` where the network has no loss in the test phase.
    pub loss: Option<f64>,
    /// By metric node's name, in the graph's order.
    pub metrics: Vec<(String, f64)>,
    /// What stands behind those of them that say more, by the node's name.
    pub details: BTreeMap<String, Details>,
    /// One for each example of the split in order; empty where the network does not classify.
    pub predictions: Vec<Prediction>,
    pub seconds: f64,
}

/// What the network says of one example.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    pub truth: u32,
    pub predicted: u32,
    /// The predicted class's probability.
    pub confidence: f32,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    Finished {
        iteration: u64,
    },
    Stopped {
        iteration: u64,
    },
    /// Why it could not go on, and the node where that began, if one is to blame.
    Failed {
        iteration: u64,
        node: Option<String>,
        message: String,
    },
}

/// A consistent picture of one moment, cheap to hold: tensors are never changed in place.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Finished iterations.
    pub iteration: u64,
    /// The example that was shown to the network.
    pub split: Option<SplitName>,
    pub index: usize,
    /// For each watched node, its outputs on the shown example alone (batch of one, test phase).
    pub outputs: BTreeMap<String, Vec<Value>>,
    /// For each watched node, ∂loss by its first output on the last training batch.
    pub gradients: BTreeMap<String, Tensor>,
    /// For each watched node, its first output on the last training batch.
    pub activations: BTreeMap<String, Tensor>,
    /// Every parameter by key, and buffers.
    pub weights: BTreeMap<String, Tensor>,
    /// ∂loss by every parameter, on the last training batch.
    pub weight_gradients: BTreeMap<String, Tensor>,
}
