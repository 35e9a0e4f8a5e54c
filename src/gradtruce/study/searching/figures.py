"""Pictures of a search: the front by pairs of scores, and the hypervolume over the trials."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, Final

from matplotlib.axes import Axes

from gradtruce.study.gradient_dynamics.drawing import KIND_COLOURS, sheet
from gradtruce.study.searching.result import front_trials

FORMATS: Final = ("svg", "png")
FRONT, PUBLISHED, REFERENCE = KIND_COLOURS[0], KIND_COLOURS[3], KIND_COLOURS[5]
REST: Final = "#8c8c8c"
MARKS: Final = ("D", "P", "X", "v", "<", ">")
"""Of the references; shape tells them apart where colour does not."""


def draw(summary: Mapping[str, Any], folder: Path) -> list[str]:
    """Draw a search; return the names of the files.

    Args:
        summary: As `summarise` returns it.
        folder: Where the pictures go; made where absent.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pairs = list(combinations(summary["objectives"], 2))
    with sheet(5.4 * len(pairs), 4.6, 1, len(pairs)) as page:
        for axes, (x, y) in zip(page.panels[0], pairs, strict=True):
            _pair(axes, summary, x, y)
        page.panels[0, 0].legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2)
        names = page.save(folder, "pareto", FORMATS)
    with sheet(5.4, 3.2) as page:
        _volume(page.panels[0, 0], summary)
        names += page.save(folder, "hypervolume", FORMATS)
    return names


def _pair(axes: Axes, summary: Mapping[str, Any], x: str, y: str) -> None:
    trials = [trial for trial in summary["trials"] if _is_known(trial, x, y)]
    stopped = [trial for trial in trials if trial["outcome"] == "stopped"]
    finished = [trial for trial in trials if trial["outcome"] == "finished"]
    best = [trial for trial in front_trials(summary) if _is_known(trial, x, y)]
    published = [trial for trial in trials if trial["published"]]
    _dots(axes, stopped, x, y, marker="x", color=REST, label="stopped early")
    _dots(axes, finished, x, y, marker="o", color=REST, label="finished")
    if len(summary["objectives"]) == 2:
        line = sorted((trial["scores"][x], trial["scores"][y]) for trial in best)
        if line:
            axes.plot(*zip(*line, strict=True), color=FRONT, linewidth=1.0, drawstyle="steps-pre")
    _dots(axes, best, x, y, marker="o", color=FRONT, s=42, label="front")
    _dots(
        axes,
        published,
        x,
        y,
        marker="s",
        facecolors="none",
        edgecolors=PUBLISHED,
        s=90,
        label="published settings",
    )
    for mark, each in zip(MARKS, summary["references"], strict=False):
        _dots(axes, [each], x, y, marker=mark, color=REFERENCE, s=60, label=each["label"])
    axes.set(xlabel=f"{x} (validation)", ylabel=f"{y} (validation)", title="Trials of the search")


def _dots(axes: Axes, points: Sequence[Mapping[str, Any]], x: str, y: str, **look: Any) -> None:
    if points:
        axes.scatter(
            [point["scores"][x] for point in points],
            [point["scores"][y] for point in points],
            zorder=3,  # above the grid
            **look,
        )


def _is_known(trial: Mapping[str, Any], x: str, y: str) -> bool:
    scores = trial["scores"] or {}
    return scores.get(x) is not None and scores.get(y) is not None


def _volume(axes: Axes, summary: Mapping[str, Any]) -> None:
    volumes = summary["hypervolume"]["after"]
    axes.step(range(1, len(volumes) + 1), volumes, where="post", color=FRONT)
    axes.set(xlabel="trial", ylabel="hypervolume of the front", title="What each trial added")
