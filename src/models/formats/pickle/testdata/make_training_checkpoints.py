"""Writes training checkpoints with what stands beside parameters in them, and training.json: the parameters that timm takes.

    python make_training_checkpoints.py     # needs torch, numpy, timm
"""

import argparse
import collections
import datetime
import json
import os
import pathlib
import uuid

import numpy
import timm.models
import torch

here = os.path.dirname(os.path.abspath(__file__))
torch.manual_seed(1)


def path(name):
    return os.path.join(here, name)


def network():
    return torch.nn.Sequential(collections.OrderedDict(fc=torch.nn.Linear(2, 3), norm=torch.nn.BatchNorm1d(3)))


class Config(dict):
    """A dictionary of one's own."""


model, averaged = network(), network()
parameter = torch.nn.Parameter(torch.ones(2))
parameter.note = "has an attribute of its own"
asides = {
    "args": argparse.Namespace(lr=0.1, out=pathlib.PurePosixPath("/runs/1"), betas=(0.9, 0.999)),
    "best": numpy.float64(0.91),
    "step": numpy.int64(7),
    "history": numpy.arange(6).reshape(2, 3),
    "dtype": numpy.dtype("float32"),
    "random": numpy.random.RandomState(0).get_state(),
    "path": pathlib.PurePosixPath("/data"),
    "started": datetime.datetime(2024, 5, 17, 12, 30, tzinfo=datetime.timezone.utc),
    "took": datetime.timedelta(hours=3),
    "counts": collections.defaultdict(list, {"a": [1, 2]}),
    "version": torch.torch_version.TorchVersion("2.4.0"),
    "range": range(3),
    "slice": slice(1, None, 2),
    "complex": 1 + 2j,
    "raw": bytearray(b"\x00\xff"),
    "seen": {1, 2},
    "frozen": frozenset({3}),
    "device": torch.device("cpu"),
    "id": uuid.UUID(int=5),
    "config": Config(depth=2),
    "big": 3**5000,
    "loss": torch.tensor(0.5),
}
state = {"module." + name: tensor for name, tensor in model.state_dict().items()}
torch.save({**asides, "state_dict": state}, path("asides.ckpt"))
torch.save({**asides, "state_dict": state}, path("asides.pth.tar"), _use_new_zipfile_serialization=False)
torch.save({"epoch": 1, "model_state_dict": model.state_dict(), "loss": torch.tensor(1.0)}, path("loose.pt"))
ema = {"_orig_mod." + name: tensor for name, tensor in averaged.state_dict().items()}
torch.save({"epoch": 1, "state_dict": model.state_dict(), "state_dict_ema": ema, "arch": "tiny"}, path("ema.pt"))
torch.save({"encoder": model.state_dict(), "optimizer": {"state": {0: {"exp_avg": torch.ones(9)}}}}, path("one.pt"))
torch.save({"fc.weight": torch.ones(2), "fc.bias": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)}, path("quantized.pt"))
torch.save({"attribute": parameter}, path("attribute.pt"))


def plain(tensors):
    return {name: {"shape": list(t.shape), "data": [float(x) for x in t.flatten()]} for name, t in tensors.items()}


expected = {name: plain(timm.models.load_state_dict(path(name), weights_only=False)) for name in ["asides.ckpt", "asides.pth.tar", "ema.pt"]}
expected |= {name: plain(model.state_dict()) for name in ["loose.pt", "one.pt"]}
expected["attribute.pt"] = plain({"attribute": parameter.detach()})
with open(path("training.json"), "w") as file:
    json.dump(expected, file)
    file.write("\n")
