"""The files of ReXrank (rajpurkarlab/ReXrank).

A submission writes its input with one more field (`example_files/prediction.json`): an object by
study id, each study with `model_prediction` and the reference's sections, `section_findings` and
`section_impression` in the data sets, `findings` and `impression` in the example. Its evaluation
script (`example_files/evaluation_script.md`) turns that into two CSV files, columns `study_id` and
`report`: generated, and references as `Findings: … Impression: …`.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from gradtruce.evaluation.formats.json_files import read_json, text_field
from gradtruce.evaluation.formats.reports import read_reports
from gradtruce.evaluation.formats.texts import check_report, require_id
from gradtruce.evaluation.predictions import Prediction

GENERATED: Final = "model_prediction"
COLUMNS: Final = ("study_id", "report")
_SECTIONS: Final = {"Findings": "findings", "Impression": "impression"}


def read_rexrank(path: Path, needs_reference: bool = True) -> list[Prediction]:
    """Return the predictions of a submission's JSON, or of the CSV of generated reports.

    The reference is put together as ReXrank's script does, but for a section that is missing: the
    script then writes the word None, here the section is left out. Where both are missing, it is
    the field `reports` of its data sets.

    Args:
        path: The submission.
        needs_reference: Whether the references must be in it; a CSV never has them.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is not laid out so, a study lacks its prediction or reference, or an
            id comes twice.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "submission.json"
    >>> _ = file.write_text('{"7": {"impression": "Clear.", "model_prediction": "Normal."}}')
    >>> read_rexrank(file)[0].reference
    'Impression: Clear.'
    """
    if path.suffix.lower() == ".csv":
        if needs_reference:
            raise ValueError(
                f"{path}: generated reports only; give ReXrank's reference file by references=FILE"
            )
        return [Prediction(study, "", text) for study, text in read_reports(path, COLUMNS[1])]
    studies = read_json(path)
    if not isinstance(studies, dict) or not studies:
        raise ValueError(f"{path}: expected an object by study id, found {studies!r:.80}")
    return [
        _prediction(study, fields, f"{path}, study {study!r}", needs_reference)
        for study, fields in studies.items()
    ]


def _prediction(study: str, fields: object, where: str, needs_reference: bool) -> Prediction:
    if not isinstance(fields, dict):
        message = f"{where}: expected an object with {GENERATED}, found {fields!r:.80}"
        raise ValueError(message)  # noqa: TRY004 # a file's content
    require_id(study, where)
    generated = text_field(fields, GENERATED, where)
    reference = _reference(fields, where)
    if needs_reference and not reference:
        raise ValueError(
            f"{where}: no reference (section_findings, section_impression, findings, impression or"
            f" reports); found {sorted(fields)}"
        )
    check_report(generated, where, study)
    check_report(reference, where, study)
    return Prediction(study, reference, generated)


def _reference(fields: Mapping[str, Any], where: str) -> str:
    sections = []
    for title, name in _SECTIONS.items():
        text = _section(fields, f"section_{name}", where) or _section(fields, name, where)
        if text:
            sections.append(f"{title}: {text}")
    return " ".join(sections) or _section(fields, "reports", where)


def _section(fields: Mapping[str, Any], name: str, where: str) -> str:
    value = fields.get(name)
    if value is None or (isinstance(value, float) and math.isnan(value)):  # as pandas writes it
        return ""
    return text_field(fields, name, where)
