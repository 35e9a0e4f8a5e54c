"""A wrapper that averages the coefficients of any balancer over steps."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gradtruce.gradients.balancer import (
    AfterStep,
    Balancer,
    FeatureReader,
    Flagging,
    GradientNoise,
    ParameterBlocks,
    RowTransform,
    TaskSchedule,
    TaskStatistics,
)
from gradtruce.gradients.solvers.memory import worth_remembering

FACTS: Final = ("needs", "is_fixed", "synchronises")
INTERFACES: Final[tuple[type, ...]] = (
    AfterStep,
    RowTransform,
    TaskSchedule,
    ParameterBlocks,
    GradientNoise,
    FeatureReader,
)


@final
class EMA(
    Balancer,
    name="ema",
    source="Zhou et al. 2022 (CR-MOGM), the averaged coefficients",
):
    """Average the coefficients of a balancer over steps (CR-MOGM, Zhou et al. 2022).

    a_t = β·a_{t−1} + (1 − β)·â_t, where â_t is what the balancer asks for in this step, and a of a
    task's first active step is â: a stochastic Gramian makes coefficients noisy, and with the
    average the update follows their mean. A task that is inactive keeps its average; a step that is
    not finite leaves no trace. λ enters where it does in the balancer.

    What the balancer needs of the engine, its flags and its state are passed on. What it guarantees
    of a single step does not hold of the average.

    Args:
        balancer: Whose coefficients are averaged, or its name: then it is made with `options`.
        decay: β, at least 0 and below 1; 0 changes nothing.
        options: Keyword arguments of a balancer given by name.

    Raises:
        ValueError: If the decay is out of its range, or no balancer has that name.
        TypeError: If it is no balancer, or options are given for one that is made already.

    >>> averaged = EMA("uncertainty_weighting", decay=0.5, options={"learning_rate": 0.1})
    >>> averaged.name, averaged.needs
    ('ema(uncertainty_weighting)', 'losses')
    >>> averaged.bind(["report", "findings"])
    >>> step = TaskStatistics(torch.eye(2), losses=torch.tensor([1.0, 3.0]))
    >>> averaged.coefficients(step)
    tensor([0.5000, 0.5000], dtype=torch.float64)
    >>> averaged.coefficients(step)  # the mean of 0.5 and 0.5·exp(−0.1)
    tensor([0.5000, 0.4762], dtype=torch.float64)
    """

    average: Tensor
    met: Tensor

    def __init__(
        self,
        balancer: Balancer | str,
        *,
        decay: float = 0.9,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if not (0 <= decay < 1):
            raise ValueError(f"decay must be at least 0 and below 1, got {decay}")
        self.decay, self.balancer = decay, _made(balancer, options)
        facts = {fact: getattr(self.balancer, fact) for fact in FACTS}
        facts["name"] = f"{self.name}({self.balancer.name})"  # a state names what it is of
        for fact, value in facts.items():  # of this instance, in place of the class's own
            setattr(self, fact, value)
        for method in _methods(self.balancer):  # the engine looks whether they are there
            setattr(self, method, getattr(self.balancer, method))

    def bind(self, tasks: Sequence[str]) -> None:
        """Forget the averages, and bind the balancer."""
        self.balancer.bind(tasks)
        self.register_buffer("average", torch.zeros(len(tasks), dtype=torch.float64))
        self.register_buffer("met", torch.zeros(len(tasks), dtype=torch.bool))

    def coefficients(self, step: TaskStatistics) -> Float[Tensor, "*blocks tasks"]:
        """Return the average with the coefficients of this step in it."""
        new = self.balancer.coefficients(step).to(torch.float64)
        mixed = self.decay * self.average + (1 - self.decay) * new
        a = torch.where(self.met, mixed, new)
        learned = worth_remembering(step.active, *new.reshape(-1, new.shape[-1]).unbind())
        self.average = torch.where(learned, a, self.average)
        self.met = self.met | learned
        return a

    def flags(self) -> dict[str, Bool[Tensor, ""]]:
        """Return what the balancer says about its coefficients."""
        return self.balancer.flags() if isinstance(self.balancer, Flagging) else {}

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        """Take over the averages of several parameter blocks too, which `bind` knows nothing of."""
        saved = state_dict.get(f"{prefix}average")
        if isinstance(saved, Tensor) and saved.shape[-1:] == self.average.shape[-1:]:
            self.average = self.average.new_zeros(saved.shape)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


def _methods(balancer: Balancer) -> list[str]:
    """Return the methods of the small interfaces that a balancer implements."""
    there = [interface for interface in INTERFACES if isinstance(balancer, interface)]
    return [name for interface in there for name in vars(interface) if name[0] != "_"]


def _made(balancer: Balancer | str, options: Mapping[str, Any] | None) -> Balancer:
    if isinstance(balancer, str):
        if balancer not in Balancer.known:
            known = ", ".join(sorted(Balancer.known))
            raise ValueError(f"no balancer is called {balancer!r}; known: {known}")
        return Balancer.known[balancer](**(options or {}))
    if not isinstance(balancer, Balancer):
        raise TypeError(f"balancer must be an instance such as Linear(), got {balancer!r}")
    if options:
        raise TypeError(f"options are for a balancer given by name, got {balancer.name!r} made")
    return balancer
