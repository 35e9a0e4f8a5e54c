"""The update from rows and coefficients, in place."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def combine(
    gradients: Sequence[Tensor | None], coefficients: Float[Tensor, " tasks"]
) -> Tensor | None:
    """Return Σ a_k g_k of one parameter, in the memory of the first gradient that is there.

    Half precision is summed in float32 and rounded once.

    Args:
        gradients: One a task, `None` where the task does not reach the parameter; overwritten.
        coefficients: a, on the gradients' device; never read on the host.

    >>> combine([torch.ones(2), None, torch.ones(2)], torch.tensor([2.0, 5.0, 0.5]))
    tensor([2.5000, 2.5000])
    """
    factors = coefficients.unbind()
    there = [(g, a) for g, a in zip(gradients, factors, strict=True) if g is not None]
    if not there:
        return None
    (out, first), *others = there
    if out.dtype in {torch.float16, torch.bfloat16}:
        exact = out.float().mul_(first)
        for gradient, factor in others:
            exact.addcmul_(gradient.float(), factor)
        return out.copy_(exact)
    out.mul_(first)
    for gradient, factor in others:
        out.addcmul_(gradient, factor)
    return out


def zero_unless(finite: Bool[Tensor, ""], gradients: Sequence[Tensor]) -> None:
    """Write zeros over gradients where a flag on the device is False, without reading the flag.

    >>> gradient = torch.tensor([1.0, float("nan")])
    >>> zero_unless(torch.tensor(False), [gradient])
    >>> gradient
    tensor([0., 0.])
    """
    broken = ~finite
    for gradient in gradients:
        gradient.masked_fill_(broken, 0.0)
