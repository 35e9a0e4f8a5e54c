"""Two files without ids whose rows belong together by their order."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from gradtruce.evaluation.formats.texts import check_report
from gradtruce.evaluation.predictions import Prediction

_HEADER: Final = re.compile(
    r"\d+|(?:generated|predicted|ground_truth|gt_)?(?:reports?|texts?|captions?|findings)"
    r"|generated|predict(?:ed|ions?)|preds?|res|hyps?|hypothes[ie]s|references?|refs?|gts?|labels?"
    r"|ground[ _]truths?|targets?",
    re.IGNORECASE,
)
"""What names a column, and is no report."""


def pair_rows(
    generated: Path,
    references: Path,
    read: Callable[[Path], list[str]],
    needs_reference: bool,
) -> list[Prediction]:
    """Return row n of both files as study `row-n`, counted from 1.

    Args:
        generated: File of generated reports.
        references: File of references.
        read: Reads the rows of either.
        needs_reference: Must be true: rows without ids can't be joined by id.

    Raises:
        FileNotFoundError: If a file is not there.
        ValueError: If references are to be joined by id, the files differ in rows, both begin
            with the name of a column, or a text is no report.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "res").write_text("clear"), (folder / "gts").write_text("a mass")
    >>> pair_rows(folder / "res", folder / "gts", lambda file: [file.read_text()], True)[0].id
    'row-1'
    """
    if not needs_reference:
        raise ValueError(
            f"{generated}: its rows have no ids, so nothing can be joined to them by id; put the"
            f" references as {references.name} beside it, in the same order"
        )
    if generated.is_file() and not references.is_file():
        raise FileNotFoundError(
            f"{references}: the references of {generated.name} are not there; put them beside it,"
            " in the same order"
        )
    texts, others = read(generated), read(references)
    if len(texts) != len(others):
        raise ValueError(
            f"{generated} has {len(texts)} rows, {references} has {len(others)}; rows have no ids"
            " and are paired by order, so both must have the same number"
        )
    if texts and _HEADER.fullmatch(texts[0].strip()) and _HEADER.fullmatch(others[0].strip()):
        raise ValueError(
            f"{generated} and {references} begin with {texts[0]!r} and {others[0]!r}, the names of"
            " columns: they would be scored as a report; delete the first row of both"
        )
    predictions = []
    for number, (text, other) in enumerate(zip(texts, others, strict=True), start=1):
        prediction = Prediction(f"row-{number}", reference=other, generated=text)
        check_report(text, str(generated), prediction.id)
        check_report(other, str(references), prediction.id)
        predictions.append(prediction)
    return predictions
