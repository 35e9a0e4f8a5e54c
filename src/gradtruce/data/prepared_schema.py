"""How one study lies in an Arrow shard: the columns, and the way there and back."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from gradtruce.data.images.png import decode_png, encode_png
from gradtruce.data.images.view_bytes import decode_view, encode_view
from gradtruce.data.observations import OBSERVATIONS
from gradtruce.data.study import SPLITS, Finding, Region, Study, View

Row = dict[str, Any]  # values of an Arrow row: text, numbers, bytes, lists and dicts of these

_VIEW = pa.struct(
    [
        ("image", pa.binary()),
        ("position", pa.string()),
        ("burned_in", pa.bool_()),
        ("is_lossy", pa.bool_()),
    ]
)
_REGION = pa.struct(
    [("view", pa.int16()), ("box", pa.list_(pa.int32(), 4)), ("mask", pa.binary())],
)
_FINDING = pa.struct(
    [
        ("observation", pa.string()),
        ("kind", pa.string()),
        ("severity", pa.string()),
        ("side", pa.string()),
        ("zone", pa.string()),
        ("size", pa.float64()),
        ("certainty", pa.string()),
        ("change", pa.string()),
        ("regions", pa.list_(_REGION)),
    ]
)

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("patient", pa.string()),
        ("split", pa.string()),
        ("views", pa.list_(_VIEW)),
        ("report", pa.string()),
        ("sections", pa.list_(pa.struct([("name", pa.string()), ("text", pa.string())]))),
        ("labels", pa.struct([(name, pa.int8()) for name in OBSERVATIONS])),
        ("label_source", pa.string()),
        ("findings", pa.list_(_FINDING)),
        ("prior", pa.string()),
        ("is_synthetic", pa.bool_()),
    ]
)
"""Schema 1: one row a study; views are 8-bit grey PNG or JPEG, masks 1-bit PNG, a missing label is
null. No file name of the source is kept."""


def to_row(study: Study, jpeg: int | None = None) -> Row:
    """Return the study as a row of `SCHEMA`.

    Args:
        study: What to keep.
        jpeg: Quality of its views; `None` keeps them lossless.

    Raises:
        ValueError: If the study breaks a rule of `Study`; the message names study and remedy.

    >>> film = View(np.zeros((4, 4), dtype=np.uint8), "frontal")
    >>> row = to_row(Study("s1", "p1", "train", (film,), "Clear lungs.", labels={"Edema": 0},
    ...                    label_source="by hand"))
    >>> row["labels"]["Edema"], row["labels"]["Fracture"]
    (0, None)
    """
    check_study(study)
    return {
        "id": study.id,
        "patient": study.patient,
        "split": study.split,
        "views": [_view_row(view, jpeg) for view in study.views],
        "report": study.report,
        "sections": [{"name": name, "text": text} for name, text in study.sections.items()],
        "labels": {name: study.labels.get(name) for name in OBSERVATIONS},
        "label_source": study.label_source,
        "findings": [_finding_row(finding) for finding in study.findings],
        "prior": study.prior,
        "is_synthetic": study.is_synthetic,
    }


def from_row(row: Row) -> Study:
    """Return the study that a row of `SCHEMA` holds.

    >>> film = View(np.full((4, 4), 9, dtype=np.uint8), "lateral")
    >>> study = from_row(to_row(Study("s1", "p1", "val", (film,), "Clear lungs.")))
    >>> study.id, study.views[0].position, int(study.views[0].pixels.max()), study.labels
    ('s1', 'lateral', 9, {})
    """
    return Study(
        id=row["id"],
        patient=row["patient"],
        split=row["split"],
        views=views_from(row["views"]),
        report=row["report"],
        sections={section["name"]: section["text"] for section in row["sections"]},
        labels={name: state for name, state in row["labels"].items() if state is not None},
        label_source=row["label_source"],
        findings=tuple(_finding_from(finding) for finding in row["findings"]),
        prior=row["prior"],
        is_synthetic=row["is_synthetic"],
    )


def views_from(column: list[Row]) -> tuple[View, ...]:
    """Return the views of one row.

    >>> image = encode_view(np.zeros((2, 3), dtype=np.uint8))
    >>> row = {"image": image, "position": "frontal", "burned_in": None, "is_lossy": False}
    >>> views_from([row])[0].pixels.shape
    (2, 3)
    """
    return tuple(
        View(decode_view(view["image"]), view["position"], view["burned_in"], view["is_lossy"])
        for view in column
    )


def check_study(study: Study) -> None:
    """Refuse a study that a prepared set must not hold.

    Raises:
        ValueError: Naming the study, what is wrong, and what to do.

    >>> check_study(Study("s1", "p1", "train", (), "Clear lungs."))
    Traceback (most recent call last):
    ValueError: study 's1': it has no view; give it at least one image or leave it out
    """
    for ok, problem in (
        (study.id.strip(), "its id is blank; give it one"),
        (study.patient.strip(), "its patient is blank; use the study's id if it is not known"),
        (study.split in SPLITS, f"its split is {study.split!r}; it must be one of {SPLITS}"),
        (study.report.strip(), "its report is empty; give it a report or leave it out"),
        (_is_writable(study), "its text is not valid Unicode; repair it or leave it out"),
        (study.views, "it has no view; give it at least one image or leave it out"),
        (
            study.label_source or not study.labels,
            "it has labels without a source; set label_source",
        ),
    ):
        if not ok:
            raise ValueError(f"study {study.id!r}: {problem}")
    _check_labels(study)
    _check_pixels(study)


def _is_writable(study: Study) -> bool:
    try:
        "".join((study.id, study.patient, study.report, *study.sections.values())).encode()
    except UnicodeEncodeError:  # half a surrogate pair, as broken JSON has it
        return False
    return True


def _check_labels(study: Study) -> None:
    for name, state in study.labels.items():
        if name not in OBSERVATIONS:
            raise ValueError(
                f"study {study.id!r}: label {name!r} is none of the 14 observations; "
                "map it to one of them or leave it out"
            )
        if state not in (1, 0, -1):
            raise ValueError(
                f"study {study.id!r}: label {name!r} is {state!r}; it must be 1, 0 or -1, "
                "and left out where missing"
            )
    for finding in study.findings:
        if finding.observation not in OBSERVATIONS:
            raise ValueError(
                f"study {study.id!r}: finding {finding.observation!r} is none of the 14 "
                "observations; map it to one of them or leave it out"
            )


def _check_pixels(study: Study) -> None:
    for view in study.views:
        if view.pixels.dtype != np.uint8 or view.pixels.ndim != 2 or not view.pixels.size:
            raise ValueError(
                f"study {study.id!r}: a view must be a (height, width) array of uint8, "
                f"got {view.pixels.shape} of {view.pixels.dtype}; convert it to 8-bit grey"
            )
    shapes = [view.pixels.shape for view in study.views]
    for region in (region for finding in study.findings for region in finding.regions):
        if not 0 <= region.view < len(shapes) or region.mask.shape != shapes[region.view]:
            raise ValueError(
                f"study {study.id!r}: a region of view {region.view} has a mask of shape "
                f"{region.mask.shape}; the views have {shapes}"
            )


def _view_row(view: View, jpeg: int | None) -> Row:
    return {
        "image": encode_view(view.pixels, jpeg),
        "position": view.position,
        "burned_in": view.burned_in,
        "is_lossy": view.is_lossy,
    }


def _finding_row(finding: Finding) -> Row:
    row: Row = {field.name: getattr(finding, field.name) for field in _FINDING}
    row["regions"] = [
        {"view": region.view, "box": list(region.box), "mask": encode_png(region.mask)}
        for region in finding.regions
    ]
    return row


def _finding_from(row: Mapping[str, Any]) -> Finding:
    regions = tuple(
        Region(region["view"], tuple(region["box"]), decode_png(region["mask"]))
        for region in row["regions"]
    )
    return Finding(**{**row, "regions": regions})
