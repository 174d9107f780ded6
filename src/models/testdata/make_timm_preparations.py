"""Prints ../layouts/timmPreparations.ts: how timm prepares pictures for each architecture that Pipilo builds.

    npx tsx -e "import('./src/nn/index.ts').then((nn) => console.log(nn.architectureNames('timm').join('\\n')))" |
        python make_timm_preparations.py > ../layouts/timmPreparations.ts     # needs timm
"""

import collections
import re
import sys

import timm
from timm.data import resolve_data_config
from timm.models import get_pretrained_cfg, is_model
from timm.models._registry import _model_default_cfgs as registered

WORDS = {
    (0.485, 0.456, 0.406): "imagenet",
    (0.229, 0.224, 0.225): "imagenet",
    (0.5, 0.5, 0.5): "half",
    (0.0, 0.0, 0.0): "none",
    (1.0, 1.0, 1.0): "none",
    (0.48145466, 0.4578275, 0.40821073): "clip",
    (0.26862954, 0.26130258, 0.27577711): "clip",
}


def settings(cfg):
    data = resolve_data_config(pretrained_cfg=cfg.to_dict())
    channels, height, width = data["input_size"]
    assert channels == 3
    mean, std = tuple(data["mean"]), tuple(data["std"])
    word = WORDS.get(mean) if WORDS.get(mean) == WORDS.get(std) else None
    word = word or "/".join(",".join(f"{x!r}" for x in three) for three in (mean, std))
    size = height if height == width else f"{height}x{width}"
    crop = "" if data["crop_mode"] == "center" else f" {data['crop_mode']}"
    return f"{size} {data['interpolation']} {data['crop_pct']!r} {word}{crop}"


names, hashes = collections.defaultdict(list), collections.defaultdict(list)
for name in sys.stdin.read().split():
    if not is_model(name):
        continue
    usual = settings(get_pretrained_cfg(name))
    names[usual].append(name)
    for tag, cfg in registered[name].cfgs.items():
        own = settings(cfg)
        if own != usual and tag:
            names[own].append(f"{name}.{tag}")
        hash = re.search(r"-([0-9a-f]{8})\.\w+$", cfg.url or "")
        if hash:
            hashes[own].append(hash[1])

print("/**")
print(f" * Preparation of pictures of timm {timm.__version__}, as `resolve_data_config` gives it. Written by")
print(" * testdata/make_timm_preparations.py: by settings (size, interpolation, crop ratio, mean and deviation, crop), the architectures whose")
print(" * default weights have them, those of other tags behind a dot, and the hashes in the names of published files.")
print(" */")
print("export const timmPreparations: readonly (readonly [settings: string, names: string, hashes: string])[] = [")
for key in sorted(set(names) | set(hashes)):
    print(f"  ['{key}', '{' '.join(sorted(names[key]))}', '{' '.join(sorted(set(hashes[key])))}'],")
print("]")
