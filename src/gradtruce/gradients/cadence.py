"""When coefficients are computed anew, and the last ones in between."""

from collections.abc import Mapping
from typing import Any, final

import torch
from jaxtyping import Bool, Float
from torch import Tensor


@final
class Cadence:
    """Keeps coefficients for a number of steps.

    Args:
        every: Steps from one computation of the coefficients to the next; 1 for each step.
        static: λ, which a step falls back on whose first computation was not finite.

    Raises:
        ValueError: If `every` is below 1.

    >>> cadence = Cadence(2, torch.ones(2))
    >>> cadence.is_due
    True
    >>> cadence.renew(torch.tensor([2.0, 3.0]), torch.tensor(True))
    >>> cadence.is_due, cadence.coefficients
    (False, tensor([2., 3.]))
    >>> cadence.pass_by()
    >>> cadence.is_due
    True
    """

    def __init__(self, every: int, static: Float[Tensor, " tasks"]) -> None:
        if every < 1:
            raise ValueError(f"every must be a whole number of steps from 1 on, got {every}")
        self.every = every
        self.coefficients: Float[Tensor, " tasks"] = static
        self._left = 0

    @property
    def is_due(self) -> bool:
        """Whether the next step computes coefficients."""
        return self._left == 0

    def renew(self, coefficients: Float[Tensor, " tasks"], finite: Bool[Tensor, ""]) -> None:
        """Take over the coefficients of a step; the former ones stay where it was not finite."""
        if self.every > 1:
            self.coefficients = torch.where(finite, coefficients, self.coefficients)
        self._left = self.every - 1

    def pass_by(self) -> None:
        """Count a step that took the last coefficients."""
        self._left = max(self._left - 1, 0)

    def hasten(self) -> None:
        """Ask for new coefficients in the next step."""
        self._left = 0

    def state_dict(self) -> dict[str, Any]:
        """Return the last coefficients and how many steps they still serve."""
        return {"coefficients": self.coefficients.cpu(), "left": self._left}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self.coefficients = state["coefficients"].to(self.coefficients)
        self._left = min(state["left"], self.every - 1)
