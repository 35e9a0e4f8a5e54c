"""Training reports: what the baselines copy from, and what generated text is compared with."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from gradtruce.data.text import CleaningMode, clean
from gradtruce.evaluation.formats.reports import read_reports


@dataclass(frozen=True, eq=False)
class TrainingTexts:
    """The reports that a system was trained on.

    Attributes:
        reports: At least one, in the order of the source.
        source: Where they come from, and how they were cleaned.
        labels: State of each of the 14 observations, NaN where missing; `None` where there are
            none.

    Raises:
        ValueError: If there is no report, or labels and reports differ in number.

    >>> TrainingTexts(("clear lungs .",), "by hand").reports
    ('clear lungs .',)
    """

    reports: tuple[str, ...]
    source: str
    labels: Float[np.ndarray, "reports observations"] | None = None

    def __post_init__(self) -> None:
        if not self.reports:
            raise ValueError(f"{self.source}: no training report")
        if self.labels is not None and len(self.labels) != len(self.reports):
            raise ValueError(
                f"{self.source}: {len(self.reports)} training reports, but labels of"
                f" {len(self.labels)}"
            )


def read_training_texts(
    path: Path, cleaning: CleaningMode | None = None, field: str | None = None
) -> TrainingTexts:
    r"""Return the training reports of a prepared data set, or all reports of a file.

    Args:
        path: Folder of a prepared data set, whose split "train" is read, with its labels; or a
            file of reports by id, as `formats.reports.read_reports` reads it.
        cleaning: Done to the reports; it must be what the references were cleaned with. `None`
            leaves them as they are.
        field: Name of the text in a file, where it has several.

    Raises:
        FileNotFoundError: If there is no such file, or the folder is no prepared data set.
        ValueError: If the data set or the file is damaged or empty.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "train.csv"
    >>> _ = file.write_text("id,report\ns1,Clear lungs.\n")
    >>> read_training_texts(file, "clean").reports
    ('clear lungs .',)
    """
    labels: Float[np.ndarray, "reports observations"] | None = None
    reports: Sequence[str]
    if path.is_dir():
        reports, labels = _prepared(path)
    else:
        reports = [text for _, text in read_reports(path, field)]
    if cleaning is not None:
        reports = [clean(report, cleaning) for report in reports]
    source = f"{path.name}, {f'cleaned as {cleaning!r}' if cleaning else 'as it is'}"
    return TrainingTexts(tuple(reports), source, labels)


def wording(text: str) -> str:
    """Return what two texts must share to be the same, word for word.

    Letters and digits in their order: case, blanks, punctuation and list numbers do not count, so
    that a raw report and a cleaned one can be told to be the same.

    >>> wording("1. No effusion. 2. Nodule of 1.5 cm.")
    'noeffusionnoduleof15cm'
    >>> wording("no effusion . nodule of 15 cm .")
    'noeffusionnoduleof15cm'
    """
    return "".join(filter(str.isalnum, clean(text, "clean")))


def _prepared(
    folder: Path,
) -> tuple[Sequence[str], Float[np.ndarray, "reports observations"] | None]:
    from gradtruce.data.prepared import PreparedDataset

    train = PreparedDataset.open(folder).split("train")
    labels = train.labels.astype(np.float64)
    return train.reports, labels if np.isfinite(labels).any() else None
