"""Scores by the `radeval` package, where it and the weights of the metrics are on this machine."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, final

import numpy as np
from jaxtyping import Float

from gradtruce.evaluation.adapters.process import (
    AdapterError,
    interpreter,
    require_package,
    run_offline,
)
from gradtruce.evaluation.adapters.radgraph_weights import PARTS, package_cache
from gradtruce.evaluation.families.readings import card
from gradtruce.evaluation.family import Family, Plan
from gradtruce.evaluation.graphs.systems import by_system
from gradtruce.evaluation.labelers.weights import cached_in_hub
from gradtruce.evaluation.predictions import Prediction

PYTHON_VARIABLE: Final = "GRADTRUCE_RADEVAL_PYTHON"
"""Environment variable: a Python that has the `radeval` package."""

_RADGRAPH_VERSION: Final = "0.1.18"  # the one that radeval 2 reads weights of


@final
@dataclass(frozen=True)
class Metric:
    """A metric of RadEval whose corpus score is the mean over reports.

    Attributes:
        repositories: On the Hugging Face hub: what must be in its cache.
        graphs: Model of RadGraph that must be where the `radgraph` package unpacks it.
        chexbert: Whether CheXbert must be where RadEval fetches it.
        note: How its numbers are to be read.
    """

    repositories: tuple[str, ...] = ()
    graphs: str = ""
    chexbert: bool = False
    note: str = ""


METRICS: Final[Mapping[str, Metric]] = {
    "bertscore": Metric(("distilbert-base-uncased",)),
    "radeval_bertscore": Metric(("IAMJB/RadEvalModernBERT",)),
    "radgraph": Metric(graphs="radgraph-xl"),
    "radgraph_radcliq": Metric(graphs="radgraph"),
    "radcliq": Metric(
        ("distilroberta-base", "bert-base-uncased"),
        graphs="radgraph",
        chexbert=True,
        note="raw RadCliQ-v1, lower is better; RadEval itself prints 1 / mean, which is not given",
    ),
    "ratescore": Metric(
        ("Angelakeke/RaTE-NER-Deberta", "FremyCompany/BioLORD-2023-C"),
        note="0.5 where either report has no entity, an empty one included",
    ),
    "green": Metric(("StanfordAIMI/GREEN-radllama2-7b",)),
}
"""What can be run, by RadEval's names."""

NOT_RUN: Final[Mapping[str, str]] = {
    "bleu": "the group nlg has it",
    "rouge": "the group nlg has it",
    "f1chexbert": "the groups by the labeler chexbert have it, with its uncertain policy",
    "f1radbert_ct": "it is for CT, and no mean over reports",
    "srrbert": "its corpus score is no mean over reports",
    "temporal": "it fetches a model at each start",
    "crimson": "it may send reports to a server",
    "mammo_green": "it sends reports to a server",
    "radfact_ct": "it sends reports to a server",
}
"""What is not run, and why."""


@final
class RadEvalScores(Family):
    """Chosen metrics of RadEval, offline: means over reports of its scores of each.

    The package asks for other versions of many libraries, so it runs in the Python that is given,
    or named by $GRADTRUCE_RADEVAL_PYTHON.

    Args:
        metrics: Names out of `METRICS`.
        python: A Python that has the package; by default the variable's, else this one.

    Raises:
        ValueError: If no metric is named, or one that is not run; the message says why.
        ImportError: If that Python has no `radeval`.
        FileNotFoundError: If there is no such Python, or weights of a metric are not on this
            machine; the message names all that is missing.
    """

    name = "radeval"

    def __init__(self, metrics: Sequence[str], *, python: Path | None = None) -> None:
        self._metrics = tuple(dict.fromkeys(metrics))
        require_weights(self._metrics)
        self._python = interpreter(python, PYTHON_VARIABLE)
        self._version = require_package(self._python, "radeval", PYTHON_VARIABLE)

    def plan(self, predictions: Sequence[Prediction]) -> Plan:
        """Return the scores; where RadEval fails, why."""
        notes = {name: METRICS[name].note for name in self._metrics if METRICS[name].note}
        protocol = replace(
            card(predictions, "generated texts against reference texts, by RadEval"),
            averaging="mean over reports",
            settings={"radeval": self._version, "metrics": ", ".join(self._metrics)} | notes,
        )
        try:
            values = self._scores(predictions)
        except AdapterError as error:
            return Plan(protocol, reason=f"RadEval failed: {error}")
        matrix = np.array(list(values.values())).reshape(len(values), len(predictions))

        def statistic(
            weights: Float[np.ndarray, "draws reports"],
        ) -> dict[str, Float[np.ndarray, " draws"]]:
            means = weights @ matrix.T / weights.sum(axis=1, keepdims=True)
            return {key: means[:, column] for column, key in enumerate(values)}

        return Plan(protocol, statistic, per_report=values)

    def _scores(self, predictions: Sequence[Prediction]) -> dict[str, list[float]]:
        """Return each score of each report; systems by themselves, for some scores look at all."""
        values: dict[str, list[float]] = {}
        for places in by_system(predictions):
            request = {
                "job": "score",
                "metrics": list(self._metrics),
                "generated": [predictions[place].generated for place in places],
                "references": [predictions[place].reference for place in places],
            }
            for key, scores in run_offline(self._python, request)["scores"].items():
                if len(scores) != len(places) or not all(map(math.isfinite, scores)):
                    raise AdapterError(
                        f"{key} must have a number for each of {len(places)} reports, has"
                        f" {sum(map(math.isfinite, scores))} in {len(scores)} values"
                    )
                column = values.setdefault(key, [math.nan] * len(predictions))
                for place, score in zip(places, scores, strict=True):
                    column[place] = score
        return values


def require_weights(metrics: Sequence[str]) -> None:
    """Refuse metrics that can't be run on this machine.

    Raises:
        ValueError: If no metric is named, or one is unknown or not run here.
        FileNotFoundError: If weights are not where RadEval looks for them.

    >>> require_weights(["bleu"])
    Traceback (most recent call last):
        ...
    ValueError: 'bleu' of RadEval is not run: the group nlg has it
    """
    if not metrics:
        raise ValueError(f"name one of RadEval's metrics at least: {', '.join(METRICS)}")
    for name in metrics:
        if name in NOT_RUN:
            raise ValueError(f"{name!r} of RadEval is not run: {NOT_RUN[name]}")
        if name not in METRICS:
            raise ValueError(f"no metric is called {name!r}; known: {', '.join(METRICS)}")
    missing = [f"{name} needs {what}" for name in metrics for what in _missing(METRICS[name])]
    if missing:
        raise FileNotFoundError(
            f"weights of RadEval's metrics are not on this machine: {'; '.join(missing)}. Nothing"
            " is downloaded here: run RadEval once where it may"
        )


def _missing(metric: Metric) -> Iterator[str]:
    for repository in metric.repositories:
        if cached_in_hub(repository, "config.json") is None:
            yield f"{repository} in the cache of the Hugging Face hub"
    if metric.graphs:
        folder = package_cache() / _RADGRAPH_VERSION / metric.graphs
        if not all((folder / part).exists() for part in PARTS):
            yield f"an unpacked model in {folder}"
    chexbert = package_cache().with_name("chexbert")
    if metric.chexbert and not any(chexbert.glob("models--*/snapshots/*/chexbert.pth")):
        yield f"StanfordAIMI/RRG_scorers with chexbert.pth in {chexbert}"
