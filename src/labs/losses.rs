//! Losses: value and gradient of softmax with cross-entropy, logistic regression as its case of
//! two classes, Euclidean and hinge loss, as the scores are dragged. All by the program's layers.

use candle_core::{DType, Device, Tensor};

use super::trial::{Trial, chain};
use super::{Bench, Chapter, Control, Figure, LabError, Settings};
use crate::graph::{DataFacts, Facts, Layer};
use crate::i18n::Text;
use crate::layers::{EuclideanLoss, HingeLoss, SigmoidCrossEntropyLoss, SoftmaxWithLoss};
use crate::net::{DataFeed, NetFeed};
use crate::train::Solver;

pub const SHOWN: &[(&str, Text)] = &[
    ("scores", Text::new("Scores of three classes", "三类得分")),
    ("margin", Text::new("Two classes: the margin", "两类：间隔")),
];

pub static BENCH: Bench = Bench {
    id: "losses",
    chapter: Chapter::Optimisation,
    title: Text::new("Losses", "损失函数"),
    about: Text::new(
        "A loss says how wrong the scores are, and its gradient how each score should move. Different losses agree on which answer is right and differ in how hard they pull.",
        "损失衡量得分错得多厉害，其梯度指明每个得分该往哪儿移动。不同的损失对正确答案看法一致，但拉力的大小不同。",
    ),
    what_to_try: Text::new(
        "Drag the three scores and watch value and gradient of every loss. Make the wrong class win by far; then the right one. Add the same to all scores. Then two classes: drag the margin.",
        "拖动三个得分，观察各损失的值和梯度。先让错误类大幅领先，再让正确类领先；给所有得分加上同一个数。再看两类：拖动间隔。",
    ),
    what_to_notice: Text::new(
        "Softmax's gradient is probability minus truth: between −1 and 1, and it sums to 0, so adding the same to all scores changes nothing. The hinge stops pulling at a margin of 1; the Euclidean loss pulls even where a score is too right.",
        "Softmax 的梯度是概率减去真值：在 −1 与 1 之间，且总和为 0，所以给所有得分加同一个数毫无影响。合页损失在间隔达到 1 后不再拉动；欧氏损失连“过于正确”的得分也要拉回。",
    ),
    formula: "p = softmax(z),  L = −log p_t\n∂L/∂z = p − y\nlogistic: L = log(1 + e^(−m))\nhinge: L = max(0, 1 − m)\nEuclidean: L = ½ ‖z − y‖²",
    takeaway: Text::new(
        "The gradient of softmax with cross-entropy is simply probability minus truth; logistic regression is the same with two classes.",
        "Softmax 加交叉熵的梯度就是“概率减真值”；逻辑回归是它的两类情形。",
    ),
    project: (
        "mlp-digits",
        Text::new(
            "Replace SoftmaxWithLoss by HingeLoss or EuclideanLoss and compare.",
            "把 SoftmaxWithLoss 换成 HingeLoss 或 EuclideanLoss 再比较。",
        ),
    ),
    controls: CONTROLS,
    stages: None,
    demonstrate,
};

const CLASSES: &[(&str, Text)] = &[
    ("0", Text::new("class 0", "类别 0")),
    ("1", Text::new("class 1", "类别 1")),
    ("2", Text::new("class 2", "类别 2")),
];

const SCORE: Text = Text::new(
    "What the network says for this class.",
    "网络对该类别给出的得分。",
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
        "truth",
        Text::new("Truth", "真实类别"),
        CLASSES,
        0,
        Text::new("The class that is right.", "正确的类别。"),
    )
    .only(&[0]),
    Control::number(
        "z0",
        Text::new("Score of class 0", "类别 0 的得分"),
        (-6.0, 1.0, 6.0),
        SCORE,
    )
    .only(&[0]),
    Control::number(
        "z1",
        Text::new("Score of class 1", "类别 1 的得分"),
        (-6.0, 2.0, 6.0),
        SCORE,
    )
    .only(&[0]),
    Control::number(
        "z2",
        Text::new("Score of class 2", "类别 2 的得分"),
        (-6.0, -1.0, 6.0),
        SCORE,
    )
    .only(&[0]),
    Control::number(
        "margin",
        Text::new("Margin m", "间隔 m"),
        (-4.0, 0.5, 4.0),
        Text::new("How far the right class is ahead.", "正确类领先多少。"),
    )
    .only(&[1]),
];

/// The losses of the three scores.
pub const LOSSES: [(&str, Text); 3] = [
    (
        "softmax",
        Text::new("Softmax with cross-entropy", "Softmax 交叉熵"),
    ),
    ("hinge", Text::new("Hinge", "合页损失")),
    ("euclidean", Text::new("Euclidean", "欧氏损失")),
];

/// A loss at some scores.
#[derive(Clone, Debug, PartialEq)]
pub struct Pull {
    pub value: f64,
    pub gradient: Vec<f64>,
}

/// Value and gradient of a loss, by its place in [`LOSSES`].
pub fn pull(loss: usize, scores: &[f64], truth: usize) -> Result<Pull, LabError> {
    match loss {
        0 => of_layer(
            Box::new(SoftmaxWithLoss::default()),
            scores,
            Some(truth),
            &[],
        ),
        1 => of_layer(Box::new(HingeLoss::default()), scores, Some(truth), &[]),
        _ => {
            let wanted = (0..scores.len()).map(|class| if class == truth { 1.0 } else { 0.0 });
            let wanted: Vec<f64> = wanted.collect();
            of_layer(Box::new(EuclideanLoss::default()), scores, None, &wanted)
        }
    }
}

/// Logistic regression: one score, and whether the answer is yes.
pub fn logistic(score: f64, yes: bool) -> Result<Pull, LabError> {
    let wanted = [if yes { 1.0 } else { 0.0 }];
    of_layer(
        Box::new(SigmoidCrossEntropyLoss::default()),
        &[score],
        None,
        &wanted,
    )
}

/// p
pub fn softmax(scores: &[f64]) -> Vec<f64> {
    let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = scores.iter().map(|score| (score - most).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|power| power / sum).collect()
}

fn of_layer(
    layer: Box<dyn Layer>,
    scores: &[f64],
    truth: Option<usize>,
    wanted: &[f64],
) -> Result<Pull, LabError> {
    let graph = chain(vec![("loss".into(), layer)]);
    let shape = vec![scores.len()];
    let facts = Facts {
        data: Some(match truth {
            Some(_) => DataFacts::classified(shape, scores.len()),
            None => DataFacts {
                shape,
                classes: None,
                labels: None,
                targets: Some(wanted.len()),
            },
        }),
        ..Facts::default()
    };
    let trial = Trial::new(&graph, &facts, Solver::default(), 0)?;
    let data = Tensor::from_slice(scores, (1, scores.len()), &Device::Cpu)?;
    let mut fed = DataFeed::unlabelled(data);
    match truth {
        Some(truth) => fed.labels = Some(Tensor::new(&[truth as u32], &Device::Cpu)?),
        None => fed.targets = Some(Tensor::from_slice(wanted, (1, wanted.len()), &Device::Cpu)?),
    }
    let feed = NetFeed {
        data: Some(fed),
        ..NetFeed::default()
    };
    let [outputs, _] = trial.gradients(&feed, &["data".to_owned()])?;
    let gradient = match outputs.get("data") {
        Some(gradient) => gradient.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?,
        None => vec![0.0; scores.len()],
    };
    Ok(Pull {
        value: trial.loss(&feed)?,
        gradient,
    })
}

fn demonstrate(settings: &Settings) -> Result<Vec<Figure>, LabError> {
    let scores = ["z0", "z1", "z2"].map(|key| settings.number(key));
    let truth = settings.count("truth");
    let mut rows = Vec::new();
    for (place, (key, _)) in LOSSES.iter().enumerate() {
        let found = pull(place, &scores, truth)?;
        let mut row = vec![found.value];
        row.extend(found.gradient);
        rows.push(((*key).to_owned(), row));
    }
    let margin = settings.number("margin");
    let two = pull(0, &[margin, 0.0], 0)?;
    let one = logistic(margin, true)?;
    Ok(vec![
        Figure::series(
            "probabilities",
            Text::new("Probabilities", "概率"),
            softmax(&scores),
        ),
        Figure::table(
            "losses",
            Text::new("Value and gradient of each loss", "各损失的值与梯度"),
            &["value", "dz0", "dz1", "dz2"],
            rows,
        ),
        Figure::number(
            "logistic",
            Text::new("Logistic loss at the margin", "该间隔下的逻辑回归损失"),
            one.value,
        ),
        Figure::number(
            "softmax_of_two",
            Text::new("Softmax of two classes there", "同处两类 Softmax 的损失"),
            two.value,
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_gradients_are_the_formulas() {
        let scores = [1.0, 2.0, -1.0];
        for truth in 0..3 {
            let p = softmax(&scores);
            let found = pull(0, &scores, truth).unwrap();
            assert!((found.value + p[truth].ln()).abs() < 1e-12);
            for (class, (gradient, p)) in found.gradient.iter().zip(&p).enumerate() {
                let wanted = if class == truth { p - 1.0 } else { *p };
                assert!((gradient - wanted).abs() < 1e-12);
            }
            assert!(found.gradient.iter().sum::<f64>().abs() < 1e-12);
            // The hinge is one against all: 1 − z for the truth, 1 + z for the others.
            let hinge = pull(1, &scores, truth).unwrap();
            let side = |class: usize| if class == truth { 1.0 } else { -1.0 };
            let value: f64 = (0..3).map(|c| (1.0 - side(c) * scores[c]).max(0.0)).sum();
            assert!((hinge.value - value).abs() < 1e-12);
            let distance = pull(2, &scores, truth).unwrap();
            assert!((distance.gradient[truth] - (scores[truth] - 1.0)).abs() < 1e-12);
        }
    }

    #[test]
    fn logistic_regression_is_softmax_of_two_classes() {
        for score in [-3.0, 0.0, 1.7] {
            let (one, two) = (
                logistic(score, true).unwrap(),
                pull(0, &[score, 0.0], 0).unwrap(),
            );
            assert!((one.value - two.value).abs() < 1e-12);
            assert!((one.gradient[0] - two.gradient[0]).abs() < 1e-12);
        }
    }
}
