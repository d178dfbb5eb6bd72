//! What differs from layer type to layer type between Caffe and the catalogue, as tables.

use super::prototxt::{Message, parse};
use crate::graph::{Layer, LayerSpec, Node, Role};
use crate::layers::{self, CATALOGUE};

/// Types that bring in data, with the message that names the source; all become the project's
/// data set.
pub(super) const DATA: [(&str, &str); 6] = [
    ("Data", "data_param"),
    ("ImageData", "image_data_param"),
    ("HDF5Data", "hdf5_data_param"),
    ("MemoryData", "memory_data_param"),
    ("WindowData", "window_data_param"),
    ("DummyData", "dummy_data_param"),
];

/// Where an absent field of Caffe's means something else than an absent one of ours.
const DEFAULTS: [(&str, &str); 6] = [
    ("Pooling", "pooling_param { stride: 1 }"),
    (
        "Convolution",
        "convolution_param { weight_filler { type: 'constant' } }",
    ),
    (
        "Deconvolution",
        "convolution_param { weight_filler { type: 'constant' } }",
    ),
    (
        "InnerProduct",
        "inner_product_param { weight_filler { type: 'constant' } }",
    ),
    (
        "Embed",
        "embed_param { weight_filler { type: 'constant' } }",
    ),
    (
        "Interp",
        "interp_param { mode: BILINEAR align_corners: true zoom_factor: 1 }",
    ),
];

/// Types that only some versions of Caffe have.
pub(super) const NOT_EVERYWHERE: [&str; 2] = ["Interp", "SmoothL1Loss"];

/// Caffe has layers of these names that are others than ours.
const OTHERS: [&str; 2] = ["RNN", "LSTM"];

/// Before the name of a type of ours that would mean another one to Caffe.
const OURS: &str = "Layerlab";

/// Layers that may write over their input, and layers whose output may be written over because
/// their backward pass does not look at it.
const IN_PLACE: [&str; 4] = ["ReLU", "Dropout", "BatchNorm", "Scale"];
const MAY_BE_LOST: [&str; 9] = [
    "Convolution",
    "Deconvolution",
    "InnerProduct",
    "Pooling",
    "BatchNorm",
    "Scale",
    "Bias",
    "ReLU",
    "Dropout",
];

pub(super) fn works_in_place(node: &Node, source: &Node) -> bool {
    let of = |node: &Node, kinds: &[&str]| kinds.contains(&node.layer.spec().name);
    of(node, &IN_PLACE) && of(source, &MAY_BE_LOST)
}

/// The catalogue's entry for one of Caffe's types, or for one of ours that Caffe has not.
pub(super) fn entry(kind: &str) -> Option<&'static layers::Entry> {
    let caffes = |entry: &&layers::Entry| entry.spec().caffe.0 == kind;
    let ours = || {
        let name = kind.strip_prefix(OURS).unwrap_or(kind);
        let is_plain = name == kind;
        let wanted =
            |entry: &&layers::Entry| entry.spec().caffe.0.is_empty() && entry.spec().name == name;
        let entry = CATALOGUE.iter().find(wanted)?;
        (!is_plain || !OTHERS.contains(&name)).then_some(entry)
    };
    (!kind.is_empty()).then(|| CATALOGUE.iter().find(caffes).or_else(ours))?
}

/// The type under which a layer of the catalogue stands in a prototxt.
pub(super) fn type_of(spec: &LayerSpec) -> String {
    match spec.caffe.0 {
        "" if OTHERS.contains(&spec.name) => format!("{OURS}{}", spec.name),
        "" => spec.name.to_owned(),
        caffe => caffe.to_owned(),
    }
}

/// The name of a layer type's parameter message.
pub(super) fn message_of(spec: &LayerSpec) -> String {
    match spec.caffe {
        ("", _) | (_, "") => format!("{}_param", spec.name.to_ascii_lowercase()),
        (_, message) => message.to_owned(),
    }
}

/// What Caffe means by a type without any parameters, as the messages that would say it.
pub(super) fn defaults(kind: &str) -> Message {
    let text = DEFAULTS.iter().find(|(name, _)| *name == kind);
    text.and_then(|(_, text)| parse(text).ok())
        .unwrap_or_default()
}

/// The layer that Caffe means by a type without any parameters.
pub(super) fn usual(entry: &layers::Entry) -> Box<dyn Layer> {
    let mut layer = entry.make();
    let defaults = defaults(entry.spec().caffe.0);
    super::fields::take(
        &mut *layer,
        &defaults,
        &message_of(entry.spec()),
        &mut Vec::new(),
    );
    layer
}

/// The parameters that a `param` each speaks of, in Caffe's order; `None` for types of ours
/// alone, where each `param` names its own.
pub(super) fn suffixes(spec: &LayerSpec) -> Option<&'static [&'static str]> {
    match spec.caffe.0 {
        "" => None,
        // Its means are no solver's business.
        "BatchNorm" => Some(&[]),
        "Bias" => Some(&["bias"]),
        _ => Some(&["weight", "bias"]),
    }
}

/// The tops that a node has without saying so.
pub(super) fn usual_tops(node: &Node) -> Vec<String> {
    let spec = node.layer.spec();
    let outputs = node.layer.outputs();
    match (spec.role, outputs.len()) {
        (Role::Data, _) => outputs.iter().map(|port| port.name.to_owned()).collect(),
        (_, 1) => vec![node.name.clone()],
        (_, count) => (1..=count)
            .map(|port| format!("{}_{port}", node.name))
            .collect(),
    }
}

/// V1's names, in capitals, and old spellings as the current ones.
pub(super) fn current_type(kind: &str) -> String {
    let plain = |name: &str| name.replace('_', "").to_ascii_lowercase();
    let wanted = plain(kind);
    if wanted == "softmaxloss" {
        return "SoftmaxWithLoss".to_owned();
    }
    let known = CATALOGUE
        .iter()
        .map(|entry| entry.spec().caffe.0)
        .filter(|name| !name.is_empty());
    let data = DATA.iter().map(|(name, _)| *name);
    let mut known = known.chain(data).chain(["Split", "Input"]);
    known
        .find(|name| plain(name) == wanted)
        .unwrap_or(kind)
        .to_owned()
}
