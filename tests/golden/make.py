"""Writes the numbers that tests/golden.rs compares with: PyTorch's results in double precision.

    pip install torch && python tests/golden/make.py

`cases.json` lists the cases with their parameters; `cases.safetensors` holds their tensors,
named `<case>.<tensor>`. The test needs neither Python nor PyTorch, only these two files.
"""

import json
import pathlib
import struct

import torch
import torch.nn.functional as F

torch.manual_seed(20240601)
torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)

cases, tensors = [], {}


def leaf(*shape):
    return torch.randn(*shape).requires_grad_()


def add(op, parameters=None, **named):
    """One case; its tensors are kept under its name."""
    name = f"{op}_{len(cases)}"
    cases.append({"name": name, "op": op, **(parameters or {})})
    for key, tensor in named.items():
        tensors[f"{name}.{key}"] = tensor.detach().clone().contiguous()


def gradients(y, *inputs):
    """A random gradient for `y`, and from it those of `inputs`."""
    dy = torch.randn_like(y)
    return dy, torch.autograd.grad(y, inputs, dy)


def convolution(x, w, stride=(1, 1), pad=(0, 0), dilation=(1, 1), groups=1):
    x, w, b = leaf(*x), leaf(*w), leaf(w[0])
    y = F.conv2d(x, w, b, stride, pad, dilation, groups)
    dy, (dx, dw, db) = gradients(y, x, w, b)
    settings = {"stride": stride, "pad": pad, "dilation": dilation, "groups": groups}
    add("conv2d", settings, x=x, w=w, b=b, y=y, dy=dy, dx=dx, dw=dw, db=db)


def pooling(x, kernel, stride, pad=(0, 0), ceil=True):
    settings = {"kernel": kernel, "stride": stride, "pad": pad, "ceil": ceil}
    x = leaf(*x)
    y, indices = F.max_pool2d(x, kernel, stride, pad, ceil_mode=ceil, return_indices=True)
    dy, (dx,) = gradients(y, x)
    add("max_pool2d", settings, x=x, y=y, indices=indices.to(torch.uint32), dy=dy, dx=dx)
    y = F.avg_pool2d(x, kernel, stride, pad, ceil_mode=ceil, count_include_pad=True)
    dy, (dx,) = gradients(y, x)
    add("avg_pool2d", settings, x=x, y=y, dy=dy, dx=dx)


def pointwise(op, function, *shape, **parameters):
    x = leaf(*shape)
    y = function(x)
    dy, (dx,) = gradients(y, x)
    add(op, parameters, x=x, y=y, dy=dy, dx=dx)


def losses(*shape):
    x = (torch.randn(*shape) * 4).requires_grad_()
    labels = torch.randint(shape[1], (shape[0], *shape[2:]))
    loss = F.cross_entropy(x, labels)
    (dx,) = torch.autograd.grad(loss, x)
    add("softmax_cross_entropy", x=x, labels=labels.to(torch.uint32), loss=loss, dx=dx)
    a, b = leaf(*shape), leaf(*shape)
    loss = F.mse_loss(a, b, reduction="sum") / (2 * shape[0])
    da, db = torch.autograd.grad(loss, (a, b))
    add("euclidean_loss", a=a, b=b, loss=loss, da=da, db=db)


def ten_steps():
    """A small LeNet, ten steps of SGD; at a constant rate PyTorch's momentum equals Caffe's."""
    shapes = {
        "conv1.weight": (6, 1, 3, 3), "conv1.bias": (6,),
        "conv2.weight": (8, 3, 3, 3), "conv2.bias": (8,),
        "ip1.weight": (20, 72), "ip1.bias": (20,),
        "ip2.weight": (5, 20), "ip2.bias": (5,),
    }
    params = {key: (torch.randn(*shape) * 0.3).requires_grad_() for key, shape in shapes.items()}
    x, labels = torch.randn(8, 1, 12, 12), torch.randint(5, (8,))
    start = {f"start.{key}": value.detach().clone() for key, value in params.items()}
    settings = {"rate": 0.05, "momentum": 0.9, "decay": 5e-4}
    solver = torch.optim.SGD(params.values(), lr=0.05, momentum=0.9, weight_decay=5e-4)
    history = []
    for _ in range(10):
        p = params
        h = F.conv2d(x, p["conv1.weight"], p["conv1.bias"])
        h = F.max_pool2d(h, 3, 2, ceil_mode=True)
        h = F.conv2d(h, p["conv2.weight"], p["conv2.bias"], padding=1, groups=2)
        h = F.avg_pool2d(h, 2, 2, ceil_mode=True)
        h = F.relu(F.linear(h.flatten(1), p["ip1.weight"], p["ip1.bias"]))
        loss = F.cross_entropy(F.linear(h, p["ip2.weight"], p["ip2.bias"]), labels)
        history.append(loss.item())
        solver.zero_grad()
        loss.backward()
        solver.step()
    end = {f"end.{key}": value for key, value in params.items()}
    add("ten_steps", settings, x=x, labels=labels.to(torch.uint32), losses=torch.tensor(history), **start, **end)


def save(folder):
    """Writes safetensors by hand: a header of JSON, then the numbers."""
    kinds = {torch.float64: "F64", torch.uint32: "U32"}
    header, blob = {}, b""
    for name, tensor in tensors.items():
        data = tensor.numpy().tobytes()
        span = [len(blob), len(blob) + len(data)]
        header[name] = {"dtype": kinds[tensor.dtype], "shape": list(tensor.shape), "data_offsets": span}
        blob += data
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (folder / "cases.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + blob)
    lines = ",\n".join("  " + json.dumps(case) for case in cases)
    (folder / "cases.json").write_text(f"[\n{lines}\n]\n")
    print(f"{len(cases)} cases, {len(tensors)} tensors, {len(blob) // 1024} KiB, PyTorch {torch.__version__}")


convolution((2, 3, 7, 6), (4, 3, 3, 3))
convolution((2, 3, 8, 7), (4, 3, 3, 3), stride=(2, 2), pad=(1, 1))
convolution((1, 2, 9, 5), (3, 2, 1, 4), stride=(3, 1), pad=(0, 2))
convolution((2, 4, 9, 8), (6, 2, 3, 2), stride=(1, 2), pad=(2, 1), dilation=(2, 3), groups=2)
convolution((2, 4, 5, 5), (4, 1, 3, 3), pad=(1, 1), groups=4)
convolution((3, 5, 1, 1), (2, 5, 1, 1))
convolution((1, 1, 2, 3), (2, 1, 5, 5), pad=(3, 2))
for ceil in (True, False):
    pooling((2, 3, 7, 6), (2, 2), (2, 2), ceil=ceil)
    pooling((2, 2, 8, 9), (3, 3), (2, 2), ceil=ceil)
    pooling((1, 2, 6, 7), (3, 2), (2, 3), pad=(1, 1), ceil=ceil)
    pooling((1, 2, 5, 9), (4, 3), (1, 4), pad=(2, 1), ceil=ceil)
x, w, b = leaf(5, 7), leaf(4, 7), leaf(4)
y = F.linear(x, w, b)
dy, (dx, dw, db) = gradients(y, x, w, b)
add("linear", x=x, w=w, b=b, y=y, dy=dy, dx=dx, dw=dw, db=db)
pointwise("relu", F.relu, 3, 4, 2, 2, negative_slope=0.0)
pointwise("relu", lambda x: F.leaky_relu(x, 0.1), 3, 4, 2, 2, negative_slope=0.1)
pointwise("sigmoid", torch.sigmoid, 3, 9)
pointwise("tanh", torch.tanh, 3, 9)
pointwise("softmax", lambda x: F.softmax(x, 1), 4, 6)
pointwise("softmax", lambda x: F.softmax(x, 1), 2, 5, 3, 2)
losses(6, 10)
losses(2, 4, 3, 5)
ten_steps()
save(pathlib.Path(__file__).parent)
