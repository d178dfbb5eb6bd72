//! `layerlab diff`: what is different between two projects.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::{print_json, print_line};
use crate::graph::{Change, Graph, NodeId};
use crate::i18n::{tr, tr_format};
use crate::project::{Project, ProjectDiff, diff};

#[derive(Debug, Args)]
pub(super) struct Options {
    #[arg(value_name = "A.ron", help = tr("The earlier project", "较早的项目"))]
    before: PathBuf,
    #[arg(value_name = "B.ron", help = tr("The later project", "较晚的项目"))]
    after: PathBuf,
    #[arg(long, help = tr("Print one JSON object", "输出一个 JSON 对象"))]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    same: bool,
    added: Vec<Row>,
    removed: Vec<Row>,
    changed: Vec<ChangedRow>,
    /// Nodes that only stand elsewhere.
    moved: Vec<String>,
    /// What is not the graph.
    project: Vec<ChangeRow>,
}

#[derive(Serialize)]
struct Row {
    name: String,
    r#type: String,
}

#[derive(Serialize)]
struct ChangedRow {
    /// In the later project.
    name: String,
    changes: Vec<ChangeRow>,
}

#[derive(Serialize)]
struct ChangeRow {
    what: String,
    before: String,
    after: String,
}

impl From<&Change> for ChangeRow {
    fn from(change: &Change) -> Self {
        Self {
            what: change.what.clone(),
            before: change.before.clone(),
            after: change.after.clone(),
        }
    }
}

pub(super) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let before = Project::open(&options.before)?;
    let after = Project::open(&options.after)?;
    let report = report(&before, &after, &diff(&before, &after));
    if options.json {
        print_json(&report)?;
    } else {
        print(&report)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn report(before: &Project, after: &Project, found: &ProjectDiff) -> Report {
    let name = |graph: &Graph, id: NodeId| graph.node(id).map(|node| node.name.clone());
    let rows = |graph: &Graph, ids: &[NodeId]| -> Vec<Row> {
        let nodes = ids.iter().filter_map(|id| graph.node(*id));
        let row = nodes.map(|node| Row {
            name: node.name.clone(),
            r#type: node.layer.title().to_owned(),
        });
        row.collect()
    };
    let graph = &found.graph;
    let changed = graph.changed.iter().map(|changed| ChangedRow {
        name: name(&after.graph, changed.after).unwrap_or_default(),
        changes: changed.changes.iter().map(ChangeRow::from).collect(),
    });
    let moved = graph.moved.iter().filter_map(|id| name(&after.graph, *id));
    Report {
        same: found.is_empty(),
        added: rows(&after.graph, &graph.added),
        removed: rows(&before.graph, &graph.removed),
        changed: changed.collect(),
        moved: moved.collect(),
        project: found.other.iter().map(ChangeRow::from).collect(),
    }
}

fn print(report: &Report) -> anyhow::Result<()> {
    if report.same {
        return print_line(tr("the projects are the same", "两个项目相同"));
    }
    let arrow = |change: &ChangeRow| {
        let shown = |text: &str| {
            if text.is_empty() {
                "–".to_owned()
            } else {
                text.to_owned()
            }
        };
        format!(
            "{}: {} → {}",
            change.what,
            shown(&change.before),
            shown(&change.after)
        )
    };
    for (sign, rows) in [("-", &report.removed), ("+", &report.added)] {
        for row in rows {
            print_line(&format!("{sign} {} ({})", row.name, row.r#type))?;
        }
    }
    for changed in &report.changed {
        print_line(&format!("~ {}", changed.name))?;
        for change in &changed.changes {
            print_line(&format!("    {}", arrow(change)))?;
        }
    }
    if !report.moved.is_empty() {
        let count = report.moved.len();
        print_line(&tr_format!(
            "{count} nodes only stand elsewhere",
            "{count} 个节点仅位置不同"
        ))?;
    }
    for change in &report.project {
        print_line(&format!("~ {}", arrow(change)))?;
    }
    Ok(())
}
