"""Pages of phantom films to look at: per kind of finding, and at random."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8

from gradtruce.data.phantom.anatomy import Anatomy, Pose
from gradtruce.data.phantom.kinds import Kind
from gradtruce.data.phantom.level import LEVELS, LevelName
from gradtruce.data.phantom.render import render_study
from gradtruce.data.study import Finding, View

Page = UInt8[np.ndarray, "height width"]


def draw_finding(kind: Kind, rng: np.random.Generator) -> Finding:
    """Return a finding of a kind with random attributes.

    >>> from gradtruce.data.phantom.kinds import KINDS
    >>> draw_finding(KINDS[4], np.random.default_rng(0)).kind
    'nodule'
    """
    return Finding(
        kind.observation,
        kind.name,
        severity=str(rng.choice(kind.severities)) if kind.severities else None,
        side=str(rng.choice(kind.sides)) if kind.sides else None,
        zone=str(rng.choice(kind.zones)) if kind.zones else None,
        size=float(rng.uniform(*kind.size)) if kind.size else None,
    )


def tile(rows: Sequence[Sequence[UInt8[np.ndarray, "size size"]]], gap: int = 2) -> Page:
    """Return equal films side by side, a row each, on white.

    >>> tile([[np.zeros((4, 4), np.uint8)] * 3] * 2).shape
    (10, 16)
    """
    side, wide = len(rows[0][0]) + gap, max(len(row) for row in rows)
    page = np.full((side * len(rows) - gap, side * wide - gap), 255, np.uint8)
    for down, row in enumerate(rows):
        for across, film in enumerate(row):
            top, left = down * side, across * side
            page[top : top + len(film), left : left + len(film)] = film
    return page


def sheet_of(
    kind: Kind | None, count: int, level: LevelName, size: int, seed: int
) -> list[tuple[View, ...]]:
    """Return the films of `count` patients with one finding of `kind`, or healthy for `None`.

    >>> len(sheet_of(None, 1, "standard", 64, seed=0)[0])
    2
    """
    studies = []
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        anatomy = Anatomy.draw(rng)
        pose = Pose.draw(rng, LEVELS[level])
        findings = [draw_finding(kind, rng)] if kind else []
        studies.append(render_study(anatomy, pose, findings, LEVELS[level], size, rng)[0])
    return studies
