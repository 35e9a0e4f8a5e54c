"""Reading run folders: whole ones, and damaged ones with a message for people."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from gradtruce.viewer.report.records import read_comparison, read_run


def test_a_run_is_read_whole(comparison: Path):
    run = read_run(comparison / "linear")
    assert run.config.balance.name == "linear"
    assert len(run.log.steps) == 120
    assert run.log.names("losses") == ["report", "findings"]
    assert len(run.predictions) == 30
    assert "clinical.micro_13.uncertain_negative.f1" in run.scores


def test_the_runs_of_a_comparison_keep_its_order_and_labels(comparison: Path):
    summary, runs = read_comparison(comparison)
    assert [run.label for run in runs] == ["Linear scalarization", "CAME-Grad"]
    assert summary.is_synthetic


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("config.toml", "gradtruce train"),
        ("log.jsonl", "gradtruce train"),
        ("predictions.jsonl", "gradtruce train"),
        ("metrics.json", "gradtruce evaluate"),
    ],
)
def test_a_missing_file_is_named_with_the_command_that_makes_it(
    copy_of: Callable[[], Path], name: str, command: str
):
    folder = copy_of() / "linear"
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=command) as error:
        read_run(folder)
    assert str(folder / name) in str(error.value)


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": 2}', '{"schema": 1}', "\xff"])
def test_a_damaged_summary_is_named(copy_of: Callable[[], Path], text: str):
    folder = copy_of()
    (folder / "summary.json").write_text(text, encoding="latin-1")
    with pytest.raises((ValueError, TypeError), match=r"summary\.json"):
        read_comparison(folder)


def test_a_score_without_a_value_is_named(copy_of: Callable[[], Path]):
    folder = copy_of()
    path = folder / "summary.json"
    summary = json.loads(path.read_text())
    summary["differences"] = {"nlg.bleu_1": 0.5}
    path.write_text(json.dumps(summary))
    with pytest.raises(ValueError, match=r"nlg\.bleu_1: a score must be an object"):
        read_comparison(folder)


def test_what_is_missing_in_a_log_line_is_not_a_number(comparison: Path):
    steps, values = read_run(comparison / "linear").log.column("losses", "no such task")
    assert len(steps) == 120
    assert values.tolist() != values.tolist()  # NaN everywhere
