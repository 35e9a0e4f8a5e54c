from pathlib import Path

import numpy as np
import pytest

from gradtruce.data.observations import OBSERVATIONS
from gradtruce.evaluation.labelers.base import read_reports
from gradtruce.evaluation.labelers.file import FileLabeler
from gradtruce.evaluation.predictions import Prediction

PREDICTIONS = [
    Prediction("s1", "edema .", "no edema ."),
    Prediction("s2", "clear lungs .", "no edema ."),
    Prediction("s3", "a fracture .", "edema ?"),
]
GENERATED = {"s1": {"Edema": 0}, "s2": {"Edema": 0}, "s3": {"Edema": -1}}
REFERENCE = {"s1": {"Edema": 1}, "s2": {"No Finding": 1}, "s3": {"Fracture": 1}}
CHEXPERT_ORDER = ("No Finding", *sorted(OBSERVATIONS[:13]))


def write(
    path: Path, first: str, rows: dict, order: tuple[str, ...] = OBSERVATIONS, suffix: str = ""
) -> Path:
    lines = [",".join([first, *order])]
    for key, states in rows.items():
        cells = [f"{states[name]}{suffix}" if name in states else "" for name in order]
        lines.append(",".join([f'"{key}"', *cells]))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def generated(tmp_path) -> Path:
    return write(tmp_path / "generated.csv", "id", GENERATED)


@pytest.fixture
def reference(tmp_path) -> Path:
    return write(tmp_path / "reference.csv", "id", REFERENCE, CHEXPERT_ORDER)


def named(row: np.ndarray) -> dict[str, float]:
    pairs = zip(OBSERVATIONS, row.tolist(), strict=True)
    return {name: state for name, state in pairs if not np.isnan(state)}


def test_texts_get_the_states_of_their_ids_by_name_in_any_order(generated, reference):
    labeler = FileLabeler.for_predictions(PREDICTIONS, generated, reference)
    rows = read_reports(labeler, ["edema ?", "edema .", "clear lungs .", "no edema ."])
    assert [named(row) for row in rows] == [
        {"Edema": -1},
        {"Edema": 1},
        {"No Finding": 1},
        {"Edema": 0},
    ]
    assert labeler.label([]).shape == (0, 14)


def test_identity_names_the_files_and_their_hashes(generated, reference):
    before = FileLabeler.for_predictions(PREDICTIONS, generated, reference).identity
    assert before.startswith("file generated.csv (sha256 ")
    assert ", reference.csv (sha256 " in before
    write(reference, "id", REFERENCE | {"s9": {}})
    assert FileLabeler.for_predictions(PREDICTIONS, generated, reference).identity != before


def test_without_a_reference_file_references_are_unknown_and_told(generated):
    labeler = FileLabeler.for_predictions(PREDICTIONS, generated)
    labeler.label(["no edema ."])
    message = (
        "file generated.csv .* has no labels for 1 of 2 different reports, such as 'a fracture"
    )
    with pytest.raises(ValueError, match=message):
        labeler.label(["no edema .", "a fracture ."])


def test_missing_ids_are_counted_with_one_example(tmp_path, reference):
    short = write(tmp_path / "short.csv", "id", {"s1": {}})
    with pytest.raises(ValueError, match=r"short\.csv: lacks 2 of 3 ids .* such as 's2'"):
        FileLabeler.for_predictions(PREDICTIONS, short, reference)


def test_one_text_with_two_rows_names_both_ids(tmp_path, generated):
    other = write(tmp_path / "other.csv", "id", GENERATED | {"s2": {"Edema": 1}})
    with pytest.raises(ValueError, match=r"'no edema \.' has .* id 's1' and at .* id 's2'"):
        FileLabeler.for_predictions(PREDICTIONS, other)
    same = [Prediction("s1", "no edema .", "no edema .")]
    reference = write(tmp_path / "reference.csv", "id", REFERENCE)
    with pytest.raises(ValueError, match=r"generated\.csv, id 's1' and at .*reference\.csv, id"):
        FileLabeler.for_predictions(same, generated, reference)


def test_one_id_with_two_texts_is_refused_and_two_systems_are_joined(tmp_path, generated):
    second = [Prediction("s1", "edema .", "a mass .")]
    with pytest.raises(ValueError, match=r"id 's1' comes with two texts"):
        FileLabeler.for_predictions([*PREDICTIONS, *second], generated)
    other = write(tmp_path / "second.csv", "id", {"s1": {"Lung Lesion": 1}})
    joined = FileLabeler.join(
        [
            FileLabeler.for_predictions(PREDICTIONS, generated),
            FileLabeler.for_predictions(second, other),
        ]
    )
    rows = joined.label(["no edema .", "a mass ."])
    assert [named(row) for row in rows] == [{"Edema": 0}, {"Lung Lesion": 1}]
    assert "generated.csv" in joined.identity
    assert "second.csv" in joined.identity


@pytest.mark.parametrize(
    ("column", "order"), [("Report Impression", OBSERVATIONS), ("Reports", CHEXPERT_ORDER)]
)
def test_the_files_of_the_two_labelers_are_read_by_text(tmp_path, column, order):
    rows = {"Edema, or\nnot.": {"Edema": -1, "No Finding": 1}, "": {"Fracture": 0}}
    path = write(tmp_path / "labeled_reports.csv", column, rows, order, suffix=".0")
    labeler = FileLabeler.read_texts(path)
    found = labeler.label([" Edema,  or not. ", "", "Edema, or\nnot."])
    assert [named(row) for row in found] == [
        {"Edema": -1, "No Finding": 1},
        {"Fracture": 0},
        {"Edema": -1, "No Finding": 1},
    ]
    assert labeler.identity.startswith("file labeled_reports.csv (sha256 ")
    with pytest.raises(ValueError, match="has no labels for 1 of 1 different reports"):
        labeler.label(["edema, or not."])


def test_a_text_that_comes_twice_must_have_one_reading(tmp_path):
    path = write(tmp_path / "l.csv", "Reports", {"edema": {"Edema": 1}, " edema": {"Edema": 1}})
    assert FileLabeler.read_texts(path).label(["edema"])[0, 4] == 1
    write(path, "Reports", {"edema": {"Edema": 1}, " edema": {"Edema": 0}})
    with pytest.raises(ValueError, match=r"different labels at .*line 2 and at .*line 3"):
        FileLabeler.read_texts(path)


@pytest.mark.parametrize(
    ("cell", "hint"), [("2", "codes of CheXbert"), ("3", "0 is blank"), ("x", "")]
)
def test_other_cells_are_named(tmp_path, cell, hint):
    path = write(tmp_path / "l.csv", "Reports", {"edema": {"Edema": cell}})
    with pytest.raises(ValueError, match=rf"line 2: '{cell}' for 'Edema'; .*{hint}"):
        FileLabeler.read_texts(path)


def test_a_file_without_a_column_of_texts_is_named(tmp_path, generated):
    message = r"must have reports under 'Report Impression' or 'Reports', found neither"
    with pytest.raises(ValueError, match=message):
        FileLabeler.read_texts(generated)
    both = write(tmp_path / "b.csv", "Report Impression,Reports", {'a","b': {}})
    with pytest.raises(ValueError, match="found both"):
        FileLabeler.read_texts(both)
    with pytest.raises(ValueError, match="found no report"):
        FileLabeler.read_texts(write(tmp_path / "e.csv", "Reports", {}))
    with pytest.raises(ValueError, match="lacks the columns No Finding"):
        FileLabeler.read_texts(write(tmp_path / "f.csv", "Reports", {"a": {}}, OBSERVATIONS[:13]))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.csv"):
        FileLabeler.read_texts(tmp_path / "absent.csv")
    with pytest.raises(FileNotFoundError, match=r"absent\.csv"):
        FileLabeler.for_predictions(PREDICTIONS, tmp_path / "absent.csv")
