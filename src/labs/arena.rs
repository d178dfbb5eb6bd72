//! The arena: one graph, many runs that differ in one thing, side by side from the same weights
//! on the same batches.

use std::path::PathBuf;

use super::contest::{Contest, Entry};
use super::regularity::compare::{digits, perceptron};
use super::variants::{example, with_activation, with_batch_norm, with_dropout, with_filler};
use super::{ACTIVATIONS, Bench, Chapter, Control, Figure, LabError, Settings};
use crate::data::DataConfig;
use crate::graph::{Filler, Graph};
use crate::i18n::{Text, tr};
use crate::layers::ReLU;
use crate::project::Project;
use crate::train::{Method, Priority, Solver, Stage};

pub static BENCH: Bench = Bench {
    id: "arena",
    chapter: Chapter::Optimisation,
    title: Text::new("Arena", "竞技场"),
    about: Text::new(
        "The fair way to compare: the same graph, the same first weights, the same batches in the same order, and one thing that differs.",
        "公平的比较方法：同一网络、同样的初始权重、同样顺序的批次，只有一处不同。",
    ),
    what_to_try: Text::new(
        "Guess which run will win, then start. Choose what differs; take your own open project as the graph. Export the table for a report.",
        "先猜哪个会赢，再开始。选择差异项；也可以用当前打开的项目作为网络。可把表格导出用于报告。",
    ),
    what_to_notice: Text::new(
        "A loss that falls faster at first need not end lower; a validation accuracy may fall while the loss still does. One seed proves little: change it and look again.",
        "开始下降快的损失未必最终更低；损失还在下降时，验证准确率可能已经变差。一个种子说明不了什么：换一个再看。",
    ),
    formula: "run = (graph, weights(seed), batches(seed), one change)",
    takeaway: Text::new(
        "Compare one change at a time, from the same weights and on the same batches, and measure on data that nobody trained on.",
        "一次只比较一处改动，从相同权重出发、使用相同批次，并在没有参与训练的数据上评估。",
    ),
    project: (
        "mlp-fashion",
        Text::new(
            "Make one change, train again, and compare the curves by eye.",
            "只改一处，重新训练，再目测比较曲线。",
        ),
    ),
    controls: CONTROLS,
    stages: None,
    demonstrate,
};

const GRAPHS: &[(&str, Text)] = &[
    (
        "mlp",
        Text::new("Two hidden layers of 64", "两个 64 单元隐藏层"),
    ),
    ("lenet", Text::new("LeNet", "LeNet")),
    ("project", Text::new("The open project", "当前打开的项目")),
];

/// The place of the open project among the graphs.
pub const OPEN: usize = 2;

const DIFFERENCES: &[(&str, Text)] = &[
    ("solver", Text::new("Solver", "优化器")),
    ("rate", Text::new("Learning rate", "学习率")),
    ("initial", Text::new("Initial weights", "初始权重")),
    ("normalisation", Text::new("Normalisation", "归一化")),
    ("activation", Text::new("Activation", "激活函数")),
];

const DATA: &[(&str, Text)] = &[
    ("digits", Text::new("Digits", "手写数字")),
    ("fashion", Text::new("Fashion", "服饰")),
];

static CONTROLS: &[Control] = &[
    Control::choice(
        "graph",
        Text::new("Graph", "网络"),
        GRAPHS,
        0,
        Text::new("What all runs train.", "所有训练共用的网络。"),
    ),
    Control::choice(
        "differs",
        Text::new("What differs", "差异项"),
        DIFFERENCES,
        0,
        Text::new("The one thing that is not the same.", "唯一不同之处。"),
    ),
    Control::choice(
        "data",
        Text::new("Data", "数据"),
        DATA,
        0,
        Text::new(
            "Of the built-in graphs; the open project has its own.",
            "用于内置网络；打开的项目使用自己的数据。",
        ),
    ),
    Control::log_number(
        "rate",
        Text::new("Learning rate η", "学习率 η"),
        (0.0005, 0.02, 1.0),
        Text::new(
            "Of SGD; adaptive solvers take a rate of their own.",
            "SGD 的学习率；自适应优化器使用各自的学习率。",
        ),
    ),
    Control::count(
        "iterations",
        Text::new("Iterations", "迭代次数"),
        (20, 300, 5000),
        Text::new("Of each run.", "每个训练的迭代数。"),
    ),
    Control::count(
        "seed",
        Text::new("Seed", "随机种子"),
        (0, 1, 99),
        Text::new(
            "Of weights and batches, the same for all runs.",
            "权重与批次的种子，所有训练相同。",
        ),
    ),
];

/// What all runs share.
struct Common {
    graph: Graph,
    data: DataConfig,
    solver: Solver,
}

fn common(settings: &Settings, open: Option<&Project>) -> Common {
    let plain = Solver {
        base_lr: settings.number("rate"),
        momentum: 0.9,
        weight_decay: 0.0,
        ..Solver::default()
    };
    let source = DATA[settings.count("data")].0;
    let built_in = |graph| Common {
        graph,
        data: DataConfig {
            source: source.to_owned(),
            ..digits()
        },
        solver: plain.clone(),
    };
    match (settings.count("graph"), open) {
        (1, _) => built_in(example("lenet-digits").graph),
        (OPEN, Some(project)) => {
            let solver = project.stages.first().map(|stage| stage.solver.clone());
            Common {
                graph: project.graph.clone(),
                data: project.data.clone(),
                solver: Solver {
                    base_lr: settings.number("rate"),
                    ..solver.unwrap_or(plain)
                },
            }
        }
        _ => built_in(perceptron(&[64, 64], || Box::new(ReLU::default()))),
    }
}

/// The runs that the settings say; `open` is the project in the window.
pub fn entries(settings: &Settings, open: Option<&Project>) -> Vec<Entry> {
    let common = common(settings, open);
    let iterations = settings.count("iterations") as u64;
    let entry = |name: &str, graph: Graph, solver: Solver| Entry {
        name: name.to_owned(),
        graph,
        data: common.data.clone(),
        stage: Stage {
            iterations,
            evaluate_every: (iterations / 20).max(1),
            solver,
            ..Stage::default()
        },
        seed: settings.count("seed") as u64,
    };
    let variants = variants(settings.count("differs"), &common);
    variants
        .into_iter()
        .map(|(name, graph, solver)| entry(&name, graph, solver))
        .collect()
}

/// Name, graph and solver of each run, by the place of what differs.
fn variants(differs: usize, common: &Common) -> Vec<(String, Graph, Solver)> {
    let entry = |name: &str, graph: Graph, solver: Solver| (name.to_owned(), graph, solver);
    let (graph, solver) = (&common.graph, &common.solver);
    let changed = |name: &str, graph: Graph| entry(name, graph, solver.clone());
    match differs {
        0 => solvers(solver)
            .into_iter()
            .map(|(name, solver)| entry(name, graph.clone(), solver))
            .collect(),
        1 => [0.1, 0.3, 1.0, 3.0, 10.0]
            .map(|factor| {
                let base_lr = factor * solver.base_lr;
                let solver = Solver {
                    base_lr,
                    ..solver.clone()
                };
                entry(
                    &format!("η = {}", (base_lr * 1e6).round() / 1e6),
                    graph.clone(),
                    solver,
                )
            })
            .to_vec(),
        2 => [
            ("Xavier", Filler::Xavier),
            ("MSRA", Filler::Msra),
            (
                "σ = 0.01",
                Filler::Gaussian {
                    mean: 0.0,
                    std: 0.01,
                },
            ),
            (
                "σ = 0.3",
                Filler::Gaussian {
                    mean: 0.0,
                    std: 0.3,
                },
            ),
            ("0", Filler::Constant(0.0)),
        ]
        .map(|(name, filler)| changed(name, with_filler(graph.clone(), filler)))
        .to_vec(),
        3 => vec![
            changed(tr("plain", "普通"), graph.clone()),
            changed(
                tr("batch normalisation", "批归一化"),
                with_batch_norm(graph.clone()),
            ),
            changed("Dropout ¼", with_dropout(graph.clone(), 0.25)),
            changed("Dropout ½", with_dropout(graph.clone(), 0.5)),
        ],
        // Maxout would need twice the sums, which is more than one thing.
        _ => (0..5)
            .map(|kind| {
                changed(
                    ACTIVATIONS[kind].1.get(),
                    with_activation(graph.clone(), kind),
                )
            })
            .collect(),
    }
}

fn solvers(solver: &Solver) -> Vec<(&'static str, Solver)> {
    let of = |method, base_lr, momentum| Solver {
        method,
        base_lr,
        momentum,
        ..solver.clone()
    };
    let rate = solver.base_lr;
    vec![
        ("SGD", of(Method::Sgd, rate, 0.0)),
        ("SGD, μ = 0.9", of(Method::Sgd, rate, 0.9)),
        ("Nesterov", of(Method::Nesterov, rate, 0.9)),
        ("AdaGrad", of(Method::AdaGrad, 0.01, 0.0)),
        (
            "AdaDelta",
            Solver {
                delta: 1e-6,
                ..of(Method::AdaDelta, 1.0, 0.95)
            },
        ),
        ("RMSProp", of(Method::RmsProp, 0.001, 0.0)),
        ("Adam", of(Method::Adam, 0.001, 0.9)),
    ]
}

fn demonstrate(settings: &Settings) -> Result<Vec<Figure>, LabError> {
    if settings.count("graph") == OPEN {
        let text = tr(
            "the open project is only there in the window; choose graph=mlp or graph=lenet",
            "“当前打开的项目”只在窗口中可用；请选择 graph=mlp 或 graph=lenet",
        );
        return Err(LabError::Other(text.to_owned()));
    }
    let entries = entries(settings, None);
    let mut contest = Contest::start(entries, PathBuf::new(), Priority::Normal, || {});
    contest.finish()?;
    let rows = contest.runs.iter().map(|run| {
        let loss = run
            .smooth_losses()
            .last()
            .map_or(f64::NAN, |point| point[1]);
        let test = run.test_accuracy.unwrap_or(f64::NAN);
        (
            run.entry.name.clone(),
            vec![loss, run.accuracy(), test, run.seconds],
        )
    });
    Ok(vec![Figure::table(
        "runs",
        Text::new("Loss and accuracy at the end", "结束时的损失与准确率"),
        &["loss", "validation", "test", "seconds"],
        rows.collect(),
    )])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labs::contest::csv;

    #[test]
    fn runs_begin_alike_and_differ_in_one_thing() {
        let mut settings = Settings::of(&BENCH);
        settings.set_text("iterations=20").unwrap();
        let mut contest = Contest::start(
            entries(&settings, None),
            PathBuf::new(),
            Priority::Normal,
            || {},
        );
        contest.finish().unwrap();
        // The first loss is of the first weights on the first batch: the same for every solver.
        let first: Vec<f64> = contest.runs.iter().map(|run| run.losses[0][1]).collect();
        assert!(first.iter().all(|loss| *loss == first[0]), "{first:?}");
        let last: Vec<f64> = contest.runs.iter().map(|run| run.losses[19][1]).collect();
        assert!(last.iter().any(|loss| *loss != last[0]), "{last:?}");
        let table = csv(&contest.runs);
        assert_eq!(
            table
                .lines()
                .filter(|line| line.contains("Nesterov"))
                .count(),
            20 + 20
        );
    }

    #[test]
    fn every_difference_makes_runs_that_have_names_of_their_own() {
        let mut settings = Settings::of(&BENCH);
        for differs in 0..DIFFERENCES.len() {
            settings.set("differs", differs as f64);
            let entries = entries(&settings, None);
            assert!(entries.len() > 3);
            for entry in &entries {
                assert_eq!(
                    entries
                        .iter()
                        .filter(|other| other.name == entry.name)
                        .count(),
                    1
                );
            }
        }
    }
}
