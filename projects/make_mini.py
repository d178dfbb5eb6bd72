"""Writes the small networks of this folder that train in class; see `make.py`.

    python projects/make_mini.py [NAME …]
"""

import sys

from make import GLOBAL_AVERAGE, HERE, Graph, conv, ends, full, place, pool, project, stage

NORMALISED = "mean: Channel, std: Channel"


def relu_conv(g, name, layer, x):
    x = g.add(f"{name}/conv", layer, x)
    return g.add(f"{name}/relu", "ReLU()", x)


def norm_conv(g, name, layer, x, relu=True):
    x = g.add(f"{name}/conv", layer, x)
    x = g.add(f"{name}/bn", "FusedBatchNorm()", x)
    return g.add(f"{name}/relu", "ReLU()", x) if relu else x


def plain(out, kernel, stride_=1, pad=None):
    return conv(out, kernel, stride_, kernel // 2 if pad is None else pad, bias=False)


def head(g, x, hidden, ratio=0.5):
    x = g.add("fc6/fc", full(hidden, filler="msra"), x)
    x = g.add("fc6/relu", "ReLU()", x)
    x = g.add("fc6/dropout", f"Dropout(ratio: {ratio})", x)
    x = g.add("fc7", full("classes"), x)
    g.fold("fc6")
    ends(g, x, top5=False)


def alexnet_mini():
    g = Graph()
    x = g.add("data", "Data()")
    x = relu_conv(g, "conv1", conv(32, 5, pad=2), x)
    x = g.add("conv1/norm", "LRN(local_size: 5, alpha: 0.0001, beta: 0.75)", x)
    x = g.add("conv1/pool", pool("max", 3, 2), x)
    x = relu_conv(g, "conv2", conv(64, 5, pad=2, group=2), x)
    x = g.add("conv2/norm", "LRN(local_size: 5, alpha: 0.0001, beta: 0.75)", x)
    x = g.add("conv2/pool", pool("max", 3, 2), x)
    x = relu_conv(g, "conv3", conv(96, 3, pad=1), x)
    x = relu_conv(g, "conv4", conv(64, 3, pad=1, group=2), x)
    x = g.add("conv4/pool", pool("max", 3, 2), x)
    g.fold("conv1", "conv2", "conv3", "conv4")
    head(g, x, 256)
    return project(
        g, "AlexNet in small",
        """What is new in Krizhevsky, Sutskever and Hinton 2012, small enough to train in class: ReLUs, two groups of filters that do
        not see each other, local response normalisation, pooling whose windows overlap (3 × 3 every 2 pixels), dropout before the
        last layer, mirrored images. Switch dropout off, or take LRN out, and compare the curves.
        AlexNet（Krizhevsky、Sutskever、Hinton，2012）的新意，缩小到课堂上即可训练：ReLU、互不相连的两组卷积核、局部响应归一化、窗口重叠的池化
        （3 × 3，步幅 2）、最后一层前的 Dropout 与镜像图像。关闭 Dropout 或去掉 LRN，比较曲线。""",
        f"{NORMALISED}, crop: (25, 25), mirror: true", (32, 100),
        stage(3000, 500, "base_lr: 0.02, policy: cosine, momentum: 0.9, weight_decay: 0.0005"),
    )


def vgg_mini():
    g = Graph()
    x = g.add("data", "Data()")
    for block, width in enumerate([24, 48, 64], 1):
        group = f"conv{block}"
        for nth in (1, 2):
            x = relu_conv(g, f"{group}/{nth}", conv(width, 3, pad=1), x)
            g.fold(f"{group}/{nth}")
        x = g.add(f"{group}/pool", pool("max", 2, 2), x)
        g.fold(group)
    head(g, x, 256)
    return project(
        g, "VGG in small",
        """Simonyan and Zisserman 2014 in small: nothing but 3 × 3 convolutions, two before each pooling, twice as many maps after it.
        Two in a row see 5 × 5 pixels with fewer weights than one convolution of 5 × 5, and have a ReLU more.
        VGG（Simonyan、Zisserman，2014）的缩小版：只用 3 × 3 卷积，每次池化前两个，池化后特征图数目增加。连续两个 3 × 3 的感受野为 5 × 5，
        参数比一个 5 × 5 卷积少，还多一次 ReLU。""",
        f"{NORMALISED}, crop: (25, 25), mirror: true", (32, 100),
        stage(3000, 500, "base_lr: 0.02, policy: cosine, momentum: 0.9, weight_decay: 0.0005"),
    )


def inception(g, group, x, one, three, five, pooled):
    """Four branches side by side; the pairs are the 1 × 1 reduction and what follows it."""
    branches = [
        relu_conv(g, f"{group}/1x1", conv(one, 1), x),
        relu_conv(g, f"{group}/3x3", conv(three[1], 3, pad=1), relu_conv(g, f"{group}/3x3_reduce", conv(three[0], 1), x)),
        relu_conv(g, f"{group}/5x5", conv(five[1], 5, pad=2), relu_conv(g, f"{group}/5x5_reduce", conv(five[0], 1), x)),
        relu_conv(g, f"{group}/pool_proj", conv(pooled, 1), g.add(f"{group}/pool", pool("max", 3, 1, 1), x)),
    ]
    g.fold(group)
    return g.add(f"{group}/output", "Concat()", *branches)


def inception_mini():
    g = Graph()
    x = g.add("data", "Data()")
    x = relu_conv(g, "conv1", conv(32, 3, pad=1), x)
    x = g.add("conv1/pool", pool("max", 3, 2), x)
    x = inception(g, "inception_a", x, 16, (16, 32), (8, 16), 16)
    x = inception(g, "inception_b", x, 24, (24, 48), (8, 16), 16)
    x = g.add("pool2", pool("max", 3, 2), x)
    x = inception(g, "inception_c", x, 48, (32, 64), (12, 24), 24)
    x = g.add("head/pool", GLOBAL_AVERAGE, x)
    x = g.add("head/dropout", "Dropout(ratio: 0.3)", x)
    x = g.add("head/fc", full("classes"), x)
    g.fold("conv1", "head")
    ends(g, x, top5=False)
    return project(
        g, "Inception in small",
        """Three modules of Szegedy et al. 2014 (GoogLeNet): each looks at its input through 1 × 1, 3 × 3, 5 × 5 and pooling at once
        and puts the answers side by side; convolutions of 1 × 1 before the large ones make them cheap. The mean of each map replaces the
        full connections.
        GoogLeNet（Szegedy 等，2014）的三个 Inception 模块：每个模块同时用 1 × 1、3 × 3、5 × 5 卷积和池化观察输入，再把结果并排；大卷积前的
        1 × 1 卷积降低开销。最后以每张特征图的平均值代替全连接层。""",
        f"{NORMALISED}, crop: (25, 25), mirror: true", (32, 100),
        stage(3000, 500, "base_lr: 0.04, policy: cosine, momentum: 0.9, weight_decay: 0.0002"),
    )


def resnet_mini():
    g = Graph()
    x = norm_conv(g, "conv1", plain(16, 3), g.add("data", "Data()"))
    for nth, width in enumerate([16, 32, 64]):
        for block in range(2 if nth else 1):
            group = f"conv{nth + 2}_x/{block}"
            step = 2 if nth and not block else 1
            y = norm_conv(g, f"{group}/1", plain(width, 3, step), x)
            y = norm_conv(g, f"{group}/2", plain(width, 3), y, relu=False)
            if step > 1:
                x = norm_conv(g, f"{group}/shortcut", plain(width, 1, step), x, relu=False)
            x = g.add(f"{group}/sum", "Eltwise()", y, x)
            x = g.add(f"{group}/relu", "ReLU()", x)
            g.fold(group)
        g.fold(f"conv{nth + 2}_x")
    x = g.add("head/pool", GLOBAL_AVERAGE, x)
    x = g.add("head/fc", full("classes"), x)
    g.fold("conv1", "head")
    ends(g, x, top5=False)
    return project(
        g, "ResNet in small",
        """He et al. 2015 in small: five blocks of two 3 × 3 convolutions with batch normalisation, each of which adds what it has
        learned to what came in; where the map is halved, a 1 × 1 convolution carries the shortcut along.
        残差网络（何恺明等，2015）的缩小版：五个残差块，各含两个带批归一化的 3 × 3 卷积，把学到的残差加到输入上；特征图减半处由 1 × 1 卷积承接捷径。""",
        f"{NORMALISED}, crop: (25, 25), mirror: true", (32, 100),
        stage(2500, 500, "base_lr: 0.05, policy: cosine, momentum: 0.9, weight_decay: 0.001"),
    )


def upscore(g, name, x):
    """Twice as large by a deconvolution that begins as bilinear interpolation and learns."""
    layer = "Deconvolution(num_output: 32, kernel: (4, 4), stride: (2, 2), pad: (1, 1), group: 32, bias: false, weight_filler: bilinear)"
    return g.add(f"{name}/deconv", layer, x)


def fcn_mini():
    g = Graph()
    x = norm_conv(g, "conv1", plain(16, 3), g.add("data", "Data()"))
    x = g.add("conv1/pool", pool("max", 2, 2), x)
    x = skip2 = norm_conv(g, "conv2", plain(32, 3), x)
    x = g.add("conv2/pool", pool("max", 2, 2), x)
    x = norm_conv(g, "conv3/1", plain(64, 3), x)
    x = skip4 = norm_conv(g, "conv3/2", plain(64, 3), x)
    x = g.add("conv3/pool", pool("max", 2, 2), x)
    for nth in (1, 2, 3):
        x = norm_conv(g, f"conv4/{nth}", plain(96, 3), x)
    x = norm_conv(g, "score8", plain(32, 1), x, relu=False)
    for name, skip in (("skip4", skip4), ("skip2", skip2)):
        x = upscore(g, name, x)
        y = norm_conv(g, f"{name}/score", plain(32, 1), skip, relu=False)
        x = g.add(f"{name}/sum", "Eltwise()", x, y)
        x = g.add(f"{name}/relu", "ReLU()", x)
    x = g.add("score", conv('"classes"', 1), x)
    x = g.add("upscore", "Upsample(mode: bilinear)", x, "data")
    g.fold("conv1", "conv2", "conv3", "conv4", "score8", "skip4", "skip2")
    g.add("loss", "SoftmaxWithLoss(ignore_label: 255)", x, "data:1")
    g.add("accuracy", "Accuracy(ignore_label: 255)", x, "data:1", phases="test")
    g.add("mean_iou", "MeanIoU(ignore_label: 255)", x, "data:1", phases="test")
    return project(
        g, "A fully convolutional network in small",
        """Semantic segmentation as Long, Shelhamer and Darrell 2015 do it, in small: convolutions and pooling down to an eighth of the
        image say what is where, deconvolutions that begin as bilinear interpolation enlarge that, and two skip connections add what
        larger maps know of the edges. Every pixel gets a class, here one of six shapes or the ground.
        Watch the view “Segmentation” while it trains; cut a skip connection and see the edges blur.
        全卷积网络（Long、Shelhamer、Darrell，2015）的缩小版：卷积与池化缩小到八分之一，判断何处是何物；以双线性插值为初值的反卷积将其放大；两条跳跃
        连接补上较大特征图中的边缘信息。每个像素得到一个类别：六种形状之一或背景。训练时可观察“语义分割”视图；剪断一条跳跃连接，看边缘如何变模糊。""",
        NORMALISED, (8, 10),
        stage(2000, 500, "base_lr: 0.1, policy: cosine, momentum: 0.9, weight_decay: 0.0002"),
        source="shapes", split="validation: 100, seed: 1",
    )


def siamese_verify():
    g = Graph()
    pair = g.add("data", "Data()")
    g.add("split", "Slice()", pair)
    sides = []
    for nth, group in enumerate(["left", "right"]):
        x = "split" if nth == 0 else "split:1"
        # Equal keys are one tensor: both sides learn the same filters.
        for name, width in (("conv1", 20), ("conv2", 50)):
            x = g.add(f"{group}/{name}", conv(width, 5), x, key=name)
            x = g.add(f"{group}/pool{name[-1]}", pool("max", 2, 2), x)
        x = g.add(f"{group}/ip1", full(256), x, key="ip1")
        x = g.add(f"{group}/relu1", "ReLU()", x)
        x = g.add(f"{group}/feature", full(32), x, key="feature")
        g.fold(group)
        sides.append(x)
    g.add("loss", "ContrastiveLoss(margin: 2.0)", *sides, "data:1")
    g.add("verification", "Verification()", *sides, "data:1", phases="test")
    text = project(
        g, "Siamese network: the same or not?",
        """Verification as of faces (Chopra, Hadsell and LeCun 2005): two branches with the same weights (their nodes share parameter keys) each
        turn a digit into 32 numbers; the contrastive loss pulls the numbers of two images of one digit together and pushes others
        apart. The digits 7, 8 and 9 are in no training pair: the test asks whether two images of digits that the network has never seen
        are the same, 6,000 pairs in ten parts as in “Labeled Faces in the Wild”; the threshold for each part comes from the other nine.
        For faces give an LFW folder with --data, and its pairs.txt as the pairs' list.
        与人脸验证相同的做法（Chopra、Hadsell、LeCun，2005）：两个权重相同的分支（节点共用参数键名）各把一张数字图像变成 32 个数；对比损失把同一数字的两张图像拉近，
        把不同的推开。训练对中没有数字 7、8、9：测试判断两张从未见过的数字图像是否相同，共 6,000 对，按 LFW 分为十份，每份的阈值由其余九份确定。
        若用人脸，请以 --data 给出 LFW 文件夹，并把 pairs.txt 设为样本对列表。""",
        "scale: 0.00390625", (64, 200),
        stage(4000, 1000, "base_lr: 0.02, policy: cosine, momentum: 0.9, weight_decay: 0.0005"),
        source="digits", split="validation: 1000, seed: 1",
    )
    return text.replace("    batch: (", "    pairs: (train: 20000, test: 6000, held_back: 3),\n    batch: (")


PROJECTS = {
    "alexnet-mini": alexnet_mini, "vgg-mini": vgg_mini, "inception-mini": inception_mini,
    "resnet-mini": resnet_mini, "fcn-mini": fcn_mini,
    "siamese-verify": siamese_verify,
}

if __name__ == "__main__":
    for name in sys.argv[1:] or PROJECTS:
        path = HERE / f"{name}.ron"
        path.write_text(PROJECTS[name](), encoding="utf-8")
        place(path)
