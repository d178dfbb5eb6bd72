//! Checkpoints: a folder from which training goes on, bit for bit.
//!
//! ```text
//! weights.safetensors    weights and buffers by key
//! optimizer.safetensors  momentum by key
//! state.ron              format version, iteration, seed, rates set by hand
//! history.csv            what happened so far
//! project.ron            the project that was trained
//! ```
//!
//! Invariant: a folder holds one consistent set, whatever happens while it is written. A new
//! set is written into `.saving`, which becomes `.saved` in one rename; only then its files move
//! to their places, and until they have, readers look into `.saved` first. The state carries
//! checksums, so that damaged files and files of two sets are refused.

mod tensors;

pub use tensors::to_bytes as weights_to_bytes;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::{History, Momentum, RateChange};
use crate::i18n::{tr, tr_format};
use crate::net::Net;

/// The version of the format that this program writes.
const VERSION: u32 = 1;

pub const WEIGHTS: &str = "weights.safetensors";
const OPTIMIZER: &str = "optimizer.safetensors";
const STATE: &str = "state.ron";
const HISTORY: &str = "history.csv";
const PROJECT: &str = "project.ron";
const FILES: [&str; 5] = [WEIGHTS, OPTIMIZER, HISTORY, PROJECT, STATE];

/// A set that is being written, and one that is complete but not in its place yet.
const SAVING: &str = ".saving";
const SAVED: &str = ".saved";

const MAX_TEXT_BYTES: u64 = 256 << 20;

#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    #[error("{}", tr_format!("cannot read {}: {source}", "无法读取 {}：{source}", path.display()))]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{}", tr_format!("cannot write {}: {source}", "无法写入 {}：{source}", path.display()))]
    Write {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{}", tr_format!("{}: {problem}", "{}：{problem}", path.display()))]
    Format { path: PathBuf, problem: String },
    #[error("{}", tr_format!(
        "{}: the tensor “{key}” {problem}",
        "{}：张量“{key}”{problem}", path.display()
    ))]
    Tensor {
        path: PathBuf,
        key: String,
        problem: String,
    },
    #[error("{}", tr_format!(
        "{} is damaged or belongs to another checkpoint; use another folder",
        "{} 已损坏，或属于另一个检查点；请使用其他文件夹", path.display()
    ))]
    Damaged { path: PathBuf },
}

/// Everything that training needs to go on.
#[derive(Clone, Debug, Default)]
pub struct Checkpoint {
    /// Finished iterations.
    pub iteration: u64,
    pub seed: u64,
    pub rate_changes: Vec<RateChange>,
    /// Weights and buffers by key.
    pub weights: BTreeMap<String, Tensor>,
    pub momentum: Momentum,
    pub history: History,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    version: u32,
    iteration: u64,
    seed: u64,
    rate_changes: Vec<RateChange>,
    /// CRC-32 by file; that of the state itself is over its text without this list.
    checksums: BTreeMap<String, u32>,
}

impl Checkpoint {
    /// Writes the set, with the text of the project that was trained, into a folder, which is
    /// made where it does not exist. Whenever this fails or the machine stops, the folder's
    /// former checkpoint is still there.
    pub fn save(&self, folder: &Path, project: &str) -> Result<(), CheckpointError> {
        create_dir(folder)?;
        put_in_place(folder)?;
        let saving = folder.join(SAVING);
        if saving.exists() {
            // Of a run that was killed while it wrote.
            fs::remove_dir_all(&saving).map_err(|source| write_error(&saving, source))?;
        }
        create_dir(&saving)?;
        self.write_files(&saving, project)?;
        for name in FILES {
            let path = saving.join(name);
            let file = File::open(&path).and_then(|file| file.sync_all());
            file.map_err(|source| write_error(&path, source))?;
        }
        rename(&saving, &folder.join(SAVED))?;
        put_in_place(folder)
    }

    fn write_files(&self, folder: &Path, project: &str) -> Result<(), CheckpointError> {
        let history = (self.history.to_csv())
            .map_err(|error| write_error(&folder.join(HISTORY), std::io::Error::other(error)))?;
        let weights = tensors::to_bytes(&folder.join(WEIGHTS), &self.weights)?;
        let optimizer = tensors::to_bytes(&folder.join(OPTIMIZER), &self.momentum)?;
        let mut state = State {
            version: VERSION,
            iteration: self.iteration,
            seed: self.seed,
            rate_changes: self.rate_changes.clone(),
            checksums: BTreeMap::new(),
        };
        let path = folder.join(STATE);
        let checksums = [
            (WEIGHTS, checksum(&weights)),
            (OPTIMIZER, checksum(&optimizer)),
            (STATE, checksum(state.text(&path)?.as_bytes())),
        ];
        state.checksums = checksums.map(|(name, sum)| (name.to_owned(), sum)).into();
        let state = state.text(&path)?;
        for (name, bytes) in [
            (WEIGHTS, weights.as_slice()),
            (OPTIMIZER, &optimizer),
            (HISTORY, &history),
            (PROJECT, project.as_bytes()),
            (STATE, state.as_bytes()),
        ] {
            let path = folder.join(name);
            fs::write(&path, bytes).map_err(|source| write_error(&path, source))?;
        }
        Ok(())
    }

    /// Reads the set that [`Checkpoint::save`] wrote; the tensors are on the CPU.
    pub fn load(folder: &Path) -> Result<Self, CheckpointError> {
        let path = current(folder, STATE);
        let text = read_bounded(&path, MAX_TEXT_BYTES)?;
        let mut state: State =
            ron::de::from_bytes(&text).map_err(|error| format_error(&path, error.to_string()))?;
        if state.version > VERSION {
            let problem = tr(
                "was written by a newer version of Layerlab; please update Layerlab",
                "由更新版本的 Layerlab 写成；请更新 Layerlab",
            );
            return Err(format_error(&path, problem));
        }
        let checksums = std::mem::take(&mut state.checksums);
        let verify = |name: &str, path: &Path, bytes: &[u8]| {
            if checksums.get(name) == Some(&checksum(bytes)) {
                return Ok(());
            }
            let path = path.to_owned();
            Err(CheckpointError::Damaged { path })
        };
        verify(STATE, &path, state.text(&path)?.as_bytes())?;
        let tensors = |name| {
            let path = current(folder, name);
            let bytes = read_bounded(&path, tensors::MAX_BYTES)?;
            verify(name, &path, &bytes)?;
            tensors::parse(&path, &bytes)
        };
        let (weights, momentum) = (tensors(WEIGHTS)?, tensors(OPTIMIZER)?);
        let path = current(folder, HISTORY);
        let history = History::from_csv(&read_bounded(&path, MAX_TEXT_BYTES)?, state.iteration)
            .map_err(|problem| format_error(&path, problem))?;
        Ok(Self {
            iteration: state.iteration,
            seed: state.seed,
            rate_changes: state.rate_changes,
            weights,
            momentum,
            history,
        })
    }

    /// Puts the weights into a network and returns the momentum on its device; every shape must
    /// fit. `folder` is for messages.
    pub fn restore(&self, folder: &Path, net: &mut Net) -> Result<Momentum, CheckpointError> {
        let momentum = tensors::momentum_for(net, &self.momentum, &folder.join(OPTIMIZER))?;
        tensors::set_weights(net, &self.weights, &folder.join(WEIGHTS))?;
        Ok(momentum)
    }
}

impl State {
    fn text(&self, path: &Path) -> Result<String, CheckpointError> {
        ron::ser::to_string_pretty(self, ron::ser::PrettyConfig::new())
            .map_err(|error| format_error(path, error.to_string()))
    }
}

/// Where a file of the folder's newest complete set is.
fn current(folder: &Path, name: &str) -> PathBuf {
    let saved = folder.join(SAVED).join(name);
    if saved.exists() {
        saved
    } else {
        folder.join(name)
    }
}

/// Moves a complete set to its place; what was moved before an interruption is there already.
fn put_in_place(folder: &Path) -> Result<(), CheckpointError> {
    let saved = folder.join(SAVED);
    if !saved.exists() {
        return Ok(());
    }
    for name in FILES {
        let from = saved.join(name);
        if from.exists() {
            rename(&from, &folder.join(name))?;
        }
    }
    fs::remove_dir(&saved).map_err(|source| write_error(&saved, source))
}

fn create_dir(folder: &Path) -> Result<(), CheckpointError> {
    fs::create_dir_all(folder).map_err(|source| write_error(folder, source))
}

fn rename(from: &Path, to: &Path) -> Result<(), CheckpointError> {
    fs::rename(from, to).map_err(|source| write_error(to, source))
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>, CheckpointError> {
    let read_error = |source| CheckpointError::Read {
        path: path.to_owned(),
        source,
    };
    let size = fs::metadata(path).map_err(read_error)?.len();
    if size > limit {
        let problem = tr_format!(
            "is too large ({size} bytes; at most {limit})",
            "过大（{size} 字节；上限 {limit}）"
        );
        return Err(format_error(path, problem));
    }
    fs::read(path).map_err(read_error)
}

fn write_error(path: &Path, source: std::io::Error) -> CheckpointError {
    CheckpointError::Write {
        path: path.to_owned(),
        source,
    }
}

fn format_error(path: &Path, problem: impl Into<String>) -> CheckpointError {
    CheckpointError::Format {
        path: path.to_owned(),
        problem: problem.into(),
    }
}

#[cfg(test)]
mod tests;
