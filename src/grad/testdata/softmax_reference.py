"""Gradients of softmax and of the losses behind it by PyTorch, for softmax.test.ts."""
import torch
import torch.nn.functional as F
from cases import case, numbers, write

scores = numbers(2, 4, 3, low=-2, high=2)
labels = torch.tensor([[0, 2, -100], [3, -100, 1]])
weights = torch.tensor([0.5, 1.0, 2.0, 1.5])
cases = {
    'softmax': case(lambda x: x.softmax(1), scores),
    'log_softmax': case(lambda x: x.log_softmax(-1), scores),
}
for reduction in ['mean', 'sum', 'none']:
    cases[f'cross_entropy {reduction}'] = case(
        lambda x, at: F.cross_entropy(x, at, weight=weights, reduction=reduction), scores, labels
    )
    cases[f'nll_loss {reduction}'] = case(
        lambda x, at: F.nll_loss(x, at, weight=weights, reduction=reduction), scores, labels
    )
write(__file__, cases)
