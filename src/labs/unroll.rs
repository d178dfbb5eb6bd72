//! A recurrent cell unrolled over time: one step after the other, the gates as numbers, and the
//! gradient's way back from the last step to the first.
//!
//! The cells have one unit each, so that every number can be seen; the LSTM is the layer's, with
//! those of its weights 0 that the bench has no control for.

use super::{Bench, Chapter, Control, Figure, LabError, Settings};
use crate::i18n::Text;

pub static BENCH: Bench = Bench {
    id: "unroll",
    chapter: Chapter::Sequences,
    title: Text::new("Unrolling RNN and LSTM", "展开 RNN 与 LSTM"),
    about: Text::new(
        "A recurrent network is one cell used at every step. Unrolled, it is as deep as the sequence is long, and the gradient goes back through all of it.",
        "循环网络是在每一步重复使用的同一个单元。展开之后，序列多长它就有多深，梯度要穿过全部步骤返回。",
    ),
    what_to_try: Text::new(
        "Step through the sequence and watch the gates. Drag the inputs. Lower the forget bias until the LSTM forgets; set the RNN's weight below, at and above 1 and look at the bars of the gradient.",
        "逐步执行，观察各个门。拖动输入。降低遗忘偏置，直到 LSTM 忘记；把 RNN 的权重设为小于、等于、大于 1，看梯度条形。",
    ),
    what_to_notice: Text::new(
        "In the RNN the gradient is multiplied by w (1 − h²) at each step; in the LSTM the cell's path is multiplied by the forget gate alone, which may stay near 1 for as long as it must.",
        "在 RNN 中，梯度每步乘以 w (1 − h²)；在 LSTM 中，细胞通路只乘以遗忘门，而遗忘门可以一直接近 1。",
    ),
    formula: "RNN h = tanh(u x + w h)\nLSTM i = σ(a x + bi), f = σ(bf), o = σ(bo)\n  g = tanh(u x + w h)\n  c = f c + i g,  h = o tanh c\n∂cT/∂c1 = ∏ f   (RNN: ∏ w (1 − h²))",
    takeaway: Text::new(
        "An LSTM remembers because its cell is added to and only multiplied by a gate near one, so the gradient survives many steps.",
        "LSTM 之所以记得住，是因为细胞状态靠相加更新，只乘以接近 1 的门，梯度因而能穿越许多步。",
    ),
    project: (
        "char-lstm",
        Text::new(
            "An LSTM that writes text, letter by letter; swap it for an Rnn and compare.",
            "逐字母写作的 LSTM；换成 Rnn 再比较。",
        ),
    ),
    controls: CONTROLS,
    stages: None,
    demonstrate,
};

pub const CELLS: &[(&str, Text)] = &[
    ("rnn", Text::new("RNN", "RNN")),
    ("lstm", Text::new("LSTM", "LSTM")),
];

static CONTROLS: &[Control] = &[
    Control::choice(
        "cell",
        Text::new("Cell", "单元"),
        CELLS,
        1,
        Text::new("What is unrolled.", "展开哪种单元。"),
    ),
    Control::count(
        "length",
        Text::new("Steps", "步数"),
        (2, 16, 40),
        Text::new("How long the sequence is.", "序列长度。"),
    ),
    Control::number(
        "u",
        Text::new("Input weight u", "输入权重 u"),
        (-3.0, 1.5, 3.0),
        Text::new(
            "Of tanh, in both cells.",
            "tanh 中的输入权重，两种单元共用。",
        ),
    ),
    Control::number(
        "w",
        Text::new("Recurrent weight w", "循环权重 w"),
        (-2.0, 0.9, 2.0),
        Text::new("From one step to the next.", "从一步到下一步的权重。"),
    ),
    Control::number(
        "a",
        Text::new("Input gate's weight a", "输入门权重 a"),
        (0.0, 6.0, 10.0),
        Text::new(
            "Opens the gate where there is an input.",
            "有输入时打开输入门。",
        ),
    ),
    Control::number(
        "bi",
        Text::new("Input gate's bias", "输入门偏置 bi"),
        (-6.0, -3.0, 6.0),
        Text::new(
            "Negative: closed where nothing comes in.",
            "为负：没有输入时关闭。",
        ),
    ),
    Control::number(
        "bf",
        Text::new("Forget gate's bias", "遗忘门偏置 bf"),
        (-6.0, 4.0, 8.0),
        Text::new("Large: nothing is forgotten.", "越大越不遗忘。"),
    ),
    Control::number(
        "bo",
        Text::new("Output gate's bias", "输出门偏置 bo"),
        (-6.0, 3.0, 6.0),
        Text::new(
            "Large: the cell is always shown.",
            "越大，细胞状态越完整地输出。",
        ),
    ),
];

/// The numbers of the cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    pub u: f64,
    pub w: f64,
    pub a: f64,
    pub bi: f64,
    pub bf: f64,
    pub bo: f64,
}

impl Weights {
    pub fn of(settings: &Settings) -> Self {
        let [u, w, a, bi, bf, bo] =
            ["u", "w", "a", "bi", "bf", "bo"].map(|key| settings.number(key));
        Self {
            u,
            w,
            a,
            bi,
            bf,
            bo,
        }
    }
}

/// One step: what came in, the gates, and what goes on. An RNN has no gates and no cell.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Step {
    pub x: f64,
    pub input: f64,
    pub forget: f64,
    pub candidate: f64,
    pub output: f64,
    pub cell: f64,
    pub hidden: f64,
    /// ∂h of the last step by this step's hidden value, cell and input.
    pub by_hidden: f64,
    pub by_cell: f64,
    pub by_input: f64,
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// A pulse at the first step, and nothing after it.
pub fn pulse(length: usize) -> Vec<f64> {
    (0..length)
        .map(|t| if t == 0 { 1.0 } else { 0.0 })
        .collect()
}

/// Forward through all inputs, then back from the last hidden value.
pub fn run(lstm: bool, weights: Weights, inputs: &[f64]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::with_capacity(inputs.len());
    let (mut hidden, mut cell) = (0.0, 0.0);
    for x in inputs {
        let mut step = forward(lstm, weights, *x, hidden, cell);
        step.x = *x;
        (hidden, cell) = (step.hidden, step.cell);
        steps.push(step);
    }
    backward(lstm, weights, &mut steps);
    steps
}

fn forward(lstm: bool, weights: Weights, x: f64, hidden: f64, cell: f64) -> Step {
    let Weights {
        u,
        w,
        a,
        bi,
        bf,
        bo,
    } = weights;
    let candidate = (u * x + w * hidden).tanh();
    if !lstm {
        return Step {
            candidate,
            hidden: candidate,
            ..Step::default()
        };
    }
    let (input, forget, output) = (sigmoid(a * x + bi), sigmoid(bf), sigmoid(bo));
    let cell = forget * cell + input * candidate;
    Step {
        input,
        forget,
        output,
        candidate,
        cell,
        hidden: output * cell.tanh(),
        ..Step::default()
    }
}

fn backward(lstm: bool, weights: Weights, steps: &mut [Step]) {
    let (mut by_hidden, mut by_cell) = (1.0, 0.0);
    for step in steps.iter_mut().rev() {
        step.by_hidden = by_hidden;
        let flat = 1.0 - step.candidate * step.candidate;
        if !lstm {
            let by_sum = by_hidden * flat;
            step.by_input = by_sum * weights.u;
            by_hidden = by_sum * weights.w;
            continue;
        }
        let shown = step.cell.tanh();
        by_cell += by_hidden * step.output * (1.0 - shown * shown);
        step.by_cell = by_cell;
        let by_candidate = by_cell * step.input * flat;
        let by_gate = by_cell * step.candidate * step.input * (1.0 - step.input);
        step.by_input = by_candidate * weights.u + by_gate * weights.a;
        by_hidden = by_candidate * weights.w;
        by_cell *= step.forget;
    }
}

fn demonstrate(settings: &Settings) -> Result<Vec<Figure>, LabError> {
    let inputs = pulse(settings.count("length"));
    let weights = Weights::of(settings);
    let [rnn, lstm] = [false, true].map(|lstm| run(lstm, weights, &inputs));
    let chosen = if settings.count("cell") == 1 {
        &lstm
    } else {
        &rnn
    };
    let first = |steps: &[Step]| steps.first().map_or(f64::NAN, |step| step.by_input);
    let last = |steps: &[Step]| steps.last().map_or(f64::NAN, |step| step.hidden);
    let gates = lstm.iter().skip(1).map(|step| step.forget).product();
    Ok(vec![
        Figure::series(
            "hidden",
            Text::new("Hidden value, step by step", "逐步的隐藏值"),
            chosen.iter().map(|step| step.hidden).collect(),
        ),
        Figure::series(
            "gradient",
            Text::new(
                "Gradient of the last hidden value by each input",
                "末步隐藏值对各步输入的梯度",
            ),
            chosen.iter().map(|step| step.by_input).collect(),
        ),
        Figure::number(
            "rnn_first",
            Text::new("RNN: gradient by the first input", "RNN：对首个输入的梯度"),
            first(&rnn),
        ),
        Figure::number(
            "lstm_first",
            Text::new(
                "LSTM: gradient by the first input",
                "LSTM：对首个输入的梯度",
            ),
            first(&lstm),
        ),
        Figure::number(
            "forget_product",
            Text::new("Product of the forget gates", "遗忘门的乘积"),
            gates,
        ),
        Figure::series(
            "remembered",
            Text::new("Last hidden value: RNN, LSTM", "末步隐藏值：RNN、LSTM"),
            vec![last(&rnn), last(&lstm)],
        ),
    ])
}

#[cfg(test)]
mod tests;
