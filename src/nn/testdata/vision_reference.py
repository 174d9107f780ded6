"""Makes vision-models.json: what small vision models of timm, torchvision, DINOv2 and transformers give for a small picture.

    python vision_reference.py     # needs torch, torchvision, timm, transformers

No weights are stored: tensors and pictures follow the formula of ../testing/formula.ts. Of each value there are its shape, its root mean
square and a few of its elements.
"""
import json
import re
from functools import partial
from pathlib import Path

import timm
import torch
import torchvision
import transformers

from timm.models import vision_transformer_hybrid as hybrid
from timm.models.resnetv2 import ResNetV2
from torchvision.models import swin_transformer as swin

from formula import fill, formula

torch.set_grad_enabled(False)
NARROW = {"channels": [8, 8, 16, 16], "layers": [1, 1, 1, 1], "num_classes": 5}
SMALL = {"embed_dim": 24, "depth": 2, "num_heads": 2, "num_classes": 5}
# timm's names, and what is changed to make them small.
TIMM = [
    ("resnet18", NARROW, (33, 40)),
    ("resnet50d", NARROW | {"stem_width": 8}, (33, 40)),
    ("resnext50_32x4d", NARROW | {"cardinality": 4, "base_width": 16}, (33, 40)),
    ("seresnet50", NARROW | {"channels": [16, 16, 32, 32]}, (32, 32)),
    ("ecaresnet26t", NARROW | {"stem_width": 8}, (33, 40)),
    ("resnetv2_18d", NARROW, (33, 40)),
    ("resnetv2_50d_evos", {"layers": [1, 1], "channels": [128, 128], "num_classes": 5}, (33, 40)),
    ("resnetv2_50d_frn", {"layers": [1, 1], "channels": [32, 48], "num_classes": 5}, (33, 40)),
    ("densenet121", {"growth_rate": 4, "block_config": [2, 2, 2, 1], "num_classes": 5}, (40, 33)),
    ("mobilenetv2_035", {"num_classes": 5}, (33, 40)),
    ("tf_mobilenetv3_small_minimal_100", {"num_classes": 5}, (33, 40)),
    ("mobilenetv3_small_050", {"num_classes": 5}, (32, 32)),
    ("test_efficientnet", {"num_classes": 5}, (33, 40)),
    ("efficientnet_lite0", {"num_classes": 5}, (33, 40)),
    ("convnext_tiny", {"depths": [1, 1, 2, 1], "dims": [8, 12, 16, 24], "num_classes": 5}, (32, 64)),
    ("convnextv2_atto", {"depths": [1, 1, 2, 1], "dims": [8, 12, 16, 24], "num_classes": 5}, (32, 64)),
    ("vit_tiny_patch16_224", SMALL, (32, 48)),
    ("vit_medium_patch16_reg4_gap_256", SMALL, (32, 32)),
    ("vit_small_patch14_reg4_dinov2", SMALL, (28, 42)),
    ("vit_base_patch16_siglip_224", SMALL, (32, 32)),
    ("deit_tiny_distilled_patch16_224", SMALL, (32, 48)),
    ("deit3_small_patch16_224", SMALL, (32, 32)),
    ("beit_base_patch16_224", SMALL, (32, 48)),
    ("eva02_base_patch14_224", SMALL, (28, 42)),
    ("vit_small_patch16_rope_mixed_ape_224", SMALL, (32, 48)),
    ("vit_small_patch16_dinov3_qkvb", SMALL, (32, 48)),
    ("vit_relpos_small_patch16_224", SMALL, (32, 48)),
    ("vit_tiny_r_s16_p8_224", SMALL, (64, 96)),
    ("swin_tiny_patch4_window7_224", {"embed_dim": 8, "depths": [2, 1], "num_heads": [2, 4], "window_size": 3, "num_classes": 5}, (32, 40)),
    ("swinv2_tiny_window8_256", {"embed_dim": 8, "depths": [2, 1], "num_heads": [2, 4], "window_size": 4, "num_classes": 5}, (32, 32)),
    ("swinv2_cr_tiny_ns_224", {"embed_dim": 8, "depths": [2, 1], "num_heads": [2, 4], "num_classes": 5}, (72, 96)),
]
WIDE = {"layers": [1, 1], "channels": [128, 128]}
# Networks in front of vision transformers: timm's names, Pipilo's configurations, and the networks that these mean.
BACKBONES = [
    ("vit_small_r26_s32_224", {"kind": "resnetv2", "config": WIDE | {"stem_type": "same", "preact": False, "standardized": True}},
     lambda: ResNetV2(**WIDE, num_classes=0, global_pool="", preact=False, stem_type="same", conv_layer=partial(timm.layers.StdConv2dSame, eps=1e-8))),
    ("vit_small_resnet26d_224", {"kind": "resnet", "config": NARROW | {"block": "bottleneck", "layers": [1, 1], "stem_type": "deep", "stem_width": 8, "avg_down": True}},
     lambda: timm.create_model("resnet26d", **NARROW | {"layers": [1, 1, 1, 1], "stem_width": 8}, features_only=True, out_indices=[2])),
    ("vit_base_mci_224", {"kind": "stem", "convolutions": [{"channels": 8, "stride": 4}, {"channels": 8, "stride": 2}, {"channels": 24, "stride": 2}]},
     lambda: hybrid.ConvStem(channels=(8, 8, 24), stride=(4, 2, 2), kernel_size=(4, 2, 2), padding=0, act_layer=torch.nn.GELU)),
]
TORCHVISION = [("mobilenet_v2", (33, 40)), ("mobilenet_v3_small", (33, 40))]
# Only what lies below heads of a hundred million parameters.
HEADLESS = [("vgg11", (33, 40)), ("alexnet", (65, 70))]
TINY = dict(hidden_size=24, num_hidden_layers=2, num_attention_heads=2, intermediate_size=40, image_size=32, patch_size=8)
TRANSFORMERS = [
    ("ViTForImageClassification", "ViTConfig", TINY | {"num_labels": 5}, (32, 48)),
    ("DeiTForImageClassification", "DeiTConfig", TINY | {"num_labels": 5}, (32, 32)),
    ("ViTMAEModel", "ViTMAEConfig", TINY | {"mask_ratio": 0.0}, (32, 32)),
    ("Dinov2Model", "Dinov2Config", TINY | {"mlp_ratio": 2, "image_size": 56}, (32, 48)),
    ("Dinov2WithRegistersModel", "Dinov2WithRegistersConfig", TINY | {"mlp_ratio": 2, "image_size": 56}, (32, 48)),
    ("BeitModel", "BeitConfig", TINY | {"use_relative_position_bias": True}, (32, 32)),
    ("Data2VecVisionModel", "Data2VecVisionConfig", TINY | {"use_shared_relative_position_bias": True}, (32, 32)),
    ("ViTMSNModel", "ViTMSNConfig", TINY, (32, 48)),
    ("SiglipVisionModel", "SiglipVisionConfig", TINY | {"vision_use_head": False}, (32, 48)),
    ("SwinModel", "SwinConfig", dict(image_size=36, patch_size=2, embed_dim=8, depths=[2, 1], num_heads=[2, 4], window_size=4), (36, 36)),
]


def nested(state):
    """Names and shapes, as a tree: most names share their beginnings."""
    tree = {}
    for name, tensor in state.items():
        if tensor.is_floating_point():
            *path, last = name.split(".")
            place = tree
            for part in path:
                place = place.setdefault(part, {})
            place[last] = list(tensor.shape)
    return tree


def digest(tensor):
    flat = tensor.detach().flatten()
    step = max(1, len(flat) // 6)
    return {"shape": list(tensor.shape), "rms": number(flat.square().mean().sqrt()), "step": step,
            "values": [number(v) for v in flat[::step]]}


def number(value):
    return float(f"{float(value):.7g}")


def entry(kind, name, config, size, state, values, **more):
    assert all(torch.isfinite(value).all() for value in values.values()), name
    return {"kind": kind, "name": name, "config": config, "size": size, "state": nested(state),
            "values": {place: digest(value) for place, value in values.items()}, **more}


def picture(size):
    return formula("pixel_values", (2, 3, *size))


def of_timm(name, changes, size, model=None):
    arguments = dict(changes)
    if "vit" in name or name.startswith(("deit", "beit", "swin")) or "eva" in name:
        arguments["img_size"] = size
    model = fill(model or timm.create_model(name, **arguments))
    x = picture(size)
    values = {}
    info = [[i["module"], i["reduction"], i["num_chs"]] for i in model.feature_info]
    modules = dict(model.named_modules())
    transformer = hasattr(model, "blocks") and isinstance(model.blocks, torch.nn.Sequential | torch.nn.ModuleList) and hasattr(model, "patch_embed")
    if transformer or name.startswith("swin"):
        for stage, _, _ in info:
            modules[stage].register_forward_hook(lambda _m, _i, output, stage=stage: values.update({f"layer:{stage}": output}))
    if transformer:
        model.blocks[0].register_forward_pre_hook(lambda _m, inputs: values.update(patchEmbeddings=inputs[0]))
    values["features"] = model.forward_features(x)
    if transformer:
        if getattr(model, "cls_token", None) is not None:
            values["classToken"] = values["features"][:, 0]
        values["patchTokens"] = values["features"][:, model.num_prefix_tokens:]
    elif not name.startswith("swin"):
        maps = model.forward_intermediates(x, intermediates_only=True)
        values.update({f"layer:{stage}": value for (stage, _, _), value in zip(info, maps, strict=True)})
    values["penultimate"] = model.forward_head(values["features"], pre_logits=True)
    values["logits"] = model(x)
    return entry("named", name, changes, size, model.state_dict(), values, stages=info, source="timm")


def behind(backbone, img_size, more):
    """A vision transformer behind a network."""
    embed = partial(timm.layers.HybridEmbed, backbone=backbone, proj=not isinstance(backbone, hybrid.ConvStem))
    return hybrid.VisionTransformer(embed_layer=embed, patch_size=1, img_size=img_size, **more)


def of_hybrids():
    for name, backbone, build in BACKBONES:
        more = SMALL | ({"no_embed_class": True} if "mci" in name else {})
        size = (64, 96) if "mci" in name else (48, 72)
        yield of_timm(name, SMALL | {"backbone": backbone, "mlp_ratio": 4}, size, behind(build(), size, more))


def of_big_transfer():
    """Its function in timm takes no sizes."""
    conv = partial(timm.layers.StdConv2d, eps=1e-8)
    model = ResNetV2(**WIDE, num_classes=5, stem_type="fixed", conv_layer=conv)
    return of_timm("resnetv2_50x1_bit", WIDE | {"num_classes": 5}, (33, 40), model)


def of_torchvision(name, size, head=True, model=None, config={}):
    model = model or torchvision.models.get_model(name, weights=None)
    if head:
        fill(model)
    else:
        fill(model.features)
        state = {f"features.{k}": formula(f"features.{k}", tuple(v.shape)) for k, v in model.features.state_dict().items()}
        model.features.load_state_dict({k.removeprefix("features."): v for k, v in state.items()})
    model.eval()
    x = picture(size)
    values = {}
    if hasattr(model, "features") and not name.startswith("swin"):
        values["features"] = model.features(x)
    if head:
        last = [m for m in model.modules() if isinstance(m, torch.nn.Linear)][-1]
        last.register_forward_pre_hook(lambda _, inputs: values.update(penultimate=inputs[0].clone()))
        values["logits"] = model(x)
    return entry("named", name, config, size, model.state_dict(), values, source="torchvision")


def of_torchvision_transformer(name, size, model, config, layers, places, rows=[]):
    """With what modules give, and the names of all of them. `places` are modules by Pipilo's words; of `rows`, maps are kept as tokens."""
    modules = dict(model.named_modules())
    taken = {}
    for module in [*layers, *rows, *places.values()]:
        modules[module].register_forward_hook(lambda _m, _i, output, module=module: taken.update({module: output}))
    result = of_torchvision(name, size, model=model, config=config)
    values = {f"layer:{module}": taken[module] for module in layers} | {f"layer:{module}": taken[module].flatten(1, 2) for module in rows}
    values |= {place: taken[module] for place, module in places.items()}
    return result | {"values": {place: digest(value) for place, value in values.items()} | result["values"], "modules": [name for name in modules if name]}


def of_torchvision_transformers():
    models = torchvision.models
    vit = models.VisionTransformer(image_size=32, patch_size=16, num_layers=2, num_heads=2, hidden_dim=24, mlp_dim=96, num_classes=5)
    block = "encoder.layers.encoder_layer_0"
    yield of_torchvision_transformer(
        "vit_b_16", (32, 32), vit, SMALL | {"img_size": [32, 32]}, ["conv_proj", block, f"{block}.ln_2", f"{block}.mlp", f"{block}.mlp.0", "encoder"],
        {"patchEmbeddings": "encoder.dropout", "features": "encoder.ln"})
    small = {"embed_dim": 8, "depths": [2, 1], "num_heads": [2, 4], "num_classes": 5}
    rows = ["features.0", "features.1.1.attn", "features.1.1.mlp", "features.1.1", "features.2"]
    for name, side, parts in [("swin_t", 3, {}), ("swin_v2_t", 4, {"block": swin.SwinTransformerBlockV2, "downsample_layer": swin.PatchMergingV2})]:
        model = models.SwinTransformer(patch_size=[4, 4], window_size=[side, side], **small, **parts)
        yield of_torchvision_transformer(
            name, (32, 40), model, small | {"window_size": side}, ["features.0.0", "features.1", "features.3"], {"features": "norm"}, rows)


class Gated(torch.nn.Module):
    def __init__(self, features, hidden):
        super().__init__()
        self.w12, self.w3 = torch.nn.Linear(features, 2 * hidden), torch.nn.Linear(hidden, features)

    def forward(self, x):
        gate, value = self.w12(x).chunk(2, -1)
        return self.w3(torch.nn.functional.silu(gate) * value)


class Dinov2(torch.nn.Module):
    """Facebook's DINOv2 in small: its names, positions and registers (https://github.com/facebookresearch/dinov2), around timm's blocks."""

    def __init__(self, registers=0, chunks=0, hidden=0, antialias=False, offset=0.1, features=24, depth=2, heads=2, side=4):
        super().__init__()
        parameter = lambda *shape: torch.nn.Parameter(torch.zeros(shape))
        self.cls_token, self.mask_token = parameter(1, 1, features), parameter(1, features)
        self.pos_embed = parameter(1, side * side + 1, features)
        self.register_tokens = parameter(1, registers, features) if registers else None
        self.patch_embed = timm.layers.PatchEmbed(None, 14, 3, features, strict_img_size=False)
        blocks = [timm.models.vision_transformer.Block(features, heads, qkv_bias=True, init_values=1.0, norm_layer=self.layer_norm) for _ in range(depth)]
        for block in blocks if hidden else []:
            block.mlp = Gated(features, hidden)
        size = depth // chunks if chunks else 0
        starts = range(0, depth, size) if chunks else []
        chunked = [torch.nn.ModuleList([torch.nn.Identity()] * i + blocks[i : i + size]) for i in starts]
        self.order, self.blocks, self.norm = blocks, torch.nn.ModuleList(chunked or blocks), self.layer_norm(features)
        self.side, self.antialias, self.offset = side, antialias, offset

    @staticmethod
    def layer_norm(features, **_):
        return torch.nn.LayerNorm(features, eps=1e-6)

    def positions(self, rows, columns):
        first, table = self.pos_embed[:, :1], self.pos_embed[:, 1:].reshape(1, self.side, self.side, -1).permute(0, 3, 1, 2)
        to = {"size": (rows, columns)}
        if self.offset:
            to = {"scale_factor": ((rows + self.offset) / self.side, (columns + self.offset) / self.side)}
        table = torch.nn.functional.interpolate(table, mode="bicubic", antialias=self.antialias, **to)
        return torch.cat([first, table.flatten(2).mT], 1)

    def forward(self, pixels):
        x = torch.cat([self.cls_token.expand(len(pixels), -1, -1), self.patch_embed(pixels)], 1)
        x = x + self.positions(pixels.shape[2] // 14, pixels.shape[3] // 14)
        registers = 0 if self.register_tokens is None else self.register_tokens.shape[1]
        if registers:
            x = torch.cat([x[:, :1], self.register_tokens.expand(len(x), -1, -1), x[:, 1:]], 1)
        values = {"patchEmbeddings": x}
        names = {id(module): name for name, module in self.named_modules()}
        for block in self.order:
            x = values[f"layer:{names[id(block)]}"] = block(x)
        features = self.norm(x)
        return values | {"features": features, "classToken": features[:, 0], "penultimate": features[:, 0], "patchTokens": features[:, 1 + registers :]}


def of_dinov2(name, config={}, **arguments):
    model = fill(Dinov2(**arguments))
    state = model.state_dict()
    config = {"embed_dim": 24, "depth": 2, "num_heads": 2, "img_size": [56, 56]} | config
    values = model(picture((42, 70)))
    stages = [[place.removeprefix("layer:"), 14, 24] for place in values if place.startswith("layer:")]
    return entry("named", name, config, (42, 70), state, values, stages=stages, source="dinov2")


def of_transformers(model_class, config_class, options, size):
    config = getattr(transformers, config_class)(**options)
    model = getattr(transformers, model_class)(config)
    folder = Path(__file__).parent / "saved"
    model.save_pretrained(folder)  # by other names than in memory
    state = transformers.modeling_utils.load_state_dict(folder / "model.safetensors")
    state = {k: formula(k, tuple(v.shape)) for k, v in state.items()}
    transformers.modeling_utils.safe_save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    model = getattr(transformers, model_class).from_pretrained(folder).eval()
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    x = picture(size)
    more = {"output_hidden_states": True}
    if tuple(size) != (config.image_size,) * 2 and "Dinov2" not in model_class:
        more["interpolate_pos_encoding"] = True
    if config.model_type == "vit_mae":
        more["noise"] = torch.arange((size[0] // 8) * (size[1] // 8)).float().expand(2, -1)
    base = getattr(model, model.base_model_prefix, model)
    out = base(x, **more)
    values = {"features": out.last_hidden_state}
    if config.model_type == "siglip_vision_model":
        values.update(patchEmbeddings=out.hidden_states[0], patchTokens=out.last_hidden_state, penultimate=out.last_hidden_state.mean(1))
        values.update({f"layer:encoder.layers.{i}": h for i, h in enumerate(out.hidden_states[1:])})
    elif config.model_type == "swin":
        values.update({f"layer:encoder.layers.{i}": h.permute(0, 2, 3, 1) for i, h in enumerate(out.reshaped_hidden_states[1:])})
        values["penultimate"] = out.pooler_output
    else:
        values["patchEmbeddings"] = out.hidden_states[0]
        values.update({f"layer:encoder.layer.{i}": h for i, h in enumerate(out.hidden_states[1:-1])})
        prefix = out.last_hidden_state.shape[1] - (size[0] // 8) * (size[1] // 8)
        values.update(classToken=out.last_hidden_state[:, 0], patchTokens=out.last_hidden_state[:, prefix:])
    if "ForImage" in model_class:
        values["logits"] = model(x, **more).logits
    return entry("transformers", config.model_type, {"model_type": config.model_type, **options}, size, state, values)


class LeNet(torch.nn.Module):
    """As it is usually written."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = torch.nn.Conv2d(1, 6, 5), torch.nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = torch.nn.Linear(400, 120), torch.nn.Linear(120, 84), torch.nn.Linear(84, 10)

    def forward(self, x):
        pool = torch.nn.functional.avg_pool2d
        first = pool(self.conv1(x).tanh(), 2)
        features = pool(self.conv2(first).tanh(), 2)
        penultimate = self.fc2(self.fc1(features.flatten(1)).tanh()).tanh()
        values = {"layer:pool1": first, "layer:pool2": features, "features": features, "penultimate": penultimate}
        return values | {"logits": self.fc3(penultimate)}


def main():
    cases = [*(of_timm(*case) for case in TIMM), of_big_transfer(), *of_hybrids()] + [of_torchvision(*case) for case in TORCHVISION]
    cases += [of_torchvision(*case, head=False) for case in HEADLESS] + [of_transformers(*case) for case in TRANSFORMERS]
    cases += of_torchvision_transformers()
    cases.append(of_dinov2("dinov2_vits14"))
    cases.append(of_dinov2("dinov2_vits14_reg", registers=4, antialias=True, offset=0))
    cases.append(of_dinov2("dinov2_vitg14", {"mlp_ratio": 5.34}, chunks=2, hidden=64))
    lenet = fill(LeNet())
    cases.append(entry("lenet", "lenet", {}, (32, 32), lenet.state_dict(), lenet(formula("pixel_values", (2, 1, 32, 32))),
                       stages=[["pool1", 2, 6], ["pool2", 4, 16]]))
    text = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    Path(__file__).with_name("vision-models.json").write_text(f"[\n{text}\n]\n")


if __name__ == "__main__":
    main()
