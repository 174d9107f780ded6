"""Gradients of matrix products by PyTorch, for matrix.test.ts and einsum.test.ts."""
import torch
import torch.nn.functional as F
from cases import case, numbers, write

write(__file__, {
    'linear': case(F.linear, numbers(2, 3, 4), numbers(5, 4, seed=1), numbers(5, seed=2)),
    'matmul of batches': case(torch.matmul, numbers(2, 1, 3, 4), numbers(3, 4, 2, seed=1)),
    'matmul with a vector': case(torch.matmul, numbers(2, 3, 4), numbers(4, seed=1)),
    'addmm': case(
        lambda c, a, b: torch.addmm(c, a.t(), b.t(), beta=0.5, alpha=2.0),
        numbers(4, seed=2), numbers(2, 3), numbers(4, 2, seed=1),
    ),
    'attention': case(
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v),
        numbers(2, 2, 3, 4), numbers(2, 2, 5, 4, seed=1), numbers(2, 2, 5, 4, seed=2),
    ),
    'einsum bhqd,bhkd->bhqk': case(
        lambda q, k: torch.einsum('bhqd,bhkd->bhqk', q, k), numbers(2, 2, 3, 4), numbers(2, 2, 5, 4, seed=1)
    ),
    'einsum ii,i->i': case(lambda a, b: torch.einsum('ii,i->i', a, b), numbers(3, 3), numbers(3, seed=1)),
})
