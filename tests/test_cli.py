"""The command line: fast, one-line errors, nothing half-written."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gradtruce.balance.presets import preset_names
from gradtruce.cli.app import run
from gradtruce.cli.catalogue import CATALOGUE
from gradtruce.gradients.balancer import Balancer
from gradtruce.methods.registry import METHODS


def complaint(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that must fail; return its one line."""
    assert run(arguments) == 2
    printed = capsys.readouterr()
    lines = printed.err.strip().splitlines()
    assert len(lines) == 1, printed.err
    assert lines[0].startswith("gradtruce: error: ")
    return lines[0]


def test_the_catalogue_names_what_is_there() -> None:
    own = {name for name, kind in Balancer.known.items() if "gradtruce." in kind.__module__}
    assert set(CATALOGUE["balancers"]) == own
    assert set(CATALOGUE["methods"]) == set(METHODS)


@pytest.mark.parametrize("arguments", [["--help"], ["list"], ["train", "--help"], ["nonsense"]])
def test_help_and_lists_answer_at_once_without_torch(arguments: list[str]) -> None:
    program = (
        "import sys, time; start = time.process_time(); from gradtruce.cli.app import run; "
        f"run({arguments!r}); "
        "heavy = [name for name in ('torch', 'transformers', 'datasets') if name in sys.modules]; "
        "sys.exit(1 if heavy or time.process_time() - start > 1.0 else 0)"
    )
    start = time.monotonic()
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    assert time.monotonic() - start < 20.0


def test_list_shows_every_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["list"]) == 0
    shown = capsys.readouterr().out
    for names in CATALOGUE.values():
        assert all(name in shown for name in names)
    published = [name for name in preset_names() if not name.endswith("-shared")]
    assert all(f"balance/{name}" in shown for name in published)


def test_doctor_finds_everything_here(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    assert run(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "all that this version needs is here"
    assert all(len(line) <= 100 for line in lines if " " in line.strip())


def test_a_mistyped_word_is_answered_with_the_nearest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "'train'" in complaint(["trian"], capsys)
    assert "--output" in complaint(["train", "--outptu", "x"], capsys)
    assert "training.epochs" in complaint(
        ["train", "--output", str(tmp_path / "run"), "--data", "x", "--set", "training.epoch=3"],
        capsys,
    )
    assert "demo" in complaint(["train", "--config", "dmo", "--output", "x"], capsys)


def test_a_folder_that_exists_is_not_touched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "kept.txt"
    kept.write_text("mine")
    line = complaint(["prepare", "phantom", str(tmp_path), "--studies", "60"], capsys)
    assert "exists" in line
    assert "exists" in complaint(["demo", "--output", str(tmp_path)], capsys)
    assert [file.name for file in tmp_path.iterdir()] == ["kept.txt"]


def test_too_few_studies_leave_nothing_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["prepare", "phantom", str(tmp_path / "set"), "--studies", "2", "--size", "48"]
    assert run([*arguments, "--workers", "1"]) == 2
    assert "every split needs at least one" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("", "the file is empty"),
        ("not json\n", "line 1"),
        ('{"id": "a", "reference": "clear ."}\n', "generated"),
        ('{"id": "a", "reference": "b", "generated": "c"}\n' * 2, "a"),
        ('{"id": "a", "reference": "", "generated": "c"}\n', "reference"),
    ],
)
def test_a_bad_prediction_file_is_named_with_its_fault(
    content: str, named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "predictions.jsonl"
    path.write_text(content)
    assert named in complaint(["evaluate", str(path)], capsys)
    assert not (tmp_path / "metrics.json").exists()


def test_evaluate_scores_any_system(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {"id": "a", "reference": "the heart is enlarged .", "generated": "the heart is enlarged ."},
        {"id": "b", "reference": "no effusion .", "generated": "small left pleural effusion ."},
    ]
    path = tmp_path / "predictions.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    assert run(["evaluate", str(path), "--resamples", "10"]) == 0
    assert "Clinical efficacy\n" in capsys.readouterr().out
    scores = json.loads((tmp_path / "metrics.json").read_text())["scores"]
    found = scores["clinical.micro_13.uncertain_negative.f1"]["value"]
    assert found == pytest.approx(2 / 3)


def test_predict_refuses_what_is_no_image(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "film.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n truncated")
    output = tmp_path / "out"
    line = complaint(
        ["predict", str(path), "--run", str(tmp_path), "--output", str(output)], capsys
    )
    assert str(tmp_path) in line
    assert not output.exists()


@pytest.mark.parametrize("arguments", [[], ["prepare"]])
def test_a_command_without_arguments_prints_its_help_as_help(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("Usage: gradtruce")
    assert "\nCommands:\n" in printed


def test_a_study_without_reference_is_named_with_its_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text('{"id": "b", "reference": "", "generated": "x"}\n', encoding="utf-8")
    line = complaint(["evaluate", str(path)], capsys)
    assert "p.jsonl: study 'b' has no reference text" in line
    assert not (tmp_path / "metrics.json").exists()
