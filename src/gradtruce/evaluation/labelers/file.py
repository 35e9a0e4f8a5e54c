"""Labels that another program has made, read from its file."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

import numpy as np
from jaxtyping import Float

from gradtruce.data.label_file import LabelFile, read_csv
from gradtruce.data.observations import MISSING, NEGATIVE, OBSERVATIONS, POSITIVE, UNCERTAIN
from gradtruce.data.prepared_writer import file_sha256
from gradtruce.evaluation.labelers.base import Labeler
from gradtruce.evaluation.nlg.text import squeeze
from gradtruce.evaluation.predictions import Prediction

TEXT_COLUMNS: Final = ("Report Impression", "Reports")
"""Where the CheXbert and the CheXpert labeler write the text of a report."""

_STATES: Final = {"1": POSITIVE, "0": NEGATIVE, "-1": UNCERTAIN, "": MISSING, "nan": MISSING}
_SHORT: Final = 12


@dataclass(frozen=True, eq=False)
class _Row:
    """States of one report, and where they stand."""

    states: Float[np.ndarray, " observations"]
    where: str


@final
class FileLabeler(Labeler):
    """Looks labels up by the text of the report, all whitespace squeezed.

    Made by `for_predictions` from files of labels by id, by `read_texts` from a file of labels by
    text, or by `join` from several of these. A text that no file has is an error, never blank.

    Args:
        source: What the labels come from.
        rows: States by squeezed text.
    """

    def __init__(self, source: str, rows: Mapping[str, _Row]) -> None:
        self._source = source
        self._rows = rows

    @classmethod
    def for_predictions(
        cls, predictions: Sequence[Prediction], generated: Path, reference: Path | None = None
    ) -> "FileLabeler":
        r"""Return the labels of the texts of predictions, from files of labels by id.

        A file has the columns id and the 14 observations by name, in any order, as `gradtruce
        label` writes it; rows of other ids are not used. Labels belong to texts here: references
        whose labels were not made from their text (a radiologist's, from the images) belong into
        the predictions, under "labels".

        Args:
            predictions: Give the texts.
            generated: Labels of the generated texts.
            reference: Labels of the reference texts; without, they can't be looked up.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If a file is no such CSV, lacks ids, gives one text two different rows, or
                one id has two texts.

        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "labels.csv"
        >>> cells = ",".join("1" if name == "Edema" else "" for name in OBSERVATIONS)
        >>> _ = path.write_text(f"id,{','.join(OBSERVATIONS)}\ns1,{cells}\n")
        >>> labeler = FileLabeler.for_predictions([Prediction("s1", "", "Edema.")], path)
        >>> float(labeler.label(["Edema."])[0, OBSERVATIONS.index("Edema")])
        1.0
        """
        texts = [(one.id, one.generated) for one in predictions]
        labelers = [cls._by_id(generated, texts)]
        if reference is not None:
            texts = [(one.id, one.reference) for one in predictions]
            labelers.append(cls._by_id(reference, texts))
        return cls.join(labelers)

    @classmethod
    def read_texts(cls, path: Path) -> "FileLabeler":
        r"""Return the labels of the file that the CheXbert or the CheXpert labeler writes.

        It has the text under "Report Impression" or "Reports", and the 14 observations by name, in
        the order of either; a cell is 1, 0, -1 or empty.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If the file is no such CSV, a cell is something else, or a text comes with
                two different rows.

        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "labeled_reports.csv"
        >>> cells = ",".join("-1.0" if name == "Edema" else "" for name in OBSERVATIONS)
        >>> _ = path.write_text(f"Reports,{','.join(OBSERVATIONS)}\nmaybe edema,{cells}\n")
        >>> float(FileLabeler.read_texts(path).label(["maybe  edema"])[0, 4])
        -1.0
        """
        lines = read_csv(path, OBSERVATIONS)
        columns = [name for name in TEXT_COLUMNS if lines and name in lines[0][1]]
        if len(columns) != 1:
            found = "both" if columns else "neither"
            raise ValueError(
                f"{path}: must have reports under {' or '.join(map(repr, TEXT_COLUMNS))}, found"
                f" {found if lines else 'no report'}; labels by id are read with the predictions"
            )
        rows = ((row[columns[0]], _Row(_states(row, where), where)) for where, row in lines)
        return cls(_source(path), _without_conflict(rows))

    @classmethod
    def join(cls, labelers: Sequence["FileLabeler"]) -> "FileLabeler":
        """Return one labeler that knows the texts of all.

        Raises:
            ValueError: If two have different labels for a text.

        >>> FileLabeler.join([FileLabeler("a.csv", {}), FileLabeler("b.csv", {})]).identity
        'file a.csv, b.csv'
        """
        rows = ((text, row) for labeler in labelers for text, row in labeler._rows.items())
        sources = dict.fromkeys(labeler._source for labeler in labelers)
        return cls(", ".join(sources), _without_conflict(rows))

    @property
    def identity(self) -> str:
        """Return the names and hashes of the files."""
        return f"file {self._source}"

    def label(self, reports: Sequence[str]) -> Float[np.ndarray, "reports observations"]:
        """Return the states of each report.

        Raises:
            ValueError: If a report is in none of the files.
        """
        texts = [squeeze(report) for report in reports]
        unknown = [text for text in dict.fromkeys(texts) if text not in self._rows]
        if unknown:
            raise ValueError(
                f"{self.identity} has no labels for {len(unknown)} of {len(set(texts))} different"
                f" reports, such as {unknown[0][:80]!r}; label the generated and the reference"
                " texts as they stand in the predictions"
            )
        rows = [self._rows[text].states for text in texts]
        return np.array(rows, dtype=np.float64).reshape(len(rows), len(OBSERVATIONS))

    @classmethod
    def _by_id(cls, path: Path, texts: Sequence[tuple[str, str]]) -> "FileLabeler":
        """Return the labels of texts whose ids are known."""
        states = LabelFile.read(path).states
        first: dict[str, str] = {}
        for study, text in texts:
            if squeeze(first.setdefault(study, text)) != squeeze(text):
                raise ValueError(
                    f"id {study!r} comes with two texts, so {path} can't say which one is labelled;"
                    " read the labels of each system with its own predictions, then join them"
                )
        lacking = [study for study in first if study not in states]
        if lacking:
            raise ValueError(
                f"{path}: lacks {len(lacking)} of {len(first)} ids of the predictions, such as"
                f" {lacking[0]!r}; every report must have its row"
            )
        rows = (
            (text, _Row(_known(states[study]), f"{path}, id {study!r}"))
            for study, text in first.items()
        )
        return cls(_source(path), _without_conflict(rows))


def _without_conflict(rows: Iterable[tuple[str, _Row]]) -> dict[str, _Row]:
    kept: dict[str, _Row] = {}
    for report, row in rows:
        text = squeeze(report)
        other = kept.setdefault(text, row)
        if not np.array_equal(other.states, row.states, equal_nan=True):
            raise ValueError(
                f"the text {text[:80]!r} has different labels at {other.where} and at {row.where};"
                " a labeler reads one text in one way. Reference labels that were not read in the"
                ' text go into the predictions, under "labels"'
            )
    return kept


def _known(states: Mapping[str, int]) -> Float[np.ndarray, " observations"]:
    return np.array([states.get(name, MISSING) for name in OBSERVATIONS], dtype=np.float64)


def _states(row: Mapping[str, str], where: str) -> Float[np.ndarray, " observations"]:
    cells = [row[name].strip().lower().removesuffix(".0") for name in OBSERVATIONS]
    wrong = [
        (name, cell) for name, cell in zip(OBSERVATIONS, cells, strict=True) if cell not in _STATES
    ]
    if wrong:
        name, cell = wrong[0]
        codes = (
            ". These look like codes of CheXbert's network, as its first release wrote them: 0"
            " is blank, 2 negative (0), 3 uncertain (-1)"
        )
        raise ValueError(
            f"{where}: {cell!r} for {name!r}; it must be 1, 0, -1 or empty"
            + (codes if cell in {"2", "3"} else "")
        )
    return np.array([_STATES[cell] for cell in cells], dtype=np.float64)


def _source(path: Path) -> str:
    return f"{path.name} (sha256 {file_sha256(path)[:_SHORT]})"
