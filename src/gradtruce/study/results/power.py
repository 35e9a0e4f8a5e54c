"""The smallest difference that a study could have detected, in words, for under its tables."""

import statistics
from collections.abc import Sequence

from gradtruce.study.results.record import MetricRecord, StudyRecord


def power_notes(study: StudyRecord, metrics: Sequence[MetricRecord]) -> list[str]:
    """Return what the study could have shown in some metrics, or why it can show nothing.

    Args:
        study: The record.
        metrics: Some of its metrics; those that no run has are left out.
    """
    found = [note for metric in metrics if (note := _power_note(study, metric))]
    if found:
        return found
    return [
        "No difference could have been detected: no two arms have two finished seeds in common."
    ]


def _power_note(study: StudyRecord, metric: MetricRecord) -> str:
    """Return the median over the comparisons: each has its own spread between seeds."""
    known = [
        (each.detectable, each.detectable_holm, each.seeds)
        for each in study.comparisons
        if each.metric == metric.name
        and each.detectable is not None
        and each.detectable_holm is not None
    ]
    if not known:
        return ""
    single, corrected, seeds = zip(*known, strict=True)
    few, many = min(seeds), max(seeds)
    number = f"{few}" if few == many else f"{few} to {many}"
    return (
        f"Smallest detectable difference in {metric.column}: {statistics.median(single):.3f} at 5 %"
        f" and {statistics.median(corrected):.3f} at 5 % / {len(known)} (power .8, {number} seeds,"
        " median over comparisons)."
    )
