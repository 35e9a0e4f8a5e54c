"""`gradtruce label`: states of observations as CSV, agreement with other labels, bad input."""

import csv
from pathlib import Path

import pytest

from gradtruce.cli.app import run
from gradtruce.data.label_file import LabelFile
from gradtruce.data.observations import OBSERVATIONS
from tests.evaluation.command import REPORTS, labels, predictions, refused
from tests.evaluation.tiny_chexbert import write_chexbert


def test_labels_are_a_csv_of_ids_and_observations(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, target = predictions(tmp_path, d=""), tmp_path / "labels.csv"
    arguments = ["label", str(path), "--field", "generated", "--output", str(target)]
    assert run(arguments) == 0
    rows = list(csv.reader(target.read_text().splitlines()))
    assert rows[0] == ["id", *OBSERVATIONS]
    assert {cell for row in rows[1:] for cell in row[1:]} <= {"1", "0", "-1", ""}
    assert rows[4] == ["d"] + [""] * 14
    states = LabelFile.read(target).states
    assert list(states) == list(REPORTS)
    assert states["b"]["Pleural Effusion"] == 1
    assert states["c"]["Pneumothorax"] == 0
    shown = capsys.readouterr().out
    assert "4 reports, 1 of them empty: blank, labeler rules" in shown
    assert f"written: {target}" in shown


def test_an_empty_report_is_normal_where_that_is_asked_for(tmp_path: Path) -> None:
    path, target = predictions(tmp_path, d=""), tmp_path / "labels.csv"
    arguments = ["label", str(path), "--field", "generated", "--output", str(target)]
    assert run([*arguments, "--empty-policy", "normal"]) == 0
    assert LabelFile.read(target).states["d"] == {"No Finding": 1}


def test_csv_reports_and_agreement(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "reports.csv"
    path.write_text('id,report\ns1,"edema,\nno fracture"\ns2,no edema\n')
    others = labels(tmp_path, {"s2": {"Edema": 0}, "s1": {"Edema": 1}, "s9": {"Edema": 1}})
    arguments = ["label", str(path), "--output", str(tmp_path / "l.csv")]
    assert run([*arguments, "--compare", str(others)]) == 0
    shown = capsys.readouterr().out
    assert "on 2 of 2 reports" in shown
    assert "Edema" in shown


def test_chexbert_labels_where_its_weights_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = write_chexbert(tmp_path)
    arguments = [
        "label", str(predictions(tmp_path)), "--field", "generated", "--labeler", "chexbert",
        "--chexbert", str(files.weights), "--cache", str(tmp_path / "kept.sqlite"),
    ]  # fmt: skip
    for name in ("one.csv", "two.csv"):
        assert run([*arguments, "--output", str(tmp_path / name)]) == 0
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()
    assert "labeler chexbert (weights sha256" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["none.jsonl"], "none.jsonl"),
        (["p.jsonl"], "reference and generated are both there"),
        (["p.jsonl", "--field", "impression"], "impression"),
        (["p.jsonl", "--field", "generated", "--labeler", "file"], "choose rules or chexbert"),
        (["p.jsonl", "--field", "generated", "--labeler", "rule"], "did you mean 'rules'"),
        (["p.jsonl", "--field", "generated", "--empty-policy", "x"], "'blank' or 'normal'"),
        (["p.jsonl", "--field", "generated", "--cache", "x"], "labeler 'chexbert'"),
        (["p.jsonl", "--field", "generated", "--compare", "none.csv"], "none.csv"),
        (["p.jsonl", "--field", "generated", "--compare", "others.csv"], "has none of the reports"),
        (["p.jsonl", "--field", "generated", "--output", "p.jsonl"], "one of the files read"),
        (["p.jsonl", "--field", "generated", "--output", "none/l.csv"], "no folder none"),
        ([".", "--field", "generated"], "folder"),
    ],
)
def test_bad_input_is_refused_and_nothing_is_written(
    arguments: list[str],
    named: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    predictions(tmp_path, "p.jsonl")
    labels(tmp_path, {"x": {}}, "others.csv")
    given = [] if "--output" in arguments else ["--output", "l.csv"]
    assert named in refused(capsys, tmp_path, "label", *arguments, *given)
