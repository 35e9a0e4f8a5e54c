"""The columns of a CSV of one's own studies: what each means, found by its name."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from gradtruce.data.label_states import OTHER_NAMES
from gradtruce.data.observations import OBSERVATIONS
from gradtruce.data.text.section_names import is_known, section_name

_SINGLE: Final = ("id", "patient", "split", "prior", "report", "report_file")
_NUMBERED: Final = re.compile(r"(image|position)[_ ]?(\d{0,3})", re.ASCII)
_OBSERVATIONS: Final = {
    text.lower(): name for name in OBSERVATIONS for text in (name, *OTHER_NAMES.get(name, ()))
}
_KNOWN: Final = (
    *_SINGLE,
    *("image", "position", "findings", "impression", "indication", "comparison", "technique"),
    *_OBSERVATIONS,
)
_ALIKE: Final = 0.8
_MOST_NAMED: Final = 20


@final
@dataclass(frozen=True)
class Columns:
    """Where in a row everything stands.

    Attributes:
        single: Place of id, patient, split, prior, report and report_file, of those there are.
        images: Places of image and position (`None` without one), by the number of the image.
        sections: Places of sections by canonical name.
        labels: Places of observations by name.
        unread: Names of the other columns.
    """

    single: Mapping[str, int]
    images: tuple[tuple[int, int | None], ...]
    sections: Mapping[str, int]
    labels: Mapping[str, int]
    unread: tuple[str, ...]

    @classmethod
    def find(cls, names: Sequence[str], path: Path) -> "Columns":
        """Return what the columns mean; case does not matter.

        Raises:
            ValueError: If one is missing, is there twice, or is almost a known one.

        >>> Columns.find(["ID", "image", "image2", "Findings", "age"], Path("a.csv")).unread
        ('age',)
        >>> Columns.find(["id", "image", "reprot"], Path("a.csv"))
        Traceback (most recent call last):
        ValueError: a.csv: no column is called 'reprot'; did you mean 'report'? rename or remove it
        """
        found: dict[tuple[str, str], int] = {}
        unread: list[str] = []
        for place, name in enumerate(names):
            meaning = _meaning(name, path)
            if meaning is None:
                unread.append(name)
            elif meaning in found:
                other = names[found[meaning]]
                raise ValueError(
                    f"{path}: the columns {other!r} and {name!r} mean the same; keep one"
                )
            else:
                found[meaning] = place
        images = sorted(int(number) for kind, number in found if kind == "image")
        columns = cls(
            {name: place for (kind, name), place in found.items() if kind == "single"},
            tuple((found["image", str(n)], found.get(("position", str(n)))) for n in images),
            {name: place for (kind, name), place in found.items() if kind == "section"},
            {name: place for (kind, name), place in found.items() if kind == "label"},
            tuple(unread),
        )
        columns._require(names, path)
        return columns

    def _require(self, names: Sequence[str], path: Path) -> None:
        has_text = {"report", "report_file"} & self.single.keys()
        has_text |= {"findings", "impression"} & self.sections.keys()
        for there, what in (
            ("id" in self.single, "id"),
            (self.images, "image"),
            (has_text, "report (or report_file, findings, impression)"),
        ):
            if not there:
                listed = ", ".join(map(repr, names[:_MOST_NAMED])) or "none"
                raise ValueError(
                    f"{path}: lacks the column {what}; name it in line 1, which has {listed}"
                )


def _meaning(name: str, path: Path) -> tuple[str, str] | None:
    """Return the kind and name of a column, `None` for one that is not read."""
    text = " ".join(name.lower().split())
    if text in _SINGLE:
        return "single", text
    numbered = _NUMBERED.fullmatch(text)
    if numbered:
        return numbered[1], str(int(numbered[2] or 1))
    if text in _OBSERVATIONS:
        return "label", _OBSERVATIONS[text]
    if is_known(text):
        return "section", section_name(text)
    alike = difflib.get_close_matches(text, _KNOWN, n=1, cutoff=_ALIKE)
    if alike:
        meant = next((o for o in OBSERVATIONS if o.lower() == alike[0]), alike[0])
        raise ValueError(
            f"{path}: no column is called {name!r}; did you mean {meant!r}? rename or remove it"
        )
    return None
