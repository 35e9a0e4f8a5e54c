"""How figures look: one size of text, colours that colour-blind readers tell apart, fixed bytes."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

RUN_COLOURS: Final = ("#0072B2", "#D55E00")
"""Blue and vermilion of Okabe and Ito; the first run and the second."""

NULL_COLOURS: Final = ("#6c6c6c", "#a0a0a0", "#c4c4c4")
KIND_COLOURS: Final = ("#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#D55E00")
DASHES: Final = ("-", "--", ":", "-.")

STYLE: Final[dict[Any, Any]] = {  # matplotlib names every key in its type
    "font.family": "DejaVu Sans",  # comes with matplotlib, so every machine draws the same
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "svg.fonttype": "path",
    "svg.hashsalt": "gradtruce",
    "figure.constrained_layout.use": True,
}


@final
@dataclass(frozen=True, eq=False)
class Sheet:
    """A figure and its panels.

    Attributes:
        figure: Matplotlib's, known to no `pyplot`.
        panels: By row and column.
    """

    figure: Figure
    panels: np.ndarray

    def save(self, folder: Path, name: str, formats: Sequence[str]) -> list[str]:
        """Write the figure in every format, the same bytes each time; return the file names."""
        names = [f"{name}.{kind}" for kind in formats]
        for file in names:
            metadata = {"Date": None} if file.endswith(".svg") else {"Software": None}
            self.figure.savefig(folder / file, dpi=150, metadata=metadata)
        return names


@contextmanager
def sheet(width: float, height: float, rows: int = 1, columns: int = 1) -> Iterator[Sheet]:
    """Give a figure in our style.

    Args:
        width: In inches.
        height: In inches.
        rows: Of panels.
        columns: Of panels.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height))
        FigureCanvasAgg(figure)
        panels = figure.subplots(rows, columns, squeeze=False)
        yield Sheet(figure, panels)


def band(axes: Axes, x: Sequence[float], found: Sequence[Mapping[str, Any]], **look: Any) -> None:
    """Draw estimates as a line with its interval as a band, unknown ones left out."""
    values = {key: _numbers(found, key) for key in ("value", "low", "high")}
    axes.plot(x, values["value"], marker="o", markersize=3, **look)
    axes.fill_between(
        x, values["low"], values["high"], color=look["color"], alpha=0.15, linewidth=0
    )


def whisker(axes: Axes, x: float, found: Mapping[str, Any], **look: Any) -> None:
    """Draw one estimate as a point with its interval."""
    value, low, high = (_number(found[key]) for key in ("value", "low", "high"))
    gaps = [[max(value - low, 0.0)], [max(high - value, 0.0)]]
    known = None if np.isnan(gaps).any() else gaps
    look = {"marker": "o", "markersize": 4, "capsize": 2, "linestyle": "none", **look}
    axes.errorbar([x], [value], yerr=known, **look)


def _numbers(found: Sequence[Mapping[str, Any]], key: str) -> list[float]:
    return [_number(entry[key]) for entry in found]


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def whole_epochs(axes: Axes, epochs: Sequence[int]) -> None:
    """Put ticks at whole epochs, ten at most."""
    axes.set_xticks(epochs[:: max(1, -(-len(epochs) // 10))])
    axes.set_xlabel("epoch")
