//! `layerlab train`: the session in the terminal.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use super::{DeviceArgs, ProjectArgs, interrupt, print_json, source};
use crate::data::{Dataset, Feed};
use crate::graph::{Details, Graph, Inference, infer};
use crate::i18n::{tr, tr_format};
use crate::interop::weights;
use crate::project::{EXAMPLES, Project};
use crate::train::{
    self, Command, DeviceChoice, Ending, Evaluation, Event, Job, Priority, Progress, Session, Watch,
};

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    project: ProjectArgs,
    #[arg(long, value_name = "N", help = tr(
        "Iterations in total instead of the project's; fewer are the beginning of the whole run",
        "总迭代次数（替代项目的设置）；更少时即为完整训练的开头部分"
    ))]
    iterations: Option<u64>,
    #[arg(long, value_name = "S", conflicts_with = "resume", help = tr(
        "The seed instead of the project's", "随机种子（替代项目的设置）"
    ))]
    seed: Option<u64>,
    #[command(flatten)]
    device: DeviceArgs,
    #[arg(long, value_name = "DIR", help = tr(
        "Where checkpoints go (default: the folder that is resumed; else nothing is saved)",
        "检查点保存到何处（默认为所恢复的文件夹；否则不保存）"
    ))]
    out: Option<PathBuf>,
    #[arg(long, value_name = "DIR", help = tr(
        "Go on from the checkpoint in this folder", "从该文件夹中的检查点继续"
    ))]
    resume: Option<PathBuf>,
    #[arg(long, value_name = "FILE", conflicts_with = "resume", help = tr(
        "Begin with what fits of these weights, by name and shape (.safetensors, .pth, .pt, .caffemodel); the rest begins fresh",
        "以这些权重中名称和形状相符的部分作为初值（.safetensors、.pth、.pt、.caffemodel）；其余重新初始化"
    ))]
    init: Option<PathBuf>,
    #[arg(long, value_name = "GROUP", help = tr(
        "Do not train this node, group, or whatever a pattern such as 'conv?_x' matches; its batch normalisation keeps its running statistics; may be repeated",
        "不训练该节点、分组，或与 'conv?_x' 之类模式匹配的节点；其中的批归一化保持已有的累计统计量；可重复"
    ))]
    freeze: Vec<String>,
    #[arg(long, help = tr("Print events as JSON, one a line", "以 JSON 输出事件，每行一个"))]
    json: bool,
}

pub(super) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let mut project = source::open_project(&options.project)?;
    project.seed = options.seed.unwrap_or(project.seed);
    let out = options.out.as_ref().or(options.resume.as_ref());
    let feed = source::open_feed(&project)?;
    let inference = infer(&project.graph, &train::facts(&feed));
    freeze(&mut project.graph, &inference, &options.freeze)?;
    if let Some(path) = &options.init {
        let report = weights::compare(path, &project.graph, &inference)?;
        eprintln!("{}", source::described(path, &report));
    }
    let job = Job {
        iterations: options.iterations,
        device: options.device.choose(),
        threads: options.device.threads.map(usize::from),
        initial: options.init.clone().map(weights::initial),
        resume: options.resume.clone(),
        save_to: out.cloned(),
        ..job(&project, feed)?
    };
    watch(job, options.json)
}

/// Freezes what the entries mean, in this run alone.
fn freeze(graph: &mut Graph, inference: &Inference, entries: &[String]) -> anyhow::Result<()> {
    let mut chosen = BTreeSet::new();
    for entry in entries {
        let list = std::slice::from_ref(entry);
        let before = chosen.len();
        let nodes = graph.nodes().iter();
        let meant = nodes.filter(|node| train::selects(list, &node.name));
        chosen.extend(meant.map(|node| node.id));
        if chosen.len() == before {
            bail!(tr_format!(
                "--freeze {entry}: no node or group has this name, or no other than those named before",
                "--freeze {entry}：没有这个名称的节点或分组，或均已在前面给出"
            ));
        }
    }
    if !chosen.is_empty() {
        graph.freeze(&chosen, inference, true);
        let frozen = graph.nodes().iter().filter(|node| {
            let info = inference.node(node.id);
            info.is_some_and(|info| node.is_frozen(&info.params))
        });
        let count = frozen.count();
        eprintln!(
            "{}",
            tr_format!("{count} nodes are frozen", "已冻结 {count} 个节点")
        );
    }
    Ok(())
}

/// Trains the file, or the default project, because there is no window.
pub(super) fn run_without_window(file: Option<&Path>) -> anyhow::Result<ExitCode> {
    let project = match file {
        Some(path) => source::open_project(&ProjectArgs {
            project: path.to_owned(),
            data: None,
        })?,
        None => EXAMPLES[0].open()?,
    };
    let title = &project.title;
    eprintln!(
        "{}",
        tr_format!(
            "training “{title}” in the terminal; `layerlab --help` lists the commands",
            "在终端中训练“{title}”；`layerlab --help` 列出所有命令"
        )
    );
    let feed = source::open_feed(&project)?;
    watch(job(&project, feed)?, false)
}

fn job(project: &Project, feed: Arc<Feed>) -> anyhow::Result<Job> {
    Ok(Job {
        graph: project.graph.clone(),
        feed,
        stages: project.stages.clone(),
        iterations: None,
        seed: project.seed,
        precise: project.precise,
        device: DeviceChoice::Auto,
        threads: None,
        priority: Priority::Normal,
        initial: None,
        resume: None,
        save_to: None,
        project: project.to_ron()?,
        watch: Watch::default(),
        paused: false,
    })
}

/// Runs a session to its end, telling what happens.
fn watch(job: Job, json: bool) -> anyhow::Result<ExitCode> {
    let save_to = job.save_to.clone();
    if save_to.is_none() && !json {
        eprintln!(
            "{}",
            tr(
                "nothing will be saved; give a folder with --out to keep the weights",
                "不会保存任何内容；用 --out 指定文件夹以保存权重"
            )
        );
    }
    interrupt::listen();
    let mut teller = Teller::new(json, job.feed.clone());
    let session = Session::start(job, || {});
    let mut asked_to_stop = false;
    loop {
        if interrupt::asked() && !asked_to_stop {
            asked_to_stop = true;
            session.send(Command::Stop);
        }
        // The wait is short so that Ctrl-C is answered at once.
        let Some(event) = session.wait_event(Duration::from_millis(50)) else {
            continue;
        };
        let evaluated = matches!(event, Event::Evaluated(_));
        teller.tell(&event)?;
        // What a power cut may cost is at most the time between two evaluations.
        if let (true, Some(folder)) = (evaluated, &save_to) {
            session.send(Command::Save(folder.clone()));
        }
        if let Event::Ended(ending) = event {
            return teller.end(&ending);
        }
    }
}

/// Tells a person, or with `json` a program, what happens.
struct Teller {
    json: bool,
    feed: Arc<Feed>,
    begin: Instant,
    bar: ProgressBar,
    /// Images since the beginning of this call.
    images: usize,
    newest: Option<Evaluation>,
    last_loss: Option<f64>,
}

impl Teller {
    fn new(json: bool, feed: Arc<Feed>) -> Self {
        let bar = ProgressBar::new(0);
        if json {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        let template = tr(
            "{bar:30} {pos}/{len}  {msg}  {eta} left",
            "{bar:30} {pos}/{len}  {msg}  剩余 {eta}",
        );
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self {
            json,
            feed,
            begin: Instant::now(),
            bar,
            images: 0,
            newest: None,
            last_loss: None,
        }
    }

    fn tell(&mut self, event: &Event) -> anyhow::Result<()> {
        if let (true, Some(line)) = (self.json, json_of(event, self.feed.dataset())) {
            print_json(&line)?;
        }
        match event {
            Event::Started {
                iteration,
                total,
                device,
                notice,
            } => {
                self.bar.set_length(*total);
                self.bar.set_position(*iteration);
                self.bar.reset_eta();
                self.say(tr_format!("device: {device}", "设备：{device}"));
                if let Some(notice) = notice {
                    self.say(notice.clone());
                }
            }
            Event::Compiling(reason) => self.say(reason.clone()),
            Event::Iteration(progress) => self.progress(progress),
            Event::Evaluated(evaluation) => {
                self.say(in_words(evaluation, self.feed.dataset()));
                self.newest = Some(evaluation.clone());
            }
            Event::Saved { iteration, folder } => {
                let folder = folder.display();
                let text = tr_format!(
                    "saved after iteration {iteration}: {folder}",
                    "已保存第 {iteration} 次迭代后的检查点：{folder}"
                );
                self.bar.set_message(text);
            }
            Event::Refused(text) => self.say(text.clone()),
            _ => {}
        }
        Ok(())
    }

    fn progress(&mut self, progress: &Progress) {
        self.images += progress.examples;
        self.last_loss = Some(progress.loss);
        self.bar.set_position(progress.iteration);
        let (loss, rate) = (progress.loss, progress.rate);
        let speed = self.images as f64 / self.begin.elapsed().as_secs_f64().max(1e-9);
        self.bar.set_message(tr_format!(
            "loss {loss:.4}  rate {rate:.5}  {speed:.0} images/s",
            "损失 {loss:.4}  学习率 {rate:.5}  {speed:.0} 图/秒"
        ));
    }

    /// A line on stderr, above the bar.
    fn say(&self, text: String) {
        self.bar.suspend(|| eprintln!("{text}"));
    }

    fn end(&self, ending: &Ending) -> anyhow::Result<ExitCode> {
        self.bar.finish_and_clear();
        let seconds = self.begin.elapsed().as_secs_f64();
        match ending {
            Ending::Finished { iteration } => {
                let newest = self.newest.as_ref();
                let loss = newest
                    .and_then(|evaluation| evaluation.loss)
                    .or(self.last_loss);
                if self.json {
                    let metrics = newest.map(metrics_of).unwrap_or_default();
                    let split = newest.map(|evaluation| evaluation.split.key());
                    print_json(&json!({
                        "event": "finished", "iteration": iteration, "split": split,
                        "loss": loss, "metrics": metrics, "seconds": seconds,
                    }))?;
                } else {
                    self.say(tr_format!(
                        "finished after {iteration} iterations, {seconds:.1} s",
                        "完成，共 {iteration} 次迭代，用时 {seconds:.1} 秒"
                    ));
                }
                Ok(ExitCode::SUCCESS)
            }
            Ending::Stopped { iteration } => {
                if self.json {
                    print_json(&json!({
                        "event": "stopped", "iteration": iteration, "seconds": seconds,
                    }))?;
                }
                self.say(tr_format!(
                    "stopped after {iteration} iterations",
                    "已在第 {iteration} 次迭代后停止"
                ));
                // As the shell counts a program that Ctrl-C ended.
                Ok(ExitCode::from(130))
            }
            Ending::Failed {
                iteration,
                node,
                message,
            } => {
                if self.json {
                    print_json(&json!({
                        "event": "failed", "iteration": iteration, "node": node, "message": message,
                    }))?;
                }
                Err(anyhow::anyhow!(message.clone())).context(tr_format!(
                    "training stopped after {iteration} iterations",
                    "训练在第 {iteration} 次迭代后中止"
                ))
            }
        }
    }
}

/// The metrics by name; a number that is not finite becomes null.
pub(super) fn metrics_of(evaluation: &Evaluation) -> BTreeMap<String, f64> {
    evaluation.metrics.iter().cloned().collect()
}

/// One line for people: `test: loss 0.0512, accuracy 0.9840`; of a text also how many bits the
/// network needs for a token, which is the loss in another unit.
pub(super) fn in_words(evaluation: &Evaluation, dataset: &Dataset) -> String {
    let mut numbers = Vec::new();
    if let Some(loss) = evaluation.loss {
        numbers.push(tr_format!("loss {loss:.4}", "损失 {loss:.4}"));
    }
    if let Some(loss) = evaluation.loss.filter(|_| dataset.is_text()) {
        let bits = loss / std::f64::consts::LN_2;
        numbers.push(tr_format!(
            "{bits:.3} bits a token",
            "每词元 {bits:.3} 比特"
        ));
    }
    let metrics = evaluation.metrics.iter();
    numbers.extend(metrics.map(|(name, value)| format!("{name} {value:.4}")));
    let (split, numbers) = (evaluation.split.name(), numbers.join(tr(", ", "，")));
    let iteration = evaluation.iteration;
    let mut lines = vec![tr_format!(
        "iteration {iteration}, {split}: {numbers}",
        "第 {iteration} 次迭代，{split}：{numbers}"
    )];
    for details in evaluation.details.values() {
        lines.extend(details_in_words(details, dataset));
    }
    lines.join("\n")
}

/// What stands behind a metric, a line a kind.
fn details_in_words(details: &Details, dataset: &Dataset) -> Vec<String> {
    let classes = details.by_class.iter().enumerate();
    let classes = classes.filter(|(_, value)| !value.is_nan());
    let classes: Vec<String> = classes
        .map(|(class, value)| format!("{} {value:.4}", dataset.class_name(class as u32)))
        .collect();
    let numbers = details.numbers.iter();
    let numbers: Vec<String> = numbers
        .map(|(_, name, value)| format!("{name} {value:.4}"))
        .collect();
    let kinds = [classes, numbers]
        .into_iter()
        .filter(|kind| !kind.is_empty());
    let mut lines: Vec<String> = kinds
        .map(|kind| format!("  {}", kind.join(tr(", ", "，"))))
        .collect();
    lines.extend(histogram(&details.pairs));
    lines
}

/// How many pairs of one class, and of two, lie at which distance.
fn histogram(pairs: &[(f32, bool)]) -> Vec<String> {
    const ROWS: usize = 12;
    const WIDTH: usize = 30;
    let finite = pairs.iter().filter(|(distance, _)| distance.is_finite());
    let greatest = finite
        .clone()
        .fold(0f32, |most, (distance, _)| most.max(*distance));
    if greatest <= 0.0 {
        return Vec::new();
    }
    let mut counts = [[0usize; 2]; ROWS];
    for (distance, same) in finite {
        let row = (distance / greatest * ROWS as f32) as usize;
        counts[row.min(ROWS - 1)][usize::from(!same)] += 1;
    }
    let most = counts.iter().flatten().copied().max().unwrap_or(1).max(1);
    let bar = |count: usize, sign: &str| sign.repeat((count * WIDTH).div_ceil(most));
    let head = tr(
        "  distance: pairs of one class ■, of two classes □",
        "  距离：同类对 ■，异类对 □",
    );
    let rows = counts.iter().enumerate().map(|(row, [same, other])| {
        let (from, same, other) = (
            greatest * row as f32 / ROWS as f32,
            bar(*same, "■"),
            bar(*other, "□"),
        );
        format!("  {from:7.3}  {same:WIDTH$}  {other}")
            .trim_end()
            .to_owned()
    });
    std::iter::once(head.to_owned()).chain(rows).collect()
}

/// What stands behind the metrics, for programs: by metric, each number by its key.
pub(super) fn details_of(evaluation: &Evaluation, dataset: &Dataset) -> serde_json::Value {
    let json = |details: &Details| {
        let classes = details.by_class.iter().enumerate();
        // The names in English, whatever the language: they are keys.
        let classes: serde_json::Map<_, _> = classes
            .filter_map(|(class, value)| {
                Some((dataset.classes().get(class)?.clone(), json!(value)))
            })
            .collect();
        let numbers = details.numbers.iter();
        let mut all: serde_json::Map<_, _> = numbers
            .map(|(key, _, value)| ((*key).to_owned(), json!(value)))
            .collect();
        if !classes.is_empty() {
            all.insert("by_class".to_owned(), classes.into());
        }
        serde_json::Value::from(all)
    };
    let all = evaluation.details.iter();
    all.map(|(name, details)| (name.clone(), json(details)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// The events of the contract; those that only a window causes have no line.
fn json_of(event: &Event, dataset: &Dataset) -> Option<serde_json::Value> {
    match event {
        Event::Started {
            iteration,
            total,
            device,
            notice,
        } => Some(json!({
            "event": "started", "iteration": iteration, "total": total, "device": device,
            "notice": notice,
        })),
        Event::Iteration(progress) => Some(json!({
            "event": "iteration", "iteration": progress.iteration, "stage": progress.stage,
            "loss": progress.loss, "rate": progress.rate, "examples": progress.examples,
            "seconds": progress.seconds,
        })),
        Event::Evaluated(evaluation) => Some(json!({
            "event": "evaluated", "iteration": evaluation.iteration,
            "split": evaluation.split.key(), "loss": evaluation.loss,
            "metrics": metrics_of(evaluation), "details": details_of(evaluation, dataset),
            "seconds": evaluation.seconds,
        })),
        Event::Saved { iteration, folder } => Some(json!({
            "event": "saved", "iteration": iteration, "folder": folder,
        })),
        Event::Refused(message) => Some(json!({ "event": "refused", "message": message })),
        _ => None,
    }
}
