"""LeNet's training step in PyTorch and here, in turn, so that both meet the same machine.

    cargo build --release && python benches/pytorch.py [batch] [threads]

Each round times PyTorch and then runs `layerlab bench`; the medians of the rounds are printed.
"""

import json
import pathlib
import statistics
import subprocess
import sys
import time

import torch
import torch.nn as nn

ROOT = pathlib.Path(__file__).parent.parent
BATCH = int(sys.argv[1]) if len(sys.argv) > 1 else 128
THREADS = int(sys.argv[2]) if len(sys.argv) > 2 else torch.get_num_threads()
ROUNDS, WARM_UP, STEPS = 7, 3, 20

torch.set_num_threads(THREADS)
net = nn.Sequential(
    nn.Conv2d(1, 20, 5), nn.MaxPool2d(2, ceil_mode=True),
    nn.Conv2d(20, 50, 5), nn.MaxPool2d(2, ceil_mode=True),
    nn.Flatten(), nn.Linear(800, 500), nn.ReLU(), nn.Linear(500, 10),
)
solver = torch.optim.SGD(net.parameters(), lr=0.001, momentum=0.9, weight_decay=5e-4)
images, labels = torch.rand(BATCH, 1, 28, 28), torch.arange(BATCH) % 10


def step():
    solver.zero_grad()
    nn.functional.cross_entropy(net(images), labels).backward()
    solver.step()


def pytorch_ms():
    times = []
    for i in range(WARM_UP + STEPS):
        start = time.perf_counter()
        step()
        if i >= WARM_UP:
            times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


def layerlab_ms():
    command = [
        ROOT / "target/release/layerlab", "bench", ROOT / "projects/lenet-digits.ron",
        "--batch", str(BATCH), "--threads", str(THREADS), "--iterations", str(STEPS), "--json",
    ]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(run.stdout)["step_ms"]


rounds = [(pytorch_ms(), layerlab_ms()) for _ in range(ROUNDS)]
for pytorch, layerlab in rounds:
    print(f"PyTorch {pytorch:7.2f} ms   layerlab {layerlab:7.2f} ms   ratio {layerlab / pytorch:.2f}")
ratio = statistics.median(layerlab / pytorch for pytorch, layerlab in rounds)
print(f"batch {BATCH}, {THREADS} threads, PyTorch {torch.__version__}: median ratio {ratio:.2f}")
