//! Recurrent layers: one type for each cell, which differ in the cell alone.
//!
//! A sequence is (N, T, D). A pass begins with a state of zeros, or goes on from the state that an
//! earlier pass handed over ([`Passed::state`]): so text is sampled character by character.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::WEIGHT_FILLER;
use crate::choice;
use crate::graph::{
    Context, Family, Field, FieldVisitor, Filler, Gradients, InferContext, Inferred, Layer,
    LayerSpec, ParamSpec, Passed, Problem, Role, Shape, Size, Value, Window, only_gradient,
};
use crate::i18n::{Text, tr_format};
use crate::nn::{self, Cell, CellWeights, Unrolled};

choice! {
    /// What leaves a recurrent layer.
    SequenceOutput {
        Sequence = "sequence" "every step" "每一步",
        Last = "last" "the last step" "最后一步",
    }
}

/// The most layers on top of each other; for more, put several nodes in a row.
const MAX_LAYERS: usize = 4;

/// PyTorch's names of the parameters, layer by layer.
const SUFFIXES: [[&str; 4]; MAX_LAYERS] = [
    ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"],
    ["weight_ih_l1", "weight_hh_l1", "bias_ih_l1", "bias_hh_l1"],
    ["weight_ih_l2", "weight_hh_l2", "bias_ih_l2", "bias_hh_l2"],
    ["weight_ih_l3", "weight_hh_l3", "bias_ih_l3", "bias_hh_l3"],
];

const NUM_OUTPUT: Text = Text::new(
    "H: how many units, and so numbers in the state.",
    "H：单元个数，即状态的维数。",
);
const NUM_LAYERS: Text = Text::new(
    "How many recurrent layers on top of each other; each reads the sequence of the one below.",
    "堆叠的循环层数；每一层读取下一层输出的序列。",
);
const OUTPUT: Text = Text::new(
    "The state at every step (N, T, H), or only after the last one (N, H).",
    "输出每一步的状态 (N, T, H)，或仅输出最后一步的状态 (N, H)。",
);
const BOTH_BIASES: Text = Text::new("How both biases begin.", "两个偏置的初始化方法。");

/// One layer type for each cell; they differ in the cell alone.
macro_rules! recurrent {
    ($(#[$meta:meta])* $name:ident, $file:literal, $cell:expr, $spec:expr) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(rename = $file, default, deny_unknown_fields)]
        pub struct $name {
            pub num_output: Size,
            pub num_layers: usize,
            pub output: SequenceOutput,
            pub weight_filler: Filler,
            pub bias_filler: Filler,
        }

        impl Default for $name {
            fn default() -> Self {
                Self {
                    num_output: Size::Count(64),
                    num_layers: 1,
                    output: SequenceOutput::Sequence,
                    weight_filler: Filler::Xavier,
                    bias_filler: Filler::Constant(0.0),
                }
            }
        }

        impl Layer for $name {
            fn spec(&self) -> &'static LayerSpec {
                static SPEC: LayerSpec = $spec;
                &SPEC
            }

            fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
                let units = &mut self.num_output;
                visitor.field(Field::size("num_output", units, 1 << 16, NUM_OUTPUT));
                let layers = &mut self.num_layers;
                visitor.field(Field::count("num_layers", layers, 1..=MAX_LAYERS, NUM_LAYERS).caffe(""));
                visitor.field(Field::choice("output", &mut self.output, OUTPUT).caffe(""));
                visitor.field(Field::filler("weight_filler", &mut self.weight_filler, WEIGHT_FILLER));
                visitor.field(Field::filler("bias_filler", &mut self.bias_filler, BOTH_BIASES));
            }

            fn infer(&self, context: &InferContext<'_>, x: &[&Shape]) -> Result<Inferred, Problem> {
                let Some(hidden) = self.num_output.resolve(context.classes) else {
                    return Err(super::classes_unknown());
                };
                let plan = Plan { cell: $cell, hidden, layers: self.num_layers, output: self.output };
                plan.infer(x[0], self.weight_filler, self.bias_filler)
            }

            fn forward(&self, context: &Context<'_>, x: &[Value]) -> candle_core::Result<Passed> {
                Plan::of($cell, self.num_layers, self.output, context)?.forward(context, x[0].tensor())
            }

            fn backward(
                &self,
                context: &Context<'_>,
                saved: &[Tensor],
                gradients: &[Option<Tensor>],
            ) -> candle_core::Result<Gradients> {
                let plan = Plan::of($cell, self.num_layers, self.output, context)?;
                plan.backward(context, saved, only_gradient(gradients)?)
            }
        }
    };
}

recurrent!(
    /// h = tanh(x Wᵢ + bᵢ + h′ Wₕ + bₕ) (Elman 1990). PyTorch's `RNN`; its weights carry over.
    /// Caffe's RNN has an output layer of its own and another order of the axes.
    Rnn,
    "RNN",
    Cell::Rnn,
    LayerSpec {
        name: "RNN",
        title: Text::new("Recurrent (RNN)", "循环层（RNN）"),
        family: Family::Recurrent,
        role: Role::Layer,
        about: Text::new(
            "Reads a sequence step by step; its state sums up what came before, but soon forgets.",
            "逐步读取序列；状态概括此前的内容，但很快会遗忘。",
        ),
        formula: "h = tanh(W x + U h′ + b)",
        caffe: ("", ""),
    }
);

recurrent!(
    /// Long short-term memory (Hochreiter and Schmidhuber 1997; forget gate: Gers et al. 2000).
    /// PyTorch's `LSTM`; its weights carry over.
    Lstm,
    "LSTM",
    Cell::Lstm,
    LayerSpec {
        name: "LSTM",
        title: Text::new("Long short-term memory (LSTM)", "长短期记忆（LSTM）"),
        family: Family::Recurrent,
        role: Role::Layer,
        about: Text::new(
            "Reads a sequence step by step; gates decide what its memory keeps, takes in and shows, so gradients reach far back.",
            "逐步读取序列；门控决定记忆保留、写入和输出的内容，梯度因而能传得很远。",
        ),
        formula: "c = f · c′ + i · g,  h = o · tanh(c),  i, f, o = σ(W x + U h′ + b)",
        caffe: ("", ""),
    }
);

recurrent!(
    /// Gated recurrent unit (Cho et al. 2014), in cuDNN's form. PyTorch's `GRU`; its weights carry
    /// over.
    Gru,
    "GRU",
    Cell::Gru,
    LayerSpec {
        name: "GRU",
        title: Text::new("Gated recurrent unit (GRU)", "门控循环单元（GRU）"),
        family: Family::Recurrent,
        role: Role::Layer,
        about: Text::new(
            "Like an LSTM with one state and two gates: cheaper, often as good.",
            "类似 LSTM，但只有一个状态和两个门：计算更省，效果往往相当。",
        ),
        formula: "h = (1 − z) · n + z · h′,  n = tanh(W x + r · (U h′))",
        caffe: ("", ""),
    }
);

/// What the three layers do alike.
struct Plan {
    cell: Cell,
    hidden: usize,
    layers: usize,
    output: SequenceOutput,
}

impl Plan {
    /// The plan of a layer whose parameters are there.
    fn of(
        cell: Cell,
        layers: usize,
        output: SequenceOutput,
        context: &Context<'_>,
    ) -> candle_core::Result<Self> {
        if context.params.len() != 4 * layers || layers == 0 {
            candle_core::bail!("{layers} layers need {} parameters", 4 * layers);
        }
        let hidden = context.params[1].dim(1)?;
        Ok(Self {
            cell,
            hidden,
            layers,
            output,
        })
    }

    fn infer(&self, x: &Shape, weight: Filler, bias: Filler) -> Result<Inferred, Problem> {
        let (steps, width) = match x.rank() {
            3 => (x.dim(1), x.dim(2)),
            // A gray picture is read row by row.
            4 if x.dim(1) == Some(1) => (x.dim(2), x.dim(3)),
            _ => (None, None),
        };
        let Some(width) = width.filter(|_| steps != Some(0)) else {
            return Err(Problem::Shape(tr_format!(
                "a recurrent layer needs sequences (N, T, D), or pictures of one channel to read row by row, but gets {x}",
                "循环层需要序列 (N, T, D)，或可逐行读取的单通道图像，而得到的是 {x}"
            )));
        };
        let rows = self.cell.gates().saturating_mul(self.hidden);
        let mut params = Vec::new();
        for (layer, suffixes) in SUFFIXES.iter().enumerate().take(self.layers) {
            let inputs = if layer == 0 { width } else { self.hidden };
            let shapes = [
                vec![rows, inputs],
                vec![rows, self.hidden],
                vec![rows],
                vec![rows],
            ];
            for (index, (suffix, shape)) in suffixes.iter().zip(shapes).enumerate() {
                let filler = if index < 2 { weight } else { bias };
                params.push(ParamSpec::learnable(suffix, shape, filler));
            }
        }
        let products = params.iter().filter(|param| param.shape.len() == 2);
        let per_step = products.fold(0u64, |sum, param| sum.saturating_add(param.count() as u64));
        let output = match self.output {
            SequenceOutput::Sequence => vec![x.dim(0), steps, Some(self.hidden)],
            SequenceOutput::Last => vec![x.dim(0), Some(self.hidden)],
        };
        Ok(Inferred {
            outputs: vec![Shape(output)],
            params,
            macs: steps.map(|steps| per_step.saturating_mul(steps as u64)),
            window: Window::Whole,
        })
    }

    fn weights<'a>(&self, params: &'a [Tensor], layer: usize) -> CellWeights<'a> {
        let own = &params[4 * layer..];
        CellWeights {
            weight_ih: &own[0],
            weight_hh: &own[1],
            bias_ih: &own[2],
            bias_hh: &own[3],
        }
    }

    /// What each layer begins with: the state handed over, or zeros.
    fn initial(&self, context: &Context<'_>, x: &Tensor) -> candle_core::Result<Vec<Tensor>> {
        let count = self.layers * self.cell.states();
        if context.state.len() == count {
            return Ok(context.state.to_vec());
        }
        let zeros = Tensor::zeros((x.dim(1)?, self.hidden), x.dtype(), x.device())?;
        Ok(vec![zeros; count])
    }

    /// Saves the input's shape with it (a reference), and for each layer its input and what its
    /// steps left; all time-major.
    fn forward(&self, context: &Context<'_>, x: &Tensor) -> candle_core::Result<Passed> {
        let mut sequence = time_major(x)?;
        let initial = self.initial(context, &sequence)?;
        let states = self.cell.states();
        let mut passed = Passed {
            saved: vec![x.clone()],
            ..Passed::default()
        };
        for layer in 0..self.layers {
            let state = &initial[layer * states..][..states];
            let weights = self.weights(context.params, layer);
            let unrolled = nn::recurrent(self.cell, &sequence, &weights, state)?;
            passed.state.extend(unrolled.last(self.cell)?);
            let Unrolled { y, gates, extra } = unrolled;
            passed.saved.extend([sequence, y.clone(), gates, extra]);
            passed.saved.extend(state.iter().cloned());
            sequence = y;
        }
        let y = match self.output {
            SequenceOutput::Sequence => sequence.transpose(0, 1)?.contiguous()?,
            SequenceOutput::Last => sequence.get(sequence.dim(0)? - 1)?,
        };
        passed.outputs = vec![Value::Tensor(y)];
        Ok(passed)
    }

    fn backward(
        &self,
        context: &Context<'_>,
        saved: &[Tensor],
        dy: &Tensor,
    ) -> candle_core::Result<Gradients> {
        let (x, saved) = (&saved[0], &saved[1..]);
        let states = self.cell.states();
        let mut d = match self.output {
            SequenceOutput::Sequence => dy.transpose(0, 1)?.contiguous()?,
            SequenceOutput::Last => {
                let steps = saved[0].dim(0)?;
                let before = Tensor::zeros(
                    (steps - 1, dy.dim(0)?, self.hidden),
                    dy.dtype(),
                    dy.device(),
                );
                match steps {
                    1 => dy.unsqueeze(0)?,
                    _ => Tensor::cat(&[before?, dy.unsqueeze(0)?], 0)?,
                }
            }
        };
        let mut params = vec![None; 4 * self.layers];
        for layer in (0..self.layers).rev() {
            let own = &saved[layer * (4 + states)..][..4 + states];
            let unrolled = Unrolled {
                y: own[1].clone(),
                gates: own[2].clone(),
                extra: own[3].clone(),
            };
            let weights = self.weights(context.params, layer);
            let found =
                nn::recurrent_backward(self.cell, &own[0], &weights, &own[4..], &unrolled, &d)?;
            let of_layer = [
                found.weight_ih,
                found.weight_hh,
                found.bias_ih,
                found.bias_hh,
            ];
            for (slot, gradient) in params[4 * layer..].iter_mut().zip(of_layer) {
                *slot = Some(gradient);
            }
            d = found.x;
        }
        let dx = d.transpose(0, 1)?.contiguous()?.reshape(x.shape())?;
        Ok(Gradients {
            inputs: vec![Some(dx)],
            params,
        })
    }
}

/// (N, T, D), or (N, 1, T, D), as (T, N, D).
fn time_major(x: &Tensor) -> candle_core::Result<Tensor> {
    let x = if x.rank() == 4 {
        x.squeeze(1)?
    } else {
        x.clone()
    };
    x.transpose(0, 1)?.contiguous()
}
