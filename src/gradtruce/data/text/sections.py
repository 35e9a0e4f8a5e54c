"""Split a raw radiology report into its sections, and choose the one to be generated."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, final

from gradtruce.data.text.headings import Heading, find_headings
from gradtruce.data.text.section_names import section_name

HeaderRule = Literal["mimic", "any_case"]
Target = Literal["findings", "impression", "findings+impression", "last_paragraph", "labeler_text"]

PREAMBLE: Final = "preamble"
FULL_REPORT: Final = "full_report"
LAST_PARAGRAPH: Final = "last_paragraph"

_MIMIC_HEADER: Final = re.compile(r"\n ([A-Z ()/,-]+):\s")
_BLANK_LINE: Final = re.compile(r"\n[ \t]*\n")
_MIMIC_BLANK_LINE: Final = re.compile(r"\n \n")
_WORD: Final = re.compile(r"[^\W\d_]{2}")
_DEIDENTIFIED: Final = re.compile(r"\bX{2,}\b")
_MAIN: Final = frozenset({"findings", "impression"})
_LAST_ONE_COUNTS: Final = _MAIN | {"comparison"}
_LABELER_ORDER: Final = ("impression", "findings", LAST_PARAGRAPH, "comparison")

Section = tuple[str, str]


def split_sections(text: str, rule: HeaderRule = "mimic") -> dict[str, str]:
    r'''Return the sections of a report by canonical name, in the order of the report.

    "mimic" finds headers as the public MIMIC-CXR tool does (Johnson et al. 2019): capitals up to a
    colon, one blank after the line break. A header on the very next line after one is taken for
    text, as there. "any_case" finds headings in the layouts of `headings.find_headings`.

    What stands before the first header is "preamble", a report without header "full_report"; if
    there is neither findings nor impression, what follows the first blank line of the last section
    is "last_paragraph". Of several findings, impressions or comparisons the last that is not blank
    counts, as there; other sections of one name are joined. History is "indication". Unknown
    headers keep their own name in lower case. Blank sections are left out.

    >>> split_sections(""" FINAL REPORT
    ...  INDICATION:  Cough.
    ...
    ...  FINDINGS:  Clear lungs.
    ... """)
    {'preamble': 'FINAL REPORT', 'indication': 'Cough.', 'findings': 'Clear lungs.'}
    >>> split_sections("Findings: Clear lungs.\nImpression: Normal.", "any_case")
    {'findings': 'Clear lungs.', 'impression': 'Normal.'}
    '''
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    headers = _mimic_headers(text) if rule == "mimic" else find_headings(text)
    sections = list(_cut(text, headers))
    sections = [(name, body) for name, body in sections if body.strip() or name not in _MAIN]
    if _MAIN.isdisjoint(name for name, _ in sections) and sections:
        blank = _MIMIC_BLANK_LINE if rule == "mimic" else _BLANK_LINE
        sections[-1:] = _without_last_paragraph(sections[-1], blank)
    return _by_name(sections)


@final
@dataclass(frozen=True)
class TargetText:
    """The text a model is to write for one study, or why there is none.

    Attributes:
        text: The text as the report has it; `None` if the report lacks it.
        sections: The sections it was taken from.
        reason: Why there is none, to be counted; "" if there is one.
    """

    text: str | None
    sections: tuple[str, ...] = ()
    reason: str = ""


def choose_target(sections: Mapping[str, str], target: Target = "findings") -> TargetText:
    """Return the text of the section that is to be generated.

    "findings+impression" needs both. "labeler_text" is what the labels of MIMIC-CXR were made from
    (Johnson et al. 2019): the first there is of impression, findings, last paragraph, comparison.
    A section without a word, such as "___.", counts as missing.

    >>> choose_target({"findings": "Clear.", "impression": "Normal."}, "findings+impression").text
    'Clear. Normal.'
    >>> choose_target({"impression": "Normal."}).reason
    'no findings section'
    """
    if target == "labeler_text":
        found = [name for name in _LABELER_ORDER if sections.get(name, "").strip()][:1]
        if not found:
            return TargetText(None, reason="none of " + ", ".join(_LABELER_ORDER))
        return _joined(sections, found)
    return _joined(sections, target.split("+"))


def _joined(sections: Mapping[str, str], names: Iterable[str]) -> TargetText:
    texts = []
    for name in names:
        text = sections.get(name, "").strip()
        if not text:
            return TargetText(None, reason=f"no {name} section")
        if not _WORD.search(_DEIDENTIFIED.sub("", text)):
            return TargetText(None, reason=f"{name} holds no word")
        texts.append(text)
    return TargetText(" ".join(texts), tuple(names))


def _mimic_headers(text: str) -> Iterator[Heading]:
    header = _MIMIC_HEADER.search(text)
    while header:
        yield Heading(header.start(), header.end(), section_name(header[1]))
        line_end = text.find("\n", header.end())
        header = _MIMIC_HEADER.search(text, header.end() if line_end < 0 else line_end)


def _cut(text: str, headings: Iterable[Heading]) -> Iterator[Section]:
    name, start = "", 0
    for heading in headings:
        yield name or PREAMBLE, text[start : heading.start]
        name, start = heading.name, heading.body
    yield name or FULL_REPORT, text[start:]


def _without_last_paragraph(section: Section, blank_line: re.Pattern[str]) -> Iterator[Section]:
    name, body = section
    first, *rest = blank_line.split(body, maxsplit=1)
    yield name, first
    if rest:
        yield LAST_PARAGRAPH, rest[0]


def _by_name(sections: Iterable[Section]) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for name, body in sections:
        if body.strip():
            found.setdefault(name, []).append(body.strip())
    return {
        name: bodies[-1] if name in _LAST_ONE_COUNTS else "\n".join(bodies)
        for name, bodies in found.items()
    }
