//! Opening what commands work on: the project, its data, the network with its weights.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;

use super::ProjectArgs;
use crate::data::{BUILT_IN, DataSummary, Dataset, Feed, Statistics};
use crate::graph::Facts;
use crate::i18n::{tr, tr_format};
use crate::interop::weights::{self, Fit, Report};
use crate::interop::{caffe, onnx};
use crate::net::{Net, NetConfig};
use crate::project::Project;
use crate::train;

/// Reads a project; `--data` replaces its source.
pub(super) fn open_project(args: &ProjectArgs) -> anyhow::Result<Project> {
    let path = &args.project;
    let mut project = read_project(path)?;
    match &args.data {
        Some(source) => project.data.source = independent(source, Path::new("")),
        None => {
            let folder = path.parent().unwrap_or(Path::new(""));
            project.data.source = independent(&project.data.source, folder);
        }
    }
    Ok(project)
}

/// A project as it stands in its file: a source keeps its name. Of an ONNX model, the graph.
pub(super) fn read_project(path: &Path) -> anyhow::Result<Project> {
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("prototxt") => import(path),
        Some("onnx") => Ok(import_onnx(path)?.project),
        _ => Ok(Project::open(path)?),
    }
}

/// The file of weights that was given, or the model itself where that has them.
pub(super) fn weights_of<'a>(
    args: &'a ProjectArgs,
    given: Option<&'a Path>,
) -> anyhow::Result<&'a Path> {
    let own = Some(args.project.as_path());
    let own = own.filter(|path| path.extension().is_some_and(|ending| ending == "onnx"));
    given.or(own).context(tr(
        "say with --weights FILE which weights to take",
        "请用 --weights 文件 指明所用的权重",
    ))
}

/// Reads an ONNX model and says on stderr what was read otherwise than it stands there.
pub(super) fn import_onnx(path: &Path) -> anyhow::Result<onnx::Imported> {
    let imported = onnx::open(path)?;
    let path = path.display();
    for note in &imported.notes {
        eprintln!("{path}: {note}");
    }
    Ok(imported)
}

/// Reads Caffe's definition and says on stderr what was read otherwise than it stands there.
pub(super) fn import(path: &Path) -> anyhow::Result<Project> {
    let imported = caffe::open(path)?;
    for (path, note) in &imported.notes {
        let (path, line, column) = (path.display(), note.line, note.column);
        eprintln!("{path}:{line}:{column}: {}", note.message);
    }
    Ok(imported.project)
}

/// A source that means the same in every folder, so that the project can be written elsewhere.
pub(super) fn independent(source: &str, base: &Path) -> String {
    if BUILT_IN.iter().any(|(name, _)| *name == source) {
        return source.to_owned();
    }
    let path = base.join(source);
    let path = std::path::absolute(&path).unwrap_or(path);
    path.into_os_string()
        .into_string()
        .unwrap_or_else(|_| source.to_owned())
}

/// Opens the project's data and says on stderr what they were recognised as.
pub(super) fn open_feed(project: &Project) -> anyhow::Result<Arc<Feed>> {
    open_feed_for(project, None)
}

/// The same, with the statistics that lie beside the weights which are to see the data.
pub(super) fn open_feed_for(
    project: &Project,
    weights: Option<&Path>,
) -> anyhow::Result<Arc<Feed>> {
    let folder = weights.map(|path| path.parent().unwrap_or(Path::new("")));
    let saved = folder.map(Statistics::load).transpose()?.flatten();
    let dataset = Dataset::open(&project.data, Path::new(""))?;
    let feed = Feed::new(dataset, &project.data, saved)?;
    eprintln!("{}", describe(&project.data.source, &feed.summary()));
    Ok(Arc::new(feed))
}

/// What a source was recognised as, on one line.
pub(super) fn describe(source: &str, summary: &DataSummary) -> String {
    let kind = summary.kind.name();
    let (shape, answer) = (summary.shape_text(), summary.answer_text());
    let DataSummary {
        train,
        validation,
        test,
        ..
    } = summary;
    tr_format!(
        "data: {source}: {kind}; {shape}, {answer}; {train} to train, {validation} to validate, {test} to test",
        "数据：{source}：{kind}；{shape}，{answer}；训练 {train}，验证 {validation}，测试 {test}"
    )
}

/// The project's network with the weights that training begins with, on the CPU.
pub(super) fn fresh_net(project: &Project, facts: &Facts) -> anyhow::Result<Net> {
    let config = NetConfig {
        precise: project.precise,
        seed: project.seed,
        ..NetConfig::default()
    };
    Net::compile(&project.graph, facts, config)
        .context(tr("the network cannot run", "网络无法运行"))
}

/// The project's network with these weights, of any format and all of them, on the CPU.
pub(super) fn trained_net(project: &Project, facts: &Facts, weights: &Path) -> anyhow::Result<Net> {
    let mut net = fresh_net(project, facts)?;
    let report = weights::load(&mut net, weights, Fit::Strict)?;
    if !report.unused.is_empty() || !report.notes.is_empty() {
        eprintln!("{}", described(weights, &report));
    }
    Ok(net)
}

/// What a file of weights gave, on a few lines.
pub(super) fn described(path: &Path, report: &Report) -> String {
    let (path, summary) = (path.display(), report.summary());
    let mut text = format!("{path}: {summary}");
    let misfits = report.first_misfits();
    if !misfits.is_empty() {
        text += &format!("\n{path}: {misfits}");
    }
    for note in &report.notes {
        text += &format!("\n{path}: {note}");
    }
    text
}

/// What a project's data say, if they are there.
pub(super) fn known_facts(project: &Project) -> Facts {
    let summary = DataSummary::open(&project.data, Path::new(""));
    summary
        .map(|summary| train::facts_of(&summary))
        .unwrap_or_default()
}
