"""Cases of gradients for the *_reference.py scripts: inputs by a formula, and what torch.autograd makes of them."""
import json
import math
import pathlib

import torch


def numbers(*shape, seed=0, low=-1.0, high=1.0):
    """Numbers between low and high, spread by the golden ratio."""
    count = 1
    for size in shape:
        count *= size
    fraction = (torch.arange(count, dtype=torch.float64) * 0.6180339887 + 0.37 * seed) % 1
    return (low + (high - low) * fraction).to(torch.float32).reshape(shape)


def case(function, *inputs):
    """Gradients by the float inputs of the sum of function(*inputs) times sin(1.7 i + 0.3)."""
    leaves = [x.clone().requires_grad_(x.is_floating_point()) for x in inputs]
    y = function(*leaves)
    weights = torch.sin(1.7 * torch.arange(y.numel(), dtype=torch.float64) + 0.3).to(torch.float32).reshape(y.shape)
    (y * weights).sum().backward()
    return {
        'inputs': [tensor(x) for x in inputs],
        'gradients': [None if x.grad is None else tensor(x.grad) for x in leaves],
    }


def tensor(x):
    dtype = {torch.float32: 'float32', torch.int64: 'int64', torch.bool: 'bool'}[x.dtype]
    data = [number(value) for value in x.flatten().tolist()] if x.is_floating_point() else x.flatten().tolist()
    return {'dtype': dtype, 'shape': list(x.shape), 'data': data}


def number(value):
    """Eight digits; JSON has no numbers that are not finite: 'NaN', 'Infinity'."""
    if math.isfinite(value):
        return float(f'{value:.8g}')
    return 'NaN' if math.isnan(value) else 'Infinity' if value > 0 else '-Infinity'


def write(script, cases):
    """Writes <family>.json beside <family>_reference.py, one case a line."""
    path = pathlib.Path(script)
    lines = [f'{json.dumps(name)}: {json.dumps(value)}' for name, value in cases.items()]
    target = path.with_name(path.name.replace('_reference.py', '.json'))
    target.write_text('{\n' + ',\n'.join(lines) + '\n}\n')
