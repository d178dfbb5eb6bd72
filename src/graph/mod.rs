//! The graph: nodes, wires, phases, groups; shape inference; cost and receptive field per node.
//!
//! Plain data in a deterministic order. A wire is written at its end: each node names the
//! outputs that it reads, and a name means the node of that name in the phase at hand, so one
//! wire may lead to a training source in one phase and to a test source in the other.
//! Any graph is allowed to exist, broken ones included; [`infer`] says what is wrong.
//! The layer trait lives here and particular layers do not.

mod diagnostic;
mod diff;
mod edit;
mod facts;
mod field;
mod filler;
mod group;
mod infer;
mod layer;
pub mod layout;
mod node;
mod pass;
mod receptive;
mod repeat;
mod search;
mod setting;
mod shape;
mod size;
mod spec;

pub use diagnostic::{Diagnostic, Problem, Severity};
pub use diff::{Change, Changed, GraphDiff, diff};
pub use edit::Fragment;
pub use facts::{DataFacts, Facts};
pub use field::{Choice, Field, FieldValue, FieldVisitor, out_of_range};
pub use filler::Filler;
pub use group::{Renaming, depth, is_in, leaf, parent, shared_group};
pub use infer::{Inference, NodeInfo, PhaseInfo, Totals, infer};
pub use layer::{
    Details, InferContext, Inferred, Layer, LayerObject, Metric, MetricKind, ParamSpec, Window,
    ron_options,
};
pub use node::{Inputs, Multiplier, Node, NodeId, Phase, Phases, PortRef};
pub use pass::{Context, Gradients, Passed, Value, gradient_or_zeros, only_gradient};
pub use receptive::ReceptiveField;
pub use repeat::Chain;
pub use search::{Found, search};
pub use setting::{Setting, apply, settings};
pub use shape::{PortType, Shape};
pub use size::Size;
pub use spec::{Family, InputPorts, LayerSpec, Port, Role};

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

/// A text box in the editor that belongs to no node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Comment {
    pub text: String,
    pub position: [f32; 2],
    pub size: [f32; 2],
}

/// From a node's output port to a node's input port.
pub type Wire = ((NodeId, usize), (NodeId, usize));

/// A network as a person draws it.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    nodes: Vec<Node>,
    next_id: u32,
    pub comments: Vec<Comment>,
    /// The groups that the editor shows as one box.
    pub folded: BTreeSet<String>,
}

/// Equal content; ids, which files do not keep, do not count.
impl PartialEq for Graph {
    fn eq(&self, other: &Self) -> bool {
        self.nodes == other.nodes && self.comments == other.comments && self.folded == other.folded
    }
}

impl Graph {
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    pub fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.iter().find(|node| node.id == id)
    }

    pub fn node_mut(&mut self, id: NodeId) -> Option<&mut Node> {
        self.nodes.iter_mut().find(|node| node.id == id)
    }

    /// The node that a name means in a phase; the first one where the name is not unique.
    pub fn named(&self, name: &str, phase: Phase) -> Option<&Node> {
        (self.nodes.iter()).find(|node| node.name == name && node.phases.contains(phase))
    }

    /// What the number of the metric of this name is.
    pub fn metric_kind(&self, name: &str) -> MetricKind {
        let node = self.named(name, Phase::Test);
        node.map(|node| node.layer.metric_kind())
            .unwrap_or_default()
    }

    /// Every wire of a phase whose source exists.
    pub fn wires(&self, phase: Phase) -> Vec<Wire> {
        let nodes = || self.nodes.iter().filter(|node| node.phases.contains(phase));
        // Of a name that is not unique the first node counts.
        let named: HashMap<&str, NodeId> = (nodes().rev())
            .map(|node| (node.name.as_str(), node.id))
            .collect();
        let mut wires = Vec::new();
        for node in nodes() {
            for (port, from) in node.inputs_in(phase).0.iter().enumerate() {
                if let Some(from) = from
                    && let Some(source) = named.get(from.node.as_str())
                {
                    wires.push(((*source, from.port), (node.id, port)));
                }
            }
        }
        wires
    }

    /// Every group that a node's name states, outer ones included.
    pub fn groups(&self) -> BTreeSet<String> {
        let mut groups = BTreeSet::new();
        for node in &self.nodes {
            let mut rest = node.name.as_str();
            while let Some((group, _)) = rest.rsplit_once('/') {
                groups.insert(group.to_owned());
                rest = group;
            }
        }
        groups
    }
}
