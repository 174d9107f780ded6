"""Single layers in PyTorch for rules.ts: a name a line on standard input, milliseconds of one run forward and backward as the answer."""
import sys
import time

import torch
import torch.nn.functional as F

torch.set_num_threads(int(sys.argv[1]))


def recurrent(kind):
    layer = kind(64, 128)
    return lambda x, *_: layer(x)[0], [[32, 32, 64]], list(layer.parameters())


WORKS = {
    "conv LeNet 1": (lambda x, w: F.conv2d(x, w, padding=2), [[128, 1, 28, 28], [6, 1, 5, 5]]),
    "conv LeNet 2": (lambda x, w: F.conv2d(x, w), [[128, 6, 14, 14], [16, 6, 5, 5]]),
    "conv ResNet-20 16": (lambda x, w: F.conv2d(x, w, padding=1), [[64, 16, 32, 32], [16, 16, 3, 3]]),
    "conv ResNet-20 16 to 32": (lambda x, w: F.conv2d(x, w, stride=2, padding=1), [[64, 16, 32, 32], [32, 16, 3, 3]]),
    "conv ResNet-20 32": (lambda x, w: F.conv2d(x, w, padding=1), [[64, 32, 16, 16], [32, 32, 3, 3]]),
    "conv ResNet-20 64": (lambda x, w: F.conv2d(x, w, padding=1), [[64, 64, 8, 8], [64, 64, 3, 3]]),
    "conv 1x1": (lambda x, w: F.conv2d(x, w), [[8, 256, 28, 28], [64, 256, 1, 1]]),
    "conv patches": (lambda x, w: F.conv2d(x, w, stride=16), [[32, 3, 96, 96], [192, 3, 16, 16]]),
    "conv depthwise": (lambda x, w: F.conv2d(x, w, padding=1, groups=96), [[32, 96, 28, 28], [96, 1, 3, 3]]),
    "conv transposed": (lambda x, w: F.conv_transpose2d(x, w, stride=2, padding=1), [[16, 32, 16, 16], [32, 16, 4, 4]]),
    "max pool 3, 2": (lambda x: F.max_pool2d(x, 3, 2, 1), [[64, 64, 32, 32]]),
    "max pool 2, 2": (lambda x: F.max_pool2d(x, 2, 2), [[64, 64, 32, 32]]),
    "average pool 2, 2": (lambda x: F.avg_pool2d(x, 2, 2), [[64, 64, 32, 32]]),
    "batch norm": (lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True), [[64, 64, 16, 16], [64], [64]]),
    "layer norm": (lambda x, w, b: F.layer_norm(x, [192], w, b), [[4096, 192], [192], [192]]),
    "bilinear": (lambda x: F.interpolate(x, (56, 56), mode="bilinear"), [[16, 32, 28, 28]]),
    "lstm": recurrent(torch.nn.LSTM),
    "gru": recurrent(torch.nn.GRU),
}
made = {}


def prepare(name):
    layer, shapes, *more = WORKS[name]
    inputs = [(0.1 * torch.randn(shape)).requires_grad_() for shape in shapes]
    return layer, inputs, inputs + (more[0] if more else [])


for line in sys.stdin:
    name = line.rstrip("\n")
    if name not in made:
        made.clear()
        made[name] = prepare(name)
    layer, inputs, leaves = made[name]
    start = time.perf_counter()
    y = layer(*inputs)
    torch.autograd.grad((y * y).sum(), leaves)
    print(1000 * (time.perf_counter() - start), flush=True)
