"""From a method and a loader to predictions and losses."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor

from gradtruce.data.loader import Loader
from gradtruce.data.observations import OBSERVATIONS
from gradtruce.evaluation.predictions import Prediction
from gradtruce.methods.base import Decoding, model_inputs
from gradtruce.methods.registry import Method


def predict(
    method: Method,
    loader: Loader,
    decoding: Decoding,
    *,
    label_source: str = "",
    watch: Callable[[int], None] | None = None,
) -> list[Prediction]:
    """Return a generated report for every study of a loader, in its order.

    Args:
        method: A trained method; in evaluation mode meanwhile, afterwards as it was.
        loader: Studies with their references and, where known, labels.
        decoding: How reports are generated.
        label_source: Where the labels of the data set come from.
        watch: Told how many studies are done.
    """
    predictions: list[Prediction] = []
    device = method.device
    with evaluating(method):
        for batch in loader:
            generated = method.generate_reports(batch.to(device), decoding)
            rows = (
                [None] * len(batch) if generated.findings is None else generated.findings.tolist()
            )
            predictions += [
                Prediction(
                    id=batch.ids[place],
                    reference=batch.reports[place],
                    generated=text,
                    findings=None if row is None else dict(zip(OBSERVATIONS, row, strict=True)),
                    labels=known_labels(batch.labels[place]) or None,
                    label_source=label_source,
                )
                for place, (text, row) in enumerate(zip(generated.texts, rows, strict=True))
            ]
            if watch is not None:
                watch(len(predictions))
    return predictions


def known_labels(states: Float[Tensor, " observations"]) -> dict[str, int]:
    """Return the states of the observations that are known, not NaN, by name.

    >>> labels = torch.full((1, 14), torch.nan)
    >>> labels[0, 1] = 1
    >>> known_labels(labels[0])
    {'Cardiomegaly': 1}
    """
    named = zip(OBSERVATIONS, states.tolist(), strict=True)
    return {name: int(state) for name, state in named if not math.isnan(state)}


def mean_losses(method: Method, loader: Loader) -> dict[str, float]:
    """Return the unweighted loss of every task, averaged over all its terms in a loader."""
    sums: dict[str, float] = {}
    terms: dict[str, float] = {}
    device = method.device
    with evaluating(method):
        for entry in loader:
            batch = entry.to(device)
            counts = method.loss_counts(batch)
            for task, loss in method(**model_inputs(batch)).losses.items():
                sums[task] = sums.get(task, 0.0) + float(loss * counts[task])
                terms[task] = terms.get(task, 0.0) + float(counts[task])
    return {task: total / terms[task] for task, total in sums.items() if terms[task]}


@contextmanager
def evaluating(method: Method) -> Iterator[None]:
    """Put a method into evaluation mode without gradients, and then back as it was."""
    was_training = method.training
    method.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        method.train(was_training)
