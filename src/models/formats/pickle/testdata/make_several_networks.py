"""Writes checkpoints of two networks each, and several.json: the parameters of both, and those that timm takes.

    python make_several_networks.py     # needs torch, timm
"""

import json
import pathlib

import timm.models
import torch

here = pathlib.Path(__file__).parent
torch.manual_seed(2)


def network():
    return torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3)).state_dict()


def inside(prefix, tensors):
    return {prefix + name: tensor for name, tensor in tensors.items()}


a, b = network(), network()
last = {"head.last_layer.weight_v": torch.zeros(2, 2)}
files = {
    "model.pt": {"model_state_dict": b, "model": a},
    "ema.pt": {"model_state_dict": a, "ema_state_dict": b},
    "distilled.pt": {"student": a, "teacher": b},
    "dino.pt": {"student": inside("module.", {**b, **last}), "teacher": {**a, **last}, "epoch": 1},
    "once.pt": {"net": a, "weights": a, "step": torch.tensor(3)},
    "nested.pt": {"state_dict": {**inside("net_a.", a), **inside("net_b.", b)}, "epoch": 1},
}
expected = {"a": a, "b": b}
folder = here / "several"
folder.mkdir(exist_ok=True)
for name, content in files.items():
    torch.save(content, folder / name)
expected["model.pt"] = timm.models.load_state_dict(str(folder / "model.pt"))
plain = {name: {key: t.flatten().tolist() for key, t in tensors.items()} for name, tensors in expected.items()}
(folder / "several.json").write_text(json.dumps(plain) + "\n")

# Views that PyTorch negates when they are read: the storage holds other numbers.
torch.save({"fc.weight": torch._neg_view(torch.ones(2, 3)), "fc.bias": torch.ones(2)}, folder / "negated.pt")
