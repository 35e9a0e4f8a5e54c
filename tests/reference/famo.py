"""FAMO as published: autograd of the log losses and of the softmax, with torch's own Adam."""

import torch
from torch import Tensor


def famo(before: Tensor, after: Tensor, b: Tensor, *, lr: float, gamma: float) -> Tensor:
    """Return the factor of every loss in every step; losses (steps, tasks)."""
    xi = torch.zeros_like(b, requires_grad=True)
    optimizer = torch.optim.Adam([xi], lr=lr, weight_decay=gamma)
    factors = []
    for now, then in zip(before, after, strict=True):
        L = now.clone().requires_grad_()
        z = xi.softmax(-1)
        D = L - b + 1e-8
        c = 1 / (z / D).sum().detach()
        (factor,) = torch.autograd.grad(c * (z.detach() * D.log()).sum(), L)
        factors.append(factor)
        delta = (now - b + 1e-8).log() - (then - b + 1e-8).log()
        optimizer.zero_grad()
        (xi.grad,) = torch.autograd.grad(xi.softmax(-1), xi, grad_outputs=delta)
        optimizer.step()
    return torch.stack(factors)
