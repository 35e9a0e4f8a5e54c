"""The conflict benchmark: the published balances, and the table of a log."""

import json
from pathlib import Path

import pytest

from benchmarks.conflict import METHODS, PAIR, STEPS, lines_of, settings_of
from benchmarks.learning_runs import PRESETS
from gradtruce.training.config import RunConfig
from gradtruce.training.config_file import load_config, write_config


def config_of(method: str) -> RunConfig:
    settings = [*settings_of(method, Path("runs/set")), "data.path='runs/set'"]
    config: RunConfig = load_config(PRESETS[method], settings)
    return config


@pytest.mark.parametrize(("method", "numbers"), [("promptmrg", (0.2, 0.1)), ("ddatr", (0.5, 0.2))])
def test_the_balance_is_the_published_one(method: str, numbers: tuple[float, float]) -> None:
    balance = config_of(method).balance
    assert (balance.name, balance.scope) == ("came_grad", "all")
    assert (balance.options["radius"], balance.options["fusion"]) == numbers
    assert balance.weights == {"report": 1.0, "findings": 4.0}
    assert method in METHODS


def test_a_log_becomes_a_line_for_the_run_and_for_each_half(tmp_path: Path) -> None:
    write_config(config_of("ddatr"), tmp_path / "config.toml")
    lines = [
        entry
        for step in range(1, STEPS + 1)
        for entry in (
            {"kind": "step", "step": step, "epoch": 0, "cosines": {PAIR: 0.5}},
            {
                "kind": "null",
                "step": step,
                "cross_task": {PAIR: -0.1 if step > STEPS // 2 else 0.1},
                "within_task": {"report": 0.2, "findings": 0.4},
            },
        )
    ]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    whole, first, second = lines_of("ddatr", tmp_path)
    assert whole.startswith("| `ddatr` | 0.5, 1.5, 0.2 | 1 to 400 | 0.000 [0.000, ")
    assert "| 0.500 [" in whole
    assert "| +0.000 [" in first
    assert first.endswith(
        "| +0.100 [+0.100, +0.100] | +0.200 [+0.200, +0.200] | +0.400 [+0.400, +0.400] |"
    )
    assert second.startswith(f"| `ddatr` | 0.5, 1.5, 0.2 | {STEPS // 2 + 1} to {STEPS} |")
    assert "| +1.000 [" in second
    assert "| -0.100 [-0.100, -0.100] |" in second
