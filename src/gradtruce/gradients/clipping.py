"""Clipping of the update: by its norm, as one factor on the coefficients, or number by number."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from jaxtyping import Float
from torch import Tensor


@final
@dataclass(frozen=True)
class Clipping:
    """What the update is cut to, in units of unscaled gradients.

    Attributes:
        norm: Largest norm of the whole update, of all parameters together; `None` for no limit.
        value: Largest size of a single number, after `norm`; `None` for no limit.

    Raises:
        ValueError: If a limit is not above 0.

    >>> import torch
    >>> Clipping(norm=1.0).factor(torch.tensor(16.0))
    tensor(0.2500)
    """

    norm: float | None = None
    value: float | None = None

    def __post_init__(self) -> None:
        for name, limit in {"clip_norm": self.norm, "clip_value": self.value}.items():
            if limit is not None and not (0 < limit < math.inf):
                raise ValueError(f"{name} must be above 0 and finite, got {limit}")

    def factor(self, squared_norm: Float[Tensor, ""]) -> Float[Tensor, ""]:
        """Return what to multiply an update with, given the square of its norm; NaN goes through.

        At most 1, and exact: nothing is added to the norm, so that the result does not depend on
        the scale of the gradients.
        """
        limit = math.inf if self.norm is None else self.norm
        return (limit / squared_norm.clamp_min(0.0).sqrt()).clamp_max(1.0)

    def cut_values(self, gradients: Sequence[Tensor], scale: Float[Tensor, ""] | None) -> None:
        """Cut every number of gradients that are multiplied by `scale`, in place.

        >>> import torch
        >>> gradient = torch.tensor([-3.0, 0.5])
        >>> Clipping(value=1.0).cut_values([gradient], None)
        >>> gradient
        tensor([-1.0000,  0.5000])
        """
        if self.value is None:
            return
        for gradient in gradients:
            if scale is None:
                gradient.clamp_(-self.value, self.value)
            else:
                limit = (scale * self.value).to(gradient.dtype)
                gradient.clamp_(-limit, limit)
