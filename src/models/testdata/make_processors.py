"""Prints ../layouts/transformersProcessors.ts: the picture processors of transformers, with the settings of those that are followed.

    python make_processors.py > ../layouts/transformersProcessors.ts     # needs transformers, torchvision
"""

import warnings

import transformers
from transformers.models.auto.image_processing_auto import (
    IMAGE_PROCESSOR_MAPPING_NAMES as MAPPING,
    get_image_processor_class_from_name,
)

warnings.filterwarnings("ignore")

# Those that resize, crop, rescale and normalise, in this order, and nothing else; preprocessor.ts knows the changes that a few of them make.
FOLLOWED = """
Beit Bit Blip CLIP ChineseCLIP ConvNext DINOv3ViT DPT DeformableDetr DeiT Detr ConditionalDetr EfficientNet Flava Levit
MobileNetV1 MobileNetV2 MobileViT OwlViT PoolFormer Pvt RTDetr Segformer Siglip Tipsv2 ViT Yolos
""".split()

WORDS = {
    (0.485, 0.456, 0.406): "imagenet",
    (0.229, 0.224, 0.225): "imagenet",
    (0.5, 0.5, 0.5): "half",
    (0.48145466, 0.4578275, 0.40821073): "clip",
    (0.26862954, 0.26130258, 0.27577711): "clip",
}


def sides(size):
    if size is None:
        return "-"
    if set(size) == {"height", "width"}:
        return f"{size['height']}x{size['width']}"
    if set(size) == {"shortest_edge"}:
        return f"<{size['shortest_edge']}"
    assert set(size) == {"shortest_edge", "longest_edge"}, size
    return f"<{size['shortest_edge']}<{size['longest_edge']}"


def off(text, on):
    return text if on or text == "-" else f"({text})"


def settings(name):
    own = get_image_processor_class_from_name(f"{name}ImageProcessor")
    mean, std = (getattr(own, key, None) for key in ("image_mean", "image_std"))
    word = "-" if mean is None else WORDS[tuple(mean)]
    assert mean is None or word == WORDS[tuple(std)]
    assert own.do_resize and own.do_rescale and own.rescale_factor == 1 / 255
    return " ".join(
        [
            sides(own.size),
            off(sides(getattr(own, "crop_size", None)), getattr(own, "do_center_crop", None)),
            str(int(own.resample)),
            off(word, own.do_normalize),
            "square" if own.default_to_square else "shorter",
        ]
    )


types = {}
for kind, classes in MAPPING.items():
    name = next((each for each in classes.values() if each), None)
    if name:
        types.setdefault(name.removesuffix("Pil").removesuffix("ImageProcessor"), []).append(kind)

print(f"""/**
 * Processors of pictures of transformers {transformers.__version__}, written by testdata/make_processors.py: their names (before `ImageProcessor`), the
 * `model_type`s that they are for, and, of those that are followed, the settings that stand where a file is silent: size (`<` the shorter side), crop, way to
 * resize by Pillow's number, mean and deviation, and the meaning of a size of one number. In brackets: what has to be asked for.
 */
export const transformersProcessors: readonly (readonly [kind: string, types: string, settings: string])[] = [""")
for name in sorted(types, key=str.lower):
    print(f"  ['{name}', '{' '.join(sorted(types[name]))}', '{settings(name) if name in FOLLOWED else ''}'],")
print("]")
assert set(FOLLOWED) <= set(types), set(FOLLOWED) - set(types)
