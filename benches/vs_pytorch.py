"""Training steps in PyTorch and here, in turn, so that both meet the same machine.

    cargo build --release && python benches/vs_pytorch.py [THREADS [NET ...]]

A net is written once, as a list of layers, and becomes a `torch.nn.Module` and a prototxt. Each
round times PyTorch and then runs `layerlab bench`; the medians of the rounds are printed.
"""

import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import torch
import torch.nn as nn

ROOT = pathlib.Path(__file__).parent.parent
THREADS = int(sys.argv[1]) if len(sys.argv) > 1 else torch.get_num_threads()
ROUNDS = 3


class Residual(nn.Module):
    def __init__(self, body, shortcut):
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x):
        return torch.relu(self.body(x) + self.shortcut(x))


class Writer:
    """Layers one after the other, as modules and as text."""

    def __init__(self, channels, side):
        self.channels, self.side, self.top, self.count = channels, side, "data", 0
        self.text = ""

    def layer(self, kind, bottoms=None, fields="", in_place=False):
        self.count += 1
        bottoms = bottoms or [self.top]
        top = bottoms[0] if in_place else f"n{self.count}"
        wires = " ".join(f"bottom: '{b}'" for b in bottoms)
        self.text += f"layer {{ name: 'n{self.count}' type: '{kind}' {wires} top: '{top}' {fields} }}\n"
        self.top = top

    def conv(self, out, kernel, stride=1, pad=0, bias=True):
        self.layer("Convolution", fields=f"convolution_param {{ num_output: {out} kernel_size: {kernel} "
                   f"stride: {stride} pad: {pad} bias_term: {str(bias).lower()} weight_filler {{ type: 'msra' }} }}")
        module = nn.Conv2d(self.channels, out, kernel, stride, pad, bias=bias)
        self.channels, self.side = out, (self.side + 2 * pad - kernel) // stride + 1
        return module

    def relu(self):
        self.layer("ReLU", in_place=True)
        return nn.ReLU()

    def norm(self):
        self.layer("FusedBatchNorm")
        return nn.BatchNorm2d(self.channels)

    def pool(self, kernel, stride):
        self.layer("Pooling", fields=f"pooling_param {{ kernel_size: {kernel} stride: {stride} round_mode: FLOOR }}")
        self.side = (self.side - kernel) // stride + 1
        return nn.MaxPool2d(kernel, stride)

    def dense(self, out):
        flat = [nn.Flatten()] if self.side else []
        inputs = self.channels * max(self.side, 1) ** 2
        self.layer("InnerProduct", fields=f"inner_product_param {{ num_output: {out} weight_filler {{ type: 'msra' }} }}")
        self.channels, self.side = out, 0
        return nn.Sequential(*flat, nn.Linear(inputs, out))

    def dropout(self):
        self.layer("Dropout", in_place=True)
        return nn.Dropout()

    def global_pool(self):
        self.layer("Pooling", fields="pooling_param { pool: AVE global_pooling: true }")
        self.side = 1
        return nn.AdaptiveAvgPool2d(1)

    def residual(self, out, stride):
        bottom, channels, side = self.top, self.channels, self.side
        body = nn.Sequential(self.conv(out, 3, stride, 1, False), self.norm(), self.relu(),
                             self.conv(out, 3, 1, 1, False), self.norm())
        ends, shortcut = [self.top, bottom], nn.Identity()
        if stride != 1 or channels != out:
            self.top, self.channels, self.side = bottom, channels, side
            shortcut = nn.Sequential(self.conv(out, 1, stride, 0, False), self.norm())
            ends = [ends[0], self.top]
        self.layer("Eltwise", ends)
        self.layer("ReLU", in_place=True)
        return Residual(body, shortcut)


def lenet(w):
    return [w.conv(20, 5), w.pool(2, 2), w.conv(50, 5), w.pool(2, 2), w.dense(500), w.relu(), w.dense(10)]


def alexnet(w):
    return [w.conv(64, 11, 4, 2), w.relu(), w.pool(3, 2), w.conv(192, 5, 1, 2), w.relu(),
            w.conv(384, 3, 1, 1), w.relu(), w.conv(256, 3, 1, 1), w.relu(), w.conv(256, 3, 1, 1), w.relu(),
            w.pool(3, 2), w.dense(4096), w.relu(), w.dropout(), w.dense(4096), w.relu(), w.dropout(), w.dense(10)]


def vgg16(w):
    layers = []
    for channels, repeats in [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)]:
        for _ in range(repeats):
            layers += [w.conv(channels, 3, 1, 1), w.relu()]
        layers += [w.pool(2, 2)]
    return layers + [w.dense(4096), w.relu(), w.dropout(), w.dense(4096), w.relu(), w.dropout(), w.dense(10)]


def resnet18(w):
    layers = [w.conv(64, 3, 1, 1, False), w.norm(), w.relu()]
    for channels, stride in [(64, 1), (128, 2), (256, 2), (512, 2)]:
        layers += [w.residual(channels, stride), w.residual(channels, 1)]
    return layers + [w.global_pool(), w.dense(10)]


# Name: layers, channels, side, batch, steps of a round.
NETS = {
    "lenet-28": (lenet, 1, 28, 128, 20),
    "alexnet-64": (alexnet, 3, 64, 64, 5),
    "resnet18-32": (resnet18, 3, 32, 32, 4),
    "vgg16-224": (vgg16, 3, 224, 2, 3),
}


def pytorch_ms(net, images, labels, steps):
    solver = torch.optim.SGD(net.parameters(), lr=0.0001, momentum=0.9, weight_decay=5e-4)
    times = []
    for index in range(steps + 2):
        start = time.perf_counter()
        solver.zero_grad()
        nn.functional.cross_entropy(net(images), labels).backward()
        solver.step()
        if index >= 2:
            times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


def layerlab_ms(prototxt, batch, steps):
    command = [ROOT / "target/release/layerlab", "bench", prototxt, "--data", "fashion",
               "--batch", str(batch), "--threads", str(THREADS), "--iterations", str(steps), "--json"]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(run.stdout)["step_ms"]


torch.set_num_threads(THREADS)
print(f"{'net':<14}{'batch':>6}{'PyTorch ms':>12}{'Layerlab ms':>13}{'ratio':>8}")
for name in sys.argv[2:] or NETS:
    build, channels, side, batch, steps = NETS[name]
    writer = Writer(channels, side)
    net = nn.Sequential(*build(writer))
    color = "Rgb" if channels == 3 else "Keep"
    data = f"(source:\\\"fashion\\\",preprocess:(color:{color},resize:Some(({side},{side}))))"
    head = (f"name: '{name}'\n# layerlab: data: \"{data}\"\n"
            "layer { name: 'data' type: 'Data' top: 'data' top: 'label' }\n")
    tail = f"layer {{ name: 'loss' type: 'SoftmaxWithLoss' bottom: '{writer.top}' bottom: 'label' top: 'loss' }}\n"
    images, labels = torch.rand(batch, channels, side, side), torch.arange(batch) % 10
    with tempfile.TemporaryDirectory() as folder:
        prototxt = pathlib.Path(folder) / f"{name}.prototxt"
        prototxt.write_text(head + writer.text + tail)
        rounds = [(pytorch_ms(net, images, labels, steps), layerlab_ms(prototxt, batch, steps))
                  for _ in range(ROUNDS)]
    theirs, ours = (statistics.median(column) for column in zip(*rounds))
    print(f"{name:<14}{batch:>6}{theirs:>12.1f}{ours:>13.1f}{ours / theirs:>8.2f}")
