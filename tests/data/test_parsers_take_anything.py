"""Whatever a file holds, a parser of texts and tables answers or raises `ValueError`, soon."""

import random
import time
from functools import partial

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gradtruce.data.csv_file import read_csv
from gradtruce.data.label_file import LabelFile
from gradtruce.data.openi_xml import OpenIReport
from gradtruce.data.physionet import read_metadata, read_splits
from gradtruce.data.text.cleaning import clean
from gradtruce.data.text.sections import choose_target, split_sections
from gradtruce.data.text_file import read_text

HEADERS = (
    b"id,Edema\n",
    b"subject_id,study_id,dicom_id,split,ViewPosition,StudyDate,StudyTime\n",
    b"Path,\n",
    b"\xef\xbb\xbfid\n",
    b"\x1f\x8b\x08\x00",
    b'{"s": [1, 0',
)
CELLS = (b"1", b",", b"\n", b'"', b"\r", b"\0", b"train", b"50", b"21500101", b"\xff", b"-1", b" ")
TABLES = st.builds(
    lambda head, cells: head + b"".join(cells),
    st.sampled_from(HEADERS),
    st.lists(st.sampled_from(CELLS) | st.binary(max_size=8), max_size=40),
)
TAGS = (
    b"<eCitation>",
    b"</eCitation>",
    b'<uId id="CXR1"/>',
    b'<AbstractText Label="FINDINGS">',
    b"</AbstractText>",
    b"<MeSH><major>",
    b"</major></MeSH>",
    b'<parentImage id="a">',
    b"<caption>",
    b"<!DOCTYPE a [",
    b'<!ENTITY a "b">',
    b"]>",
    b"&a;",
    b"&#0;",
    b"&#55296;",
    b"<![CDATA[",
    b"]]>",
    b"<!--",
    b"<?xml version='1.0' encoding='utf-16'?>",
    b"clear",
)
XML = st.lists(st.sampled_from(TAGS) | st.binary(max_size=6), max_size=30).map(b"".join)

READERS = {
    "text": read_text,
    "csv": partial(read_csv, columns=("id",)),
    "labels": LabelFile.read,
    "label_lists": partial(LabelFile.read, order="chexbert"),
    "metadata": lambda path: list(read_metadata(path)),
    "splits": read_splits,
}


@pytest.mark.parametrize("reader", READERS)
def test_a_file_of_any_bytes_is_read_or_refused(reader, tmp_path_factory):
    path = tmp_path_factory.mktemp(reader) / ("a.json" if reader == "label_lists" else "a.csv")

    @given(TABLES | st.binary())
    @example(b'{"s": [' + b"9" * 5000 + b"]}")
    @example(b"\x1f\x8b\x08\x1c\xff\xff")
    def read(content):
        path.write_bytes(content)
        answer_or_value_error(READERS[reader], path)

    read()


@given(XML | st.binary() | st.text())
def test_a_report_file_of_any_content_is_read_or_refused(content):
    answer_or_value_error(OpenIReport.parse, content, "a.xml")


def answer_or_value_error(function, *arguments):
    message = "read"
    try:
        function(*arguments)
    except ValueError as error:
        message = str(error)
    assert 0 < len(message) < 2000


UNITS = (
    "1. ",
    "(1. ",
    "-",
    "_",
    " ",
    "A",
    "\t",
    "...",
    "\n ",
    "\n A",
    "\n \t",
    "\nFindings: ",
    "\n IMPRESSOIM:\n",
)
MEGABYTE = 1_000_000
SECONDS = 10.0  # takes some tenths; what grows with the square of the length takes minutes


@pytest.mark.parametrize("unit", UNITS)
def test_a_report_of_a_megabyte_is_cleaned_and_split_in_time(unit):
    text = unit * (MEGABYTE // len(unit))
    for mode in ("r2gen", "r2gen_mimic", "clean"):
        assert seconds(clean, text, mode) < SECONDS
    for rule in ("mimic", "any_case"):
        assert seconds(split_sections, text, rule) < SECONDS
    assert seconds(choose_target, {"findings": text}) < SECONDS


def test_a_megabyte_of_different_headers_is_split_in_time():
    letters = "IMPRESONABCDF"
    names = ("".join(random.Random(i).choices(letters, k=10)) for i in range(MEGABYTE // 14))
    assert seconds(split_sections, "".join(f"\n {name}: \n" for name in names)) < SECONDS


@pytest.mark.parametrize("unit", ["<a>", "<a/>", "<a ", "&amp;", "x", "<major>", "<!--", "&", "]]"])
def test_a_report_file_of_a_megabyte_is_read_or_refused_in_time(unit):
    text = '<eCitation><uId id="CXR1"/>' + unit * (999_000 // len(unit))
    assert seconds(answer_or_value_error, OpenIReport.parse, text, "a.xml") < SECONDS


@pytest.mark.parametrize("unit", [",", '"', "\n", "\n1", '""', "1,", "\r", "["])
def test_a_table_of_a_megabyte_is_read_or_refused_in_time(unit, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,study_id,subject_id,split,dicom_id\n" + unit * (MEGABYTE // len(unit)))
    for reader in ("csv", "labels", "metadata", "splits"):
        assert seconds(answer_or_value_error, READERS[reader], path) < SECONDS


def seconds(function, *arguments):
    start = time.process_time()
    function(*arguments)
    return time.process_time() - start
