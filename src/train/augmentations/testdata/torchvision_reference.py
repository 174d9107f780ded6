"""Writes torchvision.json: torchvision's functions on two small pictures, one of them with many equal channels."""
import json
from pathlib import Path

import torch
import torchvision
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as F

HEIGHT, WIDTH = 13, 11


def picture(n: int, channels: int) -> torch.Tensor:
    """The same numbers as `picture` in the test: bytes, and in picture 1 multiples of 51."""
    values = []
    for k in range(channels * HEIGHT * WIDTH):
        byte = ((k + 1) * (k + 7 + n) * 7919 + n * 131) % 256
        values.append(byte if n % 2 == 0 else byte // 43 * 51)
    return torch.tensor(values, dtype=torch.float32).reshape(channels, HEIGHT, WIDTH) / 255


def numbers(pictures: list[torch.Tensor]) -> dict:
    stacked = torch.stack(pictures)
    return {"shape": list(stacked.shape), "data": [round(v, 6) for v in stacked.flatten().tolist()]}


def case(function, *parameters, channels=3):
    return numbers([function(picture(n, channels), *(p[n] for p in parameters)) for n in range(2)])


boxes = [[2, 1, 9, 8], [0, 3, 13, 5]]
small = [[1, 2, 3, 4], [5, 5, 2, 2]]
offsets = [[0, 5], [4, 3]]
affines = [
    {"angle": 25.0, "translate": [2, -1], "scale": 1.1, "shear": [5.0, 0.0]},
    {"angle": -10.0, "translate": [0, 3], "scale": 0.8, "shear": [0.0, -8.0]},
]
factors = [[1.4, 0.6, 1.7, 0.13], [0.7, 1.5, 0.2, -0.31]]
orders = [[3, 1, 0, 2], [2, 0, 3, 1]]
erased = [[2, 3, 4, 5], [0, 0, 0, 0]]
sigmas = [0.4, 1.9]


def jitter(x, factors, order):
    adjust = [F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue]
    for operation in order:
        x = adjust[operation](x, factors[operation])
    return x


def column(k):
    return [row[k] for row in factors]


def resized(antialias, size):
    return lambda x, box: F.resized_crop(x, *box, size=size, antialias=antialias)


cases = {
    "resizedCrop smaller": case(resized(True, [6, 4]), boxes),
    "resizedCrop larger": case(resized(True, [7, 8]), small),
    "resizedCrop smaller, no antialias": case(resized(False, [6, 4]), boxes),
    "resizedCrop larger, no antialias": case(resized(False, [7, 8]), small),
    "paddedCrop constant": case(lambda x, o: F.crop(F.pad(x, [4]), *o, 9, 10), offsets),
    "paddedCrop reflect": case(lambda x, o: F.crop(F.pad(x, [4], padding_mode="reflect"), *o, 9, 10), offsets),
    "paddedCrop edge": case(lambda x, o: F.crop(F.pad(x, [4], padding_mode="edge"), *o, 9, 10), offsets),
    "affine bilinear": case(lambda x, p: F.affine(x, **p, interpolation=InterpolationMode.BILINEAR), affines, channels=1),
    "affine nearest": case(lambda x, p: F.affine(x, **p), affines, channels=1),
    "adjustBrightness": case(F.adjust_brightness, column(0), channels=1),
    "adjustContrast": case(F.adjust_contrast, column(1)),
    "adjustContrast, one channel": case(F.adjust_contrast, column(1), channels=1),
    "adjustSaturation": case(F.adjust_saturation, column(2)),
    "adjustHue": case(F.adjust_hue, column(3)),
    "colorJitter": case(jitter, factors, orders),
    "colorJitter, one channel": case(jitter, factors, orders, channels=1),
    "grayscale": case(lambda x, flag: F.rgb_to_grayscale(x, 3) if flag else x, [True, False]),
    "gaussianBlur": case(lambda x, sigma: F.gaussian_blur(x, [7, 7], [sigma, sigma]), sigmas, channels=1),
    "solarize": case(lambda x, flag: F.solarize(x, 0.4) if flag else x, [False, True], channels=1),
    "erasing": case(lambda x, box: F.erase(x, *box, torch.tensor([0.1, 0.2, 0.3]).reshape(3, 1, 1)), erased),
    "normalize": case(lambda x: F.normalize(x, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])),
}
parameters = {
    "boxes": boxes, "small": small, "offsets": offsets, "affines": affines, "factors": factors, "orders": orders,
    "erased": erased, "sigmas": sigmas,
}  # fmt: skip
text = json.dumps({"torchvision": torchvision.__version__.split("+")[0], "parameters": parameters, "cases": cases}, separators=(",", ":"))
Path(__file__).with_name("torchvision.json").write_text(text.replace('"cases":{', '"cases":{\n').replace("]},", "]},\n") + "\n")
