"""TorchJD's weightings as balancers, and balancers as TorchJD's weightings."""

from collections.abc import Sequence
from copy import deepcopy
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gradtruce.gradients.balancer import (
    AfterStep,
    Balancer,
    FeatureReader,
    GradientNoise,
    RowTransform,
    TaskSchedule,
    TaskStatistics,
)
from gradtruce.gradients.solvers.rectification import significant


def from_torchjd(weighting: nn.Module) -> Balancer:
    """Return the balancer that asks a TorchJD weighting for its coefficients.

    TorchJD knows no static weights and no inactive tasks. So λ is folded into the rows, that is
    into the Gramian before and the coefficients after, and the weighting sees active tasks alone;
    to find them the host waits for the device. What the weighting does with small or large
    gradients stays its own: several of TorchJD's compare the Gramian with absolute thresholds. A
    random weighting draws from torch's global generator, which ranks do not share.

    Args:
        weighting: Such as `torchjd.aggregation.UPGradWeighting()`, or an aggregator that has one,
            such as `UPGrad()`.

    Raises:
        ImportError: If TorchJD is not installed.
        TypeError: If it is neither; an aggregator of rows cannot be told by a Gramian.
    """
    aggregation = _aggregation()
    if isinstance(weighting, aggregation.GramianWeightedAggregator):
        return TorchJDBalancer(weighting.gramian_weighting)
    if not isinstance(weighting, aggregation.Weighting):
        raise TypeError(
            "weighting must be a Weighting of TorchJD, or an aggregator that computes one from the "
            f"Gramian, got {type(weighting).__name__}"
        )
    return TorchJDBalancer(weighting)


def to_torchjd(
    balancer: Balancer, *, weights: Sequence[float], seed: int | None = None
) -> nn.Module:
    """Return the TorchJD weighting that asks a balancer for its coefficients.

    It serves `torchjd.autogram` as it is, and `torchjd.autojac` within
    `GramianWeightedAggregator(to_torchjd(…))`.

    Args:
        balancer: One that reads the Gramian alone.
        weights: Static weight λ of every task, which fixes their number.
        seed: Of the balancer's random numbers.

    Raises:
        ImportError: If TorchJD is not installed.
        TypeError: If the balancer reads losses or is more than coefficients.
        ValueError: If a weight is negative.
    """
    if not weights or any(weight < 0 for weight in weights):
        raise ValueError(f"weights must be at least 0, one for each task, got {list(weights)}")
    if not _is_of_the_gramian_alone(balancer, len(weights), seed):
        raise TypeError(
            f"balancer {balancer.name!r} is not a function of the Gramian alone, which is all that "
            "a weighting of TorchJD sees; use TaskGradients"
        )
    weighting: nn.Module = _weighting_class()(balancer, weights, seed)
    return weighting


def _is_of_the_gramian_alone(balancer: Balancer, tasks: int, seed: int | None) -> bool:
    """Return whether copies that see different losses over some steps give the same answers."""
    more = AfterStep | RowTransform | TaskSchedule | GradientNoise | FeatureReader
    if balancer.needs not in {"gramian", "norms"} or isinstance(balancer, more):
        return False
    G = torch.eye(tasks, dtype=torch.float64)
    courses = torch.ones_like(G[0]), torch.linspace(0.5, 1.5, tasks, dtype=torch.float64)
    answers = []
    for course in courses:
        copied, generator = deepcopy(balancer), _generator(seed)
        copied.bind([f"task {k}" for k in range(tasks)])
        steps = [
            TaskStatistics(G, course**step, step=step, generator=generator) for step in range(1, 4)
        ]
        with torch.no_grad():
            answers.append([copied.coefficients(step) for step in steps])
    return all(torch.equal(one, other) for one, other in zip(*answers, strict=True))


def _generator(seed: int | None) -> torch.Generator | None:
    return None if seed is None else torch.Generator().manual_seed(seed)


@final
class TorchJDBalancer(
    Balancer, name="torchjd", source="TorchJD", synchronises="finds active tasks"
):
    """Asks a weighting of TorchJD; made by `from_torchjd`.

    >>> class Sum(nn.Module):  # as every weighting: from the Gramian to one number a task
    ...     def forward(self, gramian):
    ...         return torch.ones_like(gramian[0])
    >>> TorchJDBalancer(Sum()).coefficients(TaskStatistics(torch.eye(2)))
    tensor([1., 1.], dtype=torch.float64)
    """

    def __init__(self, weighting: nn.Module) -> None:
        super().__init__()
        self.weighting = weighting

    def coefficients(self, step: TaskStatistics) -> Float[Tensor, "*blocks tasks"]:
        """Return λ_k · w_k with w of the Gramian of the weighted rows; λ for inactive tasks."""
        gramian, weights = step.gramian.to(torch.float64), step.weights.to(torch.float64)
        chosen = step.active.nonzero().squeeze(-1)
        folded = (gramian * weights.outer(weights))[..., chosen[:, None], chosen]
        tasks = len(chosen)
        found = [self.weighting(block) for block in folded.reshape(-1, tasks, tasks)]
        a = weights.expand(gramian.shape[:-1]).clone()
        a[..., chosen] = weights[chosen] * torch.stack(found).reshape(*folded.shape[:-1])
        return a


del Balancer.known[TorchJDBalancer.name]  # made from an object, never by a name in a configuration


@cache
def _weighting_class() -> Any:  # TorchJD's base class is known at run time only
    """Return the class of the other direction."""
    base = _aggregation().Weighting

    class BalancerWeighting(base):  # type: ignore[misc, valid-type]
        """Asks a balancer; made by `to_torchjd`."""

        def __init__(self, balancer: Balancer, weights: Sequence[float], seed: int | None) -> None:
            super().__init__()
            balancer.bind([f"task {k}" for k in range(len(weights))])
            self.balancer = balancer
            self.generator = _generator(seed)
            self.register_buffer("weights", torch.tensor(weights, dtype=torch.float64))
            self.steps = 0

        def forward(self, gramian: Tensor, /) -> Tensor:
            """Return one weight a task; the static weight where a row is zero."""
            G = gramian.detach().to(torch.float64)
            if G.shape != (len(self.weights), len(self.weights)):
                raise ValueError(
                    f"the Gramian must be of the {len(self.weights)} tasks that have weights, got "
                    f"shape {tuple(G.shape)}"
                )
            active = significant(G)
            G = G.masked_fill(~(active & active.unsqueeze(-1)), 0.0)
            step = TaskStatistics(
                G, weights=self.weights, active=active, step=self.steps, generator=self.generator
            )
            with torch.no_grad():
                a = self.balancer.coefficients(step)
            self.steps += 1
            return torch.where(active, a, self.weights).to(gramian.dtype)

        def get_extra_state(self) -> dict[str, Any]:
            """Return the number of steps and the random numbers."""
            random = None if self.generator is None else self.generator.get_state()
            return {"steps": self.steps, "generator": random}

        def set_extra_state(self, state: dict[str, Any]) -> None:
            """Take over what `get_extra_state` returned."""
            self.steps = state["steps"]
            if self.generator is not None and state["generator"] is not None:
                self.generator.set_state(state["generator"])

    return BalancerWeighting


def _aggregation() -> ModuleType:
    try:
        return import_module("torchjd.aggregation")
    except ImportError as error:
        raise ImportError(
            'TorchJD is not installed; pip install "gradtruce[bench]" brings it'
        ) from error
