//! From a graph to a plan of the walk and filled parameters; what cannot run is refused.

use std::collections::BTreeMap;

use super::{Net, NetConfig, NetError, Param, filler};
use crate::graph::{Facts, Graph, Inference, NodeId, Phase, Role, Severity, Shape, infer};
use crate::i18n::tr;

/// More numbers than this in weights are refused, so that no file makes the program ask for
/// memory without bound: 4 GB in f32.
const MAX_PARAMS: u64 = 1 << 30;

#[derive(Debug, Default)]
pub(super) struct Plan {
    /// In the order of the walk.
    pub steps: Vec<Step>,
    pub by_name: BTreeMap<String, usize>,
    /// Numbers in all outputs of one example.
    pub activations: u64,
}

#[derive(Debug)]
pub(super) struct Step {
    pub node: NodeId,
    pub name: String,
    pub role: Role,
    /// Step and output port behind each input.
    pub sources: Vec<(usize, usize)>,
    /// Keys of the parameters, in the layer's order.
    pub keys: Vec<String>,
    /// The first output's factor in the objective.
    pub loss_weight: f64,
    /// The expected first output, for those that are fed.
    pub shape: Shape,
    /// For a ReLU, the step before it that can do its work too; see [`Layer::joins_relu`](crate::graph::Layer::joins_relu).
    pub joined_to: Option<usize>,
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
}

/// The first error of the graph, or of a node that could not be inferred.
pub(super) fn refuse_errors(graph: &Graph, inference: &Inference) -> Result<(), NetError> {
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

pub(super) fn check_size(what: &'static str, numbers: u64, limit: u64) -> Result<(), NetError> {
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
            joined_to: None,
        });
    }
    join_relus(graph, &mut plan);
    plan
}

/// Finds the ReLUs whose only source can do their work, and is read by nobody else.
fn join_relus(graph: &Graph, plan: &mut Plan) {
    let mut readers = vec![0; plan.steps.len()];
    for (source, _) in plan.steps.iter().flat_map(|step| &step.sources) {
        readers[*source] += 1;
    }
    let layer = |step: &Step| graph.node(step.node).map(|node| &node.layer);
    for index in 0..plan.steps.len() {
        if let [(source, 0)] = plan.steps[index].sources[..]
            && readers[source] == 1
            && layer(&plan.steps[index]).is_some_and(|layer| layer.is_relu())
            && layer(&plan.steps[source]).is_some_and(|layer| layer.joins_relu())
        {
            plan.steps[index].joined_to = Some(source);
        }
    }
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
