"""What Pillow, timm and transformers make of pictures.

    python pillow.py        # needs pillow, numpy, timm, torchvision, transformers; writes pillow.json and geometry.json beside itself

- pillow.json: pictures by formula, resized by Pillow with each filter, in base64.
- geometry.json: for each preprocessing and many sizes of pictures, to what they are resized and where the crop begins (below 0:
  the border before the picture), as the libraries' own code does it: [width, height, resized width, resized height, left, top].
"""

import base64
import json
import pathlib
import random

import numpy
import timm.data
import torch
import torchvision.transforms.functional
import torchvision.transforms.v2.functional
import transformers
from PIL import Image

here = pathlib.Path(__file__).parent


def write(name, value):
    (here / name).write_text(json.dumps(value, separators=(",", ":")) + "\n")


def picture(width, height):
    """Waves of all lengths, and noise: (x, y, channel) to a byte by integers alone. resample.test.ts holds the same formula."""
    y, x, c = numpy.meshgrid(numpy.arange(height), numpy.arange(width), numpy.arange(3), indexing="ij")
    noise = ((x * 73 + y * 151 + c * 199 + (x * y) % 23 * 57) % 64) * (1 + (x // 8 + y // 8) % 2)
    slope = (x * 255 // width * (3 - c) + y * 255 // height * (1 + c)) // 4
    return Image.fromarray(numpy.clip(slope + noise - 40, 0, 255).astype(numpy.uint8))


FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
    "hamming": Image.Resampling.HAMMING,
}
cases = []
for (width, height), sizes in {(23, 17): [(9, 7), (40, 31), (12, 40), (40, 8)], (320, 213): [(32, 24)]}.items():
    for size in sizes:
        for name, method in FILTERS.items():
            data = numpy.asarray(picture(width, height).resize(size, method)).tobytes()
            case = {"from": [width, height], "to": size, "interpolation": name, "data": base64.b64encode(data).decode()}
            cases.append(case)
write("pillow.json", cases)


class Recorder:
    """Notes what is resized, padded and cropped, in place of doing it at length."""

    def __init__(self, *modules):
        self.modules = modules

    def __enter__(self):
        self.kept = [(m, name, getattr(m, name)) for m in self.modules for name in ("resize", "crop", "pad")]
        self.pad = (0, 0)
        self.crop = None
        self.size = None
        for module, name, function in self.kept:
            setattr(module, name, getattr(self, "note_" + name)(function))
        return self

    def __exit__(self, *_):
        for module, name, function in self.kept:
            setattr(module, name, function)

    def note_resize(self, function):
        def resize(image, size, *_, **__):
            nearest = torchvision.transforms.InterpolationMode.NEAREST
            result = function(image, size, interpolation=nearest)
            self.size = list(reversed(torchvision.transforms.functional.get_dimensions(result)[1:]))
            return result

        return resize

    def note_pad(self, function):
        def pad(image, padding, *arguments, **named):
            self.pad = padding[:2]
            return function(image, padding, *arguments, **named)

        return pad

    def note_crop(self, function):
        def crop(image, top, left, height, width):
            self.crop = (left, top)
            return function(image, top, left, height, width)

        return crop

    def row(self, width, height):
        left, top = self.crop or (0, 0)
        return [width, height, *self.size, left - self.pad[0], top - self.pad[1]]


random.seed(0)
SIZES = [(224, 224), (256, 256), (255, 257), (300, 225), (225, 300), (500, 375), (640, 480), (1280, 960), (17, 400), (3, 5)]
SIZES += [(random.randint(20, 700), random.randint(20, 700)) for _ in range(50)]


def timm_rows(**settings):
    size = settings.pop("size")
    transform = timm.data.create_transform(input_size=(3, *size), is_training=False, **settings)
    rows = []
    for width, height in SIZES:
        with Recorder(torchvision.transforms.functional) as recorder:
            transform(Image.new("RGB", (width, height)))
        rows.append(recorder.row(width, height))
    return rows


def transformers_rows(processor):
    rows = []
    for width, height in SIZES:
        with Recorder(torchvision.transforms.v2.functional) as recorder:
            processor(torch.zeros(3, height, width, dtype=torch.uint8), return_tensors="pt")
        rows.append(recorder.row(width, height))
    return rows


geometries = []
for settings in [
    {"size": (224, 224), "crop_mode": "center", "crop_pct": 0.875},
    {"size": (224, 224), "crop_mode": "center", "crop_pct": 0.9},
    {"size": (299, 299), "crop_mode": "center", "crop_pct": 0.95},
    {"size": (224, 224), "crop_mode": "center", "crop_pct": 1.0},
    {"size": (256, 192), "crop_mode": "center", "crop_pct": 0.875},
    {"size": (224, 224), "crop_mode": "squash", "crop_pct": 1.0},
    {"size": (240, 225), "crop_mode": "squash", "crop_pct": 0.95},
    {"size": (224, 224), "crop_mode": "border", "crop_pct": 1.0},
    {"size": (224, 160), "crop_mode": "border", "crop_pct": 0.9},
]:
    image = {"size": settings["size"], "crop": settings["crop_mode"], "cropRatio": settings["crop_pct"]}
    geometries.append({"of": "timm", "image": image, "rows": timm_rows(**settings)})

for image, processor in [
    ({"size": [224, 224], "crop": "center", "resize": 224}, transformers.CLIPImageProcessor()),
    (
        {"size": [224, 224], "crop": "center", "resize": 256},
        transformers.BitImageProcessor(size={"shortest_edge": 256}, crop_size={"height": 224, "width": 224}),
    ),
    (
        {"size": [221, 190], "crop": "center", "resize": 255},
        transformers.BitImageProcessor(size={"shortest_edge": 255}, crop_size={"height": 221, "width": 190}),
    ),
    (
        {"size": [224, 224], "crop": "center", "resize": 191},
        transformers.BitImageProcessor(size={"shortest_edge": 191}, crop_size={"height": 224, "width": 224}),
    ),
    ({"size": [224, 224], "crop": "squash", "resize": [256, 256]}, transformers.DeiTImageProcessor()),
    ({"size": [224, 224], "crop": "center", "resize": 235}, transformers.ConvNextImageProcessor(size={"shortest_edge": 224}, crop_pct=0.95)),
    ({"size": [384, 384], "crop": "squash"}, transformers.ConvNextImageProcessor(size={"shortest_edge": 384})),
    ({"size": [224, 224], "crop": "squash"}, transformers.ViTImageProcessor()),
]:
    geometries.append({"of": type(processor).__name__, "image": image, "rows": transformers_rows(processor)})
write("geometry.json", geometries)
