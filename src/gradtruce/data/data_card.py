"""What is in a prepared data set: the numbers to look at before training on it."""

from collections import Counter
from hashlib import blake2b
from typing import Any, TypedDict, final

import numpy as np

from gradtruce.data.observations import NEGATIVE, OBSERVATIONS, POSITIVE, UNCERTAIN
from gradtruce.data.prepared import PreparedDataset, PreparedSplit
from gradtruce.data.study import SPLITS


@final
class LabelCounts(TypedDict):
    """How many studies have a label in each state."""

    positive: int
    negative: int
    uncertain: int
    missing: int


@final
class SplitCard(TypedDict):
    """What is in one split.

    `views` counts studies by their view positions, such as "frontal + lateral"; `words` are counted
    between white space of the reports as the source has them. `view_flags` counts views whose
    source says that text is burned in, says nothing of it, or was compressed with loss.
    """

    studies: int
    patients: int
    views: dict[str, int]
    view_flags: dict[str, int]
    labels: dict[str, LabelCounts]
    words_mean: float
    words_longest: int
    unique_reports: int
    commonest_report: int
    reports_in_train: int


@final
class DataCard(TypedDict):
    """What is in a prepared set; JSON as it stands."""

    name: str
    source: str
    is_synthetic: bool
    label_source: str
    licence: str
    short_side: tuple[int, int]
    settings: dict[str, int | None]
    parameters: dict[str, Any]  # any JSON value
    notes: dict[str, Any]  # any JSON value
    problems: dict[str, int]
    fingerprint: str
    sha256: dict[str, str]
    versions: dict[str, str]
    splits: dict[str, SplitCard]


def describe(dataset: PreparedDataset) -> DataCard:
    """Return counts, views, label prevalence and text statistics of every split.

    `reports_in_train` counts reports that stand word by word in the training split: where it is
    large, copying scores well (274 of the 590 test reports of IU X-Ray).

    >>> import tempfile
    >>> from gradtruce.data.prepared import PreparedWriter
    >>> from gradtruce.data.study import Study, View
    >>> film = View(np.zeros((8, 8), dtype=np.uint8), "frontal")
    >>> with tempfile.TemporaryDirectory() as parent:
    ...     with PreparedWriter(parent + "/set", name="tiny", source="") as writer:
    ...         for split in SPLITS:
    ...             writer.add(Study(split, split, split, (film,), "Clear lungs."))
    ...     card = describe(PreparedDataset.open(parent + "/set"))
    >>> card["splits"]["test"]["reports_in_train"], card["splits"]["test"]["views"]
    (1, {'frontal': 1})
    """
    manifest = dataset.manifest
    training = {_digest(report) for report in dataset.split("train").reports}
    return {
        "name": manifest.name,
        "source": manifest.source,
        "is_synthetic": manifest.is_synthetic,
        "label_source": manifest.label_source,
        "licence": manifest.licence,
        "short_side": manifest.short_side,
        "settings": manifest.settings,
        "parameters": manifest.parameters,
        "notes": manifest.notes,
        "problems": manifest.problems,
        "fingerprint": manifest.fingerprint,
        "sha256": {shard.file: shard.sha256 for shard in manifest.shards} | manifest.tables,
        "versions": manifest.versions,
        "splits": {name: _split_card(dataset.split(name), training) for name in SPLITS},
    }


def _split_card(split: PreparedSplit, training: set[bytes]) -> SplitCard:
    reports = [_digest(report) for report in split.reports]
    lengths = [len(report.split()) for report in split.reports]
    views = Counter(" + ".join(positions) for positions in split.view_positions)
    texts = Counter(reports)
    return {
        "studies": len(split),
        "patients": len(set(split.patients)),
        "views": dict(sorted(views.items())),
        "view_flags": dict(split.view_flags),
        "labels": _label_counts(split),
        "words_mean": round(sum(lengths) / len(lengths), 1),
        "words_longest": max(lengths),
        "unique_reports": len(texts),
        "commonest_report": max(texts.values()),
        "reports_in_train": sum(report in training for report in reports),
    }


def _label_counts(split: PreparedSplit) -> dict[str, LabelCounts]:
    return {
        name: {
            "positive": int((states == POSITIVE).sum()),
            "negative": int((states == NEGATIVE).sum()),
            "uncertain": int((states == UNCERTAIN).sum()),
            "missing": int(np.isnan(states).sum()),
        }
        for name, states in zip(OBSERVATIONS, split.labels.T, strict=True)
    }


def _digest(report: str) -> bytes:
    """Return a short hash of the words: 270,000 reports as words would take a gigabyte."""
    return blake2b(" ".join(report.split()).encode(), digest_size=16).digest()
