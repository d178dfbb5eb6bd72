//! `layerlab rewrite`: a project with its graph changed in a way that keeps what it computes or
//! sees, and what that costs before and after.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use candle_core::Tensor;
use clap::Args;
use serde::Serialize;

use super::table::Table;
use super::{ProjectArgs, print_json, print_line, source};
use crate::data::DataSummary;
use crate::graph::{Facts, Graph, Inference, infer};
use crate::i18n::tr;
use crate::interop::layer_table::thousands;
use crate::layers::rewrite::{self, Cost, RewriteError};
use crate::project::write_atomically;
use crate::train;

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    project: ProjectArgs,
    #[arg(value_name = "OUT.ron", help = tr("The project to write", "要写出的项目"))]
    output: PathBuf,
    #[arg(long, value_name = "NODE", help = tr(
        "Replace this convolution (5 × 5, 7 × 7 …) by a stack of 3 × 3; may be repeated",
        "把该卷积（5 × 5、7 × 7……）换成 3 × 3 的堆叠；可重复"
    ))]
    stack: Vec<String>,
    #[arg(long, help = tr(
        "Turn full connections into convolutions, so that images of any size are accepted",
        "把全连接转换为卷积，从而接受任意大小的图像"
    ))]
    full_to_conv: bool,
    #[arg(long, help = tr(
        "Place all boxes anew, folded groups as one box each",
        "重新排列所有方框；折叠的组各占一个方框"
    ))]
    layout: bool,
    #[arg(long, value_name = "FILE", requires = "weights_out", help = tr(
        "Weights of the project, to be carried over", "项目的权重，将随之转换"
    ))]
    weights: Option<PathBuf>,
    #[arg(long, value_name = "FILE.safetensors", requires = "weights", help = tr(
        "Where the carried weights are written", "转换后权重的保存位置"
    ))]
    weights_out: Option<PathBuf>,
    #[arg(long, help = tr("Print one JSON object", "输出一个 JSON 对象"))]
    json: bool,
}

/// What a network, or a part of it, costs.
#[derive(Serialize)]
struct Row {
    what: String,
    #[serde(flatten)]
    cost: Cost,
}

/// The room that boxes are placed for, in points: about the graph's panel on a laptop.
const VIEW: [f32; 2] = [1100.0, 620.0];

pub(super) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    if options.stack.is_empty() && !options.full_to_conv && !options.layout {
        bail!(tr(
            "say what to change: --stack NODE, --full-to-conv or --layout",
            "请说明要做的更改：--stack 节点、--full-to-conv 或 --layout"
        ));
    }
    let mut project = source::open_project(&options.project)?;
    let facts = DataSummary::open(&project.data, Path::new(""))
        .map(|summary| train::facts_of(&summary))
        .unwrap_or_default();
    let before = project.graph.clone();
    let mut costs = Vec::new();
    for name in &options.stack {
        let old = infer(&project.graph, &facts);
        let node = project.graph.nodes().iter().find(|node| &node.name == name);
        let id = node.map(|node| node.id);
        let id = id.ok_or_else(|| RewriteError::NoNode(name.clone()))?;
        let graph = rewrite::stack_of_3x3(&project.graph, id)?;
        let new = infer(&graph, &facts);
        costs.push(Row {
            what: name.clone(),
            cost: Cost::at((&project.graph, &old), (&graph, &new), name),
        });
        project.graph = graph;
    }
    if options.full_to_conv {
        project.graph = rewrite::full_to_conv(&project.graph, &infer(&project.graph, &facts))?;
    }
    let (old, new) = (infer(&before, &facts), infer(&project.graph, &facts));
    costs.push(Row {
        what: tr("the network", "整个网络").to_owned(),
        cost: Cost::whole((&before, &old), (&project.graph, &new)),
    });
    if options.layout {
        project.graph.lay_out(VIEW, |_| None);
    }
    project.save(&options.output)?;
    if let (Some(from), Some(to)) = (&options.weights, &options.weights_out) {
        let weights = carried(&before, &facts, from, &new)?;
        write_atomically(to, &train::weights_to_bytes(to, &weights)?)
            .with_context(|| to.display().to_string())?;
    }
    match options.json {
        true => print_json(&costs)?,
        false => print(&costs)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The weights in the shapes of the changed network: those of a full connection are those of the
/// convolution, read as (outputs, C, H, W). What a stack replaced is left out.
fn carried(
    before: &Graph,
    facts: &Facts,
    file: &Path,
    after: &Inference,
) -> anyhow::Result<BTreeMap<String, Tensor>> {
    let project = crate::project::Project {
        graph: before.clone(),
        ..Default::default()
    };
    let net = source::trained_net(&project, facts, file)?;
    let mut weights = BTreeMap::new();
    let infos = [&after.train, &after.test].map(|phase| phase.nodes.values());
    for (key, spec) in infos.into_iter().flatten().flat_map(|info| &info.params) {
        let Some(old) = net.params().get(key).map(|param| &param.tensor) else {
            continue;
        };
        if old.elem_count() == spec.count() {
            weights.insert(key.clone(), old.reshape(spec.shape.as_slice())?);
        }
    }
    Ok(weights)
}

fn print(costs: &[Row]) -> anyhow::Result<()> {
    let headings = [
        "",
        tr("parameters", "参数"),
        tr("after", "之后"),
        tr("multiply-adds", "乘加次数"),
        tr("after", "之后"),
        tr("receptive field", "感受野"),
        tr("after", "之后"),
    ];
    let mut table = Table::new(&headings, &[1, 2, 3, 4, 5, 6]);
    for Row { what, cost } in costs {
        let field = |index: usize| {
            cost.receptive_field.map_or_else(String::new, |fields| {
                let [height, width] = fields[index];
                format!("{height} × {width}")
            })
        };
        table.add(vec![
            what.clone(),
            thousands(cost.params[0]),
            thousands(cost.params[1]),
            thousands(cost.macs[0]),
            thousands(cost.macs[1]),
            field(0),
            field(1),
        ]);
    }
    table.lines().iter().try_for_each(|line| print_line(line))
}
