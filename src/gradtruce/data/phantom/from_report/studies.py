"""Phantom studies for real reports: synthetic images for real text."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, final

from gradtruce.data.observations import LabelState
from gradtruce.data.phantom.anatomy import Anatomy, Pose
from gradtruce.data.phantom.from_report.findings import Plan, PlannedFinding, plan_findings
from gradtruce.data.phantom.from_report.places import random_streams
from gradtruce.data.phantom.level import LEVELS, LevelName
from gradtruce.data.phantom.render import render_study
from gradtruce.data.study import Split, Study

SOURCE: Final = "synthetic images for real text"
"""What every page and manifest says of such a study."""

SECTION: Final = "phantom"
"""The section that says what was drawn; it starts with `SOURCE`."""


@final
@dataclass(frozen=True)
class ReportRecord:
    """A real report whose images are not there.

    Attributes:
        id: Of the study.
        patient: All studies of a patient show the same chest.
        split: As in the source.
        report: The target text; it is kept, and has no part in what is drawn.
        mesh: Reviewed MeSH strings, such as "Cardiomegaly/borderline".
        automatic: MeSH terms that a program found.
        labels: Known observations.
        label_source: Where these come from; "" without labels.
        sections: Other sections of the report.
        views: Images that the report lists: 1 draws a frontal film, more a lateral one too.
    """

    id: str
    patient: str
    split: Split
    report: str
    mesh: tuple[str, ...] = ()
    automatic: tuple[str, ...] = ()
    labels: Mapping[str, LabelState] = field(default_factory=dict)
    label_source: str = ""
    sections: Mapping[str, str] = field(default_factory=dict)
    views: int = 2


def plan_study(record: ReportRecord, *, seed: int = 0, level: str = "standard") -> Plan:
    """Return what is drawn for a report, without drawing it; quick.

    Raises:
        ValueError: If `level` or `seed` is out of its range, or a MeSH string has no head.

    >>> record = ReportRecord("s1", "p1", "train", "Real text.", ("Cardiomegaly/mild",))
    >>> [one.finding.kind for one in plan_study(record).findings]
    ['enlarged heart']
    """
    chosen = _level_named(level)
    if seed < 0:
        raise ValueError(f"seed must be at least 0, got {seed}")
    stream = random_streams(seed, "facts", record.id)
    return plan_findings(record.mesh, record.automatic, record.labels, stream, chosen)


def study_from_report(
    record: ReportRecord, *, size: int = 256, seed: int = 0, level: str = "standard"
) -> Study:
    """Return the report with drawn films of what its MeSH strings and labels say.

    Text and labels are the record's. The films depend on `size`, `seed`, `level`, the ids, the
    MeSH strings, the labels and the number of views alone. The section "phantom" says what is
    known from the report and what was drawn at random.

    Raises:
        ValueError: If an argument is out of its range, or the record lists no view.

    >>> record = ReportRecord("s1", "p1", "val", "Real text.", ("Pneumothorax/right/large",))
    >>> study = study_from_report(record, size=48)
    >>> study.is_synthetic, len(study.views), study.findings[0].side, study.findings[0].severity
    (True, 2, 'right', 'severe')
    """
    if record.views < 1:
        raise ValueError(f"study {record.id!r}: lists no image; leave it out or give views=1")
    plan = plan_study(record, seed=seed, level=level)
    chosen = LEVELS[_level_named(level)]
    anatomy = Anatomy.draw(random_streams(seed, "patient", record.patient)())
    rng = random_streams(seed, "film", record.id)()
    views, findings = render_study(
        anatomy,
        Pose.draw(rng, chosen),
        [one.finding for one in plan.findings],
        chosen,
        size,
        rng,
        has_lateral=record.views > 1,
    )
    return Study(
        id=record.id,
        patient=record.patient,
        split=record.split,
        views=views,
        report=record.report,
        sections={**record.sections, SECTION: _account(plan)},
        labels=record.labels,
        label_source=record.label_source,
        findings=findings,
        is_synthetic=True,
    )


def phantom_studies(
    records: Iterable[ReportRecord],
    labels: Mapping[str, Mapping[str, LabelState]] | None = None,
    *,
    label_source: str = "",
    size: int = 256,
    seed: int = 0,
    level: str = "standard",
) -> Iterator[Study]:
    """Yield a study for every report, in order; the n-th depends on the n-th record alone.

    Args:
        records: Reports.
        labels: Known observations by id; goes before those of the records.
        label_source: Where `labels` come from; needed with them.
        size: Pixels a side, at least 32.
        seed: At least 0.
        level: How hard the images are: "easy", "standard" or "hard".

    Raises:
        ValueError: If an argument is out of its range, or labels have no source.

    >>> record = ReportRecord("s1", "p1", "test", "Real text.", views=1)
    >>> study, = phantom_studies([record], {"s1": {"Edema": 1}}, label_source="by hand", size=48)
    >>> study.findings[0].kind, study.label_source
    ('pulmonary edema', 'by hand')
    """
    if labels is not None and not label_source:
        raise ValueError("labels must say where they come from; set label_source")
    for record in records:
        if labels is not None and record.id in labels:
            record = replace(record, labels=labels[record.id], label_source=label_source)
        yield study_from_report(record, size=size, seed=seed, level=level)


def _level_named(level: str) -> LevelName:
    for name in LEVELS:
        if name == level:
            return name
    raise ValueError(f"no level is called {level!r}; known: {', '.join(LEVELS)}")


def _account(plan: Plan) -> str:
    """Return in words what was drawn, and what of it is known."""
    parts = [f"{SOURCE[0].upper()}{SOURCE[1:]}."]
    parts += [_account_of(one) for one in plan.findings] or ["Drawn without finding."]
    left_out = (*plan.reading.unmapped, *plan.reading.denied)
    if left_out:
        parts.append(f"Not drawn: {'; '.join(left_out)}.")
    return " ".join(parts)


def _account_of(planned: PlannedFinding) -> str:
    finding = planned.finding
    values = ", ".join(
        f"{name} {value} ({how})"
        for name, how in planned.attributes.items()
        if (value := getattr(finding, name)) is not None
    )
    return f"{finding.observation}, {finding.certainty}, from {planned.origin}: {values}."
