"""What the engine tells of one step."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, final

from jaxtyping import Bool, Float
from torch import Tensor


@final
@dataclass(frozen=True, eq=False)
class StepRecord:
    """Losses, coefficients and geometry of one step, as tensors on the device.

    Reading a tensor on the host synchronises; `to_dict` does so once for all. Everything from
    `gramian` on is about the parameters in scope, before gradient noise, and `None` where the step
    took one backward pass and kept no rows.

    Attributes:
        tasks: Names, in the order of every tensor here.
        step: Number of this step, from 1.
        losses: Unweighted losses, summed over micro-batches; 0 where the task was absent.
        active: False for a task without a gradient in scope in this step.
        coefficients: a, with update = Jᵀa; the static weight where a task is inactive.
        finite: False where a loss or gradient was not finite; such a step writes zeros.
        gramian: Inner products of the unweighted task gradients, zero where inactive.
        flags: What the balancer says about its coefficients, such as "gain_capped".
        notes: What happened to the scope in this step, in words.
    """

    tasks: tuple[str, ...]
    step: int
    losses: Float[Tensor, " tasks"]
    active: Bool[Tensor, " tasks"]
    coefficients: Float[Tensor, " tasks"]
    weights: Float[Tensor, " tasks"]
    finite: Bool[Tensor, ""]
    gramian: Float[Tensor, "tasks tasks"] | None = None
    flags: Mapping[str, Bool[Tensor, ""]] = field(default_factory=dict)
    notes: Sequence[str] = ()

    @property
    def norms(self) -> Float[Tensor, " tasks"] | None:
        """Return ‖g_k‖ of every task."""
        return None if self.gramian is None else self.gramian.diagonal().sqrt()

    @property
    def cosines(self) -> Float[Tensor, "tasks tasks"] | None:
        """Return the cosine of every pair of task gradients, NaN where one is inactive."""
        if self.gramian is None:
            return None
        norms = self.gramian.diagonal().sqrt()
        return (self.gramian / norms.outer(norms)).clamp(-1.0, 1.0)

    @property
    def joint_norm(self) -> Float[Tensor, ""] | None:
        """Return ‖Σ λ_k g_k‖, the norm of the update of linear scalarization."""
        return self._norm(self.weights)

    @property
    def update_norm(self) -> Float[Tensor, ""] | None:
        """Return ‖Jᵀa‖, the norm of the update."""
        return self._norm(self.coefficients)

    def to_dict(self) -> dict[str, Any]:  # a line of a log: numbers by name, and tables of them
        """Return plain numbers by name, `None` for what is unknown; pairs are joined by "|"."""
        tables = {"losses": self.losses, "coefficients": self.coefficients, "norms": self.norms}
        line: dict[str, Any] = {"step": self.step}
        for name, values in tables.items():
            if values is not None:
                line[name] = dict(zip(self.tasks, map(_plain, values.tolist()), strict=True))
        line["active"] = dict(zip(self.tasks, self.active.tolist(), strict=True))
        if self.cosines is not None:
            rows = self.cosines.tolist()
            line["cosines"] = {
                f"{self.tasks[i]}|{self.tasks[j]}": _plain(rows[i][j])
                for i, j in combinations(range(len(self.tasks)), 2)
            }
        for name, norm in {"joint_norm": self.joint_norm, "update_norm": self.update_norm}.items():
            if norm is not None:
                line[name] = _plain(float(norm))
        line["flags"] = {name: bool(flag) for name, flag in self.flags.items()}
        return line | {"finite": bool(self.finite), "notes": list(self.notes)}

    def _norm(self, coefficients: Float[Tensor, " tasks"]) -> Float[Tensor, ""] | None:
        if self.gramian is None:
            return None
        return (coefficients @ self.gramian @ coefficients).clamp_min(0.0).sqrt()


def _plain(number: float) -> float | None:
    return number if math.isfinite(number) else None
