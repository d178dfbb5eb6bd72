//! Where the data and the inputs come from.

use super::*;

impl Writer<'_> {
    /// Where the batch comes from and what happens to it.
    pub(super) fn data(&mut self, node: &Node, phases: Phases) -> Message {
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

    pub(super) fn input(&mut self, node: &Node) -> Message {
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
