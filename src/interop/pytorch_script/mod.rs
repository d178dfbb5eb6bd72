//! A project as one Python file that rebuilds its network in PyTorch and loads its weights.
//!
//! The class that is written has a submodule for every key of the network, a `forward` that is
//! the graph of the test phase line by line, and a `loss` that is the objective of training.
//! Invariants: a project that has a layer without counterpart is refused by the node's name and
//! nothing is written; no text of the project becomes code (see [`text`]).

mod helpers;
mod layers;
mod losses;
mod modules;
mod preprocess;
mod text;
mod training;
mod walk;

#[cfg(test)]
mod tests;

pub use preprocess::Preprocessing;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};

use crate::graph::{Facts, Phase, Severity, infer};
use crate::i18n::tr_format;
use crate::project::{Project, write_atomically};
use crate::train::{self, CheckpointError};
use helpers::Helper;
use text::{comment, one_line};
use walk::Walk;

/// More class names than this are left out of a script.
const MOST_CLASSES: usize = 2_000;

/// Why a project cannot become a script.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    #[error("{}", tr_format!("the network has errors: {message}", "网络有错误：{message}"))]
    Network { message: String },
    #[error("{}", tr_format!(
        "node “{node}”: {kind} has no counterpart in PyTorch here; remove or replace the node",
        "节点“{node}”：{kind} 在 PyTorch 中没有对应的写法；请删除或替换该节点"
    ))]
    Layer { node: String, kind: String },
    #[error("{}", tr_format!(
        "node “{node}” shares its parameters with “{other}”, but is another layer, which a submodule cannot be; give it a key of its own",
        "节点“{node}”与“{other}”共享参数，但层的设置不同，无法写成同一个子模块；请为它另设键名"
    ))]
    Shared { node: String, other: String },
    #[error("{}", tr_format!(
        "node “{node}”: its key “{key}” cannot be the name of a submodule; choose another key",
        "节点“{node}”：键名“{key}”不能作为子模块名；请改用其他键名"
    ))]
    Key { node: String, key: String },
    #[error("{}", tr_format!("cannot write {}: {source}", "无法写入 {}：{source}", path.display()))]
    Write {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error(transparent)]
    Weights(#[from] CheckpointError),
}

/// What a script is made of beside the project.
#[derive(Clone, Debug, Default)]
pub struct ScriptOptions {
    pub facts: Facts,
    pub preprocessing: Preprocessing,
    /// The names of the classes, in the order of the outputs.
    pub classes: Vec<String>,
}

/// The script as text.
pub fn script(project: &Project, options: &ScriptOptions) -> Result<String, ScriptError> {
    let inference = infer(&project.graph, &options.facts);
    let errors = (inference.diagnostics.iter()).filter(|found| found.severity() == Severity::Error);
    if let Some(error) = errors.into_iter().next() {
        let name = error.node.and_then(|id| project.graph.node(id));
        let message = match name {
            Some(node) => format!("{}: {}", node.name, error.message()),
            None => error.message().to_owned(),
        };
        return Err(ScriptError::Network { message });
    }
    let walk = Walk::new(&project.graph, &inference)?;
    let body = class(&walk)?;
    let mut helpers = walk.helpers();
    let fill = walk.fillers(&mut helpers);
    let mut text = header(project, options);
    for helper in ordered(helpers) {
        _ = write!(text, "{}\n\n", helper.text());
    }
    text += &body;
    if !fill.is_empty() {
        text += "\n\n@torch.no_grad()\ndef initialise(net):\n";
        text += "    \"\"\"The weights as the project begins with them; numbers drawn at random are others.\"\"\"\n";
        text += &fill;
    }
    if walk.has_loss()
        && let Some(stage) = project.stages.first()
    {
        text += "\n\n";
        text += &training::text(stage, &walk.multipliers());
    }
    text += "\n\n";
    text += &options.preprocessing.text(&project.data.preprocess);
    text += &main(&walk, !fill.is_empty());
    Ok(text)
}

/// Writes the script, the weights where they are given, and what preprocessing needs, side by
/// side; returns the paths. Nothing is written unless all of it can be made.
pub fn save(
    project: &Project,
    options: &ScriptOptions,
    weights: Option<&BTreeMap<String, Tensor>>,
    path: &Path,
) -> Result<Vec<PathBuf>, ScriptError> {
    let mut files = vec![(path.to_owned(), script(project, options)?.into_bytes())];
    if let Some(weights) = weights {
        let path = path.with_extension("safetensors");
        let bytes = train::weights_to_bytes(&path, weights)?;
        files.push((path, bytes));
    }
    let preprocessing = &options.preprocessing;
    if let Some(statistics) = &preprocessing.statistics
        && preprocessing.needs_file(&project.data.preprocess)
    {
        let path = path.with_extension("preprocess.safetensors");
        let tensor = |(name, values): (&str, &[f32])| {
            let tensor = Tensor::from_slice(values, values.len(), &Device::Cpu);
            Some((name.to_owned(), tensor.ok()?))
        };
        let tensors = statistics.named().into_iter().filter_map(tensor).collect();
        let bytes = train::weights_to_bytes(&path, &tensors)?;
        files.push((path, bytes));
    }
    for (path, bytes) in &files {
        write_atomically(path, bytes).map_err(|source| ScriptError::Write {
            path: path.clone(),
            source,
        })?;
    }
    Ok(files.into_iter().map(|(path, _)| path).collect())
}

/// What stands before the classes. The first two lines are fixed: there a comment could change
/// how Python reads the file.
fn header(project: &Project, options: &ScriptOptions) -> String {
    let mut text = String::from(
        "#!/usr/bin/env python3\n# Written by Layerlab: a network for PyTorch, which is all it needs (Pillow too, for image files).\n#\n",
    );
    text += &comment(&one_line(&project.title), "");
    text += &comment(&project.about, "");
    text += IMPORTS;
    let classes = match options.classes.len() {
        0..=MOST_CLASSES => &options.classes[..],
        _ => &[],
    };
    text + &text::list("CLASSES", classes) + "\n\n"
}

const IMPORTS: &str = "
import json
import math
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

WEIGHTS = Path(__file__).with_suffix(\".safetensors\")
";

const GROUP: &str = "class Group(nn.Module):
    \"\"\"Layers by name; the names lead the keys of their weights.\"\"\"

    def __getitem__(self, name):
        return self._modules[name]

    def __setitem__(self, name, layer):
        self._modules[name] = layer


";

/// The class `Net`.
fn class(walk: &Walk<'_>) -> Result<String, ScriptError> {
    let mut text = String::new();
    let base = match walk.modules.has_groups() {
        true => {
            text += GROUP;
            "Group"
        }
        false => "nn.Module",
    };
    _ = writeln!(
        text,
        "class Net({base}):\n    def __init__(self):\n        super().__init__()"
    );
    text += &walk.modules.lines();
    let forward = walk.forward(Phase::Test)?;
    _ = write!(
        text,
        "\n    def forward(self, {}):\n",
        forward.parameters.join(", ")
    );
    text += &forward.lines;
    text += &forward.returned();
    if walk.has_loss() {
        text += &walk.loss(&forward)?;
    }
    Ok(text)
}

/// Loading, and what happens when the file is run.
fn main(walk: &Walk<'_>, fills: bool) -> String {
    let mut text = String::from(LOADING);
    let begin = match fills {
        true => {
            "        print(f\"{WEIGHTS} is not there: the weights are drawn at random\", file=sys.stderr)\n        initialise(net)\n"
        }
        false => "        print(f\"{WEIGHTS} is not there\", file=sys.stderr)\n",
    };
    let inputs = walk.input_count();
    let inputs = match inputs {
        1 => "x".to_owned(),
        count => format!("*[x] * {count}"),
    };
    text += "def load(path=WEIGHTS):\n    \"\"\"The network with its weights, ready to answer.\"\"\"\n    net = Net()\n    if Path(path).exists():\n        net.load_state_dict(read_safetensors(path))\n    else:\n";
    text += begin;
    text += "    return net.eval()\n\n\n";
    _ = write!(text, "{}", MAIN.replace("INPUTS", &inputs));
    text
}

const LOADING: &str = r#"

def read_safetensors(path):
    """The tensors of a file by name: a length, a header in JSON, then the numbers."""
    types = {"F16": torch.float16, "BF16": torch.bfloat16, "F32": torch.float32, "F64": torch.float64}
    data = Path(path).read_bytes()
    begin = 8 + int.from_bytes(data[:8], "little")
    tensors = {}
    for name, entry in json.loads(data[8:begin]).items():
        if name == "__metadata__":
            continue
        first, end = (begin + offset for offset in entry["data_offsets"])
        dtype, shape = types[entry["dtype"]], entry["shape"]
        tensors[name] = torch.frombuffer(bytearray(data[first:end]), dtype=dtype).reshape(shape)
    return tensors


"#;

const MAIN: &str = r#"def main(input_path, output_path=None):
    if Path(input_path).suffix == ".npy":
        import numpy

        x = torch.from_numpy(numpy.load(input_path).astype("float32"))
    else:
        x = preprocess(input_path)
    net = load()
    with torch.no_grad():
        outputs = net(INPUTS)
    outputs = outputs if isinstance(outputs, dict) else {"output": outputs}
    if output_path is not None:
        import numpy

        if len(outputs) > 1:
            numpy.savez(output_path, **{name: y.numpy() for name, y in outputs.items()})
        else:
            numpy.save(output_path, *[y.numpy() for y in outputs.values()])
        return
    for name, y in outputs.items():
        print(f"{name}: {tuple(y.shape)}, from {y.min():.6g} to {y.max():.6g}")
        if CLASSES and y.shape == (1, len(CLASSES)):
            shares = y[0] if (y >= 0).all() and abs(y.sum() - 1) < 1e-3 else y[0].softmax(0)
            best = shares.topk(min(5, len(CLASSES)))
            for share, place in zip(best.values.tolist(), best.indices.tolist()):
                print(f"{100 * share:6.2f}%  {CLASSES[place]}")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(f"usage: {sys.argv[0]} IMAGE|X.npy [OUTPUT.npy]")
    main(*sys.argv[1:])
"#;

/// Helpers with all that they need, in an order in which each stands behind what it needs.
fn ordered(wanted: BTreeSet<Helper>) -> Vec<Helper> {
    let mut ordered = Vec::new();
    for helper in wanted {
        for needed in helper.needs().iter().chain([&helper]) {
            if !ordered.contains(needed) {
                ordered.push(*needed);
            }
        }
    }
    ordered
}
