//! What stands before the layers: settings of the whole, and the inputs of older definitions.

use super::*;

impl Reader<'_> {
    /// What the definition says of the whole: our own settings, and what is kept for Caffe.
    pub(super) fn head(&mut self, message: &Message) {
        const READ: [&str; 6] = [
            "name",
            "layer",
            "layers",
            "input",
            "input_dim",
            "input_shape",
        ];
        let mut kept = Message::default();
        let mut stages = Vec::new();
        let reads_data = message.0.iter().filter_map(Entry::message).any(|layer| {
            let kind = current_type(layer.text("type").unwrap_or_default());
            kinds::DATA.iter().any(|(data, _)| *data == kind)
        });
        if reads_data {
            super::super::without_caffes(&mut self.project.data);
        }
        for entry in &message.0 {
            let word = entry.word().unwrap_or_default();
            let project = &mut self.project;
            match (entry.own, entry.name.as_str()) {
                (true, "about") => project.about = word.to_owned(),
                (true, "folded") => _ = project.graph.folded.insert(word.to_owned()),
                (true, "seed") => match word.parse() {
                    Ok(seed) => project.seed = seed,
                    Err(_) => self.notes.push(wrong_value(entry)),
                },
                (true, "precise") => match word.parse() {
                    Ok(precise) => project.precise = precise,
                    Err(_) => self.notes.push(wrong_value(entry)),
                },
                (true, "data") => match ron::from_str(word) {
                    Ok(data) => project.data = data,
                    Err(_) => self.notes.push(wrong_value(entry)),
                },
                (true, "stage") => match ron::from_str(word) {
                    Ok(stage) => stages.push(stage),
                    Err(_) => self.notes.push(wrong_value(entry)),
                },
                (true, "box") => match ron::from_str(word) {
                    Ok(comment) => project.graph.comments.push(comment),
                    Err(_) => self.notes.push(wrong_value(entry)),
                },
                (_, name) if READ.contains(&name) => {}
                _ => {
                    self.notes.push(not_used(entry, ""));
                    kept.0.push(entry.clone());
                }
            }
        }
        if !stages.is_empty() {
            self.project.stages = stages;
        }
        self.project.caffe = kept.to_string();
    }

    /// `input: "data"` with `input_dim` or `input_shape`, the form before Input layers.
    pub(super) fn top_level_inputs(&mut self, message: &Message) {
        let dims: Vec<usize> = message.all("input_dim").filter_map(Entry::count).collect();
        let shapes: Vec<Vec<usize>> = message.all("input_shape").filter_map(dims_of).collect();
        for (index, entry) in message.all("input").enumerate() {
            let Some(name) = entry.word() else { continue };
            let shape = shapes.get(index).cloned();
            let shape = shape.or_else(|| dims.chunks(4).nth(index).map(<[usize]>::to_vec));
            self.input(entry, name, shape.unwrap_or_default(), Phases::Both);
        }
    }

    /// An input node for one blob; Caffe's shapes have the batch in front.
    pub(super) fn input(&mut self, entry: &Entry, blob: &str, shape: Vec<usize>, phases: Phases) {
        let mut shape: Vec<usize> = shape.into_iter().skip(1).collect();
        // The data's own shape, while nobody changed it.
        let is_datas = |own: &Entry| own.own && own.word() == Some(&datas_shape(&shape));
        if entry
            .message()
            .is_some_and(|layer| layer.all("shape").any(is_datas))
        {
            shape.clear();
        }
        let layer = layers::Input { shape };
        let mut node = Node::new(self.free_name(entry, blob, phases), Box::new(layer));
        node.phases = phases;
        if let Some(message) = entry.message() {
            self.own_fields(message, &mut node);
        }
        self.give_tops(&node, &[blob.to_owned()]);
        self.project.graph.add(node);
    }
}

/// `{ dim: 1 dim: 3 … }`
pub(super) fn dims_of(entry: &Entry) -> Option<Vec<usize>> {
    Some(
        entry
            .message()?
            .all("dim")
            .filter_map(Entry::count)
            .collect(),
    )
}

/// How a text says that an input's shape is that of the data.
pub(in crate::interop::caffe) fn datas_shape(shape: &[usize]) -> String {
    let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
    format!("{} = data", sizes.join(" "))
}
