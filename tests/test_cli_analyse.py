"""`gradtruce analyse`: what it prints, writes and refuses."""

import json
from pathlib import Path

import pytest

from gradtruce.cli.app import run
from gradtruce.training.config import RunConfig
from gradtruce.training.config_file import write_config

LINE = {
    "schema": 1,
    "kind": "step",
    "epoch": 0,
    "norms": {"report": 1.0, "findings": 2.0},
    "cosines": {"report|findings": 0.1},
    "joint_norm": 8.0,
    "update_norm": 8.0,
    "gain": 1.0,
    "joint_cosine": 1.0,
    "validity": 0.2,
    "clipped": False,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a run folder with a log and nothing else."""
    folder = tmp_path / "run"
    folder.mkdir()
    write_config(
        RunConfig(data={"path": "nowhere"}, balance={"name": "linear"}), folder / "config.toml"
    )
    lines = [LINE | {"step": step} for step in range(1, 9)]
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def test_the_log_alone_is_analysed_into_the_run(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["analyse", str(folder), "--only", "log", "--format", "png"]) == 0
    printed = capsys.readouterr().out
    assert "# Gradient dynamics of run (linear)" in printed
    assert "training.null_every = 0" in printed
    names = sorted(path.name for path in (folder / "analysis").iterdir())
    assert names == ["analysis.json", "conflict-by-epoch.png", "cosines.png", "magnitude.png"]
    assert json.loads((folder / "analysis" / "analysis.json").read_text())["schema"] == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--only", "lgo"], "no part is called 'lgo'; did you mean 'log'?"),
        (["--points", "10"], "points must be odd"),
        (["--format", "jpg"], "figures are drawn as svg or png, got 'jpg'"),
        (["--batches", "2"], "batches must be at least 4"),
        ([], "no such checkpoint"),
    ],
)
def test_wrong_input_is_one_line(
    folder: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["analyse", str(folder), *options]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert message in lines[-1]
    assert not (folder / "analysis").exists()
