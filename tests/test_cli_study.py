"""The command `gradtruce study`: plans, runs, where a study is."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gradtruce.cli.app import run
from gradtruce.presets import preset_names

TINY = """
title = "Tiny"
question = "Does it run?"
reference = "linear"
seeds = [0]

[run]
extends = "demo"
data = { image_size = 32, max_tokens = 16 }
method = { options = { backbone_widths = [4, 8], backbone_depths = [1, 1], width = 8, heads = 2 } }

[run.training]
steps = 2
batch_size = 4
null_every = 0
validation = { every = 2, studies = 3, beams = 1 }
decoding = { beams = 1 }

[data.phantom]
label = "Phantom"
phantom = { level = "easy", studies = 60, size = 32 }

[methods.r2gen]
label = "R2Gen"

[arms.linear]
label = "Linear"

[arms.broken]
label = "Broken"
balance = { name = "came_grad", options = { radios = 1 } }
"""


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plan") / "tiny.toml"
    path.write_text(TINY, encoding="utf-8")
    return path


def complaint(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert run(arguments) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


@pytest.mark.parametrize(
    "arguments", [["study", "--help"], ["study", "run", "--help"], ["study", "list"]]
)
def test_help_and_list_answer_at_once_without_torch(arguments: list[str]) -> None:
    program = (
        "import sys, time; start = time.process_time(); from gradtruce.cli.app import run; "
        f"run({arguments!r}); "
        "heavy = [name for name in ('torch', 'transformers', 'optuna') if name in sys.modules]; "
        "sys.exit(1 if heavy or time.process_time() - start > 1.0 else 0)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)


def test_list_names_every_plan_with_its_question(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["study", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    names = tuple(line.split()[0] for line in lines if line.startswith("  "))
    assert names == (*preset_names("study"), *preset_names("search"))
    assert all(line.endswith("?") for line in lines if line.startswith("  "))
    assert [line for line in lines if not line.startswith("  ")] == [
        "gradtruce study run",
        "gradtruce study search",
    ]


@pytest.mark.slow  # tests/study/test_runner.py has it on a phantom that is there
def test_a_study_runs_reports_what_fails_and_tells_where_it_is(
    plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "study"
    assert run(["study", "run", str(plan), "--output", str(folder), "--workers", "2"]) == 1
    printed = capsys.readouterr()
    assert "1 finished, 1 failed" in printed.out
    assert "gradtruce study run --output" in printed.out
    assert "failed: r2gen/phantom/broken/seed-0" in printed.err
    assert "did you mean 'radius'" in printed.err
    log = folder / "logs" / "r2gen" / "phantom" / "broken" / "seed-0.log"
    assert str(log) in printed.err
    assert (folder / "runs/r2gen/phantom/linear/seed-0/metrics.json").is_file()

    assert run(["study", "status", str(folder)]) == 0
    assert "Tiny: 1 finished, 1 failed" in capsys.readouterr().out
    assert run(["study", "status", str(folder), "--json"]) == 0
    now = json.loads(capsys.readouterr().out)
    assert now["counts"] == {"finished": 1, "running": 0, "failed": 1, "waiting": 0}
    assert [each["state"] for each in now["runs"]] == ["finished", "failed"]
    assert "radios" in now["runs"][1]["reason"]

    other = ["study", "run", str(plan), "--output", str(folder), "--set", "run.training.steps=3"]
    assert "run.training.steps (2 there, 3 given)" in complaint(other, capsys)


def test_what_is_wrong_is_one_line(
    plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = ["--output", str(tmp_path / "x")]
    assert "did you mean 'optimizers'" in complaint(["study", "run", "optimisers", *output], capsys)
    assert "is " in complaint(["study", "status", str(tmp_path)], capsys)
    assert "name the plan" in complaint(["study", "run", *output, "--set", "seeds=[1]"], capsys)
    wrong = ["study", "run", str(plan), *output, "--set", "arms.linear.lable=x"]
    assert "did you mean 'label'" in complaint(wrong, capsys)
    storage = ["study", "run", str(plan), *output, "--storage", "here"]
    assert "no URL of a database" in complaint(storage, capsys)


def test_without_optuna_the_command_says_how_to_get_it(plan: Path, tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['optuna'] = None; from gradtruce.cli.app import run; "
        f"sys.exit(run(['study', 'run', {str(plan)!r}, '--output', {str(tmp_path / 'x')!r}]))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert ended.returncode == 2
    assert b"pip install 'gradtruce[search]'" in ended.stderr
