"""Conflict between task gradients, and the null that it must be compared with.

Two tasks are said to conflict in a step where their gradients have a negative cosine. Gradients of
small batches are noisy, and two noisy gradients often have a negative cosine although nothing is in
conflict. The null tells how often: a batch is cut into two disjoint halves A and B, and the cosine
between task i on A and task j on B stands beside that of task i on A and task i on B. Tasks that
have nothing to do with each other agree less than each with itself too, and have as many positive
cosines as negative ones. Tasks that oppose each other have a negative cosine on average, between
disjoint halves, where no noise is shared.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import torch
from torch import Tensor

Row = Sequence[Tensor | None]
"""Gradient of one task: a tensor a parameter, `None` where the task does not reach it."""


@dataclass(frozen=True)
class NullCosines:
    """Cosines between gradients on two disjoint halves of one batch.

    A cosine is NaN where one of the two gradients is zero.

    Attributes:
        cross_task: For "i|j", between task i on the first half and task j on the second.
        within_task: For each task, between its gradients on the two halves.
    """

    cross_task: dict[str, float]
    within_task: dict[str, float]


def cosine(first: Row, second: Row) -> float:
    """Return the cosine between two gradients, summed in float64; NaN where one is zero.

    >>> cosine([torch.tensor([1.0, 0.0]), None], [torch.tensor([-1.0, 0.0]), torch.ones(3)])
    -0.5
    """
    inner = sum(_inner(one, other) for one, other in zip(first, second, strict=True))
    norms = [math.sqrt(sum(_inner(entry, entry) for entry in row)) for row in (first, second)]
    return inner / (norms[0] * norms[1]) if min(norms) > 0 else math.nan


def _inner(one: Tensor | None, other: Tensor | None) -> float:
    if one is None or other is None:
        return 0.0
    return float(torch.dot(one.flatten().double(), other.flatten().double()))


def task_rows(losses: Mapping[str, Tensor], parameters: Sequence[Tensor]) -> dict[str, Row]:
    """Return the gradient of every loss; `.grad` of the parameters stays as it is.

    >>> weight = torch.tensor([2.0], requires_grad=True)
    >>> task_rows({"a": (weight**2).sum()}, [weight])
    {'a': (tensor([4.]),)}
    """
    with_graph = {task: loss for task, loss in losses.items() if loss.requires_grad}
    last = len(with_graph) - 1
    return {
        task: torch.autograd.grad(loss, parameters, retain_graph=place < last, allow_unused=True)
        for place, (task, loss) in enumerate(with_graph.items())
    }


def null_cosines(
    losses_of_half: Callable[[int], Mapping[str, Tensor]],
    parameters: Sequence[Tensor],
    *,
    averaged: Callable[[Mapping[str, Row]], Mapping[str, Row]] = dict,
) -> NullCosines:
    """Return the cosines across tasks and within tasks on disjoint halves of a batch.

    Both are over the parameters that at least two tasks reach, so that they can be compared: the
    head of one task has no part in what the tasks agree or disagree on. A task without a loss on
    one of the halves is left out.

    Args:
        losses_of_half: Returns the unweighted losses of half 0 or 1.
        parameters: All that are trained.
        averaged: Returns the mean over processes of the rows of a half, where there are several.

    >>> weight = torch.tensor([1.0, 1.0], requires_grad=True)
    >>> halves = [torch.tensor([1.0, 0.0]), torch.tensor([1.0, 1.0])]
    >>> def losses(half: int) -> dict[str, Tensor]:
    ...     return {"a": halves[half] @ weight, "b": -halves[half] @ weight}
    >>> null_cosines(losses, [weight]).cross_task["a|b"]
    -0.7071067811865475
    """
    halves = [averaged(task_rows(losses_of_half(half), parameters)) for half in (0, 1)]
    tasks = [task for task in halves[0] if task in halves[1]]
    shared = shared_places([halves[0][task] for task in tasks])
    first, second = (
        {task: [rows[task][place] for place in shared] for task in tasks} for rows in halves
    )
    return NullCosines(
        cross_task={
            f"{one}|{other}": cosine(first[one], second[other])
            for one, other in combinations(tasks, 2)
        },
        within_task={task: cosine(first[task], second[task]) for task in tasks},
    )


def shared_places(rows: Sequence[Row]) -> list[int]:
    """Return the places of the parameters that at least two rows reach.

    >>> shared_places([[torch.ones(1), torch.ones(2)], [torch.ones(1), None]])
    [0]
    """
    reached = [sum(entry is not None for entry in entries) for entries in zip(*rows, strict=True)]
    return [place for place, count in enumerate(reached) if count >= 2]


def negative_share(cosines: Iterable[float | None]) -> float | None:
    """Return the share of cosines that are negative, of those that are known.

    >>> negative_share([-0.1, 0.2, None, 0.3])
    0.3333333333333333
    """
    known = [value for value in cosines if value is not None and not math.isnan(value)]
    return sum(value < 0 for value in known) / len(known) if known else None
