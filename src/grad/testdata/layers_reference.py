"""Gradients of layers by PyTorch, written to layers.json. Run: python layers_reference.py (torch 2)."""
import json
import math
import os

import numpy as np
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


def numbers(shape, seed=0, low=-1.0, high=1.0):
    """The same as `numbers` in testing/check.ts."""
    i = np.arange(1, math.prod(shape) + 1, dtype=np.float64)
    x = np.sin(i * 12.9898 + seed * 78.233) * 43758.5453
    return torch.tensor(low + (high - low) * (x - np.floor(x))).reshape(shape)


# PyTorch's gates in ONNX's order: weights are given in ONNX's, and read in PyTorch's.
def lstm_rows(w):
    i, o, f, c = w.chunk(4)
    return torch.cat([i, f, c, o])


def gru_rows(w):
    z, r, h = w.chunk(3)
    return torch.cat([r, z, h])


def recurrent(kind, rows, x, w, r, b, h0, c0=None):
    layer = {"LSTM": torch.nn.LSTM, "GRU": torch.nn.GRU, "RNN": torch.nn.RNN}[kind]
    options = {"nonlinearity": "relu"} if kind == "RNN" else {}
    module = layer(x.shape[2], r.shape[2], bidirectional=True, **options)
    names = {}
    for d, suffix in enumerate(["", "_reverse"]):
        bw, br = b[d].chunk(2)
        names[f"weight_ih_l0{suffix}"] = rows(w[d])
        names[f"weight_hh_l0{suffix}"] = rows(r[d])
        names[f"bias_ih_l0{suffix}"] = rows(bw)
        names[f"bias_hh_l0{suffix}"] = rows(br)
    state = h0 if c0 is None else (h0, c0)
    y, last = torch.func.functional_call(module, names, (x, state))
    steps, batch, _ = y.shape
    y = y.reshape(steps, batch, 2, -1).transpose(1, 2)
    return (y, last) if c0 is None else (y, *last)


def running(channels):
    return torch.zeros(channels), torch.ones(channels)


CASES = {
    # F.conv2d(x, w, b, stride=2, padding=1)
    "conv": (lambda x, w, b: F.conv2d(x, w, b, stride=2, padding=1), [[2, 3, 7, 8], [4, 3, 3, 3], [4]]),
    "conv dense": (lambda x, w, b: F.conv2d(x, w, b, padding=1), [[2, 8, 5, 6], [8, 8, 3, 3], [8]]),
    "conv grouped": (lambda x, w: F.conv2d(x, w, dilation=2, groups=2, padding=1), [[2, 4, 7, 7], [6, 2, 3, 3]]),
    "conv depthwise": (lambda x, w: F.conv2d(x, w, groups=4, padding=1), [[2, 4, 6, 6], [4, 1, 3, 3]]),
    "conv patches": (lambda x, w, b: F.conv2d(x, w, b, stride=4), [[2, 3, 8, 8], [5, 3, 4, 4], [5]]),
    "conv 1d": (lambda x, w: F.conv1d(x, w, padding=2), [[2, 3, 9], [2, 3, 5]]),
    "conv 3d": (lambda x, w: F.conv3d(x, w, stride=2), [[1, 2, 4, 5, 5], [2, 2, 2, 2, 2]]),
    # F.conv_transpose2d(x, w, b, stride=2, padding=1, output_padding=1)
    "conv transposed": (
        lambda x, w, b: F.conv_transpose2d(x, w, b, stride=2, padding=1, output_padding=1),
        [[2, 3, 4, 5], [3, 2, 3, 3], [2]],
    ),
    # F.max_pool2d(x, 3, 2, 1) of x = relu(…): ties among zeros
    "max pool": (lambda x: F.max_pool2d(x, 3, 2, 1), [[2, 3, 8, 8]]),
    "average pool": (lambda x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True, count_include_pad=False), [[2, 2, 6, 6]]),
    "average pool padded": (lambda x: F.avg_pool2d(x, 3, 2, 1), [[2, 2, 6, 6]]),
    "global average pool": (lambda x: F.adaptive_avg_pool2d(x, 1), [[2, 3, 4, 4]]),
    "global max pool": (lambda x: F.adaptive_max_pool2d(x, 1), [[2, 3, 4, 4]]),
    # F.batch_norm(x, mean, var, w, b, training=True)
    "batch norm training": (
        lambda x, w, b: F.batch_norm(x, *running(3), w, b, training=True),
        [[4, 3, 5, 5], [3], [3]],
    ),
    "batch norm": (lambda x, w, b: F.batch_norm(x, *running(3), w, b), [[4, 3, 5, 5], [3], [3]]),
    "layer norm": (lambda x, w, b: F.layer_norm(x, [4, 6], w, b), [[2, 5, 4, 6], [4, 6], [4, 6]]),
    "group norm": (lambda x, w, b: F.group_norm(x, 2, w, b), [[2, 4, 3, 3], [4], [4]]),
    "instance norm": (lambda x, w, b: F.instance_norm(x, weight=w, bias=b), [[2, 3, 4, 4], [3], [3]]),
    # F.interpolate(x, size, mode=..., align_corners=...)
    "bilinear": (lambda x: F.interpolate(x, (7, 3), mode="bilinear"), [[2, 2, 4, 5]]),
    "bilinear corners": (lambda x: F.interpolate(x, (7, 3), mode="bilinear", align_corners=True), [[2, 2, 4, 5]]),
    "bicubic": (lambda x: F.interpolate(x, (7, 3), mode="bicubic"), [[2, 2, 4, 5]]),
    "nearest": (lambda x: F.interpolate(x, (7, 3), mode="nearest"), [[2, 2, 4, 5]]),
    "pixel shuffle": (lambda x: F.pixel_shuffle(x, 2), [[2, 8, 3, 2]]),
    # torch.nn.LSTM(3, 2, bidirectional=True)(x, (h0, c0)); GRU; RNN(nonlinearity="relu")
    "lstm": (
        lambda *xs: recurrent("LSTM", lstm_rows, *xs),
        [[4, 2, 3], [2, 8, 3], [2, 8, 2], [2, 16], [2, 2, 2], [2, 2, 2]],
    ),
    "gru": (lambda *xs: recurrent("GRU", gru_rows, *xs), [[4, 2, 3], [2, 6, 3], [2, 6, 2], [2, 12], [2, 2, 2]]),
    "rnn": (lambda *xs: recurrent("RNN", lambda w: w, *xs), [[4, 2, 3], [2, 2, 3], [2, 2, 2], [2, 4], [2, 2, 2]]),
}

results = {}
for name, (layer, shapes) in CASES.items():
    drawn = [numbers(shape, seed) for seed, shape in enumerate(shapes)]
    inputs = [(F.relu(x) if name == "max pool" else x).requires_grad_() for x in drawn]
    made = layer(*inputs)
    outputs = made if isinstance(made, tuple) else (made,)
    loss = sum((y * numbers(y.shape, 20 + i)).sum() for i, y in enumerate(outputs))
    loss.backward()
    results[name] = {
        "shapes": shapes,
        "gradients": [[float(f"{g:.7g}") for g in x.grad.flatten().tolist()] for x in inputs],
    }

path = os.path.join(os.path.dirname(__file__), "layers.json")
with open(path, "w") as file:
    file.write("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in results.items()) + "\n}\n")
