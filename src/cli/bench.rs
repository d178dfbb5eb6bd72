//! `layerlab bench`: the time of a training step, or of a forward walk alone, on random data.

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, bail};
use candle_core::{Device, Tensor};
use clap::Args;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use super::{DeviceArgs, ProjectArgs, print_json, print_line, source, with_threads};
use crate::data::{DataSummary, MAX_BATCH};
use crate::graph::Phase;
use crate::i18n::{tr, tr_format};
use crate::net::{BackwardStart, DataFeed, ForwardOptions, Keep, Net, NetConfig, NetFeed};
use crate::project::Project;
use crate::train::{self, Momentum};

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    project: ProjectArgs,
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=MAX_BATCH as i64), help = tr(
        "Examples in a batch instead of the project's", "批次大小（替代项目的设置）"
    ))]
    batch: Option<u32>,
    #[arg(long, value_name = "K", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000_000), help = tr(
        "Measured iterations", "测量的迭代次数"
    ))]
    iterations: u32,
    #[arg(long, help = tr(
        "Measure the forward walk alone, as in a test", "只测量前向计算（同测试阶段）"
    ))]
    forward: bool,
    #[command(flatten)]
    device: DeviceArgs,
    #[arg(long, help = tr("Print one JSON object", "输出一个 JSON 对象"))]
    json: bool,
}

/// Steps before the clock counts: memory is allocated, caches fill, a GPU compiles.
const WARM_UP: u32 = 3;

/// Milliseconds of one step.
struct Times {
    forward: f64,
    backward: f64,
    update: f64,
    step: f64,
}

pub(super) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let project = source::open_project(&options.project)?;
    let batch = options
        .batch
        .map_or(project.data.batch.train, |batch| batch as usize);
    let times = with_threads(options.device.threads, || measure(&project, options, batch))?;
    let median = |of: fn(&Times) -> f64| median(times.iter().map(of).collect());
    let (forward, step) = (median(|times| times.forward), median(|times| times.step));
    let (images, peak) = (batch as f64 / step * 1000.0, peak_megabytes());
    let mut report = json!({
        "forward_ms": forward,
        "images_per_s": images,
        "peak_mb": peak,
    });
    let mut line = tr_format!("forward {forward:.2} ms", "前向 {forward:.2} 毫秒");
    if !options.forward {
        let (backward, update) = (median(|times| times.backward), median(|times| times.update));
        report["backward_ms"] = json!(backward);
        report["update_ms"] = json!(update);
        report["step_ms"] = json!(step);
        line += &tr_format!(
            ", backward {backward:.2} ms, update {update:.2} ms, step {step:.2} ms",
            "，反向 {backward:.2} 毫秒，更新 {update:.2} 毫秒，整步 {step:.2} 毫秒"
        );
    }
    if options.json {
        print_json(&report)?;
    } else {
        let peak = peak.unwrap_or(f64::NAN);
        print_line(&line)?;
        print_line(&tr_format!(
            "{images:.0} images/s at batches of {batch}; peak memory {peak:.0} MB",
            "批次 {batch} 时每秒 {images:.0} 幅图像；内存峰值 {peak:.0} MB"
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn measure(project: &Project, options: &Options, batch: usize) -> anyhow::Result<Vec<Times>> {
    let summary = DataSummary::open(&project.data, Path::new(""))?;
    let facts = train::facts_of(&summary);
    let (device, notice) = options.device.choose().open();
    if let Some(notice) = notice {
        eprintln!("{notice}");
    }
    let config = NetConfig {
        device: device.clone(),
        seed: project.seed,
        precise: project.precise,
        ..NetConfig::default()
    };
    let mut net = Net::compile(&project.graph, &facts, config)
        .context(tr("the network cannot run", "网络无法运行"))?;
    let feed = random_batch(&summary, batch, &device)?;
    let mut momentum = Momentum::new();
    let mut times = Vec::new();
    for iteration in 0..WARM_UP + options.iterations {
        let measured = match options.forward {
            true => forward(&net, &feed, project.seed)?,
            false => step(&mut net, &feed, &mut momentum, project, iteration.into())?,
        };
        if iteration >= WARM_UP {
            times.push(measured);
        }
    }
    Ok(times)
}

/// The forward walk of a test: nothing is kept for a backward walk.
fn forward(net: &Net, feed: &NetFeed, seed: u64) -> anyhow::Result<Times> {
    let begin = Instant::now();
    let options = ForwardOptions {
        keep: Keep::Only(Default::default()),
        seed,
        ..ForwardOptions::default()
    };
    net.forward(Phase::Test, feed, options)?;
    net.config().device.synchronize()?;
    let forward = begin.elapsed().as_secs_f64() * 1000.0;
    Ok(Times {
        forward,
        backward: 0.0,
        update: 0.0,
        step: forward,
    })
}

/// The same step as in training.
fn step(
    net: &mut Net,
    feed: &NetFeed,
    momentum: &mut Momentum,
    project: &Project,
    iteration: u64,
) -> anyhow::Result<Times> {
    let device = net.config().device.clone();
    let begin = Instant::now();
    let options = ForwardOptions {
        keep: Keep::Only(Default::default()),
        backward: true,
        seed: project.seed,
        iteration,
        ..ForwardOptions::default()
    };
    let mut pass = net.forward(Phase::Train, feed, options)?;
    if pass.loss(net)?.is_none() {
        bail!(tr(
            "the network has no loss in the training phase",
            "网络在训练阶段没有损失函数"
        ));
    }
    device.synchronize()?;
    let forward = begin.elapsed();
    let backward = net.backward(&mut pass, &BackwardStart::Losses)?;
    device.synchronize()?;
    let down_and_up = begin.elapsed();
    let solver = project
        .stages
        .first()
        .map(|stage| stage.solver.clone())
        .unwrap_or_default();
    // Labels are random: at the project's own rate the weights might overflow.
    train::update(
        net,
        &backward.params,
        momentum,
        &solver,
        (1e-6, iteration + 1),
    )?;
    for (key, tensor) in std::mem::take(&mut pass.buffers) {
        net.set_param(&key, tensor)?;
    }
    device.synchronize()?;
    let step = begin.elapsed();
    let milliseconds = |duration: std::time::Duration| duration.as_secs_f64() * 1000.0;
    Ok(Times {
        forward: milliseconds(forward),
        backward: milliseconds(down_and_up - forward),
        update: milliseconds(step - down_and_up),
        step: milliseconds(step),
    })
}

/// Uniform numbers in 0 … 1 of the data's shape, and random labels.
fn random_batch(summary: &DataSummary, batch: usize, device: &Device) -> anyhow::Result<NetFeed> {
    let mut random = ChaCha8Rng::seed_from_u64(0);
    let count = (summary.shape.iter()).try_fold(batch, |count, side| count.checked_mul(*side));
    let Some(count) = count.filter(|count| *count <= 1 << 30) else {
        bail!(tr(
            "this batch takes more than 4 GiB; choose a smaller one",
            "该批次超过 4 GiB；请减小批次"
        ));
    };
    let classes = summary.classes.unwrap_or_default().max(1) as u32;
    // Of a text, where each position has a label, the numbers are tokens.
    let is_text = summary
        .labels
        .as_ref()
        .is_some_and(|sides| !sides.is_empty());
    let scale = if is_text { classes as f32 } else { 1.0 };
    let values: Vec<f32> = (0..count)
        .map(|_| {
            let value = random.random::<f32>() * scale;
            if is_text {
                value.floor().min(scale - 1.0)
            } else {
                value
            }
        })
        .collect();
    let dims = |sides: &[usize]| [&[batch], sides].concat();
    let labels = summary.labels.as_ref().map(|sides| {
        let dims = dims(sides);
        let labels = (0..dims.iter().product()).map(|_| random.random_range(0..classes));
        Tensor::from_vec(labels.collect::<Vec<u32>>(), dims, device)
    });
    let labels = labels.transpose()?;
    let targets = match summary.targets {
        0 => None,
        each => Some(Tensor::zeros(
            (batch, each),
            candle_core::DType::F32,
            device,
        )?),
    };
    Ok(NetFeed {
        data: Some(DataFeed {
            data: Tensor::from_vec(values, dims(&summary.shape), device)?,
            labels,
            targets,
        }),
        ..NetFeed::default()
    })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => values[middle],
        _ => (values[middle - 1] + values[middle]) / 2.0,
    }
}

/// The most memory that the process has had, in MB (10⁶ bytes); `None` where the system does
/// not say.
fn peak_megabytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024.0 / 1e6)
}
