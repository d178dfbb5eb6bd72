//! What of a file of weights fits a network: by key and shape, with nothing loaded yet.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::graph::{Graph, Inference};
use crate::i18n::{tr, tr_format};

/// PyTorch counts the batches that a normalisation has seen, and needs the count for nothing but
/// an average that is rarely chosen: a file may have it or not.
const COUNTER: &str = "num_batches_tracked";

/// A tensor by its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Named {
    pub key: String,
    pub shape: Vec<usize>,
}

/// A tensor that is in both, but not alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Differing {
    pub key: String,
    pub file: Vec<usize>,
    pub network: Vec<usize>,
}

/// A file beside a network, in the network's order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    pub matched: Vec<Named>,
    pub differing: Vec<Differing>,
    /// What the network has and the file lacks.
    pub missing: Vec<Named>,
    /// What the file has and the network lacks.
    pub unused: Vec<Named>,
    /// What was done to the file's keys.
    pub notes: Vec<String>,
}

/// Whether a weight of (outputs, C·H·W) has the numbers of one of (outputs, C, H, W) in their
/// order: a full connection is a convolution that is as large as its input.
pub(super) fn is_flat(flat: &[usize], whole: &[usize]) -> bool {
    let count = |dims: &[usize]| {
        let product = |all: usize, dim: &usize| all.checked_mul(*dim);
        dims.iter().try_fold(1, product)
    };
    match (flat, whole) {
        ([outputs, rest], [first, inner @ ..]) if inner.len() == 3 => {
            outputs == first && count(inner) == Some(*rest)
        }
        _ => false,
    }
}

impl Report {
    /// Compares the shapes of a file with the parameters of a network.
    pub(super) fn compare(
        file: &BTreeMap<String, Vec<usize>>,
        notes: &[String],
        graph: &Graph,
        inference: &Inference,
    ) -> Self {
        let mut report = Self {
            notes: notes.to_vec(),
            ..Self::default()
        };
        let mut known = BTreeMap::new();
        let mut reshaped = 0;
        for (key, network) in params(graph, inference) {
            if known.insert(key, ()).is_some() {
                continue;
            }
            let named = |shape: &[usize]| Named {
                key: key.to_owned(),
                shape: shape.to_vec(),
            };
            match file.get(key) {
                None => report.missing.push(named(network)),
                Some(shape) if shape == network => report.matched.push(named(shape)),
                Some(shape) if is_flat(shape, network) || is_flat(network, shape) => {
                    reshaped += 1;
                    report.matched.push(named(network));
                }
                Some(shape) => report.differing.push(Differing {
                    key: key.to_owned(),
                    file: shape.clone(),
                    network: network.to_vec(),
                }),
            }
        }
        let is_counter = |key: &str| key.rsplit('.').next() == Some(COUNTER);
        let unused = (file.iter()).filter(|(key, _)| !known.contains_key(key.as_str()));
        let unused = unused.filter(|(key, _)| !is_counter(key));
        if reshaped > 0 {
            report.notes.push(tr_format!(
                "{reshaped} full connections and convolutions over all of their input are read as each other",
                "{reshaped} 个全连接与覆盖整个输入的卷积互相转换读入"
            ));
        }
        report.unused = unused
            .map(|(key, shape)| Named {
                key: key.clone(),
                shape: shape.clone(),
            })
            .collect();
        report
    }

    /// Whether every parameter of the network gets a value.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.differing.is_empty()
    }

    /// How many parameters the network has.
    pub fn wanted(&self) -> usize {
        self.matched.len() + self.differing.len() + self.missing.len()
    }

    /// The counts on one line.
    pub fn summary(&self) -> String {
        let (matched, wanted) = (self.matched.len(), self.wanted());
        let mut parts = vec![tr_format!(
            "{matched} of the network's {wanted} tensors match",
            "网络的 {wanted} 个张量中有 {matched} 个匹配"
        )];
        let mut add = |count: usize, text: String| {
            if count > 0 {
                parts.push(text);
            }
        };
        let (differing, missing) = (self.differing.len(), self.missing.len());
        let unused = self.unused.len();
        add(
            differing,
            tr_format!("{differing} differ in shape", "{differing} 个形状不同"),
        );
        add(
            missing,
            tr_format!("{missing} are not in the file", "{missing} 个不在文件中"),
        );
        add(
            unused,
            tr_format!(
                "{unused} of the file's are not in the network",
                "文件中有 {unused} 个不在网络中"
            ),
        );
        parts.join(tr("; ", "；"))
    }

    /// The first thing of each kind that does not fit; empty where all fits.
    pub fn first_misfits(&self) -> String {
        let mut parts = Vec::new();
        if let Some(Differing { key, file, network }) = self.differing.first() {
            let (file, network) = (shape_text(file), shape_text(network));
            parts.push(tr_format!(
                "“{key}” is {file} in the file, but {network} in the network",
                "“{key}”在文件中为 {file}，而在网络中为 {network}"
            ));
        }
        if let Some(Named { key, .. }) = self.missing.first() {
            parts.push(tr_format!(
                "“{key}” is missing in the file",
                "文件中缺少“{key}”"
            ));
        }
        if let Some(Named { key, .. }) = self.unused.first() {
            parts.push(tr_format!(
                "“{key}” is no parameter of the network",
                "“{key}”不是网络的参数"
            ));
        }
        parts.join(tr("; ", "；"))
    }
}

/// A tensor's shape for people: `64 × 3 × 7 × 7`; of a single number, `1`.
pub fn shape_text(shape: &[usize]) -> String {
    match shape {
        [] => tr("a single number", "单个数").to_owned(),
        sizes => {
            let sizes: Vec<String> = sizes.iter().map(ToString::to_string).collect();
            sizes.join(" × ")
        }
    }
}

/// The keys and shapes of every parameter, in the order of the nodes; shared ones repeat.
fn params<'a>(
    graph: &'a Graph,
    inference: &'a Inference,
) -> impl Iterator<Item = (&'a str, &'a [usize])> {
    let nodes = graph.nodes().iter();
    let known = nodes.filter_map(|node| inference.node(node.id));
    known
        .flat_map(|info| &info.params)
        .map(|(key, spec)| (key.as_str(), spec.shape.as_slice()))
}
