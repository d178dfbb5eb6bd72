//! One step of stochastic gradient descent with momentum, as the course and Caffe write it.

use super::cpu::{self, Real, on_cpu, same_shape, with_slices};
use super::reference;
use candle_core::{Result, Tensor};
use rayon::prelude::*;

/// Elements that one task updates.
const CHUNK: usize = 16 * 1024;

/// The numbers of one update: learning rate η, momentum μ and weight decay λ.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sgd {
    pub rate: f64,
    pub momentum: f64,
    pub decay: f64,
}

/// `v ← μ·v − η·(g + λ·w)`, `w ← w + v`: the new weights and the new velocity.
///
/// Both are new tensors, so whoever holds the old weights keeps them as they were.
pub fn sgd_update(w: &Tensor, g: &Tensor, v: &Tensor, sgd: &Sgd) -> Result<(Tensor, Tensor)> {
    same_shape(w, g)?;
    same_shape(w, v)?;
    on_cpu!(w, update(w, g, v, sgd), else reference::sgd_update(w, g, v, sgd))
}

fn update<T: Real>(w: &Tensor, g: &Tensor, v: &Tensor, sgd: &Sgd) -> Result<(Tensor, Tensor)> {
    let [rate, momentum, decay] = [sgd.rate, sgd.momentum, sgd.decay].map(T::from_f64);
    let (new_w, new_v) = with_slices([w, g, v], |[w, g, v]: [&[T]; 3]| {
        let mut new_w = vec![T::ZERO; w.len()];
        let mut new_v = vec![T::ZERO; w.len()];
        let new = new_w.par_chunks_mut(CHUNK).zip(new_v.par_chunks_mut(CHUNK));
        let old = w
            .par_chunks(CHUNK)
            .zip(g.par_chunks(CHUNK))
            .zip(v.par_chunks(CHUNK));
        new.zip(old).for_each(|((new_w, new_v), ((w, g), v))| {
            let old = w.iter().zip(g).zip(v);
            for ((new_w, new_v), ((&w, &g), &v)) in new_w.iter_mut().zip(new_v).zip(old) {
                *new_v = momentum * v - rate * (g + decay * w);
                *new_w = w + *new_v;
            }
        });
        Ok((new_w, new_v))
    })?;
    Ok((
        cpu::tensor(new_w, w.shape())?,
        cpu::tensor(new_v, w.shape())?,
    ))
}
