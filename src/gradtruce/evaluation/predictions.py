"""Prediction files: JSON Lines with an id, a reference and a generated report."""

import difflib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from gradtruce.data.observations import OBSERVATIONS
from gradtruce.evaluation.formats.json_files import json_lines, text_field
from gradtruce.evaluation.formats.texts import check_report, require_id, require_once
from gradtruce.files import write_whole

SCHEMA = 1


@dataclass(frozen=True)
class Prediction:
    """One generated report beside its reference.

    Attributes:
        id: Study id.
        reference: Text of the reference report; "" where there is none (one's own images).
        generated: Text of the generated report; may be empty, and is then scored as empty.
        findings: Probability of each observation by name, where the method has a findings head.
        labels: Known states of the observations by name, such as a phantom's truth.
        label_source: Where `labels` come from; named without labels, they are all missing.
        told: What the report was generated from besides the images, such as labels of the
            reference; "" for images alone, or where nobody says.

    >>> Prediction("s1", "the heart is enlarged .", "no acute disease .").generated
    'no acute disease .'
    """

    id: str
    reference: str
    generated: str
    findings: Mapping[str, float] | None = None
    labels: Mapping[str, int] | None = None
    label_source: str = ""
    told: str = ""


def read_predictions(path: Path, needs_reference: bool = True) -> list[Prediction]:
    """Return the predictions of a file, in its order.

    Fields that are not known are ignored, so a file of another system can carry its own.

    Args:
        path: A JSON Lines file.
        needs_reference: Whether each line must have its reference; without one it is "".

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no text, a line is not JSON, a field is missing or of the wrong
            kind, a text is too long, an id comes twice, or there is no prediction at all. The
            message names file, line and field.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "predictions.jsonl"
    >>> _ = file.write_text('{"id": "s1", "reference": "clear lungs .", "generated": ""}')
    >>> read_predictions(file)[0].reference
    'clear lungs .'
    """
    if not path.exists():
        raise FileNotFoundError(f"no prediction file {path}; `gradtruce predict` writes one")
    predictions: list[Prediction] = []
    seen: dict[str, str] = {}
    for where, fields in json_lines(path):
        if not needs_reference:
            fields.setdefault("reference", "")
        prediction = _parse(fields, where)
        require_once(prediction.id, where, where.rpartition(", ")[2], seen)
        predictions.append(prediction)
    return predictions


def write_predictions(path: Path, predictions: Iterable[Prediction]) -> None:
    """Write one prediction a line; the file is there whole or not at all.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "predictions.jsonl"
    >>> write_predictions(file, [Prediction("s1", "clear lungs .", "clear lungs .")])
    >>> print(file.read_text().strip())
    {"schema": 1, "id": "s1", "reference": "clear lungs .", "generated": "clear lungs ."}
    """
    write_whole(path, "".join(_line(prediction) + "\n" for prediction in predictions))


def label_matrix(
    predictions: Sequence[Prediction],
) -> Float[np.ndarray, "reports observations"]:
    """Return `labels` as a matrix with the 14 observations as columns, NaN where missing.

    >>> label_matrix([Prediction("s1", "a", "b", labels={"No Finding": 1})])[0, -2:]
    array([nan,  1.])
    """
    return _matrix([prediction.labels or {} for prediction in predictions])


def findings_matrix(
    predictions: Sequence[Prediction],
) -> Float[np.ndarray, "reports observations"]:
    """Return `findings` as a matrix with the 14 observations as columns, NaN where missing.

    >>> findings_matrix([Prediction("s1", "a", "b", findings={"No Finding": 0.25})])[0, -2:]
    array([ nan, 0.25])
    """
    return _matrix([prediction.findings or {} for prediction in predictions])


def _matrix(rows: Sequence[Mapping[str, int | float]]) -> Float[np.ndarray, "rows observations"]:
    values = [[row.get(name, math.nan) for name in OBSERVATIONS] for row in rows]
    return np.array(values, dtype=np.float64).reshape(len(rows), len(OBSERVATIONS))


def _line(prediction: Prediction) -> str:
    fields: dict[str, Any] = {  # JSON values of several kinds
        "schema": SCHEMA,
        "id": prediction.id,
        "reference": prediction.reference,
        "generated": prediction.generated,
    }
    if prediction.findings is not None:
        fields["findings"] = dict(prediction.findings)
    if prediction.labels is not None:
        fields["labels"] = dict(prediction.labels)
    for name in ("label_source", "told"):
        if getattr(prediction, name):
            fields[name] = getattr(prediction, name)
    return json.dumps(fields, ensure_ascii=False, allow_nan=False)


def _parse(fields: Mapping[str, Any], where: str) -> Prediction:
    if fields.get("schema", SCHEMA) != SCHEMA:
        raise ValueError(f"{where}: schema {fields['schema']!r} is not known, only {SCHEMA}")
    study = text_field(fields, "id", where)
    require_id(study, where)
    texts = {name: text_field(fields, name, where) for name in ("reference", "generated")}
    for text in texts.values():
        check_report(text, where, study)
    return Prediction(
        id=study,
        **texts,
        findings=_probabilities(fields.get("findings"), where),
        labels=_states(fields.get("labels"), where),
        label_source=text_field(fields, "label_source", where) if "label_source" in fields else "",
        told=text_field(fields, "told", where) if "told" in fields else "",
    )


def _probabilities(value: object, where: str) -> dict[str, float] | None:
    if value is None:
        return None
    probabilities: dict[str, float] = {}
    for name, number in _by_observation(value, "findings", where).items():
        is_number = isinstance(number, int | float) and not isinstance(number, bool)
        if not is_number or not 0 <= number <= 1:
            raise ValueError(
                f"{where}: findings.{name!r} must be a probability from 0 to 1, found {number!r}"
            )
        probabilities[name] = float(number)
    return probabilities


def _states(value: object, where: str) -> dict[str, int] | None:
    if value is None:
        return None
    states: dict[str, int] = {}
    for name, state in _by_observation(value, "labels", where).items():
        if state is None:
            continue  # as good as left out: missing
        if isinstance(state, bool) or state not in (1, 0, -1):
            raise ValueError(
                f"{where}: labels.{name!r} must be 1 (positive), 0 (negative), -1 (uncertain)"
                f" or null (missing), found {state!r}"
            )
        states[name] = int(state)
    return states


def _by_observation(value: object, field: str, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        message = f"{where}: field {field!r} must be an object by observation name"
        raise ValueError(message)  # noqa: TRY004 # a file's content
    for name in value:
        if name not in OBSERVATIONS:
            near = difflib.get_close_matches(name, OBSERVATIONS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(OBSERVATIONS)}"
            raise ValueError(f"{where}: {field} names no observation by {name!r}; {hint}")
    return value
