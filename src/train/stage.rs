//! What a training stage says: how long, with which solver, at which learning rate.
//!
//! Plain data and pure functions; nothing here runs anything.

use serde::{Deserialize, Serialize};

use super::Policy;
use crate::choice;
use crate::i18n::{Text, tr_format};
use crate::nn::Rule;

/// One training run in a project's list of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Stage {
    pub name: String,
    pub iterations: u64,
    pub solver: Solver,
    /// Iterations between two evaluations on the validation split; 0 evaluates at the end only.
    pub evaluate_every: u64,
    /// The nodes or groups (`conv1`, `features`) whose parameters are trained; empty is all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trained: Vec<String>,
    /// The losses that count; empty is all of the training phase.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub losses: Vec<String>,
    /// What Caffe's solver says and nothing here means, as prototxt.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub caffe: String,
}

impl Default for Stage {
    fn default() -> Self {
        Self {
            name: "train".to_owned(),
            iterations: 1000,
            solver: Solver::default(),
            evaluate_every: 100,
            trained: Vec::new(),
            losses: Vec::new(),
            caffe: String::new(),
        }
    }
}

choice! {
    /// The rule by which gradients become steps; Caffe's solver types, and PyTorch's momentum.
    Method {
        Sgd = "sgd" "SGD" "SGD",
        SgdPyTorch = "sgd_pytorch" "SGD, PyTorch's momentum" "SGD（PyTorch 式动量）",
        Nesterov = "nesterov" "Nesterov" "Nesterov",
        AdaGrad = "adagrad" "AdaGrad" "AdaGrad",
        AdaDelta = "adadelta" "AdaDelta" "AdaDelta",
        RmsProp = "rmsprop" "RMSProp" "RMSProp",
        Adam = "adam" "Adam" "Adam",
    }
}

choice! {
    /// What weight decay adds to the gradient: λ w or λ sign(w).
    Regularization {
        L2 = "L2" "L2" "L2",
        L1 = "L1" "L1" "L1",
    }
}

/// How the weights follow the gradient. The names are those of Caffe's `SolverParameter`; each
/// number serves the methods that its comment names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Solver {
    pub method: Method,
    /// η at the start; the policy changes it from there.
    pub base_lr: f64,
    pub policy: Policy,
    /// Iterations over which η grows linearly from 0 to what the policy says.
    pub warmup: u64,
    /// μ of SGD and Nesterov, β₁ of Adam, ρ of AdaDelta.
    pub momentum: f64,
    /// β₂ of Adam.
    pub momentum2: f64,
    /// The share of the past in RMSProp's mean of squares.
    pub rms_decay: f64,
    /// ε that keeps AdaGrad, AdaDelta, RMSProp and Adam from dividing by 0.
    pub delta: f64,
    /// λ
    pub weight_decay: f64,
    pub regularization: Regularization,
    /// The largest length of all gradients together; longer ones are scaled down to it.
    /// 0 does not clip.
    pub clip_gradients: f64,
    /// Batches whose gradients are averaged for one step; 0 takes as many as the training split
    /// has, which is batch gradient descent.
    pub iter_size: usize,
}

impl Default for Solver {
    fn default() -> Self {
        Self {
            method: Method::Sgd,
            base_lr: 0.01,
            policy: Policy::Fixed,
            warmup: 0,
            momentum: 0.9,
            momentum2: 0.999,
            rms_decay: 0.99,
            delta: 1e-8,
            weight_decay: 0.0005,
            regularization: Regularization::L2,
            clip_gradients: 0.0,
            iter_size: 1,
        }
    }
}

impl Solver {
    /// The learning rate at iteration `t` (from 0) of a stage of `max_iter` iterations.
    pub fn rate(&self, base_lr: f64, t: u64, max_iter: u64) -> f64 {
        let rate = self.policy.rate(base_lr, t, max_iter);
        match self.warmup {
            0 => rate,
            warmup => rate * ((t as f64 + 1.0) / warmup as f64).min(1.0),
        }
    }

    /// Batches of one step, when `per_epoch` of them hold the training split.
    pub fn batches(&self, per_epoch: u64) -> u64 {
        match self.iter_size {
            0 => per_epoch,
            size => size as u64,
        }
    }

    /// The nodes' rule of a step; `step` counts from 1.
    pub fn rule(&self, step: u64) -> Rule {
        let (momentum, delta) = (self.momentum, self.delta);
        match self.method {
            Method::Sgd => Rule::Sgd { momentum },
            Method::SgdPyTorch => Rule::SgdPyTorch { momentum },
            Method::Nesterov => Rule::Nesterov { momentum },
            Method::AdaGrad => Rule::AdaGrad { delta },
            Method::AdaDelta => Rule::AdaDelta { momentum, delta },
            Method::RmsProp => Rule::RmsProp {
                decay: self.rms_decay,
                delta,
            },
            Method::Adam => Rule::Adam {
                momentum,
                momentum2: self.momentum2,
                delta,
                step,
            },
        }
    }
}

impl Method {
    /// The step, in the symbols of the form; g is the gradient with its decay.
    pub fn formula(self) -> &'static str {
        match self {
            Self::Sgd => "v ← μ v − η g,  w ← w + v",
            Self::SgdPyTorch => "v ← μ v + g,  w ← w − η v",
            Self::Nesterov => "v′ ← μ v + η g,  w ← w − (1 + μ) v′ + μ v",
            Self::AdaGrad => "s ← s + g²,  w ← w − η g / (√s + δ)",
            Self::AdaDelta => {
                "s ← ρ s + (1 − ρ) g²,  d = g √(r + δ) / √(s + δ),  r ← ρ r + (1 − ρ) d²,  w ← w − η d"
            }
            Self::RmsProp => "s ← ρ s + (1 − ρ) g²,  w ← w − η g / (√s + δ)",
            Self::Adam => {
                "m ← β₁ m + (1 − β₁) g,  v ← β₂ v + (1 − β₂) g²,  w ← w − η √(1 − β₂^t) / (1 − β₁^t) · m / (√v + δ)"
            }
        }
    }

    pub fn uses_momentum(self) -> bool {
        !matches!(self, Self::AdaGrad | Self::RmsProp)
    }

    pub fn uses_delta(self) -> bool {
        !matches!(self, Self::Sgd | Self::SgdPyTorch | Self::Nesterov)
    }
}

/// Whether a list of nodes and groups means this node: `conv` means `conv` and `conv/1`; with
/// `*` and `?` an entry means whatever it matches, and what is in a group that it matches.
pub fn selects(list: &[String], node: &str) -> bool {
    let groups = node.match_indices('/').map(|(end, _)| &node[..end]);
    let mut names = groups.chain([node]);
    names.any(|name| {
        let means = |entry: &String| entry == name || matches(entry.as_bytes(), name.as_bytes());
        list.iter().any(means)
    })
}

/// Whether a name is like a pattern, where `*` stands for any characters and `?` for one. After a
/// mismatch the last `*` takes one more, so the time is the product of the lengths at worst.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut read) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while read < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, read));
                at += 1;
            }
            Some(wanted) if *wanted == b'?' || *wanted == name[read] => {
                (at, read) = (at + 1, read + 1);
            }
            _ => match &mut star {
                Some((place, taken)) => {
                    *taken += 1;
                    (at, read) = (*place + 1, *taken);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|rest| *rest == b'*')
}

/// What the numbers of a solver mean, for forms and help.
pub const BASE_LR: Text = Text::new(
    "η₀: how far one step goes along the negative gradient",
    "η₀：每一步沿负梯度方向走多远",
);
pub const MOMENTUM: Text = Text::new(
    "μ: how much of the last step is kept; v ← μv − η∇L, w ← w + v",
    "μ：保留上一步更新的比例；v ← μv − η∇L，w ← w + v",
);
pub const WEIGHT_DECAY: Text = Text::new(
    "λ: pulls every weight towards 0 (L2 regularisation): ∇L + λw",
    "λ：把每个权重拉向 0（L2 正则化）：∇L + λw",
);

impl Stage {
    /// The first setting that makes no sense, said to the person who set it.
    pub fn problem(&self) -> Option<String> {
        let solver = &self.solver;
        // 1 keeps the past for ever, which Adam's correction divides by.
        const BELOW_ONE: f64 = 1.0 - f64::EPSILON;
        let most_momentum = match solver.method {
            Method::Adam => BELOW_ONE,
            _ => 1.0,
        };
        let numbers = [
            ("base_lr", solver.base_lr, 0.0, f64::MAX),
            ("momentum", solver.momentum, 0.0, most_momentum),
            ("weight_decay", solver.weight_decay, 0.0, f64::MAX),
            ("momentum2", solver.momentum2, 0.0, BELOW_ONE),
            ("rms_decay", solver.rms_decay, 0.0, 1.0),
            ("delta", solver.delta, 0.0, f64::MAX),
            ("clip_gradients", solver.clip_gradients, 0.0, f64::MAX),
        ];
        let stage = &self.name;
        for (name, value, min, max) in numbers {
            if !(value >= min && value <= max) {
                let range = match max {
                    1.0 => "0 … 1",
                    BELOW_ONE => "0 … < 1",
                    _ => "≥ 0",
                };
                return Some(tr_format!(
                    "stage “{stage}”: {name} is {value}, but must be {range}",
                    "阶段“{stage}”：{name} 为 {value}，但必须 {range}"
                ));
            }
        }
        let last = self.iterations.saturating_sub(1);
        let rates = [0, last / 2, last].map(|t| solver.rate(solver.base_lr, t, self.iterations));
        if rates.iter().any(|rate| !rate.is_finite()) {
            return Some(tr_format!(
                "stage “{stage}”: the policy's numbers give a learning rate that is not finite",
                "阶段“{stage}”：学习率策略的参数得出了非有限的学习率"
            ));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_and_stage_round_trips() {
        for policy in Policy::all() {
            let stage = Stage {
                solver: Solver {
                    policy,
                    ..Solver::default()
                },
                ..Stage::default()
            };
            let text = ron::to_string(&stage).unwrap();
            assert_eq!(ron::from_str::<Stage>(&text).unwrap(), stage, "{text}");
        }
    }

    #[test]
    fn lists_mean_nodes_groups_and_patterns() {
        let check = |entry: &str, node: &str, expected: bool| {
            assert_eq!(
                selects(&[entry.to_owned()], node),
                expected,
                "{entry} {node}"
            );
        };
        check("conv", "conv", true);
        check("conv", "conv/1", true);
        check("conv", "conv1", false);
        check("conv/1", "conv", false);
        check("conv?", "conv1", true);
        check("conv?", "conv12", false);
        check("conv?_x", "conv2_x/0/bn1", true);
        check("*/bn?", "conv2_x/0/bn1", true);
        check("*", "anything/at all", true);
        check("a*b*c", "a-b-b-c", true);
        check("a*b*c", "a-b-b", false);
        check("", "a", false);
        assert!(!selects(&[], "a"));
    }

    type Spoil = fn(&mut Stage);

    #[test]
    fn senseless_settings_are_named() {
        let problem = |spoil: Spoil| {
            let mut stage = Stage::default();
            spoil(&mut stage);
            stage.problem()
        };
        assert_eq!(problem(|_| {}), None);
        let cases: [(&str, Spoil); 4] = [
            ("base_lr", |s| s.solver.base_lr = -1.0),
            ("momentum", |s| s.solver.momentum = 1.5),
            ("weight_decay", |s| s.solver.weight_decay = f64::NAN),
            ("policy", |s| s.solver.policy = Policy::Exp { gamma: 10.0 }),
        ];
        for (named, spoil) in cases {
            let text = problem(spoil).unwrap();
            assert!(text.contains(named), "{text}");
        }
    }
}
