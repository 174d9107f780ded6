"""Small vision models with random weights, as timm and transformers save them, and what these compute:

    python make_vision_models.py        # timm 1.0.31, transformers 5.24, torch 2.15

vision/<name>/ gets the files that a hub repository has, and references.safetensors: outputs by their names there for the input of
input_of, and `picture`, the embedding of samples/pictures/cat-face.jpg prepared by Pillow. Weights are stored in half precision;
every parameter and every buffer is random, so that none is without effect.
"""
import json
import shutil
from pathlib import Path

import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from timm.data import create_transform, resolve_model_data_config
from timm.models._hub import save_for_hf
from transformers import (
    Dinov2Config,
    Dinov2Model,
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersForImageClassification,
    SwinConfig,
    SwinForImageClassification,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessorPil,
    ViTMAEConfig,
    ViTMAEForPreTraining,
    ViTModel,
)

here = Path(__file__).parent
picture = Image.open(here / "../../../samples/pictures/cat-face.jpg").convert("RGB")


def shuffle(model, seed):
    """Random numbers of every kind of tensor, none of which mutes a branch; rounded to half precision."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in model.state_dict().items():
        if not tensor.is_floating_point() or "relative_coords" in name or "attn_mask" in name:
            continue
        values = torch.randn(tensor.shape, generator=generator)
        if name.endswith("running_var"):
            values = 0.5 + values.abs()
        elif tensor.ndim == 1 and not name.endswith(("bias", "running_mean")):
            values = 1 + 0.2 * values
        elif tensor.ndim > 1:
            values = values / max(1, tensor[0].numel()) ** 0.5
        else:
            values = 0.2 * values
        tensor.copy_(values.half().float())
    return model.eval()


def halves(folder):
    """The saved tensors in half precision."""
    from safetensors.torch import load_file

    path = folder / "model.safetensors"
    tensors = {
        name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in load_file(path).items()
    }
    save_file(tensors, path, {"format": "pt"})


def keep(folder, outputs):
    halves(folder)
    (folder / "model.safetensors").chmod(0o644)
    tensors = {name: tensor.detach().float().contiguous().clone() for name, tensor in outputs.items()}
    save_file(tensors, folder / "references.safetensors")


def fresh(name):
    folder = here / "vision" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def input_of(size):
    """As the tests make it."""
    count = 3 * size[0] * size[1]
    return torch.sin(torch.arange(count, dtype=torch.float64) ** 2 * 0.37).float().reshape(1, 3, *size)


def from_timm(folder, architecture, stages, picture_config=None, sizes=(), **arguments):
    """`stages`: names of modules whose outputs are compared."""
    folder = fresh(folder)
    model = shuffle(timm.create_model(architecture, pretrained=False, **arguments), len(architecture))
    model.pretrained_cfg = {**model.pretrained_cfg, **(picture_config or {}), "license": "apache-2.0"}
    model.default_cfg = model.pretrained_cfg
    model_args = {key: value for key, value in arguments.items() if key != "num_classes"}
    save_for_hf(model, folder, {"model_args": model_args}, safe_serialization=True)
    (folder / "pytorch_model.bin").unlink(missing_ok=True)
    (folder / "README.md").unlink(missing_ok=True)
    config = json.loads((folder / "config.json").read_text())
    size = config["pretrained_cfg"]["input_size"][1:]
    outputs = {}

    def note(name):
        return lambda module, inputs, output: outputs.__setitem__(name, output)

    modules = dict(model.named_modules())
    hooks = [modules[name].register_forward_hook(note(f"layer:{name}")) for name in stages]
    x = input_of(size)
    with torch.inference_mode():
        logits = model(x)
        for hook in hooks:
            hook.remove()
        features = model.forward_features(x)
        outputs |= {"logits": logits, "forward_features": features}
        outputs["penultimate"] = model.forward_head(features, pre_logits=True)
        transform = create_transform(**resolve_model_data_config(model))
        outputs["picture"] = model.forward_head(
            model.forward_features(transform(picture)[None]), pre_logits=True
        )
        for height, width in sizes:
            model.set_input_size((height, width))
            x = input_of((height, width))
            outputs[f"logits_{height}x{width}"] = model(x)
    keep(folder, outputs)


def from_transformers(folder, model, run, processor=None, sizes=()):
    """`run`: outputs by name, from the model and its pixel_values."""
    folder = fresh(folder)
    shuffle(model, len(str(folder.name)))
    model.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    size = config["image_size"]
    if processor:
        processor.save_pretrained(folder)
    x = input_of((size, size))
    with torch.inference_mode():
        outputs = run(model, x)
        if processor:
            pixels = processor(picture, return_tensors="pt")["pixel_values"]
            outputs["picture"] = run(model, pixels)["penultimate"]
        for height, width in sizes:
            x = input_of((height, width))
            resampled = run(model, x, interpolate_pos_encoding=True)
            outputs[f"penultimate_{height}x{width}"] = resampled["penultimate"]
    keep(folder, outputs)


def whole(model, x, **options):
    """What ViT and its relatives give, whatever stands on top."""
    out = model(x, output_hidden_states=True, **options)
    last = getattr(out, "last_hidden_state", None)
    hidden = {f"layer:{i}": states for i, states in enumerate(out.hidden_states)}
    logits = {"logits": out.logits} if hasattr(out, "logits") else {}
    return {**hidden, **logits, **({} if last is None else {"forward_features": last, "penultimate": last[:, 0]})}


def classified(attribute, penultimate):
    def run(model, x, **options):
        body = getattr(model, attribute)
        out = body(x, output_hidden_states=True, **options)
        hidden = {f"layer:{i}": states for i, states in enumerate(out.hidden_states)}
        return {
            **hidden,
            "forward_features": out.last_hidden_state,
            "penultimate": penultimate(out),
            "logits": model(x, **options).logits,
        }

    return run


small = {"input_size": (3, 32, 32), "crop_pct": 0.9, "interpolation": "bicubic"}
from_timm(
    "resnet50",
    "resnet50",
    ["act1", "layer1", "layer2", "layer3", "layer4", "global_pool"],
    small,
    num_classes=5,
    layers=(1, 1, 1, 1),
    channels=(4, 4, 6, 6),
    stem_type="deep",
    stem_width=4,
)
from_timm(
    "vit_reg4",
    "vit_medium_patch16_reg4_gap_256",
    ["patch_embed", "blocks.0", "blocks.1"],
    {**small, "mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)},
    sizes=[(48, 32)],
    num_classes=5,
    img_size=32,
    patch_size=8,
    embed_dim=12,
    depth=2,
    num_heads=2,
)
from_timm(
    "swin",
    "swin_tiny_patch4_window7_224",
    ["layers.0", "layers.1"],
    small,
    num_classes=5,
    img_size=32,
    embed_dim=8,
    depths=(2, 2),
    num_heads=(2, 4),
    window_size=4,
)
from_timm(
    "convnextv2",
    "convnextv2_atto",
    ["stages.0", "stages.1", "stages.2", "stages.3"],
    small,
    num_classes=5,
    depths=(1, 1, 1, 1),
    dims=(8, 8, 16, 16),
)

common = dict(
    hidden_size=12,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=24,
    image_size=32,
    patch_size=8,
)
processor = ViTImageProcessorPil(size={"height": 32, "width": 32}, resample=3)
from_transformers("dinov2", Dinov2Model(Dinov2Config(**common, mlp_ratio=2)), whole, processor, sizes=[(48, 40)])
from_transformers(
    "dinov2_with_registers",
    Dinov2WithRegistersForImageClassification(Dinov2WithRegistersConfig(**common, mlp_ratio=2, num_labels=5)),
    classified(
        "dinov2_with_registers",
        lambda out: torch.cat([out.last_hidden_state[:, 0], out.last_hidden_state[:, 5:].mean(1)], 1),
    ),
)
from_transformers("dino", ViTModel(ViTConfig(**common), add_pooling_layer=False), whole, processor, sizes=[(48, 32)])
from_transformers(
    "vit",
    ViTForImageClassification(ViTConfig(**common, num_labels=5)),
    classified("vit", lambda out: out.last_hidden_state[:, 0]),
)
from_transformers(
    "swin-transformers",
    SwinForImageClassification(
        SwinConfig(
            image_size=32, patch_size=4, embed_dim=8, depths=[2, 2], num_heads=[2, 4], window_size=4, num_labels=5
        )
    ),
    classified("swin", lambda out: out.pooler_output),
)


def unmasked(model, x, **options):
    """The encoder with every patch, in the order of the picture."""
    model.vit.config.mask_ratio = 0.0
    noise = torch.arange(16.0)[None]
    out = model.vit(x, noise=noise, output_hidden_states=True, **options)
    hidden = {f"layer:{i}": states for i, states in enumerate(out.hidden_states)}
    return {**hidden, "forward_features": out.last_hidden_state, "penultimate": out.last_hidden_state[:, 0]}


mae = ViTMAEConfig(
    **common,
    decoder_hidden_size=8,
    decoder_num_hidden_layers=1,
    decoder_num_attention_heads=2,
    decoder_intermediate_size=8,
)
from_transformers("vit_mae", ViTMAEForPreTraining(mae), unmasked, processor)

# As DINO's own training saves it: https://github.com/facebookresearch/dino
folder = fresh("dino-training")
arguments = dict(img_size=32, patch_size=8, embed_dim=8, depth=1, num_heads=2, num_classes=0)
model = shuffle(timm.create_model("vit_tiny_patch16_224", **arguments), 1)
(folder / "config.json").write_text(json.dumps({"architecture": "vit_tiny_patch16_224", "model_args": arguments}))
teacher = {f"backbone.{name}": tensor.half() for name, tensor in model.state_dict().items()}
student = {f"module.{name}": torch.zeros_like(tensor) for name, tensor in teacher.items() if "norm" in name}
head = {"head.mlp.0.weight": torch.zeros(4, 8), "head.last_layer.weight_v": torch.zeros(2, 4)}
torch.save({"student": student, "teacher": {**teacher, **head}, "epoch": 1}, folder / "checkpoint.pth")
with torch.inference_mode():
    outputs = {"penultimate": model(input_of((32, 32)))}
save_file(outputs, folder / "references.safetensors")
