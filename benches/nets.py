"""The networks that `vs_pytorch.py` times: each is written once, as a list of layers, and becomes a
`torch.nn.Module` and a prototxt; the multiply-adds of its products are counted on the way.

The 224² nets are torchvision's, with 1000 outputs and its numbers of parameters, which the caller
holds both sides against.
"""

from dataclasses import dataclass
from typing import Callable

import torch
import torch.nn as nn


class Residual(nn.Module):
    def __init__(self, body, shortcut):
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x):
        y = self.body(x)
        y += self.shortcut(x)
        return y.relu_()


class Branches(nn.ModuleList):
    def forward(self, x):
        return torch.cat([branch(x) for branch in self], 1)


class LastState(nn.Module):
    """An LSTM over the rows of an image; what it says after the last."""

    def __init__(self, columns, units):
        super().__init__()
        self.lstm = nn.LSTM(columns, units, batch_first=True)

    def forward(self, x):
        return self.lstm(x.squeeze(1))[0][:, -1]


class Writer:
    """Layers one after the other, as modules and as text."""

    def __init__(self, channels, side):
        self.channels, self.side, self.top, self.count = channels, side, "data", 0
        # Multiply-adds of each product for one image, the first layer's first.
        self.text, self.macs = "", []

    def layer(self, kind, bottoms=None, fields="", in_place=False):
        self.count += 1
        bottoms = bottoms or [self.top]
        top = bottoms[0] if in_place else f"n{self.count}"
        wires = " ".join(f"bottom: '{b}'" for b in bottoms)
        self.text += f"layer {{ name: 'n{self.count}' type: '{kind}' {wires} top: '{top}' {fields} }}\n"
        self.top = top

    def place(self):
        return self.top, self.channels, self.side

    def go_to(self, place):
        self.top, self.channels, self.side = place

    def conv(self, out, kernel, stride=1, pad=0, bias=True):
        self.layer("Convolution", fields=f"convolution_param {{ num_output: {out} kernel_size: {kernel} "
                   f"stride: {stride} pad: {pad} bias_term: {str(bias).lower()} weight_filler {{ type: 'msra' }} }}")
        module = nn.Conv2d(self.channels, out, kernel, stride, pad, bias=bias)
        self.side = (self.side + 2 * pad - kernel) // stride + 1
        self.macs.append(out * self.channels * kernel**2 * self.side**2)
        self.channels = out
        return module

    def relu(self):
        self.layer("ReLU", in_place=True)
        return nn.ReLU(inplace=True)

    def norm(self):
        self.layer("FusedBatchNorm")
        return nn.BatchNorm2d(self.channels)

    def conv_norm_relu(self, out, kernel, stride=1, pad=0):
        return nn.Sequential(self.conv(out, kernel, stride, pad, False), self.norm(), self.relu())

    def pool(self, kernel, stride, pad=0, ceil=False):
        self.layer("Pooling", fields=f"pooling_param {{ kernel_size: {kernel} stride: {stride} pad: {pad} "
                   f"round_mode: {'CEIL' if ceil else 'FLOOR'} }}")
        room = self.side + 2 * pad - kernel
        self.side = (-(-room // stride) if ceil else room // stride) + 1
        return nn.MaxPool2d(kernel, stride, pad, ceil_mode=ceil)

    def global_pool(self):
        self.layer("Pooling", fields="pooling_param { pool: AVE global_pooling: true }")
        self.side = 1
        return nn.AdaptiveAvgPool2d(1)

    def dense(self, out):
        flat = [nn.Flatten()] if self.side else []
        inputs = self.channels * max(self.side, 1) ** 2
        self.layer("InnerProduct", fields=f"inner_product_param {{ num_output: {out} weight_filler {{ type: 'msra' }} }}")
        self.macs.append(inputs * out)
        self.channels, self.side = out, 0
        return nn.Sequential(*flat, nn.Linear(inputs, out))

    def dropout(self, share=0.5):
        self.layer("Dropout", in_place=True, fields=f"dropout_param {{ dropout_ratio: {share} }}")
        return nn.Dropout(share)

    def lstm(self, units):
        # Layerlab's own field stands in a comment, on a line of its own.
        self.layer("LayerlabLSTM", fields=f"lstm_param {{ num_output: {units}\n# layerlab: output: LAST\n}}")
        module = LastState(self.side, units)
        self.macs += [self.side * self.side * 4 * units, self.side * units * 4 * units]
        self.channels, self.side = units, 0
        return module

    def residual(self, out, stride, body):
        """The layers that `body` makes, around which the input goes by a shortcut."""
        start = self.place()
        body = nn.Sequential(*body(self))
        end, shortcut = self.place(), nn.Identity()
        bottom = start[0]
        if stride != 1 or start[1] != out:
            self.go_to(start)
            shortcut = nn.Sequential(self.conv(out, 1, stride, 0, False), self.norm())
            bottom = self.top
        self.go_to(end)
        self.layer("Eltwise", [end[0], bottom])
        self.layer("ReLU", in_place=True)
        return Residual(body, shortcut)

    def basic(self, out, stride):
        return self.residual(out, stride, lambda w: [
            w.conv_norm_relu(out, 3, stride, 1), w.conv(out, 3, 1, 1, False), w.norm()])

    def bottleneck(self, width, stride):
        return self.residual(4 * width, stride, lambda w: [
            w.conv_norm_relu(width, 1), w.conv_norm_relu(width, 3, stride, 1),
            w.conv(4 * width, 1, 1, 0, False), w.norm()])

    def branches(self, makers):
        """What each of `makers` makes of the same input, one after the other along the channels."""
        start, modules, ends = self.place(), [], []
        for make in makers:
            self.go_to(start)
            modules.append(nn.Sequential(*make(self)))
            ends.append(self.place())
        self.layer("Concat", [top for top, _, _ in ends])
        self.channels = sum(channels for _, channels, _ in ends)
        self.side = ends[0][2]
        return Branches(modules)

    def inception(self, one, three_in, three, five_in, five, pooled):
        # Torchvision's third branch is 3×3, not 5×5 as in the paper.
        return self.branches([
            lambda w: [w.conv_norm_relu(one, 1)],
            lambda w: [w.conv_norm_relu(three_in, 1), w.conv_norm_relu(three, 3, 1, 1)],
            lambda w: [w.conv_norm_relu(five_in, 1), w.conv_norm_relu(five, 3, 1, 1)],
            lambda w: [w.pool(3, 1, 1, True), w.conv_norm_relu(pooled, 1)]])


def lenet(w):
    return [w.conv(20, 5), w.pool(2, 2), w.conv(50, 5), w.pool(2, 2), w.dense(500), w.relu(), w.dense(10)]


def alexnet_features(w):
    return [w.conv(64, 11, 4, 2), w.relu(), w.pool(3, 2), w.conv(192, 5, 1, 2), w.relu()]


def alexnet_tail(w):
    return [w.conv(384, 3, 1, 1), w.relu(), w.conv(256, 3, 1, 1), w.relu(), w.conv(256, 3, 1, 1), w.relu(), w.pool(3, 2)]


def alexnet_small(w):
    return [*alexnet_features(w), *alexnet_tail(w),
            w.dense(4096), w.relu(), w.dropout(), w.dense(4096), w.relu(), w.dropout(), w.dense(10)]


def alexnet(w):
    return [*alexnet_features(w), w.pool(3, 2), *alexnet_tail(w),
            w.dropout(), w.dense(4096), w.relu(), w.dropout(), w.dense(4096), w.relu(), w.dense(1000)]


def vgg16(w):
    layers = []
    for channels, repeats in [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)]:
        for _ in range(repeats):
            layers += [w.conv(channels, 3, 1, 1), w.relu()]
        layers += [w.pool(2, 2)]
    return layers + [w.dense(4096), w.relu(), w.dropout(), w.dense(4096), w.relu(), w.dropout(), w.dense(1000)]


def googlenet(w):
    layers = [w.conv_norm_relu(64, 7, 2, 3), w.pool(3, 2, 0, True),
              w.conv_norm_relu(64, 1), w.conv_norm_relu(192, 3, 1, 1), w.pool(3, 2, 0, True),
              w.inception(64, 96, 128, 16, 32, 32), w.inception(128, 128, 192, 32, 96, 64), w.pool(3, 2, 0, True),
              w.inception(192, 96, 208, 16, 48, 64), w.inception(160, 112, 224, 24, 64, 64),
              w.inception(128, 128, 256, 24, 64, 64), w.inception(112, 144, 288, 32, 64, 64),
              w.inception(256, 160, 320, 32, 128, 128), w.pool(2, 2, 0, True),
              w.inception(256, 160, 320, 32, 128, 128), w.inception(384, 192, 384, 48, 128, 128)]
    return layers + [w.global_pool(), w.dropout(0.2), w.dense(1000)]


def resnet(w, stem, blocks, block, outputs):
    layers = [*stem]
    for index, count in enumerate(blocks):
        layers += [block(64 << index, 2 if index and not repeat else 1) for repeat in range(count)]
    return layers + [w.global_pool(), w.dense(outputs)]


def resnet18_small(w):
    return resnet(w, [w.conv_norm_relu(64, 3, 1, 1)], [2, 2, 2, 2], w.basic, 10)


def resnet18(w):
    return resnet(w, [w.conv_norm_relu(64, 7, 2, 3), w.pool(3, 2, 1)], [2, 2, 2, 2], w.basic, 1000)


def resnet50(w):
    return resnet(w, [w.conv_norm_relu(64, 7, 2, 3), w.pool(3, 2, 1)], [3, 4, 6, 3], w.bottleneck, 1000)


def lstm(w):
    return [w.lstm(128), w.dense(10)]


@dataclass(frozen=True)
class Net:
    title: str
    layers: Callable
    channels: int
    side: int
    batch: int
    # Steps that are measured in a round.
    steps: int
    # What torchvision's form has, where it has one.
    params: int | None = None

    def build(self):
        """The module and the writer, which holds the text."""
        writer = Writer(self.channels, self.side)
        return nn.Sequential(*self.layers(writer)), writer


NETS = {
    "lenet-28": Net("LeNet, 28²", lenet, 1, 28, 128, 20),
    "lstm-28": Net("LSTM, 28 rows", lstm, 1, 28, 128, 20),
    "alexnet-64": Net("AlexNet-like, 64²", alexnet_small, 3, 64, 64, 5),
    "resnet18-32": Net("ResNet-18, 32²", resnet18_small, 3, 32, 32, 4),
    "alexnet-224": Net("AlexNet, 224²", alexnet, 3, 224, 32, 4, 61_100_840),
    "vgg16-224": Net("VGG16, 224²", vgg16, 3, 224, 2, 3, 138_357_544),
    "googlenet-224": Net("GoogLeNet, 224²", googlenet, 3, 224, 8, 3, 6_624_904),
    "resnet18-224": Net("ResNet-18, 224²", resnet18, 3, 224, 8, 3, 11_689_512),
    "resnet50-224": Net("ResNet-50, 224²", resnet50, 3, 224, 4, 3, 25_557_032),
}
