"""Writes batch-norm.json: running statistics after one step in training mode, by PyTorch.

    pip install torch timm torchvision && python batch_norm_reference.py

Weights and pictures are by formula.py. Of each buffer the first elements are kept.
"""
import json
import pathlib

import timm
import torch
import torchvision

from formula import fill, formula

MODELS = [
    ("timm", "resnet18", (33, 40)),
    ("timm", "resnetv2_18d", (33, 40)),
    ("timm", "densenet121", (64, 64)),
    ("timm", "seresnet50", (64, 64)),
    ("timm", "vgg11_bn", (64, 64)),
    ("timm", "mobilenetv2_035", (33, 40)),
    ("timm", "tf_mobilenetv3_small_minimal_100", (33, 40)),
    ("torchvision", "mobilenet_v3_small", (33, 40)),
]


def statistics(source, name, size):
    torch.manual_seed(0)
    make = timm.create_model if source == "timm" else torchvision.models.get_model
    model = fill(make(name, num_classes=3)).train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0
    model.double()(formula("pixel_values", (2, 3, *size)).double())
    buffers = {k: v for k, v in model.state_dict().items() if k.endswith(("running_mean", "running_var", "num_batches_tracked"))}
    return {k: [float(f"{x:.7g}") for x in v.flatten()[:2].tolist()] for k, v in buffers.items()}


cases = [
    {"source": source, "name": name, "size": size, "statistics": statistics(source, name, size)}
    for source, name, size in MODELS
]
target = pathlib.Path(__file__).with_name("batch-norm.json")
target.write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")
