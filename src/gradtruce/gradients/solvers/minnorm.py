"""The dual for many tasks: shifted min-norm points show the face that holds the optimum.

s·‖g_w‖ = min over τ of ‖g_w‖²/2τ + τs²/2, so the optimum of F(w) = bᵀw + s·‖g_w‖ also minimises
½wᵀGw + τ·bᵀw, for the τ at which ‖g_w‖ = sτ: it is the point nearest to zero in the hull of the
shifted rows g_k + τ·g0. Each of these is found by Wolfe's method (1976, "Finding the nearest point
in a polytope"), from G alone, and its support gives the exact optimum in closed form.
"""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gradtruce.gradients.solvers.faces import (
    NOISE,
    best_candidate,
    best_of_faces,
    duality_gap,
    faces_of,
)

_SHIFTS = 80  # most values of τ; about 5 to 20 are used
_EXACT = 1e-13  # gap, in units of the largest row's square, below which nothing better is sought


def nearest_points_optimum(
    G: Float[Tensor, "tasks tasks"],
    b: Float[Tensor, " tasks"],
    s: Float[Tensor, ""],
    active: Bool[Tensor, " tasks"],
) -> Float[Tensor, " tasks"]:
    """Return the w over the simplex that minimises bᵀw + s·√(wᵀGw), on the host.

    Args:
        G: Gramian, sorted by the size of its rows, largest diagonal 1.
        b: Gp.
        s: radius·√(pᵀGp).
        active: Tasks that may get weight.

    >>> G, everyone = torch.eye(3, dtype=torch.float64), torch.tensor([True, True, True])
    >>> b, s = G.sum(0) / 3, torch.tensor(0.3, dtype=torch.float64)
    >>> nearest_points_optimum(G, b, s, everyone)
    tensor([0.3333, 0.3333, 0.3333], dtype=torch.float64)
    """
    vertices = torch.eye(len(b), dtype=G.dtype)[active]
    if not len(vertices):
        return torch.zeros_like(b)
    if not G.isfinite().all():
        return torch.full_like(b, torch.nan)
    candidates, search = [*vertices], _Search()
    corral = _Corral(G, b, active)
    while float(s) > 0 and not search.is_over:
        nearest = corral.solve(math.exp(search.target) / float(s))
        exact = best_of_faces(G, b, s, active, faces_of((nearest > 0).unsqueeze(0)))
        candidates += [nearest, exact]
        if not b.any() or duality_gap(G, b, s, exact, active)[1] <= _EXACT:
            break  # with Gp = 0 the shift changes nothing
        search.observe(0.5 * math.log(max(float(nearest @ G @ nearest), 1e-300)))
    w = torch.stack(candidates)
    return best_candidate(G, b, s, active, w, torch.ones(len(w), dtype=torch.bool))


class _Search:
    """Finds the τ with log ‖g_w‖ = log sτ by false position, guarded by bisection."""

    def __init__(self) -> None:
        self._low, self._high = math.log(NOISE), 0.0  # of log sτ
        self._above, self._below = math.inf, -math.inf  # log ‖g_w‖ − log sτ at both ends
        self.target, self._tried = 0.0, 0

    @property
    def is_over(self) -> bool:
        """Whether τ is known as well as float64 can tell."""
        return self._high - self._low < 1e-13 or self._tried == _SHIFTS

    def observe(self, log_norm: float) -> None:
        """Take log ‖g_w‖ at the target, and set the next target."""
        excess = log_norm - self.target
        if excess > 0:
            self._low, self._above = self.target, excess
        else:
            self._high, self._below = self.target, excess
        share, self._tried = 0.5, self._tried + 1
        if math.isfinite(self._above) and math.isfinite(self._below):
            share = min(max(self._above / (self._above - self._below), 0.1), 0.9)
        self.target = self._low + share * (self._high - self._low)


class _Corral:
    """Wolfe's method for min ½wᵀGw + τ·bᵀw over the simplex, each τ starting at the last result."""

    def __init__(self, G: Tensor, b: Tensor, active: Tensor) -> None:
        self._G, self._b, self._active = G, b, active
        first = int(active.int().argmax())
        self._members = [first]
        self._w = torch.zeros_like(b)
        self._w[first] = 1.0

    def solve(self, shift: float) -> Tensor:
        """Return w for one τ."""
        slack = 1e-14 * (1.0 + shift * float(self._b.abs().max()))
        self._settle(shift)
        for _ in range(20 * len(self._b)):
            slope = (self._G @ self._w + shift * self._b).masked_fill(~self._active, torch.inf)
            entering = int(slope.argmin())
            inside = float(self._w[self._active] @ slope[self._active])
            if entering in self._members or float(slope[entering]) >= inside - slack:
                break
            self._members = sorted([*self._members, entering])
            self._settle(shift)
        return self._w.clone()

    def _settle(self, shift: float) -> None:
        """Go to the optimum of the members' hull, dropping those that would turn negative."""
        while True:
            optimum = self._affine_optimum(shift)
            outside = [k for k in self._members if float(optimum[k]) <= 0]
            if not outside:
                self._w = optimum
                return
            steps = {k: float(self._w[k] / (self._w[k] - optimum[k])) for k in outside}
            step = min(1.0, max(0.0, min(steps.values())))
            self._w = (self._w + step * (optimum - self._w)).clamp_min(0.0)
            leaving = min(steps, key=lambda k: steps[k])
            self._members.remove(leaving)
            self._w[leaving] = 0.0
            self._w /= self._w.sum()

    def _affine_optimum(self, shift: float) -> Tensor:
        base, *others = self._members  # sorted, so that the base is the smallest row
        optimum = torch.zeros_like(self._b)
        if others:
            row, square = self._G[base], self._G[base, base]
            H = self._G[others][:, others] - row[others] - row[others].unsqueeze(-1) + square
            side = row[others] - square + shift * (self._b[others] - self._b[base])
            size = H.diagonal().clamp_min(torch.finfo(H.dtype).tiny).sqrt()
            ridge = 1e-15 * torch.eye(len(others), dtype=H.dtype)
            solution = torch.linalg.lstsq(H / size.outer(size) + ridge, -side / size).solution
            optimum[others] = solution / size
        optimum[base] = 1.0 - optimum.sum()
        return optimum
