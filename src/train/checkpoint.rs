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

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
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

/// No network that [`Net`] accepts has larger files.
const MAX_TENSOR_BYTES: u64 = 5 << 30;
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
        let weights = tensor_bytes(&folder.join(WEIGHTS), &self.weights)?;
        let optimizer = tensor_bytes(&folder.join(OPTIMIZER), &self.momentum)?;
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
            let bytes = read_bounded(&path, MAX_TENSOR_BYTES)?;
            verify(name, &path, &bytes)?;
            parse_tensors(&path, &bytes)
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

    /// Puts the weights into a network and the momentum beside it; every shape must fit.
    pub fn restore(&self, folder: &Path, net: &mut Net) -> Result<Momentum, CheckpointError> {
        let path = folder.join(OPTIMIZER);
        let mut momentum = Momentum::new();
        for (key, tensor) in &self.momentum {
            let tensor_error = |problem| CheckpointError::Tensor {
                path: path.clone(),
                key: key.clone(),
                problem,
            };
            let Some(param) = net.params().get(key) else {
                return Err(tensor_error(no_such_param()));
            };
            if param.tensor.dims() != tensor.dims() {
                return Err(tensor_error(wrong_shape(
                    tensor.dims(),
                    param.tensor.dims(),
                )));
            }
            let moved = (tensor.to_dtype(net.config().dtype))
                .and_then(|tensor| tensor.to_device(&net.config().device));
            let moved = moved.map_err(|error| tensor_error(error.to_string()))?;
            momentum.insert(key.clone(), moved);
        }
        set_weights(net, &self.weights, &folder.join(WEIGHTS))?;
        Ok(momentum)
    }
}

impl State {
    fn text(&self, path: &Path) -> Result<String, CheckpointError> {
        ron::ser::to_string_pretty(self, ron::ser::PrettyConfig::new())
            .map_err(|error| format_error(path, error.to_string()))
    }
}

/// Reads a weights file into a network: every parameter must be there with its shape, and
/// nothing else.
pub fn load_weights(net: &mut Net, path: &Path) -> Result<(), CheckpointError> {
    let tensors = parse_tensors(path, &read_bounded(path, MAX_TENSOR_BYTES)?)?;
    set_weights(net, &tensors, path)
}

fn set_weights(
    net: &mut Net,
    weights: &BTreeMap<String, Tensor>,
    path: &Path,
) -> Result<(), CheckpointError> {
    let tensor_error = |key: &str, problem| CheckpointError::Tensor {
        path: path.to_owned(),
        key: key.to_owned(),
        problem,
    };
    for (key, param) in net.params() {
        let expected = param.tensor.dims();
        match weights.get(key) {
            Some(tensor) if tensor.dims() != expected => {
                let problem = wrong_shape(tensor.dims(), expected);
                return Err(tensor_error(key, problem));
            }
            Some(_) => {}
            None => {
                let problem = tr(
                    "is missing; these weights belong to another network",
                    "缺失；这些权重属于另一个网络",
                );
                return Err(tensor_error(key, problem.to_owned()));
            }
        }
    }
    for (key, tensor) in weights {
        if !net.params().contains_key(key) {
            return Err(tensor_error(key, no_such_param()));
        }
        net.set_param(key, tensor.clone())
            .map_err(|error| tensor_error(key, error.to_string()))?;
    }
    Ok(())
}

fn no_such_param() -> String {
    tr(
        "is no parameter of the network; these weights belong to another one",
        "不是该网络的参数；这些权重属于另一个网络",
    )
    .to_owned()
}

fn wrong_shape(found: &[usize], expected: &[usize]) -> String {
    tr_format!(
        "has the shape {found:?}, but the network needs {expected:?}",
        "的形状为 {found:?}，而网络需要 {expected:?}"
    )
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

/// A safetensors file; `path` is for messages.
fn tensor_bytes(
    path: &Path,
    tensors: &BTreeMap<String, Tensor>,
) -> Result<Vec<u8>, CheckpointError> {
    let mut raw = Vec::with_capacity(tensors.len());
    for (key, tensor) in tensors {
        let (dtype, bytes) = bytes_of(tensor).map_err(|error| CheckpointError::Tensor {
            path: path.to_owned(),
            key: key.clone(),
            problem: error.to_string(),
        })?;
        raw.push((key, dtype, tensor.dims().to_vec(), bytes));
    }
    let failed = |error: safetensors::SafeTensorError| format_error(path, error.to_string());
    let mut views = Vec::with_capacity(raw.len());
    for (key, dtype, dims, bytes) in &raw {
        let view = TensorView::new(*dtype, dims.clone(), bytes).map_err(failed)?;
        views.push((key, view));
    }
    safetensors::serialize(views, None).map_err(failed)
}

fn bytes_of(tensor: &Tensor) -> candle_core::Result<(Dtype, Vec<u8>)> {
    let flat = tensor.flatten_all()?;
    if tensor.dtype() == DType::F64 {
        let values = flat.to_vec1::<f64>()?;
        let bytes = values.into_iter().flat_map(f64::to_le_bytes).collect();
        return Ok((Dtype::F64, bytes));
    }
    let values = flat.to_dtype(DType::F32)?.to_vec1::<f32>()?;
    let bytes = values.into_iter().flat_map(f32::to_le_bytes).collect();
    Ok((Dtype::F32, bytes))
}

fn parse_tensors(path: &Path, bytes: &[u8]) -> Result<BTreeMap<String, Tensor>, CheckpointError> {
    let damaged = |error: safetensors::SafeTensorError| {
        let problem = tr_format!(
            "is not a whole safetensors file: {error}",
            "不是完整的 safetensors 文件：{error}"
        );
        format_error(path, problem)
    };
    let file = SafeTensors::deserialize(bytes).map_err(damaged)?;
    let mut tensors = BTreeMap::new();
    for (key, view) in file.tensors() {
        let tensor_error = |problem| CheckpointError::Tensor {
            path: path.to_owned(),
            key: key.clone(),
            problem,
        };
        let dtype = match view.dtype() {
            Dtype::F32 => DType::F32,
            Dtype::F64 => DType::F64,
            other => {
                return Err(tensor_error(tr_format!(
                    "is of type {other}; only F32 and F64 can be read",
                    "的类型为 {other}；只能读取 F32 和 F64"
                )));
            }
        };
        let tensor = Tensor::from_raw_buffer(view.data(), dtype, view.shape(), &Device::Cpu)
            .map_err(|error| tensor_error(error.to_string()))?;
        tensors.insert(key, tensor);
    }
    Ok(tensors)
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
mod tests {
    use super::*;
    use crate::train::Progress;

    fn checkpoint(iteration: u64, value: f32) -> Checkpoint {
        let tensor = |values: &[f32]| Tensor::new(values, &Device::Cpu).unwrap();
        let step = |iteration| Progress {
            iteration,
            stage: 0,
            loss: 1.0 / value as f64,
            rate: 0.1,
            examples: 8,
            seconds: 0.5,
        };
        Checkpoint {
            iteration,
            seed: 7,
            rate_changes: vec![RateChange {
                iteration: 1,
                base_lr: 0.3,
            }],
            weights: BTreeMap::from([
                ("ip.bias".to_owned(), tensor(&[value])),
                (
                    "ip.weight".to_owned(),
                    tensor(&[value, f32::MIN_POSITIVE, -0.0]),
                ),
            ]),
            momentum: BTreeMap::from([("ip.bias".to_owned(), tensor(&[-value]))]),
            history: History {
                steps: (1..=iteration).map(step).collect(),
                evaluations: Vec::new(),
            },
        }
    }

    fn bits(tensors: &BTreeMap<String, Tensor>) -> Vec<(String, Vec<u32>)> {
        let values = |tensor: &Tensor| tensor.to_vec1::<f32>().unwrap();
        let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect();
        let entries = tensors.iter();
        entries
            .map(|(key, tensor)| (key.clone(), bits(values(tensor))))
            .collect()
    }

    #[track_caller]
    fn assert_same(a: &Checkpoint, b: &Checkpoint) {
        assert_eq!((a.iteration, a.seed), (b.iteration, b.seed));
        assert_eq!(a.rate_changes, b.rate_changes);
        assert_eq!(a.history, b.history);
        assert_eq!(bits(&a.weights), bits(&b.weights));
        assert_eq!(bits(&a.momentum), bits(&b.momentum));
    }

    #[test]
    fn every_bit_comes_back_and_the_newest_set_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/run");
        for saved in [checkpoint(3, 0.1), checkpoint(5, 0.7)] {
            saved.save(&path, "project").unwrap();
            assert_same(&Checkpoint::load(&path).unwrap(), &saved);
        }
        assert_eq!(fs::read_to_string(path.join(PROJECT)).unwrap(), "project");
        let names: Vec<_> = fs::read_dir(&path)
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        assert_eq!(names.len(), FILES.len(), "{names:?}");
    }

    /// A crash at any moment of a save leaves the old checkpoint or the new one.
    #[test]
    fn an_interrupted_save_leaves_one_whole_set() {
        let (old, new) = (checkpoint(3, 0.1), checkpoint(5, 0.7));
        let folder = tempfile::tempdir().unwrap();
        for moved in 0..=FILES.len() {
            let path = folder.path().join(format!("saved{moved}"));
            old.save(&path, "old").unwrap();
            // While the new set is written, however far that came:
            new.save(&path.join(SAVING), "new").unwrap();
            fs::remove_file(path.join(SAVING).join(STATE)).unwrap();
            assert_same(&Checkpoint::load(&path).unwrap(), &old);
            // While its files move to their places:
            fs::remove_dir_all(path.join(SAVING)).unwrap();
            new.save(&path.join(SAVED), "new").unwrap();
            for name in &FILES[..moved] {
                fs::rename(path.join(SAVED).join(name), path.join(name)).unwrap();
            }
            assert_same(&Checkpoint::load(&path).unwrap(), &new);
            // The next save clears up.
            old.save(&path, "old").unwrap();
            assert_same(&Checkpoint::load(&path).unwrap(), &old);
            assert!(!path.join(SAVED).exists());
        }
    }

    #[test]
    fn files_of_two_sets_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        checkpoint(3, 0.1).save(&a, "").unwrap();
        // The same iteration of another run.
        checkpoint(3, 0.7).save(&b, "").unwrap();
        for name in [WEIGHTS, OPTIMIZER] {
            checkpoint(3, 0.1).save(&a, "").unwrap();
            fs::copy(b.join(name), a.join(name)).unwrap();
            let error = Checkpoint::load(&a).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
        checkpoint(3, 0.1).save(&a, "").unwrap();
        let state = fs::read_to_string(a.join(STATE)).unwrap();
        fs::write(a.join(STATE), state.replace("seed: 7", "seed: 8")).unwrap();
        assert!(
            Checkpoint::load(&a)
                .unwrap_err()
                .to_string()
                .contains(STATE)
        );
    }

    #[test]
    fn a_newer_format_and_a_missing_file_are_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        checkpoint(3, 0.1).save(path, "").unwrap();
        let state = fs::read_to_string(path.join(STATE)).unwrap();
        fs::write(path.join(STATE), state.replace("version: 1", "version: 2")).unwrap();
        assert!(
            Checkpoint::load(path)
                .unwrap_err()
                .to_string()
                .contains("newer")
        );
        fs::write(path.join(STATE), state).unwrap();
        fs::remove_file(path.join(WEIGHTS)).unwrap();
        assert!(
            Checkpoint::load(path)
                .unwrap_err()
                .to_string()
                .contains(WEIGHTS)
        );
    }
}
