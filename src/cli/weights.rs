//! `layerlab weights`: a file of weights beside a project, tensor by tensor.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use serde_json::json;

use super::table::Table;
use super::{ProjectArgs, print_json, print_line, source};
use crate::graph::infer;
use crate::i18n::tr;
use crate::interop::weights::{Report, compare, shape_text};

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    project: ProjectArgs,
    #[arg(value_name = "FILE", help = tr(
        "The weights: .safetensors, PyTorch's .pth, .pt or .bin, Caffe's .caffemodel",
        "权重文件：.safetensors，PyTorch 的 .pth、.pt 或 .bin，Caffe 的 .caffemodel"
    ))]
    file: PathBuf,
    #[arg(long, help = tr("Print one JSON object", "输出一个 JSON 对象"))]
    json: bool,
}

pub(super) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let project = source::open_project(&options.project)?;
    let graph = &project.graph;
    let inference = infer(graph, &source::known_facts(&project));
    if inference.totals.params == 0 {
        bail!(tr(
            "the network has no parameters, or their sizes are not known; see `layerlab check`",
            "网络没有参数，或其大小未知；请参见 `layerlab check`"
        ));
    }
    let report = compare(&options.file, graph, &inference)?;
    if options.json {
        print_json(&json!({
            "complete": report.is_complete(),
            "matched": report.matched, "differing": report.differing,
            "missing": report.missing, "unused": report.unused, "notes": report.notes,
        }))?;
    } else {
        print(&report)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print(report: &Report) -> anyhow::Result<()> {
    let headings = [
        "",
        tr("tensor", "张量"),
        tr("in the file", "文件中"),
        tr("in the network", "网络中"),
    ];
    let mut table = Table::new(&headings, &[]);
    let mut add = |mark: &str, key: &str, file: Option<&[usize]>, network: Option<&[usize]>| {
        let cell = |shape: Option<&[usize]>| shape.map_or("—".to_owned(), shape_text);
        table.add(vec![
            mark.to_owned(),
            key.to_owned(),
            cell(file),
            cell(network),
        ]);
    };
    for named in &report.matched {
        add("", &named.key, Some(&named.shape), Some(&named.shape));
    }
    for differing in &report.differing {
        let mark = tr("differs", "形状不同");
        add(
            mark,
            &differing.key,
            Some(&differing.file),
            Some(&differing.network),
        );
    }
    for named in &report.missing {
        add(tr("missing", "缺失"), &named.key, None, Some(&named.shape));
    }
    for named in &report.unused {
        add(
            tr("not used", "未使用"),
            &named.key,
            Some(&named.shape),
            None,
        );
    }
    for line in table.lines() {
        print_line(&line)?;
    }
    print_line(&format!("\n{}", report.summary()))?;
    for note in &report.notes {
        print_line(note)?;
    }
    Ok(())
}
