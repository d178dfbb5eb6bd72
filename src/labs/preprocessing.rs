//! Preprocessing: raw, scaled, mean-subtracted, PCA- and ZCA-whitened data, the conditioning that
//! follows, and what descent makes of it.

pub mod cloud;
pub mod images;

use super::{Bench, Chapter, Control, Figure, LabError, Settings};
use crate::i18n::Text;
use cloud::{Cloud, STATES};
use images::Race;

pub const SHOWN: &[(&str, Text)] = &[
    ("cloud", Text::new("A cloud of points", "二维点云")),
    ("images", Text::new("Digits", "手写数字")),
];

pub static BENCH: Bench = Bench {
    id: "preprocessing",
    chapter: Chapter::Normalisation,
    title: Text::new("Preprocessing", "数据预处理"),
    about: Text::new(
        "The loss of a linear unit is a bowl whose shape is the data's second moments. Preprocessing makes the bowl round, and descent on a round bowl goes straight to the middle.",
        "线性单元的损失是一只“碗”，其形状由数据的二阶矩决定。预处理让碗变圆，而在圆碗里梯度下降直达底部。",
    ),
    what_to_try: Text::new(
        "Turn and stretch the cloud, drag its middle away from 0, and compare the five panels and their curves. Then train the same network on digits that were prepared in five ways.",
        "旋转、拉伸点云，把中心拖离原点，比较五个面板及其曲线。然后用五种方式处理的数字训练同一网络。",
    ),
    what_to_notice: Text::new(
        "Scaling alone leaves the correlation, subtracting the mean frees the bias, and only whitening brings the condition number to 1. ZCA whitens too, but turns back, so that an image stays an image.",
        "只缩放去不掉相关性；减均值让偏置独立出来；只有白化能把条件数降到 1。ZCA 同样白化，但会再转回去，所以图像仍是图像。",
    ),
    formula: "H = E[(x, 1)(x, 1)^T],  κ = λ_max / λ_min\nPCA y = (Λ + ε)^(−1/2) U^T (x − μ)\nZCA y = U (Λ + ε)^(−1/2) U^T (x − μ)",
    takeaway: Text::new(
        "Descent takes steps in proportion to the condition number; subtracting the mean and whitening make it one.",
        "梯度下降所需步数与条件数成正比；减均值并白化能把条件数变为 1。",
    ),
    project: (
        "mlp-digits",
        Text::new(
            "Change the preprocessing in the form of the data: scale, mean, whitening.",
            "在数据表单中修改预处理：缩放、均值、白化。",
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
        "stretch",
        Text::new("Stretch", "拉伸"),
        (1.0, 4.0, 10.0),
        Text::new("How much longer than wide the cloud is.", "点云的长宽比。"),
    )
    .only(&[0]),
    Control::number(
        "angle",
        Text::new("Angle", "角度"),
        (0.0, 35.0, 180.0),
        Text::new(
            "The direction in which the cloud is long.",
            "点云长轴的方向。",
        ),
    )
    .unit("°")
    .only(&[0]),
    Control::number(
        "mean_x",
        Text::new("Middle, x", "中心 x"),
        (-5.0, 2.0, 5.0),
        Text::new("May be dragged in the picture.", "可在图中拖动。"),
    )
    .only(&[0]),
    Control::number(
        "mean_y",
        Text::new("Middle, y", "中心 y"),
        (-5.0, 1.0, 5.0),
        Text::new("May be dragged in the picture.", "可在图中拖动。"),
    )
    .only(&[0]),
    Control::log_number(
        "rate",
        Text::new("Learning rate η", "学习率 η"),
        (0.001, 1.0, 3.0),
        Text::new("Of all five runs.", "五个训练共用。"),
    )
    .only(&[1]),
    Control::log_number(
        "epsilon",
        Text::new("ε of whitening", "白化的 ε"),
        (0.0001, 0.01, 1.0),
        Text::new(
            "Keeps small variances, which are noise, small.",
            "使很小的方差（噪声）保持很小。",
        ),
    )
    .only(&[1]),
    Control::count(
        "iterations",
        Text::new("Iterations", "迭代次数"),
        (50, 300, 3000),
        Text::new("Of each run.", "每个训练的迭代数。"),
    )
    .only(&[1]),
    Control::count(
        "seed",
        Text::new("Seed", "随机种子"),
        (0, 1, 99),
        Text::new("Of points and weights.", "数据点与权重的种子。"),
    ),
];

fn demonstrate(settings: &Settings) -> Result<Vec<Figure>, LabError> {
    let cloud = Cloud::new(settings)?;
    let rows = STATES.iter().zip(&cloud.states).map(|((key, _), state)| {
        let steps = state
            .losses
            .iter()
            .position(|loss| *loss < 0.01 * state.losses[0]);
        let steps = steps.map_or(f64::INFINITY, |steps| steps as f64);
        (
            (*key).to_owned(),
            vec![
                state.condition,
                steps,
                state.covariance[0],
                state.covariance[1],
                state.covariance[2],
            ],
        )
    });
    let rows = rows.collect();
    let mut race = Race::start(settings, crate::train::Priority::Normal, || {});
    race.contest.finish()?;
    let digits = race.contest.runs.iter().map(|run| {
        let loss = run
            .smooth_losses()
            .last()
            .map_or(f64::NAN, |point| point[1]);
        (run.entry.name.clone(), vec![loss, run.accuracy()])
    });
    let conditions = images::conditions(settings.number("epsilon"))?;
    Ok(vec![
        Figure::table(
            "cloud",
            Text::new(
                "The cloud: condition, steps to 1 % of the loss, covariance",
                "点云：条件数、损失降到 1 % 的步数、协方差",
            ),
            &["condition", "steps", "var x", "cov xy", "var y"],
            rows,
        ),
        Figure::series(
            "digits_condition",
            Text::new(
                "Condition of the digits' covariance before and after whitening",
                "数字数据协方差的条件数：白化前与白化后",
            ),
            conditions.to_vec(),
        ),
        Figure::table(
            "digits",
            Text::new("Digits: loss and accuracy", "数字：损失与准确率"),
            &["loss", "accuracy"],
            digits.collect(),
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whitening_makes_the_bowl_round() {
        let cloud = Cloud::new(&Settings::of(&BENCH)).unwrap();
        let conditions: Vec<f64> = cloud.states.iter().map(|state| state.condition).collect();
        assert!(conditions[0] > 20.0, "{conditions:?}");
        assert!(conditions[2] < conditions[0]);
        for white in [3, 4] {
            assert!((conditions[white] - 1.0).abs() < 1e-3, "{conditions:?}");
            let [xx, xy, yy] = cloud.states[white].covariance;
            assert!((xx - 1.0).abs() < 1e-3 && xy.abs() < 1e-3 && (yy - 1.0).abs() < 1e-3);
            assert!(cloud.states[white].losses[1] < 1e-6 * cloud.states[white].losses[0]);
        }
        // ZCA stays nearest to the centred points: it is symmetric.
        let far = |state: usize| -> f64 {
            let pairs = cloud.states[state]
                .points
                .iter()
                .zip(&cloud.states[2].points);
            pairs
                .map(|(a, b)| (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2))
                .sum()
        };
        assert!(far(4) < far(3));
    }

    #[test]
    fn digits_are_badly_conditioned_until_whitened() {
        let [before, after] = images::conditions(0.001).unwrap();
        assert!(before > 1e3 && after < 0.1 * before, "{before} {after}");
    }
}
