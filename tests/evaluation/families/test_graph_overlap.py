"""RadGraph F1 of predictions: scores, and why there are none."""

from collections.abc import Sequence

import numpy as np
import pytest

from gradtruce.evaluation.families.graph_overlap import GraphOverlap
from gradtruce.evaluation.graphs.annotation import EMPTY, Entity, Graph
from gradtruce.evaluation.graphs.files import Annotations
from gradtruce.evaluation.predictions import Prediction

LEFT = Graph(
    {"1": Entity("effusion", "OBS-DP", (("located_at", "2"),)), "2": Entity("left", "ANAT-DP")},
    "effusion , left .",
)
RIGHT = Graph(
    {"1": Entity("effusion", "OBS-DP", (("located_at", "2"),)), "2": Entity("right", "ANAT-DP")},
    "effusion , right .",
)
CLEAR = Graph({"1": Entity("clear", "OBS-DP")}, "clear")

PREDICTIONS = [
    Prediction("s1", "Effusion, left.", "effusion , right ."),
    Prediction("s2", "Effusion, left.", "Effusion, LEFT."),
    Prediction("s3", "Clear.", ""),
]
REFERENCE = Annotations({"s1": LEFT, "s2": LEFT, "s3": CLEAR}, "reference.json")
GENERATED = Annotations(
    {"s1": RIGHT, "s2": LEFT, "s3": Graph({}, "None")}, "generated.json", "row order"
)


def family(*generated: Annotations, model: str = "radgraph", check: bool = True) -> GraphOverlap:
    return GraphOverlap(generated or [GENERATED], REFERENCE, model=model, check_texts=check)


def scores(predictions: Sequence[Prediction], each: GraphOverlap) -> dict[str, float]:
    plan = each.plan(predictions)
    assert plan.statistic is not None, plan.reason
    values = plan.statistic(np.ones((1, len(predictions))))
    return {key: float(value[0]) for key, value in values.items()}


def test_corpus_scores_are_means_over_reports() -> None:
    found = scores(PREDICTIONS, family())
    assert found["simple.f1"] == pytest.approx((0.5 + 1 + 0) / 3)
    assert found["complete.f1"] == pytest.approx((0 + 1 + 0) / 3)
    assert found["complete.precision"] == pytest.approx(1 / 3)
    assert found["relation.f1"] == pytest.approx(1 / 3)
    assert found["radcliq_graph.f1"] == pytest.approx((0.25 + 1 + 0) / 3)


def test_weights_count_reports_as_often_as_they_say() -> None:
    plan = family().plan(PREDICTIONS)
    assert plan.statistic is not None
    weights = np.array([[2.0, 1.0, 0.0], [0.0, 0.0, 3.0]])
    assert plan.statistic(weights)["simple.f1"] == pytest.approx([2 / 3, 0.0])


def test_each_report_keeps_its_scores_and_the_protocol_names_the_model() -> None:
    plan = family().plan(PREDICTIONS)
    assert plan.per_report["simple.f1"] == [0.5, 1.0, 0.0]
    assert plan.counts == {
        "empty_generated_graphs": 1,
        "empty_reference_graphs": 0,
        "both_without_relations": 1,
    }
    settings = plan.protocol.settings
    assert (settings["model"], settings["joined_by"]) == ("radgraph", "row order; study id")
    assert plan.protocol.empty_generated == 1


def test_two_systems_on_the_same_studies_have_a_file_each() -> None:
    other = [Prediction(each.id, each.reference, each.reference) for each in PREDICTIONS]
    both = [*PREDICTIONS, *reversed(other)]
    plan = family(GENERATED, REFERENCE).plan(both)
    assert plan.per_report["complete.f1"] == [0.0, 1.0, 0.0, 1.0, 1.0, 1.0]
    assert family().plan(both).reason == (
        "2 systems are scored together, and graphs of 1 of them are given"
    )


def test_a_graph_of_another_text_gives_no_score() -> None:
    plan = family(REFERENCE).plan(PREDICTIONS)
    assert plan.statistic is None
    assert plan.reason.startswith(
        "the graph of the generated report of study 's1' was drawn from another text: 'effusion ,"
    )
    assert family(REFERENCE, check=False).plan(PREDICTIONS).statistic is not None


def test_a_graph_without_text_is_taken_at_its_word() -> None:
    silent = Annotations(
        {study: Graph(graph.entities) for study, graph in GENERATED.graphs.items()}, "silent.json"
    )
    assert scores(PREDICTIONS, family(silent)) == scores(PREDICTIONS, family())


def test_a_study_without_a_graph_is_named() -> None:
    short = Annotations({"s1": RIGHT, "s3": EMPTY}, "short.json")
    assert family(short).plan(PREDICTIONS).reason == (
        "there is no graph of the generated report of study 's2'"
    )


def test_labels_of_two_models_are_not_compared() -> None:
    xl = Graph({"1": Entity("effusion", "Observation::definitely present")})
    mixed = Annotations({"s1": xl, "s2": LEFT, "s3": EMPTY}, "mixed.json")
    assert "draw all by one model" in family(mixed, model="own").plan(PREDICTIONS).reason


def test_the_model_named_must_be_one_that_gives_these_labels() -> None:
    assert family(model="radgraph-xl").plan(PREDICTIONS).reason == (
        "model 'radgraph-xl' gives xl labels, the graphs carry v1"
    )
    assert family(model="radgraph-of-our-own").plan(PREDICTIONS).statistic is not None


def test_a_model_and_graphs_must_be_given() -> None:
    with pytest.raises(ValueError, match="the model that drew the graphs must be named"):
        family(model=" ")
    with pytest.raises(ValueError, match="graphs of the generated reports"):
        GraphOverlap([], REFERENCE, model="radgraph")
