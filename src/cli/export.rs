//! What `layerlab convert` makes of a project for others to read: a PyTorch script, a drawing, a
//! table of the layers.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;

use super::{check, source};
use crate::data::{DataConfig, Dataset, Feed, Statistics};
use crate::graph::{Facts, infer};
use crate::i18n::{tr, tr_format};
use crate::interop::drawing::{self, Figure, Folding};
use crate::interop::pytorch_script::{self, Preprocessing, ScriptOptions};
use crate::interop::{layer_table, onnx};
use crate::project::{Project, write_atomically};
use crate::train;

#[derive(Debug, Args)]
pub(super) struct Options {
    #[arg(long, value_name = "FILE", help = tr(
        "With .py: the weights that the script loads, written beside it; with .onnx: those in the model (default: as training would begin)",
        "导出 .py 时：脚本要载入的权重，写在脚本旁边；导出 .onnx 时：模型内的权重（默认为训练的初始权重）"
    ))]
    weights: Option<PathBuf>,
    #[arg(
        long = "shape",
        value_name = "NAME=3,32,32",
        value_parser = check::parse_shape,
        help = tr(
            "The shape of one example at a data or input node, where the data are not here; may be repeated",
            "数据不在本机时，某个数据或输入节点的单个样本形状；可重复"
        )
    )]
    shapes: Vec<(String, Vec<usize>)>,
    #[arg(long, conflicts_with = "unfold", help = tr(
        "In a drawing: every group as one box",
        "绘图时：每个组画成一个方框"
    ))]
    fold: bool,
    #[arg(long, help = tr(
        "In a drawing: every node of every group (default: as in the editor)",
        "绘图时：画出组内的所有节点（默认与编辑器一致）"
    ))]
    unfold: bool,
}

/// Whether a file with this ending is made for others to read.
pub(super) fn is_export(ending: &str) -> bool {
    matches!(ending, "onnx" | "py" | "dot" | "svg" | "png" | "csv" | "md")
}

/// Writes what the output's ending says, and returns the files.
pub(super) fn write(
    project: &Project,
    input: &Path,
    output: &Path,
    options: &Options,
) -> anyhow::Result<Vec<PathBuf>> {
    let weights = weights_of(input, options);
    let feed = open(project, input, weights);
    let mut facts = feed.as_ref().map(train::facts).unwrap_or_default();
    facts.shapes = options.shapes.iter().cloned().collect();
    let ending = super::convert::ending(output);
    match ending.as_str() {
        "py" => return write_script(project, feed.as_ref(), facts, output, weights),
        "onnx" => return write_onnx(project, facts, output, weights),
        _ => {}
    }
    let (graph, inference) = (&project.graph, infer(&project.graph, &facts));
    let folding = match (options.fold, options.unfold) {
        (true, _) => Folding::Folded,
        (_, true) => Folding::Unfolded,
        _ => Folding::AsIs,
    };
    let figure = || Figure::new(&project.title, graph, &inference, folding);
    let bytes = match ending.as_str() {
        "dot" => drawing::dot(&figure()).into_bytes(),
        "svg" => drawing::svg(&figure()).into_bytes(),
        "png" => drawing::png(&figure())?,
        "csv" => layer_table::csv(graph, &inference)?,
        _ => layer_table::markdown(&project.title, graph, &inference).into_bytes(),
    };
    write_atomically(output, &bytes).with_context(|| output.display().to_string())?;
    Ok(vec![output.to_owned()])
}

/// The weights that were asked for; a model has its own.
fn weights_of<'a>(input: &'a Path, options: &'a Options) -> Option<&'a Path> {
    let own = Some(input).filter(|input| super::convert::ending(input) == "onnx");
    options.weights.as_deref().or(own)
}

/// The project's data, if they are there; else what is missing is said.
fn open(project: &Project, input: &Path, weights: Option<&Path>) -> Option<Feed> {
    let folder = input.parent().unwrap_or(Path::new(""));
    let config = DataConfig {
        source: source::independent(&project.data.source, folder),
        ..project.data.clone()
    };
    let open = || {
        let folder = weights.map(|path| path.parent().unwrap_or(Path::new("")));
        let saved = folder.map(Statistics::load).transpose()?.flatten();
        Feed::new(Dataset::open(&config, Path::new(""))?, &config, saved)
    };
    open()
        .inspect_err(|error| {
            eprintln!(
                "{}",
                tr_format!("without the data: {error}", "未使用数据：{error}")
            );
        })
        .ok()
}

fn write_script(
    project: &Project,
    feed: Option<&Feed>,
    facts: Facts,
    output: &Path,
    weights: Option<&Path>,
) -> anyhow::Result<Vec<PathBuf>> {
    let weights = match weights {
        Some(path) => Some(source::trained_net(project, &facts, path)?.copy_params()?),
        None => None,
    };
    let options = ScriptOptions {
        facts,
        preprocessing: Preprocessing {
            full: feed.and_then(Feed::image_shape),
            statistics: feed.map(|feed| feed.statistics().clone()),
        },
        classes: class_names(project, feed),
    };
    let paths = pytorch_script::save(project, &options, weights.as_ref(), output)?;
    Ok(paths)
}

/// The project's list, or the data's own names.
fn class_names(project: &Project, feed: Option<&Feed>) -> Vec<String> {
    let names = &project.data.classes;
    match names.count() {
        0 => feed.map_or(Vec::new(), |feed| feed.dataset().classes().to_vec()),
        count => (0..count)
            .filter_map(|class| names.get(class))
            .map(str::to_owned)
            .collect(),
    }
}

/// Writes what the network computes in testing.
fn write_onnx(
    project: &Project,
    facts: Facts,
    output: &Path,
    weights: Option<&Path>,
) -> anyhow::Result<Vec<PathBuf>> {
    let net = match weights {
        Some(weights) => source::trained_net(project, &facts, weights)?,
        None => {
            eprintln!(
                "{}",
                tr(
                    "no weights are given: the model gets those that training would begin with",
                    "未给出权重：模型采用训练开始时的初始权重",
                )
            );
            source::fresh_net(project, &facts)?
        }
    };
    onnx::save(project, &facts, &net.copy_params()?, output)?;
    let opset = onnx::OPSET;
    eprintln!(
        "{}",
        tr_format!(
            "operators of ONNX opset {opset}; test phase, without losses",
            "ONNX 算子集版本 {opset}；测试阶段，不含损失"
        )
    );
    Ok(vec![output.to_owned()])
}
