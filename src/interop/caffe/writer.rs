//! Projects as Caffe's network definitions.
//!
//! What Caffe has no field for stands behind [`super::prototxt`]'s mark in comments, so that
//! reading the text again gives the same project. A layer that Caffe has not is written under its
//! own name, which Caffe refuses, with a note.

use std::collections::{BTreeMap, BTreeSet};

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

/// Every node after those that it reads in either phase, else in the graph's own order.
fn order(graph: &Graph) -> Vec<&Node> {
    let mut wires = graph.wires(Phase::Train);
    wires.extend(graph.wires(Phase::Test));
    let mut waiting: BTreeMap<NodeId, BTreeSet<NodeId>> = BTreeMap::new();
    for ((from, _), (to, _)) in wires {
        waiting.entry(to).or_default().insert(from);
    }
    let rank: BTreeMap<NodeId, usize> = (graph.nodes().iter().enumerate())
        .map(|(index, node)| (node.id, index))
        .collect();
    let mut readers: BTreeMap<NodeId, Vec<NodeId>> = BTreeMap::new();
    for (to, sources) in &waiting {
        for from in sources {
            readers.entry(*from).or_default().push(*to);
        }
    }
    let mut ready: BTreeSet<usize> = (rank.iter())
        .filter(|(id, _)| !waiting.contains_key(id))
        .map(|(_, index)| *index)
        .collect();
    let mut order = Vec::with_capacity(graph.nodes().len());
    while let Some(index) = ready.pop_first() {
        let node = &graph.nodes()[index];
        order.push(node);
        for reader in readers.get(&node.id).into_iter().flatten() {
            let Some(left) = waiting.get_mut(reader) else {
                continue;
            };
            left.remove(&node.id);
            if left.is_empty() {
                waiting.remove(reader);
                ready.extend(rank.get(reader));
            }
        }
    }
    // What is on a circle Caffe cannot read, but its text stays.
    order.extend((graph.nodes().iter()).filter(|node| waiting.contains_key(&node.id)));
    order
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
    fn source(&self, phase: Phase, wire: &PortRef) -> Option<&'a Node> {
        self.project.graph.named(&wire.node, phase)
    }

    /// The blob that a wire reads in a phase.
    fn blob(&self, phase: Phase, wire: &PortRef) -> String {
        let name = || {
            let source = self.source(phase, wire)?;
            self.names.get(&(source.id, wire.port)).cloned()
        };
        name().unwrap_or_else(|| wire.to_string())
    }

    /// How many outputs of a node stand in its text: of data, those that are read.
    fn ports(&self, node: &Node) -> usize {
        let count = match node.layer.spec().role {
            Role::Unknown => self.kept_tops(node).len(),
            _ => node.layer.outputs().len(),
        };
        if !matches!(node.layer.spec().role, Role::Data | Role::Unknown) {
            return count;
        }
        let read = self.project.graph.nodes().iter().flat_map(|reader| {
            reader.phases.each().flat_map(move |phase| {
                let wires = reader.inputs_in(phase).0.iter().flatten();
                wires.filter(move |wire| wire.node == node.name && node.phases.contains(phase))
            })
        });
        let needed = read.map(|wire| wire.port + 1).max().unwrap_or(1);
        match node.layer.spec().role {
            Role::Data => needed.min(count),
            _ => needed.max(count),
        }
    }

    fn kept_tops(&self, node: &Node) -> Vec<String> {
        let kept = parse(&node.caffe).unwrap_or_default();
        kept.all("top")
            .filter_map(|top| Some(top.word()?.to_owned()))
            .collect()
    }

    /// Gives every output a name that no other one of its phases has, except where a layer works
    /// in place.
    fn name_blobs(&mut self) {
        let mut taken: [BTreeSet<String>; 2] = Default::default();
        for node in self.order.clone() {
            if let Some(blob) = self.in_place(node) {
                self.names.insert((node.id, 0), blob);
                continue;
            }
            let mut wanted = self.kept_tops(node);
            let usual = kinds::usual_tops(node);
            wanted.extend(usual.into_iter().skip(wanted.len()));
            for port in 0..self.ports(node) {
                let plain = match wanted.get(port) {
                    Some(wanted) => wanted.clone(),
                    None => format!("{}_{}", node.name, port + 1),
                };
                let is_free = |name: &String| {
                    node.phases
                        .each()
                        .all(|phase| !taken[phase as usize].contains(name))
                };
                let numbered = (2..).map(|number| format!("{plain}_{number}"));
                let name = std::iter::once(plain.clone()).chain(numbered).find(is_free);
                let name = name.unwrap_or(plain);
                for phase in node.phases.each() {
                    taken[phase as usize].insert(name.clone());
                }
                self.names.insert((node.id, port), name);
            }
        }
    }

    /// The input's blob, where the node may write over it: it alone reads it.
    fn in_place(&self, node: &Node) -> Option<String> {
        if node.test_inputs.is_some() || node.inputs.0.len() != 1 {
            return None;
        }
        let wire = node.inputs.get(0)?;
        let source = self.source(node.phases.each().next()?, wire)?;
        if source.phases != node.phases
            || !kinds::works_in_place(node, source)
            || !self.kept_tops(node).is_empty()
        {
            return None;
        }
        let readers = Phase::BOTH.into_iter().flat_map(|phase| {
            let nodes = self.project.graph.nodes().iter();
            nodes.filter(move |reader| {
                let reads = |port: &PortRef| port.node == source.name;
                reader.phases.contains(phase)
                    && source.phases.contains(phase)
                    && reader.inputs_in(phase).0.iter().flatten().any(reads)
            })
        });
        let alone = readers.map(|reader| reader.id).all(|id| id == node.id);
        let blob = self.names.get(&(source.id, wire.port)).cloned();
        blob.filter(|_| alone)
    }

    /// Our own settings.
    fn head(&mut self, message: &mut Message) {
        let project = self.project;
        if !project.about.is_empty() {
            message.put_own("about", Value::text(&project.about));
        }
        if project.seed != 0 {
            message.put_own("seed", Value::word(project.seed));
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

    /// Where the batch comes from and what happens to it.
    fn data(&mut self, node: &Node, phases: Phases) -> Message {
        let data = &self.project.data;
        let has_targets = self.ports(node) > 2;
        let (kind, own) = if has_targets {
            kinds::DATA[2]
        } else {
            kinds::DATA[0]
        };
        let mut message = Message::default();
        message.put("type", Value::text(kind));
        let transform = transform(&data.preprocess, phases);
        message.put("transform_param", Value::Message(transform));
        self.notes.extend(own_preprocessing(&data.preprocess));
        let mut source = Message::default();
        source.put("source", Value::text(&data.source));
        let batch = match phases {
            Phases::Test => data.batch.test,
            _ => data.batch.train,
        };
        source.put("batch_size", Value::word(batch));
        if !has_targets {
            source.put("backend", Value::word("LMDB"));
        }
        // The kept type of another data layer has its own message.
        let kept = parse(&node.caffe).unwrap_or_default();
        let known = kept.text("type").and_then(|kind| {
            let kind = kinds::current_type(kind);
            kinds::DATA.iter().find(|(name, _)| *name == kind)
        });
        let own = match known {
            Some((kind, own)) => {
                if *kind != "Data" {
                    source.0.retain(|entry| entry.name != "backend");
                }
                own
            }
            None => own,
        };
        message.put(own, Value::Message(source));
        message
    }

    fn input(&mut self, node: &Node) -> Message {
        let mut message = Message::default();
        message.put("type", Value::text("Input"));
        let stated = node.layer.as_any().downcast_ref::<crate::layers::Input>();
        let stated = stated
            .map(|input| input.shape.as_slice())
            .unwrap_or_default();
        let known = self.facts.shapes.get(&node.name);
        let known = known.or(self.facts.data.as_ref().map(|data| &data.shape));
        let shape = match (stated, known) {
            ([], Some(known)) => known,
            (stated, _) => stated,
        };
        if shape.is_empty() {
            let name = &node.name;
            self.notes.push(tr_format!(
                "“{name}”: the shape of the input is not known; Caffe needs it",
                "“{name}”：输入形状未知；Caffe 需要它"
            ));
        }
        let mut param = Message::default();
        let sizes = std::iter::once(&1)
            .chain(shape)
            .filter(|_| !shape.is_empty());
        param.put("shape", Value::Message(dims(sizes)));
        message.put("input_param", Value::Message(param));
        if stated.is_empty() {
            message.put_own("shape", Value::Text(datas_shape(shape)));
        }
        message
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

fn transform(preprocess: &Preprocess, phases: Phases) -> Message {
    let mut transform = Message::default();
    if preprocess.scale != 1.0 {
        transform.put("scale", Value::word(preprocess.scale));
    }
    if preprocess.mirror && phases != Phases::Test {
        transform.put("mirror", Value::word(true));
    }
    if let Some((height, width)) = preprocess.crop
        && height == width
    {
        transform.put("crop_size", Value::word(height));
    }
    let has_file = matches!(preprocess.mean, Mean::File(_));
    match &preprocess.mean {
        Mean::Value(values) => {
            for value in values {
                transform.put("mean_value", Value::word(value));
            }
        }
        Mean::File(path) => transform.put("mean_file", Value::text(path)),
        Mean::None | Mean::Channel | Mean::Image => {}
    }
    if says_color(preprocess) && (preprocess.color != Color::Bgr || has_file) {
        transform.put_own("color", Value::Text(format!("{:?}", preprocess.color)));
    }
    transform
}

/// Says what of the preprocessing Caffe has not.
fn own_preprocessing(preprocess: &Preprocess) -> Option<String> {
    let mut rest = preprocess.clone();
    own_only(&mut rest);
    (rest != Preprocess::default()).then(|| {
        tr(
            "the preprocessing is only partly Caffe's: what is fitted, resized or whitened here must be done in the data",
            "预处理只有一部分 Caffe 具备：此处的拟合、缩放或白化须事先在数据中完成",
        )
        .to_owned()
    })
}
