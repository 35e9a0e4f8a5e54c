"""Files of annotations, in every form that users have, and in forms that can't be right."""

import json
from pathlib import Path
from typing import Any

import pytest

from gradtruce.evaluation.graphs.files import (
    BY_ID,
    BY_ROW,
    BY_ROW_OF_PAIRS,
    Annotations,
    read_annotations,
    write_annotations,
)
from gradtruce.evaluation.predictions import Prediction

PAIR = [Prediction("s1", "no mass .", "clear ."), Prediction("s2", "a mass .", "small .")]


def graph(word: str, **more: Any) -> dict[str, Any]:
    entity = {"tokens": word, "label": "OBS-DP", "start_ix": 0, "end_ix": 0, "relations": []}
    return {"text": f"{word} .", "entities": {"1": entity}, **more}


def read(
    tmp_path: Path, content: object, predictions: list[Prediction] | None = None
) -> Annotations:
    file = tmp_path / "generated.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return read_annotations(file, predictions or PAIR)


def lines(*values: object) -> str:
    return "".join(json.dumps(value) + "\n" for value in values)


CLEAR, SMALL = graph("clear"), graph("small")


@pytest.mark.parametrize(
    ("content", "joined_by"),
    [
        ({"s2": SMALL, "s1": CLEAR, "s3": {"not": "read"}}, BY_ID),
        ([SMALL | {"id": "s2"}, CLEAR | {"id": "s1"}], BY_ID),
        ([{"s2": SMALL}, {"s1": CLEAR}], BY_ID),
        (lines(SMALL | {"id": "s2"}, CLEAR | {"id": "s1"}), BY_ID),
        (lines({"s2": SMALL}, {"s1": CLEAR}), BY_ID),
        ({"0": CLEAR, "1": SMALL}, BY_ROW),
        ({"1": SMALL, "0": CLEAR}, BY_ROW),
        ([CLEAR, SMALL], BY_ROW),
        ([{"0": CLEAR}, {"0": SMALL}], BY_ROW),
        (lines(CLEAR, SMALL), BY_ROW),
        (lines({"0": CLEAR}, {"0": SMALL}), BY_ROW),
    ],
)
def test_every_form_gives_each_study_its_graph(
    tmp_path: Path, content: object, joined_by: str
) -> None:
    found = read(tmp_path, content)
    texts = {study: graph.text for study, graph in found.graphs.items()}
    assert texts == {"s1": "clear .", "s2": "small ."}
    assert found.joined_by == joined_by


def test_one_study_on_one_line_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, CLEAR | {"id": "s1"}, PAIR[:1]).joined_by == BY_ID
    assert read(tmp_path, CLEAR, PAIR[:1]).joined_by == BY_ROW


def test_a_list_of_f1radgraph_lacks_the_studies_with_an_empty_text(tmp_path: Path) -> None:
    predictions = [PAIR[0], Prediction("empty", "a mass .", ""), PAIR[1]]
    found = read(tmp_path, [CLEAR, SMALL], predictions)
    assert found.joined_by == BY_ROW_OF_PAIRS
    assert not found.graphs["empty"].entities
    assert found.graphs["s2"].text == "small ."


def test_ids_that_are_numbers_are_ids_first(tmp_path: Path) -> None:
    predictions = [Prediction("1", "a", "small ."), Prediction("0", "b", "clear .")]
    found = read(tmp_path, {"0": CLEAR, "1": SMALL}, predictions)
    assert (found.joined_by, found.graphs["1"].text) == (BY_ID, "small .")


def test_the_source_names_file_and_hash(tmp_path: Path) -> None:
    first = read(tmp_path, [CLEAR, SMALL]).source
    assert first.startswith("generated.json (sha256 ")
    assert first != read(tmp_path, [SMALL, CLEAR]).source


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"s1": CLEAR},
            r"no graph for study 's2', nor for 0 more of 2; its keys begin with \['s1'\]",
        ),
        ({"s1": CLEAR, "p1/s2": SMALL}, r"no graph for study 's2', .*; is it 'p1/s2'\?"),
        (
            {"a": CLEAR, "b": SMALL},
            r"no graph for study 's1', nor for 1 .* begin with \['a', 'b'\]",
        ),
        ([CLEAR], "1 graphs in row order for 2 predictions, of which 2 have both texts"),
        ({"0": CLEAR, "1": SMALL, "2": SMALL}, "3 graphs in row order for 2 predictions"),
        ("", "0 graphs in row order for 2 predictions"),
        (lines({"s1": CLEAR}, {"s1": SMALL}), "row 1: id 's1' comes twice"),
        ([CLEAR | {"id": "s1"}, SMALL], "row 1: no 'id', while other rows have one"),
        ('{"s1": {"entities": {}}, "s1": {"entities": {}}}', "key 's1' comes twice"),
        ('{"entities": {}, "id": "s1"}\n{"id": "s2", "id": "s3"}', "line 2: key 'id' comes twice"),
        ('{"s1": {}}\n{"s2": ', "line 2: not JSON"),
        ({"s1": CLEAR, "s2": {"text": ""}}, "study 's2': field 'entities' is missing"),
        ([CLEAR, 3], r"row 1 \(study 's2'\): expected a JSON object, found int"),
    ],
)
def test_a_file_that_can_not_be_right_is_refused_by_name(
    tmp_path: Path, content: object, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        read(tmp_path, content)


def test_a_file_that_is_not_there_or_not_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no annotation file .*none\.json"):
        read_annotations(tmp_path / "none.json", PAIR)
    file = tmp_path / "latin.json"
    file.write_bytes(b'{"s1": "\xe9"}')
    with pytest.raises(ValueError, match="not UTF-8 text"):
        read_annotations(file, PAIR)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    linked = graph("clear")
    linked["entities"]["2"] = linked["entities"]["1"] | {"relations": [["modify", "1"]]}
    found = read(tmp_path, {"s1": linked, "s2": {"entities": {}}})
    write_annotations(tmp_path / "again.json", found)
    assert read_annotations(tmp_path / "again.json", PAIR).graphs == found.graphs
