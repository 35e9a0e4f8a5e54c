"""Reports by id: files to label, and references that are joined to predictions."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from gradtruce.evaluation.formats.json_files import json_lines, read_json, text_field
from gradtruce.evaluation.formats.tables import read_table
from gradtruce.evaluation.formats.texts import check_report, read_text, require_id, require_once

REPORT_FIELDS: Final = ("report", "text", "reference", "generated")
"""Names under which a report is looked for."""

REFERENCE_FIELDS: Final = ("reference", "report")
"""Names under which a reference is looked for."""

ID_FIELDS: Final = ("id", "study_id")
"""Names under which an id is looked for: ours first, then ReXrank's."""


def read_reports(path: Path, field: str | None = None) -> list[tuple[str, str]]:
    """Return id and text of each report of a file, in its order.

    Args:
        path: JSON Lines; CSV with a header; or, where the name ends in `.json`, JSON: texts by id,
            or the annotation file of R2Gen, of which the test split is read.
        field: Name of the text; by default the only one of `REPORT_FIELDS` that is there.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no text of its kind, has no id or no text, has several texts and
            none is chosen, or has an id twice. The message names file and line.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "reports.jsonl"
    >>> _ = file.write_text('{"id": "s1", "report": "clear lungs ."}')
    >>> read_reports(file)
    [('s1', 'clear lungs .')]
    """
    return _read(path, REPORT_FIELDS, field)


def read_references(path: Path) -> dict[str, str]:
    r"""Return the references of a file by id: `reference` or `report` of each line.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: As for `read_reports`.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "references.csv"
    >>> _ = file.write_text("id,report\ns1,clear lungs .")
    >>> read_references(file)
    {'s1': 'clear lungs .'}
    """
    return dict(_read(path, REFERENCE_FIELDS, None))


def _read(path: Path, known: Sequence[str], field: str | None) -> list[tuple[str, str]]:
    reports: list[tuple[str, str]] = []
    seen: dict[str, str] = {}
    chosen = field
    for where, fields in _records(path):
        chosen = chosen if chosen is not None else _only(fields, known, where)
        study = text_field(fields, _id_field(fields, where), where)
        require_id(study, where)
        text = text_field(fields, chosen, where)
        check_report(text, where, study)
        require_once(study, where, where.rpartition(", ")[2], seen)
        reports.append((study, text))
    if not reports:
        raise ValueError(f"{path}: no report in it")
    return reports


def _records(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if path.suffix.lower() == ".json":
        return _json_records(path)
    return json_lines(path) if read_text(path).lstrip()[0] in "[{" else iter(read_table(path).rows)


def _json_records(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    content = read_json(path)
    if not isinstance(content, dict):
        message = f"{path}: expected texts by id; write a list as JSON Lines, one object a line"
        raise ValueError(message)  # noqa: TRY004 # a file's content
    test = content.get("test")
    if isinstance(test, list):
        for number, record in enumerate(test):
            if not isinstance(record, dict):
                message = f"{path}: record {number} of the test split is no object"
                raise ValueError(message)  # noqa: TRY004 # a file's content
            yield f"{path}, record {number} of the test split", record
        return
    for study, text in content.items():
        yield f"{path}, key {study!r}", {"id": study, "report": only_text(text)}


def only_text(value: object) -> object:
    """Return the text of a list of one text, as caption code writes it; other values as they are.

    >>> only_text(["clear lungs ."])
    'clear lungs .'
    """
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _only(fields: Mapping[str, object], known: Sequence[str], where: str) -> str:
    present = [name for name in known if name in fields]
    if not present:
        raise ValueError(
            f"{where}: no report; expected one of {', '.join(known)}, found {sorted(fields)}"
        )
    if len(present) > 1:
        raise ValueError(
            f"{where}: {' and '.join(present)} are both there; choose one by field={present[0]!r}"
        )
    return present[0]


def _id_field(fields: Mapping[str, object], where: str) -> str:
    for name in ID_FIELDS:
        if name in fields:
            return name
    raise ValueError(f"{where}: field 'id' is missing; found {sorted(fields)}")
