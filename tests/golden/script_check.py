#!/usr/bin/env python3
"""Compares exported PyTorch scripts with Layerlab itself. Run by hand; not a part of the tests.

    cargo build --release && python tests/golden/script_check.py [NAME …]

For every project in projects/, and for every layer of the catalogue in a project of its own:
exports the script, gives its network random weights, writes these by their keys, and compares
what the script answers with `layerlab infer`, relative to the largest answer. Needs torch and
numpy.
"""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
import torch

ROOT = Path(__file__).resolve().parents[2]
LAYERLAB = Path(os.environ.get("LAYERLAB", ROOT / "target" / "release" / "layerlab"))
MOST = 1e-4

# A layer, and the shapes of one example of what it reads. Every layer of the catalogue that
# computes something from tensors is here, with every branch of its counterpart in PyTorch.
CASES = [
    ("Convolution(num_output: 6, kernel: (3, 5), stride: (2, 1), pad: (1, 2), dilation: (2, 1), group: 2)", [(4, 11, 13)]),
    ("Convolution(num_output: 3, kernel: (1, 1), bias: false)", [(4, 5, 5)]),
    ("Deconvolution(num_output: 4, kernel: (4, 4), stride: (2, 2), pad: (1, 1), group: 4, bias: false, weight_filler: bilinear)", [(4, 7, 9)]),
    ("Deconvolution(num_output: 6, kernel: (3, 2), stride: (3, 1), pad: (0, 1), dilation: (1, 2), group: 2)", [(4, 5, 6)]),
    ("Upsample(scale: 3)", [(2, 4, 5)]),
    ("Upsample(size: (7, 0))", [(2, 4, 5)]),
    ("Upsample(mode: bilinear, scale: 2)", [(2, 4, 5)]),
    ("Upsample(mode: bilinear)", [(2, 9, 8), (2, 5, 7)]),
    ("Upsample()", [(2, 9, 8), (2, 5, 7)]),
    ("Upsample(mode: bilinear, size: (9, 3), align_corners: true)", [(2, 4, 5)]),
    ("Pooling(method: max, kernel: (3, 3), stride: (2, 2))", [(3, 8, 11)]),
    ("Pooling(method: max, kernel: (3, 3), stride: (2, 2), pad: (1, 1))", [(3, 8, 11)]),
    ("Pooling(method: max, kernel: (3, 2), stride: (3, 3), pad: (2, 1))", [(3, 7, 11)]),
    ("Pooling(method: average, kernel: (3, 3), stride: (2, 2), pad: (1, 1))", [(3, 8, 11)]),
    ("Pooling(method: average, kernel: (3, 3), stride: (3, 2), pad: (2, 2))", [(3, 8, 11)]),
    ("Pooling(method: average, kernel: (3, 3), stride: (2, 2), ceil: false)", [(3, 8, 11)]),
    ("Pooling(method: average, kernel: (2, 2), stride: (3, 3))", [(3, 8, 10)]),
    ("Pooling(method: average, global: true)", [(3, 8, 11)]),
    ("Pooling(method: max, global: true)", [(3, 8, 11)]),
    ("SpatialPyramidPool(pyramid_height: 3)", [(3, 9, 13)]),
    ("SpatialPyramidPool(pyramid_height: 3, pool: average)", [(3, 9, 12)]),
    ("InnerProduct(num_output: 7)", [(3, 4, 5)]),
    ("InnerProduct(num_output: 7, axis: 2, bias: false)", [(6, 5)]),
    ("Embed(num_output: 4, input_dim: 9)", [(6,)]),
    ("Embed(num_output: 4, input_dim: 9, bias: true)", [(6,)]),
    ("RNN(num_output: 5)", [(6, 4)]),
    ("LSTM(num_output: 5, num_layers: 2)", [(6, 4)]),
    ("LSTM(num_output: 5, output: last)", [(1, 6, 4)]),
    ("GRU(num_output: 5, num_layers: 2, output: last)", [(6, 4)]),
    ("ReLU()", [(3, 4)]),
    ("ReLU(negative_slope: 0.1)", [(3, 4)]),
    ("Sigmoid()", [(3, 4)]),
    ("TanH()", [(3, 4)]),
    ("PReLU()", [(3, 4, 4)]),
    ("PReLU(channel_shared: true)", [(3, 4, 4)]),
    ("ELU(alpha: 0.7)", [(3, 4)]),
    ("Maxout(pieces: 3)", [(6, 4, 4)]),
    ("AbsVal()", [(3, 4)]),
    ("Power(power: 2.0, scale: 0.5, shift: -1.0)", [(3, 4)]),
    ("Power(scale: -0.5, shift: 2.0)", [(3, 4)]),
    ("Exp()", [(3, 4)]),
    ("Exp(base: 2.0, scale: 0.5, shift: 1.0)", [(3, 4)]),
    ("Log(scale: 0.1, shift: 3.0)", [(3, 4)]),
    ("Log(base: 10.0, shift: 9.0)", [(3, 4)]),
    ("BNLL()", [(3, 4)]),
    ("Threshold(threshold: 0.3)", [(3, 4)]),
    ("Softmax()", [(5, 3, 3)]),
    ("Softmax(axis: -1)", [(5, 3, 3)]),
    ("LRN(local_size: 5, alpha: 0.3, beta: 0.75, k: 2.0)", [(8, 3, 3)]),
    ("LRN(local_size: 3, alpha: 0.3, beta: 0.6, norm_region: within_channel)", [(3, 6, 7)]),
    ("BatchNorm(eps: 0.001)", [(3, 4, 4)]),
    ("BatchNorm(use_global_stats: false)", [(3, 4, 4)]),
    ("Scale(bias_term: true)", [(3, 4, 4)]),
    ("Scale(axis: -2, num_axes: 2)", [(3, 4, 5)]),
    ("Scale(axis: 0)", [(3, 4), (3, 4)]),
    ("Bias()", [(3, 4, 4)]),
    ("Bias(num_axes: -1)", [(3, 4, 4)]),
    ("FusedBatchNorm(eps: 0.01)", [(3, 4, 4)]),
    ("FusedBatchNorm()", [(5,)]),
    ("MVN()", [(3, 4, 4)]),
    ("MVN(across_channels: true, normalize_variance: false)", [(3, 4, 4)]),
    ("Dropout()", [(3, 4)]),
    ("Flatten()", [(3, 4, 5)]),
    ("Flatten(axis: 2, end_axis: -2)", [(3, 4, 5)]),
    ("Reshape(shape: [0, 5, -1])", [(3, 4, 5)]),
    ("Reshape(shape: [2, -1], axis: 1, num_axes: 2)", [(3, 4, 5)]),
    ("Reshape(shape: [1], axis: -1, num_axes: 0)", [(3, 4)]),
    ("Concat()", [(3, 4), (3, 4)]),
    ("Concat(axis: -1)", [(3, 4), (3, 4), (3, 4)]),
    ("Slice(slice_point: [1, 3])", [(5, 4)]),
    ("Slice(parts: 2, axis: 2)", [(5, 4)]),
    ("Tile(axis: 2, tiles: 3)", [(3, 4)]),
    ("Crop(offset: [1, 2])", [(3, 8, 9), (3, 4, 5)]),
    ("Crop(centred: true, axis: -2)", [(3, 8, 9), (3, 4, 5)]),
    ("Eltwise()", [(3, 4), (3, 4)]),
    ("Eltwise(coeff: [1, -0.5])", [(3, 4), (3, 4)]),
    ("Eltwise(operation: prod)", [(3, 4), (3, 4)]),
    ("Eltwise(operation: max)", [(3, 4), (3, 4), (3, 4)]),
    ("Reduction(axis: 1, coeff: 0.5)", [(3, 4)]),
    ("Reduction(operation: asum, axis: -1)", [(3, 4)]),
    ("Reduction(operation: sumsq)", [(3, 4)]),
    ("Reduction(operation: mean, axis: 2)", [(3, 4)]),
    ("ArgMax(top_k: 2)", [(3, 4)]),
    ("ArgMax(top_k: 2, out_max_val: true)", [(3, 4, 2)]),
    ("ArgMax(axis: 1)", [(3, 4, 4)]),
    ("ArgMax(axis: 1, out_max_val: true)", [(3, 4, 4)]),
]


def single(layer, shapes):
    """A project of one layer. Every input begins as one tensor; a Slice of it, or a factor of
    its own, makes the others different."""
    nodes, reads = [], []
    first = shapes[0]
    dims = ", ".join(map(str, first))
    nodes.append(f'(name: "x", layer: Input(shape: [{dims}]))')
    for index, shape in enumerate(shapes):
        name = "x"
        if index > 0:
            name = f"other{index}"
            nodes.append(f'(name: "{name}", layer: Power(scale: {1.5 - index}, shift: 0.25), inputs: ["x"])')
        for axis, (have, want) in enumerate(zip(first, shape), 1):
            if want < have:
                nodes.append(f'(name: "{name}_{axis}", layer: Slice(axis: {axis}, slice_point: [{want}]), inputs: ["{name}"])')
                name = f"{name}_{axis}"
        reads.append(f'"{name}"')
    nodes.append(f'(name: "block/pool", layer: {layer}, inputs: [{", ".join(reads)}])')
    body = ",\n    ".join(nodes)
    return f'(version: 1, title: "one layer", data: (source: "digits", split: (test: 10)), stages: [()], graph: (nodes: [\n    {body}\n]))\n'


def call(*arguments):
    done = subprocess.run([LAYERLAB, *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, arguments))}: {done.stderr}")
    return done.stdout


def module(path):
    spec = importlib.util.spec_from_file_location("script", path)
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def write_safetensors(path, tensors):
    header, chunks, place = {}, [], 0
    for name, tensor in tensors.items():
        data = tensor.detach().contiguous().float().numpy().tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [place, place + len(data)]}
        chunks.append(data)
        place += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(chunks))


def randomise(net):
    """Weights that keep the scale of what passes, and running moments unlike those at first."""
    for name, tensor in net.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        with torch.no_grad():
            if tensor.dim() > 1:
                tensor.normal_(0, (2 / tensor[0].numel()) ** 0.5)
            elif name.endswith(("running_var", "scale_factor")):
                tensor.uniform_(0.5, 1.5)
            elif name.endswith("weight"):
                tensor.uniform_(0.5, 1.0)
            else:
                tensor.uniform_(-0.2, 0.2)


def check(project, folder):
    script = folder / "script.py"
    weights = folder / "script.safetensors"
    call("convert", project, script)
    found = module(script)
    net = found.Net()
    randomise(net)
    state = {k: v for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
    write_safetensors(weights, state)
    nodes = json.loads(call("check", project, "--json"))["nodes"]
    source = next(node for node in nodes if node["type"] in ("Data", "Input"))
    shape = source["out"][0][1:]
    tokens = any(node["type"] == "Embed" for node in nodes)
    size = (2, *shape)
    x = torch.randint(0, 9, size).float() if tokens else torch.randn(size)
    numpy.save(folder / "x.npy", x.numpy())
    call("infer", project, "--weights", weights, "--input", folder / "x.npy", "--out", folder / "y.json")
    expected = json.loads((folder / "y.json").read_text())
    found.main(folder / "x.npy", folder / "z.npz")
    net = found.load()
    with torch.no_grad():
        outputs = net(*[x] * (net.forward.__code__.co_argcount - 1))
    outputs = outputs if isinstance(outputs, dict) else {next(iter(expected)): outputs}
    assert set(outputs) == set(expected), (set(outputs), set(expected))
    worst = 0.0
    for name, y in outputs.items():
        ours = torch.tensor(expected[name], dtype=torch.float32)
        assert ours.shape == y.shape, (name, ours.shape, y.shape)
        worst = max(worst, ((ours - y).abs().max() / ours.abs().max().clamp(min=1e-12)).item())
    return worst


def main(wanted):
    torch.manual_seed(1)
    failed = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        todo = [(path.stem, path) for path in sorted((ROOT / "projects").glob("*.ron"))]
        for index, (layer, shapes) in enumerate(CASES):
            path = folder / f"case{index}.ron"
            path.write_text(single(layer, shapes))
            todo.append((layer, path))
        for title, path in todo:
            if wanted and not any(word in title for word in wanted):
                continue
            try:
                worst = check(path, folder)
            except (SystemExit, Exception) as error:
                worst, title = float("nan"), f"{title}: {error}"
            print(f"{worst:8.1e}  {title}", flush=True)
            if not worst <= MOST:
                failed.append(title)
    if failed:
        raise SystemExit(f"{len(failed)} of {len(todo)} differ: {failed}")
    print(f"all {len(todo)} agree within {MOST}")


if __name__ == "__main__":
    main(sys.argv[1:])
