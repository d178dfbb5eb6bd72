//! Dropout and batch normalisation: what each does to numbers, and to training.

pub mod compare;
pub mod numbers;

use super::{Bench, Chapter, Control, Figure, LabError, Settings};
use crate::i18n::Text;
use compare::Race;

pub const SHOWN: &[(&str, Text)] = &[
    (
        "dropout",
        Text::new("Dropout's expectation", "Dropout 的期望"),
    ),
    ("batchnorm", Text::new("Batch normalisation", "批归一化")),
    ("compare", Text::new("With and without", "有与无的对比")),
];

pub static BENCH: Bench = Bench {
    id: "regularity",
    chapter: Chapter::Normalisation,
    title: Text::new("Dropout and batch norm", "Dropout 与批归一化"),
    about: Text::new(
        "Dropout switches units off at random in training; batch normalisation gives every unit mean 0 and variance 1 over the batch. Both behave differently when the network is tested.",
        "Dropout 在训练时随机关闭单元；批归一化使每个单元在一个批次上均值为 0、方差为 1。两者在测试时的行为都与训练时不同。",
    ),
    what_to_try: Text::new(
        "Dropout: switch the scaling off and watch the mean leave the line. Batch normalisation: drag the dots of a batch, drag one far away, change γ and β, then look at what a test would use. With and without: start the runs from the same weights on the same batches.",
        "Dropout：关闭缩放，看均值偏离直线。批归一化：拖动批次中的点，把一个拖到很远处，改变 γ 和 β，再看测试时用的是什么。对比：用相同的初始权重和批次顺序开始训练。",
    ),
    what_to_notice: Text::new(
        "Divided by 1 − p in training, a unit's expectation is what testing uses, so nothing needs to change there. Batch normalisation needs running statistics for that; and it bears learning rates under which the plain network learns nothing.",
        "训练时除以 1 − p，单元的期望就等于测试时的值，因此测试无需改动。批归一化则为此需要滑动统计量；而且它能承受普通网络学不动的学习率。",
    ),
    formula: "dropout y = m x / (1 − p),  E[y] = x\nBN z = (x − μ_B) / √(σ²_B + ε)\n   y = γ z + β\nrunning ← (1 − a)·running + a·batch",
    takeaway: Text::new(
        "Dropout keeps the expectation by dividing by 1 − p; batch normalisation takes batch statistics in training and running ones in testing, and reaches the same accuracy in far fewer steps.",
        "Dropout 除以 1 − p 以保持期望；批归一化训练时用批次统计量、测试时用滑动统计量，达到同样准确率所需的步数少得多。",
    ),
    project: (
        "mlp-digits",
        Text::new(
            "Insert FusedBatchNorm before Sigmoid, or Dropout behind it, and compare the curves.",
            "在 Sigmoid 前插入 FusedBatchNorm，或在其后插入 Dropout，再比较曲线。",
        ),
    ),
    controls: CONTROLS,
    stages: None,
    demonstrate,
};

static CONTROLS: &[Control] = &[
    Control::choice(
        "show",
        Text::new("Show", "显示"),
        SHOWN,
        0,
        Text::new("What the bench is about just now.", "实验台当前的内容。"),
    ),
    Control::number(
        "ratio",
        Text::new("Dropout ratio p", "丢弃率 p"),
        (0.0, 0.5, 0.95),
        Text::new(
            "The chance that a unit is switched off.",
            "单元被关闭的概率。",
        ),
    )
    .only(&[0]),
    Control::switch(
        "scale",
        Text::new("Divide by 1 − p in training", "训练时除以 1 − p"),
        true,
        Text::new("As Caffe and PyTorch do.", "Caffe 与 PyTorch 的做法。"),
    )
    .only(&[0]),
    Control::number(
        "gamma",
        Text::new("γ", "γ"),
        (-2.0, 1.0, 3.0),
        Text::new("The learned scale.", "学习得到的缩放。"),
    )
    .only(&[1]),
    Control::number(
        "beta",
        Text::new("β", "β"),
        (-3.0, 0.0, 3.0),
        Text::new("The learned shift.", "学习得到的平移。"),
    )
    .only(&[1]),
    Control::number(
        "average",
        Text::new("Part of the new batch a", "新批次所占比例 a"),
        (0.01, 0.1, 1.0),
        Text::new("In the running statistics.", "在滑动统计量中的比例。"),
    )
    .only(&[1]),
    Control::log_number(
        "rate",
        Text::new("Learning rate η", "学习率 η"),
        (0.003, 0.1, 1.0),
        Text::new(
            "Of the plain network; the third run takes five times that.",
            "普通网络的学习率；第三个训练用其五倍。",
        ),
    )
    .only(&[2]),
    Control::count(
        "iterations",
        Text::new("Iterations", "迭代次数"),
        (50, 1500, 5000),
        Text::new("Of each run.", "每个训练的迭代数。"),
    )
    .only(&[2]),
    Control::number(
        "goal",
        Text::new("Accuracy to reach", "目标准确率"),
        (0.5, 0.85, 0.98),
        Text::new("Where the steps are compared.", "在此处比较步数。"),
    )
    .only(&[2]),
    Control::count(
        "seed",
        Text::new("Seed", "随机种子"),
        (0, 1, 99),
        Text::new("Of weights, batches and masks.", "权重、批次和掩码的种子。"),
    ),
];

fn demonstrate(settings: &Settings) -> Result<Vec<Figure>, LabError> {
    let ratio = settings.number("ratio");
    let seed = settings.count("seed") as u64;
    let kept = numbers::dropout_mean(ratio, true, 20_000, seed)?;
    let bare = numbers::dropout_mean(ratio, false, 20_000, seed)?;
    let batch = numbers::Batch::of(&numbers::EXAMPLE);
    let out = batch.transformed(settings.number("gamma"), settings.number("beta"));
    let mut race = Race::start(settings, crate::train::Priority::Normal, || {});
    race.contest.finish()?;
    let goal = settings.number("goal");
    let rows = race.contest.runs.iter().map(|run| {
        let steps = run.reached(goal).unwrap_or(f64::NAN);
        (run.entry.name.clone(), vec![steps, run.best_accuracy()])
    });
    let rows: Vec<(String, Vec<f64>)> = rows.collect();
    Ok(vec![
        Figure::number(
            "dropout_scaled",
            Text::new(
                "Mean of a unit of 1 with the 1/(1 − p)",
                "值为 1 的单元，含 1/(1 − p) 的均值",
            ),
            kept,
        ),
        Figure::number(
            "dropout_unscaled",
            Text::new("Mean without it", "不含时的均值"),
            bare,
        ),
        Figure::series(
            "batch_statistics",
            Text::new("Mean and variance of a batch", "批次的均值与方差"),
            vec![batch.mean, batch.variance],
        ),
        Figure::series(
            "normalised",
            Text::new("The batch after the transform", "变换后的批次"),
            out,
        ),
        Figure::table(
            "runs",
            Text::new(
                "Steps to the accuracy, and the best one",
                "达到目标准确率的步数与最高准确率",
            ),
            &["steps", "best"],
            rows,
        ),
        Figure::number(
            "ratio_of_steps",
            Text::new(
                "Steps of the best plain run over those of the best normalised one",
                "最好的普通训练与最好的批归一化训练的步数之比",
            ),
            race.ratio(goal),
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labs::{FigureValue, figure};

    #[test]
    fn expectations_hold_and_normalised_networks_arrive_earlier() {
        let mut settings = Settings::of(&BENCH);
        settings.set_text("ratio=0.3").unwrap();
        settings.set_text("iterations=300").unwrap();
        settings.set_text("goal=0.8").unwrap();
        let figures = demonstrate(&settings).unwrap();
        let number = |key| figure(&figures, key).unwrap().as_number();
        assert!((number("dropout_scaled") - 1.0).abs() < 0.02);
        assert!((number("dropout_unscaled") - 0.7).abs() < 0.02);
        let FigureValue::Table { rows, .. } = &figure(&figures, "runs").unwrap().value else {
            panic!("a table");
        };
        println!("{rows:?}");
        // A run that never came there took for ever.
        let steps = |n: usize| match rows[n].1[0] {
            steps if steps.is_nan() => f64::INFINITY,
            steps => steps,
        };
        assert!(steps(1).is_finite() && steps(2).is_finite());
        assert!(steps(0) >= steps(1) && steps(3) >= steps(2), "{rows:?}");
    }
}
