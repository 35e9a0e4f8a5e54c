"""The paper's claims held against the results of a study, by the rules in `claims`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final, final

import numpy as np

from gradtruce.evaluation.comparison import holm
from gradtruce.evaluation.significance import LEVEL
from gradtruce.study.claims.records import (
    CLAIMS,
    PUBLISHED_OPTIMIZERS,
    Claim,
    differ_in_gain,
    has_default_stages,
    is_came_grad,
    is_linear,
)
from gradtruce.study.results.effects import detectable
from gradtruce.study.results.measures import Measure
from gradtruce.study.results.outline import balancer_name
from gradtruce.study.results.pooling import Pooled, pool
from gradtruce.study.results.record import (
    ArmRecord,
    ClaimRecord,
    ComparisonRecord,
    Status,
    StudyRecord,
)

Contrast = Callable[[str, str, Measure], Sequence[ComparisonRecord]]
"""Gives arm − other arm in a metric, one a cell."""

TRACE: Final = (
    "fewer than two pairs of runs were analysed; `gradtruce analyse LINEAR CAME_GRAD --only noise`"
    " of two runs of one seed measures it"
)


@final
@dataclass(frozen=True)
class Finding:
    """What the data say of one claim.

    Attributes:
        p: Two-sided; the largest of several.
        holds: Whether all differences point the claimed way.
        evidence: In words.
    """

    p: float
    holds: bool
    evidence: str


def claim_records(
    study: StudyRecord, every: Sequence[Measure], contrast: Contrast
) -> tuple[ClaimRecord, ...]:
    """Return every claim with what the study says of it.

    Args:
        study: The record, but for its claims.
        every: The metrics.
        contrast: Compares two arms.
    """
    findings: dict[str, Finding | str] = {
        claim.name: _finding(claim, study, every, contrast) for claim in CLAIMS
    }
    corrected = holm({name: each.p for name, each in findings.items() if isinstance(each, Finding)})
    return tuple(_record(claim, findings[claim.name], corrected) for claim in CLAIMS)


def _record(claim: Claim, finding: Finding | str, corrected: Mapping[str, float]) -> ClaimRecord:
    status: Status = "not measured"
    evidence = finding if isinstance(finding, str) else finding.evidence
    if claim.obstacle:
        status, evidence = "not testable here", claim.obstacle
    elif isinstance(finding, Finding):
        p = corrected[claim.name]
        status = "supported" if finding.holds and p < 1 - LEVEL else "not supported"
        shown = f"p {p:.3f}" if p >= 0.001 else "p < 0.001"
        evidence = f"{finding.evidence}; {shown} (two-sided, Holm over {len(corrected)} claims)"
        if p < 1 - LEVEL and not finding.holds:
            evidence += ": the opposite is shown"
    return ClaimRecord(
        name=claim.name,
        claim=claim.claim,
        where=claim.where,
        measured=claim.measured,
        plan=claim.plan,
        rule=claim.rule,
        status=status,
        evidence=evidence,
    )


def _finding(
    claim: Claim, study: StudyRecord, every: Sequence[Measure], contrast: Contrast
) -> Finding | str:
    """Return the finding, or what it would take to have one."""
    if claim.name == "conflict":
        return _conflict(study)
    if claim.name == "trace":
        return _trace(study)
    metric = study.headline if claim.metric == "headline" else claim.metric
    measure = next((each for each in every if each.record.name == metric), None)
    pairs = _pairs(claim, study)
    if not pairs or measure is None:
        return f"this study lacks the arms; the plan `{claim.plan}` has them"
    absent = _absent(claim, study)
    if absent:
        return f"this study lacks {', '.join(absent)}; the plan `{claim.plan}` has them"
    parts = [_contrast(claim, study, one, other, measure, contrast) for one, other in pairs]
    found = [part for part in parts if isinstance(part, Finding)]
    if len(found) < len(pairs):
        return next(part for part in parts if isinstance(part, str))
    return Finding(
        max(part.p for part in found),
        all(part.holds for part in found),
        "; ".join(part.evidence for part in found),
    )


def _pairs(claim: Claim, study: StudyRecord) -> list[tuple[ArmRecord, ArmRecord]]:
    """Return which arms a claim compares: the first that fits, against one or all that fit.

    Of several arms that fit, the study's reference, or the one with the default settings.
    """
    if claim.better is None or claim.worse is None:
        return []
    better = _chosen(claim.better, study)
    if claim.name == "kappa":
        fitting = [pair for pair in product(study.arms, study.arms) if differ_in_gain(*pair)]
        return [pair for pair in fitting if has_default_stages(pair[0])][:1] or fitting[:1]
    if claim.name in ("best", "weights"):
        worse = [arm for arm in study.arms if claim.worse(arm)]
        if claim.name == "weights" and len(worse) < 2:
            return []
        if claim.name == "best" and worse:
            worse = [*_chosen(is_linear, study), *worse]
    else:
        worse = _chosen(claim.worse, study)
    return [(one, other) for one in better[:1] for other in worse if one.name != other.name]


def _absent(claim: Claim, study: StudyRecord) -> list[str]:
    """Return which arms of the published comparison a study lacks, for the claim on all of them."""
    if claim.name != "best":
        return []
    there = {balancer_name(arm.balance) for arm in study.arms}
    return [name for name in ("linear", *PUBLISHED_OPTIMIZERS) if name not in there]


def _chosen(kind: Callable[[ArmRecord], bool], study: StudyRecord) -> list[ArmRecord]:
    """Return the arm that fits: the reference, or one with the default settings, or the first."""
    fitting = [arm for arm in study.arms if kind(arm)]
    first = [arm for arm in fitting if arm.name == study.reference]
    usual = [arm for arm in fitting if has_default_stages(arm)]
    return (first or usual or fitting)[:1]


def _contrast(
    claim: Claim,
    study: StudyRecord,
    one: ArmRecord,
    other: ArmRecord,
    measure: Measure,
    contrast: Contrast,
) -> Finding | str:
    """Return what two arms say of a claim, or why they say nothing."""
    planned = _cells_of(study, one) & _cells_of(study, other)
    cells = [each for each in contrast(one.name, other.name, measure) if each.cell in planned]
    mean = pool(cells)
    tested = 0 if mean is None else mean.cells
    if mean is None or (claim.name == "gain" and tested < len(planned)):
        return (
            f"{one.label} and {other.label} have two finished seeds in common in {tested} of"
            f" {len(planned)} cells"
        )
    sign = 1.0 if measure.record.higher_is_better else -1.0
    holds = sign * mean.difference > -claim.margin
    if claim.name == "gain":
        holds = holds and not any(_is_below(each, sign) for each in cells)
    words = _words(one, other, measure, mean, cells)
    if tested < len(planned):
        words += f" ({tested} of {len(planned)} cells)"
    return Finding(mean.p(beyond=-sign * claim.margin), holds, words)


def _cells_of(study: StudyRecord, arm: ArmRecord) -> set[str]:
    """Return the cells in which an arm is planned."""
    return {run.cell for run in study.runs if run.arm == arm.name}


def _is_below(each: ComparisonRecord, sign: float) -> bool:
    """Return whether the whole interval lies on the worse side of 0."""
    if each.low is None or each.high is None:
        return False
    return max(sign * each.low, sign * each.high) < 0


def _words(
    one: ArmRecord,
    other: ArmRecord,
    measure: Measure,
    mean: Pooled,
    cells: Sequence[ComparisonRecord],
) -> str:
    low, high = mean.interval()
    text = (
        f"{one.label} − {other.label}, {measure.record.column}: {mean.difference:+.3f}"
        f" [{low:+.3f}, {high:+.3f}]"
    )
    if mean.cells > 1:
        parts = ", ".join(
            f"{each.cell} {each.difference:+.3f}"
            for each in cells
            if each.difference is not None and each.error is not None
        )
        text += f" ({parts})"
    sizes = [
        detectable(each.error, each.freedom)
        for each in cells
        if each.error is not None and each.freedom is not None
    ]
    text += f"; detectable in a cell {float(np.median(sizes)):.3f}"
    return text.replace("-0.", "−0.")


def _conflict(study: StudyRecord) -> Finding | str:
    """Return the mean cosine of two tasks where they share no noise, of linear scalarization."""
    linear = _chosen(is_linear, study)
    if not linear:
        return "this study has no linear scalarization"
    runs = [run for run in study.runs if run.arm == linear[0].name]
    cosines = [run.cross_task_cosine for run in runs if run.cross_task_cosine is not None]
    mean = _mean_over_runs(cosines)
    if mean is None:
        return (
            f"fewer than two finished runs of {linear[0].label} measured the null: it takes two"
            " seeds, and more steps than training.null_every"
        )
    low, high = mean.interval()
    across, within, whole = (
        np.mean([value for run in runs if (value := getattr(run, name)) is not None])
        for name in ("cross_task_share", "within_task_share", "conflict_share")
    )
    evidence = (
        f"mean cosine {mean.difference:+.4f} [{low:+.4f}, {high:+.4f}] over {len(cosines)} runs, on"
        f" disjoint halves of a batch; negative {across:.0%}, of one task with itself {within:.0%},"
        f" of two tasks on whole batches {whole:.0%}"
    ).replace("-0.", "−0.")
    return Finding(mean.p(), mean.difference < 0, evidence)


def _trace(study: StudyRecord) -> Finding | str:
    """Return the noise of CAME-Grad's update over that of linear scalarization's, less the gain."""
    came_grad, linear = _chosen(is_came_grad, study), _chosen(is_linear, study)
    if not came_grad or not linear:
        return "this study lacks the arms; the plan `dynamics` has them"
    arms = (came_grad[0].name, linear[0].name)
    pairs = [pair for pair in study.noise if (pair.arm, pair.beside) == arms]
    mean = _mean_over_runs([float(np.log(each.update_ratio / each.gain**2)) for each in pairs])
    if mean is None:
        return TRACE
    left, low, high = np.exp([mean.difference, *mean.interval()])
    raw, joint, gain = (
        float(np.exp(np.mean(np.log([getattr(each, name) for each in pairs]))))
        for name in ("update_ratio", "joint_ratio", "gain")
    )
    evidence = (
        f"trace {raw:.2f} times that of linear scalarization over {len(pairs)} pairs; divided by"
        f" gain² ({gain:.2f}²) {left:.2f} [{low:.2f}, {high:.2f}]; of Σ λ g itself, where only the"
        f" parameters differ, {joint:.2f}"
    )
    return Finding(mean.p(), mean.difference > 0, evidence)


def _mean_over_runs(values: Sequence[float]) -> Pooled | None:
    """Return the mean with the error of independent runs; `None` of fewer than two."""
    if len(values) < 2:
        return None
    error = float(np.std(values, ddof=1)) / float(np.sqrt(len(values)))
    return Pooled(float(np.mean(values)), error, len(values) - 1.0, 1)
