"""Figures of conflict beside its null, of the update's length and validity, and of layers."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from gradtruce.study.gradient_dynamics.drawing import (
    DASHES,
    NULL_COLOURS,
    RUN_COLOURS,
    Sheet,
    band,
    sheet,
    whisker,
    whole_epochs,
)
from gradtruce.study.gradient_dynamics.run import Json

Keep = Callable[[Sheet], None]


def cosine_histograms(result: Json, keep: Keep) -> None:
    """Draw how often each cosine comes: same batch, across halves, and the null within tasks."""
    _by_pair(result, keep, _histogram, size=(4.4, 3.6), note="")


def _by_pair(
    result: Json,
    keep: Keep,
    draw: Callable[[Axes, Json], None],
    *,
    size: tuple[float, float],
    note: str,
) -> None:
    """Draw a panel for each pair of tasks and each run; `size` of one, in inches."""
    shown = [run for run in result["runs"] if run.get("log", {}).get("conflict")]
    if not shown:
        return
    pairs = list(shown[0]["log"]["conflict"])
    width, height = size
    with sheet(width * len(shown), height * len(pairs), len(pairs), len(shown)) as page:
        for column, run in enumerate(shown):
            for row, pair in enumerate(pairs):
                axes = page.panels[row, column]
                found = run["log"]["conflict"].get(pair)
                if found is not None:
                    draw(axes, found)
                    axes.set_title(f"{run['label']}\n{_named(pair)}{note}")
        keep(page)


def _histogram(axes: Axes, found: Json) -> None:
    kinds = [("same batch", found["same_batch"], RUN_COLOURS[0], "-")]
    if found["cross_task"]["cosine"]["count"]:
        kinds.append(("disjoint halves", found["cross_task"], RUN_COLOURS[1], "-"))
        kinds += [
            (f"null: {task} with itself", entry, "black", dash)
            for (task, entry), dash in zip(found["within_task"].items(), DASHES[1:], strict=False)
        ]
    for name, entry, colour, dash in kinds:
        counts = np.array(entry["histogram"]["counts"], dtype=float)
        share, total = entry["negative"]["value"], counts.sum()
        axes.stairs(
            counts / max(total, 1.0),
            entry["histogram"]["edges"],
            label=f"{name}: {100 * share:.0f} % below 0 (n = {total:.0f})",
            color=colour,
            linestyle=dash,
            linewidth=1.4,
            fill=name == "same batch",
            alpha=0.35 if name == "same batch" else 1.0,
        )
    axes.axvline(0.0, color="black", linewidth=0.8)
    axes.set(xlabel="cosine of two gradients", ylabel="share of steps", xlim=(-1, 1))
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2))


def conflict_by_epoch(result: Json, keep: Keep) -> None:
    """Draw the share of negative cosines by epoch, with the null's beside it."""
    _by_pair(result, keep, _epochs, size=(4.8, 3.8), note=": conflict and its null")


def _epochs(axes: Axes, found: Json) -> None:
    lines = found["epochs"]
    x = [line["epoch"] + 1 for line in lines]
    whole_epochs(axes, x)
    entries = [_percent(line["same_batch"]["negative"]) for line in lines]
    band(axes, x, entries, color=RUN_COLOURS[0], label="same batch")
    kinds: list[tuple[str, tuple[str, ...], str, str]] = [
        ("disjoint halves", ("cross_task",), RUN_COLOURS[1], "s")
    ]
    kinds += [
        (f"null: {task} with itself", ("within_task", task), colour, "^")
        for task, colour in zip(found["within_task"], NULL_COLOURS, strict=False)
    ]
    for place, (name, path, colour, marker) in enumerate(kinds):
        shift = 0.12 * (place + 1)
        for at, line in zip([*x, x[-1] + 1], [*lines, found], strict=True):
            entry = line
            for key in path:
                entry = entry[key]
            look = {"color": colour, "marker": marker, "label": name if line is found else None}
            whisker(axes, at + shift, _percent(entry["negative"]), **look)
    all_steps = _percent(found["same_batch"]["negative"])
    whisker(axes, x[-1] + 1.0, all_steps, color=RUN_COLOURS[0], marker="o")
    axes.axhline(50, color="black", linewidth=0.8, linestyle=":", label="random directions")
    axes.axvline(x[-1] + 0.7, color="black", linewidth=0.8)
    axes.set_xticks(
        [*axes.get_xticks(), x[-1] + 1.15], [*(f"{tick:g}" for tick in axes.get_xticks()), "all"]
    )
    axes.set(ylabel="negative cosines (% of steps)", ylim=(0, 100))
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)


def magnitude(result: Json, keep: Keep) -> None:
    """Draw by epoch how long the update is, how often it is valid, and its angle to the sum."""
    shown = [run for run in result["runs"] if _has_update(run)]
    if not shown:
        return
    panels = (
        ("retained", "‖update‖ / ‖Σ λ g‖", "Magnitude retained", 1.0),
        ("valid", "steps (%)", "No loss rises (first order)", 100.0),
        ("angle", "degrees", "Angle of update to Σ λ g", 1.0),
    )
    with sheet(10.5, 3.0, 1, 3) as page:
        for axes, (key, unit, title, factor) in zip(page.panels[0], panels, strict=True):
            for run, colour in zip(shown, RUN_COLOURS, strict=False):
                lines = run["log"]["update"]["epochs"]
                x = [line["epoch"] + 1 for line in lines]
                entries = [_scaled(line[key], factor) for line in lines]
                band(axes, x, entries, color=colour, label=run["label"])
                whole_epochs(axes, x)
            axes.set(ylabel=unit, title=title)
            axes.set_ylim(bottom=0)
        page.panels[0, 0].legend(loc="lower left")
        keep(page)


def _has_update(run: Json) -> bool:
    known = run.get("log", {}).get("update", {}).get("all", {}).get("retained", {})
    return known.get("value") is not None


def layer_map(result: Json, keep: Keep) -> None:
    """Draw the mean cosine of every pair and of every task with itself, layer by layer."""
    shown = [run for run in result["runs"] if "layers" in run]
    if not shown:
        return
    columns, rows = _columns(shown[0]["layers"]), shown[0]["layers"]["names"]
    width = 2.2 + (0.7 * len(columns) + 1.2) * len(shown)
    with sheet(width, 1.6 + 0.24 * len(rows), 1, len(shown)) as page:
        for place, (axes, run) in enumerate(zip(page.panels[0], shown, strict=True)):
            drawn = _heat(axes, run["layers"], columns, with_names=place == 0)
            axes.set_title(f"{run['label']}\n• excess over the null above 0 (95 %)")
        page.figure.colorbar(drawn, ax=list(page.panels[0]), label="mean cosine", shrink=0.6)
        keep(page)


def _columns(layers: Json) -> list[tuple[str, str]]:
    return [("pairs", pair) for pair in layers["pairs"]] + [
        ("tasks", task) for task in layers["tasks"]
    ]


def _heat(
    axes: Axes, layers: Json, columns: Sequence[tuple[str, str]], *, with_names: bool
) -> Any:  # what matplotlib draws
    values = np.array(
        [
            [_value(entry["value"]) for entry in layers[kind][name]["cosine"]]
            for kind, name in columns
        ]
    ).T
    axes.grid(visible=False)
    axes.set_facecolor("#dddddd")
    drawn = axes.imshow(values, cmap="PuOr_r", vmin=-1, vmax=1, aspect="auto")
    names = [
        name.replace("|", "\nand ") if kind == "pairs" else f"null:\n{name}"
        for kind, name in columns
    ]
    axes.set_xticks(range(len(columns)), names)
    axes.set_yticks(range(len(layers["names"])), layers["names"] if with_names else [])
    for row, line in enumerate(values):
        for column, value in enumerate(line):
            if not np.isnan(value):
                mark = " •" if _is_beyond(layers, columns[column], row) else ""
                axes.text(
                    column,
                    row,
                    f"{value:+.2f}{mark}",
                    ha="center",
                    va="center",
                    fontsize=7,
                    color="white" if abs(value) > 0.7 else "black",
                )
    return drawn


def _is_beyond(layers: Json, column: tuple[str, str], row: int) -> bool:
    kind, name = column
    low = layers[kind][name]["excess"][row]["low"] if kind == "pairs" else None
    return low is not None and low > 0


def _named(pair: str) -> str:
    return pair.replace("|", " and " if len(pair) < 24 else "\nand ")


def _percent(entry: Mapping[str, Any]) -> Json:
    return _scaled(entry, 100.0)


def _scaled(entry: Mapping[str, Any], factor: float) -> Json:
    return {
        key: None if entry[key] is None else factor * entry[key] for key in ("value", "low", "high")
    }


def _value(number: float | None) -> float:
    return float("nan") if number is None else number
