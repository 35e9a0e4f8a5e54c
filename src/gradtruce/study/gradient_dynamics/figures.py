"""All figures of an analysis, by stable names; each is drawn where its numbers are there."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from gradtruce.study.gradient_dynamics.conflict_figures import (
    conflict_by_epoch,
    cosine_histograms,
    layer_map,
    magnitude,
)
from gradtruce.study.gradient_dynamics.drawing import Sheet
from gradtruce.study.gradient_dynamics.run import Json
from gradtruce.study.gradient_dynamics.surface_figures import (
    eigenvalues,
    landscape_line,
    landscape_map,
    line_between_runs,
    noise,
)

Drawer = Callable[[Json, Callable[[Sheet], None]], None]

FIGURES: Final[Mapping[str, Drawer]] = {
    "cosines": cosine_histograms,
    "conflict-by-epoch": conflict_by_epoch,
    "magnitude": magnitude,
    "layers": layer_map,
    "noise": noise,
    "sharpness": eigenvalues,
    "landscape-line": landscape_line,
    "landscape-map": landscape_map,
    "line-between-runs": line_between_runs,
}
"""The names of the files, without their ending, in the order in which they are read."""


def draw(result: Json, output: Path, formats: Sequence[str]) -> dict[str, list[str]]:
    """Draw what the numbers allow; return the files by the figure's name.

    Args:
        result: As `analysis.json` holds it.
        output: A folder that is there.
        formats: "svg", "png".
    """
    files: dict[str, list[str]] = {}
    for name, drawer in FIGURES.items():

        def keep(sheet: Sheet, name: str = name) -> None:
            files[name] = sheet.save(output, name, formats)

        drawer(result, keep)
    return files


def require_formats(formats: Sequence[str]) -> None:
    """Refuse a format that figures are not drawn in.

    Raises:
        ValueError: If there is one.

    >>> require_formats(["svg", "jpg"])
    Traceback (most recent call last):
    ValueError: figures are drawn as svg or png, got 'jpg'
    """
    for kind in formats:
        if kind not in ("svg", "png"):
            raise ValueError(f"figures are drawn as svg or png, got {kind!r}")
