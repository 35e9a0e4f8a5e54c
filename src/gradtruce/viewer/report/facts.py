"""What a run was and what it took, as rows of names and values."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from gradtruce.viewer.report.figures import clipped_share
from gradtruce.viewer.report.records import RunRecord


@final
@dataclass(frozen=True)
class FactRow:
    """One fact of every run; "" where a run lacks it."""

    name: str
    values: tuple[str, ...]


def run_facts(runs: Sequence[RunRecord]) -> list[FactRow]:
    """Return the facts of each run, those that no run has left out."""
    columns = [_facts(run) for run in runs]
    names = list(dict.fromkeys(name for column in columns for name in column))
    rows = [FactRow(name, tuple(column.get(name, "") for column in columns)) for name in names]
    return [row for row in rows if any(row.values)]


def plain_facts(table: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:  # JSON values
    """Return names and values of a JSON object, what lies deeper by dotted names.

    >>> plain_facts({"seed": 0, "counts": {"train": 2500}, "view_order": ["frontal", "lateral"]})
    [('seed', '0'), ('counts.train', '2,500'), ('view order', 'frontal, lateral')]
    """
    return list(_flat(table, prefix))


def duration(seconds: float) -> str:
    """Return a time as a person says it.

    >>> duration(42.3), duration(192.0), duration(7384.0)
    ('42 s', '3 min 12 s', '2 h 3 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _facts(run: RunRecord) -> dict[str, str]:
    config, training = run.config, run.config.training
    balance = config.balance
    options = ", ".join(f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
                        for name, value in balance.options.items())  # fmt: skip
    steps = len(run.log.steps)
    share = clipped_share(run.log)
    clip = training.clip
    best = [line for line in run.log.validations if line.get("best")]
    weights = ", ".join(f"{task} {weight:g}" for task, weight in balance.weights.items())
    rates = training.learning_rate
    return {
        "Method": f"{config.method.name}{_options(config.method.options)}",
        "Optimizer of the tasks": f"{balance.name}{f' ({options})' if options else ''}",
        "Task weights": weights or "those of the method",
        "Parameters it acts on": balance.scope,
        "Optimizer of the parameters": f"{training.optimizer}, rates {rates.backbone:g} (backbone) "
        f"and {rates.rest:g}",
        "Seed": str(training.seed),
        "Batch size": f"{training.batch_size * training.accumulation}",
        "Steps": f"{steps:,}" if steps else "",
        "Best checkpoint": f"step {best[-1]['step']:,}" if best else "",
        "Clipping": "none" if clip.kind == "none" else f"{clip.kind}, limit {clip.limit:g}",
        "Steps clipped": "" if share is None else f"{share:.1%}",
        "Training time": _time(run),
        "Steps a second": _rate(run.facts.get("seconds_per_step") or _median_seconds(run)),
        "Steps a second without diagnostics": _rate(
            run.facts.get("seconds_per_step_without_diagnostics")
        ),
        "Test reports": f"{len(run.predictions):,}",
    }


def _options(options: Mapping[str, Any]) -> str:  # whatever the method takes
    text = ", ".join(f"{name} {value}" for name, value in options.items())
    return f" ({text})" if text else ""


def _time(run: RunRecord) -> str:
    seconds = run.facts.get("seconds") or float(np.nansum(run.log.column("seconds")[1]))
    return duration(seconds) if seconds else ""


def _median_seconds(run: RunRecord) -> float | None:
    seconds = run.log.column("seconds")[1]
    finite = seconds[np.isfinite(seconds)]
    return float(np.median(finite)) if len(finite) else None


def _rate(seconds: float | None) -> str:
    return f"{1 / seconds:.2f}" if seconds else ""


def _flat(table: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for key, value in table.items():
        name = f"{prefix}{key}".replace("_", " ")
        if isinstance(value, Mapping):
            yield from _flat(value, f"{name}.")
        elif isinstance(value, list | tuple):
            yield name, ", ".join(str(entry) for entry in value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield name, f"{value:,}" if isinstance(value, int) and key != "seed" else f"{value:g}"
        elif value is not None:
            yield name, {True: "yes", False: "no"}.get(value, str(value))
