"""Checkpoints of the shape of real ones, drawn at random: BERT-base, ResNet-50, ViT-S/16 and ConvNeXt-T, each as a folder with
config.json and model.safetensors, as transformers and timm save them.

    python weights.py FOLDER TOKENIZER_FOLDER

Real weights would be as fast: there is nothing here that depends on their values. What starts at zero or nearly so (scales of
branches) is drawn as well, so that the sides can be compared. Folders that are there stay.
"""
import json
import shutil
import sys
from pathlib import Path

import torch

root, tokenizer = Path(sys.argv[1]), Path(sys.argv[2])


def pictures(folder: Path, name: str) -> None:
    import timm
    from safetensors.torch import save_file

    torch.manual_seed(1)
    model = timm.create_model(name)
    with torch.no_grad():
        for path, parameter in model.named_parameters():
            if "gamma" in path:  # ConvNeXt's scales of branches
                parameter.uniform_(0.2, 0.6)
            elif "bn" in path and path.endswith("weight"):
                parameter.uniform_(0.6, 1.2)
        # Statistics as a few pictures have them: with others, activations would vanish or explode.
        model.train()
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = None
        model(torch.randn(4, 3, 224, 224))
        model.eval()
    config = {"architecture": name, "num_classes": 1000, "pretrained_cfg": {"input_size": [3, 224, 224]}}
    (folder / "config.json").write_text(json.dumps(config))
    save_file({key: value.contiguous() for key, value in model.state_dict().items()}, folder / "model.safetensors")


def text(folder: Path) -> None:
    from transformers import BertConfig, BertModel

    torch.manual_seed(1)
    BertModel(BertConfig()).save_pretrained(folder)
    shutil.copy(tokenizer / "tokenizer.json", folder / "tokenizer.json")
    special = {name: f"[{name[:-6].upper()}]" for name in ("cls_token", "sep_token", "pad_token", "unk_token", "mask_token")}
    settings = {"tokenizer_class": "BertTokenizer", "model_max_length": 512, "do_lower_case": True, **special}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


for name in ("bert-base", "resnet50", "vit_small_patch16_224", "convnext_tiny"):
    folder = root / name
    if folder.exists():
        continue
    making = root / f"{name}.tmp"
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    text(making) if name == "bert-base" else pictures(making, name)
    making.rename(folder)
