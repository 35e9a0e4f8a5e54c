"""Graphs that are not RadGraph's are refused by name."""

from typing import Any

import pytest

from gradtruce.evaluation.graphs.annotation import XL_LABELS, parse_graph


def fields(**changes: Any) -> dict[str, Any]:
    entity = {"tokens": "clear", "label": "OBS-DP", "start_ix": 0, "end_ix": 0, "relations": []}
    return {"text": "clear", "entities": {"1": entity | changes}, "data_source": None}


@pytest.mark.parametrize("label", ["ANAT-DP", "OBS-U", *XL_LABELS])
def test_every_label_of_either_model_is_known(label: str) -> None:
    graph = parse_graph(fields(label=label), "graph")
    assert graph.labels == ("xl" if "::" in label else "v1")


def test_the_measurements_of_xl_are_labels() -> None:
    assert "Anatomy::measurement::definitely present" in XL_LABELS
    assert "Observation::measurement::uncertain" in XL_LABELS


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "s1: expected a JSON object, found list"),
        ({"text": "clear"}, r"s1: field 'entities' is missing; found \['text'\]"),
        ({"entities": []}, "s1: 'entities': expected a JSON object, found list"),
        ({"entities": {}, "text": 3}, "s1: 'text' must be text, found 3"),
        ({"entities": {"1": "clear"}}, "s1, entity '1': expected a JSON object, found str"),
        (fields(tokens=["clear"]), "entity '1': 'tokens' must be .* found \\['clear'\\]"),
        (fields(tokens=" "), "entity '1': 'tokens' must be"),
        (fields(label="OBS-XX"), "entity '1': label 'OBS-XX' is none of RadGraph's; known: ANAT"),
        (fields(relations=None), "entity '1': 'relations' must be a list"),
        (fields(relations=[["modify"]]), r"a relation must be \[type, target\], both text"),
        (fields(relations=[["modify", 1]]), r"a relation must be \[type, target\], both text"),
        (fields(relations=[["near", "1"]]), "relation 'near' is none of RadGraph's; known: modify"),
        (fields(relations=[["modify", "7"]]), "relation 'modify' leads to entity '7', which"),
    ],
)
def test_what_is_no_graph_is_refused_by_name(value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_graph(value, "s1")


def test_one_graph_has_the_labels_of_one_model() -> None:
    both = fields()
    both["entities"]["2"] = both["entities"]["1"] | {"label": "Anatomy::uncertain"}
    with pytest.raises(ValueError, match="labels of RadGraph v1 and of RadGraph-XL in one graph"):
        parse_graph(both, "s1")
