//! Caffe's solver definitions (`SolverParameter` in caffe.proto) as training stages, both ways.

mod write;

pub use write::export_solver;

use super::prototxt::{Entry, Message, Value};
use super::writer::Exported;
use super::{Note, not_used, wrong_value};
use crate::train::{Method, Policy, Regularization, Solver, Stage};

/// What a solver's definition says.
#[derive(Debug)]
pub struct SolverFile {
    pub stage: Stage,
    /// The network's file, as written.
    pub net: Option<String>,
    pub seed: Option<u64>,
    pub notes: Vec<Note>,
}

/// Names the fields that were written for Caffe's sake and are no settings of the stage.
const MADE: &str = "made";

/// Caffe's names of the methods.
const METHODS: [(Method, &str); 7] = [
    (Method::Sgd, "SGD"),
    (Method::SgdPyTorch, "SGDPyTorch"),
    (Method::Nesterov, "Nesterov"),
    (Method::AdaGrad, "AdaGrad"),
    (Method::AdaDelta, "AdaDelta"),
    (Method::RmsProp, "RMSProp"),
    (Method::Adam, "Adam"),
];

/// Numbers of the policies, which Caffe keeps side by side.
#[derive(Default)]
struct Numbers {
    gamma: f64,
    power: f64,
    stepsize: u64,
    stepvalues: Vec<u64>,
}

/// Reads a solver; what is absent has Caffe's defaults.
pub fn import_solver(message: &Message) -> SolverFile {
    let mut notes = Vec::new();
    let mut file = SolverFile {
        stage: Stage {
            evaluate_every: 0,
            solver: Solver {
                momentum: 0.0,
                weight_decay: 0.0,
                ..Solver::default()
            },
            ..Stage::default()
        },
        net: None,
        seed: None,
        notes: Vec::new(),
    };
    let mut numbers = Numbers::default();
    let mut kept = Message::default();
    let made = message.text(MADE).unwrap_or_default();
    for entry in &message.0 {
        match read(entry, &mut file, &mut numbers) {
            Read::Done => {}
            Read::NotUsed if made.split(' ').any(|name| name == entry.name) => {}
            Read::NotUsed => {
                notes.push(not_used(entry, ""));
                kept.0.push(entry.clone());
            }
            Read::Wrong => notes.push(wrong_value(entry)),
        }
    }
    file.stage.caffe = kept.to_string();
    if let Some(entry) = message.get("lr_policy") {
        match policy(entry.word().unwrap_or_default(), numbers) {
            Some(policy) => file.stage.solver.policy = policy,
            None => notes.push(wrong_value(entry)),
        }
    }
    file.notes = notes;
    file
}

enum Read {
    Done,
    NotUsed,
    Wrong,
}

fn read(entry: &Entry, file: &mut SolverFile, numbers: &mut Numbers) -> Read {
    fn put<T>(place: &mut T, value: Option<T>) -> Read {
        match value {
            Some(value) => {
                *place = value;
                Read::Done
            }
            None => Read::Wrong,
        }
    }
    let whole = || {
        entry
            .integer()
            .and_then(|number| u64::try_from(number).ok())
    };
    let (stage, real) = (&mut file.stage, entry.real());
    let solver = &mut stage.solver;
    match entry.name.as_str() {
        "net" | "train_net" => put(
            &mut file.net,
            entry.word().map(|word| Some(word.to_owned())),
        ),
        "max_iter" => put(&mut stage.iterations, whole()),
        "test_interval" => put(&mut stage.evaluate_every, whole()),
        "random_seed" => put(&mut file.seed, whole().map(Some)),
        "base_lr" => put(&mut solver.base_lr, real),
        "momentum" => put(&mut solver.momentum, real),
        "momentum2" => put(&mut solver.momentum2, real),
        "rms_decay" => put(&mut solver.rms_decay, real),
        "delta" => put(&mut solver.delta, real),
        "weight_decay" => put(&mut solver.weight_decay, real),
        // Negative, Caffe's default, is off.
        "clip_gradients" => put(&mut solver.clip_gradients, real.map(|most| most.max(0.0))),
        "iter_size" => put(
            &mut solver.iter_size,
            entry.count().filter(|size| *size > 0 || entry.own),
        ),
        "regularization_type" => put(&mut solver.regularization, regularization(entry)),
        "type" | "solver_type" => put(&mut solver.method, method(entry)),
        "gamma" => put(&mut numbers.gamma, real),
        "power" => put(&mut numbers.power, real),
        "stepsize" => put(&mut numbers.stepsize, whole()),
        "stepvalue" => match whole() {
            Some(value) => {
                numbers.stepvalues.push(value);
                Read::Done
            }
            None => Read::Wrong,
        },
        "lr_policy" => Read::Done,
        _ if entry.own => own(entry, stage),
        _ => Read::NotUsed,
    }
}

/// What Layerlab alone has.
fn own(entry: &Entry, stage: &mut Stage) -> Read {
    let word = entry.word().unwrap_or_default();
    match entry.name.as_str() {
        "name" => stage.name = word.to_owned(),
        "trained" => stage.trained.push(word.to_owned()),
        "losses" => stage.losses.push(word.to_owned()),
        "warmup" => match word.parse() {
            Ok(warmup) => stage.solver.warmup = warmup,
            Err(_) => return Read::Wrong,
        },
        _ => {}
    }
    Read::Done
}

fn regularization(entry: &Entry) -> Option<Regularization> {
    match entry.word()? {
        "L1" => Some(Regularization::L1),
        "L2" => Some(Regularization::L2),
        _ => None,
    }
}

fn method(entry: &Entry) -> Option<Method> {
    let word = entry.word()?;
    let named = METHODS
        .iter()
        .find(|(_, name)| name.eq_ignore_ascii_case(word));
    named.map(|(method, _)| *method)
}

fn policy(name: &str, numbers: Numbers) -> Option<Policy> {
    let Numbers {
        gamma,
        power,
        stepsize,
        stepvalues,
    } = numbers;
    Some(match name {
        "fixed" => Policy::Fixed,
        "step" => Policy::Step { gamma, stepsize },
        "multistep" => Policy::Multistep { gamma, stepvalues },
        "exp" => Policy::Exp { gamma },
        "inv" => Policy::Inv { gamma, power },
        "poly" => Policy::Poly { power },
        "sigmoid" => Policy::Sigmoid { gamma, stepsize },
        "cosine" => Policy::Cosine,
        _ => return None,
    })
}
