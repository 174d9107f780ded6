"""Weights after 20 steps by PyTorch's optimisers, and learning rates by its schedules.

Writes optimizers.json beside it. Needs torch, transformers, timm and lightly.
"""

import json
from pathlib import Path

import torch
from lightly.utils.lars import LARS
from timm.utils import ModelEmaV2
from torch.optim import SGD, Adam, AdamW, SparseAdam, lr_scheduler
from transformers import get_cosine_schedule_with_warmup, get_linear_schedule_with_warmup

STEPS = 20
torch.manual_seed(7)
X, Y = torch.randn(8, 3), torch.randn(8, 2)
WEIGHT, BIAS = torch.randn(3, 2), torch.randn(2)
TABLE, TARGETS = torch.randn(6, 2), torch.randn(6, 2)
ROWS = [[(3 * step) % 6, (step * step) % 6, (3 * step) % 6] for step in range(STEPS)]


class Linear(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(WEIGHT.clone())
        self.bias = torch.nn.Parameter(BIAS.clone())

    def forward(self, x):
        return x @ self.weight + self.bias


def numbers(tensor):
    return [float(f"{value:.9g}") for value in tensor.flatten().tolist()]


def train(make, clip=None, schedule=None, accumulate=1, average=None):
    model = Linear()
    optimizer = make(model)
    scheduler = schedule(optimizer) if schedule else None
    ema = ModelEmaV2(model, average) if average else None
    norms = []
    for step in range(STEPS):
        share = 8 // accumulate
        at = (step % accumulate) * share
        loss = torch.nn.functional.mse_loss(model(X[at : at + share]), Y[at : at + share])
        (loss / accumulate).backward()
        if (step + 1) % accumulate:
            continue
        if clip:
            norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), clip).item())
        optimizer.step()
        if scheduler:
            scheduler.step()
        if ema:
            ema.update(model)
        optimizer.zero_grad()
    result = {"weight": numbers(model.weight), "bias": numbers(model.bias)}
    if clip:
        result["norms"] = numbers(torch.tensor(norms))
    if ema:
        result["ema.weight"] = numbers(ema.module.weight)
    return result


def all_of(kind, **options):
    return lambda model: kind(model.parameters(), **options)


def apart(kind, bias, **options):
    return lambda model: kind([{"params": [model.weight]}, {"params": [model.bias], **bias}], **options)


def sparse(**options):
    table = torch.nn.Embedding(6, 2, sparse=True, _weight=TABLE.clone())
    optimizer = SparseAdam(table.parameters(), **options)
    for rows in ROWS:
        optimizer.zero_grad()
        index = torch.tensor(rows)
        ((table(index) - TARGETS[index]) ** 2).sum().backward()
        optimizer.step()
    return {"table": numbers(table.weight.detach())}


def rates(schedule, steps):
    optimizer = SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = schedule(optimizer)
    result = []
    for _ in range(steps):
        result.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return result


def after_warmup(later, start, total):
    return lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.LinearLR(o, start, 1.0, total), later(o)], milestones=[total]
    )


weights = {
    "sgd": train(all_of(SGD, lr=0.1)),
    "sgd momentum dampening decay": train(all_of(SGD, lr=0.1, momentum=0.9, dampening=0.3, weight_decay=0.05)),
    "sgd nesterov": train(all_of(SGD, lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.01)),
    "adam": train(all_of(Adam, lr=0.05)),
    "adam decay": train(all_of(Adam, lr=0.05, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.1)),
    "adam amsgrad": train(all_of(Adam, lr=0.2, amsgrad=True)),
    "adamw": train(all_of(AdamW, lr=0.05, weight_decay=0.1)),
    "adamw amsgrad": train(all_of(AdamW, lr=0.3, amsgrad=True)),
    "lars": train(apart(LARS, {"weight_decay": 0.0}, lr=0.5, momentum=0.9, weight_decay=0.01, trust_coefficient=0.1)),
    "lars nesterov": train(all_of(LARS, lr=0.5, momentum=0.9, nesterov=True, weight_decay=0.01, trust_coefficient=0.05)),
    "clip": train(all_of(SGD, lr=0.1, momentum=0.9), clip=0.5),
    "groups": train(apart(AdamW, {"weight_decay": 0.0, "lr": 0.005}, lr=0.05, weight_decay=0.1)),
    "schedule": train(all_of(AdamW, lr=0.1), schedule=lambda o: get_cosine_schedule_with_warmup(o, 5, 20)),
    "accumulate": train(all_of(AdamW, lr=0.1), accumulate=4, clip=0.5),
    "average": train(all_of(SGD, lr=0.1), average=0.9),
    "sparse": sparse(lr=0.05),
    "sparse eps": sparse(lr=0.05, betas=(0.8, 0.95), eps=1e-3),
}

schedules = {
    "constant": rates(lambda o: lr_scheduler.ConstantLR(o, 1.0), 10),
    "linear": rates(lambda o: get_linear_schedule_with_warmup(o, 0, 20), 25),
    "linear warmup": rates(lambda o: get_linear_schedule_with_warmup(o, 5, 20), 25),
    "linear end": rates(lambda o: lr_scheduler.LinearLR(o, 1.0, 0.2, 20), 25),
    "cosine": rates(lambda o: lr_scheduler.CosineAnnealingLR(o, 20), 20),
    "cosine end": rates(lambda o: lr_scheduler.CosineAnnealingLR(o, 20, eta_min=0.1), 20),
    "cosine warmup": rates(lambda o: get_cosine_schedule_with_warmup(o, 5, 20), 20),
    "cosine cycles": rates(lambda o: get_cosine_schedule_with_warmup(o, 2, 20, num_cycles=1.5), 20),
    "step": rates(lambda o: lr_scheduler.StepLR(o, 4, gamma=0.5), 25),
    "step warmup": rates(after_warmup(lambda o: lr_scheduler.StepLR(o, 4), 1 / 3, 5), 25),
}

given = {name: numbers(value) for name, value in (("x", X), ("y", Y), ("weight", WEIGHT), ("bias", BIAS), ("table", TABLE), ("targets", TARGETS))}
path = Path(__file__).with_suffix(".json")
path.write_text(json.dumps({"given": {**given, "rows": ROWS}, "weights": weights, "schedules": schedules}, indent=1) + "\n")
