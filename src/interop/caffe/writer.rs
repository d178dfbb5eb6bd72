//! Projects as Caffe's network definitions.
//!
//! What Caffe has no field for stands behind [`super::prototxt`]'s mark in comments, so that
//! reading the text again gives the same project. A layer that Caffe has not is written under its
//! own name, which Caffe refuses, with a note.

mod blobs;
mod data;

use std::collections::{BTreeMap, BTreeSet};

use blobs::order;

use super::fields::{dims, give};
use super::kinds;
use super::prototxt::{Entry, Message, Value, parse};
use super::reader::{TEST, blank, datas_shape, usual_place};
use super::{own_only, rules, says_color};
use crate::data::{Color, Mean, Preprocess};
use crate::graph::{Facts, Graph, Multiplier, Node, NodeId, Phase, Phases, PortRef, Role};
use crate::i18n::{tr, tr_format};
use crate::project::Project;

/// A text, and what in it Caffe reads otherwise or not at all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exported {
    pub text: String,
    pub notes: Vec<String>,
}

/// How much a text says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The network and where its data come from.
    Network,
    /// The whole project: what the network's definition has no place for stands at its head.
    Project,
}

/// Writes a project's network. `facts` say how many classes there are and how large an example
/// is, where the graph leaves that to the data.
pub fn export_net(project: &Project, facts: &Facts, extent: Extent) -> Exported {
    let mut writer = Writer {
        project,
        facts,
        order: order(&project.graph),
        names: BTreeMap::new(),
        shared: shared(&project.graph),
        notes: Vec::new(),
    };
    writer.name_blobs();
    let mut message = Message::default();
    message.put("name", Value::text(&project.title));
    if extent == Extent::Project {
        writer.head(&mut message);
    }
    message.merge(parse(&project.caffe).unwrap_or_default());
    for (index, node) in writer.order.clone().into_iter().enumerate() {
        for mut layer in writer.layers(node) {
            if extent == Extent::Project && node.position != usual_place(index) {
                for at in node.position {
                    layer.put_own("position", Value::word(at));
                }
            }
            message.put("layer", Value::Message(layer));
        }
    }
    let mut seen = BTreeSet::new();
    writer.notes.retain(|note| seen.insert(note.clone()));
    Exported {
        text: message.to_string(),
        notes: writer.notes,
    }
}

struct Writer<'a> {
    project: &'a Project,
    facts: &'a Facts,
    order: Vec<&'a Node>,
    /// The blob of every output.
    names: BTreeMap<(NodeId, usize), String>,
    /// The prefixes of parameters that several nodes have.
    shared: BTreeSet<String>,
    notes: Vec<String>,
}

fn prefix(node: &Node) -> String {
    let own = || node.name.replace('/', ".");
    node.key.clone().unwrap_or_else(own)
}

fn shared(graph: &Graph) -> BTreeSet<String> {
    let mut names: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for node in graph.nodes() {
        names.entry(prefix(node)).or_default().insert(&node.name);
    }
    let several = names.into_iter().filter(|(_, names)| names.len() > 1);
    several.map(|(prefix, _)| prefix).collect()
}

impl<'a> Writer<'a> {
    /// Our own settings.
    fn head(&mut self, message: &mut Message) {
        let project = self.project;
        if !project.about.is_empty() {
            message.put_own("about", Value::text(&project.about));
        }
        if project.seed != 0 {
            message.put_own("seed", Value::word(project.seed));
        }
        if project.precise {
            message.put_own("precise", Value::word(true));
        }
        let mut data = project.data.clone();
        let reads_data = |node: &Node| node.layer.spec().role == Role::Data;
        if project.graph.nodes().iter().any(reads_data) {
            super::without_caffes(&mut data);
        }
        // It is said by the file that was not there.
        let names_mean = |node: &Node| node.caffe.contains("mean_file");
        if data.preprocess.mean == Mean::Image && project.graph.nodes().iter().any(names_mean) {
            data.preprocess.mean = Mean::None;
        }
        let mut put = |name: &str, ron: Result<String, ron::Error>| {
            if let Ok(ron) = ron {
                message.put_own(name, Value::text(ron));
            }
        };
        let usual = blank();
        if data != usual.data {
            put("data", ron::to_string(&data));
        }
        if project.stages != usual.stages {
            for stage in &project.stages {
                put("stage", ron::to_string(stage));
            }
        }
        for comment in &project.graph.comments {
            put("box", ron::to_string(comment));
        }
        for group in &project.graph.folded {
            message.put_own("folded", Value::text(group));
        }
    }

    /// A node as one layer, or as one for each phase where these differ.
    fn layers(&mut self, node: &Node) -> Vec<Message> {
        let bottoms = |phase: Phase| -> Vec<String> {
            let wires = node.inputs_in(phase).0.iter();
            wires
                .map(|wire| {
                    wire.as_ref()
                        .map_or(String::new(), |wire| self.blob(phase, wire))
                })
                .collect()
        };
        let is_data = node.layer.spec().role == Role::Data;
        let batch = &self.project.data.batch;
        let data_differ = is_data
            && (batch.train != batch.test
                || self.project.data.preprocess.mirror
                || parse(&node.caffe).is_ok_and(|kept| kept.get(TEST).is_some()));
        let differ = node.phases == Phases::Both
            && (data_differ || bottoms(Phase::Train) != bottoms(Phase::Test));
        let wanted = match (differ, node.phases) {
            (true, _) => vec![Phases::Train, Phases::Test],
            (false, phases) => vec![phases],
        };
        let with_bottoms: Vec<_> = (wanted.into_iter())
            .filter_map(|phases| Some((phases, bottoms(phases.each().next()?))))
            .collect();
        with_bottoms
            .into_iter()
            .map(|(phases, bottoms)| self.layer(node, phases, bottoms))
            .collect()
    }

    fn layer(&mut self, node: &Node, phases: Phases, bottoms: Vec<String>) -> Message {
        let spec = node.layer.spec();
        let mut layer = Message::default();
        layer.put("name", Value::text(&node.name));
        let mut body = match spec.role {
            Role::Data => self.data(node, phases),
            Role::Input => self.input(node),
            Role::Unknown => self.unknown(node),
            _ => self.typed(node),
        };
        let mut kept = parse(&node.caffe).unwrap_or_default();
        if spec.role == Role::Data {
            let test = kept.get(TEST).and_then(Entry::message).cloned();
            kept = match phases {
                Phases::Test if node.phases == Phases::Both => test.unwrap_or_default(),
                _ => kept.filtered(|entry| entry.name != TEST),
            };
        }
        let has_rules = kept.get("include").or(kept.get("exclude")).is_some();
        body.merge(kept.filtered(|entry| entry.name != "top"));
        let is_empty = |entry: &Entry| entry.message().is_some_and(|part| part.0.is_empty());
        body.0
            .retain(|entry| entry.name != "transform_param" || !is_empty(entry));
        let kind = body.filtered(|entry| entry.name == "type");
        layer.0.extend(kind.0);
        for bottom in bottoms {
            layer.put("bottom", Value::Text(bottom));
        }
        for port in 0..self.ports(node) {
            if let Some(name) = self.names.get(&(node.id, port)) {
                layer.put("top", Value::text(name));
            }
        }
        if !has_rules {
            rules::write(&mut layer, phases);
        }
        if let Some(weight) = node.loss_weight {
            layer.put("loss_weight", Value::word(weight));
        }
        layer
            .0
            .extend(body.0.into_iter().filter(|entry| entry.name != "type"));
        if let Some(key) = &node.key {
            layer.put_own("key", Value::text(key));
        }
        if !node.comment.is_empty() {
            layer.put_own("comment", Value::text(&node.comment));
        }
        layer
    }

    fn typed(&mut self, node: &Node) -> Message {
        let spec = node.layer.spec();
        let kind = kinds::type_of(spec);
        if spec.caffe.0.is_empty() {
            let name = &node.name;
            self.notes.push(tr_format!(
                "“{name}”: Caffe has no layer {kind}; only Layerlab reads it",
                "“{name}”：Caffe 没有 {kind} 层；只有 Layerlab 能读取"
            ));
        }
        if kinds::NOT_EVERYWHERE.contains(&kind.as_str()) {
            let name = &node.name;
            self.notes.push(tr_format!(
                "“{name}”: only some versions of Caffe have a layer {kind}",
                "“{name}”：只有部分 Caffe 版本有 {kind} 层"
            ));
        }
        let mut message = Message::default();
        message.put("type", Value::Text(kind));
        self.params(node, &mut message);
        let own = kinds::message_of(spec);
        let Some(entry) = kinds::entry(&kinds::type_of(spec)) else {
            return message;
        };
        let usual = kinds::usual(entry);
        let classes = self.facts.data.as_ref().and_then(|data| data.classes);
        let mut fields = give(&*node.layer, &*usual, &own, classes, &mut self.notes);
        pooled_globally(&mut fields);
        message.0.extend(fields.0);
        message
    }

    /// One `param` for each parameter that differs from the rest or is shared.
    fn params(&self, node: &Node, message: &mut Message) {
        let spec = node.layer.spec();
        let prefix = prefix(node);
        let is_shared = self.shared.contains(&prefix);
        let own: Vec<&str>;
        let suffixes: &[&str] = match kinds::suffixes(spec) {
            Some(suffixes) => suffixes,
            None => {
                own = node.multipliers.keys().map(String::as_str).collect();
                &own
            }
        };
        let differs = |suffix: &&&str| node.multiplier(suffix) != Multiplier::default();
        let wanted = match suffixes.iter().rposition(|suffix| differs(&suffix)) {
            _ if is_shared => suffixes.len(),
            Some(last) => last + 1,
            None => 0,
        };
        for suffix in &suffixes[..wanted] {
            let mut param = Message::default();
            if is_shared {
                param.put("name", Value::Text(format!("{prefix}.{suffix}")));
            }
            if kinds::suffixes(spec).is_none() {
                param.put("suffix", Value::text(*suffix));
            }
            let Multiplier { lr, decay } = node.multiplier(suffix);
            if lr != 1.0 || !is_shared {
                param.put("lr_mult", Value::word(lr));
            }
            if decay != 1.0 {
                param.put("decay_mult", Value::word(decay));
            }
            message.put("param", Value::Message(param));
        }
    }

    /// The text that the layer came with.
    fn unknown(&mut self, node: &Node) -> Message {
        #[derive(serde::Deserialize)]
        struct Kept {
            prototxt: String,
        }
        let kind = node.layer.title();
        let text = node.layer.to_ron().unwrap_or_default();
        let kept = text
            .strip_prefix(kind)
            .and_then(|kept| ron::from_str::<Kept>(kept).ok());
        if let Some(kept) = kept.and_then(|kept| parse(&kept.prototxt).ok()) {
            return kept;
        }
        let name = &node.name;
        self.notes.push(tr_format!(
            "“{name}”: the layer type {kind} is not known; only Layerlab reads it",
            "“{name}”：未知的层类型 {kind}；只有 Layerlab 能读取"
        ));
        let mut message = Message::default();
        message.put("type", Value::text(kind));
        message.put_own("text", Value::Text(text));
        message
    }
}

/// Caffe refuses a window where the whole map is pooled.
fn pooled_globally(fields: &mut Message) {
    for entry in &mut fields.0 {
        let Value::Message(pooling) = &mut entry.value else {
            continue;
        };
        if pooling.get("global_pooling").and_then(Entry::flag) != Some(true) {
            continue;
        }
        for field in &mut pooling.0 {
            let sizes = ["kernel", "stride", "pad"];
            field.own |= sizes.iter().any(|size| field.name.starts_with(size));
        }
    }
}
