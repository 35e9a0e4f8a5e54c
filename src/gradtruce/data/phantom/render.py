"""Draw the films of one study."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gradtruce.data.phantom.anatomy import Anatomy, Pose
from gradtruce.data.phantom.canvas import Canvas, spacing_for
from gradtruce.data.phantom.chest import Chest, build_chest
from gradtruce.data.phantom.clutter import paint_clutter
from gradtruce.data.phantom.film import develop, expose
from gradtruce.data.phantom.findings.painters import PAINTERS, region_of
from gradtruce.data.phantom.findings.place import level_for
from gradtruce.data.phantom.findings.reshape import changes_of
from gradtruce.data.phantom.level import Level
from gradtruce.data.phantom.normal import Inside, paint_normal
from gradtruce.data.phantom.rays import Projection
from gradtruce.data.study import Finding, Region, View

_MIDDLE = 138.0
"""Height in the patient at the middle of a film, in millimetres."""


def render_study(
    anatomy: Anatomy,
    pose: Pose,
    findings: Sequence[Finding],
    level: Level,
    size: int,
    rng: np.random.Generator,
    *,
    has_lateral: bool = True,
) -> tuple[tuple[View, ...], tuple[Finding, ...]]:
    """Return the films of a study, frontal first, and its findings with their regions.

    Anatomy, pose and findings fix everything but noise and clutter, which `rng` gives.

    Raises:
        ValueError: If `size` is below 32 or a finding is of an unknown kind.

    >>> from gradtruce.data.phantom.level import LEVELS
    >>> rng = np.random.default_rng(0)
    >>> anatomy, pose = Anatomy.draw(rng), Pose.draw(rng, LEVELS["easy"])
    >>> nodule = Finding("Lung Lesion", "nodule", side="left", zone="upper", size=20.0)
    >>> views, (drawn,) = render_study(anatomy, pose, [nodule], LEVELS["easy"], 64, rng)
    >>> [view.position for view in views], len(drawn.regions)
    (['frontal', 'lateral'], 2)
    """
    if size < 32:
        raise ValueError(f"the size of a film must be at least 32 pixels, got {size}")
    unknown = [finding.kind for finding in findings if finding.kind not in PAINTERS]
    if unknown:
        known = ", ".join(PAINTERS)
        raise ValueError(f"no painter for the kind {unknown[0]!r}; known: {known}")
    chest = build_chest(anatomy, pose, changes_of(findings, anatomy, level))
    inside = Inside.of(chest, spacing_for(pose.field / size))
    views: list[View] = []
    regions: list[list[Region]] = [[] for _ in findings]
    for index in range(1 + has_lateral):
        film = _film(pose, size, is_lateral=index == 1)
        view, seen = _render_view(chest, inside, pose, film, findings, level, index, rng)
        views.append(view)
        for found, region in zip(regions, seen, strict=True):
            found += [region] if region else []
    drawn = [
        replace(one, regions=tuple(found)) for one, found in zip(findings, regions, strict=True)
    ]
    return tuple(views), tuple(drawn)


def _film(pose: Pose, size: int, *, is_lateral: bool) -> Projection:
    across, down = pose.shift
    centre = (5.0 - across, _MIDDLE + down) if is_lateral else (across, _MIDDLE + down)
    turn = -0.4 * pose.turn if is_lateral else pose.turn
    field = 0.92 * pose.field if is_lateral else pose.field
    return Projection(size, field, centre, is_lateral, turn, pose.tilt)


def _render_view(
    chest: Chest,
    inside: Inside,
    pose: Pose,
    film: Projection,
    findings: Sequence[Finding],
    level: Level,
    index: int,
    rng: np.random.Generator,
) -> tuple[View, list[Region | None]]:
    canvas = Canvas(chest, film, level)
    paint_normal(canvas, inside)
    middle = expose(canvas.attenuation(), canvas.aeration, film.pitch)
    if film.is_lateral:
        middle -= 0.2
    regions = []
    for finding in findings:
        canvas.level = level_for(finding, level)
        regions.append(region_of(PAINTERS[finding.kind](canvas, finding), index))
    canvas.level = level
    paint_clutter(canvas, rng)
    pixels = develop(canvas.attenuation(), middle, pose, level, film.pitch, rng)
    return View(pixels, "lateral" if film.is_lateral else "frontal"), regions
