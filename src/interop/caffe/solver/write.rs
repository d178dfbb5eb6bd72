//! A stage as a solver's definition.

use super::*;
use crate::i18n::{tr, tr_format};

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
    let kept = super::super::parse(&stage.caffe).unwrap_or_default();
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
