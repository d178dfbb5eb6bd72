//! Depth: what the gradient meets on its way through many layers, for every activation and
//! initialisation; shallow against deep networks of as many parameters; the activations
//! themselves.

pub mod activations;
pub mod chain;
pub mod duel;

use super::{ACTIVATIONS, Bench, Chapter, Control, Figure, LabError, Settings};
use crate::i18n::Text;
use chain::INITIAL;

pub const SHOWN: &[(&str, Text)] = &[
    ("chain", Text::new("The gradient's way", "梯度之路")),
    ("duel", Text::new("Shallow against deep", "浅与深的较量")),
    ("activations", Text::new("Activations", "激活函数")),
];

pub static BENCH: Bench = Bench {
    id: "depth",
    chapter: Chapter::Neurons,
    title: Text::new("Depth and activations", "深度与激活函数"),
    about: Text::new(
        "Why several hidden layers, and why they were long hard to train: on its way back the gradient is multiplied at every layer by weights and by the activation's derivative.",
        "为什么需要多个隐藏层，以及它们为何长期难以训练：梯度反向传播时，每经过一层都要乘以权重和激活函数的导数。",
    ),
    what_to_try: Text::new(
        "The gradient's way: choose sigmoid and watch the bars shrink towards the input; then a weight of deviation 0.3, and watch them grow; then ReLU with He's initialisation. Shallow against deep: play, and look at what the units of each layer detect. Activations: drag the dot along the curve.",
        "梯度之路：选择 Sigmoid，看条形向输入端缩小；再用标准差 0.3 的权重，看它们变大；然后换成 ReLU 加 He 初始化。浅与深的较量：播放，并观察各层单元检测到什么。激活函数：沿曲线拖动圆点。",
    ),
    what_to_notice: Text::new(
        "σ′ is at most ¼, so a sigmoid takes at least three quarters of the gradient at every layer unless the weights make up for it. The first layer's units are half-planes; those of later ones are bent and folded shapes made of them.",
        "σ′ 最大只有 ¼，若权重不补偿，Sigmoid 每层至少吃掉四分之三的梯度。第一层单元是半平面；后面各层的单元是由它们弯折、叠加而成的形状。",
    ),
    formula: "δ(l) = W(l+1) δ(l+1) · φ′(z(l))\n|δ(1)| ≈ |δ(L)| · ∏ |w φ′|",
    takeaway: Text::new(
        "Depth multiplies: features build on features, and so do gradients, which vanish or explode unless initialisation and activation keep each factor near one.",
        "深度意味着连乘：特征层层叠加，梯度也层层相乘；只有初始化和激活函数使每个因子接近 1，梯度才不会消失或爆炸。",
    ),
    project: (
        "lenet-digits",
        Text::new(
            "Select a layer and watch its gradient's histogram in the weights panel while it trains; change its filler.",
            "选中一层，训练时在“权重”面板观察其梯度直方图；再换一种初始化。",
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
    Control::choice(
        "activation",
        Text::new("Activation", "激活函数"),
        ACTIVATIONS,
        0,
        Text::new("Of every layer.", "所有层使用。"),
    )
    .only(&[0, 2]),
    Control::choice(
        "initial",
        Text::new("Initial weights", "初始权重"),
        INITIAL,
        1,
        Text::new(
            "How the weights are drawn before training.",
            "训练前权重如何抽取。",
        ),
    )
    .only(&[0]),
    Control::count(
        "depth",
        Text::new("Layers", "层数"),
        (2, 20, 50),
        Text::new("Hidden layers of the chain.", "链中的隐藏层数。"),
    )
    .only(&[0]),
    Control::count(
        "width",
        Text::new("Neurons in a layer", "每层神经元数"),
        (4, 64, 128),
        Text::new("Of every hidden layer.", "每个隐藏层的神经元数。"),
    )
    .only(&[0]),
    Control::choice(
        "unit",
        Text::new("Activation", "激活函数"),
        ACTIVATIONS,
        1,
        Text::new(
            "Of every hidden neuron of both.",
            "两个网络的所有隐藏神经元使用。",
        ),
    )
    .only(&[1]),
    Control::count(
        "layers",
        Text::new("Hidden layers of the deep net", "深网络的隐藏层数"),
        (2, 3, 5),
        Text::new(
            "Eight neurons in each; the shallow net has as many parameters in one layer.",
            "每层 8 个神经元；浅网络把同样多的参数放在一层。",
        ),
    )
    .only(&[1]),
    Control::log_number(
        "rate",
        Text::new("Learning rate η", "学习率 η"),
        (0.0003, 0.01, 0.1),
        Text::new("Of Adam, for both.", "Adam 的学习率，两者相同。"),
    )
    .only(&[1]),
    Control::count(
        "seed",
        Text::new("Seed", "随机种子"),
        (0, 1, 99),
        Text::new("Other first weights.", "换一组初始权重。"),
    ),
];

fn demonstrate(settings: &Settings) -> Result<Vec<Figure>, LabError> {
    let (depth, width) = (settings.count("depth"), settings.count("width"));
    let seed = settings.count("seed") as u64;
    let chosen = chain::Chain::new(
        settings.count("activation"),
        settings.count("initial"),
        depth,
        width,
        seed,
    )?;
    let mut rows = Vec::new();
    for (activation, (key, _)) in ACTIVATIONS.iter().enumerate() {
        let ratio =
            |initial| Ok(chain::Chain::new(activation, initial, depth, width, seed)?.ratio());
        let ratios = (0..INITIAL.len())
            .map(ratio)
            .collect::<Result<Vec<f64>, LabError>>()?;
        rows.push(((*key).to_owned(), ratios));
    }
    let columns: Vec<&str> = INITIAL.iter().map(|(key, _)| *key).collect();
    let mut duel = duel::Duel::new(settings)?;
    for _ in 0..duel::STEPS {
        duel.step()?;
    }
    Ok(vec![
        Figure::series(
            "gradients",
            Text::new(
                "Gradient, layer by layer from the input",
                "从输入端起各层的梯度大小",
            ),
            chosen.layers.iter().map(|layer| layer.gradient).collect(),
        ),
        Figure::table(
            "first_to_last",
            Text::new(
                "Gradient of the first layer over that of the last",
                "首层梯度与末层梯度之比",
            ),
            &columns,
            rows,
        ),
        Figure::table(
            "duel",
            Text::new(
                "Shallow and deep on the spiral",
                "浅网络与深网络在双螺旋上的表现",
            ),
            &["parameters", "accuracy", "loss"],
            duel.rows()?,
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labs::{FigureValue, figure};

    #[test]
    fn gradients_vanish_explode_and_stay() {
        let of = |activation, initial| {
            chain::Chain::new(activation, initial, 20, 64, 1)
                .unwrap()
                .ratio()
        };
        // Sigmoid under Xavier loses many orders; large weights under ReLU gain many; He keeps.
        assert!(of(0, 1) < 1e-8, "{}", of(0, 1));
        assert!(of(2, 3) > 1e3, "{}", of(2, 3));
        assert!((0.05..20.0).contains(&of(2, 2)), "{}", of(2, 2));
        assert!(of(2, 0) < 1e-15, "{}", of(2, 0));
    }

    #[test]
    fn deep_and_shallow_have_as_many_parameters() {
        let settings = Settings::of(&BENCH);
        let figures = demonstrate(&settings).unwrap();
        let FigureValue::Table { rows, .. } = &figure(&figures, "duel").unwrap().value else {
            panic!("a table");
        };
        println!("{rows:?}");
        assert!((rows[0].1[0] - rows[1].1[0]).abs() <= 4.0);
        assert!(rows[1].1[1] > 0.7);
    }
}
