"""Writes the large projects of this folder, whose graphs repeat themselves.

    python projects/make.py [NAME …]

The small projects were assembled by hand. Each network below is written from its paper, with the
parameter keys of torchvision or the layer names of Caffe's model zoo where weights exist for it.
The boxes are then placed by a built program (`target/release/layerlab`), which never needs this file.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
PROGRAM = HERE.parent / "target/release/layerlab"

# Means and deviations of ImageNet's pixels, 0 … 255: torchvision's, and Caffe's (blue first).
TORCHVISION = "color: Rgb, resize: ({r}, {r}), mean: Value([123.675, 116.28, 103.53]), std: Value([58.395, 57.12, 57.375])"
CAFFE = "color: Bgr, resize: (256, 256), mean: Value([104.0, 117.0, 123.0])"


def quote(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


class Graph:
    """Nodes in the order in which they were added; a name is a node's first output."""

    def __init__(self):
        self.nodes, self.folded = [], []

    def add(self, name, layer, *inputs, key=None, phases=None, test_inputs=None, multipliers="", weight=None):
        fields = [f"name: {quote(name)}", f"layer: {layer}"]
        if inputs:
            fields.append("inputs: [" + ", ".join(map(quote, inputs)) + "]")
        if test_inputs:
            fields.append("test_inputs: [" + ", ".join(map(quote, test_inputs)) + "]")
        if phases:
            fields.append(f"phases: {phases}")
        if key:
            fields.append(f"key: {quote(key)}")
        if multipliers:
            fields.append(f"multipliers: {{{multipliers}}}")
        if weight is not None:
            fields.append(f"loss_weight: {weight}")
        self.nodes.append(fields)
        return name

    def fold(self, *groups):
        self.folded += groups

    def text(self):
        lines = ["      (" + ", ".join([*fields, "position: (0.0, 0.0)"]) + "),\n" for fields in self.nodes]
        folded = ""
        if self.folded:
            folded = "    folded: [" + ", ".join(map(quote, sorted(self.folded))) + "],\n"
        return "  graph: (\n    nodes: [\n" + "".join(lines) + "    ],\n" + folded + "  ),\n"


def one_line(text):
    """Without a space where a line of Chinese was broken."""
    return re.sub(r"(?<=[\u3000-\uffef]) (?=[\u3000-\uffef])", "", " ".join(text.split()))


def project(graph, title, about, preprocess, batch, stage, source="fashion", split="validation: 250, test: 1000, seed: 1"):
    train, test = batch
    text = graph.text()
    names = "imagenet" if "num_output: 1000" in text else "voc" if "num_output: 21" in text else None
    classes = f"    classes: {quote(names)},\n" if names else ""
    name = "train"
    return (
        "(\n  version: 1,\n"
        f"  title: {quote(title)},\n  about: {quote(one_line(about))},\n  seed: 1,\n"
        f"  data: (\n    source: {quote(source)},\n    split: ({split}),\n"
        f"    preprocess: ({preprocess}),\n    batch: (train: {train}, test: {test}),\n{classes}  ),\n"
        f"  stages: [\n    (\n      name: {quote(name)},\n{stage}    ),\n  ],\n" + text + ")\n"
    )


def stage(iterations, evaluate_every, solver):
    return (f"      iterations: {iterations},\n      solver: ({solver}),\n"
            f"      evaluate_every: {evaluate_every},\n")


def pair(value):
    return f"({value[0]}, {value[1]})" if isinstance(value, tuple) else f"({value}, {value})"


def conv(out, kernel, stride=1, pad=0, dilation=1, group=1, bias=True, filler="msra", bias_filler=None):
    fields = [f"num_output: {out}", f"kernel: {pair(kernel)}"]
    fields += [f"stride: {pair(stride)}"] if stride != 1 else []
    fields += [f"pad: {pair(pad)}"] if pad != 0 else []
    fields += [f"dilation: {pair(dilation)}"] if dilation != 1 else []
    fields += [f"group: {group}"] if group != 1 else []
    fields += ["bias: false"] if not bias else []
    fields += [f"weight_filler: {filler}"] if filler != "xavier" else []
    fields += [f"bias_filler: {bias_filler}"] if bias_filler else []
    return f"Convolution({', '.join(fields)})"


def full(out, filler="xavier", bias_filler=None):
    out = quote(out) if isinstance(out, str) else out
    fields = [f"num_output: {out}"]
    fields += [f"weight_filler: {filler}"] if filler != "xavier" else []
    fields += [f"bias_filler: {bias_filler}"] if bias_filler else []
    return f"InnerProduct({', '.join(fields)})"


def pool(method, kernel, stride, pad=0, ceil=True):
    fields = [f"method: {method}", f"kernel: {pair(kernel)}", f"stride: {pair(stride)}"]
    fields += [f"pad: {pair(pad)}"] if pad else []
    fields += ["ceil: false"] if not ceil else []
    return f"Pooling({', '.join(fields)})"


GLOBAL_AVERAGE = "Pooling(method: average, global: true)"
TWICE = '"bias": (lr: 2.0, decay: 0.0)'


def ends(graph, scores, top5=True):
    """What every classifier ends in."""
    graph.add("loss", "SoftmaxWithLoss()", scores, "data:1")
    graph.add("accuracy", "Accuracy()", scores, "data:1", phases="test")
    if top5:
        graph.add("accuracy_top5", "Accuracy(top_k: 5)", scores, "data:1", phases="test")


STAND_IN = """Its data are a stand-in: clothing enlarged, so that the graph runs at once. For photographs,
choose a folder with one folder of images a class, and set the outputs of the last layer to the number of
classes, or load trained weights and leave the 1,000."""
STAND_IN_ZH = """所带数据只是替代品：放大后的服饰图像，使网络可立即运行。要用照片，请选择“每类一个文件夹”的图像文件夹，
并把最后一层的输出数设为类别数；或载入训练好的权重并保留 1,000 类。"""


def alexnet():
    g = Graph()
    x = g.add("data", "Data()")
    gauss = "gaussian(mean: 0.0, std: {})"
    small, wide = gauss.format("0.01"), gauss.format("0.005")
    zero, one = None, "constant(1.0)"
    shape = [(96, 11, 4, 0, 1, zero), (256, 5, 1, 2, 2, one), (384, 3, 1, 1, 1, zero), (384, 3, 1, 1, 2, one), (256, 3, 1, 1, 2, one)]
    for index, (out, kernel, stride_, pad, group, bias) in enumerate(shape, 1):
        name = f"conv{index}"
        x = g.add(f"{name}/conv", conv(out, kernel, stride_, pad, group=group, filler=small, bias_filler=bias), x, key=name, multipliers=TWICE)
        x = g.add(f"{name}/relu", "ReLU()", x)
        if index <= 2:
            x = g.add(f"{name}/norm", "LRN(alpha: 0.0001)", x)
        if index in (1, 2, 5):
            x = g.add(f"{name}/pool", pool("max", 3, 2), x)
        g.fold(name)
    for name in ("fc6", "fc7"):
        x = g.add(f"{name}/fc", full(4096, wide, one), x, key=name, multipliers=TWICE)
        x = g.add(f"{name}/relu", "ReLU()", x)
        x = g.add(f"{name}/dropout", "Dropout(ratio: 0.5)", x)
        g.fold(name)
    x = g.add("fc8", full(1000, small), x, multipliers=TWICE)
    ends(g, x)
    return project(
        g, "AlexNet, 2012",
        f"""The network of Krizhevsky, Sutskever and Hinton 2012, which won ILSVRC that year: five convolutions in two
        groups that once lived on two graphics cards, local response normalisation, pooling windows that overlap, dropout
        before the full connections; 60,965,224 parameters. The layers carry the names of Caffe's model zoo, so that
        bvlc_alexnet.caffemodel fits. {STAND_IN}
        AlexNet（Krizhevsky、Sutskever、Hinton，2012），当年 ILSVRC 冠军：五个卷积层，其中几层分为两组（当时分处两块显卡），
        局部响应归一化、重叠池化、全连接层前的 Dropout，共 60,965,224 个参数。层名与 Caffe 模型库一致，可载入
        bvlc_alexnet.caffemodel。{STAND_IN_ZH}""",
        CAFFE + ", crop: (227, 227), mirror: true", (32, 32),
        stage(450000, 1000, "base_lr: 0.01, policy: step(gamma: 0.1, stepsize: 100000), momentum: 0.9, weight_decay: 0.0005"),
    )


def alexnet_torchvision():
    g = Graph()
    x = g.add("data", "Data()")
    shape = [(64, 11, 4, 2, 0), (192, 5, 1, 2, 3), (384, 3, 1, 1, 6), (256, 3, 1, 1, 8), (256, 3, 1, 1, 10)]
    for index, (out, kernel, stride_, pad, place) in enumerate(shape, 1):
        name = f"conv{index}"
        x = g.add(f"{name}/conv", conv(out, kernel, stride_, pad), x, key=f"features.{place}")
        x = g.add(f"{name}/relu", "ReLU()", x)
        if index in (1, 2, 5):
            x = g.add(f"{name}/pool", pool("max", 3, 2, ceil=False), x)
        g.fold(name)
    for name, place in (("fc6", 1), ("fc7", 4)):
        x = g.add(f"{name}/dropout", "Dropout(ratio: 0.5)", x)
        x = g.add(f"{name}/fc", full(4096), x, key=f"classifier.{place}")
        x = g.add(f"{name}/relu", "ReLU()", x)
        g.fold(name)
    x = g.add("fc8", full(1000), x, key="classifier.6")
    ends(g, x)
    return project(
        g, "AlexNet, one tower (torchvision)",
        f"""AlexNet without groups and without local response normalisation (Krizhevsky 2014), as torchvision has it:
        61,100,840 parameters under torchvision's names, so that its weights load. {STAND_IN}
        不分组、无局部响应归一化的 AlexNet（Krizhevsky，2014），与 torchvision 相同：61,100,840 个参数，键名与 torchvision 一致，
        可直接载入其权重。{STAND_IN_ZH}""",
        TORCHVISION.format(r=256) + ", crop: (224, 224), mirror: true", (32, 32),
        stage(450000, 1000, "method: sgd_pytorch, base_lr: 0.01, policy: step(gamma: 0.1, stepsize: 150000), momentum: 0.9, weight_decay: 0.0001"),
    )


VGG16 = [(1, 64, 2), (2, 128, 2), (3, 256, 3), (4, 512, 3), (5, 512, 3)]


def vgg16_convolutions(g, x, keys, pad=1):
    """The thirteen convolutions; `keys` names them, `pad` is the first one's padding."""
    place = 0
    for block, out, count in VGG16:
        group = f"conv{block}"
        for index in range(1, count + 1):
            key = f"features.{place}" if keys == "torchvision" else f"conv{block}_{index}"
            first = pad if (block, index) == (1, 1) else 1
            multipliers = TWICE if keys == "caffe" else ""
            x = g.add(f"{group}/conv{block}_{index}", conv(out, 3, 1, first), x, key=key, multipliers=multipliers)
            x = g.add(f"{group}/relu{block}_{index}", "ReLU()", x)
            place += 2
        # Caffe's FCN rounds up where the size is odd; torchvision rounds down.
        x = g.add(f"{group}/pool{block}", pool("max", 2, 2, ceil=keys == "caffe"), x)
        place += 1
        g.fold(group)
    return x


def vgg16():
    g = Graph()
    x = vgg16_convolutions(g, g.add("data", "Data()"), "torchvision")
    for name, place in (("fc6", 0), ("fc7", 3)):
        x = g.add(f"{name}/fc", full(4096), x, key=f"classifier.{place}")
        x = g.add(f"{name}/relu", "ReLU()", x)
        x = g.add(f"{name}/dropout", "Dropout(ratio: 0.5)", x)
        g.fold(name)
    x = g.add("fc8", full(1000), x, key="classifier.6")
    ends(g, x)
    return project(
        g, "VGG16",
        f"""Configuration D of Simonyan and Zisserman 2014: thirteen convolutions of 3 × 3, halved in size five times,
        then three full connections; 138,357,544 parameters under torchvision's names. Two 3 × 3 see as far as one 5 × 5,
        three as far as one 7 × 7, with fewer weights and more non-linearity: select a convolution and choose
        “Stack of 3 × 3” to see what it saves. {STAND_IN}
        VGG 的 D 配置（Simonyan、Zisserman，2014）：十三个 3 × 3 卷积，五次减半，再接三个全连接层；138,357,544 个参数，
        键名与 torchvision 一致。两个 3 × 3 的视野等于一个 5 × 5，三个等于一个 7 × 7，而权重更少、非线性更多：选中一个卷积层并执行
        “3 × 3 堆叠”即可比较。{STAND_IN_ZH}""",
        TORCHVISION.format(r=256) + ", crop: (224, 224), mirror: true", (8, 8),
        stage(370000, 1000, "base_lr: 0.01, policy: step(gamma: 0.1, stepsize: 100000), momentum: 0.9, weight_decay: 0.0005"),
    )


# Outputs of 1×1, 3×3 reduce, 3×3, 5×5 reduce, 5×5 and pool projection: Szegedy et al., table 1.
INCEPTION = {
    "3a": (64, 96, 128, 16, 32, 32), "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64), "4b": (160, 112, 224, 24, 64, 64), "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64), "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128), "5b": (384, 192, 384, 48, 128, 128),
}


def unit(g, name, layer, x, **options):
    """A convolution and its ReLU, as GoogLeNet's Caffe form names them."""
    x = g.add(name, layer, x, multipliers=TWICE, **options)
    head, _, tail = name.rpartition("/")
    return g.add(f"{head}/relu_{tail}", "ReLU()", x)


CONSTANT02 = "constant(0.2)"


def inception(g, group, x, sizes):
    n1, r3, n3, r5, n5, proj = sizes
    def c(out, kernel, pad=0):
        return conv(out, kernel, 1, pad, filler="xavier", bias_filler=CONSTANT02)
    b1 = unit(g, f"{group}/1x1", c(n1, 1), x)
    b2 = unit(g, f"{group}/3x3_reduce", c(r3, 1), x)
    b2 = unit(g, f"{group}/3x3", c(n3, 3, 1), b2)
    b3 = unit(g, f"{group}/5x5_reduce", c(r5, 1), x)
    b3 = unit(g, f"{group}/5x5", c(n5, 5, 2), b3)
    b4 = g.add(f"{group}/pool", pool("max", 3, 1, 1), x)
    b4 = unit(g, f"{group}/pool_proj", c(proj, 1), b4)
    g.fold(group)
    return g.add(f"{group}/output", "Concat()", b1, b2, b3, b4)


def auxiliary(g, group, x):
    x = g.add(f"{group}/ave_pool", pool("average", 5, 3), x, phases="train")
    x = g.add(f"{group}/conv", conv(128, 1, filler="xavier", bias_filler=CONSTANT02), x, phases="train", multipliers=TWICE)
    x = g.add(f"{group}/relu_conv", "ReLU()", x, phases="train")
    x = g.add(f"{group}/fc", full(1024, bias_filler=CONSTANT02), x, phases="train", multipliers=TWICE)
    x = g.add(f"{group}/relu_fc", "ReLU()", x, phases="train")
    x = g.add(f"{group}/drop_fc", "Dropout(ratio: 0.7)", x, phases="train")
    x = g.add(f"{group}/classifier", full(1000), x, phases="train", multipliers=TWICE)
    g.add(f"{group}/loss", "SoftmaxWithLoss()", x, "data:1", phases="train", weight=0.3)
    g.fold(group)


def googlenet():
    g = Graph()
    x = g.add("data", "Data()")
    def c(out, kernel, stride_=1, pad=0):
        return conv(out, kernel, stride_, pad, filler="xavier", bias_filler=CONSTANT02)
    x = unit(g, "conv1/7x7_s2", c(64, 7, 2, 3), x)
    x = g.add("conv1/pool", pool("max", 3, 2), x)
    x = g.add("conv1/norm", "LRN(alpha: 0.0001)", x)
    x = unit(g, "conv2/3x3_reduce", c(64, 1), x)
    x = unit(g, "conv2/3x3", c(192, 3, 1, 1), x)
    x = g.add("conv2/norm", "LRN(alpha: 0.0001)", x)
    x = g.add("conv2/pool", pool("max", 3, 2), x)
    g.fold("conv1", "conv2")
    for name, sizes in INCEPTION.items():
        x = inception(g, f"inception_{name}", x, sizes)
        if name == "4a":
            auxiliary(g, "loss1", x)
        if name == "4d":
            auxiliary(g, "loss2", x)
        if name in ("3b", "4e"):
            x = g.add(f"pool{3 if name == '3b' else 4}", pool("max", 3, 2), x)
    x = g.add("loss3/pool", GLOBAL_AVERAGE, x)
    x = g.add("loss3/dropout", "Dropout(ratio: 0.4)", x)
    x = g.add("loss3/classifier", full(1000), x, multipliers=TWICE)
    g.fold("loss3")
    ends(g, x)
    return project(
        g, "GoogLeNet",
        f"""Szegedy et al. 2014, which won ILSVRC that year: nine Inception modules, each with filters of 1 × 1, 3 × 3, 5 × 5
        and a pooling beside one another, made cheap by 1 × 1 reductions. Two auxiliary heads exist in training only; with
        them it has 13,378,280 parameters, without them 6,998,552. The layers carry the names of Caffe's model zoo, so that
        bvlc_googlenet.caffemodel fits. The project inception-naive shows what the reductions save. {STAND_IN}
        GoogLeNet（Szegedy 等，2014），当年 ILSVRC 冠军：九个 Inception 模块，各自并列 1 × 1、3 × 3、5 × 5 滤波器与池化，
        并以 1 × 1 卷积降维来降低开销。两个辅助分类头只在训练阶段存在：含辅助头 13,378,280 个参数，不含为 6,998,552。层名与 Caffe
        模型库一致，可载入 bvlc_googlenet.caffemodel。inception-naive 项目展示降维节省了多少。{STAND_IN_ZH}""",
        CAFFE + ", crop: (224, 224), mirror: true", (16, 16),
        stage(2400000, 1000, "base_lr: 0.01, policy: poly(power: 0.5), momentum: 0.9, weight_decay: 0.0002"),
    )


def basic(g, name, key, layer, x):
    """torchvision's BasicConv2d: convolution without bias, batch normalisation, ReLU."""
    x = g.add(f"{name}/conv", layer, x, key=f"{key}.conv")
    x = g.add(f"{name}/bn", "FusedBatchNorm(eps: 0.001)", x, key=f"{key}.bn")
    return g.add(f"{name}/relu", "ReLU()", x)


def googlenet_torchvision():
    g = Graph()
    x = g.add("data", "Data()")
    def c(out, kernel, stride_=1, pad=0):
        return conv(out, kernel, stride_, pad, bias=False)
    x = basic(g, "conv1", "conv1", c(64, 7, 2, 3), x)
    x = g.add("conv1/pool", pool("max", 3, 2), x)
    x = basic(g, "conv2", "conv2", c(64, 1), x)
    x = basic(g, "conv3", "conv3", c(192, 3, 1, 1), x)
    x = g.add("conv3/pool", pool("max", 3, 2), x)
    g.fold("conv1", "conv2", "conv3")
    for name, (n1, r3, n3, r5, n5, proj) in INCEPTION.items():
        group, key = f"inception_{name}", f"inception{name}"
        b1 = basic(g, f"{group}/1x1", f"{key}.branch1", c(n1, 1), x)
        b2 = basic(g, f"{group}/3x3_reduce", f"{key}.branch2.0", c(r3, 1), x)
        b2 = basic(g, f"{group}/3x3", f"{key}.branch2.1", c(n3, 3, 1, 1), b2)
        b3 = basic(g, f"{group}/double_reduce", f"{key}.branch3.0", c(r5, 1), x)
        b3 = basic(g, f"{group}/double", f"{key}.branch3.1", c(n5, 3, 1, 1), b3)
        b4 = g.add(f"{group}/pool", pool("max", 3, 1, 1), x)
        b4 = basic(g, f"{group}/pool_proj", f"{key}.branch4.1", c(proj, 1), b4)
        x = g.add(f"{group}/output", "Concat()", b1, b2, b3, b4)
        g.fold(group)
        if name == "3b":
            x = g.add("pool3", pool("max", 3, 2), x)
        if name == "4e":
            x = g.add("pool4", pool("max", 2, 2), x)
    x = g.add("head/pool", GLOBAL_AVERAGE, x)
    x = g.add("head/dropout", "Dropout(ratio: 0.2)", x)
    x = g.add("head/fc", full(1000), x, key="fc")
    g.fold("head")
    ends(g, x)
    return project(
        g, "GoogLeNet with batch normalisation (torchvision)",
        f"""GoogLeNet as torchvision has it: batch normalisation after every convolution, 3 × 3 where the paper has 5 × 5, no
        auxiliary heads; 6,624,904 parameters under torchvision's names, so that its weights load. {STAND_IN}
        torchvision 版 GoogLeNet：每个卷积后接批量归一化，论文中的 5 × 5 换为 3 × 3，不含辅助头；6,624,904 个参数，键名与
        torchvision 一致，可直接载入其权重。{STAND_IN_ZH}""",
        TORCHVISION.format(r=256) + ", crop: (224, 224), mirror: true", (16, 16),
        stage(1200000, 1000, "method: sgd_pytorch, base_lr: 0.1, policy: step(gamma: 0.1, stepsize: 400000), momentum: 0.9, weight_decay: 0.0001"),
    )


def inception_naive():
    g = Graph()
    x = g.add("data", "Data()")
    x = g.add("stem/conv", conv(192, 3, 1, 1, filler="xavier"), x)
    x = g.add("stem/relu", "ReLU()", x)
    stem = g.add("stem/pool", pool("max", 2, 2), x)
    n1, _, n3, _, n5, _ = INCEPTION["3a"]
    heads = {}
    def c(out, kernel, pad=0):
        return conv(out, kernel, 1, pad, filler="xavier", bias_filler=CONSTANT02)
    b1 = unit(g, "naive/1x1", c(n1, 1), stem)
    b2 = unit(g, "naive/3x3", c(n3, 3, 1), stem)
    b3 = unit(g, "naive/5x5", c(n5, 5, 2), stem)
    b4 = g.add("naive/pool", pool("max", 3, 1, 1), stem)
    heads["naive"] = g.add("naive/output", "Concat()", b1, b2, b3, b4)
    heads["reduced"] = inception(g, "reduced", stem, INCEPTION["3a"])
    g.folded.remove("reduced")
    for name, x in heads.items():
        x = g.add(f"{name}_head/pool", GLOBAL_AVERAGE, x)
        x = g.add(f"{name}_head/fc", full("classes"), x)
        g.add(f"{name}_head/loss", "SoftmaxWithLoss()", x, "data:1")
        g.add(f"{name}_head/accuracy", "Accuracy()", x, "data:1", phases="test")
    return project(
        g, "Inception, naive and with 1 × 1 reductions",
        """The module of GoogLeNet's figure 2 twice, behind the same 192 maps and with the sizes of inception_3a: (a) naive, all
        filters straight on the input, and (b) with 1 × 1 convolutions that first reduce the channels. Compare the two
        groups' parameters and multiply-adds in the table of layers, and their accuracy while both train side by side; the naive
        one also hands on more maps (416 instead of 256), since pooling keeps all of its own.
        GoogLeNet 图 2 中的模块各一份，接在同样的 192 个特征图之后，尺寸取自 inception_3a：(a) 朴素形式，所有滤波器直接作用于输入；
        (b) 先以 1 × 1 卷积减少通道。比较两组的参数量与乘加次数，以及并排训练时的准确率；朴素形式还会输出更多特征图（416 而非 256），
        因为池化保留了全部通道。""",
        "scale: 0.00390625", (32, 100),
        stage(1500, 300, "base_lr: 0.01, policy: poly(power: 1.0), momentum: 0.9, weight_decay: 0.0005"),
        split="validation: 250, test: 1000, seed: 1",
    )


RESNETS = {
    "resnet18": ("basic", (2, 2, 2, 2), "11,689,512"), "resnet34": ("basic", (3, 4, 6, 3), "21,797,672"),
    "resnet50": ("bottleneck", (3, 4, 6, 3), "25,557,032"), "resnet101": ("bottleneck", (3, 4, 23, 3), "44,549,160"),
}


def resnet_body(g, x, kind, counts, prefix="", dilated=(False, False, False)):
    """conv1 to conv5_x of He et al. 2015, table 1; the stride is in the 3 × 3, as in torchvision."""
    fan = "msra_fan_out"
    def c(out, kernel, stride_=1, pad=0, dilation=1):
        return conv(out, kernel, stride_, pad, dilation, bias=False, filler=fan)
    x = g.add("conv1/conv", c(64, 7, 2, 3), x, key=f"{prefix}conv1")
    x = g.add("conv1/bn", "FusedBatchNorm()", x, key=f"{prefix}bn1")
    x = g.add("conv1/relu", "ReLU()", x)
    x = g.add("conv2_x/pool", pool("max", 3, 2, 1, ceil=False), x)
    expansion = 4 if kind == "bottleneck" else 1
    channels, dilation = 64, 1
    for stage_, count in enumerate(counts):
        width, stride_ = 64 << stage_, 1 if stage_ == 0 else 2
        before = dilation
        if stage_ > 0 and dilated[stage_ - 1]:
            dilation, stride_ = dilation * stride_, 1
        for block in range(count):
            group, key = f"conv{stage_ + 2}_x/{block}", f"{prefix}layer{stage_ + 1}.{block}"
            step = stride_ if block == 0 else 1
            spread = before if block == 0 else dilation
            shortcut = x
            if kind == "bottleneck":
                layers = [c(width, 1), c(width, 3, step, spread, spread), c(width * 4, 1)]
            else:
                layers = [c(width, 3, step, 1), c(width, 3, 1, 1)]
            for index, layer in enumerate(layers, 1):
                x = g.add(f"{group}/conv{index}", layer, x, key=f"{key}.conv{index}")
                x = g.add(f"{group}/bn{index}", "FusedBatchNorm()", x, key=f"{key}.bn{index}")
                if index < len(layers):
                    x = g.add(f"{group}/relu{index}", "ReLU()", x)
            if step != 1 or channels != width * expansion:
                shortcut = g.add(f"{group}/shortcut", c(width * expansion, 1, step), shortcut, key=f"{key}.downsample.0")
                shortcut = g.add(f"{group}/shortcut_bn", "FusedBatchNorm()", shortcut, key=f"{key}.downsample.1")
            x = g.add(f"{group}/sum", "Eltwise()", x, shortcut)
            x = g.add(f"{group}/relu", "ReLU()", x)
            channels = width * expansion
            g.fold(group)
        g.fold(f"conv{stage_ + 2}_x")
    g.fold("conv1")
    return x


def resnet(name):
    kind, counts, params = RESNETS[name]
    g = Graph()
    x = resnet_body(g, g.add("data", "Data()"), kind, counts)
    x = g.add("head/pool", GLOBAL_AVERAGE, x)
    x = g.add("head/fc", full(1000), x, key="fc")
    g.fold("head")
    ends(g, x)
    depth = name[6:]
    form = ("bottlenecks: 1 × 1, 3 × 3, 1 × 1", "瓶颈块：1 × 1、3 × 3、1 × 1") if kind == "bottleneck" else ("pairs of 3 × 3", "成对的 3 × 3")
    return project(
        g, f"ResNet-{depth}",
        f"""He, Zhang, Ren and Sun 2015, {depth} layers deep, as in their table 1: residual blocks of {form[0]}; the shortcut
        carries what came in, so that the block learns only the difference and the gradient finds a short way back. The stride
        is in the 3 × 3, as torchvision has it; {params} parameters under torchvision's names, so that its weights load.
        {STAND_IN}
        残差网络（何恺明、张祥雨、任少卿、孙剑，2015），{depth} 层，见论文表 1：残差块为{form[1]}；捷径直接传递输入，块只需学习差值，
        梯度也有了捷径可走。步幅放在 3 × 3 卷积上（与 torchvision 相同）；{params} 个参数，键名与 torchvision 一致，可直接载入其权重。
        {STAND_IN_ZH}""",
        TORCHVISION.format(r=256) + ", crop: (224, 224), mirror: true", (16, 16),
        stage(600000, 1000, "method: sgd_pytorch, base_lr: 0.1, policy: step(gamma: 0.1, stepsize: 200000), momentum: 0.9, weight_decay: 0.0001"),
    )


def cifar(shortcuts, blocks=3):
    """He et al. 2015, section 4.2: 6n + 2 layers, shortcuts of their option A (no parameters)."""
    g = Graph()
    x = g.add("data", "Data()")
    def c(out, stride_=1):
        return conv(out, 3, stride_, 1, bias=False, filler="msra_fan_out")
    x = g.add("conv1/conv", c(16), x)
    x = g.add("conv1/bn", "FusedBatchNorm()", x)
    x = g.add("conv1/relu", "ReLU()", x)
    channels = 16
    for stage_ in range(3):
        width = 16 << stage_
        for block in range(blocks):
            group = f"conv{stage_ + 2}_x/{block}"
            step = 2 if stage_ > 0 and block == 0 else 1
            shortcut = x
            x = g.add(f"{group}/conv1", c(width, step), x)
            x = g.add(f"{group}/bn1", "FusedBatchNorm()", x)
            x = g.add(f"{group}/relu1", "ReLU()", x)
            x = g.add(f"{group}/conv2", c(width), x)
            x = g.add(f"{group}/bn2", "FusedBatchNorm()", x)
            if shortcuts:
                if step != 1:
                    shortcut = g.add(f"{group}/subsample", pool("max", 1, step), shortcut)
                    zeros = g.add(f"{group}/zeros", "Power(scale: 0.0)", shortcut)
                    shortcut = g.add(f"{group}/pad_channels", "Concat()", shortcut, zeros)
                x = g.add(f"{group}/sum", "Eltwise()", x, shortcut)
            x = g.add(f"{group}/relu", "ReLU()", x)
            channels = width
            g.fold(group)
        g.fold(f"conv{stage_ + 2}_x")
    x = g.add("head/pool", GLOBAL_AVERAGE, x)
    x = g.add("head/fc", full("classes"), x)
    g.fold("conv1", "head")
    ends(g, x, top5=False)
    depth = 6 * blocks + 2
    twin = (
        ("resnet20-cifar", "its twin plain20-cifar has the same layers without shortcuts", "孪生项目 plain20-cifar 层数相同但没有捷径")
        if shortcuts else
        ("plain20-cifar", "its twin resnet20-cifar has the same layers with shortcuts", "孪生项目 resnet20-cifar 层数相同但带有捷径")
    )
    kind, kind_zh = ("residual", "残差网络") if shortcuts else ("plain", "普通网络")
    size = "with 3 channels in, 0.27 million parameters"
    return project(
        g, f"{'ResNet' if shortcuts else 'Plain network'} of {depth} layers for CIFAR",
        f"""The {kind} network of He et al. 2015, section 4.2: three stages of 16, 32 and 64 maps, two 3 × 3 convolutions a block,
        shortcuts without parameters (their option A: every second place, zeros for the new maps); {size}. {twin[1][0].upper() + twin[1][1:]}:
        compare how large the gradient of each layer is, from the first to the last, with the view “Gradients by depth” or
        `layerlab gradients`. The data are Fashion-MNIST at 32 × 32; for CIFAR-10 give its folder of binary files.
        何恺明等 2015 年论文 4.2 节的{kind_zh}：三个阶段，各 16、32、64 个特征图，每块两个 3 × 3 卷积；捷径不带参数（论文的方案 A：
        隔点取样，新增通道补零）；输入为 3 通道时约 27 万个参数。{twin[2]}：用“各层梯度”视图或 `layerlab gradients` 比较从第一层到最后一层
        的梯度大小。数据为缩放到 32 × 32 的 Fashion-MNIST；如需 CIFAR-10，请指定其二进制文件所在的文件夹。""",
        "resize: (32, 32), mean: Channel, std: Channel, mirror: true", (32, 100),
        stage(2000, 500, "method: sgd_pytorch, base_lr: 0.1, policy: multistep(gamma: 0.1, stepvalues: [1000, 1500]), momentum: 0.9, weight_decay: 0.0001"),
    )


def bilinear(kernel, stride_):
    """An enlargement by bilinear interpolation that is not trained, as in the published FCN."""
    return f"Deconvolution(num_output: 21, kernel: {pair(kernel)}, stride: {pair(stride_)}, pad: (0, 0), group: 21, bias: false, weight_filler: bilinear)"


FIXED = '"weight": (lr: 0.0, decay: 0.0)'


def fcn(stride_):
    g = Graph()
    x = vgg16_convolutions(g, g.add("data", "Data()"), "caffe", pad=100)
    for name, kernel in (("fc6", 7), ("fc7", 1)):
        x = g.add(f"{name}/conv", conv(4096, kernel), x, key=name, multipliers=TWICE)
        x = g.add(f"{name}/relu", "ReLU()", x)
        x = g.add(f"{name}/dropout", "Dropout(ratio: 0.5)", x)
        g.fold(name)
    zero = "constant(0.0)"
    x = g.add("score_fr", conv(21, 1, filler=zero), x, multipliers=TWICE)
    def skip(x, source, name, offset):
        score = g.add(f"{name}/score", conv(21, 1, filler=zero), source, key=f"score_{source.split('/')[1]}", multipliers=TWICE)
        score = g.add(f"{name}/crop", f"Crop(offset: [{offset}])", score, x)
        x = g.add(f"{name}/sum", "Eltwise()", x, score)
        g.fold(name)
        return x
    if stride_ < 32:
        x = g.add("upscore2", bilinear(4, 2), x, multipliers=FIXED)
        x = skip(x, "conv4/pool4", "skip4", 5)
    if stride_ < 16:
        x = g.add("upscore_pool4", bilinear(4, 2), x, multipliers=FIXED)
        x = skip(x, "conv3/pool3", "skip3", 9)
    name = "upscore" if stride_ == 32 else f"upscore{stride_}"
    x = g.add(name, bilinear(2 * stride_, stride_), x, multipliers=FIXED)
    x = g.add("score", f"Crop(offset: [{ {32: 19, 16: 27, 8: 31}[stride_] }])", x, "data")
    g.add("loss", "SoftmaxWithLoss(ignore_label: 255)", x, "data:1")
    g.add("accuracy", "Accuracy(ignore_label: 255)", x, "data:1", phases="test")
    g.add("mean_iou", "MeanIoU(ignore_label: 255)", x, "data:1", phases="test")
    skips = {
        32: ("predictions at stride 32, enlarged in one step", "以步幅 32 预测，一次放大"),
        16: ("predictions at stride 32 are enlarged twice, summed with those from pool4, then enlarged 16 times", "步幅 32 的预测放大 2 倍后与 pool4 的预测相加，再放大 16 倍"),
        8: ("predictions at stride 32 are enlarged and summed with those from pool4, again with those from pool3, then enlarged 8 times", "步幅 32 的预测依次放大并与 pool4、pool3 的预测相加，最后放大 8 倍"),
    }[stride_]
    return project(
        g, f"FCN-{stride_}s on VGG16",
        f"""Long, Shelhamer and Darrell 2015: VGG16 with its full connections turned into convolutions, so that it answers for every
        place; {skips[0]}. The first padding of 100 keeps small images large enough, and the crops cut off what it added:
        their offsets (19 for 32s; 5 and 27 for 16s; 5, 9 and 31 for 8s) follow from kernels, strides and padding. 21 outputs: background and the 20 classes
        of PASCAL VOC, whose layer names these are. The data are generated shapes; for PASCAL VOC give its folder.
        全卷积网络（Long、Shelhamer、Darrell，2015）：把 VGG16 的全连接层改为卷积，使每个位置都有答案；{skips[1]}。第一层补 100 圈零，
        使小图像也够大，裁剪则去掉多出的部分：偏移（32s 为 19；16s 为 5、27；8s 为 5、9、31）由卷积核、步幅与补零决定。21 个输出：
        背景与 PASCAL VOC 的 20 类，层名与原作一致。数据为生成的形状；如需 PASCAL VOC，请指定其文件夹。""",
        "color: Bgr, mean: Value([104.00699, 116.66877, 122.67892])", (1, 1),
        stage(100000, 4000, "base_lr: 0.0001, momentum: 0.99, weight_decay: 0.0005"),
        source="shapes", split="validation: 50, test: 100, seed: 1",
    )


def fcn_resnet50():
    g = Graph()
    x = resnet_body(g, g.add("data", "Data()"), *RESNETS["resnet50"][:2], prefix="backbone.", dilated=(False, True, True))
    x = g.add("head/conv", conv(512, 3, 1, 1, bias=False, filler="msra_fan_out"), x, key="classifier.0")
    x = g.add("head/bn", "FusedBatchNorm()", x, key="classifier.1")
    x = g.add("head/relu", "ReLU()", x)
    x = g.add("head/dropout", "Dropout(ratio: 0.1)", x)
    x = g.add("head/score", conv(21, 1), x, key="classifier.4")
    g.fold("head")
    x = g.add("upsample", "Upsample(mode: bilinear)", x, "data")
    g.add("loss", "SoftmaxWithLoss(ignore_label: 255)", x, "data:1")
    g.add("accuracy", "Accuracy(ignore_label: 255)", x, "data:1", phases="test")
    g.add("mean_iou", "MeanIoU(ignore_label: 255)", x, "data:1", phases="test")
    return project(
        g, "FCN on ResNet-50 (torchvision)",
        """A fully convolutional network on ResNet-50 as torchvision has it: the last two stages keep their size and spread
        their filters instead (dilation 2 and 4), so that the map stays at stride 8; two convolutions give the scores, bilinear
        interpolation brings them to the size of the image. Parameters carry torchvision's names, so that its weights load
        (its auxiliary classifier is left out). The data are generated shapes; for PASCAL VOC give its folder.
        基于 ResNet-50 的全卷积网络，与 torchvision 相同：最后两个阶段不再缩小，而以空洞卷积（扩张率 2 与 4）扩大视野，使特征图保持步幅 8；
        两个卷积给出得分，再以双线性插值放大到图像大小。参数键名与 torchvision 一致，可直接载入其权重（不含辅助分类器）。数据为生成的形状；
        如需 PASCAL VOC，请指定其文件夹。""",
        TORCHVISION.replace(", resize: ({r}, {r})", ""), (2, 2),
        stage(30000, 1000, "method: sgd_pytorch, base_lr: 0.01, policy: poly(power: 0.9), momentum: 0.9, weight_decay: 0.0001"),
        source="shapes", split="validation: 50, test: 100, seed: 1",
    )


def place(path):
    """Takes the places of the boxes from the program, and leaves a node on one line."""
    with tempfile.TemporaryDirectory() as folder:
        placed = Path(folder) / path.name
        subprocess.run([PROGRAM, "rewrite", path, placed, "--layout"], check=True, stdout=subprocess.DEVNULL)
        places = iter(re.findall(r"position: \(.*?\)", placed.read_text(encoding="utf-8")))
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(r"position: \(.*?\)", lambda _: next(places), text), encoding="utf-8")


PROJECTS = {
    "alexnet": alexnet, "alexnet-torchvision": alexnet_torchvision, "vgg16": vgg16,
    "googlenet": googlenet, "googlenet-torchvision": googlenet_torchvision, "inception-naive": inception_naive,
    **{name: lambda name=name: resnet(name) for name in RESNETS},
    "resnet20-cifar": lambda: cifar(True), "plain20-cifar": lambda: cifar(False),
    "fcn32s": lambda: fcn(32), "fcn16s": lambda: fcn(16), "fcn8s": lambda: fcn(8), "fcn-resnet50": fcn_resnet50,
}

if __name__ == "__main__":
    for name in sys.argv[1:] or PROJECTS:
        path = HERE / f"{name}.ron"
        path.write_text(PROJECTS[name](), encoding="utf-8")
        place(path)
