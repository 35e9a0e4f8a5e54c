"""Where the headings of a report stand, in the many layouts that reports of one's own have."""

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from gradtruce.data.text.section_names import (
    is_known,
    part_of_findings,
    section_name,
    spellings_of,
)

_BLANK: Final = r"[ \t\u00a0]"
_START: Final = r"^[ \t\u00a0*#_>•-]{0,40}(?:\d{1,2}[.)][ \t\u00a0]{0,4})?"
_COLON: Final = rf"[*_]{{0,3}}{_BLANK}{{0,4}}[:：][*_]{{0,3}}"
_WITH_COLON: Final = re.compile(rf"{_START}([A-Za-z][A-Za-z ()/,&-]{{1,59}}){_COLON}", re.MULTILINE)
_WITH_DASH: Final = re.compile(
    rf"{_START}([A-Z][A-Z /]{{2,40}}){_BLANK}[-–—]{_BLANK}", re.MULTILINE
)
_ALONE: Final = re.compile(
    rf"{_START}([A-Za-z][A-Za-z ()/]{{2,40}})[*_]{{0,3}}{_BLANK}{{0,40}}$", re.MULTILINE
)
_ENDS_IN_BLANK_LINE: Final = re.compile(r"(?:^|\n)[ \t\u00a0]*\n$|^$")
_DEIDENTIFIED: Final = re.compile(r"X{2,}")
_AFTER_FINDINGS: Final = frozenset(
    {"findings", "impression", "recommendations", "notification", "addendum", "comment"}
)
_CAPITALS: Final = "|".join(
    re.escape(text.upper())
    for name in ("findings", "impression", "indication", "comparison", "technique")
    for text in spellings_of(name)
)
_CAPITALISED: Final = "Findings|Impressions?|(?:Clinical )?Indications?|Conclusion|Reason for exam"
_WITHIN_LINE: Final = re.compile(rf"(?<=\s)({_CAPITALS}|{_CAPITALISED}){_COLON}")


class Heading(NamedTuple):
    """A heading of a section.

    Attributes:
        start: Where the text before it ends.
        body: Where the text of the section begins.
        name: Canonical name of the section.
    """

    start: int
    body: int
    name: str


def find_headings(text: str) -> Iterator[Heading]:
    r"""Yield the headings of a report in any case, indent and layout, in order.

    A heading is, at the start of a line, a known name or unknown capitals up to a colon, a known
    name alone on its line, or one in capitals before a dash; marks of lists and of Markdown may
    stand before it. Within a line, it is a name of a main section up to a colon: in capitals, or
    one of a few that begin with a capital. What organs and views head belongs to the findings.

    >>> text = "Indication: Cough. Findings: Clear.\nHEART: Normal.\n**IMPRESSION**\nWell."
    >>> [(heading.name, text[heading.body :].split()[0]) for heading in find_headings(text)]
    [('indication', 'Cough.'), ('findings', 'Clear.'), ('impression', 'Well.')]
    """
    name, end, has_findings = "", 0, False
    for start, body, header in sorted(_candidates(text)):
        if start < end:
            continue
        end = body
        part = part_of_findings(header)
        if part and (has_findings or name in _AFTER_FINDINGS):
            continue  # of the section that it stands in
        name = "findings" if part else section_name(header)
        has_findings = has_findings or name == "findings"
        yield Heading(start, start if part == "organ" else body, name)


def _candidates(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield start, end and name of all that may be a heading; they may overlap."""
    takes_unknown = not text.isupper()
    for found in _WITH_COLON.finditer(text):
        header = found[1].strip()
        is_unknown = takes_unknown and header.isupper() and not _DEIDENTIFIED.fullmatch(header)
        if is_known(header) or is_unknown or (header.isupper() and part_of_findings(header)):
            yield found.start(), found.end(), header
    for found in _WITH_DASH.finditer(text):
        if is_known(found[1]):
            yield found.start(), found.end(), found[1].strip()
    yield from _alone(text, _ALONE.finditer(text))
    for found in _WITHIN_LINE.finditer(text):
        yield found.start(), found.end(), found[1]


def _alone(text: str, lines: Iterable[re.Match[str]]) -> Iterator[tuple[int, int, str]]:
    for found in lines:
        header = found[1].strip()
        if not is_known(header) or not header[0].isupper():
            continue
        before = text[max(0, found.start() - 80) : found.start()]
        if header.isupper() or _ENDS_IN_BLANK_LINE.search(before):
            yield found.start(), found.end(), header
