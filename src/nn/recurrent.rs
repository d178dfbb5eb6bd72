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

use super::cpu::{self, Real, on_cpu, with_slices};
use super::{bias_backward, linear, linear_backward_data, linear_backward_weight};
use candle_core::{Result, Tensor, bail};
use rayon::prelude::*;

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

/// One step forward.
struct Stepped {
    h: Tensor,
    gates: Tensor,
    extra: Tensor,
}

/// What one step left; `previous` is c′ of an LSTM and h′ otherwise.
struct StepValues {
    gates: Tensor,
    extra: Tensor,
    h: Tensor,
    previous: Tensor,
}

/// Gradients of one step; `carried` goes to the step before beside the product with the weights:
/// ∂c′ of an LSTM, ∂h′ through the update gate of a GRU.
struct StepGradients {
    input: Tensor,
    own: Tensor,
    carried: Tensor,
}

fn forward(cell: Cell, input: &Tensor, own: &Tensor, state: &[Tensor]) -> Result<Stepped> {
    on_cpu!(input, forward_cpu(cell, input, own, state), else forward_reference(cell, input, own, state))
}

fn backward(cell: Cell, at: &StepValues, dh: &Tensor, dc: &Tensor) -> Result<StepGradients> {
    on_cpu!(dh, backward_cpu(cell, at, dh, dc), else backward_reference(cell, at, dh, dc))
}

fn sigmoid<T: Real>(x: T) -> T {
    T::ONE / (T::ONE + (-x).exp())
}

fn forward_cpu<T: Real>(
    cell: Cell,
    input: &Tensor,
    own: &Tensor,
    state: &[Tensor],
) -> Result<Stepped> {
    let (batch, hidden) = state[0].dims2()?;
    let size = batch * hidden;
    let previous = state.last().unwrap_or(&state[0]);
    let mut h = vec![T::ZERO; size];
    let mut extra = vec![T::ZERO; size];
    let mut gates = vec![T::ZERO; size * cell.gates()];
    with_slices(
        [input, own, previous],
        |[input, own, previous]: [&[T]; 3]| {
            let wide = hidden * cell.gates();
            let rows = h.par_chunks_mut(hidden).zip(extra.par_chunks_mut(hidden));
            let rows = rows.zip(gates.par_chunks_mut(wide)).enumerate();
            rows.for_each(|(row, ((h, extra), gates))| {
                let (input, own) = (&input[row * wide..][..wide], &own[row * wide..][..wide]);
                let previous = &previous[row * hidden..][..hidden];
                for unit in 0..hidden {
                    let sum = |gate: usize| input[gate * hidden + unit] + own[gate * hidden + unit];
                    match cell {
                        Cell::Rnn => {
                            h[unit] = sum(0).tanh();
                            gates[unit] = h[unit];
                        }
                        Cell::Lstm => {
                            let [i, f, g, o] = [
                                sigmoid(sum(0)),
                                sigmoid(sum(1)),
                                sum(2).tanh(),
                                sigmoid(sum(3)),
                            ];
                            let c = f * previous[unit] + i * g;
                            extra[unit] = c;
                            h[unit] = o * c.tanh();
                            for (gate, value) in [i, f, g, o].into_iter().enumerate() {
                                gates[gate * hidden + unit] = value;
                            }
                        }
                        Cell::Gru => {
                            let (r, z) = (sigmoid(sum(0)), sigmoid(sum(1)));
                            let own = own[2 * hidden + unit];
                            let n = (input[2 * hidden + unit] + r * own).tanh();
                            extra[unit] = own;
                            h[unit] = (T::ONE - z) * n + z * previous[unit];
                            for (gate, value) in [r, z, n].into_iter().enumerate() {
                                gates[gate * hidden + unit] = value;
                            }
                        }
                    }
                }
            });
            Ok(())
        },
    )?;
    Ok(Stepped {
        h: cpu::tensor(h, (batch, hidden))?,
        gates: cpu::tensor(gates, (batch, hidden * cell.gates()))?,
        extra: cpu::tensor(extra, (batch, hidden))?,
    })
}

fn backward_cpu<T: Real>(
    cell: Cell,
    at: &StepValues,
    dh: &Tensor,
    dc: &Tensor,
) -> Result<StepGradients> {
    let (batch, hidden) = dh.dims2()?;
    let wide = hidden * cell.gates();
    let mut d_input = vec![T::ZERO; batch * wide];
    let mut d_own = vec![T::ZERO; batch * wide];
    let mut carried = vec![T::ZERO; batch * hidden];
    let tensors = [&at.gates, &at.extra, &at.previous, dh, dc];
    with_slices(tensors, |[gates, extra, previous, dh, dc]: [&[T]; 5]| {
        let rows = d_input.par_chunks_mut(wide).zip(d_own.par_chunks_mut(wide));
        let rows = rows.zip(carried.par_chunks_mut(hidden)).enumerate();
        rows.for_each(|(row, ((d_input, d_own), carried))| {
            let gates = &gates[row * wide..][..wide];
            let narrow = row * hidden..(row + 1) * hidden;
            let (extra, previous) = (&extra[narrow.clone()], &previous[narrow.clone()]);
            let (dh, dc) = (&dh[narrow.clone()], &dc[narrow]);
            for unit in 0..hidden {
                let gate = |gate: usize| gates[gate * hidden + unit];
                let sloped = |y: T| y * (T::ONE - y);
                match cell {
                    Cell::Rnn => d_input[unit] = dh[unit] * (T::ONE - gate(0) * gate(0)),
                    Cell::Lstm => {
                        let [i, f, g, o] = [gate(0), gate(1), gate(2), gate(3)];
                        let squashed = extra[unit].tanh();
                        let dc = dc[unit] + dh[unit] * o * (T::ONE - squashed * squashed);
                        d_input[unit] = dc * g * sloped(i);
                        d_input[hidden + unit] = dc * previous[unit] * sloped(f);
                        d_input[2 * hidden + unit] = dc * i * (T::ONE - g * g);
                        d_input[3 * hidden + unit] = dh[unit] * squashed * sloped(o);
                        carried[unit] = dc * f;
                    }
                    Cell::Gru => {
                        let [r, z, n] = [gate(0), gate(1), gate(2)];
                        let dn = dh[unit] * (T::ONE - z) * (T::ONE - n * n);
                        d_input[unit] = dn * extra[unit] * sloped(r);
                        d_input[hidden + unit] = dh[unit] * (previous[unit] - n) * sloped(z);
                        d_input[2 * hidden + unit] = dn;
                        d_own[2 * hidden + unit] = dn * r;
                        carried[unit] = dh[unit] * z;
                    }
                }
            }
            let same = if cell == Cell::Gru { 2 * hidden } else { wide };
            d_own[..same].copy_from_slice(&d_input[..same]);
        });
        Ok(())
    })?;
    Ok(StepGradients {
        input: cpu::tensor(d_input, (batch, wide))?,
        own: cpu::tensor(d_own, (batch, wide))?,
        carried: cpu::tensor(carried, (batch, hidden))?,
    })
}

fn forward_reference(
    cell: Cell,
    input: &Tensor,
    own: &Tensor,
    state: &[Tensor],
) -> Result<Stepped> {
    let hidden = state[0].dim(1)?;
    let sigmoid = super::reference::sigmoid;
    let part = |tensor: &Tensor, gate: usize| tensor.narrow(1, gate * hidden, hidden);
    let sum = |gate: usize| part(input, gate)? + part(own, gate)?;
    match cell {
        Cell::Rnn => {
            let h = sum(0)?.tanh()?;
            let extra = h.zeros_like()?;
            Ok(Stepped {
                gates: h.clone(),
                h,
                extra,
            })
        }
        Cell::Lstm => {
            let [i, f, g, o] = [
                sigmoid(&sum(0)?)?,
                sigmoid(&sum(1)?)?,
                sum(2)?.tanh()?,
                sigmoid(&sum(3)?)?,
            ];
            let c = ((&f * &state[1])? + (&i * &g)?)?;
            Ok(Stepped {
                h: (&o * c.tanh()?)?,
                gates: Tensor::cat(&[i, f, g, o], 1)?,
                extra: c,
            })
        }
        Cell::Gru => {
            let (r, z) = (sigmoid(&sum(0)?)?, sigmoid(&sum(1)?)?);
            let own = part(own, 2)?.contiguous()?;
            let n = (part(input, 2)? + (&r * &own)?)?.tanh()?;
            let h = ((z.affine(-1.0, 1.0)? * &n)? + (&z * &state[0])?)?;
            Ok(Stepped {
                h,
                gates: Tensor::cat(&[r, z, n], 1)?,
                extra: own,
            })
        }
    }
}

fn backward_reference(
    cell: Cell,
    at: &StepValues,
    dh: &Tensor,
    dc: &Tensor,
) -> Result<StepGradients> {
    let hidden = dh.dim(1)?;
    let gate = |gate: usize| at.gates.narrow(1, gate * hidden, hidden)?.contiguous();
    let sloped = |y: &Tensor| y * y.affine(-1.0, 1.0)?;
    let flat = |y: &Tensor| y.sqr()?.affine(-1.0, 1.0);
    match cell {
        Cell::Rnn => {
            let d = (dh * flat(&at.h)?)?;
            Ok(StepGradients {
                input: d.clone(),
                own: d,
                carried: dc.zeros_like()?,
            })
        }
        Cell::Lstm => {
            let [i, f, g, o] = [gate(0)?, gate(1)?, gate(2)?, gate(3)?];
            let squashed = at.extra.tanh()?;
            let dc = (dc + ((dh * &o)? * flat(&squashed)?)?)?;
            let d = [
                ((&dc * &g)? * sloped(&i)?)?,
                ((&dc * &at.previous)? * sloped(&f)?)?,
                ((&dc * &i)? * flat(&g)?)?,
                ((dh * &squashed)? * sloped(&o)?)?,
            ];
            let d = Tensor::cat(&d, 1)?;
            Ok(StepGradients {
                input: d.clone(),
                own: d,
                carried: (dc * f)?,
            })
        }
        Cell::Gru => {
            let [r, z, n] = [gate(0)?, gate(1)?, gate(2)?];
            let dn = ((dh * z.affine(-1.0, 1.0)?)? * flat(&n)?)?;
            let dr = ((&dn * &at.extra)? * sloped(&r)?)?;
            let dz = ((dh * (&at.previous - &n)?)? * sloped(&z)?)?;
            let own = Tensor::cat(&[dr.clone(), dz.clone(), (&dn * &r)?], 1)?;
            Ok(StepGradients {
                input: Tensor::cat(&[dr, dz, dn], 1)?,
                own,
                carried: (dh * z)?,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};

    fn random(dims: &[usize], seed: u64) -> Tensor {
        crate::nn::tests::random(dims, seed)
    }

    /// The CPU's cells against the same equations in Candle's operations, one step each way.
    #[test]
    fn the_cells_equal_their_references() {
        for cell in [Cell::Rnn, Cell::Lstm, Cell::Gru] {
            for dtype in [DType::F64, DType::F32] {
                let tolerance = if dtype == DType::F64 { 1e-13 } else { 1e-5 };
                let tensor = |dims: &[usize], seed| random(dims, seed).to_dtype(dtype).unwrap();
                let (n, h) = (5, 7);
                let (input, own) = (
                    tensor(&[n, h * cell.gates()], 1),
                    tensor(&[n, h * cell.gates()], 2),
                );
                let state: Vec<Tensor> = (0..cell.states())
                    .map(|s| tensor(&[n, h], 3 + s as u64))
                    .collect();
                let ours = forward(cell, &input, &own, &state).unwrap();
                let theirs = forward_reference(cell, &input, &own, &state).unwrap();
                let same = |a: &Tensor, b: &Tensor| {
                    let error = crate::nn::tests::relative_error(a, b);
                    assert!(error < tolerance, "{cell:?} {dtype:?}: {error:e}");
                };
                same(&ours.h, &theirs.h);
                same(&ours.gates, &theirs.gates);
                same(&ours.extra, &theirs.extra);
                let at = StepValues {
                    gates: ours.gates,
                    extra: ours.extra,
                    h: ours.h,
                    previous: state.last().unwrap().clone(),
                };
                let (dh, dc) = (tensor(&[n, h], 8), tensor(&[n, h], 9));
                let ours = backward(cell, &at, &dh, &dc).unwrap();
                let theirs = backward_reference(cell, &at, &dh, &dc).unwrap();
                same(&ours.input, &theirs.input);
                same(&ours.own, &theirs.own);
                same(&ours.carried, &theirs.carried);
            }
        }
    }

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
