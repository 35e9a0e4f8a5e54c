"""Findings that change the shape of the chest before anything is drawn."""

from collections.abc import Sequence

from gradtruce.data.phantom.anatomy import SIGN, Anatomy, Side
from gradtruce.data.phantom.chest import Changes
from gradtruce.data.phantom.findings.place import DEGREE, level_for, sides_of, stream
from gradtruce.data.phantom.level import Level
from gradtruce.data.study import Finding


def changes_of(findings: Sequence[Finding], anatomy: Anatomy, level: Level) -> Changes:
    """Return how `findings` together alter the patient's chest.

    >>> import numpy as np
    >>> from gradtruce.data.phantom.level import LEVELS
    >>> heart = Finding("Cardiomegaly", "enlarged heart", severity="severe")
    >>> anatomy = Anatomy.draw(np.random.default_rng(0))
    >>> 0.15 < changes_of([heart], anatomy, LEVELS["standard"]).heart < 0.3
    True
    """
    total = Changes()
    for finding in findings:
        total = total.merge(_changes(finding, anatomy, level_for(finding, level)))
    return total


def _changes(finding: Finding, anatomy: Anatomy, level: Level) -> Changes:
    degree = DEGREE[finding.severity]
    vary = float(stream(anatomy, finding).uniform(-1, 1))
    if finding.kind == "enlarged heart":
        ratio = 0.54 + 0.12 * degree + 0.012 * vary + 0.06 * (level.change - 1)
        return Changes(heart=max(ratio, 0.53) - anatomy.heart)
    if finding.kind == "widened mediastinum":
        return Changes(mediastinum=(13 + 17 * degree + 2 * vary) * level.change)
    if finding.kind == "lobar collapse":
        return _collapse(finding, level)
    if finding.kind == "pneumothorax":
        return _pneumothorax(finding, degree + 0.15 * vary, level)
    if finding.kind == "pleural effusion" and finding.severity == "severe":
        push = 10 * level.change
        return Changes(shift=sum(-SIGN[side] * push for side in sides_of(finding)))
    return Changes()


def _collapse(finding: Finding, level: Level) -> Changes:
    side = sides_of(finding)[0]
    rise = (22 if finding.zone == "lower" else 12) * level.change
    return Changes(shift=SIGN[side] * 11 * level.change, lift=_on(side, rise))


def _pneumothorax(finding: Finding, degree: float, level: Level) -> Changes:
    side = sides_of(finding)[0]
    gap = (15 + 36 * max(degree, 0)) * (0.6 + 0.4 * level.change)
    push = -SIGN[side] * 9 if finding.severity == "severe" else 0.0
    return Changes(shift=push, retreat=_on(side, gap))


def _on(side: Side, value: float) -> tuple[float, float]:
    return (value, 0.0) if side == "left" else (0.0, value)
