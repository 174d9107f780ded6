"""Makes parity.json: the losses of twenty steps of training, and what the steps have made of the weights, by PyTorch.

    python parity_reference.py [name …]     # needs torch, timm, lightly, transformers, open_clip, sentence-transformers

Weights, pictures, texts and masks follow ../../nn/testdata/formula.py; all is computed in double precision. Printed beside each name is how
far PyTorch's own single precision is from that.
"""
import copy
import json
import math
import re
import sys
from pathlib import Path

import torch
from torch import nn

HERE = Path(__file__).parent
sys.path.append(str(HERE.parents[1] / "nn" / "testdata"))

from formula import fill, formula  # noqa: E402
from parity_models import CASES  # noqa: E402

STEPS = 20
# Batches come round, so that the loss falls.
BATCHES = 4


def digits(values):
    return [float(f"{v:.8g}") for v in values]


class Batch:
    """The inputs of a step, by the same formulas as in ../testing/parity.ts."""

    def __init__(self, case, step, dtype):
        self.case, self.step, self.number, self.dtype = case, step, step % BATCHES, dtype
        self.rows = case.rows

    def pixels(self, view=0):
        return formula(f"pixel_values.{self.number}.{view}", (self.rows, *self.case.picture)).to(self.dtype)

    def labels(self, classes):
        return torch.tensor([(3 * row + self.number) % classes for row in range(self.rows)])

    def texts(self, column, length, vocabulary):
        drawn = formula(f"token_ids.{column}.{self.number}", (self.rows, length)).double()
        ids = ((drawn + 1) / 2 * (vocabulary - 2)).floor().long() + 1
        mask = torch.ones_like(ids)
        for row in range(self.rows):
            end = length - row % 3
            ids[row, end - 1] = vocabulary - 1
            ids[row, end:] = 0
            mask[row, end:] = 0
        return ids, mask

    def noise(self, patches):
        return formula(f"token_noise.{self.number}", (self.rows, patches))

    def order(self, patches):
        return self.noise(patches).argsort(dim=1, stable=True)


def trained(case, dtype):
    model = fill(case.model())
    for name, value in case.starts.items():
        model.get_parameter(name).data.fill_(value)
    for parameter in model.parameters():
        if parameter.ndim == 4:
            parameter.data.mul_(case.kernels)
    model = model.to(dtype).train()
    start = {k: v.clone() for k, v in model.state_dict().items()}
    teacher = None
    if case.momentum:
        teacher = copy.deepcopy(model).train(case.teacher_mode == "training")
        teacher.requires_grad_(False)
    optimizer = case.optimizer(model)
    losses = []
    for step in range(STEPS):
        loss = case.loss(model, Batch(case, step, dtype), *([teacher] if teacher else []))
        optimizer.zero_grad()
        loss.backward()
        if case.clip:
            nn.utils.clip_grad_norm_(model.parameters(), case.clip)
        optimizer.step()
        case.after(model)
        if teacher:
            share = case.momentum(step, STEPS)
            with torch.no_grad():
                for mean, weight in zip(teacher.parameters(), model.parameters()):
                    mean.mul_(share).add_(weight, alpha=1 - share)
        losses.append(loss.item())
    return model, teacher, start, losses


def changes(model, start, chosen, prefix=""):
    """Of each tensor the mean of the absolute changes, and the first three values."""
    found = {}
    for name, value in model.state_dict().items():
        if chosen(name) and (value != start[name]).any():
            change = (value.double() - start[name].double()).abs().mean().item()
            found[prefix + name] = digits([change, *value.flatten()[:3].tolist()])
    return found


def thinned(names, most=12):
    names = list(names)
    step = max(1, math.ceil(len(names) / most))
    return set(names[::step]) | set(names[-1:])


def entry(case):
    model, teacher, start, losses = trained(case, torch.float64)
    single = trained(case, torch.float32)[3]
    worst = max(abs(a / b - 1) for a, b in zip(single, losses))
    print(f"{case.name}: loss {losses[0]:.4f} to {losses[-1]:.4f}; single precision is off by {worst:.1e}")
    parameters = {k for k, v in model.named_parameters() if v.requires_grad and not case.ignores(k)}
    parts = [[k for k in parameters_in_order(model) if k in parameters], [k for k, _ in model.named_buffers()]]
    chosen = set().union(*map(thinned, parts))
    tensors = changes(model, start, lambda k: k in chosen)
    if teacher:
        tensors |= changes(teacher, start, lambda k: k in chosen and not re.match(case.student_only, k), "teacher.")
    return {"name": case.name, "losses": digits(losses), "tensors": tensors}


def parameters_in_order(model):
    return [k for k, _ in model.named_parameters()]


def main():
    path = HERE / "parity.json"
    kept = {case["name"]: case for case in json.loads(path.read_text())} if path.exists() else {}
    wanted = sys.argv[1:]
    for case in CASES:
        if not wanted or case.name in wanted:
            kept[case.name] = entry(case)
            write(path, [kept[case.name] for case in CASES if case.name in kept])


def write(path, cases):
    text = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    path.write_text(f"[\n{text}\n]\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
