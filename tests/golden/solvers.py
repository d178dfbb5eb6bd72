"""A hundred steps of every solver under every learning-rate policy, and with L1 decay, clipping
and warm-up: PyTorch's optimizers, and Caffe's update rules where the two differ (SGD and Nesterov
fold the rate into what they remember; Adam adds its delta before the correction).

    pip install torch && python tests/golden/solvers.py
"""

import json
import math
import pathlib

import torch

from common import write_safetensors

STEPS = 100
POLICIES = {
    "fixed": ("fixed", lambda t: 1),
    "step": ("step(gamma: 0.5, stepsize: 30)", lambda t: 0.5 ** (t // 30)),
    "multistep": ("multistep(gamma: 0.3, stepvalues: [20, 70])", lambda t: 0.3 ** ((t >= 20) + (t >= 70))),
    "exp": ("exp(gamma: 0.97)", lambda t: 0.97**t),
    "inv": ("inv(gamma: 0.1, power: 0.75)", lambda t: (1 + 0.1 * t) ** -0.75),
    "poly": ("poly(power: 2.0)", lambda t: (1 - t / STEPS) ** 2),
    "sigmoid": ("sigmoid(gamma: -0.1, stepsize: 50)", lambda t: 1 / (1 + math.exp(0.1 * (t - 50)))),
    "cosine": ("cosine", lambda t: (1 + math.cos(math.pi * t / STEPS)) / 2),
}
SETTINGS = {
    "sgd": {"momentum": 0.9},
    "sgd_pytorch": {"momentum": 0.9},
    "nesterov": {"momentum": 0.8},
    "adagrad": {"delta": 1e-8},
    "adadelta": {"momentum": 0.95, "delta": 1e-6},
    "rmsprop": {"rms_decay": 0.98, "delta": 1e-8},
    "adam": {"momentum": 0.9, "momentum2": 0.999, "delta": 1e-8},
}
RATES = {"adadelta": 1.0, "adagrad": 0.1, "rmsprop": 0.01, "adam": 0.02}

generator = torch.Generator().manual_seed(20240601)
x = torch.randn(8, 5, generator=generator)
target = torch.rand(8, 3, generator=generator)
start = [torch.randn(3, 5, generator=generator) * 0.5, torch.zeros(3)]


class Caffe:
    """SGDSolver, NesterovSolver and AdamSolver, as their ComputeUpdateValue says."""

    def __init__(self, method, params, settings):
        self.method, self.params, self.settings = method, params, settings
        self.m = [torch.zeros_like(p) for p in params]
        self.v = [torch.zeros_like(p) for p in params]
        self.t = 0

    def step(self, rate):
        self.t += 1
        momentum = self.settings["momentum"]
        for i, p in enumerate(self.params):
            g = p.grad
            if self.method == "sgd":
                self.m[i] = momentum * self.m[i] + rate * g
                p.data -= self.m[i]
            elif self.method == "nesterov":
                old = self.m[i]
                self.m[i] = momentum * old + rate * g
                p.data -= (1 + momentum) * self.m[i] - momentum * old
            else:
                second = self.settings["momentum2"]
                self.m[i] = momentum * self.m[i] + (1 - momentum) * g
                self.v[i] = second * self.v[i] + (1 - second) * g * g
                correction = math.sqrt(1 - second**self.t) / (1 - momentum**self.t)
                p.data -= rate * correction * self.m[i] / (self.v[i].sqrt() + self.settings["delta"])


class PyTorch:
    def __init__(self, method, params, settings):
        s = settings
        optim = torch.optim
        self.optimizer = {
            "sgd_pytorch": lambda: optim.SGD(params, lr=1, momentum=s["momentum"]),
            "adagrad": lambda: optim.Adagrad(params, lr=1, eps=s["delta"]),
            "adadelta": lambda: optim.Adadelta(params, lr=1, rho=s["momentum"], eps=s["delta"]),
            "rmsprop": lambda: optim.RMSprop(params, lr=1, alpha=s["rms_decay"], eps=s["delta"]),
        }[method]()

    def step(self, rate):
        self.optimizer.param_groups[0]["lr"] = rate
        self.optimizer.step()


def run(name, method, policy, decay=0.01, l1=False, clip=0.0, warmup=0):
    text, factor = POLICIES[policy]
    base, settings = RATES.get(method, 0.2), SETTINGS[method]
    params = [p.clone().requires_grad_() for p in start]
    own = method in ("sgd", "nesterov", "adam")
    solver = (Caffe if own else PyTorch)(method, params, settings)
    losses = []
    for t in range(STEPS):
        y = torch.tanh(x @ params[0].T + params[1])
        loss = ((y - target) ** 2).sum() / (2 * len(x))
        losses.append(loss.item())
        for p, g in zip(params, torch.autograd.grad(loss, params)):
            p.grad = g
        if clip:
            length = math.sqrt(sum((p.grad**2).sum().item() for p in params))
            for p in params:
                p.grad *= min(1, clip / length)
        for p in params:
            p.grad = p.grad + decay * (p.detach().sign() if l1 else p.detach())
        rate = base * factor(t) * (min(1, (t + 1) / warmup) if warmup else 1)
        solver.step(rate)
    numbers = ", ".join(f"{key}: {value}" for key, value in settings.items())
    solver_text = (f"(method: {method}, base_lr: {base}, policy: {text}, {numbers}, weight_decay: {decay}, "
                   f"regularization: {'L1' if l1 else 'L2'}, clip_gradients: {clip}, warmup: {warmup})")
    cases.append({"name": name, "method": method, "policy": policy, "solver": solver_text,
                  "reference": "Caffe" if own else "PyTorch"})
    tensors[f"{name}.losses"] = torch.tensor(losses)
    tensors[f"{name}.weight"] = params[0].detach().clone()
    tensors[f"{name}.bias"] = params[1].detach().clone()


cases, tensors = [], {"x": x, "target": target, "weight": start[0], "bias": start[1]}
for method in SETTINGS:
    for policy in POLICIES:
        run(f"{method}_{policy}", method, policy)
    run(f"{method}_l1", method, "fixed", l1=True)
    run(f"{method}_clip", method, "fixed", clip=0.05)
    run(f"{method}_warmup", method, "cosine", warmup=10)
folder = pathlib.Path(__file__).parent
write_safetensors(folder / "solvers.safetensors", tensors)
(folder / "solvers.json").write_text("[\n" + ",\n".join("  " + json.dumps(case) for case in cases) + "\n]\n")
print(f"{len(cases)} cases, PyTorch {torch.__version__}")
