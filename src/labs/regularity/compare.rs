//! The same network with and without, from the same weights on the same batches: three hidden
//! layers of a hundred sigmoids on digits, as in section 4.1 of Ioffe and Szegedy, “Batch
//! Normalization” (2015).

use std::path::PathBuf;

use crate::data::{Batches, DataConfig, Split};
use crate::graph::{Filler, Graph, Layer, Phases, PortRef, Size};
use crate::i18n::{tr, tr_format};
use crate::labs::Settings;
use crate::labs::contest::{Contest, Entry};
use crate::labs::trial::chain;
use crate::labs::variants::{with_batch_norm, with_dropout};
use crate::layers::{Accuracy, InnerProduct, Sigmoid, SoftmaxWithLoss};
use crate::train::{Priority, Solver, Stage};

pub struct Race {
    pub contest: Contest,
}

/// A multilayer perceptron that classifies, with the accuracy of its answers.
pub fn perceptron(hidden: &[usize], make: impl Fn() -> Box<dyn Layer>) -> Graph {
    let mut layers: Vec<(String, Box<dyn Layer>)> = Vec::new();
    let full = |size: Size| -> Box<dyn Layer> {
        Box::new(InnerProduct {
            num_output: size,
            weight_filler: Filler::Xavier,
            ..InnerProduct::default()
        })
    };
    for (place, size) in hidden.iter().enumerate() {
        layers.push((format!("hidden{}", place + 1), full(Size::Count(*size))));
        layers.push((format!("unit{}", place + 1), make()));
    }
    layers.push(("output".into(), full(Size::Classes)));
    layers.push(("loss".into(), Box::new(SoftmaxWithLoss::default())));
    let mut graph = chain(layers);
    let mut accuracy = crate::graph::Node::new("accuracy", Box::new(Accuracy::default()));
    accuracy.inputs.0 = vec![
        Some(PortRef::new("output", 0)),
        Some(PortRef::new("data", 1)),
    ];
    accuracy.phases = Phases::Test;
    graph.add(accuracy);
    graph
}

/// Digits, some of them held back to measure on.
pub fn digits() -> DataConfig {
    DataConfig {
        split: Split {
            validation: 500,
            test: 1000,
            seed: 0,
        },
        batch: Batches {
            train: 60,
            test: 250,
        },
        ..DataConfig::default()
    }
}

/// The places of the runs without normalisation and dropout, and of those with normalisation.
pub const PLAIN: [usize; 2] = [0, 3];
pub const NORMALISED: [usize; 2] = [1, 2];

/// The fewest steps that one of these runs took to the accuracy; infinite while none has it.
pub fn fewest(contest: &Contest, places: [usize; 2], goal: f64) -> f64 {
    let runs = places.iter().filter_map(|place| contest.runs.get(*place));
    runs.filter_map(|run| run.reached(goal))
        .fold(f64::INFINITY, f64::min)
}

impl Race {
    /// How many times as many steps the best plain run took as the best normalised one.
    pub fn ratio(&self, goal: f64) -> f64 {
        fewest(&self.contest, PLAIN, goal) / fewest(&self.contest, NORMALISED, goal)
    }

    pub fn start(
        settings: &Settings,
        priority: Priority,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let plain = perceptron(&[100, 100, 100], || Box::new(Sigmoid::default()));
        let rate = settings.number("rate");
        let entry = |name: String, graph: Graph, rate: f64| Entry {
            name,
            graph,
            data: digits(),
            stage: Stage {
                iterations: settings.count("iterations") as u64,
                evaluate_every: 10,
                solver: Solver {
                    base_lr: rate,
                    momentum: 0.0,
                    weight_decay: 0.0,
                    ..Solver::default()
                },
                ..Stage::default()
            },
            seed: settings.count("seed") as u64,
        };
        let five = 5.0 * rate;
        let entries = vec![
            entry(tr("plain", "普通").to_owned(), plain.clone(), rate),
            entry(
                tr("batch normalisation", "批归一化").to_owned(),
                with_batch_norm(plain.clone()),
                rate,
            ),
            entry(
                tr_format!(
                    "batch normalisation, rate {five}",
                    "批归一化，学习率 {five}"
                ),
                with_batch_norm(plain.clone()),
                five,
            ),
            entry(
                tr_format!("plain, rate {five}", "普通，学习率 {five}"),
                plain.clone(),
                five,
            ),
            entry(
                tr("dropout ½", "Dropout ½").to_owned(),
                with_dropout(plain, 0.5),
                rate,
            ),
        ];
        Self {
            contest: Contest::start(entries, PathBuf::new(), priority, wake),
        }
    }
}
