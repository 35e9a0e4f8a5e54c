"""Annotation files of R2Gen's line of methods, read item by item: they have 200 to 900 MB."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TextIO, final

from gradtruce.data.observations import LabelState
from gradtruce.data.sources.mimic_cxr_files import SUBJECT
from gradtruce.data.study import SPLITS, Split
from gradtruce.data.text_file import regular_file

_CHUNK: Final = 1 << 20
_LONGEST_ITEM: Final = 1 << 24
_STATES: Final[tuple[LabelState | None, ...]] = (None, 1, 0, -1)
_OBSERVATIONS: Final = 14
_LABEL_COUNTS: Final = (_OBSERVATIONS, 18)  # PromptMRG has four more of its own behind them


@final
@dataclass(frozen=True, slots=True)
class AnnotatedItem:
    """One item of an annotation file, its form checked.

    Attributes:
        id: Its own id, or the name of its first image.
        patient: Subject id of MIMIC-CXR.
        study: Study id, "" if it has none.
        split: In which list it is.
        report: The text to write; never blank.
        images: Paths below the folder of images.
        labels: States in the order of `OBSERVATIONS`; () without labels.
        context: Image of the previous study, "" if it has none (DDaTR's `context_image`).
        lacks_context: It claims a previous study (`has_progress`) and names no image of it.
    """

    id: str
    patient: str
    study: str
    split: Split
    report: str
    images: tuple[str, ...]
    labels: tuple[LabelState | None, ...] = ()
    context: str = ""
    lacks_context: bool = False


def read_items(path: Path) -> Iterator[tuple[Split, int, dict[str, Any]]]:  # any JSON value
    r"""Yield split, place and content of every item; one item at a time is in memory.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not an object of the lists train, val and test, each once, of objects.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "annotation.json"
    ...     _ = path.write_text('{"train": [{"id": "a"}], "val": [], "test": []}')
    ...     list(read_items(path))
    [('train', 0, {'id': 'a'})]
    """
    with regular_file(path).open(encoding="utf-8-sig") as stream:
        reader = _Reader(path, stream)
        seen: set[str] = set()
        reader.expect("{", "an object of the lists train, val and test")
        while reader.begins_another("}", is_first=not seen):
            split = _split(reader.value(), seen, path)
            reader.expect(":", f"a list called {split}")
            reader.expect("[", f"a list called {split}")
            place = 0
            while reader.begins_another("]", is_first=place == 0):
                item = reader.value()
                if not isinstance(item, dict):  # a bad value of a file, no bad call
                    raise ValueError(f"{path}: {split}, item {place} must be an object")  # noqa: TRY004
                yield split, place, item
                place += 1
        missing = [split for split in SPLITS if split not in seen]
        if missing:
            raise ValueError(f"{path}: lacks the lists {', '.join(missing)}")


def checked_item(split: Split, item: dict[str, Any]) -> AnnotatedItem:  # any JSON value
    """Return an item whose form is right; fields that are not known are left out.

    Raises:
        ValueError: If a field is missing or of another kind; the message names the field.

    >>> item = {"study_id": 51234567, "subject_id": 12345678, "report": "Clear.",
    ...         "image_path": ["p12/p12345678/s51234567/a.jpg"], "labels": [0, 1, 2, 3] + [0] * 14}
    >>> checked = checked_item("val", item)
    >>> checked.id, checked.patient, checked.labels[:4]
    ('a', '12345678', (None, 1, 0, -1))
    """
    images = _texts(item, "image_path")
    if not images:
        raise ValueError("image_path must name an image, is empty")
    report = item.get("report")
    if not isinstance(report, str) or not report.strip():
        raise ValueError(f"report must be a text that is not blank, is {_short(report)}")
    name = images[0].rpartition("/")[2].rpartition(".")[0] or images[0]
    context = _texts(item, "context_image") if item.get("has_progress") else ()
    return AnnotatedItem(
        id=_text_or_number(item, "id") or name,
        patient=_patient(item, images[0]),
        study=_text_or_number(item, "study_id").removeprefix("s"),
        split=split,
        report=report,
        images=images,
        labels=_labels(item.get("labels")),
        context=context[0] if context else "",
        lacks_context=bool(item.get("has_progress")) and not context,
    )


@final
class _Reader:
    """Reads JSON values one after the other from a stream."""

    def __init__(self, path: Path, stream: TextIO) -> None:
        self._path, self._stream = path, stream
        self._decoder = json.JSONDecoder()
        self._text, self._place = "", 0

    def expect(self, mark: str, what: str) -> None:
        """Pass over a mark.

        Raises:
            ValueError: If another is there.
        """
        if self._peek() != mark:
            raise ValueError(f"{self._path}: must be {what}, found {self._peek() or 'its end'!r}")
        self._place += 1

    def begins_another(self, end: str, *, is_first: bool) -> bool:
        """Pass over what separates values, or over the end; return whether a value follows."""
        if self._peek() == end:
            self._place += 1
            return False
        if not is_first:
            self.expect(",", "JSON with a comma between values")
        return True

    def value(self) -> Any:  # any JSON value
        """Return the next value.

        Raises:
            ValueError: If it is no JSON, or longer than 16 MB.
        """
        self._peek()
        while True:
            try:
                value, self._place = self._decoder.raw_decode(self._text, self._place)
            except RecursionError:
                raise ValueError(f"{self._path}: is nested too deep") from None
            except ValueError as error:  # damaged, or not wholly read yet
                left = len(self._text) - self._place
                if left > _LONGEST_ITEM or not self._more():
                    raise ValueError(
                        f"{self._path}: not JSON, or cut off ({error}); download it again"
                    ) from None
            else:
                return value

    def _peek(self) -> str:
        """Return the next mark, "" at the end."""
        while True:
            while self._place < len(self._text):
                if not self._text[self._place].isspace():
                    return self._text[self._place]
                self._place += 1
            if not self._more():
                return ""

    def _more(self) -> bool:
        try:
            chunk = self._stream.read(max(_CHUNK, len(self._text) - self._place))
        except UnicodeDecodeError:
            raise ValueError(f"{self._path}: not UTF-8 text; download it again") from None
        self._text, self._place = self._text[self._place :] + chunk, 0
        return bool(chunk)


def _split(name: object, seen: set[str], path: Path) -> Split:
    for split in SPLITS:
        if name == split and split not in seen:
            seen.add(split)
            return split
    raise ValueError(
        f"{path}: must have the lists train, val and test, each once; found {_short(name)}"
    )


def _texts(item: dict[str, Any], name: str) -> tuple[str, ...]:  # any JSON value
    value = item.get(name) or []
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not all(isinstance(text, str) and text for text in values):
        raise ValueError(f"{name} must be a list of paths, is {_short(value)}")
    return tuple(values)


def _text_or_number(item: dict[str, Any], name: str) -> str:  # any JSON value
    value = item.get(name, "")
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"{name} must be a text or a whole number, is {_short(value)}")  # noqa: TRY004
    return str(value).strip()


def _patient(item: dict[str, Any], image: str) -> str:  # any JSON value
    stated = _text_or_number(item, "subject_id").removeprefix("p")
    in_path = [part[1:] for part in image.split("/") if part[:1] == "p" and len(part) == 9]
    patient = stated or next(iter(in_path), "")
    if not SUBJECT.fullmatch(patient):
        raise ValueError(f"subject_id must be 1 and 7 digits, is {_short(patient)}")
    if in_path and in_path[0] != patient:
        raise ValueError(f"subject_id is {patient}, but its image is of patient {in_path[0][:20]}")
    return patient


def _labels(values: object) -> tuple[LabelState | None, ...]:
    if values is None:
        return ()
    if not isinstance(values, list) or len(values) not in _LABEL_COUNTS:
        raise ValueError(f"labels must be a list of 14 or 18 states, is {_short(values)}")
    for value in values:
        if type(value) is not int or not 0 <= value < len(_STATES):
            raise ValueError(
                "labels must be 0 blank, 1 positive, 2 negative or 3 uncertain, has "
                f"{_short(value)}"
            )
    return tuple(_STATES[value] for value in values[:_OBSERVATIONS])


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
