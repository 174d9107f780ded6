"""
SimCLR with lightly's loss on the emoji of all artists but one, as the recipe `simclr` trains it: the same network, projection head,
augmentations, optimiser, schedule and steps.

    python simclr_lightly.py PICTURES --write vectors.json [--epochs 40 …]      # see simclr.ts
    python simclr_lightly.py PICTURES --pack emoji.npz                          # decodes alone: needs Pillow
    python simclr_lightly.py emoji.npz --device cuda --workers 8                # where there is no Pillow and no picture

PICTURES is a folder <artist>/<group>/<picture>. lightly need not be installed: its package's folder `lightly` in a folder of PYTHONPATH is
enough, without what it depends on.
"""

import argparse
import json
import math
import sys
import time
import types
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torchvision.transforms import v2

parser = argparse.ArgumentParser()
parser.add_argument("pictures")
parser.add_argument("--held", default="openmoji")
parser.add_argument("--pack", help="write the decoded pictures and stop")
parser.add_argument("--write", help="write a vector for each picture as JSON")
parser.add_argument("--model", default="resnet8")
parser.add_argument("--size", type=int, default=32)
parser.add_argument("--epochs", type=int, default=40)
parser.add_argument("--batch", type=int, default=128)
parser.add_argument("--lr", type=float, default=2e-3)
parser.add_argument("--temperature", type=float, default=0.2)
parser.add_argument("--minimum-scale", type=float, default=0.2)
parser.add_argument("--strength", type=float, default=0.5)
parser.add_argument("--grey", type=float, default=0.2)
parser.add_argument("--blur", type=float, default=0.5)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--device", default="cpu")
parser.add_argument("--workers", type=int, default=0)
parser.add_argument("--threads", type=int, default=2)
args = parser.parse_args()


def ntxent():
    try:
        from lightly.loss import NTXentLoss
    except ImportError:
        # Its packages without what they import: the loss itself needs few of its files, and torch alone.
        root = next(path for path in (Path(each) / "lightly" for each in sys.path) if (path / "loss").is_dir())
        for name in [n for n in sys.modules if n.split(".")[0] == "lightly"]:
            del sys.modules[name]
        for name in ("", "loss", "models", "models/modules", "utils"):
            package = types.ModuleType("/".join(["lightly", name]).strip("/").replace("/", "."))
            package.__path__ = [str(root / name)]
            sys.modules[package.__name__] = package
        from lightly.loss.ntx_ent_loss import NTXentLoss
    return NTXentLoss


def decoded(folder):
    """All pictures in the sizes of training (a quarter larger) and of embedding."""
    from PIL import Image

    paths = sorted(Path(folder).glob("*/*/*.png"))
    images = [Image.open(path).convert("RGB") for path in paths]
    in_size = lambda side: np.stack([np.asarray(i.resize((side, side), Image.BILINEAR)) for i in images])
    names = [str(path.relative_to(folder)) for path in paths]
    return {"names": np.array(names), "train": in_size(round(args.size * 1.25)), "plain": in_size(args.size)}


class BasicBlock(nn.Module):
    def __init__(self, into, out, stride, projects=False):
        super().__init__()
        self.conv1 = nn.Conv2d(into, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.stride, self.more = stride, out - into
        self.projects = projects and (stride > 1 or out != into)
        if self.projects:
            self.downsample = nn.Sequential(nn.Conv2d(into, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.projects:
            x = self.downsample(x)
        elif self.stride > 1 or self.more:
            half = self.more // 2
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, half, self.more - half))
        return F.relu(x + y)


def cifar(depth, channels=(16, 32, 64)):
    """He's networks for CIFAR, without the classifier."""
    stages, into = [], channels[0]
    for stage, out in enumerate(channels):
        for block in range((depth - 2) // 6):
            stages.append(BasicBlock(into, out, 2 if stage > 0 and block == 0 else 1))
            into = out
    stem = [nn.Conv2d(3, channels[0], 3, 1, 1, bias=False), nn.BatchNorm2d(channels[0]), nn.ReLU()]
    model = nn.Sequential(*stem, *stages, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
    return model, channels[-1]


def resnet8(channels=(64, 128, 256)):
    """Our own preset: one block a stage behind the usual stem."""
    stem = [nn.Conv2d(3, channels[0], 7, 2, 3, bias=False), nn.BatchNorm2d(channels[0]), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    stages = [BasicBlock(channels[max(0, i - 1)], out, 2 if i else 1, projects=True) for i, out in enumerate(channels)]
    model = nn.Sequential(*stem, *stages, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return model, channels[-1]


def network():
    if args.model == "resnet8":
        return resnet8()
    if args.model.endswith("_cifar"):
        return cifar(int(args.model[len("resnet") : -len("_cifar")]))
    import timm

    model = timm.create_model(args.model, num_classes=0)
    return model, model.num_features


def head(features, out=128):
    return nn.Sequential(
        nn.Linear(features, features, bias=False),
        nn.BatchNorm1d(features),
        nn.ReLU(),
        nn.Linear(features, out, bias=False),
        nn.BatchNorm1d(out),
    )


class Views(torch.utils.data.Dataset):
    def __init__(self, pixels):
        self.pixels = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()
        jitter = [most * args.strength for most in (0.8, 0.8, 0.8, 0.2)]
        kernel = 2 * (args.size // 10 // 2) + 1
        self.augment = v2.Compose(
            [
                v2.ToDtype(torch.float32, scale=True),
                v2.RandomResizedCrop(args.size, scale=(args.minimum_scale, 1), antialias=True),
                v2.RandomHorizontalFlip(0.5),
                v2.RandomApply([v2.ColorJitter(*jitter)], p=0.8),
                v2.RandomGrayscale(args.grey),
                v2.RandomApply([v2.GaussianBlur(kernel, (0.1, 2))], p=args.blur),
                v2.Normalize([0.5] * 3, [0.5] * 3),
            ]
        )

    def __len__(self):
        return len(self.pixels)

    def __getitem__(self, i):
        return self.augment(self.pixels[i]), self.augment(self.pixels[i])


def vectors(model, pixels):
    model.eval()
    found = []
    with torch.inference_mode():
        for part in torch.from_numpy(pixels).split(256):
            x = part.to(args.device).permute(0, 3, 1, 2).float() / 255
            found.append(F.normalize(model((x - 0.5) / 0.5), dim=1).cpu())
    return torch.cat(found)


def accuracy(found, names):
    """As neighbours.ts."""
    artist, group = [np.array([name.split("/")[part] for name in names]) for part in (0, 1)]
    held = artist == args.held
    nearest = (found[held] @ found[~held].T).topk(5, dim=1).indices.numpy()
    right = {}
    for truth, rows in zip(group[held], nearest):
        votes = list(group[~held][rows])
        right.setdefault(truth, []).append(max(votes, key=votes.count) == truth)
    return 100 * np.mean([np.mean(each) for each in right.values()])


torch.set_num_threads(args.threads)
torch.manual_seed(args.seed)
data = dict(np.load(args.pictures)) if args.pictures.endswith(".npz") else decoded(args.pictures)
if args.pack:
    np.savez(args.pack, **data)
    raise SystemExit
assert data["plain"].shape[1] == args.size, "the pictures were packed in another size"
names = [str(name) for name in data["names"]]
known = np.array([not name.startswith(f"{args.held}/") for name in names])
model, features = network()
model, projection = model.to(args.device), head(features).to(args.device)
criterion = ntxent()(temperature=args.temperature)
print(f"untrained: {accuracy(vectors(model, data['plain']), names):.1f} %", flush=True)

loader = torch.utils.data.DataLoader(
    Views(data["train"][known]),
    args.batch,
    shuffle=True,
    drop_last=True,
    num_workers=args.workers,
    persistent_workers=args.workers > 0,
)
steps = args.epochs * len(loader)
warmup = round(steps / 20)
optimizer = torch.optim.Adam([*model.parameters(), *projection.parameters()], lr=args.lr, weight_decay=1e-6)
warmed_cosine = lambda s: (
    s / warmup if s < warmup else 0.5 * (1 + math.cos(math.pi * (s - warmup) / (steps - warmup)))
)
schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, warmed_cosine)
start = time.perf_counter()
for epoch in range(args.epochs):
    model.train()
    total = 0.0
    for first, second in loader:
        first, second = first.to(args.device), second.to(args.device)
        loss = criterion(projection(model(first)), projection(model(second)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        total += loss.item()
    if (epoch + 1) % 5 == 0 or epoch + 1 == args.epochs:
        taken = time.perf_counter() - start
        print(f"epoch {epoch + 1}/{args.epochs} loss {total / len(loader):.3f} {taken:.0f} s", flush=True)
found = vectors(model, data["plain"])
print(f"trained: {accuracy(found, names):.1f} % after {steps} steps", flush=True)
if args.write:
    rounded = np.round(found.numpy().astype(float), 5).tolist()
    Path(args.write).write_text(json.dumps(dict(zip(names, rounded))))
