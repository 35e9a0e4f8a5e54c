"""What was drawn for many reports, counted: findings, agreement with labels, what is left out."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

from gradtruce.data.observations import FINDINGS, NEGATIVE, POSITIVE, UNCERTAIN
from gradtruce.data.phantom.from_report.findings import Plan
from gradtruce.data.phantom.from_report.statements import state_of
from gradtruce.data.phantom.from_report.studies import SOURCE, ReportRecord
from gradtruce.data.study import SPLITS

_STATES: Final = {POSITIVE: "positive", UNCERTAIN: "uncertain", NEGATIVE: "negative", None: "none"}

Counts = dict[str, Any]  # numbers by name, some in tables: what a manifest's notes take


def survey_plans(records: Sequence[ReportRecord], plans: Sequence[Plan]) -> Counts:
    """Return counts of what is drawn for all reports, as notes of a prepared set.

    "agreement" has for each observation how often it is drawn by the state of its label ("none":
    the labels leave it open); a positive label agrees where the finding is drawn as definite, an
    uncertain one where it is drawn as possible, a negative one where it is not drawn.

    Args:
        records: Reports.
        plans: What `plan_study` gives for each of them, in the same order.

    Raises:
        ValueError: If there are not as many plans as records.

    >>> from gradtruce.data.phantom.from_report.studies import plan_study
    >>> record = ReportRecord("s1", "p1", "train", "Text.", ("Scoliosis",), labels={"Edema": 1})
    >>> counts = survey_plans([record], [plan_study(record)])
    >>> counts["unmapped"], counts["agreement"]["Edema"]
    ({'scoliosis': 1}, {'positive': 1, 'positive_drawn': 1})
    """
    if len(records) != len(plans):
        raise ValueError(
            f"there must be as many plans as records: {len(plans)} plans, {len(records)} records; "
            "make one with plan_study for each record"
        )
    return {
        "summary": f"{SOURCE}: {len(records):,} reports",
        "without_finding": sum(not plan.findings for plan in plans),
        "without_labels": {
            split: sum(one.split == split and not one.labels for one in records) for split in SPLITS
        },
        "kinds": _sorted(one.finding.kind for plan in plans for one in plan.findings),
        "origins": _sorted(one.origin for plan in plans for one in plan.findings),
        "attributes": _sorted(
            f"{name} {how}"
            for plan in plans
            for one in plan.findings
            for name, how in one.attributes.items()
        ),
        "agreement": _agreement(records, plans),
        "unmapped": _sorted(head for plan in plans for head in plan.reading.unmapped),
        "denied_by_label": _sorted(head for plan in plans for head in plan.reading.denied),
        "place_not_needed": _sorted(head for plan in plans for head in plan.reading.unused),
    }


def _agreement(records: Sequence[ReportRecord], plans: Sequence[Plan]) -> dict[str, Counts]:
    table: dict[str, Counter[str]] = {name: Counter() for name in FINDINGS}
    for record, plan in zip(records, plans, strict=True):
        findings = [one.finding for one in plan.findings]
        seen = {one.observation: "_drawn_faint" for one in findings}
        seen |= {one.observation: "_drawn" for one in findings if one.certainty == "definite"}
        for name in FINDINGS:
            state = _STATES[state_of(name, record.labels)]
            table[name][state] += 1
            if name in seen:
                table[name][state + seen[name]] += 1
    return {name: dict(sorted(counts.items())) for name, counts in table.items()}


def _sorted(words: Iterable[str]) -> dict[str, int]:
    counts = Counter(words)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
