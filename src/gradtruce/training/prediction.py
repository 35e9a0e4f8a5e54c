"""From a method and a loader to predictions and losses."""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from typing import TypeVar

import torch
from jaxtyping import Float

from gradtruce.data.batch import Batch
from gradtruce.data.loader import Loader
from gradtruce.data.observations import OBSERVATIONS
from gradtruce.evaluation.predictions import Prediction
from gradtruce.methods.base import Decoding, Generated, model_inputs
from gradtruce.methods.blocks.pretrained import evaluating
from gradtruce.methods.registry import Method
from gradtruce.training.config import Precision
from gradtruce.training.precision import autocast
from gradtruce.training.world import ALONE, World

Value = TypeVar("Value")


def predict(
    method: Method,
    loader: Loader,
    decoding: Decoding,
    *,
    label_source: str = "",
    precision: Precision = "fp32",
    watch: Callable[[int], None] | None = None,
    world: World = ALONE,
) -> list[Prediction]:
    """Return a generated report for every study of a loader, in its order.

    Args:
        method: A trained method, whole; in evaluation mode meanwhile, afterwards as it was.
        loader: Studies with their references and, where known, labels.
        decoding: How reports are generated.
        label_source: Where the labels of the data set come from.
        precision: As `training.precision`.
        watch: Told how many studies this process has done.
        world: The processes that take the batches in turn (a loader with `deals="batches"`); all
            get all predictions.
    """
    found: list[list[Prediction]] = []
    done = 0
    for batch in loader:
        with autocast(precision, method.device):
            generated = method.generate_reports(batch.to(method.device), decoding)
        found.append(_predictions(batch, generated, label_source, method.told))
        done += len(batch)
        if watch is not None:
            watch(done)
    return [prediction for batch in in_turn(world.gathered(found)) for prediction in batch]


def _predictions(
    batch: Batch, generated: Generated, label_source: str, told: str
) -> list[Prediction]:
    found = [None] * len(batch) if generated.findings is None else generated.findings.tolist()
    return [
        Prediction(
            id=batch.ids[place],
            reference=batch.reports[place],
            generated=text,
            findings=None if row is None else dict(zip(OBSERVATIONS, row, strict=True)),
            labels=known_labels(batch.labels[place]) or None,
            label_source=label_source,
            told=told,
        )
        for place, (text, row) in enumerate(zip(generated.texts, found, strict=True))
    ]


def in_turn(shares: Sequence[Sequence[Value]]) -> Iterator[Value]:
    """Yield what was dealt out in turn, in its first order.

    >>> list(in_turn([["a", "c", "e"], ["b", "d"]]))
    ['a', 'b', 'c', 'd', 'e']
    """
    nothing = object()
    for turn in zip_longest(*shares, fillvalue=nothing):
        yield from (each for each in turn if each is not nothing)  # type: ignore[misc] # no filling


def known_labels(states: Float[torch.Tensor, " observations"]) -> dict[str, int]:
    """Return the states of the observations that are known, not NaN, by name.

    >>> states = torch.full((14,), torch.nan)
    >>> states[1] = 1
    >>> known_labels(states)
    {'Cardiomegaly': 1}
    """
    named = zip(OBSERVATIONS, states.tolist(), strict=True)
    return {name: int(state) for name, state in named if not math.isnan(state)}


def mean_losses(
    method: Method, loader: Loader, precision: Precision = "fp32", world: World = ALONE
) -> dict[str, float]:
    """Return the unweighted loss of every task, averaged over all its terms in a loader.

    Args:
        method: A method, whole.
        loader: Studies.
        precision: As `training.precision`.
        world: As in `predict`.
    """
    found: list[dict[str, tuple[float, float]]] = []  # sum and number of the terms of each task
    with evaluating(method), autocast(precision, method.device):
        for entry in loader:
            batch = entry.to(method.device)
            counts = method.loss_counts(batch)
            losses = method(**model_inputs(batch)).losses
            found.append(
                {t: (float(loss * counts[t]), float(counts[t])) for t, loss in losses.items()}
            )
    sums: dict[str, float] = {}
    terms: dict[str, float] = {}
    for of_batch in in_turn(world.gathered(found)):
        for task, (total, count) in of_batch.items():
            sums[task] = sums.get(task, 0.0) + total
            terms[task] = terms.get(task, 0.0) + count
    return {task: total / terms[task] for task, total in sums.items() if terms[task]}
