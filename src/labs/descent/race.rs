//! Every solver from the same start on the same surface; the rules are those of training.

use candle_core::{Device, Tensor};

use super::SOLVERS;
use super::surface::{EXAMPLES, Surface};
use crate::i18n::Text;
use crate::labs::{LabError, Settings};
use crate::nn::{Step, update};
use crate::train::{Method, Solver};

/// One solver on its way.
pub struct Runner {
    place: usize,
    solver: Solver,
    weights: Tensor,
    states: Vec<Tensor>,
    /// Where it was after each step.
    pub path: Vec<[f64; 2]>,
    /// The step after which it was within 1 % of the start's height.
    pub arrived: Option<u64>,
}

pub struct Race {
    pub surface: Surface,
    pub runners: Vec<Runner>,
    pub steps: u64,
    batch: usize,
    start_value: f64,
}

/// The rate that suits a solver on these surfaces, before the factor.
fn usual_rate(method: Method, momentum: bool) -> f64 {
    match (method, momentum) {
        (Method::AdaGrad, _) => 0.3,
        // More, and it trembles around the minimum of a steep surface.
        (Method::AdaDelta, _) => 1.0,
        (Method::RmsProp, _) => 0.02,
        (Method::Adam, _) => 0.05,
        (_, true) => 0.02,
        (_, false) => 0.05,
    }
}

impl Race {
    pub fn new(settings: &Settings, start: [f64; 2]) -> Result<Self, LabError> {
        let curvatures = ["curvature_x", "curvature_y"].map(|key| settings.number(key));
        let kind = settings.count("surface");
        let surface = Surface::new(kind, curvatures, settings.count("seed") as u64);
        let runner = |(place, (method, momentum, _)): (usize, &(Method, bool, Text))| {
            let solver = Solver {
                method: *method,
                base_lr: usual_rate(*method, *momentum) * settings.number("factor"),
                momentum: match (method, momentum) {
                    (Method::Adam | Method::AdaDelta, _) => 0.9,
                    (_, true) => settings.number("momentum"),
                    _ => 0.0,
                },
                weight_decay: 0.0,
                delta: if *method == Method::AdaDelta {
                    1e-4
                } else {
                    1e-8
                },
                ..Solver::default()
            };
            let weights = Tensor::new(&start, &Device::Cpu)?;
            let states = (0..solver.rule(1).states()).map(|_| weights.zeros_like());
            Ok(Runner {
                place,
                states: states.collect::<Result<_, _>>()?,
                weights: weights.copy()?,
                solver,
                path: vec![start],
                arrived: None,
            })
        };
        let runners = SOLVERS.iter().enumerate().map(runner);
        Ok(Self {
            start_value: surface.value(start),
            runners: runners.collect::<Result<_, LabError>>()?,
            surface,
            steps: 0,
            batch: settings.count("batch"),
        })
    }

    /// One step of each.
    pub fn step(&mut self) -> Result<(), LabError> {
        let first = self.steps as usize * self.batch;
        let examples = || (first..first + self.batch).map(|n| scattered(n % EXAMPLES));
        self.steps += 1;
        for runner in &mut self.runners {
            let at = runner.at();
            if !at.iter().all(|value| value.abs() < 1e6) {
                continue;
            }
            let gradient = self.surface.gradient_of(at, examples());
            let step = Step {
                rule: runner.solver.rule(self.steps),
                rate: runner.solver.base_lr,
                decay: 0.0,
                l1: false,
                scale: 1.0,
            };
            let gradient = Tensor::new(&gradient, &Device::Cpu)?;
            update(&mut runner.weights, &gradient, &mut runner.states, &step)?;
            let now = runner.weights.to_vec1::<f64>()?;
            runner.path.push([now[0], now[1]]);
            let value = self.surface.value([now[0], now[1]]);
            let near = value.abs() <= 0.01 * self.start_value.abs();
            runner.arrived = runner.arrived.or(near.then_some(self.steps));
        }
        Ok(())
    }
}

/// The examples in an order that jumps about, the same each time.
fn scattered(n: usize) -> usize {
    n * 13 % EXAMPLES
}

impl Runner {
    pub fn at(&self) -> [f64; 2] {
        self.path.last().copied().unwrap_or_default()
    }

    pub fn name(&self) -> Text {
        SOLVERS[self.place].2
    }

    pub fn rate(&self) -> f64 {
        self.solver.base_lr
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_descent_is_the_formula_and_momentum_is_caffes() {
        let settings = Settings::of(&super::super::BENCH);
        let mut race = Race::new(&settings, [1.0, 1.0]).unwrap();
        race.step().unwrap();
        race.step().unwrap();
        let plain = &race.runners[0].path;
        assert!((plain[1][0] - (1.0 - 0.05)).abs() < 1e-12);
        assert!((plain[1][1] - (1.0 - 0.5)).abs() < 1e-12);
        let heavy = &race.runners[1].path;
        let first = -0.02;
        let second = 0.9 * first - 0.02 * (1.0 + first);
        assert!((heavy[2][0] - (1.0 + first + second)).abs() < 1e-12);
    }

    #[test]
    fn each_example_is_met_once_in_a_round() {
        let mut met: Vec<usize> = (0..EXAMPLES).map(scattered).collect();
        met.sort_unstable();
        assert_eq!(met, (0..EXAMPLES).collect::<Vec<_>>());
    }
}
