"""The studies of IU X-Ray, of whatever download: text, sections, labels and split, no images."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, final

from gradtruce.data.label_file import LabelFile
from gradtruce.data.observations import OBSERVATIONS, LabelState
from gradtruce.data.preparing.disk import file_sha256
from gradtruce.data.sources.base import Problem
from gradtruce.data.sources.iu_xray_annotation import AnnotatedStudy, read_annotation
from gradtruce.data.sources.iu_xray_labels import UidLabels
from gradtruce.data.sources.iu_xray_reports import IUReport, read_reports, reports_sha256
from gradtruce.data.sources.patient_split import PatientSplit
from gradtruce.data.study import Split
from gradtruce.data.text.sections import Target, choose_target

LICENCE: Final = "CC BY-NC-ND 4.0; Indiana University, Open-i (National Library of Medicine)"

TARGETS: Final = ("findings", "impression", "findings+impression")
"""What of a report a model can be made to write; R2Gen takes the findings."""


@final
@dataclass(frozen=True)
class ListedStudy:
    """One study as the download describes it.

    Attributes:
        id: As in the annotation file; without one "CXR54", whichever the download.
        uid: Number of the study, which stands for the patient.
        split: R2Gen's, or by a hash of the patient.
        report: The target text.
        sections: Other sections, "mesh_major" and "mesh_automatic" with terms between semicolons.
        labels: In the order of `OBSERVATIONS`; () without labels.
        label_source: Where they come from.
        images: "<folder>/<file>" in R2Gen's form, where the annotation file lists them.
        image_count: How many images are listed; `None` if nothing says.
    """

    id: str
    uid: int
    split: Split
    report: str
    sections: Mapping[str, str]
    labels: tuple[LabelState | None, ...] = ()
    label_source: str = ""
    images: tuple[str, ...] = ()
    image_count: int | None = None


@final
@dataclass(frozen=True)
class IUStudies:
    """Lists the studies of a download: an annotation file, reports, or both joined by number.

    With an annotation file its studies and splits are taken, and its text for the findings; the
    reports add sections and MeSH terms. Without one all reports are taken and split by a hash.

    Attributes:
        annotation: R2Gen's `annotation.json`.
        reports: Folder of Open-i's XML reports, or Kaggle's `indiana_reports.csv`.
        labels: File of labels, as `LabelFile` reads it.
        label_order: What its columns are, where a JSON file does not say.
        target: "findings", "impression" or "findings+impression".
        split: For studies without annotation file.

    Raises:
        FileNotFoundError: If a file or folder is not there.
        ValueError: If neither annotation nor reports are given, or they lack the target.

    >>> IUStudies()
    Traceback (most recent call last):
    ValueError: needs annotation (R2Gen's annotation.json), reports (...), or both
    """

    annotation: Path | None = None
    reports: Path | None = None
    labels: Path | None = None
    label_order: str | None = None
    target: Target = "findings"
    split: PatientSplit = PatientSplit()  # noqa: RUF009 # it is frozen

    def __post_init__(self) -> None:
        if self.annotation is None and self.reports is None:
            raise ValueError(
                "needs annotation (R2Gen's annotation.json), reports (a folder of Open-i's XML "
                "files or indiana_reports.csv), or both"
            )
        if self.target not in TARGETS:
            raise ValueError(f"target must be one of {', '.join(TARGETS)}, got {self.target!r}")
        if self.reports is None and self.target != "findings":
            raise ValueError(
                f"target {self.target!r} needs reports: {self.annotation} has the findings alone"
            )
        for path, what in (
            (self.annotation, "annotation file"),
            (self.reports, "folder of XML reports or CSV file"),
            (self.labels, "file of labels"),
        ):
            if path is not None and not path.exists():
                raise FileNotFoundError(f"{path}: there is no such {what}")

    @classmethod
    def of(
        cls,
        annotation: str | Path | None,
        reports: str | Path | None,
        labels: str | Path | None,
        label_order: str | None,
        target: Target,
        split: PatientSplit | None,
    ) -> "IUStudies":
        """Return the same with paths as text or not, and the usual split.

        Raises:
            FileNotFoundError: As the class does.
            ValueError: As the class does.
        """
        return cls(
            None if annotation is None else Path(annotation),
            None if reports is None else Path(reports),
            None if labels is None else Path(labels),
            label_order,
            target,
            split or PatientSplit(),
        )

    @property
    def description(self) -> str:
        """Where the studies come from, in words."""
        if self.annotation is None:
            return "IU X-Ray (Open-i)"
        joined = "" if self.reports is None else ", joined with Open-i's reports"
        return f"IU X-Ray (Open-i), annotation file of R2Gen{joined}"

    def parameters(self) -> dict[str, Any]:  # any JSON value
        """Return with what the list is made: hashes of the files, target and split."""
        return {
            "annotation_sha256": file_sha256(self.annotation) if self.annotation else None,
            "reports_sha256": reports_sha256(self.reports) if self.reports else None,
            "labels_sha256": file_sha256(self.labels) if self.labels else None,
            "label_order": self.label_order,
            "target": self.target,
            "split": {"by": "R2Gen"} if self.annotation else self.split.parameters(),
        }

    def listed(self) -> Iterator[ListedStudy | Problem]:
        """Yield every study, or what is wrong with it.

        Raises:
            FileNotFoundError: If a file is not there.
            ValueError: If a file is damaged as a whole, or the labels are of other studies.
        """
        labels = UidLabels.of(self._label_file())
        matched = 0
        reports = {} if self.reports is None else _by_uid(read_reports(self.reports))
        for entry in self._annotated(reports) if self.annotation else self._reported(reports):
            if isinstance(entry, Problem):
                yield entry
                continue
            if self.labels is not None and entry.uid in labels.faults:
                matched += 1
                reason = labels.faults[entry.uid]
                yield Problem(entry.id, self.labels.name, "label value", reason)
                continue
            states = labels.states(entry.id, entry.uid)
            if states:
                matched += 1
                known = tuple(states.get(name) for name in OBSERVATIONS)
                entry = replace(entry, labels=known, label_source=labels.source)
            yield entry
        if self.labels is not None and not matched:
            raise ValueError(f"{self.labels}: has none of the studies; check its ids")

    def _label_file(self) -> LabelFile:
        if self.labels is None:
            return LabelFile("", {})
        return LabelFile.read(self.labels, order=self.label_order, keeps_faults=True)

    def _annotated(
        self, reports: Mapping[str, IUReport | Problem]
    ) -> Iterator[ListedStudy | Problem]:
        if self.annotation is None:
            return
        unused = dict(reports)
        for study in read_annotation(self.annotation):
            if isinstance(study, Problem):
                yield study
                continue
            unused.pop(f"CXR{study.uid}", None)
            report = reports.get(f"CXR{study.uid}", IUReport(study.uid))
            if isinstance(report, Problem):
                yield replace(report, id=study.id)
            else:
                yield self._from_annotation(study, report)
        for other in unused.values():
            if isinstance(other, Problem):
                yield replace(other, action="noted")  # of no study of the set

    def _from_annotation(self, study: AnnotatedStudy, report: IUReport) -> ListedStudy | Problem:
        report = replace(report, sections={**report.sections, "findings": study.report})
        made = self._study(study.id, report, study.split)
        if isinstance(made, Problem):
            return made
        return replace(made, images=study.images, image_count=len(study.images))

    def _reported(
        self, reports: Mapping[str, IUReport | Problem]
    ) -> Iterator[ListedStudy | Problem]:
        for name, report in reports.items():
            if isinstance(report, Problem):
                yield report
            else:
                yield self._study(name, report, self.split.of(str(report.uid)))

    def _study(self, name: str, report: IUReport, split: Split) -> ListedStudy | Problem:
        target = choose_target(report.sections, self.target)
        if target.text is None:
            return Problem(name, "", "no target section", f"{target.reason}; left out", "noted")
        others = {k: text for k, text in report.sections.items() if k not in target.sections}
        for key, terms in (
            ("mesh_major", report.mesh_major),
            ("mesh_automatic", report.mesh_automatic),
        ):
            if terms:
                others[key] = ";".join(terms)
        return ListedStudy(name, report.uid, split, target.text, others, image_count=report.images)


def _by_uid(entries: Iterator[IUReport | Problem]) -> dict[str, IUReport | Problem]:
    """Return the reports by "CXR" and number, problems whose study is not known by their place.

    A second report of a study is a problem, which takes the place of the first.
    """
    found: dict[str, IUReport | Problem] = {}
    for place, entry in enumerate(entries):
        if isinstance(entry, IUReport):
            found[f"CXR{entry.uid}"] = entry
        else:
            found[entry.id or f"entry {place}"] = entry
    return found
