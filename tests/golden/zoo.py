"""torchvision's networks against the projects, on random weights. Run by hand, from the repository:

    python tests/golden/zoo.py [--program target/release/layerlab] [--only resnet18,vgg16] [--step]

For each network: weights are drawn (batch normalisation's statistics too) and saved as .pth in the
zip form and in the older one, and as .safetensors; `layerlab infer` loads each and computes the
same input; the outputs and all maps are compared: those of modules by the nodes' keys, the rest (sums,
activations) with whichever operation's result is nearest. Printed is the largest absolute
difference relative to the largest value of the map. --step compares all
weights after one step of SGD on resnet18 in training mode. Needs torch, torchvision, safetensors,
numpy; nothing here runs in the tests.
"""

import argparse
import copy
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy
import torch
import torchvision
from safetensors.torch import load_file, save_file
from torch.utils._python_dispatch import TorchDispatchMode

models = torchvision.models
LIMIT = 1e-4

# Name, constructor, side of the input, parameters as torchvision's documentation has them.
NETWORKS = {
    "alexnet-torchvision": (lambda: models.alexnet(), 224, 61_100_840),
    "vgg16": (lambda: models.vgg16(), 224, 138_357_544),
    "googlenet-torchvision": (
        lambda: models.googlenet(aux_logits=True, transform_input=False, init_weights=False), 224, 13_004_888),
    "resnet18": (lambda: models.resnet18(), 224, 11_689_512),
    "resnet34": (lambda: models.resnet34(), 224, 21_797_672),
    "resnet50": (lambda: models.resnet50(), 224, 25_557_032),
    "resnet101": (lambda: models.resnet101(), 224, 44_549_160),
    "fcn-resnet50": (
        lambda: models.segmentation.fcn_resnet50(weights=None, weights_backbone=None, aux_loss=True), 160, None),
}


def randomised(model):
    """Running statistics and the normalisations' own parameters that are not 0 and 1."""
    generator = torch.Generator().manual_seed(2)

    def uniform(tensor, low, high):
        tensor.copy_(torch.rand(tensor.shape, generator=generator) * (high - low) + low)

    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                uniform(module.running_mean, -0.2, 0.2)
                uniform(module.running_var, 0.5, 1.5)
                uniform(module.weight, 0.5, 1.2)
                uniform(module.bias, -0.1, 0.1)
    return model


def keys_of(project):
    """The prefix of each node's keys; several nodes may have one."""
    nodes = re.findall(r'\(name: "([^"]+)", layer: (\w+)(.*)', project.read_text())
    keys = {}
    for name, _, rest in nodes:
        found = re.search(r' key: "([^"]+)"', rest)
        keys[name] = found.group(1) if found else name.replace("/", ".")
    return keys


def run(program, *arguments):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{arguments}\n{done.stderr}")
    return done.stdout, done.stderr


def relative(found, expected):
    if found.shape != expected.shape:
        sys.exit(f"{found.shape} instead of {expected.shape}")
    return float((found - expected).abs().max() / expected.abs().max().clamp(min=1e-12))


def maps_of(model, x):
    """The output of every module by its key, copied before anything in place changes it."""
    maps = {}

    def keep(key):
        def hook(_, __, y):
            if isinstance(y, torch.Tensor):
                maps[key] = y.clone()
        return hook

    for key, module in model.named_modules():
        if key:
            module.register_forward_hook(keep(key))
    recorder = Recorder()
    with torch.no_grad(), recorder:
        y = model(x)
    return maps, recorder.results, y["out"] if isinstance(y, dict) else y


class Recorder(TorchDispatchMode):
    """The result of every operation: sums and activations that no module has to itself."""

    def __init__(self):
        super().__init__()
        self.results = []

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        result = function(*arguments, **(options or {}))
        first = result[0] if isinstance(result, (tuple, list)) else result
        if isinstance(first, torch.Tensor) and first.dim() in (2, 4):
            self.results.append(first.detach().clone())
        return result


def compare(name, program, folder):
    make, side, params = NETWORKS[name]
    project = pathlib.Path(f"projects/{name}.ron")
    if not project.exists():
        return print(f"{name}: no such project yet")
    torch.manual_seed(1)
    model = randomised(make()).eval()
    x = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(3))
    numpy.save(folder / "x.npy", x.numpy())
    maps, results, y = maps_of(model, x)
    state = model.state_dict()
    files = [folder / "new.pth", folder / "old.pth", folder / "w.safetensors"]
    torch.save(state, files[0])
    torch.save(state, files[1], _use_new_zipfile_serialization=False)
    save_file({key: value.contiguous() for key, value in state.items()}, files[2])
    checked = json.loads(run(program, "check", project, "--json")[0])
    report = json.loads(run(program, "weights", project, files[0], "--json")[0])
    counts = {kind: len(report[kind]) for kind in ["matched", "differing", "missing", "unused"]}
    ours = sum(p.numel() for p in model.parameters())
    print(f"{name}: {checked['params']} parameters ({ours} in torchvision's), {counts}")
    for file in files:
        run(program, "infer", project, "--weights", file, "--input", folder / "x.npy",
            "--out", folder / "y.safetensors")
        outputs = list(load_file(folder / "y.safetensors").values())
        worst = min(relative(found.reshape(y.shape), y) for found in outputs if found.numel() == y.numel())
        print(f"  {file.name:14} outputs: {worst:.1e}", "" if worst <= LIMIT else "TOO MUCH")
    run(program, "infer", project, "--weights", files[0], "--input", folder / "x.npy",
        "--node", "*", "--out", folder / "maps.safetensors")
    found = load_file(folder / "maps.safetensors")
    by_key, by_value = [], []
    for node, key in keys_of(project).items():
        if node not in found:
            continue
        if key in maps:
            by_key.append((relative(found[node].reshape(maps[key].shape), maps[key]), node))
        else:
            alike = (result for result in results if result.numel() == found[node].numel())
            by_value.append((min((relative(found[node].reshape(result.shape), result)
                                  for result in alike), default=float("inf")), node))
    for how, list_ in [("by their key", by_key), ("by the operation that is nearest", by_value)]:
        worst, node = max(list_, default=(0.0, ""))
        print(f"  {len(list_)} maps {how}: at most {worst:.1e} ({node})", "" if worst <= LIMIT else "TOO MUCH")


def step(program, folder, precise):
    """One step of SGD on one batch: a folder of pictures, in order, the batch the whole of it."""
    from PIL import Image
    classes, side, rate = 4, 64, 0.05
    generator = torch.Generator().manual_seed(5)
    # Patches of colour: of noise, whose patches are all alike, normalisation would show rounding.
    pixels = torch.rand(8, 3, 8, 8, generator=generator)
    pixels = torch.nn.functional.interpolate(pixels, (side, side), mode="bilinear").permute(0, 2, 3, 1)
    pixels = (pixels * 255).round().to(torch.uint8)
    for index in range(8):
        place = folder / "train" / f"class{index // 2}"
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels[index].numpy()).save(place / f"{index}.png")
    for split in ["val", "test"]:
        for index in range(0, 8, 2):
            place = folder / split / f"class{index // 2}"
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels[index].numpy()).save(place / f"{index}.png")
    torch.manual_seed(1)
    model = randomised(models.resnet18(num_classes=classes)).train()
    torch.save(model.state_dict(), folder / "before.pth")
    text = pathlib.Path("projects/resnet18.ron").read_text()
    text = re.sub(r"num_output: 1000", f"num_output: {classes}", text)
    data = (f'data: (source: "{folder}", preprocess: (scale: 0.00390625), '
            f'batch: (train: 8, test: 4), shuffle: false),')
    text = re.sub(r"data: \(\n.*?\n  \),", lambda _: data, text, count=1, flags=re.S)
    stage = (f'stages: [(name: "step", iterations: 1, solver: (method: sgd_pytorch, base_lr: {rate}, '
             f'policy: fixed, momentum: 0.9, weight_decay: 0.0001))],')
    text = re.sub(r"stages: \[\n.*?\n  \],", lambda _: stage, text, count=1, flags=re.S)
    if precise:
        text = text.replace("version: 1,", "version: 1, precise: true,", 1)
    project = folder / "step.ron"
    project.write_text(text)
    run(program, "train", project, "--init", folder / "before.pth", "--out", folder / "out", "--device", "cpu")
    x = pixels.permute(0, 3, 1, 2).float() / 256
    labels = torch.arange(8) // 2

    def stepped(model, x):
        optimizer = torch.optim.SGD(model.parameters(), rate, momentum=0.9, weight_decay=0.0001)
        torch.nn.functional.cross_entropy(model(x), labels).backward()
        optimizer.step()
        return {k: v.double() for k, v in model.state_dict().items() if "num_batches" not in k}

    double = stepped(copy.deepcopy(model).double(), x.double())
    single = stepped(model, x)
    after = {k: v.double() for k, v in load_file(folder / "out" / "weights.safetensors").items()}
    assert after.keys() == single.keys(), after.keys() ^ single.keys()
    before = {k: v.double() for k, v in torch.load(folder / "before.pth").items()}

    def compared(what, found, expected):
        weights = max((relative(found[key], expected[key]), key) for key in expected)
        change = {key: expected[key] - before[key] for key in expected}
        moved = max((relative(found[key] - before[key], change[key]), key) for key in expected)
        print(f"  {what}: weights {weights[0]:.1e} ({weights[1]}), their change {moved[0]:.1e} ({moved[1]})")

    print(f"resnet18, one step of SGD in training mode, {len(single)} tensors:")
    compared("Layerlab to PyTorch", after, single)
    compared("Layerlab to PyTorch in double precision", after, double)
    compared("PyTorch to itself in double precision", single, double)
    # The way back: what is written here loads there, without anything left over but the counters.
    written = load_file(folder / "out" / "weights.safetensors")
    missing, unexpected = model.load_state_dict(written, strict=False)
    assert not unexpected and all("num_batches" in key for key in missing)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", default="target/release/layerlab")
    parser.add_argument("--only", default="")
    parser.add_argument("--step", action="store_true")
    parser.add_argument("--precise", action="store_true", help="the step without Winograd's rounding")
    options = parser.parse_args()
    names = [name for name in options.only.split(",") if name] or list(NETWORKS)
    with tempfile.TemporaryDirectory() as folder:
        if options.step:
            return step(options.program, pathlib.Path(folder), options.precise)
        for name in names:
            compare(name, options.program, pathlib.Path(folder))


main()
