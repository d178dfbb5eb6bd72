//! Recurrent cells unrolled over a sequence, and back-propagation through time.
//!
//! The equations, the order of the gates and both biases are PyTorch's (`RNN`, `LSTM`, `GRU`), so
//! weights carry over. The input's share of the gates is one product over all steps; only the
//! state's share is computed step by step.
//!
//! ```text
//! RNN   h = tanh(x Wᵢ + bᵢ + h′ Wₕ + bₕ)
//! LSTM  i, f, o = σ(…), g = tanh(…),  c = f c′ + i g,  h = o tanh(c)        gates i, f, g, o
//! GRU   r, z = σ(…), n = tanh(x Wₙ + bₙ + r (h′ Wₙ + bₙ)),  h = (1 − z) n + z h′   gates r, z, n
//! ```

mod cell;
mod reference;

use candle_core::{Result, Tensor, bail};

use super::{bias_backward, linear, linear_backward_data, linear_backward_weight};
use cell::{StepValues, backward, forward};

/// The kind of cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Elman's: one tanh.
    Rnn,
    /// Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000.
    Lstm,
    /// Cho et al. 2014, in the form that cuDNN computes.
    Gru,
}

impl Cell {
    /// Rows of the weights for each unit.
    pub fn gates(self) -> usize {
        match self {
            Self::Rnn => 1,
            Self::Lstm => 4,
            Self::Gru => 3,
        }
    }

    /// Tensors of (N, H) that go from step to step: h, and c of an LSTM.
    pub fn states(self) -> usize {
        if self == Self::Lstm { 2 } else { 1 }
    }
}

/// The parameters of one layer; G is [`Cell::gates`].
#[derive(Clone, Copy, Debug)]
pub struct CellWeights<'a> {
    /// (G·H, D)
    pub weight_ih: &'a Tensor,
    /// (G·H, H)
    pub weight_hh: &'a Tensor,
    /// (G·H)
    pub bias_ih: &'a Tensor,
    /// (G·H)
    pub bias_hh: &'a Tensor,
}

/// What [`recurrent`] leaves for [`recurrent_backward`].
#[derive(Clone, Debug)]
pub struct Unrolled {
    /// (T, N, H): the states h₁ … h_T.
    pub y: Tensor,
    /// (T, N, G·H): the gates after their nonlinearity.
    pub gates: Tensor,
    /// (T, N, H): c₁ … c_T of an LSTM, h′ Wₙ + bₙ of a GRU, nothing that is used of an RNN.
    pub extra: Tensor,
}

impl Unrolled {
    /// The state after the last step: h (N, H), and c of an LSTM.
    pub fn last(&self, cell: Cell) -> Result<Vec<Tensor>> {
        let steps = self.y.dim(0)?;
        let last = |tensor: &Tensor| tensor.narrow(0, steps - 1, 1)?.squeeze(0);
        let mut state = vec![last(&self.y)?];
        if cell == Cell::Lstm {
            state.push(last(&self.extra)?);
        }
        Ok(state)
    }
}

/// Gradients of [`recurrent`].
#[derive(Clone, Debug)]
pub struct RecurrentGradients {
    /// (T, N, D)
    pub x: Tensor,
    pub weight_ih: Tensor,
    pub weight_hh: Tensor,
    pub bias_ih: Tensor,
    pub bias_hh: Tensor,
}

/// Runs the cell over `x` (T, N, D) from `state` (tensors (N, H), see [`Cell::states`]).
pub fn recurrent(
    cell: Cell,
    x: &Tensor,
    weights: &CellWeights<'_>,
    state: &[Tensor],
) -> Result<Unrolled> {
    let ((steps, batch, width), (rows, hidden)) = (x.dims3()?, weights.weight_hh.dims2()?);
    let fits = |tensor: &Tensor| tensor.dims() == [batch, hidden];
    if steps == 0
        || rows != cell.gates() * hidden
        || weights.weight_ih.dims() != [rows, width]
        || state.len() != cell.states()
        || !state.iter().all(fits)
    {
        bail!(
            "a sequence {:?} and {} states do not fit the weights {:?} and {:?} of {cell:?}",
            x.dims(),
            state.len(),
            weights.weight_ih.dims(),
            weights.weight_hh.dims()
        );
    }
    let x = x.contiguous()?.reshape((steps * batch, width))?;
    let input = linear(&x, weights.weight_ih, Some(weights.bias_ih))?;
    let input = input.reshape((steps, batch, rows))?;
    let mut state = state.to_vec();
    let (mut y, mut gates, mut extra) = (Vec::new(), Vec::new(), Vec::new());
    for step in 0..steps {
        let own = linear(
            &state[0].contiguous()?,
            weights.weight_hh,
            Some(weights.bias_hh),
        )?;
        let passed = forward(cell, &input.get(step)?, &own, &state)?;
        gates.push(passed.gates);
        extra.push(passed.extra.clone());
        y.push(passed.h.clone());
        state = match cell {
            Cell::Lstm => vec![passed.h, passed.extra],
            _ => vec![passed.h],
        };
    }
    Ok(Unrolled {
        y: Tensor::stack(&y, 0)?,
        gates: Tensor::stack(&gates, 0)?,
        extra: Tensor::stack(&extra, 0)?,
    })
}

/// Back-propagation through time: from `dy` (T, N, H), the gradients of the states at every
/// step, to those of the input and the weights. `state` is what the sequence began with; it is
/// taken as given, so no gradient goes beyond the first step (truncated BPTT).
pub fn recurrent_backward(
    cell: Cell,
    x: &Tensor,
    weights: &CellWeights<'_>,
    state: &[Tensor],
    unrolled: &Unrolled,
    dy: &Tensor,
) -> Result<RecurrentGradients> {
    let (steps, batch, width) = x.dims3()?;
    let (rows, hidden) = weights.weight_hh.dims2()?;
    // Gradients by what the input and what the state contribute to the gates; only in a GRU's
    // candidate do the two differ.
    let (mut d_input, mut d_own) = (Vec::new(), Vec::new());
    let mut dh: Option<Tensor> = None;
    let mut dc = Tensor::zeros((batch, hidden), x.dtype(), x.device())?;
    for step in (0..steps).rev() {
        let before = |tensor: &Tensor, first: &Tensor| match step {
            0 => Ok(first.clone()),
            _ => tensor.get(step - 1),
        };
        let arrived = dy.get(step)?;
        let arrived = match &dh {
            Some(dh) => (arrived + dh)?,
            None => arrived,
        };
        let previous = match cell {
            Cell::Lstm => before(&unrolled.extra, &state[1])?,
            _ => before(&unrolled.y, &state[0])?,
        };
        let at = StepValues {
            gates: unrolled.gates.get(step)?,
            extra: unrolled.extra.get(step)?,
            h: unrolled.y.get(step)?,
            previous,
        };
        let gradients = backward(cell, &at, &arrived, &dc)?;
        let through = linear_backward_data(&gradients.own, weights.weight_hh)?;
        dh = Some(match cell {
            Cell::Gru => (through + &gradients.carried)?,
            _ => through,
        });
        dc = gradients.carried;
        d_input.push(gradients.input);
        d_own.push(gradients.own);
    }
    d_input.reverse();
    d_own.reverse();
    let d_input = Tensor::stack(&d_input, 0)?.reshape((steps * batch, rows))?;
    let d_own = Tensor::stack(&d_own, 0)?.reshape((steps * batch, rows))?;
    let first = state[0].unsqueeze(0)?;
    let states = match steps {
        1 => first,
        _ => Tensor::cat(&[first, unrolled.y.narrow(0, 0, steps - 1)?], 0)?,
    };
    let states = states.contiguous()?.reshape((steps * batch, hidden))?;
    let flat = x.contiguous()?.reshape((steps * batch, width))?;
    Ok(RecurrentGradients {
        x: linear_backward_data(&d_input, weights.weight_ih)?.reshape((steps, batch, width))?,
        weight_ih: linear_backward_weight(&flat, &d_input)?,
        weight_hh: linear_backward_weight(&states, &d_own)?,
        bias_ih: bias_backward(&d_input)?,
        bias_hh: bias_backward(&d_own)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};

    #[test]
    fn sizes_that_do_not_fit_are_errors() {
        let zeros = |dims: &[usize]| Tensor::zeros(dims, DType::F64, &Device::Cpu).unwrap();
        let weights = CellWeights {
            weight_ih: &zeros(&[8, 3]),
            weight_hh: &zeros(&[8, 2]),
            bias_ih: &zeros(&[8]),
            bias_hh: &zeros(&[8]),
        };
        let run = |x: &[usize], state: &[&[usize]]| {
            let state: Vec<Tensor> = state.iter().map(|dims| zeros(dims)).collect();
            recurrent(Cell::Lstm, &zeros(x), &weights, &state)
        };
        assert!(run(&[4, 5, 3], &[&[5, 2], &[5, 2]]).is_ok());
        assert!(run(&[4, 5, 2], &[&[5, 2], &[5, 2]]).is_err());
        assert!(run(&[4, 5, 3], &[&[5, 2]]).is_err());
        assert!(run(&[4, 5, 3], &[&[4, 2], &[5, 2]]).is_err());
        assert!(run(&[0, 5, 3], &[&[5, 2], &[5, 2]]).is_err());
    }
}
