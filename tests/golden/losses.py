"""Losses and structure layers as PyTorch computes them, and Caffe's own forms by their formula in
PyTorch's operations.

    pip install torch && python tests/golden/losses.py
"""

import torch
import torch.nn.functional as F

from common import labels, layer, leaf, save

CAFFE = {"reference": "Caffe's formula"}


def with_ignored(y, label):
    """The same labels with this one at a third of the places."""
    y = y.clone()
    y.view(-1)[::3] = label
    return y


def one_hot(y, classes):
    """Labels (N, …) as (N, classes, …)."""
    return F.one_hot(y, classes).movedim(-1, 1).double()


# Softmax and its losses.
layer("Softmax(axis: -1)", lambda x: F.softmax(x, -1), [leaf(2, 3, 2, 4)])
layer("Softmax(axis: 2)", lambda x: F.softmax(x, 2), [leaf(2, 3, 2, 4)])
y = with_ignored(labels(4, 2, 3, 2), 255)
layer("SoftmaxWithLoss(ignore_label: 255)", lambda x, y: F.cross_entropy(x, y, ignore_index=255), [leaf(2, 4, 3, 2), y])
layer("SoftmaxWithLoss(ignore_label: 255, normalization: full)",
      lambda x, y: F.cross_entropy(x, y, ignore_index=255, reduction="sum") / y.numel(), [leaf(2, 4, 3, 2), y])
layer("SoftmaxWithLoss(ignore_label: 255, normalization: batch_size)",
      lambda x, y: F.cross_entropy(x, y, ignore_index=255, reduction="sum") / y.shape[0], [leaf(2, 4, 3, 2), y])
layer("SoftmaxWithLoss(ignore_label: 255, normalization: none)",
      lambda x, y: F.cross_entropy(x, y, ignore_index=255, reduction="sum"), [leaf(2, 4, 3, 2), y])
layer("SoftmaxWithLoss(axis: 2, ignore_label: 1)",
      lambda x, y: F.cross_entropy(x.transpose(1, 2), y, ignore_index=1), [leaf(2, 3, 4), labels(4, 2, 3)])
layer("SoftmaxWithLoss(ignore_label: 255)", lambda x, y: (x * 0).sum(), [leaf(3, 4), torch.full((3,), 255)], **CAFFE)
p = F.softmax(torch.randn(5, 4), 1).requires_grad_()
layer("MultinomialLogisticLoss", lambda p, y: F.nll_loss(p.log(), y), [p, labels(4, 5)])
p = F.softmax(torch.randn(2, 4, 3), 1).requires_grad_()
layer("MultinomialLogisticLoss", lambda p, y: F.nll_loss(p.log(), y), [p, labels(4, 2, 3)])


def infogain(x, y, h, axis, divide, ignore=None):
    log_p = F.log_softmax(x, axis).movedim(axis, -1)
    rows = h[y.clamp(max=h.shape[0] - 1)]
    kept = torch.ones_like(y) if ignore is None else (y != ignore)
    return -(rows * log_p * kept.unsqueeze(-1)).sum() / divide


h = torch.tensor([[1, 0.25, -0.5], [0, 2, 0.125], [0.5, 0, 1.5]])
text = "matrix: [1, 0.25, -0.5, 0, 2, 0.125, 0.5, 0, 1.5]"
layer("InfogainLoss", F.cross_entropy, [leaf(5, 4), labels(4, 5)])
layer(f"InfogainLoss({text})", lambda x, y: infogain(x, y, h, 1, 5), [leaf(5, 3), labels(3, 5)], **CAFFE)
y = with_ignored(labels(3, 2, 2, 2), 7)
layer(f"InfogainLoss({text}, ignore_label: 7)", lambda x, y: infogain(x, y, h, 1, (y != 7).sum(), 7),
      [leaf(2, 3, 2, 2), y], **CAFFE)
layer("InfogainLoss(axis: 2, normalization: batch_size)",
      lambda x, y, h: infogain(x, y, h.view(3, 3), 2, y.numel()),
      [leaf(2, 4, 3), labels(3, 2, 4), leaf(1, 1, 3, 3)], **CAFFE)

# Sigmoid cross entropy: each target counts but −1.
t = torch.rand(4, 3).requires_grad_()
bce = F.binary_cross_entropy_with_logits
layer("SigmoidCrossEntropyLoss", lambda x, t: bce(x, t, reduction="sum") / 4, [leaf(4, 3, scale=5), t])
layer("SigmoidCrossEntropyLoss(normalization: full)", bce, [leaf(4, 3), t])
layer("SigmoidCrossEntropyLoss(normalization: none)", lambda x, t: bce(x, t, reduction="sum"), [leaf(4, 3), t])
t = torch.tensor([[0.0, 1.0, -1.0], [-1.0, 1.0, 0.0]])
layer("SigmoidCrossEntropyLoss(normalization: valid, ignore_label: [-1])",
      lambda x, t: bce(x, t, weight=(t != -1).double(), reduction="sum") / 4, [leaf(2, 3), t])
layer("SigmoidCrossEntropyLoss(ignore_label: [-1])",
      lambda x, t: bce(x, t, weight=(t != -1).double(), reduction="sum") / 2, [leaf(2, 3), t])
layer("SigmoidCrossEntropyLoss", lambda x, t: bce(x, t, reduction="sum") / 2,
      [leaf(2, 3, scale=800), torch.ones(2, 3)])


# Margins.
def hinge(x, y, power):
    sides = 1 - 2 * one_hot(y, x.shape[1])
    return ((1 + sides * x).clamp(min=0) ** power).sum() / y.numel()


layer("HingeLoss", lambda x, y: hinge(x, y, 1), [leaf(5, 4), labels(4, 5)], **CAFFE)
layer("HingeLoss(norm: l2)", lambda x, y: hinge(x, y, 2), [leaf(5, 4), labels(4, 5)], **CAFFE)
layer("HingeLoss(norm: l2)", lambda x, y: hinge(x, y, 2), [leaf(2, 4, 3), labels(4, 2, 3)], **CAFFE)


def contrastive(a, b, similar, margin, legacy=False):
    square = ((a - b) ** 2).flatten(1).sum(1)
    apart = (margin - square).clamp(min=0) if legacy else (margin - square.sqrt()).clamp(min=0) ** 2
    return torch.where(similar > 0, square, apart).sum() / 2 / len(similar)


layer("ContrastiveLoss(margin: 3)", lambda a, b, s: contrastive(a, b, s, 3), [leaf(6, 4), leaf(6, 4), labels(2, 6)],
      **CAFFE)
layer("ContrastiveLoss(margin: 2, legacy_version: true)", lambda a, b, s: contrastive(a, b, s, 2, True),
      [leaf(6, 2, 2, scale=0.5), leaf(6, 2, 2, scale=0.5), labels(2, 6)], **CAFFE)
layer("ContrastiveLoss", lambda a, b, s: contrastive(a, b, s, 1),
      [leaf(6, 3, scale=0.3), leaf(6, 3, scale=0.3), labels(2, 6)], **CAFFE)

# Distances.
layer("SmoothL1Loss", lambda a, b: F.smooth_l1_loss(a, b, reduction="sum") / 4, [leaf(4, 3), leaf(4, 3)])
layer("SmoothL1Loss(sigma: 3)", lambda a, b: F.smooth_l1_loss(a, b, beta=1 / 9, reduction="sum") / 2,
      [leaf(2, 3, 2, 2, scale=0.2), leaf(2, 3, 2, 2, scale=0.2)])
layer("SmoothL1Loss(sigma: 2)",
      lambda a, b, i, o: (o * F.smooth_l1_loss(i * a, i * b, beta=0.25, reduction="none")).sum() / 4,
      [leaf(4, 3), leaf(4, 3), leaf(4, 3), leaf(4, 3)])

# Structure.
layer("Flatten(axis: 0, end_axis: -2)", lambda x: x.flatten(0, -2), [leaf(2, 3, 2, 4)])
layer("Flatten(axis: -3, end_axis: 2)", lambda x: x.flatten(1, 2), [leaf(2, 3, 2, 4)])
layer("Reshape(shape: [0, 2, -1, 0])", lambda x: x.reshape(3, 2, 6, 2), [leaf(3, 4, 3, 2)])
layer("Reshape(shape: [2, -1], axis: 1, num_axes: 1)", lambda x: x.unflatten(1, (2, 3)), [leaf(2, 6, 2)])
layer("Reshape(shape: [1, 1], axis: -1, num_axes: 0)", lambda x: x[..., None, None], [leaf(2, 3)])
layer("Slice", lambda x: tuple(x.chunk(2, 1)), [leaf(2, 4, 3)])
layer("Slice(axis: -1, parts: 3)", lambda x: tuple(x.chunk(3, -1)), [leaf(2, 2, 6)])
layer("Slice(slice_point: [1, 4], axis: 1)", lambda x: tuple(x.split((1, 3, 2), 1)), [leaf(2, 6, 2, 2)])
layer("Slice(slice_point: [2], axis: 0)", lambda x: tuple(x.split((2, 3), 0)), [leaf(5, 3)])
layer("Concat(axis: 0)", lambda *x: torch.cat(x, 0), [leaf(2, 3), leaf(1, 3)])
layer("Concat(axis: -1)", lambda *x: torch.cat(x, -1), [leaf(2, 3, 2), leaf(2, 3, 1)])
layer("Tile(axis: 2, tiles: 3)", lambda x: x.repeat(1, 1, 3), [leaf(2, 3, 2)])
layer("Tile(axis: 0)", lambda x: x.repeat(2, 1), [leaf(2, 3)])
layer("Reduction", lambda x: x.sum(), [leaf(2, 3, 2)])
layer("Reduction(operation: asum, axis: 1, coeff: 0.5)", lambda x: 0.5 * x.abs().sum((1, 2)), [leaf(2, 3, 2)])
layer("Reduction(operation: sumsq, axis: -1)", lambda x: x.square().sum(-1), [leaf(2, 3, 2)])
layer("Reduction(operation: mean, axis: 2, coeff: -2)", lambda x: -2 * x.mean((2, 3)), [leaf(2, 3, 2, 2)])


def top(x, k, axis, what):
    return getattr(x.topk(k, axis), what)


layer("ArgMax", lambda x: x.flatten(1).argmax(1).double().view(2, 1, 1, 1), [leaf(2, 3, 2, 2)])
layer("ArgMax(axis: 1, top_k: 2)", lambda x: top(x, 2, 1, "indices").double(), [leaf(2, 5, 3)])
layer("ArgMax(axis: 1, top_k: 2, out_max_val: true)", lambda x: top(x, 2, 1, "values"), [leaf(2, 5, 3)])
layer("ArgMax(top_k: 3, out_max_val: true)",
      lambda x: torch.stack([top(x, 3, 1, "indices").double(), top(x, 3, 1, "values")], 1), [leaf(2, 5)])
layer("BatchReindex", lambda x, i: x[i], [leaf(3, 2, 2), torch.tensor([2, 0, 2, 1, 0])])
layer("Silence", lambda *x: (), [leaf(2, 3), leaf(4)])

# Shapes of the other scripts' layers that they leave out.
layer("SpatialPyramidPool(pool: average)",
      lambda x: torch.cat([F.adaptive_avg_pool2d(x, n).flatten(1) for n in (1, 2, 4)], 1), [leaf(2, 3, 8, 4)])
layer("Crop(axis: 1, centred: true)", lambda x, like: x[:, 1:3, 1:4, 2:5], [leaf(2, 4, 5, 7), leaf(2, 2, 3, 3)],
      reference="PyTorch's slices")
save("losses")
