"""What the scripts here share: cases of whole layers, and the files that hold them.

A script calls `layer(...)` for each case and `save("NAME")` at its end, which writes
`layers/NAME.json` and `layers/NAME.safetensors` beside it; `tests/golden_layers.rs` reads every
such pair. The test needs neither Python nor PyTorch.
"""

import json
import pathlib
import struct

import torch

torch.manual_seed(20240601)
torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)

cases, tensors = [], {}


def leaf(*shape, scale=1.0, shift=0.0):
    """A random input or parameter whose gradient is compared."""
    return (torch.randn(*shape) * scale + shift).requires_grad_()


def labels(classes, *shape):
    return torch.randint(classes, shape)


def layer(text, function, inputs, params=(), phase="train", buffers=None, reference="PyTorch"):
    """One case: `text` is the layer as in a project file, and `function(*inputs, *params)` what
    it must compute, one tensor or a tuple. Inputs of whole numbers are labels. Gradients of
    everything that requires them are compared too, from random gradients at the outputs (1 for
    a loss). `buffers` maps the index of a parameter to the value that a pass leaves in it.
    `reference` says whose numbers these are where PyTorch has no such layer."""
    name = f"{text.split('(')[0]}_{len(cases)}"
    values = [*inputs, *params]
    outputs = function(*values)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    case = {"name": name, "layer": text, "phase": phase, "inputs": len(inputs),
            "params": len(params), "outputs": len(outputs), "reference": reference}
    case["buffers"] = sorted(buffers or {})
    cases.append(case)

    def keep(key, tensor):
        if tensor.dtype == torch.int64:
            tensor = tensor.to(torch.uint32)
        tensors[f"{name}.{key}"] = tensor.detach().clone().contiguous()

    for kind, group in (("input", inputs), ("param", params), ("output", outputs)):
        for index, tensor in enumerate(group):
            keep(f"{kind}{index}", tensor)
    for index, tensor in (buffers or {}).items():
        keep(f"buffer{index}", tensor)
    smooth = [y for y in outputs if y.requires_grad]
    leaves = [v for v in values if v.requires_grad]
    if not smooth or not leaves:
        return
    arriving = []
    for index, y in enumerate(outputs):
        if y.requires_grad:
            dy = torch.ones_like(y) if y.dim() == 0 else torch.randn_like(y)
            arriving.append(dy)
            keep(f"d_output{index}", dy)
    found = iter(torch.autograd.grad(smooth, leaves, arriving, allow_unused=True))
    for kind, group in (("input", inputs), ("param", params)):
        for index, value in enumerate(group):
            if value.requires_grad:
                gradient = next(found)
                keep(f"d_{kind}{index}", torch.zeros_like(value) if gradient is None else gradient)


def write_safetensors(path, tensors):
    """A header of JSON, then the numbers."""
    kinds = {torch.float64: "F64", torch.float32: "F32", torch.uint32: "U32"}
    header, blob = {}, b""
    for name, tensor in tensors.items():
        data = tensor.numpy().tobytes()
        span = [len(blob), len(blob) + len(data)]
        header[name] = {"dtype": kinds[tensor.dtype], "shape": list(tensor.shape), "data_offsets": span}
        blob += data
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + blob)
    return len(blob)


def save(name):
    folder = pathlib.Path(__file__).parent / "layers"
    folder.mkdir(exist_ok=True)
    size = write_safetensors(folder / f"{name}.safetensors", tensors)
    lines = ",\n".join("  " + json.dumps(case) for case in cases)
    (folder / f"{name}.json").write_text(f"[\n{lines}\n]\n")
    print(f"{name}: {len(cases)} cases, {size // 1024} KiB, PyTorch {torch.__version__}")
