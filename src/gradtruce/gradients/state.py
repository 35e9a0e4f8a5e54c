"""Whether a saved state belongs to an engine."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from gradtruce.gradients.balancer import Balancer

_PARTS = (
    *("tasks", "name", "balancer", "steps", "epoch", "scope", "cadence"),
    *("inactive", "generator"),
)


def require_same(
    state: Mapping[str, Any], schema: int, tasks: Sequence[str], balancer: Balancer
) -> None:
    """Refuse a state of something else, before anything is changed.

    Raises:
        ValueError: If it is no state of an engine, of another version, other tasks or another
            balancer, or does not fit the balancer.
    """
    if "schema" not in state:
        raise ValueError("this is no state of TaskGradients: it says no schema")
    if state["schema"] != schema:
        raise ValueError(f"the state has schema {state['schema']}, this version reads {schema}")
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
