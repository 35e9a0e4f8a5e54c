"""A search as text: the front and the references as Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

from gradtruce.study.searching.result import front_trials


def markdown(summary: Mapping[str, Any]) -> str:
    """Return the summary of a search as a Markdown page."""
    counts = ", ".join(f"{count} {name}" for name, count in summary["counts"].items() if count)
    volumes = summary["hypervolume"]["after"]
    parts = [
        f"# {summary['title']}",
        summary["question"],
        f"Scores of the validation split. Trials: {counts}.",
        "\n".join(f"- {caveat}" for caveat in summary["caveats"]),
        "## The front: trials that no other dominates",
        _table(summary, front_trials(summary)),
        "## What is compared with",
        _references(summary),
        "## All trials",
        _table(summary, summary["trials"]),
    ]
    if volumes:
        floor = ", ".join(f"{value:.4f}" for value in summary["hypervolume"]["from"])
        parts += [
            f"Hypervolume of the front above ({floor}), the worst finished value of each score: "
            f"{volumes[-1]:.5f}."
        ]
    return "\n\n".join(parts) + "\n"


def grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table.

    >>> print(grid(["a", "b"], [["1", "2"]]))
    | a | b |
    |---|---|
    | 1 | 2 |
    """
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("|" + "|".join(_cell(entry) for entry in line) + "|" for line in lines)


def number(value: object) -> str:
    """Return a value as a table shows it.

    >>> number(0.123456), number(4e-14), number(12.5), number(None), number("all")
    ('0.1235', '0.0000', '12.5000', '', 'all')
    """
    if value is None:
        return ""
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _cell(entry: str) -> str:
    return entry if set(entry) == {"-"} else f" {entry} "


def _table(summary: Mapping[str, Any], trials: Sequence[Mapping[str, Any]]) -> str:
    settings, objectives = summary["settings"], summary["objectives"]
    head = ["trial", *settings, *objectives, "step", "how it ended", "published"]
    rows = [
        [
            trial["name"],
            *(number(trial["settings"].get(key)) for key in settings),
            *(number((trial["scores"] or {}).get(name)) for name in objectives),
            number(trial["best_step"]),
            trial["outcome"] + (f": {trial['reason']}" if trial["reason"] else ""),
            number(trial["published"]),
        ]
        for trial in trials
    ]
    return grid(head, rows) if rows else "None yet."


def _references(summary: Mapping[str, Any]) -> str:
    head = ["arm", *summary["objectives"], "dominated by"]
    rows = [
        [
            each["label"],
            *(number(each["scores"][name]) for name in summary["objectives"]),
            ", ".join(each["dominated_by"]) or "no trial of the front",
        ]
        for each in summary["references"]
    ]
    return grid(head, rows) if rows else "None yet."
