//! Universal approximation, as in chapter 4 of Nielsen's “Neural Networks and Deep Learning”:
//! a steep sigmoid is a step, two steps are a bump, bumps are any function; and a sum of bumps in
//! two directions, cut off, is a tower.
//!
//! The network is the program's own: one hidden layer of sigmoids and one linear output. Its
//! weights are set by hand, and gradient descent goes on from there.

pub mod bumps;
pub mod towers;

use super::{Bench, Chapter, Control, Figure, LabError, Settings};
use crate::i18n::Text;
use bumps::{Approximator, Bumps};

/// A function of 0 … 1 to approximate.
pub struct Target {
    pub key: &'static str,
    pub name: Text,
    pub of: fn(f64) -> f64,
}

/// The functions by their places; Nielsen's is the one of his chapter.
pub static TARGETS: [Target; 5] = [
    Target {
        key: "nielsen",
        name: Text::new("Nielsen's", "Nielsen 的函数"),
        of: |x| 0.2 + 0.4 * x * x + 0.3 * x * (15.0 * x).sin() + 0.05 * (50.0 * x).cos(),
    },
    Target {
        key: "sine",
        name: Text::new("Sine", "正弦"),
        of: |x| 0.8 * (std::f64::consts::TAU * x).sin(),
    },
    Target {
        key: "hills",
        name: Text::new("Two hills", "双峰"),
        of: |x| {
            let hill = |middle: f64, width: f64| (-((x - middle) / width).powi(2)).exp();
            0.9 * hill(0.3, 0.1) - 0.6 * hill(0.7, 0.15)
        },
    },
    Target {
        key: "triangle",
        name: Text::new("Triangle", "三角波"),
        of: |x| 0.8 - 3.2 * (x - 0.5).abs(),
    },
    Target {
        key: "square",
        name: Text::new("Square wave", "方波"),
        of: |x| if (x * 3.0).fract() < 0.5 { 0.6 } else { -0.6 },
    },
];

const FUNCTIONS: &[(&str, Text)] = &[
    (TARGETS[0].key, TARGETS[0].name),
    (TARGETS[1].key, TARGETS[1].name),
    (TARGETS[2].key, TARGETS[2].name),
    (TARGETS[3].key, TARGETS[3].name),
    (TARGETS[4].key, TARGETS[4].name),
];

pub const SHOWN: &[(&str, Text)] = &[
    ("step", Text::new("One step", "一个阶跃")),
    ("bumps", Text::new("Bumps", "凸块")),
    ("towers", Text::new("Towers: f(x, y)", "塔：f(x, y)")),
];

pub static BENCH: Bench = Bench {
    id: "approximation",
    chapter: Chapter::Neurons,
    title: Text::new("Universal approximation", "万能逼近"),
    about: Text::new(
        "One hidden layer can follow any continuous function: two steep neurons make a bump of any place and height, and enough bumps follow any curve.",
        "一个隐藏层就能逼近任意连续函数：两个陡峭的神经元构成位置和高度任意的凸块，足够多的凸块就能跟随任意曲线。",
    ),
    what_to_try: Text::new(
        "One step: drag the blue handle along, and the orange one for the steepness. Bumps: drag the bars until the deviation is small, or let the bench place them; draw a function of your own; then play: gradient descent trains the same network from your weights. Towers: raise their number.",
        "一个阶跃：拖动蓝色手柄改变位置，拖动橙色手柄改变陡峭程度。凸块：拖动柱子使偏差变小，或让实验台自动放置；画一个自己的函数；然后播放：梯度下降从你的权重出发训练同一网络。塔：增加塔的数量。",
    ),
    what_to_notice: Text::new(
        "The step stands at s = −b/w, whatever the two are by themselves. Twice as many bumps halve the deviation. Training makes the steps softer and moves them to where the curve is steep.",
        "阶跃的位置是 s = −b/w，与 w、b 各自的大小无关。凸块数加倍，偏差减半。训练会让阶跃变缓，并移到曲线陡峭处。",
    ),
    formula: "y = σ(w x + b),  s = −b / w\nbump = h·σ(w(x − s)) − h·σ(w(x − e))\ntower = σ(w(bump(x) + bump(y) − 3/2))",
    takeaway: Text::new(
        "A network with one hidden layer can approximate any continuous function as closely as you like, if it has enough neurons.",
        "只要神经元足够多，单隐藏层网络就能以任意精度逼近任意连续函数。",
    ),
    project: (
        "mlp-digits",
        Text::new(
            "One hidden layer of sigmoids on digits: change the number of units.",
            "用单隐藏层 Sigmoid 网络识别数字：试着改变单元数。",
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
        1,
        Text::new("What the bench is about just now.", "实验台当前的内容。"),
    ),
    Control::choice(
        "function",
        Text::new("Function", "函数"),
        FUNCTIONS,
        0,
        Text::new(
            "What is to be approximated; in the window it may be drawn.",
            "要逼近的函数；在窗口中也可以自己画。",
        ),
    ),
    Control::count(
        "bumps",
        Text::new("Bumps", "凸块数"),
        (1, 20, 60),
        Text::new("Two hidden neurons each.", "每个凸块用两个隐藏神经元。"),
    ),
    Control::log_number(
        "steepness",
        Text::new("Steepness w", "陡峭程度 w"),
        (5.0, 400.0, 2000.0),
        Text::new(
            "The weight into each hidden neuron.",
            "每个隐藏神经元的输入权重。",
        ),
    ),
    Control::log_number(
        "rate",
        Text::new("Learning rate η", "学习率 η"),
        (0.0001, 0.003, 0.1),
        Text::new(
            "Of Adam; the hidden layer's, whose weights are large, is a hundred times that.",
            "Adam 的学习率；隐藏层权重较大，其学习率为此值的一百倍。",
        ),
    ),
    Control::count(
        "steps",
        Text::new("Training steps", "训练步数"),
        (0, 1000, 20_000),
        Text::new("How long training goes on at most.", "训练的最大步数。"),
    ),
    Control::count(
        "towers",
        Text::new("Towers on a side", "每边塔数"),
        (1, 8, 24),
        Text::new("Of the function of two variables.", "用于二元函数。"),
    ),
];

/// The values of a function where deviations are measured.
pub fn sampled(function: impl Fn(f64) -> f64) -> Vec<f64> {
    bumps::xs().map(function).collect()
}

fn demonstrate(settings: &Settings) -> Result<Vec<Figure>, LabError> {
    let mut rows = Vec::new();
    for target in &TARGETS {
        rows.push((
            target.key.to_owned(),
            by_hand_and_trained(settings, target)?,
        ));
    }
    let chosen = rows[settings.count("function")].1.clone();
    let sides = [2, 4, 8, settings.count("towers")];
    let towers = sides.map(|side| towers::deviation(side, settings.number("steepness")));
    Ok(vec![
        Figure::number(
            "by_hand",
            Text::new("Mean deviation of the bumps", "凸块的平均偏差"),
            chosen[0],
        ),
        Figure::number(
            "trained",
            Text::new("Mean deviation after training", "训练后的平均偏差"),
            chosen[1],
        ),
        Figure::table(
            "functions",
            Text::new("Mean deviation on each function", "各函数的平均偏差"),
            &["by_hand", "trained"],
            rows,
        ),
        Figure::series(
            "towers",
            Text::new(
                "Mean deviation of f(x, y) with 2, 4, 8 and the chosen number of towers on a side",
                "f(x, y) 每边 2、4、8 及所选数量的塔时的平均偏差",
            ),
            towers.to_vec(),
        ),
    ])
}

fn by_hand_and_trained(settings: &Settings, target: &Target) -> Result<Vec<f64>, LabError> {
    let values = sampled(target.of);
    let bumps = Bumps::placed(
        &values,
        settings.count("bumps"),
        settings.number("steepness"),
    );
    let mut network = Approximator::new(settings.count("bumps"), settings.number("rate"))?;
    network.set(&bumps)?;
    let before = network.deviation(&values)?;
    for _ in 0..settings.count("steps") {
        network.step(&values)?;
    }
    Ok(vec![before, network.deviation(&values)?])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labs::{FigureValue, figure};

    #[test]
    fn twenty_bumps_follow_five_functions_and_training_follows_them_closer() {
        let mut settings = Settings::of(&BENCH);
        settings.set("steps", 300.0);
        let figures = demonstrate(&settings).unwrap();
        let FigureValue::Table { rows, .. } = &figure(&figures, "functions").unwrap().value else {
            panic!("a table");
        };
        assert_eq!(rows.len(), 5);
        for (name, values) in rows {
            println!("{name}: {values:?}");
            // The square wave's edges do not fall between bumps.
            let most = if name == "square" { 0.12 } else { 0.04 };
            assert!(values[0] < most, "{name}: {}", values[0]);
            assert!(values[1] < values[0], "{name}: {values:?}");
        }
        let FigureValue::Series(towers) = &figure(&figures, "towers").unwrap().value else {
            panic!("a series");
        };
        assert!(towers[0] > towers[1] && towers[1] > towers[2], "{towers:?}");
    }
}
