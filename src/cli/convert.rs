//! `layerlab convert`: a file of one program as that of another, by their endings.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use candle_core::Tensor;
use clap::Args;

use super::check::parse_shape;
use super::{npy, print_line, source};
use crate::data::{Blob, DataSummary};
use crate::graph::infer;
use crate::i18n::{tr, tr_format};
use crate::interop::weights::WeightsFile;
use crate::interop::{caffe, onnx};
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
        "What to write: .ron, .prototxt or .onnx for a project, .safetensors or .caffemodel for weights, .npy for a mean image",
        "要写出的文件：项目为 .ron、.prototxt 或 .onnx，权重为 .safetensors 或 .caffemodel，均值图像为 .npy"
    ))]
    output: PathBuf,
    #[arg(long, value_name = "FILE", help = tr(
        "The project or network whose weights these are: it gives the names and the shapes",
        "这些权重所属的项目或网络：由它给出名称和形状"
    ))]
    net: Option<PathBuf>,
    #[arg(long, value_name = "FILE", help = tr(
        "For a model (.onnx): the weights that it gets; by default those that training would begin with",
        "写出模型（.onnx）时采用的权重；默认为训练开始时的初始权重"
    ))]
    weights: Option<PathBuf>,
    #[arg(
        long = "shape",
        value_name = "NAME=3,32,32",
        value_parser = parse_shape,
        help = tr(
            "For a model (.onnx): the shape of one example at a data or input node, where the data are not there; may be repeated",
            "写出模型（.onnx）时，若数据不在，某个数据或输入节点的单个样本形状；可重复"
        )
    )]
    shapes: Vec<(String, Vec<usize>)>,
}

fn ending(path: &Path) -> String {
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
        ("ron" | "prototxt" | "onnx", "prototxt") => {
            write_caffe(&source::read_project(input)?, output)?
        }
        ("onnx", "ron") => {
            let imported = source::import_onnx(input)?;
            let weights = output.with_extension("safetensors");
            let bytes = train::weights_to_bytes(&weights, &imported.weights)?;
            imported.project.save(output)?;
            said(output)?;
            write(&weights, &bytes)?;
        }
        ("ron" | "prototxt", "onnx") => write_onnx(options)?,
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

/// Writes what the network computes in testing.
fn write_onnx(options: &Options) -> anyhow::Result<()> {
    let output = &options.output;
    let project = source::read_project(&options.input)?;
    let mut facts = source::known_facts(&project);
    facts.shapes = options.shapes.iter().cloned().collect();
    let net = match &options.weights {
        Some(weights) => source::trained_net(&project, &facts, weights)?,
        None => {
            eprintln!(
                "{}",
                tr(
                    "no weights are given: the model gets those that training would begin with",
                    "未给出权重：模型采用训练开始时的初始权重",
                )
            );
            source::fresh_net(&project, &facts)?
        }
    };
    onnx::save(&project, &facts, &net.copy_params()?, output)?;
    let opset = onnx::OPSET;
    eprintln!(
        "{}",
        tr_format!(
            "operators of ONNX opset {opset}; test phase, without losses",
            "ONNX 算子集版本 {opset}；测试阶段，不含损失"
        )
    );
    said(output)
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
