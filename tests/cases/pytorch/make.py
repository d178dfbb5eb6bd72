"""Small files of PyTorch's for the tests of the reader. Run by hand: python make.py

Every file holds the same tensors; expected.json has their numbers. bomb.pth and code.pth are not
to be read: 20 MB of zeros in 20 KB, and a pickle that would write a file.
"""

import collections
import io
import json
import os
import pathlib
import zipfile

import torch

HERE = pathlib.Path(__file__).parent


def tensors():
    base = torch.arange(24, dtype=torch.float32).reshape(4, 6) / 8 - 1
    state = collections.OrderedDict()
    state["whole"] = base
    state["transposed"] = base.t()
    state["strided"] = base[1:, ::2]
    state["column"] = base[:, 5]
    state["expanded"] = base[2, 3:4].expand(3)
    state["parameter"] = torch.nn.Parameter(base[:2] * 3)
    state["scalar"] = torch.tensor(2.5)
    state["empty"] = torch.zeros(0, 3)
    state["images"] = torch.arange(16.0).reshape(1, 2, 2, 4).to(memory_format=torch.channels_last)
    for name in ["float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool"]:
        numbers = torch.tensor([0, 1, 2, 100])
        state[name] = numbers.to(getattr(torch, name))
    state["bn.num_batches_tracked"] = torch.tensor(7)
    return state


def main():
    os.chdir(HERE)
    state = tensors()
    expected = {key: [list(value.shape), value.detach().double().flatten().tolist()]
                for key, value in state.items()}
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in expected.items()]
    pathlib.Path("expected.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
    state._metadata = {"": {"version": 1}}
    torch.save(state, "zip.pth")
    torch.save(state, "older.pth", _use_new_zipfile_serialization=False)
    for protocol in [3, 4, 5]:
        torch.save(state, f"protocol{protocol}.pth", pickle_protocol=protocol)
    parallel = {"module." + key: value for key, value in state.items()}
    wrapped = {
        "epoch": 3, "best": 0.75, "arch": "tiny", "done": False, "none": None, "ids": [1, (2, 3)],
        "state_dict": parallel, "big": 1 << 80, "size": torch.Size([2, 3]),
        "optimizer": {"state": {0: {"momentum_buffer": torch.ones(2)}}, "param_groups": [{"lr": 0.1}]},
    }
    loop = [1]
    loop.append(loop)
    wrapped["loop"] = loop
    torch.save(wrapped, "wrapped.pth")
    packed("zip.pth", "deflated.pth")

    torch.save({"zeros": torch.zeros(5 << 20)}, "bomb.pth")
    packed("bomb.pth", "bomb.pth")

    class Code:
        def __reduce__(self):
            return os.system, ("touch executed",)

    torch.save({"weight": torch.ones(2), "code": Code()}, "code.pth")


def packed(source, target):
    """The same archive, compressed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            if "data/" in name or name.endswith(("data.pkl", "byteorder")):
                new.writestr(zipfile.ZipInfo(name), old.read(name), zipfile.ZIP_DEFLATED)
    pathlib.Path(target).write_bytes(buffer.getvalue())


main()
