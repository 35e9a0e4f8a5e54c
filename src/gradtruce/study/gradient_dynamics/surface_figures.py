"""Figures of noise, sharpness and landscapes, two runs side by side."""

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

from gradtruce.study.gradient_dynamics.drawing import (
    KIND_COLOURS,
    RUN_COLOURS,
    Sheet,
    sheet,
    whisker,
)
from gradtruce.study.gradient_dynamics.run import Json

Keep = Callable[[Sheet], None]

_PLACES = (("noise", "At one point"), ("training_noise", "Along a training"))


def noise(result: Json, keep: Keep) -> None:
    """Draw tr Σ of joint gradient and update, and what κ² and the paper's ratio make of it."""
    shown = [run for run in result["runs"] if "noise" in run]
    if not shown:
        return
    kinds = [(key, title) for key, title in _PLACES if all(key in run for run in shown)]
    with sheet(5.2 * len(kinds), 3.9, 1, len(kinds)) as page:
        for axes, (key, title) in zip(page.panels[0], kinds, strict=True):
            _traces(axes, shown, key, result["published"]["noise_ratio"])
            axes.set_title(f"{title}: trace of the noise covariance")
        page.panels[0, 0].legend(loc="upper left")
        keep(page)


def _traces(axes: Axes, shown: list[Json], key: str, published: float) -> None:
    names = [n for n in shown[0][key]["gradients"] if n.startswith(("joint", "update"))]
    columns = [*names, "update / gain²"] if "update_over_joint" in shown[0][key] else names
    base = shown[0][key]["gradients"]["joint"]["trace"]["value"]
    for place, (run, colour) in enumerate(zip(shown, RUN_COLOURS, strict=False)):
        shift, found = 0.16 * (place - (len(shown) - 1) / 2), run[key]
        for column, name in enumerate(columns):
            entry = found["gradients"].get(name, {}).get("trace")
            if entry is None and "update_over_joint" in found:
                gain = found["update_over_joint"]["gain"]
                trace = found["gradients"]["update"]["trace"]
                entry = {k: trace[k] / gain**2 for k in ("value", "low", "high")}
            if entry is not None:
                label = run["label"] if column == 0 else None
                whisker(axes, column + shift, entry, color=colour, label=label)
    axes.axhline(base, color="black", linewidth=0.8, linestyle=":")
    lines = [(published, f"× {published:.2f}: the paper's ratio")]
    gain = next((_gain_of(run) for run in shown if run["balancer"] == "came_grad"), None)
    if gain is not None:
        lines.append((gain**2, f"× κ² = {gain**2:.2f}: all that a gain of {gain:g} does"))
    for factor, text in lines:
        axes.axhline(factor * base, color="black", linewidth=0.8, linestyle="--")
        axes.annotate(
            text,
            (-0.45, factor * base),
            ha="left",
            va="bottom",
            fontsize=7,
        )
    axes.set_yscale("log")
    axes.set_ylim(top=6 * published * base)
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.set_xticks(range(len(columns)), [name.replace(" ", "\n", 1) for name in columns])
    axes.set_ylabel("tr Σ (squared units of the gradient)")


def _gain_of(run: Json) -> float:
    return float(run["balancer_options"].get("gain", 1.5))


def eigenvalues(result: Json, keep: Keep) -> None:
    """Draw the largest eigenvalue of the Hessian of every loss."""
    shown = [run for run in result["runs"] if "sharpness" in run]
    if not shown:
        return
    names = list(shown[0]["sharpness"]["eigenvalues"])
    with sheet(1.6 + 1.5 * len(names), 3.2) as page:
        axes, width = page.panels[0, 0], 0.8 / len(shown)
        for place, (run, colour) in enumerate(zip(shown, RUN_COLOURS, strict=False)):
            found = run["sharpness"]["eigenvalues"]
            x = np.arange(len(names)) + width * (place - (len(shown) - 1) / 2)
            values = [found[name]["value"] if name in found else np.nan for name in names]
            bars = axes.bar(x, values, 0.9 * width, color=colour, label=run["label"])
            axes.bar_label(bars, fmt="%.3g", fontsize=7)
        axes.set_xticks(range(len(names)), names)
        axes.margins(y=0.25)
        axes.set(ylabel="largest eigenvalue (loss / parameter²)", title="Sharpness: Hessian")
        axes.legend(loc="upper right")
        keep(page)


def landscape_line(result: Json, keep: Keep) -> None:
    """Draw the losses along one filter-normalised direction, a panel a loss."""
    shown = [run for run in result["runs"] if "landscape" in run]
    if not shown:
        return
    names = list(shown[0]["landscape"]["line"]["losses"])
    with sheet(3.5 * len(names), 3.0, 1, len(names)) as page:
        for axes, name in zip(page.panels[0], names, strict=True):
            for run, colour, dash in zip(shown, RUN_COLOURS, ("-", "--"), strict=False):
                line = run["landscape"]["line"]
                if name in line["losses"]:
                    y = line["losses"][name]
                    axes.plot(line["amounts"], y, dash, color=colour, label=run["label"])
            axes.set(
                xlabel="amount (1: length of the filters)",
                ylabel="loss (nats)",
                title=f"Along one direction: {name}",
            )
        page.panels[0, 0].legend(loc="upper center")
        keep(page)


def landscape_map(result: Json, keep: Keep) -> None:
    """Draw the joint loss on a square of two directions, all runs on one scale."""
    shown = [run for run in result["runs"] if "landscape" in run]
    if not shown:
        return
    maps = [np.array(run["landscape"]["map"]["losses"]["joint"]) for run in shown]
    low, high = min(m.min() for m in maps), max(m.max() for m in maps)
    levels = np.geomspace(max(low, 1e-6), max(high, 2e-6), 16)
    with sheet(4.0 * len(shown) + 0.8, 3.8, 1, len(shown)) as page:
        for axes, run, values in zip(page.panels[0], shown, maps, strict=True):
            amounts = run["landscape"]["map"]["amounts"]
            drawn = axes.contourf(amounts, amounts, values, levels=levels, cmap="cividis")
            axes.contour(amounts, amounts, values, levels=levels, colors="white", linewidths=0.4)
            axes.plot([0], [0], "o", color="white", markeredgecolor="black")
            axes.grid(visible=False)
            axes.set(
                xlabel="amount of direction 1",
                ylabel="amount of direction 2",
                title=f"{run['label']}\njoint loss around the end",
                aspect="equal",
            )
        bar = page.figure.colorbar(drawn, ax=list(page.panels[0]), label="loss (nats), log levels")
        bar.ax.yaxis.set_minor_formatter(NullFormatter())
        bar.set_ticks(levels[::3].tolist(), labels=[f"{level:.3g}" for level in levels[::3]])
        keep(page)


def line_between_runs(result: Json, keep: Keep) -> None:
    """Draw the losses on the straight line from one run's parameters to the other's."""
    found = result.get("line_between", {})
    if "losses" not in found:
        return
    first, second = (run["label"].replace(" ", "\n", 1) for run in result["runs"])
    with sheet(6.0, 3.4) as page:
        axes = page.panels[0, 0]
        for (name, losses), colour in zip(found["losses"].items(), KIND_COLOURS, strict=False):
            height = found["barrier"][name]
            axes.plot(found["amounts"], losses, color=colour, label=f"{name}: barrier {height:.3g}")
        axes.set_xticks([0.0, 0.5, 1.0], [first, "half-way", second])
        axes.set_xlim(-0.15, 1.15)
        axes.set(ylabel="loss (nats)", title="On the line between the two ends")
        axes.set_ylim(0, 1.45 * axes.get_ylim()[1])
        axes.legend(loc="upper left")
        keep(page)
