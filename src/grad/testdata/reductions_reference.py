"""Gradients of reductions by PyTorch, for reductions.test.ts."""
import torch
from cases import case, numbers, write

tied = torch.tensor([[1.0, 3.0, 3.0, 2.0], [2.0, 2.0, 2.0, 0.0]])
zeros = torch.tensor([[2.0, 0.0, 3.0], [0.0, 0.0, 5.0], [2.0, 3.0, 4.0]])
write(__file__, {
    'sum': case(lambda x: x.sum((0, 2)), numbers(2, 3, 4)),
    'mean': case(lambda x: x.mean((0, 2), keepdim=True), numbers(2, 3, 4)),
    'amax': case(lambda x: x.amax(1), tied),
    'amin': case(lambda x: x.amin(1), tied),
    'amax of all': case(lambda x: x.amax((0, 1)), tied),
    'prod': case(lambda x: x.prod(1), zeros),
    'norm': case(lambda x: torch.linalg.vector_norm(x, 2, 1), torch.tensor([[0.0, 0.0], [3.0, 4.0]])),
    'norm of order 1': case(lambda x: torch.linalg.vector_norm(x, 1, 1), tied),
    'logsumexp': case(lambda x: x.logsumexp(1), numbers(2, 3)),
    'sum of squares': case(lambda x: x.square().sum(-1), numbers(2, 3)),
    'normalize': case(lambda x: torch.nn.functional.normalize(x, dim=-1), numbers(3, 4)),
})
