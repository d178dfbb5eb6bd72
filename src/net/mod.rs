//! A graph compiled for one device: it walks forward to any wanted node and backward to any
//! other, and hands back what it passed.
//!
//! Net knows graphs and the layer trait, but no layer by name, no data set and no solver.
//! A forward or backward walk changes nothing in it: weights and buffers are changed by whoever
//! trains, weights in place, so that who wants to keep them takes [`Net::copy_params`].

mod check;
mod compile;
mod error;
mod feed;
mod filler;
mod walk;

#[cfg(test)]
mod tests;

pub use error::NetError;
pub use feed::{DataFeed, NetFeed};
pub use filler::stream;
pub use walk::{Backward, BackwardStart, Focus, ForwardOptions, Keep, Pass};

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};

use crate::graph::{Facts, Graph, Inference, Layer, Metric, Node, Phase, PortRef, Role};
use compile::{Plan, Step};

/// How a network is compiled.
#[derive(Clone, Debug)]
pub struct NetConfig {
    pub device: Device,
    /// F32, or F64 for numeric checks.
    pub dtype: DType,
    /// Starts the weights' random streams.
    pub seed: u64,
    /// Whether results are to be rounded as little as can be, rather than found as fast.
    pub precise: bool,
}

impl Default for NetConfig {
    fn default() -> Self {
        Self {
            device: Device::Cpu,
            dtype: DType::F32,
            seed: 0,
            precise: false,
        }
    }
}

/// A tensor that outlives a pass.
#[derive(Clone, Debug)]
pub struct Param {
    pub tensor: Tensor,
    /// Trained by the solver; else a buffer of its layer.
    pub learnable: bool,
    pub lr_mult: f64,
    pub decay_mult: f64,
}

/// A runnable network with its weights.
#[derive(Debug)]
pub struct Net {
    graph: Graph,
    facts: Facts,
    inference: Inference,
    config: NetConfig,
    plans: [Plan; 2],
    params: BTreeMap<String, Param>,
}

impl Net {
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    pub fn inference(&self) -> &Inference {
        &self.inference
    }

    pub fn config(&self) -> &NetConfig {
        &self.config
    }

    /// Weights and buffers by key.
    pub fn params(&self) -> &BTreeMap<String, Param> {
        &self.params
    }

    /// Replaces a parameter by a copy of a tensor of the same shape, on the network's device and
    /// in its type.
    pub fn set_param(&mut self, key: &str, tensor: Tensor) -> Result<(), NetError> {
        self.check_param(key, &tensor)?;
        // The network's own: training changes it in place.
        self.give_param(key, tensor.copy()?)
    }

    /// As [`Net::set_param`], without a copy: nobody else may hold the tensor.
    pub fn give_param(&mut self, key: &str, tensor: Tensor) -> Result<(), NetError> {
        self.check_param(key, &tensor)?;
        let tensor = tensor
            .to_dtype(self.config.dtype)?
            .to_device(&self.config.device)?;
        if let Some(param) = self.params.get_mut(key) {
            param.tensor = tensor;
        }
        Ok(())
    }

    fn check_param(&self, key: &str, tensor: &Tensor) -> Result<(), NetError> {
        let Some(param) = self.params.get(key) else {
            return Err(NetError::NoSuchParam {
                key: key.to_owned(),
            });
        };
        if param.tensor.dims() != tensor.dims() {
            return Err(NetError::ParamShape {
                key: key.to_owned(),
                expected: param.tensor.dims().to_vec(),
                found: tensor.dims().to_vec(),
            });
        }
        Ok(())
    }

    /// A parameter that training changes.
    pub fn param_mut(&mut self, key: &str) -> Option<&mut Param> {
        self.params.get_mut(key)
    }

    /// Weights and buffers by key, as they are now: copies, which training leaves alone.
    pub fn copy_params(&self) -> Result<BTreeMap<String, Tensor>, NetError> {
        let params = self.params.iter();
        params
            .map(|(key, param)| Ok((key.clone(), param.tensor.copy()?)))
            .collect()
    }

    /// The nodes of a phase in the order of the walk.
    pub fn order(&self, phase: Phase) -> impl Iterator<Item = &Node> {
        self.plan(phase)
            .steps
            .iter()
            .filter_map(|step| self.graph.node(step.node))
    }

    /// What a node reads in a phase.
    pub fn inputs_of(&self, phase: Phase, name: &str) -> Vec<PortRef> {
        let plan = self.plan(phase);
        let Some(step) = plan
            .by_name
            .get(name)
            .and_then(|index| plan.steps.get(*index))
        else {
            return Vec::new();
        };
        let port =
            |(source, port): &(usize, usize)| PortRef::new(plan.steps[*source].name.clone(), *port);
        step.sources.iter().map(port).collect()
    }

    /// A fresh accumulator for every metric of a phase, by node name in the walk's order.
    pub fn metrics(&self, phase: Phase) -> Vec<(String, Box<dyn Metric>)> {
        let metric = |node: &Node| Some((node.name.clone(), node.layer.metric()?));
        self.order(phase).filter_map(metric).collect()
    }

    /// The nodes whose outputs nobody reads and that are neither loss nor metric: the answers.
    pub fn outputs(&self, phase: Phase) -> Vec<PortRef> {
        let plan = self.plan(phase);
        let computes = |step: &Step| {
            matches!(step.role, Role::Layer)
                && self.gives(step)
                && !self.is_read_by_a_layer(phase, &step.name)
        };
        let steps = plan.steps.iter().filter(|step| computes(step));
        steps
            .map(|step| PortRef::new(step.name.clone(), 0))
            .collect()
    }

    fn is_read_by_a_layer(&self, phase: Phase, name: &str) -> bool {
        let plan = self.plan(phase);
        let reads_on = |step: &&Step| step.role == Role::Layer && self.gives(step);
        let readers = plan.steps.iter().filter(reads_on);
        readers
            .flat_map(|step| &step.sources)
            .any(|(source, _)| plan.steps[*source].name == name)
    }

    /// Whether the node has an output at all.
    fn gives(&self, step: &Step) -> bool {
        self.layer(step)
            .is_some_and(|layer| !layer.outputs().is_empty())
    }

    fn plan(&self, phase: Phase) -> &Plan {
        &self.plans[phase as usize]
    }

    fn layer(&self, step: &Step) -> Option<&dyn Layer> {
        self.graph.node(step.node).map(|node| &*node.layer)
    }
}
