//! Caffe's solver definitions (`SolverParameter` in caffe.proto) as training stages, both ways.

use super::prototxt::{Entry, Message, Value};
use super::writer::Exported;
use super::{Note, not_used, wrong_value};
use crate::i18n::{tr, tr_format};
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

/// Writes a stage as a solver of the network in the file `net`; `tests` are the batches of the
/// test split, if they are known.
pub fn export_solver(stage: &Stage, net: &str, seed: u64, tests: Option<u64>) -> Exported {
    let mut writer = Writer::default();
    let solver = &stage.solver;
    let usual = Solver::default();
    writer.text("net", net);
    let (method, name) = METHODS
        .iter()
        .find(|(method, _)| *method == solver.method)
        .copied()
        .unwrap_or(METHODS[0]);
    match method {
        Method::SgdPyTorch => {
            writer.text("type", "SGD");
            writer.own("type", Value::text(name));
            writer.note(tr(
                "Caffe has no momentum of PyTorch's form; it uses its own",
                "Caffe 没有 PyTorch 式动量；它使用自己的形式",
            ));
        }
        _ => writer.text("type", name),
    }
    writer.number("base_lr", solver.base_lr);
    writer.policy(&solver.policy);
    // Caffe refuses numbers that its method does not use.
    let numbers = [
        ("momentum", solver.momentum, 0.0, method.uses_momentum()),
        (
            "momentum2",
            solver.momentum2,
            usual.momentum2,
            method == Method::Adam,
        ),
        (
            "rms_decay",
            solver.rms_decay,
            usual.rms_decay,
            method == Method::RmsProp,
        ),
        ("delta", solver.delta, usual.delta, method.uses_delta()),
    ];
    for (name, value, absent, is_used) in numbers {
        match is_used {
            true => writer.number(name, value),
            false if value != absent => writer.own(name, Value::word(value)),
            false => {}
        }
    }
    writer.number("weight_decay", solver.weight_decay);
    if solver.regularization == Regularization::L1 {
        writer.text("regularization_type", "L1");
    }
    if solver.clip_gradients > 0.0 {
        writer.number("clip_gradients", solver.clip_gradients);
    }
    if solver.iter_size == 0 {
        writer.own("iter_size", Value::word(0));
        writer.note(tr(
            "a step over the whole training split is Caffe's iter_size with the number of its batches",
            "对整个训练集走一步，相当于 Caffe 中把 iter_size 设为批次数",
        ));
    } else if solver.iter_size > 1 {
        writer.word("iter_size", solver.iter_size);
    }
    if solver.warmup > 0 {
        writer.own("warmup", Value::word(solver.warmup));
        let warmup = solver.warmup;
        writer.note(&tr_format!(
            "Caffe has no warm-up; here it takes {warmup} iterations",
            "Caffe 没有学习率预热；此处为 {warmup} 次迭代"
        ));
    }
    writer.word("max_iter", stage.iterations);
    if stage.evaluate_every > 0 {
        writer.word("test_interval", stage.evaluate_every);
    }
    if seed != 0 {
        writer.word("random_seed", seed);
    }
    if stage.name != Stage::default().name {
        writer.own("name", Value::text(&stage.name));
    }
    for (name, list) in [("trained", &stage.trained), ("losses", &stage.losses)] {
        list.iter()
            .for_each(|entry| writer.own(name, Value::text(entry)));
        if !list.is_empty() {
            writer.note(tr(
                "Caffe trains everything that has a learning rate, by every loss",
                "Caffe 会训练所有学习率非零的参数，并计入全部损失",
            ));
        }
    }
    let kept = super::parse(&stage.caffe).unwrap_or_default();
    let mut made = Vec::new();
    let tests = tests.filter(|_| stage.evaluate_every > 0 && kept.get("test_iter").is_none());
    if let Some(tests) = tests {
        made.push("test_iter");
        writer.word("test_iter", tests);
    }
    if kept.get("solver_mode").is_none() {
        made.push("solver_mode");
        writer.word("solver_mode", "CPU");
    }
    if !made.is_empty() {
        writer.own(MADE, Value::Text(made.join(" ")));
    }
    writer.message.merge(kept);
    Exported {
        text: writer.message.to_string(),
        notes: writer.notes,
    }
}

#[derive(Default)]
struct Writer {
    message: Message,
    notes: Vec<String>,
}

impl Writer {
    fn text(&mut self, name: &str, text: &str) {
        self.message.put(name, Value::text(text));
    }

    fn word(&mut self, name: &str, word: impl ToString) {
        self.message.put(name, Value::word(word));
    }

    fn number(&mut self, name: &str, number: f64) {
        self.word(name, number);
    }

    fn own(&mut self, name: &str, value: Value) {
        self.message.put_own(name, value);
    }

    fn note(&mut self, note: &str) {
        self.notes.push(note.to_owned());
    }

    fn policy(&mut self, policy: &Policy) {
        self.text(
            "lr_policy",
            match policy {
                Policy::Cosine => "fixed",
                other => other.name(),
            },
        );
        let mut real = |name: &str, value: f64| self.message.put(name, Value::word(value));
        match policy {
            Policy::Fixed => {}
            Policy::Step { gamma, stepsize } | Policy::Sigmoid { gamma, stepsize } => {
                real("gamma", *gamma);
                self.word("stepsize", stepsize);
            }
            Policy::Multistep { gamma, stepvalues } => {
                real("gamma", *gamma);
                stepvalues
                    .iter()
                    .for_each(|value| self.word("stepvalue", value));
            }
            Policy::Exp { gamma } => real("gamma", *gamma),
            Policy::Inv { gamma, power } => {
                real("gamma", *gamma);
                real("power", *power);
            }
            Policy::Poly { power } => real("power", *power),
            Policy::Cosine => {
                self.own("lr_policy", Value::text(policy.name()));
                self.note(tr(
                    "Caffe has no cosine policy; it keeps the rate fixed",
                    "Caffe 没有余弦策略；它会保持学习率不变",
                ));
            }
        }
    }
}
