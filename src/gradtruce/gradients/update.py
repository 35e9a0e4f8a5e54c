"""From the rows of a step to its gradients and record."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple, final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gradtruce.gradients.balancer import (
    Balancer,
    FeatureReader,
    Flagging,
    GradientNoise,
    RowTransform,
    TaskStatistics,
)
from gradtruce.gradients.combine import combine, zero_unless
from gradtruce.gradients.counter import Draws
from gradtruce.gradients.finite import FiniteCheck, not_finite
from gradtruce.gradients.gramian import gramian
from gradtruce.gradients.open_step import OpenStep, on_device
from gradtruce.gradients.record import StepRecord
from gradtruce.gradients.rows import Row
from gradtruce.gradients.scope import Scope, is_read_after

INACTIVE = 1e-12  # norm of a row in units of the largest, at or below which its task is inactive


@final
@dataclass(frozen=True, eq=False)
class Updater:
    """Knows the parts that make an update: balancer, scope, check, weights, random numbers.

    Attributes:
        tasks: Names, in order.
        static: λ.
        device: Of the gradients.
        sizes: Numbers of every parameter.
    """

    balancer: Balancer
    scope: Scope
    check: FiniteCheck
    tasks: tuple[str, ...]
    static: Float[Tensor, " tasks"]
    device: torch.device
    generator: torch.Generator | None
    sizes: Sequence[int]

    def coefficients(
        self,
        gramian: Float[Tensor, "tasks tasks"],
        losses: Float[Tensor, " tasks"],
        active: Bool[Tensor, " tasks"],
        step: int,
        epoch: int | None,
    ) -> Float[Tensor, " tasks"]:
        """Ask the balancer, and give inactive tasks their static weight."""
        statistics = TaskStatistics(
            gramian, losses, self.static, active, step - 1, epoch, self.generator
        )
        with torch.no_grad():
            a = self.balancer.coefficients(statistics)
        return torch.where(active, a.to(torch.float64), self.static)

    def from_sum(
        self, opened: OpenStep, coefficients: Float[Tensor, " tasks"], step: int
    ) -> "Update":
        """Return the update of one backward pass of Σ a_k L_k, which is its only row."""
        row = opened.store.rows[0]
        broken = ~opened.losses.isfinite()
        finite = self._verdict(broken, not_finite(there(row), self.device), step)
        self._clean(finite, row)
        active = opened.present_mask()
        record = StepRecord(
            tasks=self.tasks,
            step=step,
            losses=opened.losses,
            active=active,
            coefficients=torch.where(active, coefficients, self.static),
            weights=self.static,
            finite=finite,
            flags=self._flags(),
        )
        return Update(row, record)

    def from_rows(self, opened: OpenStep, step: int, epoch: int | None) -> "Update":
        """Return the update Jᵀa in scope and Σ λ_k g_k outside of it."""
        rows = opened.store.rows
        self.scope.watch(rows)
        notes = self.scope.admit(opened.present, step)
        inside = list(self.scope.members)
        in_scope = [_select(row, inside, True) for row in rows]
        if isinstance(self.balancer, RowTransform):
            self.balancer.transform(in_scope, self.static, self._draws(rows, step))
        products = gramian(in_scope, device=self.static.device)
        outside = [not_finite(there(_select(row, inside, False)), self.device) for row in rows]
        broken = torch.stack(outside).to(products.device) | ~opened.losses.isfinite()
        broken = broken | ~products.diagonal().isfinite()
        finite = self._verdict(broken, ~products.isfinite().all(), step)
        active = opened.present_mask()
        if self.balancer.needs != "losses":  # there, rows are looked at but change nothing
            squares = products.diagonal()
            active = active & ~(squares <= INACTIVE**2 * squares.amax())  # NaN goes through
        products = products.masked_fill(~(active & active.unsqueeze(-1)), 0.0)
        seen = products
        if isinstance(self.balancer, FeatureReader):
            seen = self._features(self.balancer, active)
        a = self.coefficients(seen, opened.losses, active, step, epoch)
        gradients = self._combined(rows, inside, a)
        if isinstance(self.balancer, GradientNoise):
            draws = self._draws(rows, step)
            self.balancer.add(_select(gradients, inside, True), draws, 1.0)
        self._clean(finite, gradients)
        if is_read_after(step):
            notes += self.scope.read(step)
        record = StepRecord(
            tasks=self.tasks,
            step=step,
            losses=opened.losses,
            active=active,
            coefficients=a,
            weights=self.static,
            finite=finite,
            gramian=products,
            flags=self._flags(),
            notes=notes,
        )
        return Update(gradients, record)

    def _combined(self, rows: Sequence[Row], inside: Sequence[bool], a: Tensor) -> Row:
        """Return Σ a_k g_k in scope, Σ λ_k g_k elsewhere, in the memory of the rows."""
        scoped = on_device(a, self.device)
        # a weighting of losses, such as uncertainty weighting, is meant for all parameters
        others = scoped if self.balancer.needs == "losses" else on_device(self.static, self.device)
        gradients: Row = []
        for column, is_inside in zip(zip(*rows, strict=True), inside, strict=True):
            gradients.append(combine(column, scoped if is_inside else others))
        return gradients

    def _features(
        self, reader: FeatureReader, active: Bool[Tensor, " tasks"]
    ) -> Float[Tensor, "tasks tasks"]:
        """Return the Gramian of the features, with zeros where a task is inactive."""
        products = reader.observe(1.0, lambda tensor: tensor)
        return products.masked_fill(~(active & active.unsqueeze(-1)), 0.0)

    def _draws(self, rows: Sequence[Row], step: int) -> Draws:
        """Return the random numbers of a step for the gradients in scope."""
        if self.generator is None:
            raise ValueError(f"balancer {self.balancer.name!r} draws random numbers: give seed=")
        members = [place for place, is_member in enumerate(self.scope.members) if is_member]
        starts = [0, *accumulate(self.sizes)]
        reached = [p for p in members if any(row[p] is not None for row in rows)]
        return Draws(
            seed=self.generator.initial_seed(),
            step=step - 1,
            starts=tuple(starts[place] for place in members),
            count=sum(self.sizes[place] for place in reached),
        )

    def _verdict(
        self, broken: Bool[Tensor, " tasks"], combined: Bool[Tensor, ""], step: int
    ) -> Bool[Tensor, ""]:
        """Hand the verdict to the check, which may raise; return whether all is finite."""
        verdict = torch.cat([broken, combined.to(broken.device).unsqueeze(0)])
        self.check.submit(verdict, step)
        return ~verdict.any()

    def _clean(self, finite: Bool[Tensor, ""], gradients: Row) -> None:
        """Write zeros in a broken step; one that was checked on the host cannot be broken here."""
        if self.check.mode == "deferred":
            zero_unless(finite.to(self.device), there(gradients))

    def _flags(self) -> dict[str, Bool[Tensor, ""]]:
        return self.balancer.flags() if isinstance(self.balancer, Flagging) else {}


class Update(NamedTuple):
    """What a step ends in.

    Attributes:
        gradients: One a parameter, `None` for a parameter that no task reached.
        record: What to tell of the step.
    """

    gradients: Row
    record: StepRecord


def there(row: Row) -> list[Tensor]:
    """Return the gradients that are there.

    >>> there([None, torch.ones(1)])
    [tensor([1.])]
    """
    return [gradient for gradient in row if gradient is not None]


def _select(row: Row, inside: Sequence[bool], wanted: bool) -> Row:
    return [g for g, is_inside in zip(row, inside, strict=True) if is_inside == wanted]
