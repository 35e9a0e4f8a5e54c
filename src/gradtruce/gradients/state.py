"""What a resumed run needs of an engine, and whether a saved state belongs to one."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import torch

from gradtruce.gradients.balancer import Balancer
from gradtruce.gradients.cadence import Cadence
from gradtruce.gradients.inactivity import Inactivity
from gradtruce.gradients.scope import Scope

SCHEMA = 1
_PARTS = (
    *("tasks", "name", "balancer", "steps", "epoch", "scope", "cadence"),
    *("inactive", "generator"),
)


@final
@dataclass(frozen=True, eq=False)
class EngineState:
    """Collects what the parts of an engine have to be saved, and hands it back to them.

    Attributes:
        device: Of the gradients.
    """

    tasks: tuple[str, ...]
    balancer: Balancer
    scope: Scope
    cadence: Cadence
    inactivity: Inactivity
    generator: torch.Generator | None
    device: torch.device

    def dump(self, steps: int, epoch: int | None) -> dict[str, Any]:
        """Return the state after a number of steps."""
        return {
            "schema": SCHEMA,
            "tasks": list(self.tasks),
            "name": self.balancer.name,
            "balancer": self.balancer.state_dict(),
            "steps": steps,
            "epoch": epoch,
            "scope": self.scope.state_dict(),
            "cadence": self.cadence.state_dict(),
            "inactive": self.inactivity.counts.cpu(),
            "generator": None if self.generator is None else self.generator.get_state(),
        }

    def load(self, state: Mapping[str, Any]) -> tuple[int, int | None]:
        """Hand the state to the parts; return the number of steps and the epoch.

        Raises:
            ValueError: If it is about other tasks, another balancer, model or scope.
        """
        require_same(state, self.tasks, self.balancer)
        self.scope.load_state_dict(state["scope"], self.device)  # checks before it changes
        self.balancer.load_state_dict(state["balancer"])
        self.cadence.load_state_dict(state["cadence"])
        self.inactivity.counts = state["inactive"].to(self.inactivity.counts.device)
        if self.generator is not None and state["generator"] is not None:
            self.generator.set_state(state["generator"].cpu())
        return state["steps"], state["epoch"]


def require_same(state: Mapping[str, Any], tasks: Sequence[str], balancer: Balancer) -> None:
    """Refuse a state of something else, before anything is changed.

    Raises:
        ValueError: If it is no state of an engine, of another version, other tasks or another
            balancer, or does not fit the balancer.
    """
    if "schema" not in state:
        raise ValueError("this is no state of TaskGradients: it says no schema")
    if state["schema"] != SCHEMA:
        raise ValueError(f"the state has schema {state['schema']}, this version reads {SCHEMA}")
    lacking = [part for part in _PARTS if part not in state]
    if lacking:
        raise ValueError(f"the state lacks {' and '.join(map(repr, lacking))}")
    if list(state["tasks"]) != list(tasks):
        raise ValueError(
            f"the state is of tasks {', '.join(state['tasks'])}; this engine has "
            f"{', '.join(tasks)}, and names and order must agree"
        )
    if state["name"] != balancer.name:
        raise ValueError(
            f"the state is of balancer {state['name']!r}; this engine has {balancer.name!r}"
        )
    try:
        copy.deepcopy(balancer).load_state_dict(state["balancer"])
    except RuntimeError as error:
        raise ValueError(
            f"the state of balancer {balancer.name!r} does not fit this one, which was made with "
            f"other arguments: {error}"
        ) from error
