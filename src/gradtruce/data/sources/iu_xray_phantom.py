"""Synthetic images for the real reports of IU X-Ray, where the radiographs are missing."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, final

from gradtruce.data.phantom.from_report.studies import (
    SOURCE,
    ReportRecord,
    plan_study,
    study_from_report,
)
from gradtruce.data.phantom.from_report.survey import survey_plans
from gradtruce.data.phantom.level import LEVELS, LevelName
from gradtruce.data.sources.base import Built, Problem, Record, Settings, Source, fingerprint_of
from gradtruce.data.sources.iu_xray_studies import LICENCE, IUStudies, ListedStudy
from gradtruce.data.sources.patient_split import PatientSplit
from gradtruce.data.text.sections import Target

_DRAWING: Final = 1
"""To be raised with every change of what is drawn, so that sets are told apart."""

_VIEWS: Final = 2  # where nothing says how many images there were


@final
class IUXRayPhantom(Source):
    r"""The reports of IU X-Ray with drawn films of what their MeSH terms and labels say.

    Every study is marked synthetic; its section "phantom" says what was drawn. The settings' short
    side is the height and width of the films. Without reports there are no MeSH terms, without
    labels none of these: what neither says is not drawn.

    Args:
        annotation: R2Gen's `annotation.json`.
        reports: Folder of Open-i's XML reports, or Kaggle's `indiana_reports.csv`.
        labels: File of labels; joined by the number of the study.
        label_order: What its columns are, where a JSON file does not say.
        target: "findings", "impression" or "findings+impression".
        split: For studies without annotation file.
        level: How hard the films are to read: "easy", "standard" or "hard".
        seed: Of all that the reports leave open, at least 0.

    Raises:
        FileNotFoundError: If a file or folder is not there.
        ValueError: If an argument is out of range, or there is nothing to draw from.

    >>> import tempfile
    >>> entry = {"id": "CXR54_IM-2145", "report": "Hazy.", "split": "train",
    ...          "image_path": ["CXR54_IM-2145/0.png", "CXR54_IM-2145/1.png"]}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     annotation, reports = Path(folder) / "annotation.json", Path(folder) / "reports.csv"
    ...     _ = annotation.write_text(json.dumps({"train": [entry], "val": [], "test": []}))
    ...     _ = reports.write_text("uid,MeSH,image,indication,comparison,findings,impression\n"
    ...                            "54,Opacity/lung/left,,,,,\n")
    ...     source = IUXRayPhantom(annotation=annotation, reports=reports)
    ...     study = source.build(next(source.records()), Settings(short_side=48)).study
    >>> study.is_synthetic, len(study.views), study.findings[0].side
    (True, 2, 'left')
    """

    def __init__(
        self,
        *,
        annotation: str | Path | None = None,
        reports: str | Path | None = None,
        labels: str | Path | None = None,
        label_order: str | None = None,
        target: Target = "findings",
        split: PatientSplit | None = None,
        level: LevelName = "standard",
        seed: int = 0,
    ) -> None:
        self._studies = IUStudies.of(annotation, reports, labels, label_order, target, split)
        if level not in LEVELS:
            raise ValueError(f"no level is called {level!r}; known: {', '.join(LEVELS)}")
        if seed < 0:
            raise ValueError(f"seed must be at least 0, got {seed}")
        if reports is None and labels is None:
            raise ValueError(
                "needs reports (for their MeSH terms) or labels, to know what is to be drawn; "
                "the annotation file says neither"
            )
        self._level, self._seed = level, seed

    @property
    def name(self) -> str:
        """What the set is called."""
        return "iu_xray_phantom"

    @property
    def description(self) -> str:
        """Where the studies come from."""
        return f"{SOURCE}: {self._studies.description}"

    @property
    def licence(self) -> str:
        """What may be done with it: the reports are real."""
        return LICENCE

    @property
    def is_synthetic(self) -> bool:
        """All images are drawn."""
        return True

    @property
    def parameters(self) -> Mapping[str, Any]:  # any JSON value
        """Hashes of the files, target section, split, level and seed."""
        return {**self._studies.parameters(), "level": self._level, "seed": self._seed}

    def fingerprint(self) -> str:
        """Return a hash of the files and arguments."""
        arguments = json.dumps(self.parameters, sort_keys=True)
        return fingerprint_of([self.name, str(_DRAWING), arguments])

    def records(self) -> Iterator[Record | Problem]:
        """Yield every study that has the target section; no image is needed."""
        for entry in self._studies.listed():
            yield entry if isinstance(entry, Problem) else _record(entry)

    def build(self, record: Record, settings: Settings) -> Built:
        """Draw the films of a report."""
        study = study_from_report(
            _report(record), size=settings.short_side, seed=self._seed, level=self._level
        )
        return Built(study)

    def notes(self) -> Mapping[str, Any]:  # any JSON value
        """Return counts of what is drawn, and how it agrees with the labels."""
        listed = (entry for entry in self._studies.listed() if isinstance(entry, ListedStudy))
        reports = [_report(_record(entry)) for entry in listed]
        plans = [plan_study(report, seed=self._seed, level=self._level) for report in reports]
        return survey_plans(reports, plans)


def _record(entry: ListedStudy) -> Record:
    return Record(
        id=entry.id,
        patient=str(entry.uid),
        split=entry.split,
        report=entry.report,
        labels=entry.labels,
        label_source=entry.label_source,
        detail=(json.dumps(entry.sections), str(entry.image_count or _VIEWS)),
    )


def _report(record: Record) -> ReportRecord:
    sections: dict[str, str] = json.loads(record.detail[0])
    return ReportRecord(
        id=record.id,
        patient=record.patient,
        split=record.split,
        report=record.report,
        mesh=_terms(sections.get("mesh_major", "")),
        automatic=_terms(sections.get("mesh_automatic", "")),
        labels=record.label_states(),
        label_source=record.label_source,
        sections=sections,
        views=int(record.detail[1]),
    )


def _terms(text: str) -> tuple[str, ...]:
    return tuple(term for term in text.split(";") if term.strip())
