//! The graph of a phase as lines of Python.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::ScriptError;
use super::helpers::Helper;
use super::layers::Site;
use super::losses;
use super::modules::{Modules, Refusal};
use super::text::{Variables, comment, literal, number};
use crate::graph::{Graph, Inference, Node, NodeInfo, ParamSpec, Phase, PortRef, Role};

/// What the data layers hand on, by output port, as parameters of `forward` and `loss`.
const DATA_PORTS: [&str; 3] = ["data", "label", "target"];

/// A graph on its way into Python.
pub(super) struct Walk<'a> {
    graph: &'a Graph,
    inference: &'a Inference,
    pub modules: Modules,
    helpers: BTreeSet<Helper>,
}

/// The lines of one function, and what they read and leave.
pub(super) struct Body {
    pub parameters: Vec<String>,
    pub lines: String,
    /// The outputs that nobody reads, by node name, and their variables.
    outputs: Vec<(String, String)>,
    /// Every output with its variable.
    variables: BTreeMap<PortRef, String>,
}

impl Body {
    pub fn returned(&self) -> String {
        match &self.outputs[..] {
            [] => "        return {}\n".to_owned(),
            [(_, variable)] => format!("        return {variable}\n"),
            several => {
                let entry =
                    |(name, variable): &(String, String)| format!("{}: {variable}", literal(name));
                let entries: Vec<String> = several.iter().map(entry).collect();
                format!("        return {{{}}}\n", entries.join(", "))
            }
        }
    }
}

impl<'a> Walk<'a> {
    /// Finds a submodule for every node; the first node that cannot have one is an error.
    pub fn new(graph: &'a Graph, inference: &'a Inference) -> Result<Self, ScriptError> {
        let mut walk = Self {
            graph,
            inference,
            modules: Modules::default(),
            helpers: BTreeSet::new(),
        };
        for phase in [Phase::Train, Phase::Test] {
            for node in walk.nodes(phase) {
                walk.take(node, phase)?;
            }
        }
        let keys: Vec<String> = walk.params().into_keys().collect();
        if let Some(key) = walk.modules.clash(&keys) {
            return Err(ScriptError::Key {
                node: key.clone(),
                key,
            });
        }
        Ok(walk)
    }

    fn take(&mut self, node: &'a Node, phase: Phase) -> Result<(), ScriptError> {
        let refused = || ScriptError::Layer {
            node: node.name.clone(),
            kind: node.layer.title().to_owned(),
        };
        let site = self.site(node, phase, Vec::new()).ok_or_else(refused)?;
        match node.layer.spec().role {
            Role::Unknown => return Err(refused()),
            Role::Loss => {
                let (_, helpers) = losses::loss(&site).ok_or_else(refused)?;
                if phase == Phase::Train {
                    self.helpers.extend(helpers);
                }
                return Ok(());
            }
            Role::Data | Role::Input | Role::Metric => return Ok(()),
            Role::Layer if node.layer.outputs().is_empty() => return Ok(()),
            Role::Layer => {}
        }
        // The inputs' names do not matter yet.
        let args = vec!["x".to_owned(); site.shapes.len()];
        let site = Site { args, ..site };
        let written = site.written().ok_or_else(refused)?;
        self.helpers.extend(written.helpers);
        let Some(made) = written.module else {
            return Ok(());
        };
        let key = key_of(node);
        let added = self.modules.add((&key, &node.name), node.group(), &made);
        added.map_err(|refusal| match refusal {
            Refusal::Key => ScriptError::Key {
                node: node.name.clone(),
                key,
            },
            Refusal::Shared(other) => ScriptError::Shared {
                node: node.name.clone(),
                other,
            },
        })
    }

    fn nodes(&self, phase: Phase) -> Vec<&'a Node> {
        let order = &self.inference.phase(phase).order;
        order.iter().filter_map(|id| self.graph.node(*id)).collect()
    }

    fn info(&self, node: &Node, phase: Phase) -> Option<&'a NodeInfo> {
        self.inference.phase(phase).nodes.get(&node.id)
    }

    /// A node with what it reads; `None` where that is not known.
    fn site(&self, node: &'a Node, phase: Phase, args: Vec<String>) -> Option<Site<'a>> {
        let info = self.info(node, phase)?;
        let mut shapes = Vec::new();
        for wire in node.inputs_in(phase).0.iter().flatten() {
            let source = self.info(self.graph.named(&wire.node, phase)?, phase)?;
            shapes.push(source.outputs.as_ref()?.get(wire.port)?);
        }
        Some(Site {
            layer: &*node.layer,
            args,
            shapes,
            outputs: info.outputs.as_ref()?,
            params: &info.params,
            module: self.modules.path("self", &key_of(node)),
        })
    }

    pub fn helpers(&self) -> BTreeSet<Helper> {
        self.helpers.clone()
    }

    /// Every parameter by its key, as the first node that has it says.
    fn params(&self) -> BTreeMap<String, (&'a Node, &'a ParamSpec)> {
        let mut params = BTreeMap::new();
        for node in self.graph.nodes() {
            let known = self.inference.node(node.id);
            for (key, spec) in known.map_or(&[][..], |known| &known.params) {
                params.entry(key.clone()).or_insert((node, spec));
            }
        }
        params
    }

    /// A line for each learned parameter that says how it begins.
    pub fn fillers(&self, helpers: &mut BTreeSet<Helper>) -> String {
        let mut lines = String::new();
        let mut done = BTreeSet::new();
        for node in self.graph.nodes() {
            let known = self.inference.node(node.id);
            for (key, spec) in known.map_or(&[][..], |known| &known.params) {
                if !spec.learnable || !done.insert(key.clone()) {
                    continue;
                }
                let target = self.modules.path("net", &key_of(node));
                let (line, helper) = losses::fill(&format!("{target}.{}", spec.suffix), spec);
                helpers.extend(helper);
                _ = writeln!(lines, "    {line}");
            }
        }
        lines
    }

    /// Factors on learning rate and weight decay that are not 1, by parameter.
    pub fn multipliers(&self) -> BTreeMap<String, (f64, f64)> {
        let params = self.params();
        let factors = params.iter().filter(|(_, (_, spec))| spec.learnable);
        let factors = factors.map(|(key, (node, spec))| {
            let multiplier = node.multiplier(spec.suffix);
            (key.clone(), (multiplier.lr, multiplier.decay))
        });
        factors
            .filter(|(_, factors)| *factors != (1.0, 1.0))
            .collect()
    }

    /// How many tensors `forward` must be given.
    pub fn input_count(&self) -> usize {
        let is_input = |node: &&&Node| node.layer.spec().role == Role::Input;
        let nodes = self.nodes(Phase::Test);
        let inputs = nodes.iter().filter(is_input).count();
        let has_data = nodes
            .iter()
            .any(|node| node.layer.spec().role == Role::Data);
        (inputs + usize::from(has_data)).max(1)
    }

    /// Losses of the training phase that count, with their factors.
    fn losses(&self) -> Vec<&'a Node> {
        let nodes = self.nodes(Phase::Train).into_iter();
        nodes
            .filter(|node| node.layer.spec().role == Role::Loss && node.loss_weight() != 0.0)
            .collect()
    }

    pub fn has_loss(&self) -> bool {
        !self.losses().is_empty()
    }

    /// The outputs that no layer reads on: what the network answers.
    fn answers(&self, phase: Phase) -> Vec<&'a Node> {
        let gives = |node: &&Node| {
            node.layer.spec().role == Role::Layer && !node.layer.outputs().is_empty()
        };
        let nodes = self.nodes(phase);
        let read: BTreeSet<&str> = (nodes.iter().filter(|node| gives(node)))
            .flat_map(|node| node.inputs_in(phase).0.iter().flatten())
            .map(|wire| wire.node.as_str())
            .collect();
        let answers = nodes.iter().copied().filter(gives);
        answers
            .filter(|node| !read.contains(node.name.as_str()))
            .collect()
    }

    /// All layers of a phase, line by line.
    pub fn forward(&self, phase: Phase) -> Result<Body, ScriptError> {
        let mut names = Variables::default();
        let mut body = Body {
            parameters: Vec::new(),
            lines: String::new(),
            outputs: Vec::new(),
            variables: BTreeMap::new(),
        };
        self.inputs(phase, &mut names, &mut body);
        let mut group = None;
        for node in self.nodes(phase) {
            if node.layer.spec().role != Role::Layer || node.layer.outputs().is_empty() {
                continue;
            }
            if node.group() != group {
                group = node.group();
                body.lines += &group.map_or(String::new(), |group| comment(group, "        "));
            }
            let args = arguments(node, phase, &body.variables);
            let written = self.site(node, phase, args).and_then(|site| {
                let count = site.outputs.len();
                Some((site.written()?, count))
            });
            let Some((written, count)) = written else {
                return Err(ScriptError::Layer {
                    node: node.name.clone(),
                    kind: node.layer.title().to_owned(),
                });
            };
            let variables: Vec<String> = (0..count)
                .map(|port| match count {
                    1 => names.fresh(&node.name),
                    _ => names.fresh(&format!("{}_{}", node.name, port + 1)),
                })
                .collect();
            let left = match &variables[..] {
                [one] if node.layer.spec().name == "Slice" => format!("{one},"),
                variables => variables.join(", "),
            };
            _ = writeln!(body.lines, "        {left} = {}", written.value);
            for (port, variable) in variables.into_iter().enumerate() {
                body.variables
                    .insert(PortRef::new(node.name.clone(), port), variable);
            }
        }
        for node in self.answers(phase) {
            if let Some(variable) = body.variables.get(&PortRef::new(node.name.clone(), 0)) {
                body.outputs.push((node.name.clone(), variable.clone()));
            }
        }
        Ok(body)
    }

    /// The parameters of a function: the data that are read, then the inputs.
    fn inputs(&self, phase: Phase, names: &mut Variables, body: &mut Body) {
        let nodes = self.nodes(phase);
        let is_read = |name: &str, port: usize| {
            let wires = nodes.iter().filter(|node| is_computed(node, phase));
            let mut wires = wires.flat_map(|node| node.inputs_in(phase).0.iter().flatten());
            wires.any(|wire| wire.node == name && wire.port == port)
        };
        let data = || {
            nodes
                .iter()
                .filter(|node| node.layer.spec().role == Role::Data)
        };
        for (port, name) in DATA_PORTS.iter().enumerate() {
            let readers: Vec<&&Node> = data().filter(|node| is_read(&node.name, port)).collect();
            // The examples come first, even where only their labels are read.
            if readers.is_empty() && !(port == 0 && data().next().is_some()) {
                continue;
            }
            let variable = names.fresh(name);
            for node in readers {
                let output = PortRef::new(node.name.clone(), port);
                body.variables.insert(output, variable.clone());
            }
            body.parameters.push(variable);
        }
        for node in nodes
            .iter()
            .filter(|node| node.layer.spec().role == Role::Input)
        {
            let variable = names.fresh(&node.name);
            body.variables
                .insert(PortRef::new(node.name.clone(), 0), variable.clone());
            body.parameters.push(variable);
        }
    }

    /// The method `loss`: the objective of training, from the forward pass where that has all
    /// that the losses read.
    pub fn loss(&self, forward: &Body) -> Result<String, ScriptError> {
        let mut train = self.forward(Phase::Train)?;
        let losses = self.losses();
        let same = train.lines == forward.lines
            && forward.outputs.len() == 1
            && forward.parameters == ["data"];
        if same {
            let (output, variable) = &forward.outputs[0];
            let computed = |wire: &PortRef| {
                self.graph
                    .named(&wire.node, Phase::Train)
                    .is_some_and(|node| node.layer.spec().role == Role::Layer)
            };
            let wires = losses
                .iter()
                .flat_map(|node| node.inputs_in(Phase::Train).0.iter().flatten());
            let all = wires
                .filter(|wire| computed(wire))
                .all(|wire| wire.node == *output && wire.port == 0);
            if all {
                train.lines = format!("        {variable} = self(data)\n");
            }
        }
        let mut text = format!(
            "\n    def loss(self, {}):\n        \"\"\"The objective in training.\"\"\"\n",
            train.parameters.join(", ")
        );
        text += &train.lines;
        let mut terms = Vec::new();
        for node in losses {
            let args = arguments(node, Phase::Train, &train.variables);
            let site = self.site(node, Phase::Train, args);
            let Some((value, _)) = site.as_ref().and_then(losses::loss) else {
                return Err(ScriptError::Layer {
                    node: node.name.clone(),
                    kind: node.layer.title().to_owned(),
                });
            };
            terms.push(match node.loss_weight() {
                1.0 => value,
                weight => format!("{} * {value}", number(weight)),
            });
        }
        match &terms[..] {
            [one] => _ = writeln!(text, "        return {one}"),
            terms => {
                let terms = terms.join("\n            + ");
                _ = writeln!(text, "        return (\n            {terms}\n        )");
            }
        }
        Ok(text)
    }
}

/// Whether a node's line stands in a function of this phase.
fn is_computed(node: &Node, phase: Phase) -> bool {
    match node.layer.spec().role {
        Role::Layer => !node.layer.outputs().is_empty(),
        Role::Loss => phase == Phase::Train && node.loss_weight() != 0.0,
        _ => false,
    }
}

fn arguments(node: &Node, phase: Phase, variables: &BTreeMap<PortRef, String>) -> Vec<String> {
    let wires = node.inputs_in(phase).0.iter().flatten();
    wires
        .filter_map(|wire| variables.get(wire).cloned())
        .collect()
}

/// The prefix of a node's parameters.
fn key_of(node: &Node) -> String {
    node.key
        .clone()
        .unwrap_or_else(|| node.name.replace('/', "."))
}
