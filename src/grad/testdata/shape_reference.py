"""Gradients of operators that move elements by PyTorch, for shape.test.ts."""
import torch
import torch.nn.functional as F
from cases import case, numbers, write

x = numbers(2, 3, 4)
write(__file__, {
    'permute': case(lambda v: v.permute(2, 0, 1), x),
    'cat': case(lambda a, b: torch.cat([a, b, a], 1), x, numbers(2, 1, 4, seed=1)),
    'split': case(lambda v: v.split([1, 2], 1)[1] * 3, x),
    'expand': case(lambda v: v[:, None].expand(2, 5, 3, 4), x),
    'repeat': case(lambda v: v.repeat(2, 1, 3), x),
    'slice': case(lambda v: v[:, 1:, ::2], x),
    'flip': case(lambda v: v.flip(1), x),
    'pad': case(lambda v: F.pad(v, (1, -1, 0, 2)), x),
    'pad reflecting': case(lambda v: F.pad(v, (2, 3), mode='reflect'), x),
    'pad with edges': case(lambda v: F.pad(v, (2, 3), mode='replicate'), x),
    'pad circular': case(lambda v: F.pad(v, (2, 3), mode='circular'), x),
    'tril': case(lambda v: v.tril(1), x),
    'cumsum': case(lambda v: v.cumsum(1), x),
})
