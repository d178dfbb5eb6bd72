//! What goes in and out of a layer while the network runs.

use candle_core::{DType, Device, Tensor};

use super::Phase;

/// What travels along a wire while the network runs.
#[derive(Clone, Debug)]
pub enum Value {
    Tensor(Tensor),
    /// u32 class indices.
    Labels(Tensor),
}

impl Value {
    /// The numbers of either kind.
    pub fn tensor(&self) -> &Tensor {
        match self {
            Self::Tensor(tensor) | Self::Labels(tensor) => tensor,
        }
    }
}

/// What a layer may look at during a pass, beside its inputs.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    pub phase: Phase,
    /// In the order of the [`ParamSpec`](super::ParamSpec)s of the shape rule.
    pub params: &'a [Tensor],
    /// The start of the node's own random stream: a function of (seed, iteration, node).
    pub seed: u64,
    /// For each input, whether anybody needs its gradient.
    pub needs_input: &'a [bool],
    /// Whether anybody needs the gradients of the parameters.
    pub needs_params: bool,
    /// What the layer handed over as [`Passed::state`] in an earlier pass; empty at the start
    /// of a sequence, and for every layer that is not recurrent.
    pub state: &'a [Tensor],
    /// Whether the layer applies ReLU to its output, for the node behind it, which then only
    /// hands on: see [`Layer::joins_relu`](super::Layer::joins_relu).
    pub relu: bool,
    /// Whether nothing of the node may change: it is not trained, and its running statistics are
    /// used in training as they are.
    pub frozen: bool,
    /// Whether results are to be rounded as little as can be, rather than found as fast.
    pub precise: bool,
}

/// What a forward pass leaves.
#[derive(Clone, Debug, Default)]
pub struct Passed {
    pub outputs: Vec<Value>,
    /// What backward needs: inputs, outputs, masks, indices. Nothing else stays alive.
    pub saved: Vec<Tensor>,
    /// New values of buffers, by index into the parameters.
    pub buffers: Vec<(usize, Tensor)>,
    /// The state after the last step, from which a later pass may go on ([`Context::state`]).
    pub state: Vec<Tensor>,
}

impl Passed {
    pub fn new(output: Tensor, saved: Vec<Tensor>) -> Self {
        Self {
            outputs: vec![Value::Tensor(output)],
            saved,
            ..Self::default()
        }
    }
}

/// What a backward pass gives: ∂loss by each input and parameter, `None` where it is not
/// needed or is zero.
#[derive(Clone, Debug, Default)]
pub struct Gradients {
    pub inputs: Vec<Option<Tensor>>,
    pub params: Vec<Option<Tensor>>,
}

impl Gradients {
    pub fn of_input(gradient: Tensor) -> Self {
        Self {
            inputs: vec![Some(gradient)],
            params: Vec::new(),
        }
    }

    /// One gradient for each input, none for parameters.
    pub fn of_inputs(gradients: impl IntoIterator<Item = Option<Tensor>>) -> Self {
        Self {
            inputs: gradients.into_iter().collect(),
            params: Vec::new(),
        }
    }
}

/// The gradient that arrived at the output of a layer that has one.
pub fn only_gradient(gradients: &[Option<Tensor>]) -> candle_core::Result<&Tensor> {
    match gradients {
        [Some(gradient), ..] => Ok(gradient),
        _ => candle_core::bail!("no gradient arrived at the first output"),
    }
}

/// The gradient that arrived at output `port`, or zeros of this shape where none did.
pub fn gradient_or_zeros(
    gradients: &[Option<Tensor>],
    port: usize,
    shape: &[usize],
    dtype: DType,
    device: &Device,
) -> candle_core::Result<Tensor> {
    match gradients.get(port).and_then(Option::as_ref) {
        Some(gradient) => Ok(gradient.clone()),
        None => Tensor::zeros(shape, dtype, device),
    }
}
