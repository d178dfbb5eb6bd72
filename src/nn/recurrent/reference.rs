//! The cells written with Candle's operations: for any device, and what the tests compare with.

use candle_core::{Result, Tensor};

use super::Cell;
use super::cell::{StepGradients, StepValues, Stepped};
use crate::nn::reference::sigmoid;

pub(super) fn forward_reference(
    cell: Cell,
    input: &Tensor,
    own: &Tensor,
    state: &[Tensor],
) -> Result<Stepped> {
    let hidden = state[0].dim(1)?;
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

pub(super) fn backward_reference(
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
    use candle_core::DType;

    use super::super::cell::{backward, forward};
    use super::*;

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
}
