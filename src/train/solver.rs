//! Stochastic gradient descent with momentum and weight decay, in Caffe's form
//! (`SGDSolver::ApplyUpdate`): for every parameter with the multipliers m and d,
//!
//! ```text
//! v ← μ v − η m (∂L/∂w + λ d w)
//! w ← w + v
//! ```
//!
//! New weights are new tensors, so whoever holds the old ones keeps a consistent picture.

use std::collections::BTreeMap;

use candle_core::Tensor;

use super::Solver;
use crate::net::{Net, NetError};
use crate::nn::{self, Sgd};

/// The velocities v, by parameter key; a parameter that has not been updated has none yet.
pub type Momentum = BTreeMap<String, Tensor>;

/// Updates every learnable parameter that has a gradient, at the learning rate `rate`.
/// Parameters of multiplier 0 stay as they are.
pub fn update(
    net: &mut Net,
    gradients: &BTreeMap<String, Tensor>,
    momentum: &mut Momentum,
    solver: &Solver,
    rate: f64,
) -> Result<(), NetError> {
    for (key, gradient) in gradients {
        let Some(param) = net.params().get(key) else {
            return Err(NetError::NoSuchParam { key: key.clone() });
        };
        if !param.learnable || param.lr_mult == 0.0 {
            continue;
        }
        let sgd = Sgd {
            rate: rate * param.lr_mult,
            momentum: solver.momentum,
            decay: solver.weight_decay * param.decay_mult,
        };
        let velocity = match momentum.get(key) {
            Some(velocity) => velocity.clone(),
            None => gradient.zeros_like()?,
        };
        let (weight, velocity) = nn::sgd_update(&param.tensor, gradient, &velocity, &sgd)?;
        net.set_param(key, weight)?;
        momentum.insert(key.clone(), velocity);
    }
    Ok(())
}
