//! One step of a parameter along its gradient, for each solver. The formulas are Caffe's
//! (`src/caffe/solvers`); where PyTorch's optimizer of that name differs, the rule says how.

use super::cpu::{CHUNK, Real, on_cpu, same_shape, with_slices, with_slices_mut};
use super::simd::wide;
use candle_core::{Result, Tensor, bail};
use rayon::prelude::*;

/// How a gradient g, decay included, becomes a step; s and r are the states, which begin as 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// `s ← μ s − η g`, `w ← w + s`. PyTorch's differs when η changes on the way.
    Sgd { momentum: f64 },
    /// `s ← μ s + g`, `w ← w − η s`: `torch.optim.SGD`.
    SgdPyTorch { momentum: f64 },
    /// `s′ ← μ s + η g`, `w ← w − (1 + μ) s′ + μ s` (Nesterov 1983, Sutskever et al. 2013).
    /// PyTorch's differs when η changes on the way.
    Nesterov { momentum: f64 },
    /// `s ← s + g²`, `w ← w − η g / (√s + δ)` (Duchi et al. 2011). As PyTorch's.
    AdaGrad { delta: f64 },
    /// `s ← ρ s + (1 − ρ) g²`, `d = g √(r + δ) / √(s + δ)`, `r ← ρ r + (1 − ρ) d²`,
    /// `w ← w − η d` (Zeiler 2012). As PyTorch's.
    AdaDelta { momentum: f64, delta: f64 },
    /// `s ← ρ s + (1 − ρ) g²`, `w ← w − η g / (√s + δ)` (Tieleman and Hinton 2012). As PyTorch's.
    RmsProp { decay: f64, delta: f64 },
    /// `s ← β₁ s + (1 − β₁) g`, `r ← β₂ r + (1 − β₂) g²`,
    /// `w ← w − η √(1 − β₂ᵗ) / (1 − β₁ᵗ) · s / (√r + δ)` (Kingma and Ba 2015), t counting from 1.
    /// PyTorch adds its ε after the correction of r, so that its ε is δ / √(1 − β₂ᵗ).
    Adam {
        momentum: f64,
        momentum2: f64,
        delta: f64,
        step: u64,
    },
}

impl Rule {
    /// Tensors of the parameter's shape that go from step to step.
    pub fn states(&self) -> usize {
        match self {
            Self::AdaDelta { .. } | Self::Adam { .. } => 2,
            _ => 1,
        }
    }
}

/// One step: the rule, and what all rules share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    pub rule: Rule,
    /// η
    pub rate: f64,
    /// λ: `g + λ w` for L2, `g + λ sign(w)` for L1.
    pub decay: f64,
    pub l1: bool,
    /// The gradient is multiplied by it first (clipping).
    pub scale: f64,
}

/// Moves the weights and the states one step on. On the CPU their numbers change in place, in one
/// walk: whoever wants to keep them as they were has a copy. Elsewhere they are new tensors.
///
/// Errors if the shapes differ, or there are more or fewer states than the rule keeps.
pub fn update(w: &mut Tensor, g: &Tensor, states: &mut [Tensor], step: &Step) -> Result<()> {
    same_shape(w, g)?;
    if states.len() != step.rule.states() {
        bail!(
            "{:?} keeps {} states, not {}",
            step.rule,
            step.rule.states(),
            states.len()
        );
    }
    for state in states.iter() {
        same_shape(w, state)?;
    }
    on_cpu!(w, update_cpu(w, g, states, step), cuda update_in_place(w, g, states, step), else {
        let (new_w, new_states) = reference(w, g, states, step)?;
        *w = new_w;
        states.clone_from_slice(&new_states);
        Ok(())
    })
}

fn update_cpu<T: Real>(w: &Tensor, g: &Tensor, states: &[Tensor], step: &Step) -> Result<()> {
    let real = T::from_f64;
    let (rate, decay, scale) = (real(step.rate), real(step.decay), real(step.scale));
    let (l1, scaled) = (step.l1, step.scale != 1.0);
    let gradient = move |w: T, g: T| {
        let g = if scaled { scale * g } else { g };
        let pull = match l1 {
            true if w > T::ZERO => T::ONE,
            true if w < T::ZERO => -T::ONE,
            true => T::ZERO,
            false => w,
        };
        g + decay * pull
    };
    match step.rule {
        Rule::Sgd { momentum } => {
            let momentum = real(momentum);
            one(w, g, states, |w, g, s| {
                let s = momentum * s - rate * gradient(w, g);
                (w + s, s)
            })
        }
        Rule::SgdPyTorch { momentum } => {
            let momentum = real(momentum);
            one(w, g, states, |w, g, s| {
                let s = momentum * s + gradient(w, g);
                (w - rate * s, s)
            })
        }
        Rule::Nesterov { momentum } => {
            let momentum = real(momentum);
            one(w, g, states, |w, g, s| {
                let next = momentum * s + rate * gradient(w, g);
                (w - (T::ONE + momentum) * next + momentum * s, next)
            })
        }
        Rule::AdaGrad { delta } => {
            let delta = real(delta);
            one(w, g, states, |w, g, s| {
                let g = gradient(w, g);
                let s = s + g * g;
                (w - rate * g / (s.sqrt() + delta), s)
            })
        }
        Rule::RmsProp { decay: past, delta } => {
            let (past, delta) = (real(past), real(delta));
            one(w, g, states, |w, g, s| {
                let g = gradient(w, g);
                let s = past * s + (T::ONE - past) * g * g;
                (w - rate * g / (s.sqrt() + delta), s)
            })
        }
        Rule::AdaDelta { momentum, delta } => {
            let (past, delta) = (real(momentum), real(delta));
            two(w, g, states, |w, g, s, r| {
                let g = gradient(w, g);
                let s = past * s + (T::ONE - past) * g * g;
                let d = g * ((r + delta) / (s + delta)).sqrt();
                (w - rate * d, s, past * r + (T::ONE - past) * d * d)
            })
        }
        Rule::Adam {
            momentum,
            momentum2,
            delta,
            step,
        } => {
            let rate = rate * real(correction(momentum, momentum2, step));
            let (first, second, delta) = (real(momentum), real(momentum2), real(delta));
            two(w, g, states, |w, g, s, r| {
                let g = gradient(w, g);
                let s = first * s + (T::ONE - first) * g;
                let r = second * r + (T::ONE - second) * g * g;
                (w - rate * s / (r.sqrt() + delta), s, r)
            })
        }
    }
}

/// What makes up for Adam's states beginning as 0.
pub(super) fn correction(momentum: f64, momentum2: f64, step: u64) -> f64 {
    let step = step.max(1) as f64;
    (1.0 - momentum2.powf(step)).sqrt() / (1.0 - momentum.powf(step))
}

/// `f(w, g, s)` gives the new w and s.
fn one<T: Real>(
    w: &Tensor,
    g: &Tensor,
    states: &[Tensor],
    f: impl Fn(T, T, T) -> (T, T) + Sync,
) -> Result<()> {
    let [s] = states else {
        bail!("this rule keeps one state");
    };
    with_slices([g], |[g]: [&[T]; 1]| {
        with_slices_mut([w, s], |[w, s]| {
            let chunks = w
                .par_chunks_mut(CHUNK)
                .zip(s.par_chunks_mut(CHUNK))
                .zip(g.par_chunks(CHUNK));
            chunks.for_each(|((w, s), g)| one_slice(w, s, g, &f));
        })
    })
}

/// `f(w, g, s, r)` gives the new w, s and r.
fn two<T: Real>(
    w: &Tensor,
    g: &Tensor,
    states: &[Tensor],
    f: impl Fn(T, T, T, T) -> (T, T, T) + Sync,
) -> Result<()> {
    let [s, r] = states else {
        bail!("this rule keeps two states");
    };
    with_slices([g], |[g]: [&[T]; 1]| {
        with_slices_mut([w, s, r], |[w, s, r]| {
            let chunks = w.par_chunks_mut(CHUNK).zip(s.par_chunks_mut(CHUNK));
            let chunks = chunks.zip(r.par_chunks_mut(CHUNK)).zip(g.par_chunks(CHUNK));
            chunks.for_each(|(((w, s), r), g)| two_slices(w, s, r, g, &f));
        })
    })
}

trait OfOne<T>: Fn(T, T, T) -> (T, T) {}
impl<T, F: Fn(T, T, T) -> (T, T)> OfOne<T> for F {}
trait OfTwo<T>: Fn(T, T, T, T) -> (T, T, T) {}
impl<T, F: Fn(T, T, T, T) -> (T, T, T)> OfTwo<T> for F {}

wide! {
    fn one_slice[T: Real, F: OfOne<T>](w: &mut [T], s: &mut [T], g: &[T], f: &F) {
        for ((w, s), &g) in w.iter_mut().zip(s).zip(g) {
            (*w, *s) = f(*w, g, *s);
        }
    }

    fn two_slices[T: Real, F: OfTwo<T>](w: &mut [T], s: &mut [T], r: &mut [T], g: &[T], f: &F) {
        for (((w, s), r), &g) in w.iter_mut().zip(s).zip(r).zip(g) {
            (*w, *s, *r) = f(*w, g, *s, *r);
        }
    }
}

/// The same in Candle's operations: what other devices run.
pub(super) fn reference(
    w: &Tensor,
    g: &Tensor,
    states: &[Tensor],
    step: &Step,
) -> Result<(Tensor, Vec<Tensor>)> {
    let pull = if step.l1 { w.sign()? } else { w.clone() };
    let g = ((g * step.scale)? + (pull * step.decay)?)?;
    let (s, r) = (&states[0], states.last().unwrap_or(&states[0]));
    let mean = |past: f64, old: &Tensor, new: Tensor| (old * past)? + (new * (1.0 - past))?;
    let (change, states) = match step.rule {
        Rule::Sgd { momentum } => {
            let s = ((s * momentum)? - (g * step.rate)?)?;
            (s.clone(), vec![s])
        }
        Rule::SgdPyTorch { momentum } => {
            let s = ((s * momentum)? + g)?;
            ((&s * -step.rate)?, vec![s])
        }
        Rule::Nesterov { momentum } => {
            let next = ((s * momentum)? + (g * step.rate)?)?;
            (((s * momentum)? - (&next * (1.0 + momentum))?)?, vec![next])
        }
        Rule::AdaGrad { delta } => {
            let s = (s + g.sqr()?)?;
            ((g * -step.rate)?.div(&(s.sqrt()? + delta)?)?, vec![s])
        }
        Rule::RmsProp { decay, delta } => {
            let s = mean(decay, s, g.sqr()?)?;
            ((g * -step.rate)?.div(&(s.sqrt()? + delta)?)?, vec![s])
        }
        Rule::AdaDelta { momentum, delta } => {
            let s = mean(momentum, s, g.sqr()?)?;
            let d = (g * ((r + delta)? / (&s + delta)?)?.sqrt()?)?;
            let r = mean(momentum, r, d.sqr()?)?;
            ((d * -step.rate)?, vec![s, r])
        }
        Rule::Adam {
            momentum,
            momentum2,
            delta,
            step: t,
        } => {
            let r = mean(momentum2, r, g.sqr()?)?;
            let s = mean(momentum, s, g)?;
            let rate = -step.rate * correction(momentum, momentum2, t);
            ((&s * rate)?.div(&(r.sqrt()? + delta)?)?, vec![s, r])
        }
    };
    Ok(((w + change)?, states))
}
