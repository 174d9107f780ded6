"""Makes masked-models.json: masked autoencoders and vision transformers with masked patches, from timm's blocks.

    python masked_reference.py     # needs torch, timm, transformers

Weights and pictures follow formula.py; all is computed in double precision.
"""
import json
from functools import partial
from pathlib import Path

import timm
import torch
import transformers
from timm.models.vision_transformer import Block
from torch import nn

from formula import fill, formula
from training_reference import digest

torch.set_grad_enabled(False)
NORM = partial(nn.LayerNorm, eps=1e-6)


class Mae(nn.Module):
    """https://arxiv.org/abs/2111.06377, with the names of facebookresearch/mae."""

    def __init__(self, side, patch, dim, depth, heads, width, layers, decoder_heads):
        super().__init__()
        count = (side // patch) ** 2
        self.patch_embed = timm.layers.PatchEmbed(side, patch, 3, dim)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, count + 1, dim))
        self.blocks = nn.ModuleList([Block(dim, heads, 4, qkv_bias=True, norm_layer=NORM) for _ in range(depth)])
        self.norm = NORM(dim)
        self.decoder_embed = nn.Linear(dim, width)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, width))
        self.decoder_pos_embed = nn.Parameter(torch.zeros(1, count + 1, width))
        self.decoder_blocks = nn.ModuleList([Block(width, decoder_heads, 4, qkv_bias=True, norm_layer=NORM) for _ in range(layers)])
        self.decoder_norm = NORM(width)
        self.decoder_pred = nn.Linear(width, patch**2 * 3)

    def forward(self, pixels, ids_keep, ids_restore):
        batch, kept = ids_keep.shape
        take = lambda x, ids: torch.stack([row[order] for row, order in zip(x, ids)])
        x = take(self.patch_embed(pixels) + self.pos_embed[:, 1:], ids_keep)
        x = torch.cat([(self.cls_token + self.pos_embed[:, :1]).expand(batch, -1, -1), x], 1)
        for block in self.blocks:
            x = block(x)
        features = self.norm(x)
        x = self.decoder_embed(features)
        masks = self.mask_token.expand(batch, ids_restore.shape[1] - kept, -1)
        x = torch.cat([x[:, :1], take(torch.cat([x[:, 1:], masks], 1), ids_restore)], 1) + self.decoder_pos_embed
        for block in self.decoder_blocks:
            x = block(x)
        return {"features": features, "prediction": self.decoder_pred(self.decoder_norm(x))[:, 1:]}


class Masked(nn.Module):
    """timm's network with mask tokens."""

    def __init__(self, out, **changes):
        super().__init__()
        net = timm.create_model("vit_tiny_patch16_224", num_classes=0, **changes)
        self.__dict__["net"] = net
        for name, module in net.named_children():
            self.add_module(name, module)
        for name, parameter in net.named_parameters(recurse=False):
            self.register_parameter(name, parameter)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, net.embed_dim))
        self.regression_head = nn.Linear(net.embed_dim, out) if out else nn.Sequential(
            nn.Linear(net.embed_dim, 2 * net.embed_dim), nn.GELU(), nn.Linear(2 * net.embed_dim, net.embed_dim))

    def forward(self, pixels, mask):
        net = self.net
        x = torch.where(mask[..., None], self.mask_token, net.patch_embed(pixels))
        x = net.norm_pre(net._pos_embed(x))
        found = {}
        for i, block in enumerate(net.blocks):
            x = block(x)
            if i > 0:
                found[f"hidden_state_{i}"] = x[:, net.num_prefix_tokens :]
        return found | {"prediction": self.regression_head(net.norm(x)[:, net.num_prefix_tokens :])}


class Vit(nn.Module):
    def __init__(self, **changes):
        super().__init__()
        net = timm.create_model("vit_tiny_patch16_224", num_classes=5, **changes)
        self.forward = lambda pixels: {"logits": net(pixels)}
        for name, module in net.named_children():
            self.add_module(name, module)
        for name, parameter in net.named_parameters(recurse=False):
            self.register_parameter(name, parameter)


def main():
    sizes = {"img_size": 32, "patch_size": 8, "embed_dim": 24, "depth": 3, "num_heads": 3}
    order = torch.stack([torch.randperm(16, generator=torch.Generator().manual_seed(i)) for i in range(2)])
    ids = {"ids_keep": order[:, :5], "ids_restore": order.argsort(1)}
    mask = {"mask": torch.rand(2, 16, generator=torch.Generator().manual_seed(3)) < 0.6}
    cases = [
        ("mae", sizes | {"decoder_embed_dim": 16, "decoder_depth": 2, "decoder_num_heads": 2}, Mae(32, 8, 24, 3, 3, 16, 2, 2), ids),
        ("masked_vit", sizes | {"top_layers": 2, "prediction_head": "mlp"}, Masked(0, **sizes), mask),
        ("masked_vit", sizes | {"top_layers": 2, "out_features": 192, "reg_tokens": 2}, Masked(192, **sizes, reg_tokens=2), mask),
        ("vit_tiny_patch16_224", {**sizes, "img_size": 64, "embed_dim": 192, "depth": 4}, Vit(**{**sizes, "img_size": 64, "embed_dim": 192, "depth": 4}), {}),
    ]
    written = []
    for name, config, model, inputs in cases:
        shape = (2, 3, config["img_size"], config["img_size"])
        found = fill(model).double()(formula("pixel_values", shape).double(), **inputs)
        written.append({
            "name": name,
            "config": config,
            "pixel_values": shape,
            "inputs": {k: v.int().tolist() for k, v in inputs.items()},
            "state": {k: list(v.shape) for k, v in model.state_dict().items()},
            "values": {k: digest(v) for k, v in found.items()},
        })
    # The fixed positions that MAE draws.
    config = transformers.ViTMAEConfig(hidden_size=24, num_attention_heads=2, num_hidden_layers=1, image_size=32, patch_size=8)
    embeddings = transformers.ViTMAEModel(config).embeddings
    vars(embeddings.patch_embeddings.projection).pop("_is_hf_initialized", None)
    embeddings.initialize_weights()
    table = embeddings.position_embeddings
    text = ",\n".join(json.dumps(case, separators=(",", ":")) for case in written)
    Path(__file__).with_name("masked-models.json").write_text(f'{{"positions":{json.dumps(digest(table))},\n"cases":[\n{text}\n]}}\n')


if __name__ == "__main__":
    main()
