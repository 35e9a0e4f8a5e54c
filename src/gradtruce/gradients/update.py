"""From the rows of a step to its gradients and record."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gradtruce.gradients.balancer import (
    Balancer,
    FeatureReader,
    Flagging,
    GradientNoise,
    ParameterBlocks,
    RowTransform,
    TaskStatistics,
)
from gradtruce.gradients.blocks import blocks_of, mean_coefficients
from gradtruce.gradients.clipping import Clipping
from gradtruce.gradients.combine import zero_unless
from gradtruce.gradients.counter import Draws
from gradtruce.gradients.finite import FiniteCheck, not_finite
from gradtruce.gradients.geometry import Geometry, of_active, places_of, select, there
from gradtruce.gradients.kernels import Kernels
from gradtruce.gradients.losses import Arrival
from gradtruce.gradients.open_step import OpenStep, Seen, on_device, task_mask
from gradtruce.gradients.parallel.ranks import Ranks
from gradtruce.gradients.record import StepRecord
from gradtruce.gradients.rows import Row, RowStore
from gradtruce.gradients.scaling import KeptState
from gradtruce.gradients.scope import Scope, is_read_after
from gradtruce.gradients.solvers.rectification import significant
from gradtruce.gradients.weighted_pass import WeightedPass


@final
@dataclass(frozen=True, eq=False)
class Updater:
    """Knows the parts that make an update: balancer, scope, check, weights, random numbers.

    Attributes:
        tasks: Names, in order.
        static: λ.
        device: Of the gradients.
        sizes: Numbers of every parameter.
        ranks: The processes that share the work.
        kernels: What measures and combines the rows.
    """

    balancer: Balancer
    scope: Scope
    check: FiniteCheck
    tasks: tuple[str, ...]
    static: Float[Tensor, " tasks"]
    device: torch.device
    generator: torch.Generator | None
    clipping: Clipping
    sizes: Sequence[int]
    ranks: Ranks
    kernels: Kernels

    def coefficients(
        self,
        gramian: Float[Tensor, "*blocks tasks tasks"],
        losses: Float[Tensor, " tasks"],
        active: Bool[Tensor, " tasks"],
        step: int,
        epoch: int | None,
        finite: Bool[Tensor, ""] | None = None,
    ) -> Float[Tensor, "*blocks tasks"]:
        """Ask the balancer, and give inactive tasks their static weight.

        Where the step is not finite, which is not known on the host, the balancer sees the unit
        matrix and losses of 1 instead: eigensolvers refuse NaN.
        """
        if self.check.mode != "now":
            finite = losses.isfinite().all() if finite is None else finite
            unit = torch.eye(len(self.tasks), dtype=gramian.dtype, device=gramian.device)
            gramian, losses = torch.where(finite, gramian, unit), torch.where(finite, losses, 1.0)
        statistics = TaskStatistics(
            gramian, losses, self.static, active, step - 1, epoch, self.generator
        )
        with torch.no_grad():
            a = self.balancer.coefficients(statistics)
        return torch.where(active, a.to(torch.float64), self.static)

    def kept_state(self) -> KeptState | None:
        """Return the balancer's state, where a step that is not finite must leave no trace."""
        return KeptState(self.balancer) if self.check.mode != "deferred" else None

    def from_features(
        self, arrival: Arrival, products: Tensor, step: int, epoch: int | None
    ) -> Seen:
        """Return the coefficients of a step from the Gramian of its features' gradients.

        The features of other processes are other coordinates, and a loss counts there by its share
        of the mean.
        """
        losses = arrival.losses
        products = self.ranks.total(products) / self.ranks.count**2
        broken = ~products.diagonal().isfinite() | ~losses.isfinite()
        if self.check.mode == "now":
            self._verdict(broken, ~products.isfinite().all(), step)
        active = self._active(
            task_mask(arrival.everywhere, len(self.tasks), self.static.device), products
        )
        products = of_active(active, products)
        a = self.coefficients(products, losses, active, step, epoch, ~broken.any())
        if self.check.mode == "passed on":
            a = torch.where(~broken.any(), a, torch.nan)
        return Seen(products, active, a, broken)

    def from_sum(self, opened: OpenStep, weighted: WeightedPass, step: int) -> "Update":
        """Return the update of one backward pass of Σ a_k L_k, which is its only row."""
        (row,), seen = self.ranks.settled(opened.store.rows), opened.seen
        weighted.finish(row)
        broken = ~opened.losses.isfinite()
        if seen is not None:
            broken = broken | seen.broken
        finite = self._judged(broken, not_finite(there(row), self.device), step, opened.kept)
        norm, factor = self._clip_whole(row, self._geometry(opened))
        self.clipping.cut_values(there(row), opened.scale)
        self._clean(finite, row)
        active = opened.present_mask() if seen is None else seen.active
        record = StepRecord(
            tasks=self.tasks,
            step=step,
            losses=opened.losses,
            active=active,
            coefficients=torch.where(active, weighted.coefficients.to(self.static), self.static),
            weights=self.static,
            finite=finite,
            gramian=None if seen is None else seen.gramian,
            total_norm=norm,
            clip_factor=factor,
            flags=self._flags(),
            notes=self.scope.note_strangers(weighted.strangers),
        )
        return Update(self.ranks.gathered(row), record)

    def from_rows(self, opened: OpenStep, step: int, epoch: int | None) -> "Update":
        """Return the update Jᵀa in scope and Σ λ_k g_k outside of it."""
        rows = self.ranks.settled(opened.store.rows)
        notes = self.scope.admit(opened.present, step)
        inside = list(self.scope.members)
        in_scope = [select(row, inside, True) for row in rows]
        if isinstance(self.balancer, RowTransform):
            self.balancer.transform(in_scope, self.static, self._draws(rows, step))
        blocks = self._blocks(inside)
        geometry = self._geometry(opened)
        products = geometry.inside(in_scope, places_of(inside, True), blocks)
        total = products if blocks is None else products.sum(0)
        apart, broken = geometry.outside(
            [select(row, inside, False) for row in rows],
            places_of(inside, False),
            is_wanted=self.clipping.norm is not None,
        )
        broken = broken | ~opened.losses.isfinite() | ~total.diagonal().isfinite()
        finite = self._verdict(broken, ~products.isfinite().all(), step)
        active = self._active(opened.present_mask(), total)
        products, total = of_active(active, products), of_active(active, total)
        kept = self.kept_state() if self.check.mode == "passed on" else None
        seen = products
        if isinstance(self.balancer, FeatureReader):
            seen = self._features(self.balancer, active, opened.scale)
        if self.balancer.needs == "blocks" and blocks is None:
            a = self.static  # the scope is not known yet, and nothing is in it
        else:
            a = self.coefficients(seen, opened.losses, active, step, epoch, finite)
        if kept is not None:  # a scaler skips the step where there is a NaN
            kept.restore_unless(finite)
            a = torch.where(finite, a, torch.nan)
        norm, factor = self._clip(products, apart, a)
        gradients = self._combined(rows, inside, a, blocks, factor)
        if isinstance(self.balancer, GradientNoise):
            draws, scale = self._draws(rows, step), 1.0 if opened.scale is None else opened.scale
            self.balancer.add(select(gradients, inside, True), draws, scale)
            norm, factor = self._clip_whole(gradients, geometry)
        self.clipping.cut_values(there(gradients), opened.scale)
        self._clean(finite, gradients)
        if opened.reads_scope or is_read_after(step):
            notes += self.scope.read(step)
        record = StepRecord(
            tasks=self.tasks,
            step=step,
            losses=opened.losses,
            active=active,
            coefficients=a if blocks is None else mean_coefficients(products, a),
            weights=self.static,
            finite=finite,
            gramian=total,
            block_gramians=None if blocks is None else products,
            block_coefficients=None if blocks is None else a,
            total_norm=norm,
            clip_factor=factor,
            flags=self._flags(),
            notes=notes,
        )
        return Update(self.ranks.gathered(gradients), record)

    def complete(self, store: RowStore, task: int, *, is_watched: bool) -> None:
        """Take a row that is to come to no more, and start to average it over processes."""
        if is_watched:
            self.scope.watch(task, store.rows[task])
        store.rows[task] = self.ranks.averaged(store.rows[task])

    def _active(
        self, present: Bool[Tensor, " tasks"], products: Float[Tensor, "tasks tasks"]
    ) -> Bool[Tensor, " tasks"]:
        if self.balancer.needs == "losses":  # there, rows are looked at but change nothing
            return present
        return present & significant(products)

    def _geometry(self, opened: OpenStep) -> Geometry:
        home = self.static.device
        return Geometry(self.ranks, self.kernels, self.device, home, opened.scale)

    def _blocks(self, inside: Sequence[bool]) -> list[int] | None:
        """Return the block of each parameter in scope; one for all while the scope is not known."""
        if not isinstance(self.balancer, ParameterBlocks) or self.balancer.needs != "blocks":
            return None
        names = [self.scope.names[place] for place in places_of(inside, True)]
        return blocks_of(self.balancer, names) if names else None

    def _clip(
        self,
        products: Float[Tensor, "*blocks tasks tasks"],
        apart: Float[Tensor, "tasks tasks"] | None,
        a: Float[Tensor, "*blocks tasks"],
    ) -> tuple[Float[Tensor, ""] | None, Float[Tensor, ""] | None]:
        """Return the norm of the whole update, from inner products alone, and the factor on it."""
        if apart is None or isinstance(self.balancer, GradientNoise):
            return None, None
        others = a if self.balancer.needs == "losses" else self.static
        squared = (a * (products @ a.unsqueeze(-1)).squeeze(-1)).sum() + others @ apart @ others
        return squared.clamp_min(0.0).sqrt(), self.clipping.factor(squared)

    def _clip_whole(
        self, gradients: Row, geometry: Geometry
    ) -> tuple[Float[Tensor, ""] | None, Float[Tensor, ""] | None]:
        """Clip what is combined already, in place; return its norm and the factor."""
        if self.clipping.norm is None:
            return None, None
        squared = geometry.squared_norm(gradients)
        factor = self.clipping.factor(squared)
        here = on_device(factor, self.device)
        for gradient in there(gradients):
            gradient.mul_(here)
        return squared.clamp_min(0.0).sqrt(), factor

    def _combined(
        self,
        rows: Sequence[Row],
        inside: Sequence[bool],
        a: Float[Tensor, "*blocks tasks"],
        blocks: Sequence[int] | None,
        factor: Float[Tensor, ""] | None,
    ) -> Row:
        """Return Σ a_k g_k in scope, Σ λ_k g_k elsewhere, in the memory of the rows."""
        # a weighting of losses, such as uncertainty weighting, is meant for all parameters
        others = a if self.balancer.needs == "losses" else self.static
        if factor is not None:
            a, others = a * factor, others * factor
        if blocks is None:
            a, blocks = a.unsqueeze(0), [0] * sum(inside)
        sets = on_device(torch.cat([a, others.unsqueeze(0)]), self.device)
        block, last = iter(blocks), len(a)
        chosen = [next(block) if is_inside else last for is_inside in inside]
        return self.kernels.combined(zip(*rows, strict=True), sets, chosen)

    def _features(
        self,
        reader: FeatureReader,
        active: Bool[Tensor, " tasks"],
        scale: Float[Tensor, ""] | None,
    ) -> Float[Tensor, "tasks tasks"]:
        """Return the Gramian of the features, with zeros where a task is inactive."""
        share = 1.0 / self.ranks.count
        factor = share if scale is None else share / scale
        return of_active(active, reader.observe(factor, self.ranks.total))

    def _draws(self, rows: Sequence[Row], step: int) -> Draws:
        """Return the random numbers of a step for the gradients in scope."""
        if self.generator is None:
            raise ValueError(f"balancer {self.balancer.name!r} draws random numbers: give seed=")
        members = [place for place, is_member in enumerate(self.scope.members) if is_member]
        starts = self.ranks.starts()
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
        verdict = self.ranks.united(verdict)
        self.check.submit(verdict, step)
        return ~verdict.any()

    def _judged(
        self,
        broken: Bool[Tensor, " tasks"],
        combined: Bool[Tensor, ""],
        step: int,
        kept: KeptState | None,
    ) -> Bool[Tensor, ""]:
        """Return the verdict on a step whose coefficients came first; undo them if it is bad.

        An error is left to the engine, which undoes them then.
        """
        finite = self._verdict(broken, combined, step)
        if kept is not None:
            kept.restore_unless(finite)
        return finite

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
