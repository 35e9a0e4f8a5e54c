"""What the headers of radiology reports mean: many spellings, a few canonical names."""

import difflib
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, Literal

_SPELLINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "findings": ("findings", "finding", "reference findings", "chest, two views"),
    "impression": (
        "impression",
        "impressions",
        "conclusion",
        "findings and impression",
        "findings/impression",
        "findings/ impression",
    ),
    "indication": (
        "indication",
        "indications",
        "clinical indication",
        "reason for exam",
        "reason for examination",
        "history",
        "patient history",
        "clinical history",
        "clinical information",
    ),
    "comparison": (
        "comparison",
        "comparisons",
        "comparison exam",
        "comparison film",
        "reference exam",
    ),
    "examination": ("examination", "exam", "type of examination"),
    "technique": ("technique",),
    "recommendations": ("recommendation", "recommendations", "recommendation(s)"),
    "notification": ("notification",),
    "addendum": ("addendum",),
    "wet_read": ("wet read", "wetread"),
    "provisional": ("pfi",),
    "comment": ("comment",),
    "date": ("date",),
}
_CANONICAL: Final = {text: name for name, texts in _SPELLINGS.items() for text in texts}

_WITHIN: Final = (
    ("communicat", "notification"),
    ("notification", "notification"),
    ("impression", "impression"),
    ("findings", "findings"),
    ("history", "indication"),
    ("comparison", "comparison"),
    ("addendum", "addendum"),
    ("indication", "indication"),
    ("reason", "indication"),
    ("clinical", "indication"),
    ("technique", "technique"),
)
_VIEWS: Final = re.compile(
    r"chest|portable|ribs|bone window|frontal (?:and|view|upright|semi-upright)"
    r"|(?:two|one|pa|ap|lateral) views?|(?:pa|ap) and lat|lateral and (?:pa|ap)"
)
_PARTS: Final = re.compile(
    r"\b(?:lungs?|pulmonary|airways?|trachea|heart|cardi\w+|mediastin\w+|hil(?:a|um|ar)|pleura\w*|"
    r"diaphragms?|bones?|bony|osseous|skelet\w+|ribs?|spine|thora\w+|shoulders?|soft tissues?|"
    r"chest wall|abdomen|aorta|vascula\w+|vessels?|lines?|tubes?|catheters?|devices?|hardware)\b"
)
_MORE: Final = re.compile(r"(?:other|additional|incidental|remaining|miscellaneous)\b")
_OFTEN_MISSPELT: Final = ("impression", "findings", "indication", "comparison")
_ALIKE: Final = 0.85
_LONGEST_NAME: Final = 60


@lru_cache(maxsize=4096)
def section_name(header: str) -> str:
    """Return the canonical name of a header, or the header in lower case where it has none.

    In this order, as the public MIMIC-CXR tool has it (Johnson et al. 2019): a known spelling; a
    name within the header ("CT findings"); a description of views ("PORTABLE CHEST"), which
    stands above findings. Then, where that tool lists single typing errors, likeness to a name.
    Other than there, "REASON FOR PORTABLE CHEST" is an indication, and "COMMUNICATION OF FINDINGS"
    a notification: neither is what was seen.

    >>> [section_name(header) for header in ("CLINICAL HISTORY", "AP AND LATERAL", "IMPRESSOIN")]
    ['indication', 'findings', 'impression']
    >>> section_name("Critical results")
    'critical results'
    """
    name = " ".join(header.lower().split())[:_LONGEST_NAME]
    if name in _CANONICAL:
        return _CANONICAL[name]
    for part, canonical in _WITHIN:
        if part in name:
            return canonical
    if _VIEWS.search(name):
        return "findings"
    alike = difflib.get_close_matches(name, _OFTEN_MISSPELT, n=1, cutoff=_ALIKE)
    return alike[0] if alike else name


def is_known(header: str) -> bool:
    """Return whether a header in any case is one of the known spellings.

    >>> is_known("Findings"), is_known("The following")
    (True, False)
    """
    return " ".join(header.lower().split()) in _CANONICAL


def spellings_of(name: str) -> tuple[str, ...]:
    """Return the known spellings of a canonical name, the longest first.

    >>> spellings_of("technique")
    ('technique',)
    """
    return tuple(sorted(_SPELLINGS[name], key=len, reverse=True))


def part_of_findings(header: str) -> Literal["", "organ", "views"]:
    """Return whether a header that is no known name tells an organ or device, views, or neither.

    >>> part_of_findings("LINES AND TUBES"), part_of_findings("PORTABLE CHEST")
    ('organ', 'views')
    >>> part_of_findings("OTHER FINDINGS"), part_of_findings("REASON FOR CHEST FILM")
    ('organ', '')
    """
    name = " ".join(header.lower().split())
    if _MORE.match(name):
        return "organ"
    if is_known(header) or any(part in name for part, _ in _WITHIN):
        return ""
    if _VIEWS.search(name):
        return "views"
    return "organ" if _PARTS.search(name) else ""
