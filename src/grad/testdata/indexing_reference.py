"""Gradients of gathering and scattering by PyTorch, for indexing.test.ts."""
import torch
import torch.nn.functional as F
from cases import case, numbers, write

x = numbers(4, 3)
repeated = torch.tensor([[0, 2, 1], [0, 2, 1], [3, 2, 0]])
write(__file__, {
    'embedding': case(lambda table, ids: F.embedding(ids, table), x, torch.tensor([[1, 1, 3], [0, 1, 3]])),
    'select': case(lambda v: v[:, -1], x),
    'gather': case(lambda v, at: v.gather(0, at), x, repeated),
    'index': case(lambda v, at: v[at[:, 0], at[:, 1]], x, torch.tensor([[0, 1], [3, 2], [0, 1]])),
    'scatter': case(lambda v, at, u: v.scatter(0, at, u), x, torch.tensor([[0, 2, 1], [3, 0, 2]]), numbers(2, 3, seed=1)),
    'scatter_add': case(lambda v, at, u: v.scatter_add(0, at, u), x, repeated, numbers(3, 3, seed=1)),
    **{
        f'scatter_reduce {reduce}': case(
            lambda v, at, u: v.scatter_reduce(0, at, u, reduce),
            torch.tensor([[0.5, 0.0, 1.0], [1.0, 0.5, 0.25], [2.0, 1.0, 1.0], [1.0, 1.0, 3.0]]),
            repeated,
            torch.tensor([[0.5, 2.0, 0.0], [0.5, 0.0, 2.0], [1.0, 3.0, 0.0]]),
        )
        for reduce in ['prod', 'amax', 'amin']
    },
    'topk': case(lambda v: v.topk(2, 1).values, x),
})
