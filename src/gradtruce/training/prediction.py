"""From a method and a loader to predictions and losses."""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float

from gradtruce.data.loader import Loader
from gradtruce.data.observations import OBSERVATIONS
from gradtruce.evaluation.predictions import Prediction
from gradtruce.methods.base import Decoding, model_inputs
from gradtruce.methods.blocks.pretrained import evaluating
from gradtruce.methods.registry import Method
from gradtruce.training.config import Precision
from gradtruce.training.precision import autocast


def predict(
    method: Method,
    loader: Loader,
    decoding: Decoding,
    *,
    label_source: str = "",
    precision: Precision = "fp32",
    watch: Callable[[int], None] | None = None,
) -> list[Prediction]:
    """Return a generated report for every study of a loader, in its order.

    Args:
        method: A trained method; in evaluation mode meanwhile, afterwards as it was.
        loader: Studies with their references and, where known, labels.
        decoding: How reports are generated.
        label_source: Where the labels of the data set come from.
        precision: As `training.precision`.
        watch: Told how many studies are done.
    """
    predictions: list[Prediction] = []
    for batch in loader:
        with autocast(precision, method.device):
            generated = method.generate_reports(batch.to(method.device), decoding)
        found = [None] * len(batch) if generated.findings is None else generated.findings.tolist()
        for place, text in enumerate(generated.texts):
            row = found[place]
            prediction = Prediction(
                id=batch.ids[place],
                reference=batch.reports[place],
                generated=text,
                findings=None if row is None else dict(zip(OBSERVATIONS, row, strict=True)),
                labels=known_labels(batch.labels[place]) or None,
                label_source=label_source,
                told=method.told,
            )
            predictions.append(prediction)
        if watch is not None:
            watch(len(predictions))
    return predictions


def known_labels(states: Float[torch.Tensor, " observations"]) -> dict[str, int]:
    """Return the states of the observations that are known, not NaN, by name.

    >>> states = torch.full((14,), torch.nan)
    >>> states[1] = 1
    >>> known_labels(states)
    {'Cardiomegaly': 1}
    """
    named = zip(OBSERVATIONS, states.tolist(), strict=True)
    return {name: int(state) for name, state in named if not math.isnan(state)}


def mean_losses(method: Method, loader: Loader, precision: Precision = "fp32") -> dict[str, float]:
    """Return the unweighted loss of every task, averaged over all its terms in a loader."""
    sums: dict[str, float] = {}
    terms: dict[str, float] = {}
    with evaluating(method), autocast(precision, method.device):
        for entry in loader:
            batch = entry.to(method.device)
            counts = method.loss_counts(batch)
            for task, loss in method(**model_inputs(batch)).losses.items():
                sums[task] = sums.get(task, 0.0) + float(loss * counts[task])
                terms[task] = terms.get(task, 0.0) + float(counts[task])
    return {task: total / terms[task] for task, total in sums.items() if terms[task]}
