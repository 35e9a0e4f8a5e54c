"""Whatever stands in a list of studies: problems, or a ValueError in one line."""

import json
import tempfile
from contextlib import suppress
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from gradtruce.data.sources.base import Problem
from gradtruce.data.sources.folder_table import read_table
from gradtruce.data.sources.folder_text import read_target
from gradtruce.data.sources.iu_xray_annotation import read_annotation
from gradtruce.data.sources.iu_xray_reports import read_reports

HEADERS = (
    b"id,image,report,split,position,Edema\n",
    b"uid,MeSH,Problems,image,indication,comparison,findings,impression\n",
)
LINES = st.lists(st.text(alphabet='a1,"\n;/ train', max_size=40), max_size=4).map("\n".join)
CONTENT = st.one_of(st.binary(max_size=300), LINES.map(str.encode))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(("id", "report", "image_path", "split", "other")), inner, max_size=5
        )
    ),
    max_leaves=12,
)


def outcome(read, content, name):
    """Return what a reader makes of a file; a ValueError must be one line."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        try:
            return list(read(path))
        except ValueError as error:
            assert "\n" not in str(error)  # noqa: PT017 # a ValueError is allowed, not needed
            return []


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(HEADERS), CONTENT)
def test_a_table_gives_studies_and_problems_or_a_value_error(header, content):
    outcome(lambda path: read_table(path)[0], header + content, "mine.csv")
    outcome(read_reports, header + content, "indiana_reports.csv")


@settings(max_examples=60, deadline=None)
@given(st.lists(VALUES, max_size=3), st.binary(max_size=40))
def test_an_annotation_file_gives_studies_and_problems_or_a_value_error(entries, rest):
    whole = json.dumps({"train": entries, "val": [], "test": []}).encode()
    found = outcome(read_annotation, whole, "annotation.json")
    assert len(found) == len(entries)
    assert all(one.reason.count("\n") == 0 for one in found if isinstance(one, Problem))
    outcome(read_annotation, whole + rest, "annotation.json")


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200))
def test_a_text_gives_a_target_or_a_reason(text):
    chosen, sections = read_target(text, {}, "findings")
    assert (chosen.text is None) == bool(chosen.reason)
    with suppress(KeyError):
        assert sections["findings"] != chosen.text
