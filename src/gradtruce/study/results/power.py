"""The smallest difference that a study could have detected, in words, for under its tables."""

import statistics

from gradtruce.study.results.record import MetricRecord, StudyRecord


def power_note(study: StudyRecord, metric: MetricRecord) -> str:
    """Return what the study could have shown in one metric; why it can show nothing, where so.

    The median over its comparisons: each has its own spread between seeds.

    Args:
        study: The record.
        metric: One of its metrics.
    """
    known = [
        (each.detectable, each.detectable_holm, each.seeds)
        for each in study.comparisons
        if each.metric == metric.name
        and each.detectable is not None
        and each.detectable_holm is not None
    ]
    if not known:
        return (
            f"No difference in {metric.column} could have been detected: no two arms have two"
            " finished seeds in common."
        )
    single, corrected, seeds = zip(*known, strict=True)
    few, many = min(seeds), max(seeds)
    number = f"{few}" if few == many else f"{few} to {many}"
    return (
        f"Smallest detectable difference in {metric.column}: {statistics.median(single):.3f} at 5 %"
        f" and {statistics.median(corrected):.3f} at 5 % / {len(known)} (power .8, {number} seeds,"
        " median over comparisons)."
    )
