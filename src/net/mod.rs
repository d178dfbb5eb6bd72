//! A graph compiled for one device: it walks forward to any wanted node and backward to any
//! other, and hands back what it passed.
//!
//! Net knows graphs and the layer trait, but no layer by name, no data set and no solver.
//! A forward or backward walk changes nothing in it: new weights and buffers are set by whoever
//! trains. Tensors are never changed in place, so a clone of a weight is a consistent copy.

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

use crate::graph::{
    Facts, Graph, Inference, Layer, Metric, Node, NodeId, Phase, PortRef, Role, Severity, Shape,
    infer,
};
use crate::i18n::tr;

/// More numbers than this in weights or activations are refused, so that no file makes the
/// program ask for memory without bound: 4 GB and 16 GB in f32.
const MAX_PARAMS: u64 = 1 << 30;
const MAX_ACTIVATIONS: u64 = 1 << 32;

/// How a network is compiled.
#[derive(Clone, Debug)]
pub struct NetConfig {
    pub device: Device,
    /// F32, or F64 for numeric checks.
    pub dtype: DType,
    /// Starts the weights' random streams.
    pub seed: u64,
}

impl Default for NetConfig {
    fn default() -> Self {
        Self {
            device: Device::Cpu,
            dtype: DType::F32,
            seed: 0,
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

#[derive(Debug, Default)]
struct Plan {
    /// In the order of the walk.
    steps: Vec<Step>,
    by_name: BTreeMap<String, usize>,
    /// Numbers in all outputs of one example.
    activations: u64,
}

#[derive(Debug)]
struct Step {
    node: NodeId,
    name: String,
    role: Role,
    /// Step and output port behind each input.
    sources: Vec<(usize, usize)>,
    /// Keys of the parameters, in the layer's order.
    keys: Vec<String>,
    /// The first output's factor in the objective.
    loss_weight: f64,
    /// The expected first output, for those that are fed.
    shape: Shape,
}

impl Net {
    /// Compiles a graph without errors and fills its parameters.
    pub fn compile(graph: &Graph, facts: &Facts, config: NetConfig) -> Result<Self, NetError> {
        let inference = infer(graph, facts);
        refuse_errors(graph, &inference)?;
        check_size(
            tr("the weights", "权重"),
            inference.totals.params,
            MAX_PARAMS,
        )?;
        let plans = Phase::BOTH.map(|phase| plan(graph, &inference, phase));
        let params = fill_params(graph, &inference, &config)?;
        let (graph, facts) = (graph.clone(), facts.clone());
        Ok(Self {
            graph,
            facts,
            inference,
            config,
            plans,
            params,
        })
    }

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

    /// Replaces a parameter by a tensor of the same shape; it is moved to the network's device
    /// and type.
    pub fn set_param(&mut self, key: &str, tensor: Tensor) -> Result<(), NetError> {
        let Some(param) = self.params.get_mut(key) else {
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
        param.tensor = tensor
            .to_dtype(self.config.dtype)?
            .to_device(&self.config.device)?;
        Ok(())
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

    /// Checks what is fed. Sizes other than those of compilation are inferred anew: they must
    /// run and leave every parameter as it is.
    fn check_feed(&self, phase: Phase, feed: &NetFeed) -> Result<(), NetError> {
        let plan = self.plan(phase);
        let mut facts = self.facts.clone();
        let mut batch = 1;
        let mut differs = false;
        for step in &plan.steps {
            let given = match step.role {
                Role::Data => feed.data.as_ref().map(|fed| &fed.data),
                Role::Input => feed.inputs.get(&step.name),
                _ => continue,
            };
            let Some(given) = given else { continue };
            let found = Shape::known(given.dims());
            batch = batch.max(given.dims().first().copied().unwrap_or(1));
            if given.dims().len() != step.shape.rank() || given.elem_count() == 0 {
                let (node, expected) = (step.name.clone(), step.shape.clone());
                return Err(NetError::FeedShape {
                    node,
                    expected,
                    found,
                });
            }
            if !step.shape.agrees(&found) {
                differs = true;
                // A label at each position follows the positions that are fed.
                if let Some(data) = &mut facts.data
                    && step.role == Role::Data
                    && data.labels.as_ref() == Some(&data.shape)
                {
                    data.labels = Some(given.dims()[1..].to_vec());
                }
                facts
                    .shapes
                    .insert(step.name.clone(), given.dims()[1..].to_vec());
            }
        }
        let activations = plan.activations.saturating_mul(batch as u64);
        check_size(
            tr("one batch's activations", "一个批次的激活值"),
            activations,
            MAX_ACTIVATIONS,
        )?;
        if !differs {
            return Ok(());
        }
        let inference = infer(&self.graph, &facts);
        refuse_errors(&self.graph, &inference)?;
        for (key, spec) in inference
            .phase(phase)
            .nodes
            .values()
            .flat_map(|info| &info.params)
        {
            let known = self.params.get(key).map(|param| param.tensor.dims());
            if known != Some(spec.shape.as_slice()) {
                let expected = known.unwrap_or_default().to_vec();
                let found = spec.shape.clone();
                return Err(NetError::ParamShape {
                    key: key.clone(),
                    expected,
                    found,
                });
            }
        }
        // An input layer that states its shape keeps it, whatever is fed.
        for step in plan.steps.iter().filter(|step| step.role == Role::Input) {
            if let Some(given) = feed.inputs.get(&step.name)
                && let Some(node) = self.graph.node(step.node)
                && let Some(info) = inference.phase(phase).nodes.get(&node.id)
                && let Some(shape) = info.outputs.as_ref().and_then(|outputs| outputs.first())
                && !shape.agrees(&Shape::known(given.dims()))
            {
                return Err(NetError::FeedShape {
                    node: step.name.clone(),
                    expected: shape.clone(),
                    found: Shape::known(given.dims()),
                });
            }
        }
        Ok(())
    }
}

/// The first error of the graph, or of a node that could not be inferred.
fn refuse_errors(graph: &Graph, inference: &Inference) -> Result<(), NetError> {
    let name = |id: Option<NodeId>| Some(graph.node(id?)?.name.clone());
    if let Some(error) = inference
        .diagnostics
        .iter()
        .find(|d| d.severity() == Severity::Error)
    {
        let (node, message) = (name(error.node), error.message().to_owned());
        return Err(NetError::Graph { node, message });
    }
    for phase in Phase::BOTH {
        for (id, info) in &inference.phase(phase).nodes {
            let unknown = graph
                .node(*id)
                .is_some_and(|n| n.layer.spec().role == Role::Unknown);
            if info.outputs.is_none() || unknown {
                let why = inference.diagnostics.iter().find(|d| d.node == Some(*id));
                let why = why.or(inference.diagnostics.first());
                let message = why.map_or("", |d| d.message()).to_owned();
                return Err(NetError::Graph {
                    node: name(Some(*id)),
                    message,
                });
            }
        }
    }
    Ok(())
}

fn check_size(what: &'static str, numbers: u64, limit: u64) -> Result<(), NetError> {
    if numbers <= limit {
        return Ok(());
    }
    Err(NetError::TooLarge {
        what,
        gigabytes: numbers >> 28,
        limit: limit >> 28,
    })
}

fn plan(graph: &Graph, inference: &Inference, phase: Phase) -> Plan {
    let info = inference.phase(phase);
    let mut plan = Plan::default();
    for id in &info.order {
        let (Some(node), Some(known)) = (graph.node(*id), info.nodes.get(id)) else {
            continue;
        };
        let sources = (node.inputs_in(phase).0.iter().flatten())
            .filter_map(|wire| Some((*plan.by_name.get(&wire.node)?, wire.port)))
            .collect();
        plan.activations = plan.activations.saturating_add(known.activations);
        plan.by_name.insert(node.name.clone(), plan.steps.len());
        let shape = known.outputs.as_ref().and_then(|outputs| outputs.first());
        plan.steps.push(Step {
            node: *id,
            name: node.name.clone(),
            role: node.layer.spec().role,
            sources,
            keys: known.params.iter().map(|(key, _)| key.clone()).collect(),
            loss_weight: node.loss_weight(),
            shape: shape.cloned().unwrap_or_default(),
        });
    }
    plan
}

/// The first node that names a key says how it begins; multipliers too.
fn fill_params(
    graph: &Graph,
    inference: &Inference,
    config: &NetConfig,
) -> Result<BTreeMap<String, Param>, NetError> {
    let mut params = BTreeMap::new();
    for node in graph.nodes() {
        let Some(known) = inference.node(node.id) else {
            continue;
        };
        for (key, spec) in &known.params {
            if params.contains_key(key) {
                continue;
            }
            let tensor = filler::fill(spec, key, config.seed, config.dtype, &config.device)?;
            let multiplier = node.multiplier(spec.suffix);
            let (lr_mult, decay_mult) = (multiplier.lr, multiplier.decay);
            let param = Param {
                tensor,
                learnable: spec.learnable,
                lr_mult,
                decay_mult,
            };
            params.insert(key.clone(), param);
        }
    }
    Ok(params)
}
