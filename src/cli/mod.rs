//! The command line: the same engine as the window, one file a command.
//!
//! Invariants: with `--json`, stdout holds one JSON object a line and nothing else; messages go
//! to stderr; the exit code is 0 when it worked, 1 when the input is wrong, 2 for wrong usage.
//! These forms are a contract with scripts: they may grow, but what is there stays.

mod bench;
mod check;
mod convert;
mod diff;
mod eval;
mod export;
mod generate;
mod gradients;
mod infer;
mod labs;
mod layers;
mod rewrite;
mod sample;
mod train;
mod weights;

mod interrupt;
mod npy;
mod source;
mod table;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::i18n::{Lang, set_lang, tr, tr_format};
use crate::labs::Settings;
use crate::nn;
use crate::train::DeviceChoice;

/// What came in on the command line.
#[derive(Debug, Parser)]
#[command(
    name = "layerlab",
    version,
    about = tr(
        "A workbench to assemble, train and look inside deep networks",
        "搭建、训练并观察深度网络的工作台"
    ),
    after_help = tr(
        "Without a command, the window opens.",
        "不带命令时打开窗口。"
    ),
    disable_help_subcommand = true
)]
struct Cli {
    /// Opened in the window when there is no command.
    #[arg(help = tr("A project to open in the window", "在窗口中打开的项目"))]
    file: Option<PathBuf>,
    #[arg(
        long,
        global = true,
        value_name = "en|zh",
        value_parser = parse_lang,
        help = tr("The language of all texts", "界面语言")
    )]
    lang: Option<Lang>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(about = tr(
        "List a project's nodes with shapes and costs, and what is wrong with it",
        "列出项目各节点的形状与开销，并指出问题"
    ))]
    Check(check::Options),
    #[command(about = tr("Train a project", "训练项目"))]
    Train(train::Options),
    #[command(about = tr(
        "Measure loss and metrics of trained weights on a split",
        "在某个划分上评估已训练的权重"
    ))]
    Eval(eval::Options),
    #[command(about = tr(
        "Write what a network makes of one image or tensor",
        "写出网络对一幅图像或一个张量的输出"
    ))]
    Infer(infer::Options),
    #[command(about = tr(
        "Compare a file of weights with a project: what matches, what differs, what is missing",
        "对照权重文件与项目：哪些匹配，哪些形状不同，哪些缺失"
    ))]
    Weights(weights::Options),
    #[command(about = tr(
        "Let a network that was trained on text write some",
        "让用文本训练的网络生成文本"
    ))]
    Sample(sample::Options),
    #[command(about = tr(
        "Turn a project, network, solver or weights into another program's file, by the endings",
        "按扩展名把项目、网络、求解器或权重转换为其他程序的文件"
    ))]
    Convert(convert::Options),
    #[command(about = tr(
        "Write generated images with their labels, boxes and masks",
        "写出生成的图像及其标签、外框与掩码"
    ))]
    Generate(generate::Options),
    #[command(about = tr(
        "Change a project's graph: a wide convolution to 3 × 3 ones, full connections to convolutions",
        "更改项目的网络：大卷积换成 3 × 3 堆叠，全连接换成卷积"
    ))]
    Rewrite(rewrite::Options),
    #[command(about = tr(
        "Measure how large the gradient of each layer is, from the first to the last",
        "测量从第一层到最后一层各层梯度的大小"
    ))]
    Gradients(gradients::Options),
    #[command(about = tr(
        "Say what is different between two projects",
        "说明两个项目之间的差异"
    ))]
    Diff(diff::Options),
    #[command(about = tr("List the layers, or explain one", "列出所有层，或说明其中一个"))]
    Layers(layers::Options),
    #[command(about = tr(
        "List the concept benches, or run one's demonstration",
        "列出所有概念实验台，或运行其中一个的演示"
    ))]
    Labs(labs::Options),
    #[command(about = tr(
        "Measure the time of a training step on random data",
        "用随机数据测量一个训练步的耗时"
    ))]
    Bench(bench::Options),
}

/// Which project, and on which data: what most commands begin with.
#[derive(Debug, Args)]
struct ProjectArgs {
    #[arg(help = tr("The project file (.ron)", "项目文件（.ron）"))]
    project: PathBuf,
    #[arg(
        long,
        value_name = "NAME|PATH",
        help = tr(
            "Data instead of the project's own: a built-in name (digits, fashion) or a path",
            "替代项目自带的数据：内置名称（digits、fashion）或路径"
        )
    )]
    data: Option<String>,
}

/// What computes.
#[derive(Debug, Args)]
struct DeviceArgs {
    #[arg(
        long,
        value_name = "auto|cpu|cuda|metal",
        default_value = "auto",
        value_parser = parse_device,
        help = tr("What computes", "计算设备")
    )]
    device: DeviceChoice,
    #[arg(long, help = tr(
        "Let CUDA round to TF32: about twice as fast from Ampere on, right to three digits",
        "允许 CUDA 采用 TF32 舍入：Ampere 及更新的显卡约快一倍，精度约三位有效数字"
    ))]
    tf32: bool,
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u16).range(1..=1024),
        help = tr("Threads of the computation (default: every processor)", "计算线程数（默认使用所有处理器）")
    )]
    threads: Option<u16>,
}

impl DeviceArgs {
    /// The device, having set how precisely it computes.
    fn choose(&self) -> DeviceChoice {
        nn::set_tf32(self.tf32);
        self.device
    }
}

fn parse_lang(text: &str) -> Result<Lang, String> {
    match text {
        "en" => Ok(Lang::English),
        "zh" => Ok(Lang::Chinese),
        _ => Err("en | zh".to_owned()),
    }
}

fn parse_device(text: &str) -> Result<DeviceChoice, String> {
    let known = DeviceChoice::ALL
        .into_iter()
        .find(|choice| choice.key() == text);
    known.ok_or_else(|| DeviceChoice::ALL.map(DeviceChoice::key).join(" | "))
}

/// What the window begins with.
#[derive(Default)]
pub struct Opening {
    pub file: Option<PathBuf>,
    pub lang: Option<Lang>,
    pub bench: Option<Settings>,
}

/// Does what the arguments say; without a command, `window` is asked to open first.
///
/// `window` returns `None` where no window can be had; then the default project is trained in
/// the terminal.
pub fn main(window: impl FnOnce(Opening) -> Option<anyhow::Result<()>>) -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    set_lang(language(&arguments));
    // Clap answers wrong usage itself, with exit code 2.
    let cli = Cli::parse_from(arguments);
    let outcome = match cli.command {
        Some(Command::Check(options)) => check::run(&options),
        Some(Command::Train(options)) => train::run(&options),
        Some(Command::Eval(options)) => eval::run(&options),
        Some(Command::Infer(options)) => infer::run(&options),
        Some(Command::Weights(options)) => weights::run(&options),
        Some(Command::Sample(options)) => sample::run(&options),
        Some(Command::Convert(options)) => convert::run(&options),
        Some(Command::Generate(options)) => generate::run(&options),
        Some(Command::Gradients(options)) => gradients::run(&options),
        Some(Command::Rewrite(options)) => rewrite::run(&options),
        Some(Command::Diff(options)) => diff::run(&options),
        Some(Command::Layers(options)) => layers::run(&options),
        Some(Command::Bench(options)) => bench::run(&options),
        Some(Command::Labs(options)) if options.window => options.in_window().and_then(|bench| {
            let opening = Opening {
                file: cli.file,
                lang: cli.lang,
                bench,
            };
            match window(opening) {
                Some(outcome) => outcome.map(|()| ExitCode::SUCCESS),
                None => Ok(ExitCode::from(1)),
            }
        }),
        Some(Command::Labs(options)) => labs::run(&options),
        None => {
            let opening = Opening {
                file: cli.file.clone(),
                lang: cli.lang,
                bench: None,
            };
            match window(opening) {
                Some(outcome) => outcome.map(|()| ExitCode::SUCCESS),
                None => train::run_without_window(cli.file.as_deref()),
            }
        }
    };
    outcome.unwrap_or_else(|error| {
        let message = message(&error);
        eprintln!("{}", tr_format!("error: {message}", "错误：{message}"));
        ExitCode::from(1)
    })
}

/// The language that `--lang` asks for, else that of the locale. It is needed before the
/// arguments are read, because the help texts are in it.
fn language(arguments: &[OsString]) -> Lang {
    let texts = || arguments.iter().filter_map(|argument| argument.to_str());
    let after = texts().skip_while(|text| *text != "--lang").nth(1);
    let joined = texts().find_map(|text| text.strip_prefix("--lang="));
    if let Some(Ok(lang)) = after.or(joined).map(parse_lang) {
        return lang;
    }
    let locale = ["LC_ALL", "LC_MESSAGES", "LANG"]
        .iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|value| !value.is_empty());
    locale.map_or(Lang::English, |locale| Lang::of_locale(&locale))
}

/// One line of JSON on stdout. Whoever reads it may stop reading: that is no error.
fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    print_line(&serde_json::to_string(value)?)
}

fn print_line(line: &str) -> anyhow::Result<()> {
    use std::io::Write;
    match writeln!(std::io::stdout(), "{line}") {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// Runs on that many threads, or on all processors.
fn with_threads<T: Send>(
    threads: Option<u16>,
    work: impl FnOnce() -> anyhow::Result<T> + Send,
) -> anyhow::Result<T> {
    let Some(threads) = threads else {
        return work();
    };
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads.into())
        .build()?;
    pool.install(work)
}

/// The error and what caused it, each said once: many of our errors name their cause themselves.
pub fn message(error: &anyhow::Error) -> String {
    error
        .chain()
        .map(ToString::to_string)
        .fold(String::new(), |said, cause| {
            if said.is_empty() {
                cause
            } else if said.contains(&cause) {
                said
            } else {
                format!("{said}: {cause}")
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_language_comes_from_the_option_first() {
        let of = |line: &str| language(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert_eq!(of("layerlab check x --lang zh"), Lang::Chinese);
        assert_eq!(of("layerlab --lang=zh"), Lang::Chinese);
        assert_eq!(of("layerlab --lang en layers"), Lang::English);
    }
}
