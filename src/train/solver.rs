//! From gradients to new weights, for every method of [`Solver`]: clipping, weight decay and the
//! multipliers of each parameter, then the method's own rule ([`nn::Rule`]).
//!
//! The order is Caffe's (`SGDSolver::ApplyUpdate`), except that gradients of several batches are
//! averaged before they are clipped, not after. Weights and states change in place: whoever wants
//! a consistent picture of them takes a copy.

use std::collections::BTreeMap;

use candle_core::{DType, Tensor};

use super::{Regularization, Solver};
use crate::net::{Net, NetError};
use crate::nn::{self, Step};

/// What a method remembers, by parameter key: its first tensor under the key itself, a second one
/// under the key with [`SECOND`]. A parameter that has not been updated has none yet.
pub type Momentum = BTreeMap<String, Tensor>;

/// Behind the key of a second tensor: AdaDelta's r, Adam's v.
const SECOND: &str = "@2";

/// The parameter to which an entry of [`Momentum`] belongs.
pub fn param_of(key: &str) -> &str {
    key.strip_suffix(SECOND).unwrap_or(key)
}

/// Updates every learnable parameter that has a gradient, at the learning rate `rate`; `step`
/// counts from 1. Parameters of multiplier 0 stay as they are.
pub fn update(
    net: &mut Net,
    gradients: &BTreeMap<String, Tensor>,
    momentum: &mut Momentum,
    solver: &Solver,
    (rate, step): (f64, u64),
) -> Result<(), NetError> {
    let scale = clip(gradients, solver.clip_gradients)?;
    let rule = solver.rule(step);
    for (key, gradient) in gradients {
        let Some(param) = net.param_mut(key) else {
            return Err(NetError::NoSuchParam { key: key.clone() });
        };
        if !param.learnable || param.lr_mult == 0.0 {
            continue;
        }
        let step = Step {
            rule,
            rate: rate * param.lr_mult,
            decay: solver.weight_decay * param.decay_mult,
            l1: solver.regularization == Regularization::L1,
            scale,
        };
        let keys = [key.clone(), format!("{key}{SECOND}")];
        let keys = &keys[..rule.states()];
        let state = |key: &String| match momentum.remove(key) {
            Some(state) => Ok(state),
            None => gradient.zeros_like(),
        };
        let mut states: Vec<Tensor> = keys.iter().map(state).collect::<Result<_, _>>()?;
        nn::update(&mut param.tensor, gradient, &mut states, &step)?;
        momentum.extend(keys.iter().cloned().zip(states));
    }
    Ok(())
}

/// The factor that brings all gradients together to at most this length; 0 does not clip.
fn clip(gradients: &BTreeMap<String, Tensor>, most: f64) -> candle_core::Result<f64> {
    if most == 0.0 {
        return Ok(1.0);
    }
    let mut squares = 0.0;
    for gradient in gradients.values() {
        let sum = gradient.sqr()?.to_dtype(DType::F64)?.sum_all()?;
        squares += sum.to_scalar::<f64>()?;
    }
    let length: f64 = squares.sqrt();
    Ok(if length > most { most / length } else { 1.0 })
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;
    use crate::graph::{DataFacts, Facts, Graph, Inputs, Multiplier, Node, PortRef};
    use crate::layers::make;
    use crate::net::NetConfig;

    /// Two inputs, one output, a bias of twice the rate and no decay, a frozen twin.
    fn net() -> Net {
        let mut graph = Graph::default();
        graph.add(Node::new("data", make("Data").unwrap()));
        for name in ["ip", "frozen"] {
            let mut ip = Node::new(name, make("InnerProduct").unwrap());
            ip.inputs = Inputs(vec![Some(PortRef::new("data", 0))]);
            let bias = Multiplier {
                lr: 2.0,
                decay: 0.0,
            };
            ip.multipliers.insert("bias".to_owned(), bias);
            if name == "frozen" {
                let still = Multiplier {
                    lr: 0.0,
                    decay: 1.0,
                };
                ip.multipliers = ["weight", "bias"].map(|key| (key.to_owned(), still)).into();
            }
            graph.add(ip);
        }
        let facts = Facts {
            data: Some(DataFacts::classified(vec![1, 1, 2], 2)),
            ..Facts::default()
        };
        let config = NetConfig {
            dtype: DType::F64,
            ..NetConfig::default()
        };
        Net::compile(&graph, &facts, config).unwrap()
    }

    fn value(net: &Net, key: &str) -> f64 {
        let values = net.params()[key].tensor.flatten_all().unwrap();
        values.to_vec1::<f64>().unwrap()[0]
    }

    /// Caffe's `SGDSolver` on one number: history ← μ history + η m (∇ + λ d w), w ← w − history.
    #[test]
    fn three_steps_follow_caffe_with_multipliers() {
        let mut net = net();
        let solver = Solver {
            momentum: 0.9,
            weight_decay: 0.01,
            ..Solver::default()
        };
        let mut momentum = Momentum::new();
        let (mut w, mut b) = (value(&net, "ip.weight"), value(&net, "ip.bias"));
        let (mut history_w, mut history_b) = (0.0, 0.0);
        let frozen = value(&net, "frozen.weight");
        for (rate, gradient) in [(0.1, 0.5), (0.05, -2.0), (0.2, 0.25)] {
            let gradients = net.params().iter().map(|(key, param)| {
                let ones = param.tensor.ones_like().unwrap();
                (key.clone(), ones.affine(gradient, 0.0).unwrap())
            });
            let gradients: BTreeMap<String, Tensor> = gradients.collect();
            let before = net.params()["ip.weight"].tensor.copy().unwrap();
            update(&mut net, &gradients, &mut momentum, &solver, (rate, 1)).unwrap();
            let kept = before.flatten_all().unwrap().to_vec1::<f64>().unwrap()[0];
            assert_eq!(kept, w, "a copy keeps its values");
            history_w = 0.9 * history_w + rate * (gradient + 0.01 * w);
            w -= history_w;
            history_b = 0.9 * history_b + rate * 2.0 * gradient;
            b -= history_b;
            assert!((value(&net, "ip.weight") - w).abs() < 1e-14);
            assert!((value(&net, "ip.bias") - b).abs() < 1e-14);
        }
        assert_eq!(value(&net, "frozen.weight"), frozen);
        assert_eq!(
            momentum.keys().collect::<Vec<_>>(),
            ["ip.bias", "ip.weight"]
        );
    }

    #[test]
    fn a_gradient_without_its_parameter_is_an_error() {
        let gradient = Tensor::zeros(1, DType::F64, &Device::Cpu).unwrap();
        let gradients = BTreeMap::from([("gone.weight".to_owned(), gradient)]);
        let failed = update(
            &mut net(),
            &gradients,
            &mut Momentum::new(),
            &Solver::default(),
            (0.1, 1),
        );
        assert!(failed.unwrap_err().to_string().contains("gone.weight"));
    }
}
