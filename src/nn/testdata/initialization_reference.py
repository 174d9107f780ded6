"""Makes initialization.json: how timm, torchvision, transformers and PyTorch draw the parameters of new models.

    python initialization_reference.py     # needs torch, torchvision, timm, transformers

Of each parameter there is its value where all its elements are the same, else mean, deviation, least and greatest; of the largest
only their shape.
"""
import json
from pathlib import Path

import timm
import torch
import torchvision
import transformers

from vision_reference import BACKBONES, LeNet, behind

SMALL = {"embed_dim": 96, "depth": 3, "num_heads": 3, "num_classes": 50}
TIMM = [
    ("resnet18", {"layers": [1, 1, 1, 1], "channels": [32, 64, 64, 96], "num_classes": 50}, None),
    ("seresnet50", {"layers": [1, 1, 1, 1], "channels": [16, 16, 32, 48], "num_classes": 50}, None),
    ("legacy_seresnet18", {"num_classes": 50}, None),
    ("resnetv2_50d_gn", {"layers": [1, 1], "channels": [128, 128], "num_classes": 50}, None),
    ("densenet121", {"block_config": [1, 1, 1, 1], "num_classes": 50}, None),
    ("mobilenetv2_050", {"num_classes": 50}, None),
    ("mobilenetv3_small_075", {"num_classes": 50}, None),
    ("efficientnet_lite0", {"num_classes": 50}, None),
    ("convnext_tiny", {"depths": [1, 1, 1, 1], "dims": [32, 48, 64, 96], "num_classes": 50}, None),
    ("convnextv2_atto", {"depths": [1, 1, 1, 1], "dims": [32, 48, 64, 96], "num_classes": 50}, None),
    ("vgg11", {"num_classes": 50}, None),
    ("vit_tiny_patch16_224", SMALL, (64, 64)),
    ("vit_base_patch16_siglip_224", SMALL, (64, 64)),
    ("vit_medium_patch16_reg4_gap_256", SMALL, (64, 64)),
    ("vit_tiny_r_s16_p8_224", SMALL, (64, 64)),
    ("deit_tiny_distilled_patch16_224", SMALL, (64, 64)),
    ("beit_base_patch16_224", SMALL, (64, 64)),
    ("eva02_base_patch14_224", SMALL | {"num_classes": 50}, (56, 56)),
    ("vit_small_patch16_rope_mixed_ape_224", SMALL, (64, 64)),
    ("swin_tiny_patch4_window7_224", {"embed_dim": 48, "depths": [1, 2], "num_heads": [2, 4], "window_size": 4, "num_classes": 50}, (64, 64)),
    ("swinv2_tiny_window8_256", {"embed_dim": 48, "depths": [1, 2], "num_heads": [2, 4], "window_size": 4, "num_classes": 50}, (64, 64)),
    ("swinv2_cr_tiny_ns_224", {"embed_dim": 48, "depths": [1, 2], "num_heads": [2, 4], "num_classes": 50}, (64, 64)),
]
TORCHVISION = ["mobilenet_v2", "mobilenet_v3_small", "alexnet"]
TINY = dict(hidden_size=96, num_hidden_layers=2, num_attention_heads=3, intermediate_size=160, image_size=64, patch_size=16)
TRANSFORMERS = [
    ("ViTForImageClassification", "ViTConfig", TINY | {"num_labels": 50}),
    ("DeiTForImageClassification", "DeiTConfig", TINY | {"num_labels": 50}),
    ("Dinov2WithRegistersModel", "Dinov2WithRegistersConfig", TINY | {"mlp_ratio": 2}),
    ("BeitModel", "BeitConfig", TINY | {"use_relative_position_bias": True}),
    ("SwinModel", "SwinConfig", dict(image_size=32, patch_size=2, embed_dim=48, depths=[1, 2], num_heads=[2, 4], window_size=4)),
]
LARGE = 2e6


def tree(state):
    found = {}
    for name, tensor in state.items():
        if not tensor.is_floating_point():
            continue
        *path, last = name.split(".")
        place = found
        for part in path:
            place = place.setdefault(part, {})
        place[last] = {"shape": list(tensor.shape)} if tensor.numel() > LARGE else drawn(tensor.double())
    return found


def drawn(tensor):
    tensor = tensor[tensor.abs() != 2] if tensor.std() < 0.1 else tensor  # where torch clips the tail's end, once in millions
    if tensor.min() == tensor.max():
        return float(f"{tensor.min():.3g}")
    return [float(f"{v:.3g}") for v in (tensor.mean(), tensor.std(unbiased=False), tensor.min(), tensor.max())]


def main():
    cases = []
    torch.manual_seed(0)
    for name, changes, size in TIMM:
        model = timm.create_model(name, **changes, **({"img_size": size} if size else {}))
        cases.append({"kind": "named", "source": "timm", "name": name, "config": changes, "size": size or (64, 64), "state": tree(model.state_dict())})
    for name, backbone, build in BACKBONES[:2]:
        model = behind(build(), (64, 64), SMALL)
        config = SMALL | {"backbone": backbone, "mlp_ratio": 4}
        cases.append({"kind": "named", "source": "timm", "name": name, "config": config, "size": (64, 64), "state": tree(model.state_dict())})
    for name in TORCHVISION:
        model = torchvision.models.get_model(name, weights=None)
        cases.append({"kind": "named", "source": "torchvision", "name": name, "config": {}, "size": (64, 64), "state": tree(model.state_dict())})
    for model_class, config_class, options in TRANSFORMERS:
        config = getattr(transformers, config_class)(**options)
        model = getattr(transformers, model_class)(config)
        folder = Path(__file__).parent / "saved"
        model.save_pretrained(folder)
        state = transformers.modeling_utils.load_state_dict(folder / "model.safetensors")
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
        size = (config.image_size,) * 2
        cases.append({"kind": "transformers", "name": config.model_type, "config": {"model_type": config.model_type, **options}, "size": size, "state": tree(state)})
    cases.append({"kind": "lenet", "name": "lenet", "config": {}, "size": (32, 32), "state": tree(LeNet().state_dict())})
    text = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    Path(__file__).with_name("initialization.json").write_text(f"[\n{text}\n]\n")


main()
