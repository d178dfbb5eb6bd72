//! `layerlab convert`: a file of one program as that of another, by their endings.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use candle_core::Tensor;
use clap::Args;

use super::{export, npy, print_line, source};
use crate::data::{Blob, DataSummary};
use crate::graph::infer;
use crate::i18n::{tr, tr_format};
use crate::interop::caffe;
use crate::interop::weights::WeightsFile;
use crate::project::{Project, write_atomically};
use crate::train;

#[derive(Debug, Args)]
pub(super) struct Options {
    #[arg(value_name = "IN", help = tr(
        "A project (.ron), a network or solver (.prototxt), a model (.onnx), weights (.safetensors, .pth, .pt, .caffemodel) or a mean image (.binaryproto)",
        "项目（.ron）、网络或求解器（.prototxt）、模型（.onnx）、权重（.safetensors、.pth、.pt、.caffemodel）或均值图像（.binaryproto）"
    ))]
    input: PathBuf,
    #[arg(value_name = "OUT", help = tr(
        "What to write: .ron or .prototxt for a project, or .onnx (a model), .py (PyTorch), .dot, .svg, .png (a drawing), .csv, .md (the table of layers) of it; .safetensors or .caffemodel for weights, .npy for a mean image",
        "要写出的文件：项目为 .ron 或 .prototxt，也可导出为 .onnx（模型）、.py（PyTorch）、.dot、.svg、.png（图）、.csv、.md（层表）；权重为 .safetensors 或 .caffemodel，均值图像为 .npy"
    ))]
    output: PathBuf,
    #[arg(long, value_name = "FILE", help = tr(
        "The project or network whose weights these are: it gives the names and the shapes",
        "这些权重所属的项目或网络：由它给出名称和形状"
    ))]
    net: Option<PathBuf>,
    #[command(flatten)]
    export: export::Options,
}

pub(super) fn ending(path: &Path) -> String {
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    ending.to_ascii_lowercase()
}

pub(super) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let (input, output) = (&options.input, &options.output);
    if std::path::absolute(input)? == std::path::absolute(output)? {
        bail!(tr(
            "a file cannot be converted into itself; give another name",
            "不能把文件转换为自身；请给出另一个文件名"
        ));
    }
    match (ending(input).as_str(), ending(output).as_str()) {
        ("ron" | "prototxt", "ron") => {
            source::read_project(input)?.save(output)?;
            said(output)?;
        }
        ("onnx", "ron") => {
            let imported = source::import_onnx(input)?;
            let weights = output.with_extension("safetensors");
            let bytes = train::weights_to_bytes(&weights, &imported.weights)?;
            imported.project.save(output)?;
            said(output)?;
            write(&weights, &bytes)?;
        }
        ("ron" | "prototxt" | "onnx", ending) if export::is_export(ending) => {
            let project = source::read_project(input)?;
            let paths = export::write(&project, input, output, &options.export)?;
            paths.iter().try_for_each(|path| said(path))?;
        }
        ("ron" | "prototxt" | "onnx", "prototxt") => {
            write_caffe(&source::read_project(input)?, output)?
        }
        ("caffemodel" | "pth" | "pt" | "bin" | "onnx", "safetensors") => {
            let net = options.net.as_deref();
            let project = net.map(source::read_project).transpose()?;
            let weights = tensors(input, project.as_ref())?;
            write(output, &train::weights_to_bytes(output, &weights)?)?;
        }
        ("safetensors" | "pth" | "pt" | "bin", "caffemodel") => {
            let weights = WeightsFile::open(input, None)?.tensors()?;
            let net = options.net.as_deref();
            let project = net.map(source::read_project).transpose()?;
            let layers = caffe::layers_of(&weights, project.as_ref().map(|p| &p.graph))?;
            let title = project.map_or_else(String::new, |project| project.title);
            write(output, &caffe::write_model(&title, &layers))?;
        }
        ("binaryproto", "npy") => {
            let Blob { shape, data } = Blob::open(input)?;
            let mean = Tensor::from_vec(data, shape, &candle_core::Device::Cpu)?;
            write(output, &npy::write(&mean)?)?;
        }
        (from, to) => bail!(tr_format!(
            "cannot convert .{from} to .{to}; see `layerlab convert --help`",
            "无法把 .{from} 转换为 .{to}；请参见 `layerlab convert --help`"
        )),
    }
    Ok(ExitCode::SUCCESS)
}

/// The tensors of a file of weights, and of a network's those that fit it.
fn tensors(input: &Path, project: Option<&Project>) -> anyhow::Result<BTreeMap<String, Tensor>> {
    let Some(project) = project else {
        return Ok(WeightsFile::open(input, None)?.tensors()?);
    };
    let inference = infer(&project.graph, &source::known_facts(project));
    let file = WeightsFile::open(input, Some((&project.graph, &inference)))?;
    if inference.totals.params == 0 {
        return Ok(file.tensors()?);
    }
    let report = file.report(&project.graph, &inference);
    eprintln!("{}", source::described(input, &report));
    let mut tensors = file.tensors()?;
    tensors.retain(|key, _| report.matched.iter().any(|named| named.key == *key));
    Ok(tensors)
}

fn said(path: &Path) -> anyhow::Result<()> {
    let path = path.display();
    print_line(&tr_format!("wrote {path}", "已写入 {path}"))
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    write_atomically(path, bytes).with_context(|| path.display().to_string())?;
    said(path)
}

/// Writes the network and its solvers, and says what Caffe reads otherwise.
fn write_caffe(project: &Project, output: &Path) -> anyhow::Result<()> {
    let summary = DataSummary::open(&project.data, Path::new("")).ok();
    let size = project.data.batch.test.max(1);
    let tests = summary.map(|summary| summary.test.div_ceil(size) as u64);
    for (path, notes) in caffe::save(project, &source::known_facts(project), tests, output)? {
        notes.iter().for_each(|note| eprintln!("{note}"));
        said(&path)?;
    }
    Ok(())
}
