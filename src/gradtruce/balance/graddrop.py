"""GradDrop: in every coordinate only gradients of one sign, drawn at random."""

from collections.abc import Sequence
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from gradtruce.gradients.balancer import Balancer, TaskStatistics
from gradtruce.gradients.counter import Draws


@final
class GradDrop(
    Balancer,
    name="graddrop",
    source="Chen et al. 2020, algorithm 1",
    guarantee="without leak, no task gradients of unlike sign are added in any coordinate",
    degree=0.0,
):
    """Keep, in every coordinate, the task gradients of one sign (gradient sign dropout).

    With g_k the task gradients, coordinate by coordinate:

    - P = ½(1 + Σ λ_k g_k / Σ λ_k|g_k|), ½ where all are zero, is the chance of the positive sign;
    - U is uniform from 0 to 1, and the sign kept is positive where U < P;
    - the update is Σ λ_k (ℓ + (1 − ℓ)·kept_k) g_k, with the leak ℓ.

    Its mean over U is not the joint gradient; where all signs agree it is. The weights λ scale the
    task gradients before all else; with all λ = 1 this is the published method.

    The paper drops gradients of the features and multiplies them with the features' sign; as most
    public codes we drop those of the parameters in scope. U comes from a hash of seed, step and
    coordinate, so that it is the same on all ranks, shards and devices; it needs `seed=`. Public
    code that divides by Σ|g_k| without a guard gives NaN wherever all task gradients are zero,
    behind any ReLU; this does not.

    Args:
        leak: ℓ, share of the dropped gradients that is kept, from 0 to 1; 1 is linear
            scalarization.

    Raises:
        ValueError: If `leak` is out of its range.

    >>> rows = [torch.tensor([1.0, 2.0, 0.0]), torch.tensor([3.0, -2.0, 0.0])]
    >>> draws = Draws(seed=0, step=0, starts=(0,), count=3)
    >>> GradDrop().transform([[row] for row in rows], torch.ones(2), draws)
    >>> rows[0] + rows[1]
    tensor([4., 2., 0.])
    """

    def __init__(self, leak: float = 0.0) -> None:
        super().__init__()
        if not 0 <= leak <= 1:
            raise ValueError(f"leak must be from 0 to 1, got {leak}")
        self.leak = leak

    def coefficients(self, step: TaskStatistics) -> Float[Tensor, "*blocks tasks"]:
        """Return λ, for the rows that `transform` has left."""
        return step.weights.expand(step.gramian.shape[:-1])

    def transform(
        self,
        rows: Sequence[Sequence[Tensor | None]],
        weights: Float[Tensor, " tasks"],
        draws: Draws,
    ) -> None:
        """Drop the numbers of the sign that lost, in place."""
        for place, column in enumerate(zip(*rows, strict=True)):
            there = [
                (g, weight) for g, weight in zip(column, weights, strict=True) if g is not None
            ]
            if there:
                gradients, factors = zip(*there, strict=True)
                uniform = draws.uniform(place, gradients[0])
                _drop(gradients, torch.stack(factors), uniform, self.leak)


def _drop(
    gradients: Sequence[Tensor], weights: Float[Tensor, " tasks"], uniform: Tensor, leak: float
) -> None:
    """Drop in one parameter; NaN and infinity stay, for the engine to see."""
    total, size = torch.zeros_like(uniform), torch.zeros_like(uniform)
    factors = weights.to(uniform.dtype).to(uniform.device).unbind()
    for gradient, weight in zip(gradients, factors, strict=True):
        scaled = gradient.to(uniform.dtype) * weight
        total += scaled
        size += scaled.abs_()
    # U < P without a division: 2U − 1 < total / size
    is_positive = (2 * uniform - 1) * size < total
    for gradient in gradients:
        kept = (gradient > 0) == is_positive
        gradient.mul_(kept.to(gradient.dtype).mul_(1 - leak).add_(leak))
