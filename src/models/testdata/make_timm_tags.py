"""Prints ../timmTags.ts: for each architecture that timm registers in the families that Pipilo builds, the tag of its default
weights on the hub.

    python make_timm_tags.py > ../timmTags.ts     # needs timm
"""

import collections

import timm
from timm.models import get_pretrained_cfg

modules = ["resnet", "densenet", "vgg", "mobilenetv3", "efficientnet", "convnext", "vision_transformer"]
modules += ["vision_transformer_hybrid", "deit", "swin_transformer", "beit", "eva"]
by_tag = collections.defaultdict(list)
for module in modules:
    for name in timm.list_models(module=module):
        cfg = get_pretrained_cfg(name)
        if cfg is None or not cfg.hf_hub_id or not str(cfg.hf_hub_id).startswith("timm/"):
            continue
        by_tag[cfg.tag].append(name)
print("/**")
print(f" * The default weights of timm {timm.__version__} by architecture: `timm/<architecture>.<tag>` on the hub. Written by")
print(" * testdata/make_timm_tags.py: architectures by tag.")
print(" */")
print("export const timmTags: Readonly<Record<string, readonly string[]>> = {")
for tag in sorted(by_tag):
    names = ", ".join(f"'{name}'" for name in sorted(set(by_tag[tag])))
    print(f"  '{tag}': [{names}],")
print("}")
