"""Newton's method for fair coefficients: the a > 0 with Ga = (a/λ)^(−1/α).

They are the stationarity condition of maximising Σ λ_k u(g_k·d) − ½‖d‖² over d, where u is the
α-fair utility: log for α = 1, which is Nash's bargaining solution (Navon et al. 2022), and
s^(1−α)/(1−α) otherwise (Ban and Ji 2024). Written for x_k = ‖g_k‖·a_k they belong to a convex
function of x whose quadratic part is the matrix of cosines, so that the norms of the gradients do
not spoil the condition of the problem.
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

LARGEST = 1e4  # about the largest coefficient for α ≥ 1, in units of what the task would get alone
_ITERATIONS = 32
_EXACT = 1e-14  # largest relative error of an equation at which nothing is left to do
_WALL = 5  # power of the term that keeps coefficients below LARGEST
_NEAR = 0.4  # length of a Newton step, relative and times 1 + p, up to which it needs no search
_STEPS = (1.0, 0.75, 0.5, 0.25, 0.1, 0.03, 0.01, 1.5, 2.0, 3.0, 6.0, 12.0)  # of a Newton step


class FairCoefficients(NamedTuple):
    """What `fair_coefficients` found.

    Attributes:
        coefficients: a; 0 for tasks that do not count.
        capped: Whether a coefficient came so near to the largest that its equation holds less well
            than to 1e-3; or the steps did not suffice, as may happen for α above 5.
    """

    coefficients: Float[Tensor, "*blocks tasks"]
    capped: Bool[Tensor, "*blocks"]


def fair_coefficients(
    gramian: Float[Tensor, "*blocks tasks tasks"],
    fairness: float,
    weights: Float[Tensor, "*#blocks tasks"],
    active: Bool[Tensor, "*#blocks tasks"],
) -> FairCoefficients:
    """Return a > 0 with (Ga)_k = (a_k/λ_k)^(−1/α), by damped Newton steps in float64.

    Where a positive combination of the gradients vanishes there is no such a: coefficients would
    grow without bound. So the right-hand side carries the factor 1 − (y_k/Y)^(5 + 1/α), with y_k
    the ratio of a_k to what the task would get alone, (λ_k^(1/α)/‖g_k‖²)^(α/(1+α)), and Y = 1e4
    (for α < 1, where forces fall faster, 1e4^(2α/(1+α))). For α = 1 it is 1 − 1e-12 at y_k = 100,
    and nearer to 1 below.

    A fixed number of steps on a GPU, where nothing is read by the host; on the processor it stops
    when the equations hold.

    Args:
        gramian: G, positive semidefinite up to rounding.
        fairness: α, above 0.
        weights: λ, at least 0; a task of weight 0 does not count.
        active: Tasks that count; those with a gradient of zero do not.

    >>> G = torch.tensor([[1.0, -0.5], [-0.5, 4.0]], dtype=torch.float64)
    >>> everyone = torch.tensor([True, True])
    >>> a, capped = fair_coefficients(G, 1.0, torch.ones(2, dtype=torch.float64), everyone)
    >>> a * (G @ a)
    tensor([1.0000, 1.0000], dtype=torch.float64)
    """
    G, weights = gramian.to(torch.float64), weights.to(torch.float64)
    squares = G.diagonal(dim1=-2, dim2=-1)
    counted = active & ~((squares <= 0) | (weights <= 0))  # NaN must go through
    norms = torch.where(counted, squares, 1.0).sqrt()
    cosines = G / (norms.unsqueeze(-1) * norms.unsqueeze(-2))
    pairs = counted.unsqueeze(-1) & counted.unsqueeze(-2)
    others = torch.diag_embed((~counted).to(G))  # equations of their own, which y = 1 solves
    problem = _Problem(cosines.masked_fill(~pairs, 0.0) + others, 1 / fairness)
    alone = norms ** (1 / fairness - 1) * torch.where(counted, weights, 1.0) ** (1 / fairness)
    alone = alone ** (fairness / (1 + fairness))
    unit = alone.masked_fill(~counted, 0.0).amax(-1, keepdim=True)
    alone = torch.where(counted, alone / unit, 1.0)
    x, holds = problem.solve(alone)
    a = torch.where(counted, unit * x / norms, 0.0)
    return FairCoefficients(a, (counted & ~holds).any(-1))


class _Problem:
    """Cx = t·(y^(−p) − y⁵/Y^(5+p)) for y = x/t, with t the solution for C = 1."""

    def __init__(self, C: Float[Tensor, "*blocks tasks tasks"], power: float) -> None:
        self._C, self._power = C, power
        self._wall = LARGEST ** (-min(1.0, 2 / (1 + power)) * (_WALL + power))

    def solve(
        self, alone: Float[Tensor, "*blocks tasks"]
    ) -> tuple[Float[Tensor, "*blocks tasks"], Bool[Tensor, "*blocks tasks"]]:
        """Return x, given t, and where Cx = t·y^(−p) holds to 1e-3."""
        self._pull, self._push = alone ** (1 + self._power), self._wall * alone ** (1 - _WALL)
        on_host, near = alone.device.type == "cpu", _NEAR / (1 + self._power)
        x = self._start(alone)
        for _ in range(_ITERATIONS):
            pull, push = self._forces(x)
            product = _times(self._C, x)
            excess = product - pull + push
            if on_host and _is_solved(excess, pull, x):
                break
            H = self._C + torch.diag_embed((self._power * pull + _WALL * push) / x)
            step = -torch.linalg.solve_ex(H, excess.unsqueeze(-1)).result.squeeze(-1)
            change = step / x
            if not (on_host and bool((change.abs() < near).all())):
                step = self._length(x, step, product, change).unsqueeze(-1) * step
            x = x + step
        pull, _ = self._forces(x)
        return x, (_times(self._C, x) - pull).abs() <= 1e-3 * pull

    def _forces(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return both terms of the right-hand side."""
        return self._pull * x ** (-self._power), self._push * x**_WALL

    def _start(self, alone: Tensor) -> Tensor:
        """Return the best multiple of t: for two tasks of weight 1 and α = 1 it is the solution."""
        squared = (alone * _times(self._C, alone)).sum(-1, keepdim=True)
        total = alone.square().sum(-1, keepdim=True)
        share = (squared / total).clamp_min(LARGEST**-2)
        return alone * share ** (-1 / (1 + self._power))

    def _length(self, x: Tensor, step: Tensor, product: Tensor, change: Tensor) -> Tensor:
        """Return how far to go: where, of several lengths, the slope along the step is nearest 0.

        The function is convex, so its slope rises along the step, to +∞ where an x becomes 0.
        """
        room = 0.999 / (-change).amax(-1).clamp_min(1e-3)
        lengths = torch.tensor(_STEPS, dtype=x.dtype).to(x.device, non_blocking=True)
        lengths = torch.minimum(lengths.view(-1, *[1] * room.dim()), room)
        pull, push = self._forces(x + lengths.unsqueeze(-1) * step)
        bend = (step * _times(self._C, step)).sum(-1)
        slope = (step * (product - pull + push)).sum(-1) + lengths * bend
        best = slope.abs().argmin(0, keepdim=True)
        return lengths.gather(0, best).squeeze(0)


def _is_solved(excess: Tensor, pull: Tensor, x: Tensor) -> bool:
    """Tell whether the equations hold as well as float64 can tell."""
    rounding = 4e-16 * x.sum(-1, keepdim=True)
    return bool((excess.abs() <= _EXACT * pull + rounding).all())


def _times(
    matrix: Float[Tensor, "*blocks tasks tasks"], vector: Float[Tensor, "*blocks tasks"]
) -> Float[Tensor, "*blocks tasks"]:
    return (matrix @ vector.unsqueeze(-1)).squeeze(-1)
