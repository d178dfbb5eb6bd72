"""Activations, normalisations and resampling as PyTorch computes them, and Caffe's own forms by
their formula in PyTorch's operations.

    pip install torch && python tests/golden/shaping.py
"""

import torch
import torch.nn.functional as F

from common import layer, leaf, save

CAFFE = {"reference": "Caffe's formula"}

layer("ELU(alpha: 0.7)", lambda x: F.elu(x, 0.7), [leaf(3, 4)])
layer("AbsVal", torch.abs, [leaf(3, 4)])
layer("BNLL", F.softplus, [leaf(3, 4)])
layer("Power(power: 2, scale: 0.5, shift: 3)", lambda x: (3 + 0.5 * x) ** 2, [leaf(3, 4)], **CAFFE)
layer("Exp(base: 2, shift: 1)", lambda x: 2 ** (1 + x), [leaf(3, 4)], **CAFFE)
layer("Exp", torch.exp, [leaf(3, 4)])
layer("Log(base: 10, scale: 2, shift: 9)", lambda x: torch.log10(9 + 2 * x), [leaf(3, 4, scale=0.5)], **CAFFE)
layer("Threshold(threshold: 0.1)", lambda x: (x > 0.1).double(), [leaf(3, 4)], **CAFFE)
layer("PReLU", F.prelu, [leaf(2, 3, 2, 2)], [leaf(3)])
layer("PReLU(channel_shared: true)", F.prelu, [leaf(2, 3, 4)], [leaf(1)])
layer("Maxout(pieces: 3)", lambda x: torch.stack(x.chunk(3, 1)).amax(0), [leaf(2, 6, 2, 2)])


def lrn_within(x, size, alpha, beta):
    mean = F.avg_pool2d(x * x, size, 1, size // 2)
    return x / (1 + alpha * mean) ** beta


layer("LRN(alpha: 0.3, k: 2)", lambda x: F.local_response_norm(x, 5, 0.3, 0.75, 2), [leaf(2, 7, 3, 2)])
layer("LRN(local_size: 3, norm_region: within_channel, beta: 0.5)",
      lambda x: lrn_within(x, 3, 1, 0.5), [leaf(2, 2, 4, 5)], **CAFFE)
layer("MVN", lambda x: (x - x.mean((2, 3), keepdim=True)) / (x.std((2, 3), correction=0, keepdim=True) + 1e-9),
      [leaf(2, 3, 2, 3)], **CAFFE)

for shape in ((3, 4, 2, 3), (6, 4)):
    x, axes = leaf(*shape), [i for i in range(len(shape)) if i != 1]
    weight, bias, mean, var = leaf(4), leaf(4), torch.randn(4), torch.rand(4) + 0.5
    new_mean, new_var = mean.clone(), var.clone()
    F.batch_norm(x, new_mean, new_var, weight, bias, True, 0.1, 1e-5)
    layer("FusedBatchNorm", lambda x, w, b, m, v: F.batch_norm(x, m.clone(), v.clone(), w, b, True, 0.1, 1e-5),
          [x], [weight, bias, mean, var], buffers={2: new_mean, 3: new_var})
    layer("FusedBatchNorm", lambda x, w, b, m, v: F.batch_norm(x, m, v, w, b), [x], [weight, bias, mean, var],
          phase="test")
    factor = torch.tensor([2.5])
    buffers = {0: 0.9 * mean + x.mean(axes), 1: 0.9 * var + x.var(axes), 2: 0.9 * factor + 1}
    layer("BatchNorm(moving_average_fraction: 0.9)", lambda x, m, v, f: F.batch_norm(x, None, None, training=True),
          [x], [mean, var, factor], buffers=buffers, **CAFFE)
    layer("BatchNorm", lambda x, m, v, f: F.batch_norm(x, m / f, v / f), [x], [mean, var, factor], phase="test",
          **CAFFE)

layer("Scale(bias_term: true)", lambda x, w, b: x * w[:, None, None] + b[:, None, None],
      [leaf(2, 3, 2, 2)], [leaf(3), leaf(3)], **CAFFE)
layer("Scale(axis: 0)", lambda x, w: x * w[..., None], [leaf(2, 3, 4), leaf(2, 3)], **CAFFE)
layer("Bias", lambda x, b: x + b[:, None, None], [leaf(2, 3, 2, 2)], [leaf(3)], **CAFFE)

layer("Deconvolution(num_output: 6, kernel: (3, 4), stride: (2, 3), pad: (1, 2), dilation: (2, 1), group: 2)",
      lambda x, w, b: F.conv_transpose2d(x, w, b, (2, 3), (1, 2), 0, 2, (2, 1)),
      [leaf(2, 4, 3, 5)], [leaf(4, 3, 3, 4), leaf(6)])
layer("Upsample(scale: 3)", lambda x: F.interpolate(x, scale_factor=3), [leaf(2, 3, 2, 3)])
layer("Upsample(size: (5, 7))", lambda x: F.interpolate(x, (5, 7)), [leaf(2, 1, 3, 4)])
layer("Upsample(mode: bilinear)", lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"), [leaf(2, 2, 3, 4)])
layer("Upsample(mode: bilinear, align_corners: true, size: (7, 3))",
      lambda x: F.interpolate(x, (7, 3), mode="bilinear", align_corners=True), [leaf(2, 2, 3, 4)])
layer("Crop(offset: [1, 2])", lambda x, like: x[:, :, 1:4, 2:6], [leaf(2, 2, 5, 7), leaf(2, 2, 3, 4)], **CAFFE)
layer("SpatialPyramidPool",
      lambda x: torch.cat([F.adaptive_max_pool2d(x, n).flatten(1) for n in (1, 2, 4)], 1), [leaf(2, 3, 8, 4)])
layer("Upsample(mode: bilinear)",
      lambda x, like: F.interpolate(x, like.shape[2:], mode="bilinear"), [leaf(2, 2, 3, 4), leaf(2, 1, 7, 9)])
save("shaping")
