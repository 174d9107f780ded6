"""Weights by the formula of ../testing/formula.ts."""
import math
import re

import numpy as np
import torch


def formula(name, shape):
    seed = 0x811C9DC5
    for byte in name.encode():
        seed = (seed ^ byte) * 0x01000193 % 2**32
    z = np.arange(1, math.prod(shape) + 1, dtype=np.uint64) * 0x9E3779B9 + seed & 0xFFFFFFFF
    z = (z ^ z >> 16) * 0x85EBCA6B & 0xFFFFFFFF
    z = (z ^ z >> 13) * 0xC2B2AE35 & 0xFFFFFFFF
    z ^= z >> 16
    u = (z >> 16).astype(np.float64) / 32768 - 1
    if len(shape) == 1:
        values = u / 4 if re.search("bias$|mean$", name) else 1 + u / 2
    elif re.search("embed|token|pixel|relative_.*bias", name) and not re.search("patch_embed", name):
        values = u
    else:
        values = u * 2.0 ** -math.ceil(math.log2(math.prod(shape[1:])) / 2)
    return torch.from_numpy(values.astype(np.float32).reshape(shape))


def fill(model):
    """Gives every parameter and every buffer that a checkpoint holds its values; the offsets of Swin V2's windows are no weights."""
    state = model.state_dict()
    kept = lambda k, v: not v.is_floating_point() or k.endswith("relative_coords_table")
    model.load_state_dict({k: v if kept(k, v) else formula(k, tuple(v.shape)) for k, v in state.items()})
    return model.eval()
