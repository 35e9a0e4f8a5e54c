"""Exact minimiser over the simplex: the dual of conflict-averse rectification.

With G the Gramian, b = Gp and s = radius·√(pᵀGp), the dual is F(w) = bᵀw + s·√(wᵀGw) on the simplex
(Liu et al. 2021, "Conflict-Averse Gradient Descent for Multi-task Learning", algorithm 1). F is
convex, so its gap wᵀ∇F − min ∇F, with ∇F = b + s·Gw/√(wᵀGw), bounds F(w) − F* and is zero at the
optimum alone: candidates are ranked by it, and tests need no second solver to judge a result.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from gradtruce.gradients.solvers.faces import all_faces, best_of_faces
from gradtruce.gradients.solvers.minnorm import nearest_points_optimum

LARGEST_ENUMERATED = 8  # tasks up to which the optima of all 2^K − 1 faces are compared
_EQUAL = 8e-16  # squared distance of two rows, as a share of their squares, at which they are one


def dual_weights(
    gramian: Float[Tensor, "*#blocks tasks tasks"],
    mean: Float[Tensor, "*#blocks tasks"],
    radius: float,
    active: Bool[Tensor, "*#blocks tasks"],
) -> Float[Tensor, "*#blocks tasks"]:
    """Return the w that minimises wᵀGp + radius·√(pᵀGp)·√(wᵀGw) over the simplex of active tasks.

    A closed form for two tasks; up to 8, the optima of all faces at once, without a
    synchronisation; above, on the host, the faces that shifted min-norm points run through. The
    result does not depend on the scale of the Gramian. Equal rows get equal weights. Without an
    active task it is zero.

    Args:
        gramian: G, positive semidefinite up to rounding; solved in float64.
        mean: p, with g0 = Jᵀp.
        radius: Share of ‖g0‖, at least 0.
        active: Tasks that may get weight.

    >>> G = torch.tensor([[4.0, -1.0], [-1.0, 1.0]], dtype=torch.float64)
    >>> p = torch.tensor([0.5, 0.5], dtype=torch.float64)
    >>> dual_weights(G, p, 0.5, torch.tensor([True, True]))
    tensor([0., 1.], dtype=torch.float64)
    """
    G, order, active = _by_size(gramian, active)
    p = mean.to(G).expand(order.shape).gather(-1, order)
    b = (G @ p.unsqueeze(-1)).squeeze(-1)
    s = radius * (p * b).sum(-1).clamp_min(0.0).sqrt()
    return torch.zeros_like(b).scatter(-1, order, _optimum(G, b, s, active))


def min_norm_weights(
    gramian: Float[Tensor, "*#blocks tasks tasks"], active: Bool[Tensor, "*#blocks tasks"]
) -> Float[Tensor, "*blocks tasks"]:
    """Return the w that minimises wᵀGw over the simplex of active tasks (Désidéri 2012).

    g_w is the point of the hull of the task gradients nearest to zero. It is the dual above with
    Gp = 0 and s = 1, found by the same ways; the same holds of scale, equal rows and no active
    task.

    Args:
        gramian: G, positive semidefinite up to rounding; solved in float64.
        active: Tasks that may get weight.

    >>> G = torch.tensor([[4.0, -1.0], [-1.0, 1.0]], dtype=torch.float64)
    >>> min_norm_weights(G, torch.tensor([True, True]))
    tensor([0.2857, 0.7143], dtype=torch.float64)
    """
    G, order, active = _by_size(gramian, active)
    b, s = torch.zeros_like(G[..., 0]), torch.ones_like(G[..., 0, 0])
    w = _optimum(G, b, s, active)
    w = torch.where(G.isfinite().all(-1).all(-1, keepdim=True), w, torch.nan)
    return torch.zeros_like(b).scatter(-1, order, w)


def _by_size(
    gramian: Float[Tensor, "*#blocks tasks tasks"], active: Bool[Tensor, "*#blocks tasks"]
) -> tuple[
    Float[Tensor, "*blocks tasks tasks"],
    Int[Tensor, "*blocks tasks"],
    Bool[Tensor, "*blocks tasks"],
]:
    """Return G sorted by the size of its rows, its largest diagonal 1, the order, and `active`.

    Smallest first, since differences from the smallest member of a face round least; inactive
    tasks, as zeros, come last.
    """
    G = gramian.to(torch.float64).masked_fill(~(active.unsqueeze(-2) & active.unsqueeze(-1)), 0.0)
    squares = G.diagonal(dim1=-2, dim2=-1)
    largest = squares.amax(-1)[..., None, None]
    G = G / torch.where(largest > 0, largest, 1.0)
    order = squares.masked_fill(~active, torch.inf).argsort(-1)
    G = G.gather(-2, order.unsqueeze(-1).expand_as(G))
    G = G.gather(-1, order.unsqueeze(-2).expand_as(G))
    return G, order, active.expand(order.shape).gather(-1, order)


def _optimum(
    G: Float[Tensor, "*blocks tasks tasks"],
    b: Float[Tensor, "*blocks tasks"],
    s: Float[Tensor, "*blocks"],
    active: Bool[Tensor, "*blocks tasks"],
) -> Float[Tensor, "*blocks tasks"]:
    """Return the w over the simplex that minimises bᵀw + s·√(wᵀGw), G being sorted and scaled."""
    tasks = G.shape[-1]
    if tasks == 1:
        return active.to(G)
    if tasks == 2:
        w = _two_tasks(G, b, s, active)
    elif tasks <= LARGEST_ENUMERATED:
        w = best_of_faces(G, b, s, active, all_faces(tasks, G.device))
    else:
        w = _many_tasks(G, b, s, active)
    return _equal_rows_share(w, G, active)


def _two_tasks(
    G: Float[Tensor, "*blocks 2 2"],
    b: Float[Tensor, "*blocks 2"],
    s: Float[Tensor, "*blocks"],
    active: Bool[Tensor, "*blocks 2"],
) -> Float[Tensor, "*blocks 2"]:
    """Return w = (x, 1 − x) in closed form."""
    first, cross, second = G[..., 0, 0], G[..., 0, 1], G[..., 1, 1]
    length = first + second - 2 * cross  # ‖g1 − g2‖²
    slope = b[..., 0] - b[..., 1]
    nearest = (second - cross) / length  # ‖g_w‖ is smallest here, and this is its square:
    distance = (first * second - cross.square()).clamp_min(0.0) / length
    room = length * s.square() - slope.square()
    inside = nearest - slope * (distance / (length * room)).sqrt()
    x = torch.where(room > 0, inside.clamp(0.0, 1.0), (slope <= 0).to(G))
    x = torch.where(length > 0, x, 0.5)
    x = torch.where(active[..., 1], x, 1.0)  # sorted, so that an inactive task comes last
    return torch.stack([x, 1 - x], -1) * active


def _many_tasks(
    G: Float[Tensor, "*blocks tasks tasks"],
    b: Float[Tensor, "*blocks tasks"],
    s: Float[Tensor, "*blocks"],
    active: Bool[Tensor, "*blocks tasks"],
) -> Float[Tensor, "*blocks tasks"]:
    """Return the best optimum of the faces that the shifted min-norm points of each block visit."""
    tasks = G.shape[-1]
    G_cpu, b_cpu = G.reshape(-1, tasks, tasks).cpu(), b.reshape(-1, tasks).cpu()
    s_cpu, active_cpu = s.reshape(-1).cpu(), active.reshape(-1, tasks).cpu()
    blocks = zip(G_cpu, b_cpu, s_cpu, active_cpu, strict=True)
    weights = [nearest_points_optimum(*block) for block in blocks]
    return torch.stack(weights).reshape(b.shape).to(G.device)


def _equal_rows_share(
    w: Float[Tensor, "*blocks tasks"],
    G: Float[Tensor, "*blocks tasks tasks"],
    active: Bool[Tensor, "*blocks tasks"],
) -> Float[Tensor, "*blocks tasks"]:
    """Spread weight evenly over rows that cannot be told apart, which leaves g_w as it is."""
    squares = G.diagonal(dim1=-2, dim2=-1)
    sums = squares.unsqueeze(-1) + squares.unsqueeze(-2)
    equal = (sums - 2 * G <= _EQUAL * sums) & active.unsqueeze(-1) & active.unsqueeze(-2)
    shares = equal.to(G) / equal.sum(-1, keepdim=True).clamp_min(1)
    return (shares.transpose(-1, -2) @ w.unsqueeze(-1)).squeeze(-1)
