"""One network of `nets.py` in PyTorch, in a process of its own, so that its peak memory is its own.

    python benches/pytorch_step.py THREADS NET default|channels_last
    python benches/pytorch_step.py THREADS matmul

Prints one JSON object: milliseconds of a forward pass without gradients and of a training step
(medians), peak resident memory in MB (10⁶ bytes) and how much of it the program itself had before
there was a network; or the GFLOP/s of a 2048³ product (the best).
"""

import json
import re
import statistics
import sys
import time

import torch
import torch.nn as nn

from nets import NETS

# As `layerlab bench`.
WARM_UP = 3


def milliseconds(step, times):
    measured = []
    for index in range(times + WARM_UP):
        start = time.perf_counter()
        step()
        if index >= WARM_UP:
            measured.append((time.perf_counter() - start) * 1e3)
    return measured


def peak_mb():
    # Not `getrusage`: its peak may be the parent's, from before this program was loaded.
    with open("/proc/self/status") as status:
        return int(re.search(r"VmHWM:\s*(\d+) kB", status.read())[1]) * 1024 / 1e6


def measure(spec, layout):
    program_mb = peak_mb()
    memory = torch.channels_last if layout == "channels_last" else torch.contiguous_format
    net, _ = spec.build()
    net = net.to(memory_format=memory)
    images = torch.rand(spec.batch, spec.channels, spec.side, spec.side).to(memory_format=memory)
    labels = torch.arange(spec.batch) % 10
    solver = torch.optim.SGD(net.parameters(), lr=1e-6, momentum=0.9, weight_decay=5e-4)

    @torch.inference_mode()
    def forward():
        net(images)

    def step():
        solver.zero_grad()
        nn.functional.cross_entropy(net(images), labels).backward()
        solver.step()

    net.eval()
    forward_ms = statistics.median(milliseconds(forward, spec.steps))
    net.train()
    step_ms = statistics.median(milliseconds(step, spec.steps))
    return {"forward_ms": forward_ms, "step_ms": step_ms, "peak_mb": peak_mb(), "program_mb": program_mb}


def matmul(side=2048, times=20):
    a, b = torch.rand(side, side), torch.rand(side, side)
    return {"gflops": 2 * side**3 / min(milliseconds(lambda: a @ b, times)) / 1e6}


if __name__ == "__main__":
    threads, what = int(sys.argv[1]), sys.argv[2]
    torch.set_num_threads(threads)
    print(json.dumps(matmul() if what == "matmul" else measure(NETS[what], sys.argv[3])))
