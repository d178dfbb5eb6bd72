//! Caffe's data layers as the project's one data set.

use super::*;
use crate::data::{Blob, Color};

/// Wraps what a data layer of the test phase says otherwise than that of the training phase.
pub(in crate::interop::caffe) const TEST: &str = "test";

impl Reader<'_> {
    /// Reads a data layer into the project's settings; returns what these do not say. `own` is
    /// the message that names the source.
    pub(super) fn data(&mut self, message: &Message, own: &str, phases: Phases) -> Message {
        const READ: [&str; 6] = ["name", "top", "bottom", "include", "exclude", "phase"];
        let mut kept = Message::default();
        for entry in message.0.iter().filter(|entry| !entry.own) {
            let name = entry.name.as_str();
            let left = match &entry.value {
                _ if READ.contains(&name) => continue,
                Value::Message(part) if name == own => self.source(part, phases),
                Value::Message(part) if name == "transform_param" => self.transform(part, phases),
                _ if name == "type" => {
                    // With targets there is no other.
                    let is_usual = match message.all("top").count() {
                        0..=2 => "Data",
                        _ => "HDF5Data",
                    };
                    if current_type(entry.word().unwrap_or_default()) != is_usual {
                        kept.0.push(entry.clone());
                    }
                    continue;
                }
                _ => {
                    self.notes.push(not_used(entry, "Data"));
                    kept.0.push(entry.clone());
                    continue;
                }
            };
            if !left.0.is_empty() {
                let mut part = Message::default();
                part.put(name, Value::Message(left));
                kept.merge(part);
            }
        }
        kept.in_order()
    }

    /// Batch sizes and the source.
    fn source(&mut self, part: &Message, phases: Phases) -> Message {
        let mut left = Message::default();
        for entry in &part.0 {
            let data = &mut self.project.data;
            let batch = &mut data.batch;
            match (entry.name.as_str(), entry.count(), entry.word()) {
                ("batch_size", Some(size), _) => match phases {
                    Phases::Train => batch.train = size,
                    Phases::Test => batch.test = size,
                    Phases::Both => (batch.train, batch.test) = (size, size),
                },
                ("source", _, Some(source)) if phases != Phases::Test => {
                    data.source = source.to_owned();
                }
                ("source", _, Some(source)) if source == data.source => {}
                ("backend", _, Some("LMDB")) => {}
                (name, _, word) => {
                    match (name, word) {
                        ("source", Some(source)) => self.notes.push(entry.note(tr_format!(
                            "the test reads the data set's own test split, not {source}",
                            "测试使用数据集自带的测试划分，而不是 {source}"
                        ))),
                        ("backend", _) => {}
                        _ => self.notes.push(not_used(entry, "Data")),
                    }
                    left.0.push(entry.clone());
                }
            }
        }
        left
    }

    /// There is one preprocessing here: that of the training phase, where both say one.
    fn transform(&mut self, part: &Message, phases: Phases) -> Message {
        let is_trained = |node: &Node| {
            node.layer.spec().role == Role::Data && node.phases.contains(Phase::Train)
        };
        let second = phases == Phases::Test && self.project.graph.nodes().iter().any(is_trained);
        let before = self.project.data.preprocess.clone();
        let mut read = before.clone();
        let means: Vec<f64> = part.all("mean_value").filter_map(Entry::real).collect();
        if !means.is_empty() {
            // Caffe reads images as blue, green, red.
            if means.len() == 3 {
                read.color = Color::Bgr;
            }
            read.mean = Mean::Value(means);
        }
        let mut left = Message::default();
        for entry in &part.0 {
            let mut keep = || left.0.push(entry.clone());
            match (entry.name.as_str(), entry.real(), entry.flag()) {
                ("scale", Some(scale), _) => read.scale = scale,
                ("crop_size", Some(size), _) if size >= 1.0 => {
                    read.crop = Some((size as usize, size as usize));
                }
                ("crop_size", Some(0.0), _) => {}
                // Testing never mirrors here.
                ("mirror", _, Some(mirror)) => read.mirror |= mirror && phases != Phases::Test,
                ("mean_value", ..) => {}
                ("color", ..) if entry.own => {
                    let color = entry.word().and_then(|word| ron::from_str(word).ok());
                    read.color = color.unwrap_or(read.color);
                }
                ("mean_file", ..) => match self.mean_file(entry) {
                    Some(path) => {
                        let has_colors = |mean: &Blob| mean.shape.iter().rev().nth(2) == Some(&3);
                        if Blob::open(Path::new(&path)).is_ok_and(|mean| has_colors(&mean)) {
                            read.color = Color::Bgr;
                        }
                        read.mean = Mean::File(path);
                    }
                    None => {
                        keep();
                        read.mean = Mean::Image;
                        if !second {
                            self.notes.push(entry.note(tr(
                                "the mean image is not there; it is fitted on the training split instead",
                                "找不到均值图像文件；改为由训练集计算",
                            )));
                        }
                    }
                },
                _ => {
                    self.notes.push(not_used(entry, "transform_param"));
                    keep();
                }
            }
        }
        if !second {
            self.project.data.preprocess = read;
            return left;
        }
        let differs = |entry: &&Entry| match entry.name.as_str() {
            "scale" => read.scale != before.scale,
            "crop_size" => read.crop != before.crop,
            "mean_value" => read.mean != before.mean,
            "mirror" => false,
            _ => !entry.own,
        };
        let rest = Message(part.0.iter().filter(differs).cloned().collect());
        read.mirror = before.mirror;
        if read != before
            && let Some(entry) = rest.0.first()
        {
            self.notes.push(entry.note(tr(
                "the test's images are preprocessed as those of the training, not by this",
                "测试图像采用与训练相同的预处理，而不是此处的设置",
            )));
        }
        rest
    }

    /// The mean image's path, if it is there.
    fn mean_file(&self, entry: &Entry) -> Option<String> {
        let found = super::super::beside(self.folder?, entry.word()?)
            .into_iter()
            .find(|path| path.is_file())?;
        let found = std::path::absolute(&found).unwrap_or(found);
        found.into_os_string().into_string().ok()
    }

    /// Makes the data layers of both phases one node, where they have the same name and tops.
    pub(super) fn joins(
        &mut self,
        name: &str,
        phases: Phases,
        tops: &[String],
        kept: &Message,
    ) -> bool {
        let other = match phases {
            Phases::Both => return false,
            Phases::Train => Phase::Test,
            Phases::Test => Phase::Train,
        };
        let graph = &mut self.project.graph;
        let Some(twin) = graph.named(&node_name(name), other) else {
            return false;
        };
        let same_tops = |(port, top): (usize, &String)| {
            self.blobs[other as usize].get(top) == Some(&PortRef::new(&twin.name, port))
        };
        let is_rule = |entry: &Entry| matches!(entry.name.as_str(), "include" | "exclude");
        let joins = twin.layer.spec().role == Role::Data
            && !twin.phases.contains(Phase::Train) | !twin.phases.contains(Phase::Test)
            && tops.iter().enumerate().all(same_tops)
            && !kept.0.iter().any(is_rule);
        if !joins {
            return false;
        }
        let id = twin.id;
        let Some(node) = graph.node_mut(id) else {
            return false;
        };
        let own = super::super::prototxt::parse(&node.caffe).unwrap_or_default();
        let (mut train, test) = match phases {
            Phases::Test => (own, kept.clone()),
            _ => (kept.clone(), own),
        };
        if !test.0.is_empty() {
            train.put(TEST, Value::Message(test));
        }
        node.caffe = train.to_string();
        node.phases = Phases::Both;
        let node = node.clone();
        for phase in phases.each() {
            self.names[phase as usize].insert(node.name.clone());
        }
        self.give_tops(&node, tops);
        true
    }
}
