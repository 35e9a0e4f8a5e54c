"""Uncertainty weighting as published: the objective itself, by autograd, with torch's own Adam."""

import torch
from torch import Tensor


def uncertainty_weighting(losses: Tensor, c: Tensor, lambda_: Tensor, *, lr: float) -> Tensor:
    """Return the factor of every loss in every step; losses (steps, tasks)."""
    log_sigma_squared = torch.zeros_like(c, requires_grad=True)
    optimizer = torch.optim.Adam([log_sigma_squared], lr=lr)
    factors = []
    for now in losses:
        L = now.clone().requires_grad_()
        sigma_squared = log_sigma_squared.exp()
        each = c * L / sigma_squared + sigma_squared.sqrt().log()
        (factor,) = torch.autograd.grad((lambda_ * each).sum(), L, retain_graph=True)
        optimizer.zero_grad()
        each.sum().backward()
        optimizer.step()
        factors.append(factor)
    return torch.stack(factors)
