//! A node: one layer in its place in the graph.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Layer, ParamSpec};
use crate::i18n::Text;

/// Identifies a node while the program runs: kept by edits and undo, not written to files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

/// What a pass through the network is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    Train,
    Test,
}

impl Phase {
    pub const BOTH: [Self; 2] = [Self::Train, Self::Test];

    pub fn text(self) -> Text {
        match self {
            Self::Train => Text::new("train", "训练"),
            Self::Test => Text::new("test", "测试"),
        }
    }
}

/// The phases that a node takes part in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phases {
    #[default]
    Both,
    Train,
    Test,
}

impl Phases {
    pub const ALL: [Self; 3] = [Self::Both, Self::Train, Self::Test];

    pub fn contains(self, phase: Phase) -> bool {
        match self {
            Self::Both => true,
            Self::Train => phase == Phase::Train,
            Self::Test => phase == Phase::Test,
        }
    }

    /// Its phases, training first.
    pub fn each(self) -> impl Iterator<Item = Phase> {
        Phase::BOTH
            .into_iter()
            .filter(move |phase| self.contains(*phase))
    }

    pub fn overlaps(self, other: Self) -> bool {
        Phase::BOTH
            .iter()
            .any(|&phase| self.contains(phase) && other.contains(phase))
    }

    pub fn text(self) -> Text {
        match self {
            Self::Both => Text::new("both", "两者"),
            Self::Train => Phase::Train.text(),
            Self::Test => Phase::Test.text(),
        }
    }
}

/// An output of a node, by the node's name; written `NAME`, or `NAME:PORT` for a later port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRef {
    pub node: String,
    pub port: usize,
}

impl PortRef {
    pub fn new(node: impl Into<String>, port: usize) -> Self {
        Self {
            node: node.into(),
            port,
        }
    }

    /// Reads `NAME` or `NAME:PORT`; what follows a colon and is no number belongs to the name.
    pub fn parse(text: &str) -> Self {
        if let Some((node, port)) = text.rsplit_once(':')
            && let Ok(port) = port.parse()
        {
            return Self::new(node, port);
        }
        Self::new(text, 0)
    }
}

impl fmt::Display for PortRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A name that would be read as something else (empty, or `x:1`) keeps its port.
        let plain = self.port == 0 && !self.node.is_empty() && !self.node.contains(':');
        match plain {
            true => f.write_str(&self.node),
            false => write!(f, "{}:{}", self.node, self.port),
        }
    }
}

/// What is wired to each input port, in order; `None` (in files `""`) is unconnected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inputs(pub Vec<Option<PortRef>>);

impl Inputs {
    pub fn get(&self, port: usize) -> Option<&PortRef> {
        self.0.get(port).and_then(Option::as_ref)
    }

    /// Wires `port`, growing the list when needed and dropping unconnected ports at its end.
    pub fn set(&mut self, port: usize, from: Option<PortRef>) {
        if self.0.len() <= port {
            self.0.resize(port + 1, None);
        }
        self.0[port] = from;
        self.trim();
    }

    /// Takes a port out; those after it move up.
    pub fn remove(&mut self, port: usize) {
        if port < self.0.len() {
            self.0.remove(port);
        }
        self.trim();
    }

    /// Leads every wire elsewhere or nowhere; the ports keep their places.
    pub fn rewire(&mut self, to: impl Fn(&PortRef) -> Option<PortRef>) {
        for slot in &mut self.0 {
            *slot = slot.as_ref().and_then(&to);
        }
        self.trim();
    }

    fn trim(&mut self) {
        while self.0.last().is_some_and(Option::is_none) {
            self.0.pop();
        }
    }
}

impl Serialize for Inputs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = |from: &Option<PortRef>| from.as_ref().map_or(String::new(), PortRef::to_string);
        serializer.collect_seq(self.0.iter().map(text))
    }
}

impl<'de> Deserialize<'de> for Inputs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        let wire = |text: &String| (!text.is_empty()).then(|| PortRef::parse(text));
        Ok(Self(texts.iter().map(wire).collect()))
    }
}

/// Factors on the solver's learning rate and weight decay for one parameter (Caffe's
/// `lr_mult` and `decay_mult`).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Multiplier {
    #[serde(default = "one")]
    pub lr: f64,
    #[serde(default = "one")]
    pub decay: f64,
}

fn one() -> f64 {
    1.0
}

impl Default for Multiplier {
    fn default() -> Self {
        Self {
            lr: 1.0,
            decay: 1.0,
        }
    }
}

/// One layer in its place.
#[derive(Debug)]
pub struct Node {
    pub id: NodeId,
    /// Unique per phase; `/` separates groups, and `.` and `:` are not allowed.
    pub name: String,
    pub layer: Box<dyn Layer>,
    pub inputs: Inputs,
    /// The wires of the test phase, where they differ from `inputs`.
    pub test_inputs: Option<Inputs>,
    pub phases: Phases,
    /// The prefix of the parameters' keys; by default the name with `/` turned into `.`.
    pub key: Option<String>,
    /// By parameter suffix (`weight`, `bias`).
    pub multipliers: BTreeMap<String, Multiplier>,
    /// The factor on a loss in the objective; by default 1 for a loss layer, else 0.
    pub loss_weight: Option<f64>,
    /// Left and top corner in the editor, in points.
    pub position: [f32; 2],
    /// A person's note about this node.
    pub comment: String,
    /// What Caffe's definition says of it and nothing here means, as prototxt.
    pub caffe: String,
}

impl Node {
    pub fn new(name: impl Into<String>, layer: Box<dyn Layer>) -> Self {
        Self {
            id: NodeId::default(),
            name: name.into(),
            layer,
            inputs: Inputs::default(),
            test_inputs: None,
            phases: Phases::Both,
            key: None,
            multipliers: BTreeMap::new(),
            loss_weight: None,
            position: [0.0; 2],
            comment: String::new(),
            caffe: String::new(),
        }
    }

    /// The wires in force in this phase.
    pub fn inputs_in(&self, phase: Phase) -> &Inputs {
        match (&self.test_inputs, phase) {
            (Some(inputs), Phase::Test) => inputs,
            _ => &self.inputs,
        }
    }

    /// Every list of wires that the node has.
    pub fn all_inputs_mut(&mut self) -> impl Iterator<Item = &mut Inputs> {
        std::iter::once(&mut self.inputs).chain(&mut self.test_inputs)
    }

    /// The key of the parameter with this suffix; nodes with equal keys share the parameter.
    pub fn param_key(&self, suffix: &str) -> String {
        match &self.key {
            Some(key) => format!("{key}.{suffix}"),
            None => format!("{}.{suffix}", self.name.replace('/', ".")),
        }
    }

    pub fn multiplier(&self, suffix: &str) -> Multiplier {
        self.multipliers.get(suffix).copied().unwrap_or_default()
    }

    /// Whether it has something to learn, and none of it is trained; `params` are the node's.
    pub fn is_frozen(&self, params: &[(String, ParamSpec)]) -> bool {
        let mut learnable = params.iter().filter(|(_, spec)| spec.learnable).peekable();
        learnable.peek().is_some()
            && learnable.all(|(_, spec)| self.multiplier(spec.suffix).lr == 0.0)
    }

    /// The factor on this node's first output in the objective.
    pub fn loss_weight(&self) -> f64 {
        let usual = if self.layer.spec().role == super::Role::Loss {
            1.0
        } else {
            0.0
        };
        self.loss_weight.unwrap_or(usual)
    }

    /// The group that the node is in, `None` at the top: `inception_3a` for `inception_3a/1x1`.
    pub fn group(&self) -> Option<&str> {
        self.name.rsplit_once('/').map(|(group, _)| group)
    }
}

impl Clone for Node {
    fn clone(&self) -> Self {
        Self {
            id: self.id,
            name: self.name.clone(),
            layer: self.layer.clone_layer(),
            inputs: self.inputs.clone(),
            test_inputs: self.test_inputs.clone(),
            phases: self.phases,
            key: self.key.clone(),
            multipliers: self.multipliers.clone(),
            loss_weight: self.loss_weight,
            position: self.position,
            comment: self.comment.clone(),
            caffe: self.caffe.clone(),
        }
    }
}

/// Equal content; the id, which files do not keep, does not count.
impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
            && self.layer.same_as(&*other.layer)
            && self.inputs == other.inputs
            && self.test_inputs == other.test_inputs
            && self.phases == other.phases
            && self.key == other.key
            && self.multipliers == other.multipliers
            && self.loss_weight == other.loss_weight
            && self.position == other.position
            && self.comment == other.comment
            && self.caffe == other.caffe
    }
}
