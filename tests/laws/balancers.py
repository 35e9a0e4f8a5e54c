"""What each balancer needs in order to be tried alone, without a model; and how it is tried."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import pytest
import torch
from hypothesis import Phase, settings
from hypothesis import strategies as st
from torch import Generator, Tensor

import gradtruce.balance  # fills the list of known balancers
from gradtruce.balance import EMA, CAMEGrad
from gradtruce.gradients.balancer import (
    AfterStep,
    Balancer,
    ParameterBlocks,
    RowTransform,
    TaskSchedule,
    TaskStatistics,
)
from gradtruce.gradients.counter import Draws
from tests.laws.gramians import KINDS, task_gradients

MAKERS: dict[str, Callable[[], Balancer]] = {
    "ema": lambda: EMA(CAMEGrad(), decay=0.5),
}
"""How to make those that cannot be made without arguments."""

RANDOM: frozenset[str] = frozenset({"gradvac", "pcgrad", "rlw"})
"""Coefficients depend on random numbers: the order of tasks matters, but not in the mean."""

ORDERED: frozenset[str] = frozenset({"nmt"})
"""The order of tasks is their priority."""

ROTATED: frozenset[str] = frozenset({"graddrop"})
"""Numbers of a gradient are looked at one by one: a rotation of the parameters matters."""

SCALE_FREE: frozenset[str] = frozenset({"con_fig", "imtlg", "nash_mtl"})
"""The direction of the update does not change when one loss is multiplied."""


def balancers(which: Callable[[type[Balancer]], bool]) -> pytest.MarkDecorator:
    """Run a law for those of the package for which it is one."""
    return pytest.mark.parametrize(
        "kind",
        [
            pytest.param(kind, id=name)
            for name, kind in sorted(Balancer.known.items())
            if kind.__module__.startswith(f"{gradtruce.balance.__name__}.") and which(kind)
        ],
    )


every_balancer = balancers(bool)  # every class is true
few = settings(
    max_examples=8,
    deadline=None,
    derandomize=True,  # the same examples each time
    phases=[Phase.generate],  # smaller matrices of the same kind would say no more
)


def make(kind: type[Balancer]) -> Balancer:
    return MAKERS.get(kind.name, kind)()


class Batch(NamedTuple):
    """What a step brings: task gradients, losses, static weights, which tasks are active."""

    J: Tensor
    losses: Tensor
    weights: Tensor
    active: Tensor

    def order(self, places: Tensor) -> "Batch":
        return Batch(*(each[places] for each in self))

    def times(self, scale: float) -> "Batch":
        return self._replace(J=scale * self.J)

    def without(self, place: int) -> "Batch":
        """Return the batch with one more task at a place, inactive, its numbers far off."""
        old = torch.tensor([k for k in range(len(self.J) + 1) if k != place])
        J, losses = torch.zeros(len(old) + 1, self.J.shape[1]), torch.zeros(len(old) + 1)
        wider = Batch(J.double(), losses.double(), losses.double() + 7, losses > 0)
        for new, values in zip(wider, self, strict=True):
            new[old] = values
        return wider


def batch(J: Tensor, weights: Tensor | None = None) -> Batch:
    losses = torch.linspace(0.5, 2.0, len(J), dtype=torch.float64)
    spread = torch.linspace(1.0, 4.0, len(J), dtype=torch.float64)
    active = torch.ones(len(J), dtype=torch.bool)
    return Batch(J, losses, spread if weights is None else weights, active)


def ones(J: Tensor) -> Batch:
    return batch(J, torch.ones(len(J), dtype=torch.float64))


class Trial:
    """Drives a balancer as the engine does: one batch after the other, one epoch each."""

    def __init__(self, kind: type[Balancer], tasks: int, *, seed: int = 0) -> None:
        self.balancer, self.steps = make(kind), 0
        self.balancer.bind([f"task {place}" for place in range(tasks)])
        if isinstance(self.balancer, ParameterBlocks):
            self.balancer.blocks(["weight"])
        self.generator = torch.Generator().manual_seed(seed)

    def __call__(self, given: Batch, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
        """Return coefficients and update."""
        rows = given.J.clone()
        draws = Draws(self.generator.initial_seed(), self.steps, starts=(0,), count=len(rows[0]))
        if isinstance(self.balancer, RowTransform):
            self.balancer.transform([[row] for row in rows], given.weights, draws)
        if isinstance(self.balancer, TaskSchedule):
            self.balancer.before_update(self.balancer.groups(draws)[0], given.losses)
        a = self.coefficients((rows @ rows.T).to(dtype), given)
        if isinstance(self.balancer, AfterStep):
            self.balancer.after_step(given.losses / (1 + 0.1 * given.losses))
        return a, torch.where(given.active, a.double(), 0.0) @ rows

    def coefficients(self, gramian: Tensor, given: Batch) -> Tensor:
        has_blocks = self.balancer.needs == "blocks"
        statistics = TaskStatistics(
            gramian.unsqueeze(0) if has_blocks else gramian,
            given.losses.to(gramian.dtype),
            given.weights.to(gramian.dtype),
            given.active,
            self.steps,
            self.steps,
            self.generator,
        )
        self.steps += 1
        with torch.no_grad():
            a = self.balancer.coefficients(statistics)
        return a.squeeze(0) if has_blocks else a

    def run(self, batches: Sequence[Batch]) -> Tensor:
        """Return the coefficients of all steps."""
        return torch.stack([self(given)[0] for given in batches])


def update(kind: type[Balancer], given: Batch, *, seed: int = 0) -> Tensor:
    """Return the update of a first step."""
    return Trial(kind, len(given.J), seed=seed)(given)[1]


@st.composite
def jacobians(
    draw: st.DrawFn, *, smallest: int = 1, largest: int = 16, scales: bool = False
) -> Tensor:
    tasks = draw(st.integers(smallest, largest))
    generator = Generator().manual_seed(draw(st.integers(0, 2**31)))
    J = task_gradients(draw(st.sampled_from(KINDS)), tasks, draw(st.integers(1, 18)), generator)
    return J * 10.0 ** draw(st.integers(-10, 10)) if scales else J


def agree(found: Tensor, wanted: Tensor, J: Tensor, tolerance: float = 1e-5) -> None:
    """Require that two updates are the same, in units of the largest task gradient."""
    scale = float(wanted.norm()) + 1e-3 * float(J.norm())
    assert float((found - wanted).norm()) <= tolerance * scale
