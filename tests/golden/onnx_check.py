"""ONNX both ways against PyTorch and onnxruntime; run by hand.

    python3 tests/golden/onnx_check.py target/release/layerlab [--way export] [--only NAME] [--keep FOLDER]

Import: networks with random weights are written by both of PyTorch's exporters, and what
`layerlab infer` makes of the file is compared with the network itself. Export: projects with
random weights are written by `layerlab convert`, and what onnxruntime makes of the file is
compared with `layerlab infer`. Differences are the largest one over the largest output.
It needs torch, torchvision, onnx, onnxruntime and onnxscript, and a few minutes.
"""

import argparse
import pathlib
import subprocess
import tempfile
import warnings

import numpy as np
import onnxruntime
import safetensors.torch
import torch
import torchvision

warnings.filterwarnings("ignore")
LIMIT = 1e-4


class Sequence(torch.nn.Module):
    def __init__(self, kind, layers=1, every=False, batch_first=True):
        super().__init__()
        self.rnn = getattr(torch.nn, kind)(5, 7, num_layers=layers, batch_first=batch_first)
        self.fc = torch.nn.Linear(7, 3)
        self.every, self.batch_first = every, batch_first

    def forward(self, x):
        y, _ = self.rnn(x)
        if not self.every:
            y = y[:, -1] if self.batch_first else y[-1]
        return self.fc(y)


class Words(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = torch.nn.Embedding(11, 6)
        self.rnn = torch.nn.LSTM(6, 7, num_layers=2, batch_first=True)
        self.fc = torch.nn.Linear(7, 11)

    def forward(self, x):
        y, _ = self.rnn(self.embed(x))
        return self.fc(y)


class Segments(torch.nn.Module):
    """torchvision's FCN, its one answer."""

    def __init__(self):
        super().__init__()
        self.net = torchvision.models.segmentation.fcn_resnet50(weights=None, weights_backbone=None, aux_loss=False)

    def forward(self, x):
        return self.net(x)["out"]


def image(size):
    return torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(1))


vision = torchvision.models
IMPORTS = {
    "alexnet": (lambda: vision.alexnet(weights=None), image(224)),
    "vgg16": (lambda: vision.vgg16(weights=None), image(224)),
    "googlenet": (lambda: vision.googlenet(weights=None, aux_logits=False, init_weights=False), image(224)),
    "googlenet_transform": (
        lambda: vision.googlenet(weights=None, aux_logits=False, init_weights=False, transform_input=True), image(224)),
    "resnet18": (lambda: vision.resnet18(weights=None), image(224)),
    "resnet50": (lambda: vision.resnet50(weights=None), image(224)),
    "fcn_resnet50": (Segments, image(97)),
    "mobilenet_v2": (lambda: vision.mobilenet_v2(weights=None), image(96)),
    "mobilenet_v3_small": (lambda: vision.mobilenet_v3_small(weights=None), image(96)),
    "squeezenet": (lambda: vision.squeezenet1_1(weights=None), image(97)),
    "densenet121": (lambda: vision.densenet121(weights=None), image(96)),
    "inception_v3": (lambda: vision.inception_v3(weights=None, aux_logits=False, init_weights=False), image(299)),
    "lstm": (lambda: Sequence("LSTM", 2), torch.randn(1, 6, 5)),
    "lstm_steps": (lambda: Sequence("LSTM", 1, every=True), torch.randn(2, 6, 5)),
    "lstm_time_first": (lambda: Sequence("LSTM", 1, batch_first=False), torch.randn(6, 2, 5)),
    "gru": (lambda: Sequence("GRU"), torch.randn(2, 6, 5)),
    "rnn": (lambda: Sequence("RNN", 3), torch.randn(2, 6, 5)),
    "words": (Words, torch.randint(0, 11, (2, 9))),
}


def shaken(net):
    """Running statistics and affine numbers that are not 0 and 1."""
    torch.manual_seed(3)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.2, 0.2)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
            torch.nn.init.uniform_(module.weight, 0.8, 1.2)
            torch.nn.init.uniform_(module.bias, -0.1, 0.1)
    return net.eval()


def run(*arguments):
    done = subprocess.run([str(a) for a in arguments], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "failed")
    return done


def difference(ours, theirs):
    if ours.shape != theirs.shape:
        return f"shape {ours.shape} instead of {theirs.shape}"
    return float(np.abs(ours - theirs).max() / max(np.abs(theirs).max(), 1e-30))


def infer(program, net, x, folder, *more):
    np.save(folder / "x.npy", x.astype(np.float32))
    run(program, "infer", net, "--input", folder / "x.npy", "--out", folder / "y.npy", *more)
    return np.load(folder / "y.npy")


def imports(program, folder, only):
    for name, (make, x) in IMPORTS.items():
        if only and only != name:
            continue
        torch.manual_seed(2)
        net = shaken(make())
        with torch.no_grad():
            wanted = net(x).numpy()
        given, axes = x.numpy(), {0: "batch"}
        if name.endswith("time_first"):
            given, axes = given.transpose(1, 0, 2), {1: "batch"}
        if wanted.ndim == 3 and name.endswith("time_first"):
            wanted = wanted.transpose(1, 0, 2)
        for kind in ["old", "old batch", "new", "new batch"]:
            path = folder / f"{name}-{kind.replace(' ', '-')}.onnx"
            try:
                options = {}
                if "batch" in kind and "old" in kind:
                    options = {"dynamic_axes": {"x": axes}, "input_names": ["x"]}
                if "batch" in kind and "new" in kind:
                    options = {"dynamic_shapes": ({k: torch.export.Dim("batch") for k in axes},)}
                example = torch.cat([x, x], list(axes)[0]) if "batch" in kind else x
                torch.onnx.export(net, (example,), str(path), dynamo="new" in kind, verbose=False, **options)
            except Exception as error:
                yield "import", name, kind, f"not exported: {str(error).splitlines()[0][:60]}"
                continue
            try:
                done = run(program, "convert", path, path.with_suffix(".ron"))
                notes = len(done.stderr.strip().splitlines())
                yield "import", name, kind, difference(infer(program, path, given, folder), wanted), f"{notes} notes"
            except Exception as error:
                yield "import", name, kind, str(error)[:120]


def random_weights(program, project, folder):
    """Weights for a project, from its own first step where its data are there."""
    out = folder / "run"
    run(program, "train", project, "--iterations", "2", "--out", out)
    return out / "weights.safetensors"


def torchvision_weights(make, folder):
    net = shaken(make())
    state = {k: v.contiguous() for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
    path = folder / "weights.safetensors"
    safetensors.torch.save_file(state, path)
    return path


EXPORTS = {
    "lenet-digits": None,
    "lstm-digits": None,
    "char-lstm": None,
    "localise": None,
    "mlp-digits": None,
    "alexnet": None,
    "alexnet-torchvision": lambda: vision.alexnet(weights=None),
    "vgg16": lambda: vision.vgg16(weights=None),
    "googlenet": None,
    "googlenet-torchvision": lambda: vision.googlenet(weights=None, aux_logits=False, init_weights=False),
    "resnet18": lambda: vision.resnet18(weights=None),
    "resnet34": lambda: vision.resnet34(weights=None),
    "resnet50": lambda: vision.resnet50(weights=None),
    "resnet101": lambda: vision.resnet101(weights=None),
    "resnet20-cifar": None,
    "fcn32s": None,
    "fcn16s": None,
    "fcn8s": None,
    "fcn-resnet50": None,
}

# What only training has, which no model says.
AUXILIARY = {"googlenet": {
    f"loss{head}.{part}": dims for head, channels in [(1, 512), (2, 528)] for part, dims in {
        "conv.weight": (128, channels, 1, 1), "conv.bias": (128,), "fc.weight": (1024, 2048), "fc.bias": (1024,),
        "classifier.weight": (1000, 1024), "classifier.bias": (1000,)}.items()}}


def exports(program, folder, only):
    projects = pathlib.Path(__file__).parents[2] / "projects"
    for name, make in EXPORTS.items():
        project = projects / f"{name}.ron"
        if (only and only != name) or not project.exists():
            continue
        try:
            torch.manual_seed(2)
            weights = ["--weights", torchvision_weights(make, folder)] if make else []
            if not make and name in ["lenet-digits", "lstm-digits", "char-lstm", "localise", "mlp-digits"]:
                weights = ["--weights", random_weights(program, project, folder)]
            path = folder / f"{name}.onnx"
            run(program, "convert", project, path, *weights)
            if not weights:
                # Fresh weights, as the file has them; their keys are the project's.
                fresh = folder / "fresh.safetensors"
                run(program, "convert", path, fresh)
                state = safetensors.torch.load_file(fresh)
                state.update({key: torch.zeros(*dims) for key, dims in AUXILIARY.get(name, {}).items()})
                # Weights that begin with 0 (FCN's scores) would answer 0 whatever is before them.
                for key, tensor in state.items():
                    if not tensor.any():
                        state[key] = 0.05 * torch.randn(tensor.shape)
                safetensors.torch.save_file(state, fresh)
                weights = ["--weights", fresh]
                run(program, "convert", project, path, *weights)
            session = onnxruntime.InferenceSession(str(path))
            given = session.get_inputs()[0]
            sizes = [2 if not isinstance(size, int) else size for size in given.shape]
            random = np.random.default_rng(1)
            x = random.standard_normal(sizes).astype(np.float32)
            if "int64" in given.type:
                x = random.integers(0, 20, sizes)
            theirs = session.run(None, {given.name: x})[0]
            ours = infer(program, project, x, folder, *weights)
            back = infer(program, path, x, folder)
            yield "export", name, "onnxruntime", difference(ours, theirs)
            yield "export", name, "imported again", difference(back, ours)
        except Exception as error:
            yield "export", name, "", str(error)[:160]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--only", help="one network or project")
    parser.add_argument("--way", choices=["import", "export"])
    parser.add_argument("--keep", type=pathlib.Path)
    options = parser.parse_args()
    bad = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or pathlib.Path(temporary)
        folder.mkdir(exist_ok=True)
        program = options.program.resolve()
        ways = {"import": imports, "export": exports}
        rows = [rows(program, folder, options.only) for way, rows in ways.items() if options.way in (None, way)]
        for row in (row for part in rows for row in part):
            way, name, kind, found, *more = row
            good = isinstance(found, float) and found <= LIMIT
            bad += not good
            found = f"{found:.1e}" if isinstance(found, float) else found
            print(f"{way:7} {name:22} {kind:15} {found} {' '.join(more)}{'' if good else '   <--'}", flush=True)
    print("all within" if not bad else f"{bad} not within", LIMIT)


if __name__ == "__main__":
    main()
