"""Every way in which a file can be no predictions: a named error, never some of them."""

import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from gradtruce.evaluation.formats.layouts import read_any
from gradtruce.evaluation.formats.texts import LONGEST_REPORT
from gradtruce.evaluation.predictions import Prediction

GOOD = {"id": "s1", "reference": "clear .", "generated": "a mass ."}
Write = Callable[[Path, list[dict[str, str]]], Path]


def as_jsonl(folder: Path, rows: list[dict[str, str]]) -> Path:
    file = folder / "predictions.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return file


def as_csv(folder: Path, rows: list[dict[str, str]]) -> Path:
    file = folder / "predictions.csv"
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(GOOD))
        writer.writeheader()
        writer.writerows(rows)
    return file


both = pytest.mark.parametrize("write", [as_jsonl, as_csv])


@both
def test_line_breaks_commas_quotes_and_unicode_are_kept(tmp_path: Path, write: Write) -> None:
    text = 'two\nlines, "quoted"\r\nand \u2028 ünïcode 肺'
    file = write(tmp_path, [GOOD | {"generated": text}])
    assert read_any(file) == [Prediction("s1", "clear .", text)]


@both
def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path, write: Write) -> None:
    file = write(tmp_path, [GOOD])
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert read_any(file)[0].id == "s1"


@both
def test_an_empty_hypothesis_is_kept(tmp_path: Path, write: Write) -> None:
    assert read_any(write(tmp_path, [GOOD | {"generated": ""}]))[0].generated == ""


@both
def test_a_report_of_a_megabyte_is_read_and_a_longer_one_names_its_study(
    tmp_path: Path, write: Write
) -> None:
    before = csv.field_size_limit()
    longest = "a" * LONGEST_REPORT
    assert read_any(write(tmp_path, [GOOD | {"generated": longest}]))[0].generated == longest
    with pytest.raises(ValueError, match="study 's1' has 1,000,001 characters"):
        read_any(write(tmp_path, [GOOD | {"generated": longest + "a"}]))
    assert csv.field_size_limit() == before


@both
def test_ids_that_come_twice_are_named_with_both_lines(tmp_path: Path, write: Write) -> None:
    with pytest.raises(ValueError, match=r"line \d: id 's1' was already on line \d"):
        read_any(write(tmp_path, [GOOD, GOOD | {"id": "s2"}, GOOD]))


@both
def test_an_empty_id_is_an_error(tmp_path: Path, write: Write) -> None:
    with pytest.raises(ValueError, match="line 2: field 'id' is empty"):
        read_any(write(tmp_path, [GOOD, GOOD | {"id": " "}][write is as_csv :]))


@both
def test_bytes_that_are_not_utf_8_are_named_by_their_place(tmp_path: Path, write: Write) -> None:
    file = write(tmp_path, [GOOD])
    content = file.read_bytes()
    file.write_bytes(content.replace(b"clear", b"cl\xe9ar"))
    place = content.index(b"clear") + 2
    with pytest.raises(ValueError, match=f"not UTF-8 text .* at byte {place}"):
        read_any(file)


@both
def test_a_nul_byte_is_an_error(tmp_path: Path, write: Write) -> None:
    file = write(tmp_path, [GOOD])
    file.write_bytes(file.read_bytes().replace(b"clear", b"cl\0ar"))
    with pytest.raises(ValueError, match="a NUL byte at byte"):
        read_any(file)


def test_an_escaped_nul_or_half_a_surrogate_pair_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="study 's1' holds a NUL"):
        read_any(as_jsonl(tmp_path, [GOOD | {"generated": "a\0"}]))
    with pytest.raises(ValueError, match="half a surrogate pair at character 1"):
        read_any(as_jsonl(tmp_path, [GOOD | {"generated": "a\ud800"}]))


@pytest.mark.parametrize("content", ["", " \n", "\ufeff"])
def test_an_empty_file_is_an_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "p.jsonl").write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match="the file is empty"):
        read_any(tmp_path / "p.jsonl")


def test_a_header_alone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="only a header"):
        read_any(as_csv(tmp_path, []))


def test_a_packed_file_is_to_be_unpacked(tmp_path: Path) -> None:
    (tmp_path / "p.jsonl.gz").write_bytes(gzip.compress(b"{}"))
    with pytest.raises(ValueError, match=r"packed .gzip.; unpack it first"):
        read_any(tmp_path / "p.jsonl.gz")


def test_an_absent_file_and_a_folder_without_predictions_are_errors(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no prediction file"):
        read_any(tmp_path / "absent.csv")
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_any(tmp_path / "absent.csv", layout="csv")
    with pytest.raises(ValueError, match="no predictions that are known by name"):
        read_any(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,reference,generated\ns1,a\n", "line 2: 2 cells for 3 columns"),
        ("id,reference,generated\ns1,a,b,c\n", "line 2: 4 cells for 3 columns"),
        ("id,reference,reference,generated\n", "column 'reference' comes twice"),
        ("id,generated\ns1,a\n", "lacks the columns reference"),
        ('id,reference,generated\ns1,"a"b,c\n', "line 2: not CSV"),
        ('id,reference,generated\ns1,"a,c\n', "not CSV"),
        ("id;reference;generated\ns1;a;b\n", "not recognised"),
        ("[1, 2]", "a JSON list"),
        ('{"schema": 1}', "JSON, but not recognised"),
        ('{"id": "s1", "generated": "a", "generated": "b", "reference": ""}', "is given twice"),
        ('{"id": 7, "generated": "a", "reference": ""}', "must be text in quotes, found 7"),
        ('{"id": "a", "generated": null, "reference": ""}', "must be text in quotes, found None"),
    ],
)
def test_a_bad_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "p").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read_any(tmp_path / "p")


def test_an_unknown_layout_is_an_error_and_known_ones_are_listed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'xml'; known: auto, jsonl, csv, r2gen"):
        read_any(as_csv(tmp_path, [GOOD]), layout="xml")


def test_a_blank_line_between_rows_without_ids_is_never_a_guess(tmp_path: Path) -> None:
    (tmp_path / "res.csv").write_text("clear .\n\na mass .\nno edema .\n")
    (tmp_path / "gts.csv").write_text("clear .\nlarge heart .\n\na mass .\n")
    with pytest.raises(ValueError, match=r"res\.csv, line 2: blank; .* must be written as"):
        read_any(tmp_path / "res.csv")
    (tmp_path / "res.csv").write_text('clear .\n""\na mass .\n\n')
    (tmp_path / "gts.csv").write_text("clear .\nlarge heart .\na mass .\n")
    assert [one.generated for one in read_any(tmp_path / "res.csv")] == ["clear .", "", "a mass ."]


@pytest.mark.parametrize("names", [("0", "0"), ("generated", "reference"), ("Report", "report")])
def test_names_of_columns_are_not_scored_as_a_report(
    tmp_path: Path, names: tuple[str, str]
) -> None:
    for file, name in zip(("res.csv", "gts.csv"), names, strict=True):
        (tmp_path / file).write_text(f"{name}\na mass .\n")
    with pytest.raises(ValueError, match="the names of columns"):
        read_any(tmp_path / "res.csv", layout="r2gen")


def test_a_short_report_is_no_name_of_a_column(tmp_path: Path) -> None:
    for file in ("res.csv", "gts.csv"):
        (tmp_path / file).write_text("normal\na mass .\n")
    assert len(read_any(tmp_path / "res.csv", layout="r2gen")) == 2
