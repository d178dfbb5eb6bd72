//! One step of a recurrent cell, there and back.
//!
//! `input` and `own` are what the input and the state contribute to the gates, bias included.

use candle_core::{Result, Tensor};
use rayon::prelude::*;

use super::Cell;
use super::reference::{backward_reference, forward_reference};
use crate::nn::cpu::{self, Real, on_cpu, with_slices};

/// One step forward.
pub(super) struct Stepped {
    pub h: Tensor,
    pub gates: Tensor,
    pub extra: Tensor,
}

/// What one step left; `previous` is c′ of an LSTM and h′ otherwise.
pub(super) struct StepValues {
    pub gates: Tensor,
    pub extra: Tensor,
    pub h: Tensor,
    pub previous: Tensor,
}

/// Gradients of one step; `carried` goes to the step before beside the product with the weights:
/// ∂c′ of an LSTM, ∂h′ through the update gate of a GRU.
pub(super) struct StepGradients {
    pub input: Tensor,
    pub own: Tensor,
    pub carried: Tensor,
}

pub(super) fn forward(
    cell: Cell,
    input: &Tensor,
    own: &Tensor,
    state: &[Tensor],
) -> Result<Stepped> {
    on_cpu!(input, forward_cpu(cell, input, own, state), else forward_reference(cell, input, own, state))
}

pub(super) fn backward(
    cell: Cell,
    at: &StepValues,
    dh: &Tensor,
    dc: &Tensor,
) -> Result<StepGradients> {
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
