//! The same small network on digits in five states.

use std::path::{Path, PathBuf};

use super::cloud::STATES;
use crate::data::{DataConfig, Feed, Mean, Preprocess, Split, Whiten};
use crate::labs::contest::{Contest, Entry};
use crate::labs::regularity::compare::{digits, perceptron};
use crate::labs::{LabError, Settings};
use crate::layers::Sigmoid;
use crate::train::{Priority, Solver, Stage};

/// Digits are made smaller, so that whitening takes no time.
pub const SIDE: usize = 14;

pub struct Race {
    pub contest: Contest,
}

/// Digits in the state of that place.
pub fn data(state: usize, epsilon: f64) -> DataConfig {
    let byte = 1.0 / 256.0;
    let (scale, mean, whiten) = match state {
        0 => (1.0, Mean::None, Whiten::Off),
        1 => (byte, Mean::None, Whiten::Off),
        2 => (byte, Mean::Image, Whiten::Off),
        3 => (byte, Mean::None, Whiten::Pca { epsilon, keep: 0 }),
        _ => (byte, Mean::None, Whiten::Zca { epsilon }),
    };
    DataConfig {
        split: Split {
            validation: 500,
            test: 5500,
            seed: 0,
        },
        preprocess: Preprocess {
            resize: Some((SIDE, SIDE)),
            scale,
            mean,
            whiten,
            ..Preprocess::default()
        },
        ..digits()
    }
}

impl Race {
    pub fn start(
        settings: &Settings,
        priority: Priority,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let epsilon = settings.number("epsilon");
        let entry = |(state, (_, name)): (usize, &(&str, crate::i18n::Text))| Entry {
            name: name.get().to_owned(),
            graph: perceptron(&[50], || Box::new(Sigmoid::default())),
            data: data(state, epsilon),
            stage: Stage {
                iterations: settings.count("iterations") as u64,
                evaluate_every: 25,
                solver: Solver {
                    base_lr: settings.number("rate"),
                    momentum: 0.0,
                    weight_decay: 0.0,
                    ..Solver::default()
                },
                ..Stage::default()
            },
            seed: settings.count("seed") as u64,
        };
        let entries = STATES.iter().enumerate().map(entry).collect();
        Self {
            contest: Contest::start(entries, PathBuf::new(), priority, wake),
        }
    }
}

/// The condition of the digits' covariance before whitening and after it.
pub fn conditions(epsilon: f64) -> Result<[f64; 2], LabError> {
    let feed = Feed::open(&data(3, epsilon), Path::new(""))?;
    let variances = &feed.statistics().components.variances;
    let (Some(most), Some(least)) = (variances.first(), variances.last()) else {
        return Ok([f64::NAN; 2]);
    };
    let (most, least) = (f64::from(*most), f64::from(*least));
    let white = |variance: f64| variance / (variance + epsilon);
    Ok([most / least, white(most) / white(least)])
}
