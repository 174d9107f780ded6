"""Writes processors.json: pictures as the processors of transformers prepare them, with and without settings of their files.

    python processors.py     # needs transformers, torchvision, pillow
"""

import json
import os
import tempfile

import numpy
from PIL import Image
from transformers import AutoImageProcessor

SIDE = 6
square = {"height": SIDE, "width": SIDE}
six = {"size": square}
cropped = {"size": {"shortest_edge": 8}, "crop_size": square}
cases = [
    ("Beit", six),
    ("Beit", {"size": {"height": 9, "width": 8}, "do_center_crop": True, "crop_size": square}),
    ("Bit", cropped),
    ("Blip", six),
    ("CLIP", cropped),
    ("CLIP", {"size": 7, "crop_size": SIDE}),
    ("CLIP", {"size": {"shortest_edge": 5}, "crop_size": square}),
    ("ChineseCLIP", cropped),
    ("ConditionalDetr", six),
    ("ConvNext", {"size": {"shortest_edge": SIDE}}),
    ("ConvNext", {"size": SIDE, "crop_pct": 0.7}),
    ("DINOv3ViT", six),
    ("DPT", six),
    ("DeformableDetr", six),
    ("DeiT", {"size": {"height": 8, "width": 8}, "crop_size": square}),
    ("DeiT", {"size": 8, "crop_size": SIDE}),
    ("Detr", six),
    ("EfficientNet", six),
    ("EfficientNet", {**six, "include_top": False, "rescale_offset": True, "rescale_factor": 1 / 127.5}),
    ("Flava", {**six, "crop_size": square}),
    ("Levit", {"size": {"shortest_edge": 7}, "crop_size": square}),
    ("MobileNetV1", cropped),
    ("MobileNetV2", cropped),
    ("MobileViT", cropped),
    ("MobileViT", {**cropped, "do_flip_channel_order": False, "do_normalize": True, "image_mean": [0.1, 0.2, 0.3]}),
    ("OwlViT", six),
    ("PoolFormer", {"size": {"shortest_edge": SIDE}, "crop_size": square}),
    ("PoolFormer", {"size": {"height": SIDE, "width": SIDE}, "crop_size": square, "crop_pct": 0.8}),
    ("PoolFormer", {"size": {"height": 8, "width": 7}, "crop_size": square, "crop_pct": 0.9}),
    ("Pvt", six),
    ("RTDetr", six),
    ("Segformer", {**six, "do_reduce_labels": True}),
    ("Siglip", six),
    ("Tipsv2", six),
    ("ViT", {**six, "resample": 3, "image_mean": [0.4, 0.5, 0.6], "crop_pct": 0.5, "do_thumbnail": True, "do_pad": True}),
    ("ViT", {**six, "do_rescale": False, "do_normalize": None}),
    ("Yolos", six),
]


def picture(height, width):
    y, x, c = numpy.mgrid[0:height, 0:width, 0:3]
    return Image.fromarray(abs((x * 5 + y * 3 * (c + 1)) % 256 - 128).astype("uint8"))


pictures = [picture(14, 21), picture(25, 17)]
rows = []
with tempfile.TemporaryDirectory() as folder:
    for kind, settings in cases:
        config = {"image_processor_type": f"{kind}ImageProcessor", **settings}
        with open(os.path.join(folder, "preprocessor_config.json"), "w") as file:
            json.dump(config, file)
        processor = AutoImageProcessor.from_pretrained(folder)
        pixels = [processor(image, return_tensors="np")["pixel_values"][0] for image in pictures]
        assert all(each.shape == (3, SIDE, SIDE) for each in pixels), (kind, [each.shape for each in pixels])
        rows.append({"config": config, "pixels": [[round(float(x), 3) for x in each.flatten()] for each in pixels]})
with open(os.path.join(os.path.dirname(__file__), "processors.json"), "w") as file:
    json.dump(rows, file, separators=(",", ":"))
    file.write("\n")
