"""Conflict of report and findings under CAME-Grad's published presets, beside its null.

    python -m benchmarks.conflict DATA [--write benchmarks/results/conflict.md]

Trains the small PromptMRG and the small DDaTR on a phantom with the balance that the paper gives
for each, and measures the null every other step: the cosine of one task's gradients on the two
halves of a batch. Halves share no noise, so that two tasks whose expected gradients oppose each
other have a negative cosine on them more often than not, and one half of the time where they have
nothing to do with each other. The runs lie beside DATA; what is finished is kept.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.learning_runs import PRESETS, Case, gradtruce, made_of, make_needed, this_machine
from gradtruce.analysis.dynamics import conflict_of_pair
from gradtruce.data.prepared import PreparedDataset
from gradtruce.training.config import RunConfig
from gradtruce.training.config_file import load_config
from gradtruce.training.runlog import read_log

METHODS: Final = ("promptmrg", "ddatr")
STEPS: Final = 400
NULL_EVERY: Final = 2
PAIR: Final = "report|findings"

Json = Mapping[str, Any]  # a JSON object


def run_of(method: str, data: Path) -> Path:
    """Return the run folder of a method, trained if it is not there.

    Raises:
        ChildProcessError: If the training fails.
    """
    folder = data.with_name(f"{data.name}-conflict-{method}")
    if (folder / "metrics.json").is_file():
        return folder
    make_needed([Case("phantom", method, "came_grad", STEPS)], data)
    words = [word for setting in settings_of(method, data) for word in ("--set", setting)]
    gradtruce(
        *("train", "--config", PRESETS[method], "--data", str(data), "--output", str(folder)),
        *words,
    )
    return folder


def settings_of(method: str, data: Path) -> list[str]:
    """Return what is laid over the preset of a method."""
    needed = made_of(data).get(method, (None, ""))[1]
    return [
        *([needed] if needed else []),
        f"balance.preset='came_grad-{method}-mimic'",
        "training.seed=0",
        f"training.steps={STEPS}",
        f"training.null_every={NULL_EVERY}",
        f"training.validation.every={STEPS}",
        "training.validation.studies=128",
        "training.decoding.beams=1",
    ]


def lines_of(method: str, folder: Path) -> list[str]:
    """Return the lines of the table of one run: all of it, and its first and second half."""
    log, config = folder / "log.jsonl", load_config(folder / "config.toml")
    steps, nulls = list(read_log(log, "step")), list(read_log(log, "null"))
    half = STEPS // 2
    parts = {
        f"1 to {STEPS}": (steps, nulls),
        f"1 to {half}": ([one for one in steps if one["step"] <= half],
                         [one for one in nulls if one["step"] <= half]),
        f"{half + 1} to {STEPS}": ([one for one in steps if one["step"] > half],
                                   [one for one in nulls if one["step"] > half]),
    }  # fmt: skip
    return [
        _line(f"`{method}`", _numbers(config), part, conflict_of_pair(*lines, PAIR, STEPS))
        for part, lines in parts.items()
    ]


def _numbers(config: RunConfig) -> str:
    names = ("radius", "gain", "fusion")
    return ", ".join(f"{config.balance.options[name]:g}" for name in names)


def _line(method: str, numbers: str, part: str, found: Json) -> str:
    first, second = (found["within_task"][task] for task in PAIR.split("|"))
    kinds = (found["same_batch"], found["cross_task"], first, second)
    shares = [_interval(kind["negative"]) for kind in kinds]
    excess = _interval(found["excess"]["negative"], sign="+")
    cosines = [_interval(kind["cosine"], sign="+") for kind in kinds[1:]]
    return f"| {' | '.join([method, numbers, part, *shares, excess, *cosines])} |"


def _interval(estimate: Json, sign: str = "") -> str:
    value, low, high = (f"{estimate[name]:{sign}.3f}" for name in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def page(data: Path, runs: Mapping[str, Path]) -> str:
    """Return the page in Markdown."""
    manifest = PreparedDataset.open(data).manifest
    facts = ", ".join(f"{name} {value}" for name, value in manifest.parameters.items())
    task, other = PAIR.split("|")
    lines = [
        "# Do report and findings conflict?",
        "",
        f"Made by `python -m benchmarks.conflict DATA`, DATA being the {manifest.name} of {facts}. "
        f"{this_machine()}.",
        "",
        "The small presets with CAME-Grad's published numbers for MIMIC-CXR (`balance.preset`, "
        f"scope `all`), seed 0, {STEPS} steps of 16 studies; the null every {NULL_EVERY} steps. "
        "Shares of negative cosines (conflict ratios): of gradients on one batch; on its two "
        "halves, across the tasks; and on its two halves, of one task: the null. The excess is "
        "across the tasks less the mean of the two nulls. Above 0 it says that the tasks agree "
        "less with each other than with themselves, as independent tasks do too; they oppose each "
        "other where more than half of the cosines across halves are negative, and their mean is. "
        "Intervals of 95 % count that neighbouring steps depend on each other; they say nothing of "
        "other seeds.",
        "",
        f"| method | ρ, κ, ν | steps | {task}, {other}: one batch | {task}, {other}: halves "
        f"| {task}, {task} | {other}, {other} | excess | cosine: {task}, {other} "
        f"| cosine: {task}, {task} | cosine: {other}, {other} |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
        *(line for method, folder in runs.items() for line in lines_of(method, folder)),
        "",
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what is not trained yet, print the page, and write it where asked to."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.conflict",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("data", type=Path, help="prepared phantom whose studies have priors")
    parser.add_argument("--write", type=Path)
    options = parser.parse_args(arguments)
    data = options.data.absolute()
    text = page(data, {method: run_of(method, data) for method in METHODS})
    if options.write is not None:
        options.write.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
