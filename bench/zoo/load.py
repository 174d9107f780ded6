"""ResNet-50 from its checkpoint in a fresh process: milliseconds from the imported library to the model that is ready.

    python load.py FOLDER usual|fastest

`usual`: timm builds and initialises the model, then loads the file. `fastest`: no parameter is drawn, and the file's tensors are
taken as they are.
"""
import json
import sys
import time

import timm
import torch
from safetensors.torch import load_file

folder, way = sys.argv[1:]
path = f"{folder}/model.safetensors"
start = time.perf_counter()
if way == "usual":
    model = timm.create_model("resnet50", checkpoint_path=path).eval()
else:
    with torch.device("meta"):
        model = timm.create_model("resnet50")
    model.load_state_dict(load_file(path), assign=True)
    model.eval()
ready = time.perf_counter()
with torch.inference_mode():
    model(torch.zeros(1, 3, 224, 224))
first = time.perf_counter()
print(json.dumps({"ready": (ready - start) * 1000, "first": (first - start) * 1000}))
