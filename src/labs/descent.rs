//! Gradient descent: on surfaces that one knows, on the real surface of a trained network, with
//! every solver from the same start; and in one dimension, where the best rate is the inverse of
//! the second derivative.

pub mod landscape;
pub mod line;
pub mod race;
pub mod surface;

use super::{Bench, Chapter, Control, Figure, LabError, Settings};
use crate::i18n::Text;
use crate::train::Method;
use race::Race;
use surface::SURFACES;

pub const SHOWN: &[(&str, Text)] = &[
    ("rate", Text::new("The best rate", "最佳学习率")),
    ("race", Text::new("Race of the solvers", "优化器赛跑")),
    (
        "landscape",
        Text::new("A real loss surface", "真实的损失曲面"),
    ),
];

pub static BENCH: Bench = Bench {
    id: "descent",
    chapter: Chapter::Optimisation,
    title: Text::new("Gradient descent", "梯度下降"),
    about: Text::new(
        "A step goes down the slope, as far as the learning rate says. How far is right depends on the curvature, and a surface has a different one in every direction.",
        "每一步沿斜坡向下，走多远由学习率决定。合适的步长取决于曲率，而曲面在每个方向上的曲率各不相同。",
    ),
    what_to_try: Text::new(
        "The best rate: drag the ball, then set the rate below, at, above and at twice 1/f″. Race: drag the start, choose the ravine, give one curvature a hundred times the other. Choose the regression and batches of one example. A real surface: train, and look at the bowl around the minimum.",
        "最佳学习率：拖动小球，把学习率设为小于、等于、大于 1/f″ 以及其两倍。赛跑：拖动起点，选择山谷，让一个方向的曲率是另一个的一百倍；再选线性回归和单样本批次。真实曲面：训练网络，观察极小值周围的“碗”。",
    ),
    what_to_notice: Text::new(
        "Below 1/f″ the ball creeps, at 1/f″ it arrives in one step, between one and two times it jumps from side to side, above it flies away. In a ravine the steep direction sets the rate and the flat one the time; momentum and a scale for each weight help.",
        "小于 1/f″ 时缓慢爬行，等于 1/f″ 时一步到底，一到两倍之间左右跳跃，超过两倍则飞走。在山谷中，陡的方向限制学习率，平的方向决定耗时；动量和逐参数缩放能有所帮助。",
    ),
    formula: "w ← w − η ∇L(w)\nη_opt = 1 / f″,  diverges for η > 2 / f″\nv ← μ v − η ∇L,  w ← w + v",
    takeaway: Text::new(
        "The best learning rate is the inverse of the curvature; more than twice that diverges, and different curvatures are why momentum and adaptive rates exist.",
        "最佳学习率是曲率的倒数，超过其两倍就会发散；各方向曲率不同，正是动量和自适应学习率存在的原因。",
    ),
    project: (
        "mlp-digits",
        Text::new(
            "Drag the learning rate in the training bar while it trains, up to where the loss flies away.",
            "训练时在训练栏拖动学习率，直到损失飞走。",
        ),
    ),
    controls: CONTROLS,
    stages: None,
    demonstrate,
};

static CONTROLS: &[Control] = &[
    Control::choice("show", Text::new("Show", "显示"), SHOWN, 0, Text::new("What the bench is about just now.", "实验台当前的内容。")),
    Control::log_number("curvature", Text::new("Curvature f″", "曲率 f″"), (0.1, 1.0, 20.0), Text::new("Of the parabola f = ½ f″ x².", "抛物线 f = ½ f″ x² 的二阶导数。")).only(&[0]),
    Control::log_number("rate", Text::new("Learning rate η", "学习率 η"), (0.001, 0.3, 30.0), Text::new("How far one step goes.", "每一步走多远。")).only(&[0]),
    Control::choice("surface", Text::new("Surface", "曲面"), SURFACES, 0, Text::new("What is descended.", "在哪个曲面上下降。")).only(&[1]),
    Control::log_number("curvature_x", Text::new("Curvature in x", "x 方向曲率"), (0.05, 1.0, 20.0), Text::new("Of the quadratic.", "二次曲面 x 方向的曲率。")).only(&[1]),
    Control::log_number("curvature_y", Text::new("Curvature in y", "y 方向曲率"), (0.05, 10.0, 20.0), Text::new("Of the quadratic.", "二次曲面 y 方向的曲率。")).only(&[1]),
    Control::log_number("factor", Text::new("All rates times", "学习率整体倍数"), (0.05, 1.0, 20.0), Text::new("Each solver's own usual rate for this surface is multiplied by it.", "在各优化器自身的常用学习率上再乘以它。")).only(&[1]),
    Control::number("momentum", Text::new("Momentum μ", "动量 μ"), (0.0, 0.9, 0.99), Text::new("Of SGD with momentum and of Nesterov.", "用于动量法和 Nesterov。")).only(&[1]),
    Control::count("batch", Text::new("Batch", "批大小"), (1, 32, 32), Text::new("Examples of one step, where the surface is a regression on 32 examples: 32 is batch descent, 1 is stochastic.", "曲面为 32 个样本的回归时，每一步使用的样本数：32 为批量下降，1 为随机下降。")).only(&[1]),
    Control::count("steps", Text::new("Steps", "步数"), (1, 300, 5000), Text::new("Of the demonstration's race.", "演示赛跑的步数。")).only(&[1]),
    Control::number("reach", Text::new("How far around", "观察范围"), (0.2, 1.0, 4.0), Text::new("Along two random directions, each as long as the weights themselves.", "沿两个随机方向观察，其长度与权重相当。")).only(&[2]),
    Control::count("seed", Text::new("Seed", "随机种子"), (0, 1, 99), Text::new("Other directions, other noise.", "换一组方向和噪声。")).only(&[1, 2]),
];

fn demonstrate(settings: &Settings) -> Result<Vec<Figure>, LabError> {
    let curvature = settings.number("curvature");
    let best = line::best_rate(curvature);
    let factors = [0.5, 1.0, 1.5, 2.1];
    let after = factors.map(|factor| line::distance_after(curvature, factor / curvature, 20));
    let mut race = Race::new(settings, SURFACES_START[settings.count("surface")])?;
    for _ in 0..settings.count("steps") {
        race.step()?;
    }
    let rows = race.runners.iter().map(|runner| {
        let value = race.surface.value(runner.at());
        (
            runner.name().get().to_owned(),
            vec![value, runner.arrived.map_or(f64::NAN, |n| n as f64)],
        )
    });
    let landscape = landscape::demonstrate(settings)?;
    Ok(vec![
        Figure::number(
            "best_rate",
            Text::new("Measured best rate", "测得的最佳学习率"),
            best,
        ),
        Figure::number(
            "inverse_curvature",
            Text::new("1 / f″", "1 / f″"),
            1.0 / curvature,
        ),
        Figure::series(
            "distance_after_20",
            Text::new(
                "Distance after 20 steps at 0.5, 1, 1.5 and 2.1 times 1/f″ (from 1)",
                "以 1/f″ 的 0.5、1、1.5、2.1 倍走 20 步后的距离（从 1 开始）",
            ),
            after.to_vec(),
        ),
        Figure::number(
            "diverges_above",
            Text::new("Smallest rate that diverges", "开始发散的最小学习率"),
            line::divergence(curvature),
        ),
        Figure::table(
            "race",
            Text::new(
                "Value at the end, and steps to within 1 % of the start's height",
                "终点函数值，以及降到起点高度 1 % 所需步数",
            ),
            &["value", "steps"],
            rows.collect(),
        ),
        Figure::series(
            "landscape",
            Text::new(
                "Loss of the trained network, and the mean around it",
                "训练后网络的损失，及其周围的平均损失",
            ),
            landscape.to_vec(),
        ),
    ])
}

/// Where a race begins on each surface.
pub const SURFACES_START: [[f64; 2]; 5] = [
    [-1.8, 1.4],
    [-1.4, 1.8],
    [-1.5, 0.02],
    [1.0, 1.6],
    [-1.5, -1.5],
];

/// The solvers of a race: the method, with momentum or without, and the name.
pub const SOLVERS: [(Method, bool, Text); 7] = [
    (Method::Sgd, false, Text::new("SGD", "SGD")),
    (Method::Sgd, true, Text::new("Momentum", "动量法")),
    (Method::Nesterov, true, Text::new("Nesterov", "Nesterov")),
    (Method::AdaGrad, false, Text::new("AdaGrad", "AdaGrad")),
    (Method::AdaDelta, false, Text::new("AdaDelta", "AdaDelta")),
    (Method::RmsProp, false, Text::new("RMSProp", "RMSProp")),
    (Method::Adam, false, Text::new("Adam", "Adam")),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labs::figure;

    #[test]
    fn the_best_rate_is_the_inverse_curvature_and_twice_that_diverges() {
        for curvature in [0.1, 1.0, 7.0, 20.0] {
            let best = line::best_rate(curvature);
            assert!((best * curvature - 1.0).abs() < 0.01, "{curvature}: {best}");
            let edge = line::divergence(curvature);
            assert!((edge * curvature - 2.0).abs() < 0.02, "{curvature}: {edge}");
            assert!(line::distance_after(curvature, 2.1 / curvature, 200) > 1e3);
            assert!(line::distance_after(curvature, 1.9 / curvature, 200) < 1e-3);
        }
    }

    #[test]
    fn a_demonstration_says_so_for_any_curvature() {
        let mut settings = Settings::of(&BENCH);
        settings.set_text("curvature=4").unwrap();
        let figures = demonstrate(&settings).unwrap();
        let best = figure(&figures, "best_rate").unwrap().as_number();
        assert!((best - 0.25).abs() < 0.0025, "{best}");
        let crate::labs::FigureValue::Table { rows, .. } = &figure(&figures, "race").unwrap().value
        else {
            panic!("a table");
        };
        println!("{rows:?}");
        assert_eq!(rows.len(), SOLVERS.len());
        assert!(rows.iter().all(|(_, values)| values[0].is_finite()));
    }
}
