//! Shape inference: total for every graph. What can be known is said, what is wrong becomes a
//! [`Diagnostic`] at the node that has it, and nodes behind a broken one are silent.

use std::collections::{BTreeMap, BTreeSet};

use super::diagnostic::{Diagnostic, Problem};
use super::layer::{InferContext, Inferred, ParamSpec, Role};
use super::receptive::ReceptiveField;
use super::{Graph, Inputs, Node, NodeId, Phase, Shape, Wire};
use crate::i18n::tr_format;

/// What inference may know of the data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataFacts {
    /// One example after preprocessing: channels, height, width of an image; T of a text.
    pub shape: Vec<usize>,
    pub classes: Option<usize>,
    /// The shape of one example's labels: empty for one class, T for one at each position;
    /// `None` where the data have no classes.
    pub labels: Option<Vec<usize>>,
    /// Real-valued targets of one example; `None` where the data have none.
    pub targets: Option<usize>,
}

impl DataFacts {
    /// Examples of this shape, each of one class.
    pub fn classified(shape: impl Into<Vec<usize>>, classes: usize) -> Self {
        Self {
            shape: shape.into(),
            classes: Some(classes),
            labels: Some(Vec::new()),
            targets: None,
        }
    }
}

/// What the graph itself does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    pub data: Option<DataFacts>,
    /// One example's shape, by the name of a data or input node; goes before `data`.
    pub shapes: BTreeMap<String, Vec<usize>>,
}

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

fn check_nodes(graph: &Graph, diagnostics: &mut Vec<Diagnostic>) {
    for (index, node) in graph.nodes().iter().enumerate() {
        let mut report = |problem| {
            diagnostics.push(Diagnostic {
                node: Some(node.id),
                problem,
            })
        };
        if let Some(problem) = bad_name(&node.name) {
            report(problem);
        }
        let twin = graph.nodes()[..index]
            .iter()
            .any(|other| other.name == node.name && other.phases.overlaps(node.phases));
        if twin {
            let name = &node.name;
            report(Problem::DuplicateName(tr_format!(
                "another node is named “{name}” in the same phase; give one of them another name",
                "同一阶段已有名为“{name}”的节点；请给其中一个改名"
            )));
        }
        super::field::out_of_range(&*node.layer)
            .into_iter()
            .for_each(report);
    }
}

fn bad_name(name: &str) -> Option<Problem> {
    let parts_are_named = name.split('/').all(|part| !part.trim().is_empty());
    let forbidden = |c: char| c == '.' || c == ':' || c == '"' || c.is_control();
    (!parts_are_named || name.contains(forbidden)).then(|| {
        Problem::BadName(tr_format!(
            "“{name}” cannot be a name: it must not be empty, hold . : or \", or have an empty part around /",
            "“{name}”不能作为名称：名称不能为空，不能含有 . : 或 \"，/ 两侧也不能为空"
        ))
    })
}

/// The nodes of a phase, each after those that it reads, and those that are on a circle.
fn topological_order(graph: &Graph, phase: Phase) -> (Vec<NodeId>, BTreeSet<NodeId>) {
    let wires = graph.wires(phase);
    let members: Vec<NodeId> = (graph.nodes().iter())
        .filter(|node| node.phases.contains(phase))
        .map(|node| node.id)
        .collect();
    let mut waiting: BTreeMap<NodeId, usize> = members.iter().map(|id| (*id, 0)).collect();
    let mut readers: BTreeMap<NodeId, Vec<NodeId>> = BTreeMap::new();
    for (from, to) in &wires {
        *waiting.entry(to.0).or_default() += 1;
        readers.entry(from.0).or_default().push(to.0);
    }
    // A ready node is taken in the file's order, so that the order is the same every time.
    let rank: BTreeMap<NodeId, usize> =
        members.iter().enumerate().map(|(i, id)| (*id, i)).collect();
    let mut ready: BTreeSet<(usize, NodeId)> = (members.iter())
        .filter(|id| waiting[id] == 0)
        .map(|id| (rank[id], *id))
        .collect();
    let mut order = Vec::with_capacity(members.len());
    while let Some((_, id)) = ready.pop_first() {
        order.push(id);
        for reader in readers.get(&id).into_iter().flatten() {
            let left = waiting.entry(*reader).or_default();
            *left -= 1;
            if *left == 0 {
                ready.insert((rank[reader], *reader));
            }
        }
    }
    let placed: BTreeSet<NodeId> = order.iter().copied().collect();
    let left: BTreeSet<NodeId> = members
        .into_iter()
        .filter(|id| !placed.contains(id))
        .collect();
    (order, on_a_circle(left, &wires))
}

/// Of the nodes that could not be ordered, those that are on a circle and not only behind one.
fn on_a_circle(mut left: BTreeSet<NodeId>, wires: &[Wire]) -> BTreeSet<NodeId> {
    loop {
        let read: BTreeSet<NodeId> = (wires.iter())
            .filter(|(_, to)| left.contains(&to.0))
            .map(|(from, _)| from.0)
            .collect();
        let kept: BTreeSet<NodeId> = left.intersection(&read).copied().collect();
        if kept.len() == left.len() {
            return left;
        }
        left = kept;
    }
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

/// What a wire from a data layer asks of data that do not have it.
fn absent(data: &DataFacts, source: &Node, port: usize) -> Option<Problem> {
    if source.layer.spec().role != Role::Data {
        return None;
    }
    let name = &source.name;
    match port {
        1 if data.labels.is_none() => Some(Problem::Missing(tr_format!(
            "this reads the labels of “{name}”, but the data set has no classes; read its targets instead, or choose data with classes",
            "此处读取“{name}”的标签，但数据集没有类别；请改接其 target 输出，或选择带类别的数据"
        ))),
        2 if data.targets.is_none() => Some(Problem::Missing(tr_format!(
            "this reads the real-valued targets of “{name}”, but the data set has none; name the columns that are targets in the project's data settings, or read its labels",
            "此处读取“{name}”的实数目标值，但数据集没有目标值；请在项目的数据设置中指定目标列，或改接其 label 输出"
        ))),
        _ => None,
    }
}

/// The node and port at the other end of every wire; whatever is wrong with the wires is
/// reported, and then fewer may come back than the layer needs.
fn wired_inputs<'a>(
    node: &Node,
    inputs: &Inputs,
    by_name: &BTreeMap<&str, &'a Node>,
    problems: &mut Vec<Problem>,
) -> Vec<(&'a Node, usize)> {
    let ports = node.layer.inputs();
    let mut sources = Vec::new();
    for index in 0..ports.required.max(inputs.0.len()) {
        let Some(port) = ports.port(index) else {
            problems.push(Problem::DanglingWire(tr_format!(
                "there is no input {index} on this layer; remove the wire",
                "该层没有第 {index} 个输入；请删除这条连线"
            )));
            continue;
        };
        let name = port.name;
        let Some(wire) = inputs.get(index) else {
            problems.push(Problem::Unconnected(tr_format!(
                "the input “{name}” is not connected; drag a wire to it",
                "输入“{name}”未连接；请拖一条连线过来"
            )));
            continue;
        };
        let source = by_name.get(wire.node.as_str());
        let output = source.and_then(|source| source.layer.outputs().get(wire.port));
        match (source, output) {
            (Some(source), Some(output)) if port.kind.accepts(output.kind) => {
                sources.push((*source, wire.port));
            }
            (Some(_), Some(output)) => {
                let (wants, gets) = (port.kind.text(), output.kind.text());
                problems.push(Problem::PortType(tr_format!(
                    "the input “{name}” takes {wants}, but “{wire}” gives {gets}",
                    "输入“{name}”需要{wants}，而“{wire}”给出的是{gets}"
                )));
            }
            (Some(_), None) => problems.push(Problem::DanglingWire(tr_format!(
                "the input “{name}” reads “{wire}”, but that node has no such output",
                "输入“{name}”读取“{wire}”，但该节点没有这个输出"
            ))),
            (None, _) => problems.push(Problem::DanglingWire(tr_format!(
                "the input “{name}” reads “{wire}”, but there is no such node in this phase",
                "输入“{name}”读取“{wire}”，但此阶段没有这个节点"
            ))),
        }
    }
    sources
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

/// Equal keys must mean equal shapes; multipliers must name a parameter.
fn check_keys(graph: &Graph, inference: &mut Inference) {
    let mut first: BTreeMap<&str, (&Node, &ParamSpec)> = BTreeMap::new();
    let mut found = Vec::new();
    for phase in Phase::BOTH {
        let info = inference.phase(phase);
        for node in graph.nodes() {
            let Some(known) = info.nodes.get(&node.id) else {
                continue;
            };
            for (key, spec) in &known.params {
                let (other, earlier) = *first.entry(key).or_insert((node, spec));
                if earlier.shape != spec.shape {
                    let (a, b, name) = (&earlier.shape, &spec.shape, &other.name);
                    let problem = Problem::KeyConflict(tr_format!(
                        "the parameter “{key}” has the shape {b:?} here and {a:?} at “{name}”; shared parameters need one shape",
                        "参数“{key}”在此处的形状为 {b:?}，在“{name}”处为 {a:?}；共享参数的形状必须一致"
                    ));
                    found.push(Diagnostic {
                        node: Some(node.id),
                        problem,
                    });
                }
            }
            if known.outputs.is_some() {
                for suffix in node.multipliers.keys() {
                    if !known.params.iter().any(|(_, spec)| spec.suffix == suffix) {
                        let problem = Problem::NoEffect(tr_format!(
                            "the multiplier for “{suffix}” has no effect: the layer has no such parameter",
                            "“{suffix}”的倍率不起作用：该层没有这个参数"
                        ));
                        found.push(Diagnostic {
                            node: Some(node.id),
                            problem,
                        });
                    }
                }
            }
        }
    }
    inference.diagnostics.extend(found);
}

/// Where a network has a loss, a layer that nobody reads in either phase is probably a mistake.
fn check_unused(graph: &Graph, inference: &mut Inference) {
    let role = |node: &Node| node.layer.spec().role;
    if !graph.nodes().iter().any(|node| role(node) == Role::Loss) {
        return;
    }
    let mut read = BTreeSet::new();
    for phase in Phase::BOTH {
        read.extend(graph.wires(phase).into_iter().map(|(from, _)| from.0));
    }
    for node in graph.nodes() {
        let could_be_read = !matches!(role(node), Role::Loss | Role::Metric | Role::Unknown)
            && !node.layer.outputs().is_empty();
        if could_be_read && !read.contains(&node.id) {
            let problem = Problem::Unused(tr_format!(
                "nobody reads the output of this node",
                "该节点的输出没有被任何节点读取"
            ));
            inference.diagnostics.push(Diagnostic {
                node: Some(node.id),
                problem,
            });
        }
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
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for phase in Phase::BOTH {
        let params = inference
            .phase(phase)
            .nodes
            .values()
            .flat_map(|known| &known.params);
        for (key, spec) in params.filter(|(_, spec)| spec.learnable) {
            counts.insert(key, spec.count() as u64);
        }
    }
    totals.params = counts
        .values()
        .fold(0, |sum, count| sum.saturating_add(*count));
    totals
}
