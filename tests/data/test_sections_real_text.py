"""Real findings come out of every layout as they went in; skipped where the real data is absent."""

import json

import pytest

from gradtruce.data.sources.folder_text import read_target
from gradtruce.data.text.sections import choose_target, split_sections

NAMES = ("indication", "comparison", "findings", "impression")
LAYOUTS = {
    "one line": "INDICATION: {indication} COMPARISON: {comparison} FINDINGS: {findings} "
    "IMPRESSION: {impression}",
    "one line, small letters": "Exam: CHEST\nIndication: {indication} Findings: {findings} "
    "Impression: {impression}",
    "lines": "Indication: {indication}\nComparison: {comparison}\nFindings: {findings}\n"
    "Impression: {impression}",
    "alone": "INDICATION\n{indication}\n\nFINDINGS\n{findings}\n\nIMPRESSION\n{impression}\n",
    "Markdown": "**Indication:** {indication}\n\n**Findings:**\n{findings}\n\n"
    "**Impression:**\n{impression}",
    "mimic": "\n INDICATION:  {indication}\n \n COMPARISON:  {comparison}\n \n"
    " FINDINGS:  {findings}\n \n IMPRESSION:  {impression}\n",
}


@pytest.fixture
def reports(shared):
    """Return the sections of a fifth of the real reports that have all that is asked for."""
    path = shared / "iu_xray" / "openi_reports_sections.json"
    if not path.is_file():
        pytest.skip("the sections of the real reports are not beside the repository")
    studies = json.loads(path.read_text(encoding="utf-8"))
    texts = [{name: study.get(name) or "" for name in NAMES} for study in studies]
    whole = [one for one in texts if one["findings"] and one["impression"] and one["indication"]]
    return whole[::5]  # all 3,365 take 20 seconds


def test_findings_come_out_of_every_layout_as_they_went_in(reports):
    wrong = dict.fromkeys(LAYOUTS, 0)
    for name, layout in LAYOUTS.items():
        rule = "mimic" if name == "mimic" else "any_case"
        for report in reports:
            sections = split_sections(layout.format(**report), rule)
            wrong[name] += choose_target(sections).text != report["findings"].strip()
    assert wrong == dict.fromkeys(LAYOUTS, 0)


def test_a_plain_text_is_the_target_as_it_stands(reports):
    wrong = [
        number
        for number, report in enumerate(reports)
        if read_target(report["findings"], {}, "findings")[0].text != report["findings"].strip()
    ]
    assert wrong == []
