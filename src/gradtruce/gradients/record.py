"""What the engine tells of one step."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import combinations
from typing import Any, final

import torch
from jaxtyping import Bool, Float
from torch import Tensor


@final
@dataclass(frozen=True, eq=False)
class StepRecord:
    """Losses, coefficients and geometry of one step, as tensors on the device.

    Reading a tensor on the host synchronises; `to_dict` does so once for all. Everything from
    `gramian` on is about the parameters in scope, or about the features with scope="features";
    before gradient noise and clipping, unscaled, and `None` where the step kept no rows.

    Attributes:
        tasks: Names, in the order of every tensor here.
        step: Number of this step, from 1.
        losses: Unweighted losses, summed over micro-batches; 0 where the task was absent.
        active: False for a task without a gradient in scope in this step.
        coefficients: a, with update = Jᵀa before clipping; the static weight where a task is
            inactive. Of several parameter blocks, the mean over blocks in which each counts by the
            task's share of ‖g_k‖² in it.
        weights: λ.
        finite: False where a loss or gradient was not finite; such a step writes zeros, or with a
            scaler lets the NaN through, for the scaler to skip the step.
        gramian: Inner products of the unweighted task gradients, zero where inactive.
        block_gramians: The same of each parameter block, where the balancer asks for blocks.
        block_coefficients: The coefficients of each block.
        total_norm: Norm of the whole update before clipping, parameters outside the scope included;
            `None` where `clip_norm` was not given.
        clip_factor: What the update was multiplied by, 1 where it was short enough.
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
    block_gramians: Float[Tensor, "blocks tasks tasks"] | None = None
    block_coefficients: Float[Tensor, "blocks tasks"] | None = None
    total_norm: Float[Tensor, ""] | None = None
    clip_factor: Float[Tensor, ""] | None = None
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
    def conflict_ratio(self) -> Float[Tensor, ""] | None:
        """Return the share of pairs of active tasks with a negative cosine; NaN without a pair."""
        if self.gramian is None:
            return None
        pairs = (self.active & self.active.unsqueeze(-1)).triu(1)
        return ((self.gramian < 0) & pairs).sum() / pairs.sum().to(self.gramian)

    @property
    def joint_norm(self) -> Float[Tensor, ""] | None:
        """Return ‖Σ λ_k g_k‖, the norm of the update of linear scalarization."""
        if self.gramian is None:
            return None
        return (self.weights @ self.gramian @ self.weights).clamp_min(0.0).sqrt()

    @property
    def update_norm(self) -> Float[Tensor, ""] | None:
        """Return ‖Jᵀa‖, the norm of the update."""
        if self.gramian is None:
            return None
        if self.block_gramians is None or self.block_coefficients is None:
            squared = self.coefficients @ self.gramian @ self.coefficients
        else:
            squared = (self.block_coefficients * self._slopes_of_blocks()).sum()
        return squared.clamp_min(0.0).sqrt()

    @property
    def slopes(self) -> Float[Tensor, " tasks"] | None:
        """Return ⟨g_k, update⟩, to first order how fast each loss falls."""
        if self.gramian is None:
            return None
        if self.block_gramians is None:
            return self.gramian @ self.coefficients
        return self._slopes_of_blocks().sum(0)

    @property
    def gain(self) -> Float[Tensor, ""] | None:
        """Return ‖update‖ / ‖Σ λ_k g_k‖."""
        update, joint = self.update_norm, self.joint_norm
        return None if update is None or joint is None else update / joint

    @property
    def joint_cosine(self) -> Float[Tensor, ""] | None:
        """Return the cosine of the angle between the update and Σ λ_k g_k."""
        slopes, update, joint = self.slopes, self.update_norm, self.joint_norm
        if slopes is None or update is None or joint is None:
            return None
        return (self.weights @ slopes / (update * joint)).clamp(-1.0, 1.0)

    @property
    def validity(self) -> Float[Tensor, ""] | None:
        """Return the smallest cosine of the update to an active task gradient.

        Where it is negative, the step raises the loss of some task, to first order.
        """
        slopes, update, norms = self.slopes, self.update_norm, self.norms
        if slopes is None or update is None or norms is None:
            return None
        cosines = (slopes / (norms * update)).masked_fill(~self.active, torch.inf)
        return cosines.amin().clamp(-1.0, 1.0)

    @property
    def clipped(self) -> Bool[Tensor, ""] | None:
        """Return whether the norm was clipped; `None` where `clip_norm` was not given."""
        return None if self.clip_factor is None else self.clip_factor < 1

    def to(self, device: torch.device | str) -> "StepRecord":
        """Return the record with all its tensors on another device."""
        moved: dict[str, Any] = {
            part.name: value.to(device)
            for part in fields(self)
            if isinstance(value := getattr(self, part.name), Tensor)
        }
        moved["flags"] = {name: flag.to(device) for name, flag in self.flags.items()}
        return replace(self, **moved)

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
        for name in NUMBERS:
            number = getattr(self, name)
            if number is not None:
                line[name] = _plain(float(number))
        if self.clipped is not None:
            line["clipped"] = bool(self.clipped)
        line["flags"] = {name: bool(flag) for name, flag in self.flags.items()}
        return line | {"finite": bool(self.finite), "notes": list(self.notes)}

    def _slopes_of_blocks(self) -> Float[Tensor, "blocks tasks"]:
        assert self.block_gramians is not None  # asked by the callers
        assert self.block_coefficients is not None
        return (self.block_gramians @ self.block_coefficients.unsqueeze(-1)).squeeze(-1)


NUMBERS = (  # properties and fields of one number each, by the names that a log has
    *("joint_norm", "update_norm", "conflict_ratio", "gain", "joint_cosine", "validity"),
    "total_norm",
)


def _plain(number: float) -> float | None:
    return number if math.isfinite(number) else None
