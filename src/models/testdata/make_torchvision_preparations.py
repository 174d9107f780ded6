"""Prints ../layouts/torchvisionPreparations.ts: how torchvision prepares pictures for each file that it publishes.

    python make_torchvision_preparations.py > ../layouts/torchvisionPreparations.ts     # needs torchvision
"""

import collections
import math
import re

import torchvision
from torchvision.models import get_model_weights, list_models

WORDS = {
    (0.485, 0.456, 0.406): "imagenet",
    (0.229, 0.224, 0.225): "imagenet",
    (0.5, 0.5, 0.5): "half",
}

rows = collections.defaultdict(set)
for name in list_models(module=torchvision.models):
    for weights in get_model_weights(name):
        hash = re.search(r"[-_]([0-9a-f]{8,10})\.pth$", weights.url)[1]
        preset = weights.transforms()
        (crop,), (resize,) = preset.crop_size, preset.resize_size
        mean, std = tuple(preset.mean), tuple(preset.std)
        word = WORDS.get(mean) or "/".join(",".join(f"{x!r}" for x in three) for three in (mean, std))
        # The share of the shorter side that is kept: crop / share, rounded down, is the length that it is resized to.
        share = next(x for x in (crop / resize, crop / (resize + 0.5)) if math.floor(crop / x) == resize)
        rows[f"{crop} {preset.interpolation.value} {round(share, 6) if math.floor(crop / round(share, 6)) == resize else share} {word}"].add(hash)

print("/**")
print(f" * Preparation of pictures of torchvision {torchvision.__version__.split('+')[0]}, as `weights.transforms()` gives it. Written by")
print(" * testdata/make_torchvision_preparations.py: by settings (size, interpolation, crop ratio, mean and deviation), the hashes in the names of published")
print(" * files.")
print(" */")
print("export const torchvisionPreparations: readonly (readonly [settings: string, hashes: string])[] = [")
for key in sorted(rows):
    print(f"  ['{key}', '{' '.join(sorted(rows[key]))}'],")
print("]")
