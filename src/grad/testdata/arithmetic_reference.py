"""Gradients of arithmetic by PyTorch, for arithmetic.test.ts."""
import torch
from cases import case, numbers, write

corners = torch.tensor([[-2.0, -1.0, 0.0], [0.0, 1.0, 2.0]])
write(__file__, {
    'div': case(torch.div, numbers(2, 3), numbers(3, seed=1, low=0.5, high=2)),
    'pow': case(torch.pow, numbers(2, 3, low=0.2, high=2), numbers(2, 1, seed=1)),
    'pow of 0 and below': case(torch.pow, corners, torch.tensor([[2.0, 2.0, 2.0], [0.0, 3.0, -1.0]])),
    'fmod': case(torch.fmod, numbers(2, 3, low=-5, high=5), numbers(3, seed=1, low=0.5, high=2)),
    'maximum': case(torch.maximum, corners, torch.tensor([-2.0, 0.0, 1.0])),
    'minimum': case(torch.minimum, corners, torch.tensor([-2.0, 0.0, 1.0])),
    'abs': case(torch.abs, corners),
    'clamp': case(lambda x: torch.clamp(x, -1.0, 1.0), corners),
    'clamp by tensors': case(torch.clamp, corners, torch.tensor(-1.0), torch.tensor(1.5)),
    'clamp with bounds that cross': case(torch.clamp, corners, torch.tensor(1.0), torch.tensor(-1.5)),
    'where': case(lambda x, y: torch.where(x > 0, x * y, y), corners, numbers(3)),
    'erf': case(torch.erf, numbers(2, 3, low=-2, high=2)),
    'functions': case(
        lambda x: x.sqrt() + x.reciprocal() + x.exp() + x.log() + x.sin() * x.cos() + x.tan() + x.asin() + x.acos()
        + x.atan() + x.sinh() + x.cosh() + x.asinh() + (x + 1).acosh() + x.atanh(),
        numbers(2, 3, low=0.1, high=0.9),
    ),
})
