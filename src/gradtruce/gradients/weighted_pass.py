"""One backward pass of Σ a_k L_k that leaves Σ a_k g_k in scope and Σ λ_k g_k elsewhere."""

from collections.abc import Mapping, Sequence
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gradtruce.gradients.backward_pass import backward_pass
from gradtruce.gradients.rows import Row
from gradtruce.gradients.scope import NOBODY, SEVERAL

SMALLEST = 1e-3  # |a_k| in units of λ_k below which a gradient is not divided by a_k


@final
class WeightedPass:
    """Weighs the losses by known coefficients and runs their backward pass.

    Parameters in scope get Σ a_k g_k. A parameter outside belongs to one task as a rule, and gets
    its a_k g_k in the same pass, times λ_k/a_k afterwards, which is exact. Where that is not
    possible, because a_k is about zero or several tasks reach a parameter outside, there are two
    passes: of Σ a_k L_k to the parameters in scope, of Σ λ_k L_k to the others. The second does not
    enter what lies before the shared parameters.

    Args:
        coefficients: a, where gradients are.
        static: λ; `None` to give every parameter Σ a_k g_k.
        parameters: All parameters, in order.
        inside: Whether each is in scope.
        owners: The task that reaches each, `NOBODY` or `SEVERAL`; of parameters outside.

    Attributes:
        strangers: Places of parameters outside that no task had reached before; they keep
            Σ a_k g_k.

    >>> shared, private = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))
    >>> a, static = torch.tensor([2.0]).double(), torch.tensor([4.0]).double()
    >>> weighted = WeightedPass(a, static, [shared, private], [True, False], [0, 0])
    >>> weighted.run({0: (shared * private).sum()}, None)
    >>> weighted.finish([shared.grad, private.grad])
    >>> shared.grad, private.grad
    (tensor([2.]), tensor([4.]))
    """

    def __init__(
        self,
        coefficients: Float[Tensor, " tasks"],
        static: Float[Tensor, " tasks"] | None = None,
        parameters: Sequence[nn.Parameter] = (),
        inside: Sequence[bool] = (),
        owners: Sequence[int] = (),
    ) -> None:
        self.coefficients, self._static = coefficients, static
        self._outside = [place for place, is_in in enumerate(inside) if not is_in]
        self._owners = owners
        self.strangers: list[int] = []
        self._ratios: dict[int, float] = {}
        self._splits: tuple[list[nn.Parameter], list[nn.Parameter]] | None = None
        if static is None or not self._outside:
            self._outside = []
            return
        there = {owners[place] for place in self._outside} - {NOBODY}
        a, weights = coefficients.tolist(), static.tolist()  # the only wait for the device
        if SEVERAL not in there and all(_is_divisor(a[k], weights[k]) for k in there):
            self._ratios = {k: weights[k] / a[k] for k in there}
        else:
            members = list(zip(parameters, inside, strict=True))
            self._splits = (
                [p for p, is_in in members if is_in and p.requires_grad],
                [p for p, is_in in members if not is_in and p.requires_grad],
            )

    @property
    def passes(self) -> int:
        """How many backward passes a micro-batch takes."""
        return 1 if self._splits is None else 2

    def run(self, losses: Mapping[int, Tensor], scale: Float[Tensor, ""] | None) -> None:
        """Run the backward pass of losses by the place of their task, times the scaler's factor."""
        if self._splits is None or self._static is None:
            _backward(losses, self.coefficients, scale)
            return
        shared, others = self._splits
        _backward(losses, self.coefficients, scale, inputs=shared, retain_graph=True)
        _backward(losses, self._static, scale, inputs=others)

    def finish(self, row: Row) -> None:
        """Give parameters outside their λ_k g_k, once a step, and note strangers."""
        if self._splits is not None:
            return
        by_owner: dict[int, list[Tensor]] = {}
        for place in self._outside:
            gradient = row[place]
            if gradient is not None:
                by_owner.setdefault(self._owners[place], []).append(gradient)
        for owner, ratio in self._ratios.items():
            if owner in by_owner:
                torch._foreach_mul_(by_owner[owner], ratio)
        self.strangers = [
            p for p in self._outside if self._owners[p] == NOBODY and row[p] is not None
        ]


def _is_divisor(a: float, weight: float) -> bool:
    return a != 0 and abs(a) >= SMALLEST * weight


def _backward(
    losses: Mapping[int, Tensor],
    factors: Float[Tensor, " tasks"],
    scale: Float[Tensor, ""] | None,
    inputs: Sequence[nn.Parameter] | None = None,
    *,
    retain_graph: bool = False,
) -> None:
    if inputs is not None and not inputs:
        return
    seeds = []
    for task, loss in losses.items():
        seed = factors[task]
        if scale is not None:  # a broken loss must break the gradients, for the scaler to see
            seed = torch.where(loss.detach().isfinite(), seed * scale, torch.nan)
        seeds.append(seed.to(loss.dtype, copy=True))  # a gradient may lie in its memory
    backward_pass(list(losses.values()), seeds, inputs=inputs, retain_graph=retain_graph)
