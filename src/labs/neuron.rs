//! The neuron, the perceptron and the network of them: decision lines, the perceptron rule, and
//! why XOR needs a hidden layer.

pub mod network;
pub mod perceptron;
pub mod points;

use super::{ACTIVATIONS, Bench, Chapter, Control, Figure, LabError, Settings};
use crate::i18n::{Text, tr};
use network::Network;
use perceptron::{Perceptron, best_line};
use points::{DATA, points};

/// What is shown, by its place.
pub const SHOWN: &[(&str, Text)] = &[
    ("neuron", Text::new("One neuron", "单个神经元")),
    ("perceptron", Text::new("Perceptron rule", "感知机规则")),
    ("network", Text::new("Network", "多层网络")),
];

pub static BENCH: Bench = Bench {
    id: "neuron",
    chapter: Chapter::Neurons,
    title: Text::new("Neuron and perceptron", "神经元与感知机"),
    about: Text::new(
        "A neuron weighs its inputs, adds a bias and squeezes the sum: in the plane, its weights are an arrow and its answer changes across a line. The perceptron rule moves that line; a hidden layer bends it.",
        "神经元对输入加权、加偏置，再压缩求和结果：在平面上，权重是一支箭头，回答在一条直线两侧翻转。感知机规则移动这条直线；隐藏层让它弯曲。",
    ),
    what_to_try: Text::new(
        "One neuron: drag the arrow and the line until the colours part. Perceptron rule: step, and watch a wrong point pull the line. Then choose the XOR of two bits: it never rests. Network: play on the circle or the spiral, add and remove neurons, drag a wire up or down, click to add points of your own (the right button adds the other class).",
        "单个神经元：拖动箭头和直线，直到把两种颜色分开。感知机规则：单步执行，看分错的点如何拉动直线；再换成两位的“异或”：直线永远停不下来。多层网络：在圆环或螺旋上播放，增减神经元，上下拖动连线，点击添加自己的点（右键添加另一类）。",
    ),
    what_to_notice: Text::new(
        "The arrow of the weights stands across the line, and the bias moves the line without turning it. Where a line can part the points, the rule stops after finitely many corrections. Each hidden neuron is again one line; the output adds their answers up.",
        "权重箭头与直线垂直，偏置只平移直线而不旋转。只要一条直线能分开，规则在有限次修正后停止。每个隐藏神经元也只是一条直线；输出把它们的回答加起来。",
    ),
    formula: "y = σ(w₁x₁ + w₂x₂ + b)\nw ← w + t·x,  b ← b + t\n(t = ±1, if wrong)",
    takeaway: Text::new(
        "One neuron cuts the plane with one straight line; XOR needs two lines, so it needs a hidden layer.",
        "一个神经元只能用一条直线切分平面；异或需要两条直线，所以需要隐藏层。",
    ),
    project: (
        "perceptron-digits",
        Text::new(
            "Ten neurons without a hidden layer read digits; their weights are templates.",
            "没有隐藏层的十个神经元识别数字；它们的权重就是模板。",
        ),
    ),
    controls: CONTROLS,
    stages: None,
    demonstrate,
};

const HIDDEN: Text = Text::new(
    "Neurons in this hidden layer; 0 ends the network here.",
    "该隐藏层的神经元数；0 表示网络到此为止。",
);

static CONTROLS: &[Control] = &[
    Control::choice(
        "show",
        Text::new("Show", "显示"),
        SHOWN,
        0,
        Text::new("What the bench is about just now.", "实验台当前的内容。"),
    ),
    Control::choice(
        "data",
        Text::new("Points", "数据点"),
        DATA,
        0,
        Text::new(
            "The points that are to be told apart.",
            "需要分开的两类点。",
        ),
    ),
    Control::number(
        "noise",
        Text::new("Noise", "噪声"),
        (0.0, 0.1, 1.0),
        Text::new("How far points are spread at random.", "点随机散开的程度。"),
    ),
    Control::count(
        "hidden1",
        Text::new("Hidden layer 1", "隐藏层 1"),
        (0, 4, 8),
        HIDDEN,
    )
    .only(&[2]),
    Control::count(
        "hidden2",
        Text::new("Hidden layer 2", "隐藏层 2"),
        (0, 0, 8),
        HIDDEN,
    )
    .only(&[2]),
    Control::count(
        "hidden3",
        Text::new("Hidden layer 3", "隐藏层 3"),
        (0, 0, 8),
        HIDDEN,
    )
    .only(&[2]),
    Control::count(
        "hidden4",
        Text::new("Hidden layer 4", "隐藏层 4"),
        (0, 0, 8),
        HIDDEN,
    )
    .only(&[2]),
    Control::choice(
        "activation",
        Text::new("Activation", "激活函数"),
        ACTIVATIONS,
        1,
        Text::new("Of every hidden neuron.", "所有隐藏神经元使用。"),
    )
    .only(&[2]),
    Control::log_number(
        "rate",
        Text::new("Learning rate η", "学习率 η"),
        (0.001, 0.1, 3.0),
        Text::new("How far one step goes.", "每一步走多远。"),
    )
    .only(&[2]),
    Control::count(
        "batch",
        Text::new("Batch", "批大小"),
        (1, 10, 50),
        Text::new("Points of one step.", "每一步使用的点数。"),
    )
    .only(&[2]),
    Control::count(
        "seed",
        Text::new("Seed", "随机种子"),
        (0, 1, 99),
        Text::new(
            "Other points and other first weights.",
            "换一组数据点和初始权重。",
        ),
    ),
];

/// Points of one set.
pub const COUNT: usize = 200;

fn trained(
    settings: &Settings,
    points: &[points::Point],
    seed: u64,
    steps: usize,
) -> Result<Network, LabError> {
    let mut network = Network::new(settings, points, seed)?;
    for _ in 0..steps {
        network.step()?;
    }
    Ok(network)
}

fn demonstrate(settings: &Settings) -> Result<Vec<Figure>, LabError> {
    let (kind, seed) = (settings.count("data"), settings.count("seed") as u64);
    let chosen = points(kind, COUNT, settings.number("noise"), seed);
    if chosen.is_empty() {
        let text = tr(
            "points of your own are drawn in the window",
            "自己的点需在窗口中绘制",
        );
        return Err(LabError::Other(text.to_owned()));
    }
    let mut line = Perceptron::default();
    line.run(&chosen, 100);
    let corners = points(6, 0, 0.0, 0);
    let network = trained(settings, &chosen, seed, 3000)?;
    let mut two = Settings::of(&BENCH);
    two.set("hidden1", 2.0);
    two.set("rate", 0.1);
    let on_corners = trained(&two, &corners, 1, 2000)?;
    Ok(vec![
        Figure::number(
            "perceptron_updates",
            Text::new("Corrections of the perceptron", "感知机修正次数"),
            line.updates as f64,
        ),
        Figure::number(
            "perceptron_mistakes",
            Text::new("Points that it leaves wrong", "仍分错的点数"),
            line.mistakes(&chosen) as f64,
        ),
        Figure::number(
            "novikoff_bound",
            Text::new(
                "Novikoff's bound on the corrections",
                "Novikoff 修正次数上界",
            ),
            line.bound(&chosen).unwrap_or(f64::INFINITY),
        ),
        Figure::number(
            "best_line",
            Text::new("Best accuracy of any line", "任意直线的最高准确率"),
            best_line(&chosen),
        ),
        Figure::number(
            "network_accuracy",
            Text::new(
                "Accuracy of the network after 3,000 steps",
                "网络训练 3,000 步后的准确率",
            ),
            network.accuracy()?,
        ),
        Figure::number(
            "xor_best_line",
            Text::new(
                "XOR: best accuracy of any line",
                "异或：任意直线的最高准确率",
            ),
            best_line(&corners),
        ),
        Figure::number(
            "xor_two_hidden",
            Text::new(
                "XOR: accuracy with two hidden neurons",
                "异或：两个隐藏神经元的准确率",
            ),
            on_corners.accuracy()?,
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labs::figure;

    #[test]
    fn a_hidden_layer_solves_what_no_line_can() {
        let mut settings = Settings::of(&BENCH);
        settings.set_text("data=circle").unwrap();
        let figures = demonstrate(&settings).unwrap();
        let number = |key| figure(&figures, key).unwrap().as_number();
        assert_eq!(number("xor_best_line"), 0.75);
        assert_eq!(number("xor_two_hidden"), 1.0);
        assert!(number("best_line") < 0.9);
        assert!(
            number("network_accuracy") > 0.95,
            "{}",
            number("network_accuracy")
        );
        assert!(number("perceptron_mistakes") > 0.0);
    }

    #[test]
    fn a_weight_that_is_set_by_hand_changes_the_answer() {
        let settings = Settings::of(&BENCH);
        let points = points(0, 40, 0.0, 1);
        let mut network = Network::new(&settings, &points, 1).unwrap();
        let before = network.maps(4).unwrap();
        assert_eq!((before.len(), before[0].len(), before[1].len()), (2, 4, 1));
        let [mut weights, _] = network.weights(1);
        weights[2] += 1.0;
        network.set_weights(1, &weights).unwrap();
        let after = network.maps(4).unwrap();
        assert_eq!(before[0], after[0]);
        assert_ne!(before[1], after[1]);
    }
}
