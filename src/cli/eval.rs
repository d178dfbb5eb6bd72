//! `layerlab eval`: loss and metrics of trained weights on a split.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{anyhow, bail};
use clap::Args;
use serde_json::json;

use super::train::{details_of, in_words, metrics_of};
use super::{ProjectArgs, print_json, print_line, source};
use crate::data::SplitName;
use crate::i18n::{tr, tr_format};
use crate::train;

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    project: ProjectArgs,
    #[arg(long, value_name = "FILE", help = tr(
        "The weights, such as DIR/weights.safetensors of `train --out DIR`",
        "权重文件，例如 `train --out DIR` 写出的 DIR/weights.safetensors"
    ))]
    weights: PathBuf,
    #[arg(long, default_value = "test", value_name = "train|validation|test", help = tr(
        "The split", "所用划分"
    ))]
    split: SplitName,
    #[arg(long, help = tr("Print one JSON object", "输出一个 JSON 对象"))]
    json: bool,
}

pub(super) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let project = source::open_project(&options.project)?;
    let feed = source::open_feed_for(&project, Some(&options.weights))?;
    let split = options.split;
    if feed.dataset().is_empty(split) {
        let split = split.name();
        bail!(tr_format!(
            "the {split} is empty: the project holds back no examples for it",
            "{split}为空：项目没有为它留出样本"
        ));
    }
    let net = source::trained_net(&project, &train::facts(&feed), &options.weights)?;
    let evaluation = train::evaluate(&net, &feed, split, 0, &|| false)?;
    // Only an empty split or a stop gives none.
    let evaluation = evaluation.ok_or_else(|| anyhow!("nothing was evaluated"))?;
    if options.json {
        print_json(&json!({
            "split": split.key(),
            "loss": evaluation.loss,
            "metrics": metrics_of(&evaluation),
            "details": details_of(&evaluation, feed.dataset()),
        }))?;
    } else {
        print_line(&in_words(&evaluation, feed.dataset()))?;
    }
    Ok(ExitCode::SUCCESS)
}
