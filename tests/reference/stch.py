"""Smooth Tchebycheff scalarization: the scalar itself, differentiated by autograd."""

import torch
from torch import Tensor


def stch(f: Tensor, lambda_: Tensor, z: Tensor, *, mu: float) -> Tensor:
    """Return the gradient of μ·log Σ exp(λ(f − z*)/μ) with respect to the losses f."""
    f = f.clone().requires_grad_()
    g = mu * torch.exp(lambda_ * (f - z) / mu).sum().log()
    return torch.autograd.grad(g, f)[0]


def relative_stch(f: Tensor, nadir: Tensor, *, mu: float) -> Tensor:
    """Return the gradient of what the authors' multi-task code minimises after its warm-up."""
    f = f.clone().requires_grad_()
    logarithms = torch.log(f / nadir)
    g = mu * torch.exp(logarithms / mu).sum().log() * len(f)
    return torch.autograd.grad(g, f)[0]
