"""The four networks of measure.ts in plain PyTorch with random weights: prints a line of JSON for each."""
import json
import sys
import time

import torch
from torch import nn

names, seconds = sys.argv[1].split(','), float(sys.argv[2])
device = 'cuda' if torch.cuda.is_available() else 'mps' if torch.backends.mps.is_available() else 'cpu'


class Encoder(nn.Module):
    """BERT or ViT: what goes in, blocks, a norm where it has one."""

    def __init__(self, width, depth, heads, vision):
        super().__init__()
        self.vision = vision
        if vision:
            self.patches = nn.Conv2d(3, width, 16, 16)
            self.token = nn.Parameter(torch.zeros(1, 1, width))
            self.positions = nn.Parameter(torch.randn(1, 197, width) * 0.02)
        else:
            self.words, self.positions = nn.Embedding(30522, width), nn.Embedding(512, width)
            self.types, self.first = nn.Embedding(2, width), nn.LayerNorm(width)
        block = nn.TransformerEncoderLayer(
            width, heads, 4 * width, 0.0, 'gelu', batch_first=True, norm_first=vision
        )
        self.blocks = nn.TransformerEncoder(block, depth, nn.LayerNorm(width) if vision else None)

    def forward(self, x):
        if self.vision:
            x = self.patches(x).flatten(2).transpose(1, 2)
            x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.positions
        else:
            place = torch.arange(x.shape[1], device=x.device)
            x = self.first(self.words(x) + self.positions(place) + self.types(torch.zeros_like(x)))
        return self.blocks(x)


class Bottleneck(nn.Module):
    def __init__(self, channels, width, stride):
        super().__init__()
        out = 4 * width

        def conv(a, b, size, step):
            return nn.Sequential(nn.Conv2d(a, b, size, step, size // 2, bias=False), nn.BatchNorm2d(b))

        self.body = nn.Sequential(
            conv(channels, width, 1, 1), nn.ReLU(), conv(width, width, 3, stride), nn.ReLU(), conv(width, out, 1, 1)
        )
        self.short = conv(channels, out, 1, stride) if stride > 1 or channels != out else nn.Identity()

    def forward(self, x):
        return torch.relu(self.body(x) + self.short(x))


def resnet50():
    layers = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    channels = 64
    for stage, (width, depth) in enumerate([(64, 3), (128, 4), (256, 6), (512, 3)]):
        for i in range(depth):
            layers.append(Bottleneck(channels, width, 2 if stage > 0 and i == 0 else 1))
            channels = 4 * width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, 1000))


def ids(batch):
    return torch.randint(0, 30000, (batch, 128))


networks = {
    'minilm': (lambda: Encoder(384, 6, 12, False), lambda: ids(8)),
    'bert-base': (lambda: Encoder(768, 12, 12, False), lambda: ids(2)),
    'resnet50': (resnet50, lambda: torch.randn(4, 3, 224, 224)),
    'vit-s/16': (lambda: Encoder(384, 12, 6, True), lambda: torch.randn(4, 3, 224, 224)),
}
wait = torch.cuda.synchronize if device == 'cuda' else torch.mps.synchronize if device == 'mps' else lambda: None

with torch.inference_mode():
    for name in names:
        model, x = networks[name][0]().eval().to(device), networks[name][1]()
        begun = time.perf_counter()
        model(x.to(device)).cpu()
        first = time.perf_counter() - begun
        times, end = [], time.perf_counter() + min(5, seconds / len(names) / 2)
        while len(times) < 3 or (time.perf_counter() < end and len(times) < 200):
            start = time.perf_counter()
            model(x.to(device)).cpu()
            wait()
            times.append(time.perf_counter() - start)
        median = sorted(times)[len(times) // 2]
        row = {'network': name, 'device': f'torch {device}', 'rate': len(x) / median, 'first': first * 1000}
        print(json.dumps(row), flush=True)
