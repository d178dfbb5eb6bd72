//! Caffe's network definitions (`NetParameter` in caffe.proto), current and V1, as projects.
//!
//! Which field of a layer is which of Caffe's follows from the catalogue ([`Field::caffe`]); only
//! what differs in kind is said here.

use std::collections::{BTreeMap, BTreeSet};

use super::fields::take;
use super::{Entry, Message, Note, Value, not_used, parse, wrong_value};
use crate::data::{DataConfig, Mean};
use crate::graph::{Field, Graph, Inputs, Layer, Node, Phase, Phases, PortRef, PortType, Role};
use crate::i18n::{tr, tr_format};
use crate::layers::{self, CATALOGUE};
use crate::project::Project;
use crate::train::Stage;

/// More layers are refused: nobody draws them, and inference is not made for them.
const MAX_LAYERS: usize = 5_000;

/// Types that bring in data; all become the project's data set.
const DATA: [&str; 6] = [
    "Data",
    "ImageData",
    "HDF5Data",
    "MemoryData",
    "WindowData",
    "DummyData",
];

/// Where an absent field of Caffe's means something else than an absent one of ours.
const DEFAULTS: [(&str, &str); 4] = [
    ("Pooling", "stride: 1"),
    ("Convolution", "weight_filler { type: 'constant' }"),
    ("Deconvolution", "weight_filler { type: 'constant' }"),
    ("InnerProduct", "weight_filler { type: 'constant' }"),
];

/// Reads a network. It has one stage of training with default settings.
pub fn import_net(message: &Message) -> (Project, Vec<Note>) {
    let mut reader = Reader {
        project: Project {
            title: message.text("name").unwrap_or_default().to_owned(),
            // What is held back where the source has no test set of its own.
            data: DataConfig {
                split: DataConfig::default().split,
                ..DataConfig::of("digits")
            },
            stages: vec![Stage::default()],
            ..Project::default()
        },
        notes: Vec::new(),
        blobs: [BTreeMap::new(), BTreeMap::new()],
        owners: BTreeMap::new(),
        names: [BTreeSet::new(), BTreeSet::new()],
    };
    reader.top_level_inputs(message);
    let is_layer = |entry: &&Entry| matches!(entry.name.as_str(), "layer" | "layers");
    for (index, entry) in message.0.iter().filter(is_layer).enumerate() {
        if index == MAX_LAYERS {
            reader.notes.push(entry.note(tr_format!(
                "only the first {MAX_LAYERS} layers are read",
                "只读取前 {MAX_LAYERS} 层"
            )));
            break;
        }
        match &entry.value {
            Value::Message(layer) => reader.layer(entry, layer),
            _ => reader.notes.push(wrong_value(entry)),
        }
    }
    for entry in &message.0 {
        let known = [
            "name",
            "layer",
            "layers",
            "input",
            "input_dim",
            "input_shape",
            "state",
            "debug_info",
        ];
        if !known.contains(&entry.name.as_str()) {
            reader.notes.push(not_used(entry, ""));
        }
    }
    place(&mut reader.project.graph);
    (reader.project, reader.notes)
}

struct Reader {
    project: Project,
    notes: Vec<Note>,
    /// By phase, the output that a blob's name means so far; in-place layers change it.
    blobs: [BTreeMap<String, PortRef>; 2],
    /// The node that first named a shared parameter.
    owners: BTreeMap<String, String>,
    /// By phase, names that are taken.
    names: [BTreeSet<String>; 2],
}

impl Reader {
    /// `input: "data"` with `input_dim` or `input_shape`, the form before Input layers.
    fn top_level_inputs(&mut self, message: &Message) {
        let dims: Vec<usize> = message.all("input_dim").filter_map(Entry::count).collect();
        let shapes: Vec<Vec<usize>> = message.all("input_shape").filter_map(dims_of).collect();
        for (index, entry) in message.all("input").enumerate() {
            let Some(name) = entry.word() else { continue };
            let shape = shapes.get(index).cloned();
            let shape = shape.or_else(|| dims.chunks(4).nth(index).map(<[usize]>::to_vec));
            self.input(entry, name, shape.unwrap_or_default());
        }
    }

    /// An input node for one blob; Caffe's shapes have the batch in front.
    fn input(&mut self, entry: &Entry, blob: &str, shape: Vec<usize>) {
        let shape = shape.into_iter().skip(1).collect();
        let layer = layers::Input { shape };
        let node = Node::new(self.free_name(entry, blob, Phases::Both), Box::new(layer));
        for phase in Phase::BOTH {
            self.blobs[phase as usize].insert(blob.to_owned(), PortRef::new(&node.name, 0));
        }
        self.project.graph.add(node);
    }

    /// A name that nodes may have and that no node of these phases has yet.
    fn free_name(&mut self, entry: &Entry, wanted: &str, phases: Phases) -> String {
        let mut name = wanted.replace(['.', ':'], "_");
        if name.is_empty() {
            name = "layer".to_owned();
        }
        let taken = |name: &str, names: &[BTreeSet<String>; 2]| {
            let mut both = Phase::BOTH.iter().filter(|phase| phases.contains(**phase));
            both.any(|phase| names[*phase as usize].contains(name))
        };
        let plain = name.clone();
        let mut number = 2;
        while taken(&name, &self.names) {
            name = format!("{plain}_{number}");
            number += 1;
        }
        if name != wanted {
            self.notes.push(entry.note(tr_format!(
                "the layer “{wanted}” is called “{name}” here",
                "层“{wanted}”在此处名为“{name}”"
            )));
        }
        for phase in Phase::BOTH
            .into_iter()
            .filter(|phase| phases.contains(*phase))
        {
            self.names[phase as usize].insert(name.clone());
        }
        name
    }

    fn layer(&mut self, entry: &Entry, message: &Message) {
        let kind = current_type(message.text("type").unwrap_or_default());
        let Some(phases) = phases(message) else {
            let name = message.text("name").unwrap_or_default();
            self.notes.push(entry.note(tr_format!(
                "the layer “{name}” is in neither phase and is left out",
                "层“{name}”不属于任何阶段，已略去"
            )));
            return;
        };
        let rules = message.all("include").chain(message.all("exclude"));
        for rule in rules.filter_map(Entry::message).flat_map(|rule| &rule.0) {
            if rule.name != "phase" {
                self.notes.push(not_used(rule, "include"));
            }
        }
        let tops: Vec<String> = words(message, "top");
        let bottoms: Vec<String> = words(message, "bottom");
        if kind == "Split" {
            // A wire may be read by many here, so a copy is its source.
            for phase in Phase::BOTH
                .into_iter()
                .filter(|phase| phases.contains(*phase))
            {
                let blobs = &mut self.blobs[phase as usize];
                let source = bottoms.first().and_then(|blob| blobs.get(blob)).cloned();
                blobs.extend(
                    tops.iter()
                        .cloned()
                        .zip(std::iter::repeat_n(source, tops.len()).flatten()),
                );
            }
            return;
        }
        if kind == "Input" {
            let shapes = message.get("input_param").and_then(Entry::message);
            let shapes: Vec<_> = shapes
                .into_iter()
                .flat_map(|m| m.all("shape"))
                .filter_map(dims_of)
                .collect();
            for (index, top) in tops.iter().enumerate() {
                let shape = shapes.get(index).or(shapes.last()).cloned();
                self.input(entry, top, shape.unwrap_or_default());
            }
            return;
        }
        let is_data = DATA.contains(&kind.as_str());
        let layer = match is_data {
            true => {
                self.data(message, phases);
                Box::new(layers::Data::default()) as Box<dyn Layer>
            }
            false => self.typed(entry, message, &kind),
        };
        let wanted = message.text("name").unwrap_or_default().to_owned();
        let name = self.free_name(entry, &wanted, phases);
        let mut node = Node::new(name, layer);
        node.phases = phases;
        self.wire(entry, &mut node, &bottoms);
        self.params(entry, message, &mut node);
        if let Some(weight) = message.get("loss_weight") {
            node.loss_weight = weight.real();
        }
        for phase in Phase::BOTH
            .into_iter()
            .filter(|phase| phases.contains(*phase))
        {
            for (port, top) in tops.iter().enumerate() {
                let from = PortRef::new(&node.name, port);
                self.blobs[phase as usize].insert(top.clone(), from);
            }
        }
        self.project.graph.add(node);
        self.others(message, &kind, is_data);
    }

    /// Notes what a layer says beside what was read.
    fn others(&mut self, message: &Message, kind: &str, is_data: bool) {
        const READ: [&str; 11] = [
            "name",
            "type",
            "top",
            "bottom",
            "include",
            "exclude",
            "param",
            "loss_weight",
            "blobs_lr",
            "weight_decay",
            "phase",
        ];
        const OF_DATA: [&str; 6] = [
            "transform_param",
            "data_param",
            "image_data_param",
            "hdf5_data_param",
            "memory_data_param",
            "dummy_data_param",
        ];
        let own = CATALOGUE
            .iter()
            .map(|entry| entry.spec().caffe)
            .find(|(name, _)| *name == kind);
        let Some((_, own)) = own.or(is_data.then_some(("", ""))) else {
            return;
        };
        for entry in &message.0 {
            let name = entry.name.as_str();
            let is_read =
                READ.contains(&name) || name == own || (is_data && OF_DATA.contains(&name));
            if !is_read {
                self.notes.push(not_used(entry, kind));
            }
        }
    }

    /// A layer of the catalogue with its parameters, or one that keeps its text.
    fn typed(&mut self, entry: &Entry, message: &Message, kind: &str) -> Box<dyn Layer> {
        let own = CATALOGUE
            .iter()
            .find(|known| known.spec().caffe.0 == kind && !kind.is_empty());
        let Some(own) = own else {
            self.notes.push(entry.note(tr_format!(
                "the layer type {kind} is not known; it is kept, but cannot run",
                "未知的层类型 {kind}；予以保留，但无法运行"
            )));
            let name: String = kind
                .chars()
                .filter(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            // A name of ours that is left of another one, or no name at all, would be read as such.
            let is_own = layers::entry(&name).is_some();
            let name = match name.starts_with(|c: char| c.is_alphabetic()) && !is_own {
                true => name,
                false => format!("Unknown{name}"),
            };
            let kept = ron::to_string(&message.to_string()).unwrap_or_default();
            let text = format!("{name}(prototxt: {kept})");
            return layers::parse(&text).unwrap_or_else(|_| Box::new(layers::Input::default()));
        };
        let mut layer = own.make();
        let spec = own.spec();
        let defaults = DEFAULTS.iter().find(|(name, _)| *name == kind);
        if let Some(defaults) = defaults.and_then(|(_, text)| parse(text).ok()) {
            self.fields(&mut *layer, &defaults, kind);
        }
        for entry in message.all(spec.caffe.1) {
            match &entry.value {
                Value::Message(message) => self.fields(&mut *layer, message, kind),
                _ => self.notes.push(wrong_value(entry)),
            }
        }
        layer
    }

    /// Gives a layer's fields what the message says; notes what none of them took.
    fn fields(&mut self, layer: &mut dyn Layer, message: &Message, kind: &str) {
        let mut taken: BTreeSet<String> = BTreeSet::new();
        // cuDNN or Caffe's own code: no matter here.
        taken.insert("engine".to_owned());
        let notes = &mut self.notes;
        layer.fields(&mut |field: Field<'_>| {
            if !field.caffe.is_empty() {
                take(field, message, &mut taken, notes);
            }
        });
        for entry in message
            .0
            .iter()
            .filter(|entry| !taken.contains(&entry.name))
        {
            self.notes.push(not_used(entry, kind));
        }
    }

    /// Leads every bottom to the output that its name means, in both phases.
    fn wire(&mut self, entry: &Entry, node: &mut Node, bottoms: &[String]) {
        let ports = node.layer.inputs();
        let mut wires = [Inputs::default(), Inputs::default()];
        for phase in Phase::BOTH
            .into_iter()
            .filter(|phase| node.phases.contains(*phase))
        {
            for (port, blob) in bottoms.iter().enumerate() {
                let mut from = self.blobs[phase as usize].get(blob).cloned();
                if from.is_none() {
                    let name = &node.name;
                    self.notes.push(entry.note(tr_format!(
                        "“{name}” reads “{blob}”, which no layer before it gives",
                        "“{name}”读取“{blob}”，但之前没有层给出它"
                    )));
                }
                // Labels of a data layer are classes or real numbers, as their reader needs.
                if let Some(from) = &mut from
                    && from.port == 1
                    && ports
                        .port(port)
                        .is_some_and(|port| port.kind == PortType::Tensor)
                    && let Some(source) = self.project.graph.named(&from.node, phase)
                    && source.layer.spec().role == Role::Data
                {
                    from.port = 2;
                }
                wires[phase as usize].set(port, from);
            }
        }
        let [train, test] = wires;
        match node.phases {
            Phases::Test => node.inputs = test,
            Phases::Both if test != train => (node.inputs, node.test_inputs) = (train, Some(test)),
            _ => node.inputs = train,
        }
    }

    /// Multipliers and shared parameters; V1 has `blobs_lr` and `weight_decay` instead.
    fn params(&mut self, entry: &Entry, message: &Message, node: &mut Node) {
        let suffixes: &[&str] = match node.layer.spec().name {
            // Its means are no solver's business.
            "BatchNorm" => &[],
            "Bias" => &["bias"],
            _ => &["weight", "bias"],
        };
        let reals = |name: &str| {
            message
                .all(name)
                .filter_map(Entry::real)
                .collect::<Vec<f64>>()
        };
        let (rates, decays) = (reals("blobs_lr"), reals("weight_decay"));
        let params: Vec<&Message> = message.all("param").filter_map(Entry::message).collect();
        for (index, suffix) in suffixes.iter().enumerate() {
            let param = params.get(index);
            let number = |name: &str| {
                param
                    .and_then(|param| param.get(name))
                    .and_then(Entry::real)
            };
            let lr = number("lr_mult")
                .or(rates.get(index).copied())
                .unwrap_or(1.0);
            let decay = number("decay_mult")
                .or(decays.get(index).copied())
                .unwrap_or(1.0);
            let multiplier = crate::graph::Multiplier { lr, decay };
            if multiplier != Default::default() {
                node.multipliers.insert((*suffix).to_owned(), multiplier);
            }
        }
        let extra = message.all("param").nth(suffixes.len());
        if let Some(extra) = extra.filter(|_| !suffixes.is_empty()) {
            self.notes.push(not_used(extra, &node.name));
        }
        // V1 names a parameter by a plain text.
        let name = |entry: &'_ Entry| match &entry.value {
            Value::Message(param) => param.text("name").map(str::to_owned),
            _ => entry.word().map(str::to_owned),
        };
        let names = message.all("param").filter_map(name);
        let names: Vec<String> = names.filter(|name| !name.is_empty()).collect();
        for name in &names {
            match self.owners.get(name) {
                Some(owner) => node.key = Some(owner.clone()),
                None => {
                    let key = node
                        .key
                        .clone()
                        .unwrap_or_else(|| node.name.replace('/', "."));
                    self.owners.insert(name.clone(), key);
                }
            }
        }
        if node.key.is_some() && names.len() < params.len() {
            self.notes.push(entry.note(tr(
                "parameters are shared all together here, not one by one",
                "此处参数只能全部共享，不能逐个共享",
            )));
        }
    }

    /// The project's one data set, from the layer of the training phase, else of the other.
    fn data(&mut self, message: &Message, phases: Phases) {
        let part = |name: &str| message.get(name).and_then(Entry::message);
        let source = [
            "data_param",
            "image_data_param",
            "hdf5_data_param",
            "memory_data_param",
        ];
        for param in source.into_iter().filter_map(part) {
            for entry in &param.0 {
                let batch = &mut self.project.data.batch;
                match (entry.name.as_str(), entry.count(), entry.word()) {
                    ("batch_size", Some(size), _) => match phases {
                        Phases::Train => batch.train = size,
                        Phases::Test => batch.test = size,
                        Phases::Both => (batch.train, batch.test) = (size, size),
                    },
                    ("source", _, Some(source)) if phases != Phases::Test => {
                        self.project.data.source = source.to_owned();
                    }
                    ("source", _, Some(source)) if source != self.project.data.source => {
                        self.notes.push(entry.note(tr_format!(
                            "the test reads the data set's own test split, not {source}",
                            "测试使用数据集自带的测试划分，而不是 {source}"
                        )));
                    }
                    ("backend", ..) => {}
                    _ => self.notes.push(not_used(entry, "Data")),
                }
            }
        }
        let Some(transform) = part("transform_param") else {
            return;
        };
        // There is one preprocessing here: that of the training phase, where both say one.
        let has_data = |node: &Node| node.layer.spec().role == Role::Data;
        if phases == Phases::Test && self.project.graph.nodes().iter().any(has_data) {
            return;
        }
        let preprocess = &mut self.project.data.preprocess;
        let means: Vec<f64> = transform
            .all("mean_value")
            .filter_map(Entry::real)
            .collect();
        if !means.is_empty() {
            preprocess.mean = Mean::Value(means);
        }
        for entry in &transform.0 {
            match (entry.name.as_str(), entry.real(), entry.flag()) {
                ("scale", Some(scale), _) => preprocess.scale = scale,
                ("crop_size", Some(size), _) if size >= 1.0 => {
                    preprocess.crop = Some((size as usize, size as usize))
                }
                // Testing never mirrors here.
                ("mirror", _, Some(mirror)) => {
                    preprocess.mirror |= mirror && phases != Phases::Test
                }
                ("mean_value", ..) => {}
                ("mean_file", ..) => {
                    preprocess.mean = Mean::Image;
                    self.notes.push(entry.note(tr(
                        "the mean image is fitted on the training split, not read",
                        "均值图像由训练集计算得到，而不是从文件读取",
                    )));
                }
                _ => self.notes.push(not_used(entry, "transform_param")),
            }
        }
    }
}

/// V1's names, in capitals, and old spellings as the current ones.
fn current_type(kind: &str) -> String {
    let plain = |name: &str| name.replace('_', "").to_ascii_lowercase();
    let wanted = plain(kind);
    if wanted == "softmaxloss" {
        return "SoftmaxWithLoss".to_owned();
    }
    let known = CATALOGUE
        .iter()
        .map(|entry| entry.spec().caffe.0)
        .filter(|name| !name.is_empty());
    let mut known = known.chain(DATA).chain(["Split", "Input"]);
    known
        .find(|name| plain(name) == wanted)
        .unwrap_or(kind)
        .to_owned()
}

/// The phases in which a layer is; `None` for neither. Caffe's rule: in where some `include`
/// holds, or where there is none and no `exclude` does.
fn phases(message: &Message) -> Option<Phases> {
    let holds = |rule: &Message, phase: Phase| match rule.text("phase") {
        Some(text) => text.eq_ignore_ascii_case(match phase {
            Phase::Train => "TRAIN",
            Phase::Test => "TEST",
        }),
        None => true,
    };
    fn rules<'a>(message: &'a Message, name: &'a str) -> Vec<&'a Message> {
        message.all(name).filter_map(Entry::message).collect()
    }
    let (include, exclude) = (rules(message, "include"), rules(message, "exclude"));
    let is_in = |phase: Phase| match include.is_empty() {
        true => !exclude.iter().any(|rule| holds(rule, phase)),
        false => include.iter().any(|rule| holds(rule, phase)),
    };
    match (is_in(Phase::Train), is_in(Phase::Test)) {
        (true, true) => Some(Phases::Both),
        (true, false) => Some(Phases::Train),
        (false, true) => Some(Phases::Test),
        (false, false) => None,
    }
}

fn words(message: &Message, name: &str) -> Vec<String> {
    message
        .all(name)
        .filter_map(|entry| entry.word().map(str::to_owned))
        .collect()
}

/// `{ dim: 1 dim: 3 … }`
fn dims_of(entry: &Entry) -> Option<Vec<usize>> {
    Some(
        entry
            .message()?
            .all("dim")
            .filter_map(Entry::count)
            .collect(),
    )
}

/// From left to right as the layers follow each other, in rows.
fn place(graph: &mut Graph) {
    const ACROSS: f32 = 220.0;
    const DOWN: f32 = 150.0;
    const ROW: usize = 8;
    let ids: Vec<_> = graph.nodes().iter().map(|node| node.id).collect();
    for (index, id) in ids.into_iter().enumerate() {
        if let Some(node) = graph.node_mut(id) {
            node.position = [(index % ROW) as f32 * ACROSS, (index / ROW) as f32 * DOWN];
        }
    }
}
