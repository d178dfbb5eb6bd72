//! Shape inference: total for every graph. What can be known is said, what is wrong becomes a
//! [`Diagnostic`] at the node that has it, and nodes behind a broken one are silent.

mod check;
mod order;
mod wires;

use std::collections::BTreeMap;

use super::diagnostic::{Diagnostic, Problem};
use super::layer::{InferContext, Inferred, ParamSpec};
use super::receptive::ReceptiveField;
use super::{Facts, Graph, Node, NodeId, Phase, Role, Shape};
use crate::i18n::tr_format;
use check::{check_keys, check_nodes, check_unused};
use order::topological_order;
use wires::{absent, wired_inputs};

/// What is known of a node in one phase.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeInfo {
    /// `None` when the node, or one that it reads, is broken.
    pub outputs: Option<Vec<Shape>>,
    /// With their keys, in the layer's order.
    pub params: Vec<(String, ParamSpec)>,
    /// Multiply-adds per example.
    pub macs: Option<u64>,
    /// Units with weights of their own, counted as in Krizhevsky et al. 2012: the outputs of
    /// one example where the layer has learnable parameters, else 0.
    pub neurons: u64,
    /// Numbers in the outputs of one example.
    pub activations: u64,
    /// Of the first output.
    pub field: Option<ReceptiveField>,
    /// Height and width of the map in whose places `field` is counted.
    extent: Option<[usize; 2]>,
}

impl NodeInfo {
    /// Learnable numbers, shared ones included.
    pub fn param_count(&self) -> u64 {
        let learnable = self.params.iter().filter(|(_, spec)| spec.learnable);
        learnable.fold(0, |sum: u64, (_, spec)| {
            sum.saturating_add(spec.count() as u64)
        })
    }
}

/// What is known of the graph in one phase.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PhaseInfo {
    /// Every node after those that it reads; nodes on or behind a circle are left out.
    pub order: Vec<NodeId>,
    pub nodes: BTreeMap<NodeId, NodeInfo>,
}

/// Sums over the graph; each node once, whatever its phases, each shared key once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub params: u64,
    /// Those of the test phase: fewer where heads exist in training only, as in GoogLeNet.
    pub test_params: u64,
    pub neurons: u64,
    /// Multiply-adds per example, of the nodes where they are known.
    pub macs: u64,
    /// Numbers in all outputs of one example.
    pub activations: u64,
}

/// Everything that is known of a graph without running it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inference {
    pub train: PhaseInfo,
    pub test: PhaseInfo,
    pub totals: Totals,
    pub diagnostics: Vec<Diagnostic>,
}

impl Inference {
    pub fn phase(&self, phase: Phase) -> &PhaseInfo {
        match phase {
            Phase::Train => &self.train,
            Phase::Test => &self.test,
        }
    }

    /// The node in the first phase that it takes part in.
    pub fn node(&self, id: NodeId) -> Option<&NodeInfo> {
        self.train
            .nodes
            .get(&id)
            .or_else(|| self.test.nodes.get(&id))
    }

    pub fn has_errors(&self) -> bool {
        self.diagnostics
            .iter()
            .any(|d| d.severity() == super::Severity::Error)
    }
}

/// Infers shapes, costs and problems for both phases.
pub fn infer(graph: &Graph, facts: &Facts) -> Inference {
    let mut diagnostics = Vec::new();
    check_nodes(graph, &mut diagnostics);
    let train = infer_phase(graph, facts, Phase::Train, &mut diagnostics);
    let test = infer_phase(graph, facts, Phase::Test, &mut diagnostics);
    let mut inference = Inference {
        train,
        test,
        totals: Totals::default(),
        diagnostics,
    };
    check_keys(graph, &mut inference);
    check_unused(graph, &mut inference);
    inference.totals = totals(graph, &inference);
    let mut seen: Vec<Diagnostic> = Vec::new();
    for diagnostic in inference.diagnostics.drain(..) {
        if !seen.contains(&diagnostic) {
            seen.push(diagnostic);
        }
    }
    inference.diagnostics = seen;
    inference
}

fn infer_phase(
    graph: &Graph,
    facts: &Facts,
    phase: Phase,
    diagnostics: &mut Vec<Diagnostic>,
) -> PhaseInfo {
    let (order, circle) = topological_order(graph, phase);
    for id in circle {
        let problem = Problem::Cycle(tr_format!(
            "this node reads its own output through a circle of wires; remove one of them",
            "该节点经一圈连线读取了自己的输出；请断开其中一条"
        ));
        diagnostics.push(Diagnostic {
            node: Some(id),
            problem,
        });
    }
    let mut info = PhaseInfo {
        order: order.clone(),
        nodes: BTreeMap::new(),
    };
    for node in graph
        .nodes()
        .iter()
        .filter(|node| node.phases.contains(phase))
    {
        info.nodes.insert(node.id, NodeInfo::default());
    }
    let by_name: BTreeMap<&str, &Node> = (graph.nodes().iter().rev())
        .filter(|node| node.phases.contains(phase))
        .map(|node| (node.name.as_str(), node))
        .collect();
    for id in order {
        let Some(node) = graph.node(id) else { continue };
        let mut problems = Vec::new();
        let known = infer_node(node, facts, phase, &by_name, &info, &mut problems);
        diagnostics.extend(problems.into_iter().map(|problem| Diagnostic {
            node: Some(id),
            problem,
        }));
        if let Some(known) = known {
            info.nodes.insert(id, known);
        }
    }
    info
}

fn infer_node(
    node: &Node,
    facts: &Facts,
    phase: Phase,
    by_name: &BTreeMap<&str, &Node>,
    info: &PhaseInfo,
    problems: &mut Vec<Problem>,
) -> Option<NodeInfo> {
    let sources = wired_inputs(node, node.inputs_in(phase), by_name, problems);
    let data = facts.data.as_ref();
    problems.extend((sources.iter()).filter_map(|(source, port)| absent(data?, source, *port)));
    if node.layer.spec().role == Role::Unknown {
        let kind = node.layer.title();
        problems.push(Problem::UnknownLayer(tr_format!(
            "the layer type “{kind}” is not known here; it is kept as it is and cannot run",
            "未知的层类型“{kind}”；原样保留，但无法运行"
        )));
    }
    let mut sound = problems
        .iter()
        .all(|p| p.severity() != super::Severity::Error);
    sound &= super::field::out_of_range(&*node.layer).is_empty();
    let upstream: Vec<(&NodeInfo, usize)> = (sources.iter())
        .filter_map(|(source, port)| Some((info.nodes.get(&source.id)?, *port)))
        .collect();
    let shapes: Vec<&Shape> = (upstream.iter())
        .filter_map(|(source, port)| source.outputs.as_ref()?.get(*port))
        .collect();
    if !sound || shapes.len() != sources.len() {
        return None;
    }
    let example = facts
        .shapes
        .get(&node.name)
        .or(data.map(|data| &data.shape));
    let context = InferContext {
        phase,
        classes: data.and_then(|data| data.classes),
        data,
        example: example.map(Vec::as_slice),
    };
    match node.layer.infer(&context, &shapes) {
        Ok(inferred) => Some(describe(node, inferred, &upstream)),
        Err(problem) => {
            problems.push(problem);
            None
        }
    }
}

fn describe(node: &Node, inferred: Inferred, upstream: &[(&NodeInfo, usize)]) -> NodeInfo {
    let params: Vec<(String, ParamSpec)> = (inferred.params.into_iter())
        .map(|spec| (node.param_key(spec.suffix), spec))
        .collect();
    let activations = (inferred.outputs.iter())
        .filter_map(Shape::per_example)
        .fold(0u64, |sum, count| sum.saturating_add(count as u64));
    let learns = params.iter().any(|(_, spec)| spec.learnable);
    let spatial = |shape: &Shape| match shape.rank() {
        4 => Some([shape.dim(2)?, shape.dim(3)?]),
        _ => None,
    };
    let is_source = matches!(node.layer.spec().role, Role::Data | Role::Input);
    let field = if is_source {
        (inferred
            .outputs
            .first()
            .is_some_and(|shape| shape.rank() == 4))
        .then_some(ReceptiveField::PIXEL)
    } else {
        (upstream.iter())
            .filter_map(|(source, _)| source.field?.through(inferred.window, source.extent))
            .reduce(|a, b| a.union(&b))
    };
    // A flattened map keeps the places of the map that it was made from.
    let inherited = upstream.iter().find_map(|(source, _)| source.extent);
    let extent = match inferred.window {
        super::Window::Whole => Some([1, 1]),
        _ => inferred.outputs.first().and_then(spatial).or(inherited),
    };
    NodeInfo {
        macs: inferred.macs,
        neurons: if learns { activations } else { 0 },
        activations,
        field,
        extent,
        params,
        outputs: Some(inferred.outputs),
    }
}

fn totals(graph: &Graph, inference: &Inference) -> Totals {
    let mut totals = Totals::default();
    for node in graph.nodes() {
        let Some(known) = inference.node(node.id) else {
            continue;
        };
        totals.neurons = totals.neurons.saturating_add(known.neurons);
        totals.macs = totals.macs.saturating_add(known.macs.unwrap_or(0));
        totals.activations = totals.activations.saturating_add(known.activations);
    }
    let mut counts: BTreeMap<&str, (u64, Vec<Phase>)> = BTreeMap::new();
    for phase in Phase::BOTH {
        let params = inference
            .phase(phase)
            .nodes
            .values()
            .flat_map(|known| &known.params);
        for (key, spec) in params.filter(|(_, spec)| spec.learnable) {
            let (count, phases) = counts.entry(key).or_default();
            *count = spec.count() as u64;
            phases.push(phase);
        }
    }
    for (count, phases) in counts.values() {
        totals.params = totals.params.saturating_add(*count);
        if phases.contains(&Phase::Test) {
            totals.test_params = totals.test_params.saturating_add(*count);
        }
    }
    totals
}
