"""Exact projection onto the dual cone of the task gradients, in coefficients.

The dual cone {d: ⟨g_k, d⟩ ≥ 0 for all k} holds the directions in which no task gets worse. The
point of it nearest to Jᵀu is Jᵀv with v = argmin over v ≥ u of vᵀGv (Quinton and Rey 2024,
"Jacobian Descent for Multi-Objective Optimization", proposition 1). With v = u + x and y = Gv its
optimality conditions are x ≥ 0, y ≥ 0, x·y = 0: a linear complementarity problem, whose natural
residual max |min(x, y)| is zero at solutions alone. Among the optimal x there is one whose support
has independent rows, so that singular faces may be passed over.
"""

from functools import cache

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gradtruce.gradients.solvers.faces import subsets
from gradtruce.gradients.solvers.simplex import LARGEST_ENUMERATED

_ROUNDING = 1e-15  # of a residual, in units of the largest x
_SLACK = 1e-14  # inner product, in units of all there are, up to which a constraint is kept
_RANK = 1e-13  # eigenvalue, a task, at or below which it is rounding


def cone_coefficients(
    gramian: Float[Tensor, "*#blocks tasks tasks"],
    targets: Float[Tensor, "*#blocks targets tasks"],
    active: Bool[Tensor, "*#blocks tasks"],
) -> Float[Tensor, "*blocks targets tasks"]:
    """Return, for each target u, the v ≥ u that minimises vᵀGv; zero for tasks not active.

    Up to 8 tasks, all supports of v − u at once, without a synchronisation; above, on the host, by
    the active-set method of Lawson and Hanson. Rows are brought to norm 1 beforehand, so that the
    scale of none matters.

    Args:
        gramian: G, positive semidefinite up to rounding; solved in float64.
        targets: Coefficients u of the directions to project; at least 0.
        active: Tasks that count, in u too.

    >>> G = torch.tensor([[1.0, -1.0], [-1.0, 4.0]], dtype=torch.float64)
    >>> cone_coefficients(G, torch.eye(2, dtype=torch.float64), torch.tensor([True, True]))
    tensor([[1.0000, 0.2500],
            [1.0000, 1.0000]], dtype=torch.float64)
    """
    counted = active.unsqueeze(-1) & active.unsqueeze(-2)
    G = gramian.to(torch.float64).masked_fill(~counted, 0.0)
    norms = G.diagonal(dim1=-2, dim2=-1).clamp_min(0.0).sqrt().unsqueeze(-2)
    norms = torch.where(norms > 0, norms, 1.0)
    cosines = G / (norms * norms.transpose(-1, -2))
    u = (targets.to(G) * norms).masked_fill(~active.unsqueeze(-2), 0.0)
    size = u.amax(-1, keepdim=True)
    u = u / torch.where(size > 0, size, 1.0)
    tasks = G.shape[-1]
    x = _by_supports(cosines, u) if tasks <= LARGEST_ENUMERATED else _on_host(cosines, u)
    return (u + x) * size / norms * active.unsqueeze(-2)


def _by_supports(
    C: Float[Tensor, "*blocks tasks tasks"], u: Float[Tensor, "*blocks targets tasks"]
) -> Float[Tensor, "*blocks targets tasks"]:
    """Return the x with the smallest natural residual, of all supports."""
    members, pairs, filling = _supports(C.shape[-1], C.device)
    y = u @ C
    matrices = torch.where(pairs, C.unsqueeze(-3), 0.0) + filling
    sides = torch.where(members.unsqueeze(-1), -y.transpose(-1, -2).unsqueeze(-3), 0.0)
    x = torch.linalg.solve_ex(matrices, sides).result.transpose(-1, -2)  # supports targets tasks
    y = (u.unsqueeze(-3) + x) @ C.unsqueeze(-3)
    size = x.abs().amax(-1)  # singular faces give sizes at which residuals are rounding
    residual = torch.minimum(x, y).abs().amax(-1) + _ROUNDING * size
    residual = torch.where(residual.isfinite(), residual, torch.inf)
    least, best = residual.min(-2)
    x = x.gather(-3, best[..., None, :, None].expand(*u.shape[:-2], 1, *u.shape[-2:])).squeeze(-3)
    return torch.where(least.isfinite().unsqueeze(-1), x.clamp_min(0.0), torch.nan)


@cache
def _supports(
    tasks: int, device: torch.device
) -> tuple[
    Bool[Tensor, "supports tasks"],
    Bool[Tensor, "supports tasks tasks"],
    Float[Tensor, "supports tasks tasks"],
]:
    """Return all sets of tasks, their pairs, and ones on the diagonal for the tasks outside."""
    members = subsets(tasks, device)
    pairs = members.unsqueeze(-1) & members.unsqueeze(-2)
    return members, pairs, torch.diag_embed((~members).to(torch.float64))


def _on_host(
    C: Float[Tensor, "*blocks tasks tasks"], u: Float[Tensor, "*blocks targets tasks"]
) -> Float[Tensor, "*blocks targets tasks"]:
    """Return x, each target for itself."""
    tasks = C.shape[-1]
    C_cpu = C.expand(*u.shape[:-2], tasks, tasks).reshape(-1, tasks, tasks).cpu()
    u_cpu = u.reshape(-1, *u.shape[-2:]).cpu()
    found = [_rows_on_host(*block) for block in zip(C_cpu, u_cpu, strict=True)]
    return torch.stack(found).reshape(u.shape).to(C.device)


def _rows_on_host(
    C: Float[Tensor, "tasks tasks"], u: Float[Tensor, "targets tasks"]
) -> Float[Tensor, "targets tasks"]:
    """Return x for the targets of one block."""
    if not (C.isfinite().all() and u.isfinite().all()):
        return torch.full_like(u, torch.nan)
    values, vectors = torch.linalg.eigh(C)
    kept = values > _RANK * len(C)
    root = (vectors[:, kept] * values[kept].sqrt()).T  # rootᵀ·root = C
    return torch.stack([_nonnegative_least_squares(root, -root @ each) for each in u])


def _nonnegative_least_squares(
    root: Float[Tensor, "rank tasks"], side: Float[Tensor, " rank"]
) -> Float[Tensor, " tasks"]:
    """Return argmin ‖root·x − side‖ over x ≥ 0 (Lawson and Hanson 1974, chapter 23).

    >>> _nonnegative_least_squares(torch.eye(2), torch.tensor([1.0, -1.0]))
    tensor([1., 0.])
    """
    tasks = root.shape[-1]
    x = torch.zeros(tasks, dtype=root.dtype)
    members: list[int] = []
    barred: set[int] = set()
    slack = _SLACK * tasks * (1.0 + float(side.abs().sum()))
    for _ in range(10 * tasks):
        slope = root.T @ (side - root @ x)
        slope[[*members, *barred]] = -torch.inf
        entering = int(slope.argmax())
        if float(slope[entering]) <= slack:
            break
        optimum = _on_members(root, side, [*members, entering])
        if float(optimum[entering]) <= 0:
            barred.add(entering)  # rounding alone made it look useful
            continue
        barred.clear()
        members.append(entering)
        x, members = _settle(root, side, x, members)
    return x


def _settle(root: Tensor, side: Tensor, x: Tensor, members: list[int]) -> tuple[Tensor, list[int]]:
    """Go to the optimum over the members, dropping those that would turn negative."""
    while True:
        optimum = _on_members(root, side, members)
        outside = [k for k in members if float(optimum[k]) <= 0]
        if not outside:
            return optimum, members
        steps = {k: float(x[k] / (x[k] - optimum[k])) for k in outside}
        leaving = min(steps, key=lambda k: steps[k])
        x = (x + min(1.0, max(0.0, steps[leaving])) * (optimum - x)).clamp_min(0.0)
        x[leaving] = 0.0
        members = [k for k in members if k != leaving]


def _on_members(root: Tensor, side: Tensor, members: list[int]) -> Tensor:
    """Return the least-squares solution with the given support."""
    x = torch.zeros(root.shape[-1], dtype=root.dtype)
    x[members] = torch.linalg.lstsq(root[:, members], side.unsqueeze(-1)).solution.squeeze(-1)
    return x
