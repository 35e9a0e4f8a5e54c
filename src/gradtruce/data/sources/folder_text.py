"""What is to be generated of a report of one's own: raw text with headers, plain text, columns."""

from collections.abc import Mapping

from gradtruce.data.text.sections import (
    FULL_REPORT,
    LAST_PARAGRAPH,
    Target,
    TargetText,
    choose_target,
    split_sections,
)

_PLAIN = {FULL_REPORT, LAST_PARAGRAPH}


def read_target(
    text: str, columns: Mapping[str, str], target: Target
) -> tuple[TargetText, dict[str, str]]:
    r"""Return the target text, or why there is none, and the other sections.

    A text with headers is split into its sections, in any case and indent. A plain text is the
    target as it stands, unless the target has a column of its own. A column goes before a section
    of its name in the text.

    Args:
        text: The report; may be blank.
        columns: Sections that the source keeps apart, by canonical name.
        target: Which section is to be generated.

    >>> read_target("Clear lungs.", {"indication": "Cough."}, "findings")[1]
    {'indication': 'Cough.'}
    >>> read_target("Findings: Clear.\nImpression: Normal.", {}, "impression")[0].text
    'Normal.'
    """
    sections = split_sections(text, "any_case")
    if text.strip() and sections.keys() <= _PLAIN:
        parts = target.split("+")
        free = [name for name in parts if name not in columns]
        if free == parts:
            return _whole(text), dict(columns)
        sections = {free[0] if free else FULL_REPORT: text.strip()}
    sections = {**sections, **columns}
    chosen = choose_target(sections, target)
    if chosen.text is None and sections:
        reason = f"{chosen.reason}; it has {', '.join(sections)}: choose another target"
        chosen = TargetText(None, reason=reason)
    return chosen, {name: body for name, body in sections.items() if name not in chosen.sections}


def _whole(text: str) -> TargetText:
    chosen = choose_target({LAST_PARAGRAPH: text}, LAST_PARAGRAPH)
    return chosen if chosen.text else TargetText(None, reason="the report holds no word")
