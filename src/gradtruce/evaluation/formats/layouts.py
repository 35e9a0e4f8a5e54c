"""Predictions of any system: which layout a file has, and its references from another file."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from gradtruce.evaluation.formats import comma_separated, promptmrg, r2gen, rexrank
from gradtruce.evaluation.formats.reports import read_references
from gradtruce.evaluation.formats.tables import header
from gradtruce.evaluation.formats.texts import read_text
from gradtruce.evaluation.predictions import Prediction, read_predictions

AUTO: Final = "auto"
EXAMPLES: Final = 5
"""Ids that a message names of many."""


@dataclass(frozen=True)
class _Layout:
    read: Callable[[Path, bool], list[Prediction]]
    files_in: Callable[[Path], list[Path]]


def _named(*names: str) -> Callable[[Path], list[Path]]:
    return lambda folder: [folder / name for name in names if (folder / name).is_file()]


_LAYOUTS: Final[Mapping[str, _Layout]] = {
    "jsonl": _Layout(read_predictions, _named("predictions.jsonl")),
    "csv": _Layout(comma_separated.read_csv_predictions, _named("predictions.csv")),
    "r2gen": _Layout(r2gen.read_r2gen, r2gen.files_in),
    "promptmrg": _Layout(promptmrg.read_promptmrg, promptmrg.files_in),
    "rexrank": _Layout(rexrank.read_rexrank, _named("prediction.json")),
}

LAYOUTS: Final = tuple(_LAYOUTS)
"""Names of the layouts."""


def read_any(path: Path, layout: str = AUTO, references: Path | None = None) -> list[Prediction]:
    r"""Return the predictions of a file or folder of any of the layouts, in its order.

    Args:
        path: A file, or the folder that a system wrote it into.
        layout: One of `LAYOUTS`; "auto" finds it out, and refuses what could be several.
        references: File of references by id (see `formats.reports`). They replace those that come
            with the predictions, and must be of exactly the same studies.

    Raises:
        FileNotFoundError: If a file is not there.
        ValueError: If the layout is not known or not certain, the file does not keep to it, or
            ids of predictions and references differ.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "predictions.csv"
    >>> _ = file.write_text("id,reference,generated\ns1,clear,clear")
    >>> read_any(file) == read_any(file, layout="csv")
    True
    """
    if layout != AUTO and layout not in _LAYOUTS:
        raise ValueError(f"no layout is called {layout!r}; known: {AUTO}, {', '.join(LAYOUTS)}")
    if path.is_dir():
        layout, path = _in_folder(path, layout)
    elif layout == AUTO:
        layout = sniff(path)
    predictions = _LAYOUTS[layout].read(path, references is None)
    if references is None:
        return predictions
    return _join(predictions, read_references(references), path, references)


def sniff(path: Path) -> str:
    """Return the layout of a file: by its name and beginning, or else by its whole content.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is of none of the layouts, or could be of several.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "predictions.jsonl"
    >>> _ = file.write_text('{"id": "s1", "reference": "clear", "generated": "clear"}')
    >>> sniff(file)
    'jsonl'
    """
    if not path.exists():
        raise FileNotFoundError(f"no prediction file {path}; `gradtruce predict` writes one")
    text = read_text(path)
    if path.name in promptmrg.LINES:
        return "promptmrg"
    if text.lstrip()[0] in "[{":
        return _sniff_json(path, text)
    found = _sniff_csv(path)
    if len(found) == 1:
        return found[0]
    if found:
        raise ValueError(
            f"{path}: could be {' or '.join(found)} by its columns {', '.join(header(path))};"
            f" say which: layout={found[0]!r}"
        )
    raise ValueError(
        f"{path}: not recognised; expected JSON Lines, a CSV whose line 1 names"
        f" {', '.join(comma_separated.COLUMNS)}, or a layout of {', '.join(LAYOUTS[2:])}; its line"
        f" 1 names {', '.join(header(path))!r:.80}; where it is one of these, say which by layout"
    )


def _sniff_csv(path: Path) -> list[str]:
    columns = header(path)
    found = []
    if {"id", "generated"} <= set(columns):
        found.append("csv")
    if set(rexrank.COLUMNS) <= set(columns):
        found.append("rexrank")
    if path.name in r2gen.COLUMNS and not found:
        found.append("r2gen")
    return found


def _sniff_json(path: Path, text: str) -> str:
    try:
        content = json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        return "jsonl"  # several lines, or damaged: its reader says where
    if isinstance(content, list):
        return _sniff_list(path, content)
    if "id" in content and "generated" in content:
        return "jsonl"  # of one line
    values = list(content.values())
    if any(isinstance(value, dict) and rexrank.GENERATED in value for value in values):
        return "rexrank"
    if values and all(isinstance(value, str | list) for value in values) and "id" not in content:
        return "r2gen"
    raise ValueError(
        f"{path}: JSON, but not recognised; expected an object a line with id, reference and"
        " generated, texts by id, or ReXrank's object by study with model_prediction; its keys are"
        f" {', '.join(list(content)[:EXAMPLES])}"
    )


def _sniff_list(path: Path, content: Sequence[Any]) -> str:
    if any(isinstance(item, dict) and "img_id" in item for item in content):
        return "r2gen"
    raise ValueError(f"{path}: a JSON list; write one object a line (JSON Lines) instead")


def _in_folder(folder: Path, layout: str) -> tuple[str, Path]:
    """Return layout and file of the predictions in a folder; the same file is found once."""
    names = LAYOUTS if layout == AUTO else (layout,)
    found: dict[Path, str] = {}
    for name in names:
        for file in _LAYOUTS[name].files_in(folder):
            found.setdefault(file, name)
    if len(found) == 1:
        ((file, name),) = found.items()
        return name, file
    known = ", ".join(file.name for file in found)
    if found:
        raise ValueError(f"{folder}: several predictions, {known}; name the file itself")
    raise ValueError(
        f"{folder}: no predictions that are known by name for layout {layout!r}; name the file"
    )


def _join(
    predictions: Sequence[Prediction],
    references: Mapping[str, str],
    path: Path,
    references_path: Path,
) -> list[Prediction]:
    unanswered = [prediction.id for prediction in predictions if prediction.id not in references]
    generated = {prediction.id for prediction in predictions}
    unused = [study for study in references if study not in generated]
    if unanswered or unused:
        raise ValueError(
            f"ids differ: {path} has {_some(unanswered)} that {references_path} has not,"
            f" {references_path} has {_some(unused)} that {path} has not; both must have the same"
            " studies"
        )
    return [replace(prediction, reference=references[prediction.id]) for prediction in predictions]


def _some(ids: Sequence[str]) -> str:
    examples = ", ".join(repr(study) for study in ids[:EXAMPLES])
    more = ", …" if len(ids) > EXAMPLES else ""
    return f"{len(ids)} ({examples}{more})" if ids else "none"
