//! `layerlab gradients`: how large the gradient of each layer is, by depth, in one network or in
//! several beside each other.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use serde_json::{Value, json};

use super::table::Table;
use super::{ProjectArgs, print_json, print_line, source};
use crate::data::{MAX_BATCH, SplitName};
use crate::graph::Phase;
use crate::i18n::{tr, tr_format};
use crate::inspect::{LayerGradient, gradients_by_depth};
use crate::net::{BackwardStart, ForwardOptions, Keep, Net, NetConfig};
use crate::train;

#[derive(Debug, Args)]
pub(super) struct Options {
    #[arg(required = true, help = tr(
        "The projects, such as a network and its twin without shortcuts",
        "项目，例如某个网络及其没有捷径的孪生网络"
    ))]
    projects: Vec<PathBuf>,
    #[arg(long, value_name = "NAME|PATH", help = tr(
        "Data instead of the projects' own", "替代项目自带的数据"
    ))]
    data: Option<String>,
    #[arg(long, value_name = "FILE", help = tr(
        "Weights instead of fresh ones; for a single project",
        "使用该权重而非初始权重；仅限单个项目"
    ))]
    weights: Option<PathBuf>,
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=MAX_BATCH as i64), help = tr(
        "Training examples that are looked at (default: the project's batch)",
        "所用训练样本数（默认为项目的批次大小）"
    ))]
    examples: Option<u32>,
    #[arg(long, help = tr("Print one JSON object a project", "每个项目输出一个 JSON 对象"))]
    json: bool,
}

pub(super) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    if options.weights.is_some() && options.projects.len() > 1 {
        anyhow::bail!(tr(
            "--weights goes with one project only",
            "--weights 只能用于单个项目"
        ));
    }
    for project in &options.projects {
        let args = ProjectArgs {
            project: project.clone(),
            data: options.data.clone(),
        };
        let layers = measure(&args, options).with_context(|| project.display().to_string())?;
        let name = project.file_stem().unwrap_or_default().to_string_lossy();
        match options.json {
            true => print_json(&report(&name, &layers))?,
            false => print(&name, &layers)?,
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Of the loss on the first examples of the training split, without a step.
fn measure(args: &ProjectArgs, options: &Options) -> anyhow::Result<Vec<LayerGradient>> {
    let project = source::open_project(args)?;
    let feed = source::open_feed_for(&project, options.weights.as_deref())?;
    let facts = train::facts(&feed);
    let net = match &options.weights {
        Some(weights) => source::trained_net(&project, &facts, weights)?,
        None => {
            let config = NetConfig {
                seed: project.seed,
                precise: project.precise,
                ..NetConfig::default()
            };
            Net::compile(&project.graph, &facts, config)
                .context(tr("the network cannot run", "网络无法运行"))?
        }
    };
    let wanted = (options.examples).map_or(project.data.batch.train, |count| count as usize);
    let count = wanted.min(feed.dataset().len(SplitName::Train)).max(1);
    let batch = feed.batch(SplitName::Train, &(0..count).collect::<Vec<_>>())?;
    let walk = ForwardOptions {
        keep: Keep::Only(Default::default()),
        backward: true,
        seed: project.seed,
        ..ForwardOptions::default()
    };
    let mut pass = net.forward(Phase::Train, &train::feed_of(&batch), walk)?;
    let backward = net.backward(&mut pass, &BackwardStart::Losses)?;
    let weights = net.params().iter();
    let weights = weights.map(|(key, param)| (key.clone(), param.tensor.clone()));
    let order = net.order(Phase::Train);
    Ok(gradients_by_depth(
        order,
        &weights.collect(),
        &backward.params,
    )?)
}

fn report(name: &str, layers: &[LayerGradient]) -> Value {
    let layer = |layer: &LayerGradient| json!({"node": layer.node, "gradient": layer.gradient, "weight": layer.weight});
    json!({
        "project": name,
        "layers": layers.iter().map(layer).collect::<Vec<_>>(),
        "first_to_last": first_to_last(layers),
    })
}

/// How much larger the first layer's gradient is than the last one's.
fn first_to_last(layers: &[LayerGradient]) -> Option<f64> {
    Some(layers.first()?.gradient / layers.last()?.gradient)
}

/// Bars grow with the logarithm, a character for each third of a decade.
fn print(name: &str, layers: &[LayerGradient]) -> anyhow::Result<()> {
    print_line(name)?;
    let headings = [
        tr("layer", "层"),
        tr("gradient", "梯度"),
        tr("gradient / weight", "梯度 / 权重"),
        tr("(root mean squares)", "（均方根）"),
    ];
    let mut table = Table::new(&headings, &[1, 2]);
    let least = layers.iter().map(|layer| layer.gradient);
    let least = least
        .filter(|value| *value > 0.0)
        .fold(f64::INFINITY, f64::min);
    for layer in layers {
        let length = 1.0 + 3.0 * (layer.gradient / least).log10();
        let length = if length.is_finite() {
            length as usize
        } else {
            0
        };
        table.add(vec![
            layer.node.clone(),
            format!("{:.3e}", layer.gradient),
            format!("{:.3e}", layer.ratio()),
            "█".repeat(length.min(60)),
        ]);
    }
    table.lines().iter().try_for_each(|line| print_line(line))?;
    if let Some(ratio) = first_to_last(layers) {
        print_line(&tr_format!(
            "first layer to last: {ratio:.3}\n",
            "首层与末层之比：{ratio:.3}\n"
        ))?;
    }
    Ok(())
}
