"""Records of MIMIC-CXR: listed studies joined with splits, labels, reports and previous studies."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, final

from gradtruce.data.label_file import LabelFile
from gradtruce.data.observations import OBSERVATIONS, LabelState
from gradtruce.data.sources.base import Problem, Record, ViewFile
from gradtruce.data.sources.mimic_cxr_files import image_path
from gradtruce.data.sources.mimic_cxr_listing import (
    POSITIONS,
    ListedStudy,
    Listing,
    with_previous,
)
from gradtruce.data.sources.mimic_cxr_reports import Locate
from gradtruce.data.study import SPLITS, Split

Views = Literal["frontal", "all"]
Unit = Literal["study", "image"]

_UNKNOWN = len(POSITIONS) - 1


@final
class LabelRows:
    """Labels by study as a record has them; alike rows are one tuple.

    Args:
        path: CSV of CheXpert or NegBio labels; `None` for no labels.

    Attributes:
        source: Of the file; "" without one.
        file: Its name.
        faults: Why the row of a study can't be taken.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no label file.

    >>> LabelRows(None).of("51234567"), LabelRows(None).source
    ((), '')
    """

    def __init__(self, path: Path | None) -> None:
        self.source = self.file = ""
        self.faults: Mapping[str, str] = {}
        self._rows: dict[str, tuple[LabelState | None, ...]] = {}
        if path is None:
            return
        labels = LabelFile.read(path, keeps_faults=True)
        self.source, self.file, self.faults = labels.source, path.name, labels.faults
        alike: dict[tuple[LabelState | None, ...], tuple[LabelState | None, ...]] = {}
        for study, states in labels.states.items():
            row = tuple(states.get(name) for name in OBSERVATIONS)
            self._rows[study] = alike.setdefault(row, row)

    def of(self, study: str) -> tuple[LabelState | None, ...]:
        """Return the row of a study; () if it has none, or nothing in it is known."""
        row = self._rows.get(study, ())
        return row if any(state is not None for state in row) else ()


@final
class RecordMaker:
    """Makes records of listed studies and counts what it meets.

    Args:
        prefix: What image paths begin with.
        ending: How they end.
        splits: By study.
        labels: By study.
        locate: Where each report is.
        views: Which views are kept.
        unit: One record a study, or one an image.

    Attributes:
        counts: In words what was met, and how often.
        with_prior: How many records have a previous one, by split.
    """

    def __init__(
        self,
        *,
        prefix: str,
        ending: str,
        splits: Mapping[str, Split],
        labels: LabelRows,
        locate: Locate,
        views: Views,
        unit: Unit,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.with_prior: Counter[Split] = Counter()
        self._prefix, self._ending = prefix, ending
        self._splits, self._labels, self._locate = splits, labels, locate
        self.has_labelled = False
        self._views, self._unit = views, unit

    def records(self, listing: Listing) -> Iterator[Record | Problem]:
        """Yield every record, or what is wrong with a study; the listing is used up."""
        self.counts["images in the metadata"] = listing.images
        self.counts["studies in the metadata"] = len(listing.studies)
        self.counts["studies of the split file without metadata"] = len(
            self._splits.keys() - {study.study for study in listing.studies}
        )
        yield from listing.problems
        usable: list[ListedStudy] = []
        for study in listing.studies:
            problem = self._problem(study)
            if problem:
                yield problem
            else:
                usable.append(study)
        for study, before in with_previous(usable):
            yield from self._of_study(study, before)

    def notes(self) -> dict[str, Any]:  # any JSON value
        """Return the counts, and how many records have a previous one, by split.

        >>> maker = RecordMaker(prefix="", ending="jpg", splits={}, labels=LabelRows(None),
        ...                     locate=lambda subject, study: None, views="all", unit="study")
        >>> maker.notes()
        {'with prior': {'train': 0, 'val': 0, 'test': 0}}
        """
        return {**self.counts, "with prior": {split: self.with_prior[split] for split in SPLITS}}

    def _problem(self, study: ListedStudy) -> Problem | None:
        """Return why a study can't be used; leaves out views that are not wanted."""
        if study.study not in self._splits:
            reason = "the split file does not have it; use the split file of the same release"
            return Problem(study.study, "", "no split", reason)
        if self._views == "frontal":
            kept = [image for image in study.images if POSITIONS[image[0]] == "frontal"]
            self.counts["images left out that are not frontal"] += len(study.images) - len(kept)
            self.counts["of these of unknown position"] += sum(
                rank == _UNKNOWN for rank, _ in study.images
            )
            study.images = kept
            if not kept:
                reason = "none of its images is known to be frontal; take all views to keep it"
                return Problem(study.study, "", "no frontal view", reason, "noted")
        if study.study in self._labels.faults:
            reason = self._labels.faults[study.study]
            return Problem(study.study, self._labels.file, "label value", reason)
        if self._locate(study.subject, study.study) is None:
            reason = "the archive of reports does not have it; download the archive again"
            return Problem(study.study, "", "missing report", reason)
        return None

    def _of_study(self, study: ListedStudy, before: ListedStudy | None) -> Iterable[Record]:
        split = self._splits[study.study]
        labels = self._labels.of(study.study)
        report, detail = self._locate(study.subject, study.study) or ("", ())
        views = [
            ViewFile(
                self._prefix + image_path(study.subject, study.study, image, self._ending),
                None if rank == _UNKNOWN else POSITIONS[rank],
            )
            for rank, image in study.images
        ]
        by_study = self._unit == "study"
        if by_study:
            parts = [(study.study, tuple(views))]
        else:
            parts = [(image, (view,)) for (_, image), view in zip(study.images, views, strict=True)]
        if before is not None:
            self.with_prior[split] += len(parts)
        self.has_labelled |= bool(labels)
        if self._labels.source and not labels:
            self.counts["studies without labels"] += 1
        for name, own in parts:
            yield Record(
                id=name,
                patient=study.subject,
                split=split,
                views=own,
                report_file=report,
                labels=labels,
                label_source=self._labels.source if labels else "",
                prior=_name_of(before, by_study=by_study),
                detail=detail,
            )


def _name_of(study: ListedStudy | None, *, by_study: bool) -> str | None:
    if study is None:
        return None
    return study.study if by_study else study.images[0][1]
