//! ONNX, both ways: a model's graph and weights as a project, and a project's test phase as a
//! model.
//!
//! Reading is total above the format: an operator without a counterpart becomes a layer that
//! keeps its text, with a note. Constants that exporters compute are folded, and transposes,
//! squeezes and paddings are taken over by their neighbours where that changes no number.
//! Writing is the reverse and refuses what ONNX cannot say, before a file is touched.
//! Invariant: time and memory are proportional to the file, whose size is bounded.

mod encode;
mod fold;
mod proto;
mod reader;
mod tensor;
mod values;
mod writer;

pub use writer::OPSET;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::Tensor;

use super::caffe;
use crate::graph::{Facts, Graph, infer};
use crate::i18n::tr_format;
use crate::project::{Project, write_atomically};
use proto::Model;

/// Protocol Buffers' own limit.
const MAX_BYTES: u64 = 2 << 30;

/// What a layered drawing is to fit into, in points.
const VIEW: [f32; 2] = [1600.0, 1000.0];

/// What makes a file unreadable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broken(String);

/// What a model became.
#[derive(Debug)]
pub struct Imported {
    pub project: Project,
    /// By the project's keys.
    pub weights: BTreeMap<String, Tensor>,
    /// What is read otherwise than it stands there, or not at all.
    pub notes: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    #[error("{}", tr_format!("cannot read {}: {source}", "无法读取 {}：{source}", path.display()))]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{}", tr_format!("{} is too large for an ONNX model", "{} 过大，不是 ONNX 模型", path.display()))]
    TooLarge { path: PathBuf },
    #[error("{}", tr_format!("{}: {problem}", "{}：{problem}", path.display()))]
    Damaged { path: PathBuf, problem: String },
    #[error("{}", tr_format!("cannot write {}: {source}", "无法写入 {}：{source}", path.display()))]
    Write {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{}", tr_format!("“{node}” cannot be written as ONNX: {why}", "“{node}”无法写成 ONNX：{why}"))]
    NoForm { node: String, why: String },
}

/// Reads a model; numbers may lie in a file beside it.
pub fn open(path: &Path) -> Result<Imported, OnnxError> {
    let bytes = read_bytes(path)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    read(&bytes, Some(folder), &stem).map_err(|Broken(problem)| OnnxError::Damaged {
        path: path.to_owned(),
        problem,
    })
}

/// A model's weights by the keys of the project that it becomes.
pub fn weights(path: &Path) -> Result<BTreeMap<String, Tensor>, OnnxError> {
    open(path).map(|imported| imported.weights)
}

/// Writes a project's test phase with its weights. `facts` say how many classes there are and how
/// large an example is, where the graph leaves that to the data. The file is whole, or as it was.
pub fn save(
    project: &Project,
    facts: &Facts,
    weights: &BTreeMap<String, Tensor>,
    path: &Path,
) -> Result<(), OnnxError> {
    let inference = infer(&project.graph, facts);
    let bytes = writer::write(&project.title, &project.graph, &inference, weights)?;
    write_atomically(path, &bytes).map_err(|source| OnnxError::Write {
        path: path.to_owned(),
        source,
    })
}

/// Reads a model's bytes; `title` is for a graph that has no name of its own.
fn read(bytes: &[u8], folder: Option<&Path>, title: &str) -> Result<Imported, Broken> {
    const NAMELESS: [&str; 4] = ["", "main_graph", "torch_jit", "torch-jit-export"];
    let model = Model::parse(bytes)?;
    let drafted = reader::read(&model, folder)?;
    let (graph, weights, notes) = reader::finish(drafted)?;
    let mut project = caffe::blank();
    project.title = match model.graph.name {
        name if NAMELESS.contains(&name) => title.to_owned(),
        name => name.to_owned(),
    };
    project.graph = graph;
    arrange(&mut project.graph);
    Ok(Imported {
        project,
        weights,
        notes,
    })
}

/// Places for all nodes; of a large graph the outer groups are folded, so that it can be seen.
fn arrange(graph: &mut Graph) {
    /// More nodes are seen at once by nobody.
    const MANY: usize = 24;
    /// More are placed in rows: a layered drawing would take long.
    const TOO_MANY: usize = 600;
    if graph.nodes().len() > MANY {
        let outer = graph
            .groups()
            .into_iter()
            .filter(|group| !group.contains('/'));
        graph.folded = outer.collect();
    }
    match graph.nodes().len() <= TOO_MANY {
        true => graph.lay_out(VIEW, |_| None),
        false => caffe::place(graph, &Graph::default()),
    }
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, OnnxError> {
    use std::io::Read;
    let failed = |source| OnnxError::Read {
        path: path.to_owned(),
        source,
    };
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    match bytes.len() as u64 <= MAX_BYTES {
        true => Ok(bytes),
        false => Err(OnnxError::TooLarge {
            path: path.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests;
