//! What a walk is asked for, and what it leaves.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use candle_core::Tensor;

use crate::graph::{Phase, PortRef, Role, Value};
use crate::net::{Net, NetError, Step};

/// Whose outputs stay after a forward walk.
#[derive(Clone, Debug, Default)]
pub enum Keep {
    #[default]
    All,
    /// These nodes' and the losses'; others go as soon as nobody needs them any more.
    Only(BTreeSet<String>),
}

/// What a forward walk is for.
#[derive(Clone, Debug, Default)]
pub struct ForwardOptions {
    pub keep: Keep,
    /// Walk only as far as these nodes need; `None` walks everything.
    pub until: Option<BTreeSet<String>>,
    /// Whether a backward walk will follow, towards the learnable parameters.
    pub backward: bool,
    /// Nodes whose output gradients are wanted from the backward walk, data included.
    pub gradients_at: BTreeSet<String>,
    pub seed: u64,
    pub iteration: u64,
    /// The states that recurrent nodes go on from, by name: [`Pass::states`] of an earlier walk.
    /// A node that is not named here begins its sequence anew.
    pub states: BTreeMap<String, Vec<Tensor>>,
    /// What the backward walk is about.
    pub focus: Focus,
}

/// Which losses count and whose parameters get gradients; `None` is all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Focus {
    pub losses: Option<BTreeSet<String>>,
    pub trained: Option<BTreeSet<String>>,
}

impl Focus {
    pub(super) fn counts(&self, step: &Step) -> bool {
        step.role == Role::Loss
            && self
                .losses
                .as_ref()
                .is_none_or(|losses| losses.contains(&step.name))
    }

    pub(super) fn trains(&self, step: &Step) -> bool {
        self.trained
            .as_ref()
            .is_none_or(|trained| trained.contains(&step.name))
    }
}

/// What a forward walk leaves.
#[derive(Debug)]
pub struct Pass {
    pub(super) phase: Phase,
    /// By step; empty where the walk did not go or the output was not kept.
    pub(super) outputs: Vec<Vec<Value>>,
    pub(super) saved: Vec<Option<Vec<Tensor>>>,
    /// By step, whether the gradient at its output is needed.
    pub(super) needed: Vec<bool>,
    /// By step, whether it does the work of the ReLU behind it too.
    pub(in crate::net) joined: Vec<bool>,
    pub(super) options: ForwardOptions,
    /// New values of buffers, by key.
    pub buffers: Vec<(String, Tensor)>,
    /// The states of recurrent nodes after their last step, by name.
    pub states: BTreeMap<String, Vec<Tensor>>,
    /// By step.
    pub(super) seconds: Vec<Duration>,
}

/// Where a backward walk begins.
#[derive(Clone, Debug, Default)]
pub enum BackwardStart {
    /// At the losses, with their weights.
    #[default]
    Losses,
    /// With these gradients at these outputs.
    At(BTreeMap<PortRef, Tensor>),
}

/// What a backward walk gives.
#[derive(Debug, Default)]
pub struct Backward {
    /// ∂objective by learnable parameter; parameters without a gradient are left out.
    pub params: BTreeMap<String, Tensor>,
    /// ∂objective by the first output of the nodes asked for.
    pub outputs: BTreeMap<String, Tensor>,
    /// Time spent in each node.
    pub seconds: BTreeMap<String, Duration>,
}

impl Pass {
    /// A node's kept output.
    pub fn value(&self, net: &Net, port: &PortRef) -> Option<&Value> {
        let step = net.plan(self.phase).by_name.get(&port.node)?;
        self.outputs.get(*step)?.get(port.port)
    }

    /// All kept outputs of a node.
    pub fn outputs(&self, net: &Net, name: &str) -> &[Value] {
        let step = net.plan(self.phase).by_name.get(name);
        step.and_then(|step| self.outputs.get(*step))
            .map_or(&[], Vec::as_slice)
    }

    /// [`Pass::loss`] as a tensor of one `f64` on the device, which nobody has to wait for.
    pub fn loss_on_device(&self, net: &Net) -> Result<Option<Tensor>, NetError> {
        let mut sum: Option<Tensor> = None;
        for (step, outputs) in net.plan(self.phase).steps.iter().zip(&self.outputs) {
            if self.options.focus.counts(step)
                && let Some(value) = outputs.first()
            {
                let loss = value.tensor().to_dtype(candle_core::DType::F64)?;
                let loss = (loss.sum_all()? * step.loss_weight)?;
                sum = Some(match sum {
                    Some(sum) => (sum + loss)?,
                    None => loss,
                });
            }
        }
        Ok(sum)
    }

    /// The objective: every loss of the phase times its weight; `None` where there is no loss.
    pub fn loss(&self, net: &Net) -> Result<Option<f64>, NetError> {
        let mut sum = None;
        for (step, outputs) in net.plan(self.phase).steps.iter().zip(&self.outputs) {
            if self.options.focus.counts(step)
                && let Some(value) = outputs.first()
            {
                let loss = value.tensor().to_dtype(candle_core::DType::F64)?;
                let loss = loss.sum_all()?.to_scalar::<f64>()?;
                sum = Some(sum.unwrap_or(0.0) + step.loss_weight * loss);
            }
        }
        Ok(sum)
    }

    /// Time spent in each node on the way forward.
    pub fn seconds(&self, net: &Net) -> BTreeMap<String, Duration> {
        let steps = net.plan(self.phase).steps.iter().zip(&self.seconds);
        steps
            .map(|(step, seconds)| (step.name.clone(), *seconds))
            .collect()
    }
}
