import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gradtruce.data.observations import OBSERVATIONS
from gradtruce.evaluation.predictions import (
    Prediction,
    findings_matrix,
    label_matrix,
    read_predictions,
    write_predictions,
)

GOOD = {"id": "s1", "reference": "clear .", "generated": "clear ."}


def write(folder: Path, *lines: object) -> Path:
    file = folder / "predictions.jsonl"
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    file.write_text("\n".join(texts), encoding="utf-8")
    return file


def test_what_is_written_is_read_back(
    tmp_path: Path, make_predictions: Callable[..., list[Prediction]]
) -> None:
    predictions = [
        *make_predictions(3),
        Prediction("é\u2028", "two\nlines", "", label_source="rules"),
        Prediction("told", "edema .", "edema .", told="the labels of the reference"),
    ]
    write_predictions(tmp_path / "p.jsonl", predictions)
    assert read_predictions(tmp_path / "p.jsonl") == predictions


def test_blank_lines_windows_ends_a_byte_order_mark_and_own_fields_are_fine(tmp_path: Path) -> None:
    file = tmp_path / "p.jsonl"
    text = json.dumps(GOOD | {"mood": 3}) + "\r\n\r\n" + json.dumps(GOOD | {"id": "s2"}) + "\r\n"
    file.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert [prediction.id for prediction in read_predictions(file)] == ["s1", "s2"]


def test_an_empty_text_is_allowed(tmp_path: Path) -> None:
    file = write(tmp_path, GOOD | {"generated": "", "reference": ""})
    assert read_predictions(file)[0].generated == ""


def test_a_missing_label_may_be_null(tmp_path: Path) -> None:
    file = write(tmp_path, GOOD | {"labels": {"Edema": None, "Fracture": -1, "Cardiomegaly": 1.0}})
    assert read_predictions(file)[0].labels == {"Fracture": -1, "Cardiomegaly": 1}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[1]", "expected a JSON object, found list"),
        ({"id": "s", "generated": ""}, "field 'reference' is missing"),
        ({"reference": "", "generated": ""}, "field 'id' is missing"),
        (GOOD | {"id": 7}, "field 'id' must be text in quotes, found 7"),
        (GOOD | {"id": " "}, "field 'id' is empty"),
        (GOOD | {"generated": None}, "field 'generated' must be text"),
        (GOOD | {"schema": 2}, "schema 2 is not known"),
        (GOOD | {"findings": [0.5]}, "field 'findings' must be an object"),
        (GOOD | {"findings": {"Edema": 1.5}}, "must be a probability from 0 to 1, found 1.5"),
        (GOOD | {"findings": {"Edema": float("nan")}}, "must be a probability from 0 to 1"),
        (GOOD | {"findings": {"Edema": True}}, "must be a probability from 0 to 1"),
        (GOOD | {"labels": {"Edema": 2}}, "must be 1 .positive., 0"),
        (GOOD | {"labels": {"Edema": "1"}}, "must be 1 .positive., 0"),
        (GOOD | {"labels": {"Edemas": 1}}, "did you mean 'Edema'"),
        (GOOD | {"labels": {"???": 1}}, "known: Enlarged Cardiomediastinum"),
        (GOOD | {"label_source": 3}, "field 'label_source' must be text"),
        (GOOD | {"told": True}, "field 'told' must be text"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: object, message: str) -> None:
    file = write(tmp_path, GOOD | {"id": "first"}, line)
    with pytest.raises(ValueError, match=f"predictions.jsonl, line 2: .*{message}"):
        read_predictions(file)


def test_an_id_that_comes_twice_names_both_lines(tmp_path: Path) -> None:
    file = write(tmp_path, GOOD, "", GOOD)
    with pytest.raises(ValueError, match="line 3: id 's1' was already on line 1"):
        read_predictions(file)


def test_an_empty_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the file is empty: no report in it"):
        read_predictions(write(tmp_path, "\n"))


def test_an_absent_file_names_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="gradtruce predict"):
        read_predictions(tmp_path / "absent.jsonl")


def test_text_that_is_not_utf_8_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_bytes(b'{"id": "\xff"}')
    with pytest.raises(ValueError, match=r"p\.jsonl: not UTF-8"):
        read_predictions(tmp_path / "p.jsonl")


def test_a_prediction_that_cannot_be_written_leaves_no_file(tmp_path: Path) -> None:
    bad = Prediction("s1", "a", "b", findings={"Edema": float("nan")})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_predictions(tmp_path / "p.jsonl", [Prediction("s0", "a", "b"), bad])
    assert not list(tmp_path.iterdir())


def test_matrices_are_filled_by_name_and_blank_where_missing() -> None:
    prediction = Prediction("s1", "a", "b", findings={"Edema": 0.2}, labels={"Edema": -1})
    column = OBSERVATIONS.index("Edema")
    assert label_matrix([prediction])[0, column] == -1
    assert findings_matrix([prediction])[0, column] == 0.2
    assert np.isnan(label_matrix([prediction])).sum() == 13
    assert findings_matrix([]).shape == (0, 14)
