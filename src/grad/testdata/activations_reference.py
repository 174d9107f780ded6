"""Gradients of activation functions by PyTorch, for activations.test.ts."""
import torch
import torch.nn.functional as F
from cases import case, numbers, write

x = torch.cat([torch.tensor([-3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0]), numbers(9, low=-4, high=4)])
write(__file__, {
    'relu': case(F.relu, x),
    'sigmoid': case(torch.sigmoid, x),
    'tanh': case(torch.tanh, x),
    'softplus': case(F.softplus, x),
    'softsign': case(F.softsign, x),
    'hardswish': case(F.hardswish, x),
    'hardsigmoid': case(F.hardsigmoid, x),
    'leaky_relu': case(lambda v: F.leaky_relu(v, 0.2), x),
    'prelu': case(F.prelu, x.reshape(2, 4, 2), numbers(4, seed=2)),
    'elu': case(lambda v: F.elu(v, 0.7), x),
    'selu': case(F.selu, x),
    'celu': case(lambda v: F.celu(v, 1.3), x),
    'silu': case(F.silu, x),
    'gelu': case(F.gelu, x),
    'gelu by tanh': case(lambda v: F.gelu(v, approximate='tanh'), x),
    'mish': case(F.mish, x),
    'hardshrink': case(lambda v: F.hardshrink(v, 0.5), x),
    'softshrink': case(lambda v: F.softshrink(v, 0.5), x),
    'threshold': case(lambda v: F.threshold(v, 0.5, 0.0), x),
})
