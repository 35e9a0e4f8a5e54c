"""What `predict` leaves of a user's own images."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from gradtruce.data.prepared import PreparedDataset
from gradtruce.data.study import Study
from gradtruce.evaluation.predictions import Prediction
from gradtruce.viewer.report.own_images import write_own_images
from gradtruce.viewer.report.sentence_attention import Reader

REPORT = "the heart is enlarged . no pleural effusion ."


@pytest.fixture
def reader(comparison: Path) -> Reader:
    return Reader(comparison / "linear" / "checkpoints" / "best")


@pytest.fixture
def studies(comparison: Path) -> list[Study]:
    first, second = PreparedDataset.open(comparison / "data").split("test")[:2]
    return [
        replace(first, id="my film/1 <b>", views=first.views[:1]),
        replace(second, id="my film 1 b"),
    ]


def predictions(studies: list[Study]) -> list[Prediction]:
    return [Prediction(study.id, "", REPORT, findings={"Edema": 0.25}) for study in studies]


def test_every_study_gets_report_findings_and_overlays(
    tmp_path: Path, reader: Reader, studies: list[Study]
):
    page = write_own_images(tmp_path / "out", reader, studies, predictions(studies))
    assert page == tmp_path / "out" / "index.html"
    first, second = sorted(path for path in (tmp_path / "out").iterdir() if path.is_dir())
    assert (first / "report.txt").read_text() == REPORT + "\n"
    assert json.loads((first / "findings.json").read_text())["findings"] == {"Edema": 0.25}
    names = sorted(path.name for path in [*first.glob("*.png"), *second.glob("*.png")])
    assert names == [
        "sentence-1-frontal.png",
        "sentence-1-frontal.png",
        "sentence-1-lateral.png",
        "sentence-2-frontal.png",
        "sentence-2-frontal.png",
        "sentence-2-lateral.png",
    ]


def test_a_finding_that_is_believed_is_shown_where_it_is_seen(
    tmp_path: Path, reader: Reader, studies: list[Study]
):
    found = {"Pleural Effusion": 0.5, "Edema": 0.49}
    read = [replace(prediction, findings=found) for prediction in predictions(studies)]
    page = write_own_images(tmp_path / "out", reader, studies, read)
    overlays = sorted(path.name for path in page.parent.rglob("finding-*.png"))
    names = ("frontal", "frontal", "lateral")
    assert overlays == [f"finding-pleural-effusion-{name}.png" for name in names]
    text = page.read_text()
    assert text.count('data-heat="finding-') == len(studies)
    assert all(f'id="finding-{study}-0-0"' in text for study in range(len(studies)))


def test_names_are_escaped_and_the_page_says_what_it_is(
    tmp_path: Path, reader: Reader, studies: list[Study]
):
    text = write_own_images(tmp_path / "out", reader, studies, predictions(studies)).read_text()
    assert "<b>" not in text
    assert "not a medical device" in text


def test_a_folder_that_is_there_is_refused(tmp_path: Path, reader: Reader, studies: list[Study]):
    with pytest.raises(FileExistsError, match="is there already"):
        write_own_images(tmp_path, reader, studies, predictions(studies))


def test_an_error_leaves_nothing(tmp_path: Path, reader: Reader, studies: list[Study]):
    broken = [replace(studies[0], views=()), studies[1]]
    with pytest.raises((ValueError, RuntimeError, IndexError)):
        write_own_images(tmp_path / "out", reader, broken, predictions(broken))
    assert list(tmp_path.iterdir()) == []


def test_studies_and_predictions_must_belong_together(
    tmp_path: Path, reader: Reader, studies: list[Study]
):
    with pytest.raises(ValueError, match="in the same order"):
        write_own_images(tmp_path / "out", reader, studies[::-1], predictions(studies))
