//! The project's solver as a training function in PyTorch.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::text::number;
use crate::train::{Method, Policy, Regularization, Solver, Stage};

/// The function `train` for a stage; `multipliers` are the factors on learning rate and decay of
/// each parameter that has some, by key.
pub(super) fn text(stage: &Stage, multipliers: &BTreeMap<String, (f64, f64)>) -> String {
    let solver = &stage.solver;
    let mut text =
        String::from("# (factor of the learning rate, of the weight decay) by parameter.\n");
    text += "MULTIPLIERS = {\n";
    for (key, (rate, decay)) in multipliers {
        let key = super::text::literal(key);
        _ = writeln!(text, "    {key}: ({}, {}),", number(*rate), number(*decay));
    }
    text += "}\n\n\n";
    if multipliers.is_empty() {
        text.clear();
    }
    text += "def train(net, batches, iterations=";
    _ = writeln!(text, "{}):", stage.iterations);
    text += "    \"\"\"Trains on (data, label) or (data, label, target) pairs, as from a DataLoader.\"\"\"\n";
    text += &groups(solver, multipliers.is_empty());
    if matches!(solver.method, Method::Sgd | Method::Nesterov) && solver.policy != Policy::Fixed {
        text += "    # As in Caffe, the project keeps the learning rate in its momentum; PyTorch does not: where the\n    # rate changes, the two differ a little for some iterations.\n";
    }
    _ = writeln!(text, "    optimizer = {}", optimizer(solver));
    _ = writeln!(text, "    policy = {}", policy(solver));
    text += "    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, policy)\n";
    text += "    net.train()\n    iteration = 0\n    while iteration < iterations:\n";
    text += "        for batch in batches:\n";
    text += "            loss = net.loss(*batch)\n";
    text += "            optimizer.zero_grad()\n            loss.backward()\n";
    if solver.regularization == Regularization::L1 && solver.weight_decay > 0.0 {
        text += "            for group in optimizer.param_groups:\n";
        text += "                for weight in group[\"params\"]:\n";
        text += "                    if weight.grad is not None:\n";
        text += "                        weight.grad.add_(weight.detach().sign(), alpha=group[\"l1\"])\n";
    }
    if solver.clip_gradients > 0.0 {
        let most = number(solver.clip_gradients);
        _ = writeln!(
            text,
            "            nn.utils.clip_grad_norm_(net.parameters(), {most})"
        );
    }
    text +=
        "            optimizer.step()\n            schedule.step()\n            iteration += 1\n";
    text += "            if iteration % 100 == 0 or iteration == iterations:\n";
    text += "                print(iteration, loss.item())\n";
    text += "            if iteration == iterations:\n                return\n";
    text
}

/// The parameters with their learning rates and decays.
fn groups(solver: &Solver, uniform: bool) -> String {
    let (rate, decay) = (number(solver.base_lr), number(solver.weight_decay));
    let is_l1 = solver.regularization == Regularization::L1 && solver.weight_decay > 0.0;
    let key = if is_l1 { "l1" } else { "weight_decay" };
    let mut text = String::new();
    if solver.iter_size != 1 {
        text += "    # The project averages the gradients of several batches for one step; this does not.\n";
    }
    match uniform {
        true => {
            _ = writeln!(
                text,
                "    groups = [{{\"params\": list(net.parameters()), \"lr\": {rate}, \"{key}\": {decay}}}]"
            );
        }
        false => {
            text += "    groups = []\n    for name, weight in net.named_parameters():\n";
            text += "        rate, decay = MULTIPLIERS.get(name, (1.0, 1.0))\n";
            _ = writeln!(
                text,
                "        groups.append({{\"params\": [weight], \"lr\": {rate} * rate, \"{key}\": {decay} * decay}})"
            );
        }
    }
    text
}

fn optimizer(solver: &Solver) -> String {
    let (momentum, delta) = (number(solver.momentum), number(solver.delta));
    match solver.method {
        Method::Sgd | Method::SgdPyTorch => {
            format!("torch.optim.SGD(groups, momentum={momentum})")
        }
        // PyTorch wants a momentum above 0 here.
        Method::Nesterov => match solver.momentum > 0.0 {
            true => format!("torch.optim.SGD(groups, momentum={momentum}, nesterov=True)"),
            false => "torch.optim.SGD(groups)".to_owned(),
        },
        Method::AdaGrad => format!("torch.optim.Adagrad(groups, eps={delta})"),
        Method::AdaDelta => format!("torch.optim.Adadelta(groups, rho={momentum}, eps={delta})"),
        Method::RmsProp => {
            let alpha = number(solver.rms_decay);
            format!("torch.optim.RMSprop(groups, alpha={alpha}, eps={delta})")
        }
        Method::Adam => {
            let second = number(solver.momentum2);
            format!("torch.optim.Adam(groups, betas=({momentum}, {second}), eps={delta})")
        }
    }
}

/// The learning rate's factor at iteration t.
fn policy(solver: &Solver) -> String {
    // A sign before a power would be applied after it.
    let number = |value: f64| match value < 0.0 {
        true => format!("({})", number(value)),
        false => number(value),
    };
    let factor = match &solver.policy {
        Policy::Fixed => "1.0".to_owned(),
        Policy::Step { gamma, stepsize } => {
            format!("{} ** (t // {})", number(*gamma), (*stepsize).max(1))
        }
        Policy::Multistep { gamma, stepvalues } => {
            let steps: Vec<String> = stepvalues.iter().map(u64::to_string).collect();
            format!(
                "{} ** sum(step <= t for step in [{}])",
                number(*gamma),
                steps.join(", ")
            )
        }
        Policy::Exp { gamma } => format!("{} ** t", number(*gamma)),
        Policy::Inv { gamma, power } => {
            format!("(1 + {} * t) ** -{}", number(*gamma), number(*power))
        }
        Policy::Poly { power } => {
            format!("(1 - min(t / iterations, 1)) ** {}", number(*power))
        }
        Policy::Sigmoid { gamma, stepsize } => {
            format!("1 / (1 + math.exp(-{} * (t - {stepsize})))", number(*gamma))
        }
        Policy::Cosine => "(1 + math.cos(math.pi * min(t / iterations, 1))) / 2".to_owned(),
    };
    match solver.warmup {
        0 => format!("lambda t: {factor}"),
        warmup => format!("lambda t: min((t + 1) / {warmup}, 1) * {factor}"),
    }
}
