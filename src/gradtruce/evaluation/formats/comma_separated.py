"""Predictions as CSV: the columns `id`, `reference`, `generated`."""

from pathlib import Path
from typing import Final

from gradtruce.evaluation.formats.tables import read_table
from gradtruce.evaluation.formats.texts import check_report, require_id, require_once
from gradtruce.evaluation.predictions import Prediction

COLUMNS: Final = ("id", "reference", "generated")


def read_csv_predictions(path: Path, needs_reference: bool = True) -> list[Prediction]:
    r"""Return the predictions of a CSV file with a header; other columns are not read.

    Args:
        path: The file, in UTF-8; texts with commas, quotes or line breaks in double quotes.
        needs_reference: Whether the column `reference` must be there; without it, "".

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no CSV, lacks a column, or an id is empty or comes twice. The
            message names the line.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "predictions.csv"
    >>> _ = file.write_text('id,generated,reference\ns1,"clear\nlungs .",a mass .\n')
    >>> read_csv_predictions(file)[0].generated
    'clear\nlungs .'
    """
    table = read_table(path)
    needed = COLUMNS if needs_reference else ("id", "generated")
    missing = [name for name in needed if name not in table.columns]
    if missing:
        raise ValueError(
            f"{path}: lacks the columns {', '.join(missing)}; line 1 names"
            f" {', '.join(table.columns)}; columns are separated by commas"
        )
    predictions: list[Prediction] = []
    seen: dict[str, str] = {}
    for where, row in table.rows:
        prediction = Prediction(row["id"], row.get("reference", ""), row["generated"])
        require_id(prediction.id, where)
        check_report(prediction.reference, where, prediction.id)
        check_report(prediction.generated, where, prediction.id)
        require_once(prediction.id, where, where.rpartition(", ")[2], seen)
        predictions.append(prediction)
    if not predictions:
        raise ValueError(f"{path}: no prediction in it, only a header")
    return predictions
