"""The gallery: some test studies with images, attention, findings, and reports side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch

from gradtruce.analysis.attention import share_inside
from gradtruce.data.observations import FINDINGS, POSITIVE
from gradtruce.data.prepared import PreparedDataset
from gradtruce.data.study import Study
from gradtruce.evaluation.labelers.base import Labeler
from gradtruce.evaluation.predictions import Prediction
from gradtruce.training.retrieval.retriever import retriever
from gradtruce.viewer.report.agreement import (
    Sentence,
    States,
    Verdict,
    compare,
    mark_generated,
    mark_reference,
    read,
    sentences,
)
from gradtruce.viewer.report.films import Film, films, heat_uris
from gradtruce.viewer.report.finding_rows import FindingRow, finding_rows
from gradtruce.viewer.report.prior_studies import priors_of
from gradtruce.viewer.report.records import RunRecord
from gradtruce.viewer.report.selection import Candidate, choose
from gradtruce.viewer.report.sentence_attention import Look, Reader


@final
@dataclass(frozen=True)
class ShownSentence:
    """A generated sentence with where it looks.

    Attributes:
        pieces: Its words with their marks.
        heats: A heat map a view, as data URI; none for words beyond the longest report.
        shares: Share of the attention of each view.
        inside: Where a true finding is stated: share of the attention inside its true region, and
            the share of the area that the region takes.
    """

    pieces: Sentence
    heats: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()
    inside: tuple[float, float] | None = None


@final
@dataclass(frozen=True)
class ShownReport:
    """The report of one run: its sentences, and which findings are found, missed, invented."""

    label: str
    sentences: tuple[ShownSentence, ...]
    verdicts: Mapping[Verdict, tuple[str, ...]]


@final
@dataclass(frozen=True)
class GalleryItem:
    """One study as the page shows it.

    Attributes:
        id: Study id.
        reason: Why it was chosen.
        is_synthetic: Whether it is a phantom.
        films: Its views.
        known: What is known of its findings, in words.
        label_source: Where the truth comes from.
        reference: Sentences of the reference report.
        reports: Reports of the runs.
        rows: All 14 observations.
    """

    id: str
    reason: str
    is_synthetic: bool
    films: tuple[Film, ...]
    known: tuple[str, ...]
    label_source: str
    reference: tuple[Sentence, ...]
    reports: tuple[ShownReport, ...]
    rows: tuple[FindingRow, ...]

    @property
    def has_boxes(self) -> bool:
        """Whether it is known where a finding lies."""
        return any(film.boxes for film in self.films)

    @property
    def relevant_rows(self) -> tuple[FindingRow, ...]:
        """Findings that are there, stated by a report, or likely to the findings head."""
        return tuple(row for row in self.rows if row.is_relevant)

    @property
    def other_rows(self) -> tuple[FindingRow, ...]:
        """All other findings."""
        return tuple(row for row in self.rows if not row.is_relevant)

    @property
    def truth_names(self) -> tuple[str, ...]:
        """The findings that are there."""
        return tuple(r.observation for r in self.rows if r.truth == POSITIVE)


@final
@dataclass(frozen=True, eq=False)
class _Arm:
    """What one run says of one study, where its sentences look, and where it sees findings."""

    label: str
    prediction: Prediction
    looks: Sequence[Look]
    seen: Mapping[str, Look]


def build_gallery(
    runs: Sequence[RunRecord], dataset: PreparedDataset, labeler: Labeler, count: int
) -> list[GalleryItem]:
    """Return some test studies, chosen by `selection.choose`.

    Args:
        runs: One run, or several on the same studies.
        dataset: Where the studies are.
        labeler: Reads the reports, for the marks.
        count: Number of studies; 0 needs neither checkpoints nor data.

    Raises:
        FileNotFoundError: If a run has no best checkpoint.
        ValueError: If the runs have no study in common, or the data set lacks one.
    """
    candidates = _candidates(runs, labeler)
    by_id = {candidate.id: candidate for candidate in candidates}
    chosen = choose(candidates, count)
    studies = [dataset.study(study_id) for study_id, _ in chosen]
    readers = [_reader(run, dataset) for run in runs]
    looks = [
        reader.looks(studies, [_tidy(run.predictions[study.id].generated) for study in studies])
        for run, reader in zip(runs, readers, strict=True)
    ]
    seen = [reader.finding_looks(studies) for reader in readers]
    return [
        _item(
            study, reason, by_id[study.id], labeler, readers[0],
            [_Arm(run.label, run.predictions[study.id], looks[arm][place], seen[arm][place])
             for arm, run in enumerate(runs)],
        )
        for place, (study, (_, reason)) in enumerate(zip(studies, chosen, strict=True))
    ]  # fmt: skip


def _candidates(runs: Sequence[RunRecord], labeler: Labeler) -> list[Candidate]:
    common = [i for i in runs[0].predictions if all(i in run.predictions for run in runs)]
    if not common:
        raise ValueError("the runs have no study in common; compare runs on the same test split")
    readings = [read(labeler, [run.predictions[i].generated for i in common]) for run in runs]
    references = read(labeler, [runs[0].predictions[i].reference for i in common])
    truths = [runs[0].predictions[i].labels or references[n] for n, i in enumerate(common)]
    return [
        Candidate(study_id, truths[place], tuple(reading[place] for reading in readings))
        for place, study_id in enumerate(common)
    ]


def _reader(run: RunRecord, dataset: PreparedDataset) -> Reader:
    folder = run.folder / "checkpoints" / "best"
    if not (folder / "config.json").is_file():
        raise FileNotFoundError(
            f"{folder} holds no checkpoint, which the gallery needs; `gradtruce train` makes it "
            "(a gallery of 0 studies does without)"
        )
    data = run.config.data
    found, priors = retriever(data, are_own=False), priors_of(data, dataset)
    return Reader(folder, data.views, data.max_tokens, found, priors)


def _tidy(report: str) -> str:
    """Return the report with every full stop as a word, as tokenizer and sentences have it."""
    return " ".join(word for words in sentences(report) for word in words)


def _item(
    study: Study,
    reason: str,
    candidate: Candidate,
    labeler: Labeler,
    reader: Reader,
    arms: Sequence[_Arm],
) -> GalleryItem:
    truth = candidate.truth
    first = arms[0].prediction
    reports = tuple(
        ShownReport(
            arm.label,
            _shown(
                mark_generated(labeler, _tidy(arm.prediction.generated), truth),
                arm.looks,
                study,
                reader,
            ),
            _verdicts(reading, truth),
        )
        for arm, reading in zip(arms, candidate.readings, strict=True)
    )
    named = {arm.label: reading for arm, reading in zip(arms, candidate.readings, strict=True)}
    return GalleryItem(
        id=study.id,
        reason=reason,
        is_synthetic=study.is_synthetic,
        films=films(study, reader),
        known=tuple(_in_words(study)),
        label_source=first.label_source if first.labels else "read in the reference by the labeler",
        reference=tuple(mark_reference(labeler, first.reference, named)),
        reports=reports,
        rows=finding_rows(
            truth,
            candidate.readings,
            [arm.prediction for arm in arms],
            [arm.seen for arm in arms],
            reader.views(study),
        ),
    )


def _shown(
    marked: Sequence[Sentence], looks: Sequence[Look], study: Study, reader: Reader
) -> tuple[ShownSentence, ...]:
    shown = []
    for place, pieces in enumerate(marked):
        if place >= len(looks):
            shown.append(ShownSentence(pieces))
            continue
        look = looks[place]
        heats = heat_uris(look, reader.views(study))
        inside = _inside(pieces, look, study, reader)
        shown.append(ShownSentence(pieces, heats, tuple(look.shares), inside))
    return tuple(shown)


def _inside(
    pieces: Sentence, look: Look, study: Study, reader: Reader
) -> tuple[float, float] | None:
    """Return the shares of attention and area inside the regions of what is rightly stated."""
    named = {m.observation for piece in pieces for m in piece.marks if m.verdict == "found"}
    regions = [r for f in study.findings if f.observation in named for r in f.regions]
    seen = reader.views(study)
    masks = [np.zeros(view.pixels.shape, dtype=bool) for view in seen]
    for region in regions:
        for place, view in enumerate(seen):
            if view is study.views[region.view]:
                masks[place] |= region.mask
    if not any(mask.any() for mask in masks):
        return None
    cropped = [reader.crop(mask) for mask in masks]
    attention = sum(
        share * share_inside(look.grid[place : place + 1], torch.from_numpy(mask.copy())[None])
        for place, (share, mask) in enumerate(zip(look.shares, cropped, strict=True))
    )
    return attention, float(np.mean([mask.mean() for mask in cropped]))


def _verdicts(reading: States, truth: States) -> Mapping[Verdict, tuple[str, ...]]:
    verdicts = {name: compare(reading.get(name), truth.get(name)) for name in FINDINGS}
    kinds: tuple[Verdict, ...] = ("found", "missed", "invented", "unsure")
    return {kind: tuple(n for n, verdict in verdicts.items() if verdict == kind) for kind in kinds}


def _in_words(study: Study) -> list[str]:
    """Return each known finding in words, such as "moderate pleural effusion, left, lower"."""
    found = []
    for finding in study.findings:
        name = " ".join(filter(None, (finding.severity, finding.kind)))
        size = f"{finding.size:.0f} mm" if finding.size is not None else None
        certainty = None if finding.certainty == "definite" else finding.certainty
        parts = (name, finding.side, finding.zone, size, finding.change, certainty)
        found.append(", ".join(filter(None, parts)))
    return found
