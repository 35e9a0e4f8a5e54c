from pathlib import Path

import pytest

from gradtruce.evaluation.formats.reports import read_references, read_reports


@pytest.mark.parametrize("field", ["report", "text", "reference", "generated"])
def test_the_only_text_is_the_report(tmp_path: Path, field: str) -> None:
    lines, table = tmp_path / "reports.jsonl", tmp_path / "reports.csv"
    lines.write_text(f'{{"id": "s1", "{field}": "a\\nb", "other": 3}}')
    table.write_text(f'id,{field},other\ns1,"a\nb",3\n')
    assert read_reports(lines) == read_reports(table) == [("s1", "a\nb")]


def test_of_several_texts_one_must_be_chosen(tmp_path: Path) -> None:
    file = tmp_path / "reports.jsonl"
    file.write_text('{"id": "s1", "reference": "a", "generated": "b"}')
    with pytest.raises(ValueError, match="reference and generated are both there; choose one"):
        read_reports(file)
    assert read_reports(file, field="generated") == [("s1", "b")]
    with pytest.raises(ValueError, match="line 1: field 'impression' is missing"):
        read_reports(file, field="impression")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"id": "s1"}', "no report; expected one of report, text"),
        ('{"report": "a"}', "field 'id' is missing"),
        ('{"id": "s1", "report": 3}', "field 'report' must be text"),
        ('{"id": "s1", "report": "a"}\n{"id": "s1", "report": "a"}', "was already on line 1"),
        ("id,report\n", "no report in it"),
        ("a plain text", "no report in it"),
        ("[1]", "expected a JSON object"),
    ],
)
def test_a_bad_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "reports").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_reports(tmp_path / "reports")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "expected texts by id"),
        ('{"test": [1]}', "record 0 of the test split is no object"),
        ('{"s1": 1}', "key 's1': field 'report' must be text"),
        ("{", "not JSON"),
    ],
)
def test_a_bad_json_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "reports.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_references(tmp_path / "reports.json")
