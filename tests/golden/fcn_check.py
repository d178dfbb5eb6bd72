"""Compares the FCN projects with PyTorch on an image of odd size, random weights on both sides.

    python tests/golden/fcn_check.py [PROGRAM]

Run by hand: needs PyTorch, torchvision, safetensors and a built program. FCN-32s, 16s and 8s are
written here from Long et al. 2015 in PyTorch's own operations; fcn-resnet50 is torchvision's.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import torchvision
from safetensors.torch import save_file

PROGRAM = sys.argv[1] if len(sys.argv) > 1 else "target/release/layerlab"
ROOT = Path(__file__).parents[2]
torch.manual_seed(3)


def bilinear(channels, kernel):
    """Caffe's bilinear filler: the same interpolation for each channel."""
    factor = (kernel + 1) // 2
    center = (2 * factor - 1 - factor % 2) / (2 * factor)
    line = 1 - (torch.arange(kernel) / factor - center).abs()
    return (line[:, None] * line[None, :]).expand(channels, 1, kernel, kernel).contiguous()


def vgg_weights():
    weights, channels = {}, 3
    for block, (out, count) in enumerate([(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)], 1):
        for index in range(1, count + 1):
            weights[f"conv{block}_{index}"] = (out, channels, 3)
            channels = out
    weights |= {"fc6": (4096, 512, 7), "fc7": (4096, 4096, 1), "score_fr": (21, 4096, 1)}
    state = {}
    for name, (out, into, kernel) in weights.items():
        state[f"{name}.weight"] = torch.randn(out, into, kernel, kernel) * (2 / (into * kernel**2)) ** 0.5
        state[f"{name}.bias"] = torch.randn(out) * 0.1
    return state


def skip_weights(state):
    for name, into in (("score_pool4", 512), ("score_pool3", 256)):
        state[f"{name}.weight"] = torch.randn(21, into, 1, 1) * 0.05
        state[f"{name}.bias"] = torch.randn(21) * 0.1


def fcn(x, w, stride):
    pools, h = {}, x
    for block, count in enumerate((2, 2, 3, 3, 3), 1):
        for index in range(1, count + 1):
            name = f"conv{block}_{index}"
            h = F.relu(F.conv2d(h, w[f"{name}.weight"], w[f"{name}.bias"], padding=100 if name == "conv1_1" else 1))
        h = pools[block] = F.max_pool2d(h, 2, 2, ceil_mode=True)
    for name in ("fc6", "fc7"):
        h = F.relu(F.conv2d(h, w[f"{name}.weight"], w[f"{name}.bias"]))
    h = F.conv2d(h, w["score_fr.weight"], w["score_fr.bias"])

    def enlarge(h, kernel, by):
        return F.conv_transpose2d(h, bilinear(21, kernel), stride=by, groups=21)

    def crop(h, like, offset):
        return h[:, :, offset:offset + like.shape[2], offset:offset + like.shape[3]]

    for block, offset in ((4, 5), (3, 9))[: {32: 0, 16: 1, 8: 2}[stride]]:
        h = enlarge(h, 4, 2)
        score = F.conv2d(pools[block], w[f"score_pool{block}.weight"], w[f"score_pool{block}.bias"])
        h = h + crop(score, h, offset)
    h = enlarge(h, 2 * stride, stride)
    return crop(h, x, {32: 19, 16: 27, 8: 31}[stride])


def ours(project, state, x, node):
    with tempfile.TemporaryDirectory() as folder:
        weights, image, out = (f"{folder}/{name}" for name in ("w.safetensors", "x.npy", "y.npy"))
        save_file(state, weights)
        np.save(image, x.numpy())
        command = [PROGRAM, "infer", ROOT / f"projects/{project}.ron", "--weights", weights,
                   "--input", image, "--node", node, "--out", out]
        result = subprocess.run(command, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        return torch.from_numpy(np.load(out))


def compare(name, found, wanted):
    assert found.shape == wanted.shape, (found.shape, wanted.shape)
    error = (found - wanted).abs().max() / wanted.abs().max()
    print(f"{name}: {tuple(wanted.shape)}, largest difference {error:.1e} of the scale")


with torch.no_grad():
    x = torch.randn(1, 3, 97, 131)
    for stride in (32, 16, 8):
        state = vgg_weights()
        if stride < 32:
            skip_weights(state)
        if stride == 16:
            state = {key: value for key, value in state.items() if "pool3" not in key}
        wanted = fcn(x, state, stride)
        full = dict(state)
        full[{32: "upscore", 16: "upscore16", 8: "upscore8"}[stride] + ".weight"] = bilinear(21, 2 * stride)
        if stride < 32:
            full["upscore2.weight"] = bilinear(21, 4)
        if stride < 16:
            full["upscore_pool4.weight"] = bilinear(21, 4)
        compare(f"fcn{stride}s", ours(f"fcn{stride}s", full, x, "score"), wanted)
    model = torchvision.models.segmentation.fcn_resnet50(weights=None, weights_backbone=None).eval()
    state = model.state_dict()
    for key, value in state.items():
        if "running_mean" in key:
            value.normal_(0, 0.1)
        if "running_var" in key:
            value.uniform_(0.5, 1.5)
    print("fcn_resnet50:", sum(p.numel() for p in model.parameters()), "parameters")
    state = {key: value for key, value in state.items() if "num_batches" not in key}
    compare("fcn-resnet50", ours("fcn-resnet50", state, x, "upsample"), model(x)["out"])
