"""GradNorm as published, with a second backward pass through the norms of the task gradients."""

import torch
from torch import Tensor


def gradnorm(J: Tensor, losses: Tensor, *, alpha: float, lr: float, m: int) -> Tensor:
    """Return w of every step; J (steps, tasks, params), losses (steps, tasks)."""
    steps, K, P = J.shape
    w = torch.ones(K, dtype=J.dtype, requires_grad=True)
    optimizer = torch.optim.Adam([w], lr=lr, eps=0.0)
    history = []
    for t in range(steps):
        history.append(w.detach().clone())
        grad_loss(w, J[t], losses[: t + 1], alpha=alpha, m=m, P=P)
        optimizer.step()
        with torch.no_grad():
            w.clamp_(min=1e-3)
            w.mul_(K / w.sum())
    return torch.stack(history)


def grad_loss(w: Tensor, J: Tensor, losses: Tensor, *, alpha: float, m: int, P: int) -> None:
    """Put ∂L_grad/∂w into w.grad, by differentiating the norms."""
    W = torch.zeros(P, dtype=J.dtype, requires_grad=True)
    G = []
    for i, row in enumerate(J):
        L_i = losses[-1, i] + row @ W
        (gradient,) = torch.autograd.grad(w[i] * L_i, W, create_graph=True)
        G.append(gradient.norm())
    L_0 = losses[:m].mean(0)
    L_tilde = losses[-1] / L_0
    r = L_tilde / L_tilde.mean()
    G_bar = torch.stack(G).mean().detach()
    L_grad = sum((G[i] - G_bar * r[i] ** alpha).abs() for i in range(len(J)))
    (w.grad,) = torch.autograd.grad(L_grad, w)
