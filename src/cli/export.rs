//! What `layerlab convert` makes of a project for others to read: a PyTorch script.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{check, source};
use crate::data::{DataConfig, Dataset, Feed, Statistics};
use crate::graph::Facts;
use crate::i18n::{tr, tr_format};
use crate::interop::pytorch_script::{self, Preprocessing, ScriptOptions};
use crate::project::Project;
use crate::train;

#[derive(Debug, Args)]
pub(super) struct Options {
    #[arg(long, value_name = "FILE", help = tr(
        "With .py: the weights that the script loads, written beside it",
        "导出 .py 时：脚本要载入的权重，写在脚本旁边"
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
}

/// Whether a file with this ending is made for others to read.
pub(super) fn is_export(ending: &str) -> bool {
    matches!(ending, "py")
}

/// Writes what the output's ending says, and returns the files.
pub(super) fn write(
    project: &Project,
    input: &Path,
    output: &Path,
    options: &Options,
) -> anyhow::Result<Vec<PathBuf>> {
    let feed = open(project, input, options.weights.as_deref());
    let mut facts = feed.as_ref().map(train::facts).unwrap_or_default();
    facts.shapes = options.shapes.iter().cloned().collect();
    write_script(project, feed.as_ref(), facts, output, options)
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
    options: &Options,
) -> anyhow::Result<Vec<PathBuf>> {
    let weights = match &options.weights {
        Some(path) => Some(source::trained_net(project, &facts, path)?.copy_params()?),
        None => None,
    };
    let options = ScriptOptions {
        facts,
        preprocessing: Preprocessing {
            full: feed.and_then(Feed::image_shape),
            statistics: feed.map(|feed| feed.statistics().clone()),
        },
        classes: feed.map_or(Vec::new(), |feed| feed.dataset().classes().to_vec()),
    };
    let paths = pytorch_script::save(project, &options, weights.as_ref(), output)?;
    Ok(paths)
}
