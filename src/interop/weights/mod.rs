//! Weights from files of any program, by name: what fits a network, and its loading.
//!
//! ```text
//! file ─open→ keys and shapes ─report→ what fits ─load→ the network's parameters
//! ```
//!
//! A file is chosen by its ending; opening reads its index, and the numbers are read one tensor
//! at a time, when they are loaded. Invariant: loading changes the network only where the report
//! says that something matches, and not at all where everything must match and does not.

mod numbers;
mod report;
mod safetensors;
mod store;

#[cfg(test)]
mod tests;

pub use report::{Differing, Named, Report, shape_text};

pub(in crate::interop) use numbers::Number;
pub(in crate::interop) use store::{MAX_RANK, Source, Storage, Store, View, inflate, truncated};

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::Tensor;

use super::caffe::{self, ImportError};
use super::onnx::{self, OnnxError};
use super::pytorch;
use crate::graph::{Graph, Inference};
use crate::i18n::tr_format;
use crate::net::{Net, NetError};
use crate::train::Initial;

/// The endings of files that can be opened here.
pub const ENDINGS: [&str; 6] = ["safetensors", "pth", "pt", "bin", "caffemodel", "onnx"];

#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    #[error("{}", tr_format!("cannot read {}: {source}", "无法读取 {}：{source}", path.display()))]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{}", tr_format!("{}: {problem}", "{}：{problem}", path.display()))]
    Format { path: PathBuf, problem: String },
    #[error("{}", tr_format!(
        "{}: weights are read from files that end in {}",
        "{}：可从以下列结尾的文件读取权重：{}",
        path.display(), ENDINGS.map(|ending| format!(".{ending}")).join(", ")
    ))]
    Ending { path: PathBuf },
    #[error("{}", tr_format!(
        "{}: does not fit this network: {}; {}. `layerlab weights` lists everything",
        "{}：与该网络不符：{}；{}。可用 `layerlab weights` 查看全部",
        path.display(), report.summary(), report.first_misfits()
    ))]
    Misfit { path: PathBuf, report: Box<Report> },
    #[error(transparent)]
    Caffe(#[from] ImportError),
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    #[error(transparent)]
    Net(#[from] NetError),
}

/// How much of a network must get its weights from a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// Every parameter; what is left over in the file, such as heads for training, is reported.
    Strict,
    /// Whatever matches in key and shape; the rest stays as it is.
    WhatFits,
}

/// The tensors of an indexed file, and what was done to their keys.
pub(in crate::interop) struct Contents {
    pub store: Store,
    pub views: BTreeMap<String, View>,
    pub notes: Vec<String>,
}

/// An open file of weights.
pub struct WeightsFile {
    path: PathBuf,
    shapes: BTreeMap<String, Vec<usize>>,
    notes: Vec<String>,
    body: Body,
}

/// Where the numbers are.
enum Body {
    Stored {
        store: Store,
        views: BTreeMap<String, View>,
    },
    /// Caffe's and ONNX's files have no index: they are read as a whole.
    Read(BTreeMap<String, Tensor>),
}

impl WeightsFile {
    /// Opens a file; one of Caffe's, which names layers and not tensors, gets the keys of the
    /// network, where that is known.
    pub fn open(path: &Path, net: Option<(&Graph, &Inference)>) -> Result<Self, WeightsError> {
        let ending = path.extension().unwrap_or_default().to_string_lossy();
        match ending.to_ascii_lowercase().as_str() {
            "safetensors" => Self::indexed(path, safetensors::open),
            "pth" | "pt" | "bin" => Self::indexed(path, pytorch::open),
            "caffemodel" => {
                let layers = caffe::open_model(path)?;
                let known = net.filter(|(_, inference)| inference.totals.params > 0);
                let tensors = match known {
                    Some((graph, inference)) => caffe::weights_for(layers, graph, inference),
                    None => caffe::weights_by_type(layers),
                };
                Ok(Self::whole(path, tensors))
            }
            "onnx" => Ok(Self::whole(path, onnx::weights(path)?)),
            _ => Err(WeightsError::Ending {
                path: path.to_owned(),
            }),
        }
    }

    /// A file of which everything was read.
    fn whole(path: &Path, tensors: BTreeMap<String, Tensor>) -> Self {
        let shapes = tensors.iter();
        let shapes = shapes.map(|(key, tensor)| (key.clone(), tensor.dims().to_vec()));
        Self {
            path: path.to_owned(),
            shapes: shapes.collect(),
            notes: Vec::new(),
            body: Body::Read(tensors),
        }
    }

    fn indexed(
        path: &Path,
        open: fn(Box<dyn Source>, u64) -> Result<Contents, String>,
    ) -> Result<Self, WeightsError> {
        let (file, length) = open_file(path).map_err(|source| WeightsError::Read {
            path: path.to_owned(),
            source,
        })?;
        let contents = open(Box::new(file), length).map_err(|problem| WeightsError::Format {
            path: path.to_owned(),
            problem,
        })?;
        let views = contents.views.iter();
        Ok(Self {
            path: path.to_owned(),
            shapes: views
                .map(|(key, view)| (key.clone(), view.shape.clone()))
                .collect(),
            notes: contents.notes,
            body: Body::Stored {
                store: contents.store,
                views: contents.views,
            },
        })
    }

    /// What of it fits this network.
    pub fn report(&self, graph: &Graph, inference: &Inference) -> Report {
        Report::compare(&self.shapes, &self.notes, graph, inference)
    }

    /// Loads what matches into a network, one tensor at a time.
    pub fn load(&mut self, net: &mut Net, fit: Fit) -> Result<Report, WeightsError> {
        let report = self.report(net.graph(), net.inference());
        if fit == Fit::Strict && !report.is_complete() {
            return Err(WeightsError::Misfit {
                path: self.path.clone(),
                report: Box::new(report),
            });
        }
        for Named { key, shape } in &report.matched {
            let tensor = self.take(key)?;
            let tensor = tensor.reshape(shape.as_slice()).map_err(NetError::from)?;
            net.give_param(key, tensor)?;
        }
        Ok(report)
    }

    /// Every tensor by its key.
    pub fn tensors(mut self) -> Result<BTreeMap<String, Tensor>, WeightsError> {
        let keys: Vec<String> = self.shapes.keys().cloned().collect();
        let read = |key: String| self.take(&key).map(|tensor| (key, tensor));
        keys.into_iter().map(read).collect()
    }

    /// A tensor, which nobody else holds.
    fn take(&mut self, key: &str) -> Result<Tensor, WeightsError> {
        let read = match &mut self.body {
            Body::Stored { store, views } => views.get(key).map(|view| store.read(view)),
            Body::Read(tensors) => tensors.remove(key).map(Ok),
        };
        let read = read.unwrap_or_else(|| Err(std::io::ErrorKind::NotFound.into()));
        read.map_err(|error| WeightsError::Format {
            path: self.path.clone(),
            problem: tr_format!(
                "the tensor “{key}” cannot be read: {error}",
                "无法读取张量“{key}”：{error}"
            ),
        })
    }
}

fn open_file(path: &Path) -> std::io::Result<(File, u64)> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(std::io::ErrorKind::IsADirectory.into());
    }
    Ok((file, metadata.len()))
}

/// What of a file fits a network, with nothing loaded.
pub fn compare(path: &Path, graph: &Graph, inference: &Inference) -> Result<Report, WeightsError> {
    let file = WeightsFile::open(path, Some((graph, inference)))?;
    Ok(file.report(graph, inference))
}

/// Loads a file into a network.
pub fn load(net: &mut Net, path: &Path, fit: Fit) -> Result<Report, WeightsError> {
    let (graph, inference) = (net.graph(), net.inference());
    let mut file = WeightsFile::open(path, Some((graph, inference)))?;
    file.load(net, fit)
}

/// For a session: begins with what fits of this file, which the session's own thread reads.
pub fn initial(path: PathBuf) -> Initial {
    Arc::new(move |net| {
        let loaded = load(net, &path, Fit::WhatFits);
        loaded.map(drop).map_err(|error| error.to_string())
    })
}

/// Whether a file holds weights and no more, by its ending and, where others use that too, by its
/// beginning.
pub fn is_weights(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    let ending = ending.to_ascii_lowercase();
    if ending != "bin" {
        return ENDINGS.contains(&ending.as_str()) && ending != "onnx";
    }
    let mut head = Vec::new();
    let read =
        File::open(path).and_then(|file| file.take(pytorch::HEAD as u64).read_to_end(&mut head));
    read.is_ok() && pytorch::is_torch(&head)
}
