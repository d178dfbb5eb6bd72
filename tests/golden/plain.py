"""The layers that take no special function: as PyTorch computes them.

    pip install torch && python tests/golden/plain.py
"""

import torch
import torch.nn.functional as F

from common import labels, layer, leaf, save

layer("ReLU", F.relu, [leaf(3, 4)])
layer("ReLU(negative_slope: 0.2)", lambda x: F.leaky_relu(x, 0.2), [leaf(2, 3, 2, 2)])
layer("Sigmoid", torch.sigmoid, [leaf(3, 4)])
layer("TanH", torch.tanh, [leaf(3, 4)])
layer("Softmax", lambda x: F.softmax(x, 1), [leaf(2, 5, 3, 2)])
layer("Flatten", lambda x: x.flatten(1), [leaf(2, 3, 2, 2)])
layer("Concat", lambda *x: torch.cat(x, 1), [leaf(2, 3, 2, 2), leaf(2, 1, 2, 2), leaf(2, 4, 2, 2)])
layer("Eltwise(coeff: [1, -0.5])", lambda a, b: a - 0.5 * b, [leaf(2, 3), leaf(2, 3)])
layer("Eltwise(operation: prod)", lambda a, b, c: a * b * c, [leaf(2, 3), leaf(2, 3), leaf(2, 3)])
layer("Eltwise(operation: max)", torch.maximum, [leaf(2, 3), leaf(2, 3)])
layer("Dropout", lambda x: x * 1.0, [leaf(2, 3)], phase="test")
layer("InnerProduct(num_output: 4)", lambda x, w, b: F.linear(x.flatten(1), w, b),
      [leaf(2, 3, 2, 2)], [leaf(4, 12), leaf(4)])
layer("Convolution(num_output: 4, kernel: (3, 2), stride: (2, 1), pad: (1, 2), dilation: (1, 2), group: 2)",
      lambda x, w, b: F.conv2d(x, w, b, (2, 1), (1, 2), (1, 2), 2),
      [leaf(2, 4, 7, 6)], [leaf(4, 2, 3, 2), leaf(4)])
layer("Pooling(kernel: (3, 3), stride: (2, 2))", lambda x: F.max_pool2d(x, 3, 2, ceil_mode=True), [leaf(2, 3, 7, 6)])
layer("Pooling(method: average, kernel: (3, 2), stride: (2, 2), pad: (1, 0))",
      lambda x: F.avg_pool2d(x, (3, 2), 2, (1, 0), ceil_mode=True), [leaf(2, 3, 7, 6)])
layer("Pooling(method: average, global: true)", lambda x: x.mean((2, 3), keepdim=True), [leaf(2, 3, 4, 5)])
layer("SoftmaxWithLoss", F.cross_entropy, [leaf(5, 4), labels(4, 5)])
layer("SoftmaxWithLoss(axis: 2)", lambda x, y: F.cross_entropy(x.transpose(1, 2), y), [leaf(2, 3, 4), labels(4, 2, 3)])
layer("EuclideanLoss", lambda a, b: ((a - b) ** 2).sum() / 2 / a.shape[0], [leaf(4, 3), leaf(4, 3)])
save("plain")
