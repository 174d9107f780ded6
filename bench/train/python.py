"""Opens the folders of trained networks with timm and sentence-transformers and compares their vectors: see python.ts."""

import json
import sys
from pathlib import Path

import numpy as np
import timm
import torch
from sentence_transformers import SentenceTransformer

folder = Path(sys.argv[1])
pixels = np.array(json.loads((folder / "pixels.json").read_text()), dtype=np.float32)


def timm_vectors(path):
    model = timm.create_model(f"local-dir:{path}", pretrained=True).eval()
    config = model.pretrained_cfg
    channels, height, width = config["input_size"]
    batch = torch.from_numpy(pixels[: 4 * channels * height * width].reshape(4, channels, height, width))
    with torch.inference_mode():
        return model.forward_head(model.forward_features(batch), pre_logits=True).numpy()


def sentence_vectors(path, inputs):
    return SentenceTransformer(path, device="cpu").encode(inputs)


for name, entry in json.loads((folder / "expected.json").read_text()).items():
    expected = np.array(entry["vectors"])
    try:
        if entry["kind"] == "timm":
            found = timm_vectors(entry["folder"])
        else:
            found = sentence_vectors(entry["folder"], entry["inputs"])
    except Exception as error:
        print(f"{name:24} FAILED {type(error).__name__}: {error}")
        continue
    if found.shape != expected.shape:
        print(f"{name:24} FAILED shapes {found.shape} and {expected.shape}")
        continue
    scale = np.abs(expected).max()
    print(f"{name:24} {expected.shape[1]:5} numbers, largest difference {np.abs(found - expected).max() / scale:.1e} of the largest")
