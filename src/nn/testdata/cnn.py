"""Makes cnn.json: what small convolutional networks of timm and torchvision give for a small picture.

    python src/nn/testdata/cnn.py src/nn/testdata/cnn.json

No weights are stored: every tensor is filled by a rule from its name (see `fill`), which the test follows as well.
"""
import json
import math
import sys
import zlib

import numpy as np
import timm
import torch
import torchvision

MODELS = [
    ('test_resnet', 'timm'),
    ('test_efficientnet', 'timm'),
    ('test_convnext', 'timm'),
    ('tf_mobilenetv3_small_minimal_100', 'timm'),
    ('ecaresnet26t', 'timm'),
    ('mobilenet_v2', 'torchvision'),
    ('mobilenet_v3_small', 'torchvision'),
]
SIZE = 45


def fill(name, shape):
    """Numbers in -1..1 from the CRC of the name and a linear congruence, scaled by what the tensor is."""
    count = math.prod(shape)
    start = zlib.crc32(name.encode())
    i = np.arange(count, dtype=np.uint64)
    state = (start + i * 2654435761) % 2**32
    state ^= state >> np.uint64(15)
    state = (state * 2246822519) % 2**32
    state ^= state >> np.uint64(13)
    values = state.astype(np.float64) / 2**31 - 1
    if name.endswith(('running_var', 'gamma')) or (name.endswith('weight') and len(shape) == 1):
        values = 1 + values / 2
    elif len(shape) >= 2:
        values = values * math.sqrt(3 / math.prod(shape[1:]))
    else:
        values = values / 2
    return values.astype(np.float32).reshape(shape)


record = []
for name, source in MODELS:
    model = timm.create_model(name) if source == 'timm' else torchvision.models.get_model(name)
    model.eval()
    state = {}
    for key, tensor in model.state_dict().items():
        state[key] = torch.from_numpy(fill(key, tensor.shape)) if tensor.is_floating_point() else tensor
    model.load_state_dict(state)
    x = torch.from_numpy(fill('pixel_values', (1, 3, SIZE, SIZE)))
    with torch.inference_mode():
        logits = model(x)
        features = model.forward_features(x) if source == 'timm' else model.features(x)
    shapes = {k: list(v.shape) for k, v in state.items()}
    digest = zlib.crc32(json.dumps(shapes, sort_keys=True).encode())
    entry = {'name': name, 'source': source, 'tensors': len(shapes), 'digest': digest, 'features': list(features.shape)}
    entry['logits'] = [float(f'{v:.6g}') for v in logits[0, :12]]
    entry['sums'] = [float(f'{v:.6g}') for v in features.sum((0, 2, 3))[:8]]
    if source == 'timm':
        entry['stages'] = [[i['module'], i['reduction'], i['num_chs']] for i in model.feature_info]
    entry['scale'] = [float(f'{v:.6g}') for v in (logits.abs().max(), features.sum((0, 2, 3)).abs().max())]
    entry['names'] = [[k, list(v.shape)] for k, v in state.items()] if source == 'torchvision' and name == 'mobilenet_v2' else None
    record.append({k: v for k, v in entry.items() if v is not None})
with open(sys.argv[1], 'w') as file:
    json.dump(record, file)
