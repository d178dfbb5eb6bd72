//! `layerlab check`: every node with its shapes and costs, and what is wrong.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::table::Table;
use super::{ProjectArgs, print_json, print_line, source};
use crate::data::{DataError, DataSummary};
use crate::graph::{Diagnostic, Facts, Graph, Inference, Severity, Shape, infer};
use crate::i18n::{tr, tr_format};
use crate::interop::layer_table::{Row, rows, thousands};
use crate::project::Project;

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    project: ProjectArgs,
    #[arg(
        long = "shape",
        value_name = "NAME=3,32,32",
        value_parser = parse_shape,
        help = tr(
            "The shape of one example at a data or input node, without the batch; may be repeated",
            "某个数据或输入节点的单个样本形状（不含批次维）；可重复"
        )
    )]
    shapes: Vec<(String, Vec<usize>)>,
    #[arg(long, help = tr("Print one JSON object", "输出一个 JSON 对象"))]
    json: bool,
}

pub(super) fn parse_shape(text: &str) -> Result<(String, Vec<usize>), String> {
    let parse = || {
        let (name, dims) = text.split_once('=')?;
        let dims = dims
            .split([',', 'x', '×'])
            .map(|dim| dim.trim().parse().ok());
        let dims: Vec<usize> = dims.collect::<Option<_>>()?;
        (!name.is_empty() && dims.iter().all(|dim| *dim > 0)).then(|| (name.to_owned(), dims))
    };
    parse().ok_or_else(|| tr("write it as NAME=3,32,32", "请写成 NAME=3,32,32").to_owned())
}

#[derive(Default, Serialize)]
struct Report {
    ok: bool,
    /// Learnable numbers, shared ones once.
    params: u64,
    /// Of them, those of the test phase.
    test_params: u64,
    neurons: u64,
    /// Multiply-adds per image.
    macs: u64,
    nodes: Vec<Row>,
    diagnostics: Vec<Finding>,
}

#[derive(Serialize)]
struct Finding {
    severity: Severity,
    node: Option<String>,
    message: String,
}

pub(super) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let report = match source::open_project(&options.project) {
        Ok(project) => report(&project, options)?,
        // With --json even a file that cannot be read is answered in JSON.
        Err(error) if options.json => Report {
            diagnostics: vec![finding(Severity::Error, super::message(&error))],
            ..Report::default()
        },
        Err(error) => return Err(error),
    };
    if options.json {
        print_json(&report)?;
    } else {
        print(&report)?;
    }
    Ok(if report.ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

fn report(project: &Project, options: &Options) -> anyhow::Result<Report> {
    let mut findings = Vec::new();
    let mut facts = data_facts(project, options, &mut findings)?;
    facts.shapes = options.shapes.iter().cloned().collect();
    let inference = infer(&project.graph, &facts);
    findings.extend(unknown_shape_names(&project.graph, &facts));
    findings.extend(unfit_names(project, &facts, &inference));
    findings.extend(project.stages.iter().filter_map(|stage| {
        stage
            .problem()
            .map(|message| finding(Severity::Error, message))
    }));
    findings.extend(
        inference
            .diagnostics
            .iter()
            .map(|found| of_node(&project.graph, found)),
    );
    Ok(Report {
        ok: findings
            .iter()
            .all(|finding| finding.severity != Severity::Error),
        params: inference.totals.params,
        test_params: inference.totals.test_params,
        neurons: inference.totals.neurons,
        macs: inference.totals.macs,
        nodes: rows(&project.graph, &inference),
        diagnostics: findings,
    })
}

/// The data's shape and classes. Data that are not on this machine are a warning, because a
/// project can be checked without them; data that were asked for with `--data` must be there.
fn data_facts(
    project: &Project,
    options: &Options,
    findings: &mut Vec<Finding>,
) -> anyhow::Result<Facts> {
    match DataSummary::open(&project.data, Path::new("")) {
        Ok(summary) => {
            eprintln!("{}", source::describe(&project.data.source, &summary));
            return Ok(crate::train::facts_of(&summary));
        }
        Err(error) if options.project.data.is_some() => return Err(error.into()),
        Err(error @ DataError::Config { .. }) => {
            findings.push(finding(Severity::Error, error.to_string()));
        }
        Err(error) => findings.push(finding(Severity::Warning, error.to_string())),
    }
    Ok(Facts::default())
}

/// Class names for another number of classes than the data and every output have.
fn unfit_names(project: &Project, facts: &Facts, inference: &Inference) -> Option<Finding> {
    let names = project.data.classes.count();
    let of_data = facts.data.as_ref().and_then(|data| data.classes);
    let shapes = inference
        .test
        .nodes
        .values()
        .filter_map(|info| info.outputs.as_ref());
    let mut of_outputs = shapes.flatten().filter_map(|shape| shape.dim(1));
    if names == 0 || of_data == Some(names) || of_outputs.any(|size| size == names) {
        return None;
    }
    let message = tr_format!(
        "`data.classes` has {names} names, but neither the data nor any output of the network has as many classes; they are not used",
        "`data.classes`有 {names} 个名称，但数据和网络的任何输出都没有这么多类别；这些名称不会被使用"
    );
    Some(finding(Severity::Warning, message))
}

/// A shape for a node that is not there is a slip of the pen.
fn unknown_shape_names(graph: &Graph, facts: &Facts) -> Vec<Finding> {
    let is_unknown = |name: &&String| graph.nodes().iter().all(|node| node.name != **name);
    let names = facts.shapes.keys().filter(is_unknown);
    let text = |name| {
        tr_format!(
            "--shape {name}: there is no such node",
            "--shape {name}：没有这个节点"
        )
    };
    names
        .map(|name| finding(Severity::Error, text(name)))
        .collect()
}

fn finding(severity: Severity, message: String) -> Finding {
    Finding {
        severity,
        node: None,
        message,
    }
}

fn of_node(graph: &Graph, found: &Diagnostic) -> Finding {
    Finding {
        severity: found.severity(),
        node: found.node.and_then(|id| Some(graph.node(id)?.name.clone())),
        message: found.message().to_owned(),
    }
}

fn print(report: &Report) -> anyhow::Result<()> {
    let headings = [
        tr("node", "节点"),
        tr("type", "类型"),
        tr("phase", "阶段"),
        tr("output", "输出"),
        tr("parameters", "参数"),
        tr("neurons", "神经元"),
        tr("multiply-adds", "乘加"),
        tr("receptive field", "感受野"),
    ];
    let mut table = Table::new(&headings, &[4, 5, 6, 7]);
    let count = |number: Option<u64>| number.map_or("?".to_owned(), thousands);
    for row in &report.nodes {
        let shapes = row.out.iter().map(|dims| Shape(dims.clone()).to_string());
        let field = row
            .rf
            .as_ref()
            .map(|[height, width]| format!("{height} × {width}"));
        table.add(vec![
            row.name.clone(),
            row.r#type.clone(),
            row.phase.to_owned(),
            shapes.collect::<Vec<_>>().join(", "),
            count(row.params),
            count(row.neurons),
            count(row.macs),
            field.unwrap_or_default(),
        ]);
    }
    for line in table.lines() {
        print_line(&line)?;
    }
    let [params, neurons, macs] = [report.params, report.neurons, report.macs].map(thousands);
    print_line(&tr_format!(
        "\n{params} parameters, {neurons} neurons, {macs} multiply-adds per image",
        "\n参数 {params}，神经元 {neurons}，每幅图像乘加 {macs}"
    ))?;
    if report.test_params != report.params {
        let params = thousands(report.test_params);
        print_line(&tr_format!(
            "{params} parameters in the test phase",
            "测试阶段参数 {params}"
        ))?;
    }
    for finding in &report.diagnostics {
        let severity = match finding.severity {
            Severity::Error => tr("error", "错误"),
            Severity::Warning => tr("warning", "警告"),
        };
        let message = &finding.message;
        match &finding.node {
            Some(node) => eprintln!(
                "{}",
                tr_format!(
                    "{severity}: {node}: {message}",
                    "{severity}：{node}：{message}"
                )
            ),
            None => eprintln!(
                "{}",
                tr_format!("{severity}: {message}", "{severity}：{message}")
            ),
        }
    }
    Ok(())
}
