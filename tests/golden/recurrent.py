"""Recurrent layers and embeddings as PyTorch computes them.

    pip install torch && python tests/golden/recurrent.py
"""

import torch
import torch.nn.functional as F

from common import layer, leaf, save


def recurrent(kind, text, width, hidden, layers, last, steps=5, batch=3):
    """PyTorch's module with our parameters in the order that both use."""
    module = {"RNN": torch.nn.RNN, "LSTM": torch.nn.LSTM, "GRU": torch.nn.GRU}[kind]
    module = module(width, hidden, layers, batch_first=True)
    names = [name for name, _ in module.named_parameters()]
    params = [leaf(*value.shape, scale=0.5) for _, value in module.named_parameters()]

    def run(x, *params):
        y, _ = torch.func.functional_call(module, dict(zip(names, params)), (x,))
        return y[:, -1] if last else y

    layer(text, run, [leaf(batch, steps, width)], params)


for kind in ("RNN", "LSTM", "GRU"):
    recurrent(kind, f"{kind}(num_output: 4)", 3, 4, 1, False)
    recurrent(kind, f"{kind}(num_output: 5, num_layers: 2, output: last)", 2, 5, 2, True)
    recurrent(kind, f"{kind}(num_output: 3, num_layers: 3)", 4, 3, 3, False, steps=7, batch=1)
tokens = torch.tensor([[0.0, 3.0, 1.0], [3.0, 3.0, 2.0]])
layer("Embed(num_output: 4, input_dim: 5)", lambda x, w: F.embedding(x.long(), w), [tokens], [leaf(5, 4)])
layer("Embed(num_output: 2, input_dim: 4, bias: true)", lambda x, w, b: F.embedding(x.long(), w) + b,
      [tokens], [leaf(4, 2), leaf(2)])
layer("InnerProduct(num_output: 3, axis: 2)", F.linear, [leaf(2, 4, 5)], [leaf(3, 5), leaf(3)])
save("recurrent")
