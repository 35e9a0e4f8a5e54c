"""Radiographs of a study as the page shows them, with their heat maps and true boxes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from gradtruce.data.study import Study, View
from gradtruce.viewer.report.pictures import data_uri, film_png, heat_png
from gradtruce.viewer.report.sentence_attention import Look, Reader

HEAT_SIDE = 96
"""Side in pixels of the heat maps in a page; the browser enlarges them smoothly."""


@final
@dataclass(frozen=True)
class Box:
    """The true place of a finding, in pixels of the view."""

    label: str
    left: int
    top: int
    width: int
    height: int


@final
@dataclass(frozen=True)
class Film:
    """One view.

    Attributes:
        position: From which side it was taken, or "view 1" where that is not known.
        uri: The image as data URI.
        width: In pixels.
        height: In pixels.
        frame: The part that the method sees: left, top, width, height in pixels.
        boxes: True places of findings.
    """

    position: str
    uri: str
    width: int
    height: int
    frame: tuple[float, float, float, float]
    boxes: tuple[Box, ...] = ()


def films(study: Study, reader: Reader) -> tuple[Film, ...]:
    """Return the views that the method sees, in its order."""
    views = reader.views(study)
    return tuple(
        Film(
            position=name,
            uri=data_uri(film_png(view.pixels)),
            width=view.pixels.shape[1],
            height=view.pixels.shape[0],
            frame=reader.frame(view),
            boxes=_boxes(study, view),
        )
        for view, name in zip(views, view_names(views), strict=True)
    )


def view_names(views: Sequence[View]) -> list[str]:
    """Return a name for each view: its position, numbered where that is unknown or comes again.

    >>> import numpy as np
    >>> film = np.zeros((1, 1), dtype=np.uint8)
    >>> view_names([View(film, position) for position in ("frontal", "unknown", "frontal")])
    ['frontal', 'view 2', 'frontal 3']
    """
    names: list[str] = []
    for number, view in enumerate(views, start=1):
        name = f"view {number}" if view.position == "unknown" else view.position
        names.append(f"{name} {number}" if name in names else name)
    return names


def heat_uris(look: Look, views: Sequence[View]) -> tuple[str, ...]:
    """Return the heat map of each view as data URI."""
    heat = look.heat((HEAT_SIDE, HEAT_SIDE)).numpy()
    return tuple(data_uri(heat_png(heat[place])) for place in range(len(views)))


def _boxes(study: Study, view: View) -> tuple[Box, ...]:
    boxes = []
    for finding in study.findings:
        for region in finding.regions:
            if study.views[region.view] is view:
                left, top, right, bottom = region.box
                boxes.append(Box(finding.kind, left, top, right - left, bottom - top))
    return tuple(boxes)
