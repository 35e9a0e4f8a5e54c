"""RadGraph F1: entities and relations of the generated report against those of the reference."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, final

import numpy as np
from jaxtyping import Float

from gradtruce.evaluation.families.readings import card
from gradtruce.evaluation.family import Family, Plan
from gradtruce.evaluation.graphs.annotation import Graph
from gradtruce.evaluation.graphs.files import Annotations
from gradtruce.evaluation.graphs.overlap import LEVELS, overlap
from gradtruce.evaluation.graphs.systems import by_system
from gradtruce.evaluation.predictions import Prediction

LABELS_OF_MODELS: Final = {"radgraph": "v1", "radgraph-xl": "xl", "modern-radgraph-xl": "xl"}
"""Whose labels the models of the `radgraph` package give."""

RADCLIQ: Final = "radcliq_graph.f1"
"""Mean of entity F1 (`simple.f1`) and `relation.f1`, each report: RadCliQ's part of it."""


@final
class GraphOverlap(Family):
    """RadGraph F1 simple, partial and complete, and of relations, from graphs made beforehand.

    Corpus values are means over reports. A graph that was made from another text than the one in
    the predictions is no graph of it: then there is no score, and the reason names the study.

    Args:
        generated: Graphs of the generated reports; of several systems where their predictions are
            planned together, in the same order.
        reference: Graphs of the reference reports.
        model: The model that drew the graphs of both sides, such as "radgraph-xl": scores by
            different models can't be compared.
        check_texts: Whether the texts of the graphs must be those of the predictions, up to
            blanks, punctuation and the size of letters.

    Raises:
        ValueError: If no model is named, or there are no graphs of generated reports.

    >>> from gradtruce.evaluation.graphs.annotation import Entity
    >>> graphs = Annotations({"s1": Graph({"1": Entity("clear", "OBS-DP")})}, "by hand")
    >>> family = GraphOverlap([graphs], graphs, model="radgraph")
    >>> plan = family.plan([Prediction("s1", "clear .", "clear .")])
    >>> plan.statistic(np.ones((1, 1)))["simple.f1"]
    array([1.])
    """

    name = "radgraph"

    def __init__(
        self,
        generated: Sequence[Annotations],
        reference: Annotations,
        *,
        model: str,
        check_texts: bool = True,
    ) -> None:
        if not model.strip():
            raise ValueError(
                "the model that drew the graphs must be named, such as 'radgraph-xl': scores by"
                " different models can't be compared"
            )
        if not generated:
            raise ValueError("there must be graphs of the generated reports of one system or more")
        self._generated = tuple(generated)
        self._reference = reference
        self._model = model
        self._check_texts = check_texts

    def plan(self, predictions: Sequence[Prediction]) -> Plan:
        """Return the scores, or why there are none; scores of each report stand beside them."""
        protocol = replace(
            card(predictions, "graphs of generated reports against graphs of references"),
            averaging="mean over reports; a report is 0 where either graph is empty",
            settings=self._settings(),
        )
        systems = by_system(predictions)
        if len(systems) > len(self._generated):
            why = (
                f"{len(systems)} systems are scored together, and graphs of"
                f" {len(self._generated)} of them are given"
            )
            return Plan(protocol, reason=why)
        generated: list[Graph | None] = [None] * len(predictions)
        for annotations, places in zip(self._generated, systems, strict=False):
            for place in places:
                generated[place] = annotations.graphs.get(predictions[place].id)
        reference = [self._reference.graphs.get(each.id) for each in predictions]
        pairs = [
            (scored, right)
            for scored, right in zip(generated, reference, strict=True)
            if scored is not None and right is not None
        ]
        why = _absent(predictions, generated, reference) or self._odd(predictions, pairs)
        if why:
            return Plan(protocol, reason=why)
        values = [_values(scored, right) for scored, right in pairs]
        per_report = {key: [each[key] for each in values] for key in values[0]}
        matrix = np.array([list(each.values()) for each in values])

        def statistic(
            weights: Float[np.ndarray, "draws reports"],
        ) -> dict[str, Float[np.ndarray, " draws"]]:
            means = weights @ matrix / weights.sum(axis=1, keepdims=True)
            return {key: means[:, column] for column, key in enumerate(per_report)}

        return Plan(protocol, statistic, _counts(pairs), per_report=per_report)

    def _settings(self) -> dict[str, str]:
        return {
            "model": self._model,
            "generated_graphs": "; ".join(each.source for each in self._generated),
            "reference_graphs": self._reference.source,
            "joined_by": "; ".join(each.joined_by for each in (*self._generated, self._reference)),
            "texts": "checked where the graphs carry them" if self._check_texts else "not checked",
            "letters": "as annotated; in complete, small where an entity has relations",
        }

    def _odd(self, predictions: Sequence[Prediction], pairs: Sequence[tuple[Graph, Graph]]) -> str:
        """Return why these graphs can't be compared, or "" where they can."""
        found = {graph.labels for pair in pairs for graph in pair if graph.entities}
        if len(found) > 1:
            return "some graphs carry labels of RadGraph v1, some of XL; draw all by one model"
        expected = LABELS_OF_MODELS.get(self._model)
        if expected and found - {expected}:
            return f"model {self._model!r} gives {expected} labels, the graphs carry {found.pop()}"
        if not self._check_texts:
            return ""
        for prediction, (scored, right) in zip(predictions, pairs, strict=True):
            sides = (
                ("generated", scored, prediction.generated),
                ("reference", right, prediction.reference),
            )
            for side, graph, text in sides:
                if not _is_graph_of(graph, text):
                    return (
                        f"the graph of the {side} report of study {prediction.id!r} was drawn"
                        f" from another text: {(graph.text or '')[:60]!r}"
                    )
        return ""


def _absent(
    predictions: Sequence[Prediction],
    generated: Sequence[Graph | None],
    reference: Sequence[Graph | None],
) -> str:
    """Return which graph is not there, or "" where all are."""
    for side, graphs in (("generated", generated), ("reference", reference)):
        for prediction, graph in zip(predictions, graphs, strict=True):
            if graph is None:
                return f"there is no graph of the {side} report of study {prediction.id!r}"
    return ""


def _values(generated: Graph, reference: Graph) -> dict[str, float]:
    matches = overlap(generated, reference)
    values = {
        f"{level}.{part}": getattr(matches[level], part)
        for level in LEVELS
        for part in ("precision", "recall", "f1")
    }
    return values | {RADCLIQ: (matches["simple"].f1 + matches["relation"].f1) / 2}


def _counts(pairs: Sequence[tuple[Graph, Graph]]) -> dict[str, float]:
    """Return how many reports score 0 for want of anything to match."""
    without_relations = [
        not any(entity.relations for graph in pair for entity in graph.entities.values())
        for pair in pairs
    ]
    return {
        "empty_generated_graphs": float(sum(not scored.entities for scored, _ in pairs)),
        "empty_reference_graphs": float(sum(not right.entities for _, right in pairs)),
        "both_without_relations": float(sum(without_relations)),
    }


def _is_graph_of(graph: Graph, text: str) -> bool:
    if graph.text is None:
        return True
    if not text.strip():
        return graph.text.strip() in (
            "",
            "None",
        )  # what the `radgraph` package reads for an empty report
    return _letters(graph.text) == _letters(text)


def _letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).casefold()
