"""Writes the checkpoints of this folder, and expected.json: what PyTorch itself reads from them.

    python make_checkpoints.py     # needs torch
"""

import collections
import json
import os
import pickle

import torch

here = os.path.dirname(os.path.abspath(__file__))
torch.manual_seed(0)


def path(name):
    return os.path.join(here, name)


base = torch.arange(24, dtype=torch.float32).reshape(4, 6) / 8
shared = torch.randn(10)
tensors = collections.OrderedDict(
    {
        "plain": base.clone(),
        "transposed": base.clone().t(),
        "strided": base.clone()[:, 1::2],
        "expanded": torch.tensor([1.5, -2.0]).reshape(2, 1).expand(2, 3),
        "shared.whole": shared,
        "shared.part": shared[3:7],
        "scalar": torch.tensor(7),
        "empty": torch.empty(0, 4),
        "channels_last": torch.randn(1, 2, 2, 3).to(memory_format=torch.channels_last),
        "parameter": torch.nn.Parameter(torch.randn(3)),
        "float64": torch.tensor([0.1, -1e300], dtype=torch.float64),
        "float16": torch.tensor([0.5, -65504], dtype=torch.float16),
        "bfloat16": torch.tensor([1.0, -3.140625], dtype=torch.bfloat16),
        "int64": torch.tensor([-(2**62), 3]),
        "int32": torch.tensor([-(2**31), 3], dtype=torch.int32),
        "int16": torch.tensor([-32768, 3], dtype=torch.int16),
        "int8": torch.tensor([-128, 3], dtype=torch.int8),
        "uint8": torch.tensor([255, 3], dtype=torch.uint8),
        "bool": torch.tensor([True, False]),
        "complex64": torch.tensor([1 + 2j], dtype=torch.complex64),
    }
)
recent = {
    "uint16": torch.tensor([65535, 3], dtype=torch.uint16),
    "float8": torch.tensor([1.0, -0.5]).to(torch.float8_e4m3fn),
}

torch.save({**tensors, **recent}, path("zip.pt"))
torch.save(tensors, path("legacy.pt"), _use_new_zipfile_serialization=False)
torch.save({**tensors}, path("protocol5.pt"), pickle_protocol=5)
model = torch.nn.Sequential(collections.OrderedDict(fc=torch.nn.Linear(2, 3), norm=torch.nn.BatchNorm1d(3)))
state = torch.nn.DataParallel(model).state_dict()
extra = {"epoch": 3, "args": {"lr": 0.1, "names": ["a", ("b", None)], "seen": {1, 2}, "raw": b"\x00\xff"}}
extra |= {"dtype": torch.float16, "size": torch.Size([2, 3]), "big": 2**80, "device": torch.device("cpu")}
torch.save({**extra, "optimizer": {"state": {}, "param_groups": []}, "state_dict": state}, path("training.pth"))
torch.save({**extra, "model": state}, path("model.pth"), _use_new_zipfile_serialization=False)


class Evil:
    def __reduce__(self):
        return os.system, ("touch /tmp/pipilo-was-here",)


class Evaluated:
    def __reduce__(self):
        return eval, ("open('/tmp/pipilo-was-here', 'w')",)


torch.save({"weight": torch.ones(2), "payload": Evil()}, path("evil.pt"))
torch.save({"weight": torch.ones(2), "payload": Evil()}, path("evil_legacy.pt"), _use_new_zipfile_serialization=False)
torch.save({"payload": Evaluated()}, path("evaluated.pt"), pickle_protocol=4)
torch.save(model, path("module.pt"))
with open(path("evil.pkl"), "wb") as file:
    pickle.dump(Evil(), file, protocol=5)


def plain(tensor):
    tensor = tensor.detach()
    if tensor.dtype in (torch.complex64, torch.complex128):
        return torch.view_as_real(tensor).flatten().tolist()
    if tensor.dtype in (torch.float16, torch.bfloat16):
        return (tensor.contiguous().view(torch.int16).to(torch.int32) & 0xFFFF).flatten().tolist()
    if tensor.dtype == torch.float8_e4m3fn:
        return tensor.view(torch.uint8).tolist()
    if tensor.dtype == torch.int64:
        return [str(value) for value in tensor.flatten().tolist()]
    return [float(value) for value in tensor.flatten()]


expected = {
    "tensors": {name: {"shape": list(t.shape), "data": plain(t)} for name, t in {**tensors, **recent}.items()},
    "state": {name: {"shape": list(t.shape), "data": plain(t)} for name, t in model.state_dict().items()},
}
with open(path("expected.json"), "w") as file:
    json.dump(expected, file)
    file.write("\n")
