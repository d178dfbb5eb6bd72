//! `layerlab sample`: text from a network that was trained on text.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;

use super::{ProjectArgs, source};
use crate::i18n::tr;
use crate::inspect::Sampler;
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
    #[arg(long, value_name = "TEXT", default_value = "The ", help = tr(
        "What the network reads before it writes", "网络在生成之前先读入的文本"
    ))]
    begin: String,
    #[arg(long, value_name = "N", default_value_t = 500, help = tr(
        "How many characters or words to write", "要生成的字符数或单词数"
    ))]
    length: usize,
    #[arg(long, value_name = "T", default_value_t = 0.8, help = tr(
        "Below 1 keeps to what is likely, above 1 dares more; 0 takes the likeliest",
        "小于 1 更保守，大于 1 更大胆；0 总是取最可能的词元"
    ))]
    temperature: f64,
    #[arg(long, value_name = "N", default_value_t = 0, help = tr("The random seed", "随机种子"))]
    seed: u64,
}

pub(super) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    if !(options.temperature.is_finite() && options.temperature >= 0.0) {
        bail!(tr(
            "the temperature must be a number from 0 up",
            "温度必须是大于等于 0 的数"
        ));
    }
    let project = source::open_project(&options.project)?;
    let feed = source::open_feed_for(&project, Some(&options.weights))?;
    let dataset = feed.dataset();
    let mut tokens = dataset.tokens_of(&options.begin);
    if tokens.is_empty() {
        bail!(tr(
            "the project's data must be a text, and --begin must hold at least one token",
            "项目的数据必须是文本，且 --begin 至少包含一个词元"
        ));
    }
    let net = source::trained_net(&project, &train::facts(&feed), &options.weights)?;
    let mut sampler = Sampler::new(options.seed);
    for token in &tokens {
        sampler.read(&net, *token)?;
    }
    for _ in 0..options.length {
        let Some(token) = sampler.draw(options.temperature) else {
            bail!(tr(
                "the network's scores are not finite",
                "网络的得分不是有限数"
            ));
        };
        tokens.push(token);
        sampler.read(&net, token)?;
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", dataset.text_of(&tokens))?;
    Ok(ExitCode::SUCCESS)
}
