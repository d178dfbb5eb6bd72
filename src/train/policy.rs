//! How the learning rate follows the iteration: a pure function of it.

use serde::{Deserialize, Serialize};

/// How the learning rate follows the iteration; names and formulas as in Caffe's
/// `SGDSolver::GetLearningRate`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Policy {
    /// η₀
    #[default]
    Fixed,
    /// η₀ γ^⌊t / step⌋
    Step { gamma: f64, stepsize: u64 },
    /// η₀ γ^(number of steps passed)
    Multistep { gamma: f64, stepvalues: Vec<u64> },
    /// η₀ γ^t
    Exp { gamma: f64 },
    /// η₀ (1 + γ t)^−power
    Inv { gamma: f64, power: f64 },
    /// η₀ (1 − t / max_iter)^power
    Poly { power: f64 },
    /// η₀ / (1 + e^(−γ (t − step)))
    Sigmoid { gamma: f64, stepsize: u64 },
    /// η₀ (1 + cos(π t / max_iter)) / 2 (Loshchilov and Hutter 2017, without restarts)
    Cosine,
}

impl Policy {
    /// One of each, with usual numbers.
    pub fn all() -> [Self; 8] {
        [
            Self::Fixed,
            Self::Step {
                gamma: 0.1,
                stepsize: 500,
            },
            Self::Multistep {
                gamma: 0.1,
                stepvalues: vec![500, 800],
            },
            Self::Exp { gamma: 0.999 },
            Self::Inv {
                gamma: 0.0001,
                power: 0.75,
            },
            Self::Poly { power: 1.0 },
            Self::Sigmoid {
                gamma: -0.01,
                stepsize: 500,
            },
            Self::Cosine,
        ]
    }

    /// Caffe's `lr_policy`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Step { .. } => "step",
            Self::Multistep { .. } => "multistep",
            Self::Exp { .. } => "exp",
            Self::Inv { .. } => "inv",
            Self::Poly { .. } => "poly",
            Self::Sigmoid { .. } => "sigmoid",
            Self::Cosine => "cosine",
        }
    }

    pub fn formula(&self) -> &'static str {
        match self {
            Self::Fixed => "η = η₀",
            Self::Step { .. } => "η = η₀ · γ^⌊t / stepsize⌋",
            Self::Multistep { .. } => "η = η₀ · γ^#{stepvalues ≤ t}",
            Self::Exp { .. } => "η = η₀ · γ^t",
            Self::Inv { .. } => "η = η₀ · (1 + γ t)^−power",
            Self::Poly { .. } => "η = η₀ · (1 − t / T)^power,  0 ≤ t ≤ T",
            Self::Sigmoid { .. } => "η = η₀ / (1 + e^(−γ (t − stepsize)))",
            Self::Cosine => "η = η₀ · (1 + cos(π t / T)) / 2,  0 ≤ t ≤ T",
        }
    }

    /// The learning rate at iteration `t` (from 0) of a stage of `max_iter` iterations.
    pub fn rate(&self, base_lr: f64, t: u64, max_iter: u64) -> f64 {
        let time = t as f64;
        base_lr
            * match self {
                Self::Fixed => 1.0,
                Self::Step { gamma, stepsize } => gamma.powf((t / (*stepsize).max(1)) as f64),
                Self::Multistep { gamma, stepvalues } => {
                    gamma.powf(stepvalues.iter().filter(|step| **step <= t).count() as f64)
                }
                Self::Exp { gamma } => gamma.powf(time),
                Self::Inv { gamma, power } => (1.0 + gamma * time).powf(-power),
                Self::Poly { power } => {
                    (1.0 - (time / max_iter.max(1) as f64).min(1.0)).powf(*power)
                }
                Self::Sigmoid { gamma, stepsize } => {
                    1.0 / (1.0 + (-gamma * (time - *stepsize as f64)).exp())
                }
                Self::Cosine => {
                    let part = (time / max_iter.max(1) as f64).min(1.0);
                    (1.0 + (std::f64::consts::PI * part).cos()) / 2.0
                }
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hand numbers of Caffe's formulas: η₀, t, max_iter, expected.
    #[test]
    fn policies_follow_caffe() {
        let step = Policy::Step {
            gamma: 0.1,
            stepsize: 100,
        };
        let multistep = Policy::Multistep {
            gamma: 0.5,
            stepvalues: vec![10, 20, 30],
        };
        let exp = Policy::Exp { gamma: 0.5 };
        // LeNet's own solver file: 0.01 (1 + 0.0001 · 10000)^−0.75.
        let inv = Policy::Inv {
            gamma: 0.0001,
            power: 0.75,
        };
        let poly = Policy::Poly { power: 2.0 };
        let sigmoid = Policy::Sigmoid {
            gamma: -0.5,
            stepsize: 10,
        };
        let cases = [
            (&Policy::Fixed, 0.01, 12_345, 1.0, 0.01),
            (&step, 0.2, 0, 1e3, 0.2),
            (&step, 0.2, 99, 1e3, 0.2),
            (&step, 0.2, 100, 1e3, 0.02),
            (&step, 0.2, 250, 1e3, 0.002),
            (&multistep, 0.8, 9, 1e3, 0.8),
            (&multistep, 0.8, 10, 1e3, 0.4),
            (&multistep, 0.8, 29, 1e3, 0.2),
            (&multistep, 0.8, 500, 1e3, 0.1),
            (&exp, 1.0, 3, 1e3, 0.125),
            (&inv, 0.01, 10_000, 1e4, 0.005_946_035_575_013_605),
            (&poly, 0.4, 0, 1e2, 0.4),
            (&poly, 0.4, 50, 1e2, 0.1),
            (&poly, 0.4, 100, 1e2, 0.0),
            (&sigmoid, 1.0, 10, 1e2, 0.5),
            (&sigmoid, 1.0, 14, 1e2, 0.119_202_922_022_117_56),
        ];
        for (policy, base_lr, t, max_iter, expected) in cases {
            let rate = policy.rate(base_lr, t, max_iter as u64);
            let error = (rate - expected).abs();
            assert!(error <= 1e-15, "{policy:?} at {t}: {rate}, not {expected}");
        }
    }

    #[test]
    fn no_policy_fails_on_extreme_numbers() {
        for policy in Policy::all() {
            for t in [0, 1, u64::MAX] {
                for max_iter in [0, 1, u64::MAX] {
                    assert!(!policy.rate(0.1, t, max_iter).is_nan(), "{policy:?} at {t}");
                }
            }
        }
    }
}
