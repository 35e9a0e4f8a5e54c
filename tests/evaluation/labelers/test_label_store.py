import os
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Barrier

import numpy as np
import pytest

from gradtruce.evaluation.labelers.label_store import LabelStore

ROW = np.array([1, 0, -1, np.nan] * 3 + [0, np.nan])


WRITER = """
import sys
from pathlib import Path
import numpy as np
from gradtruce.evaluation.labelers.label_store import LabelStore

path, start = Path(sys.argv[1]), int(sys.argv[2])
store = LabelStore(path, "keyword 1")
row = np.zeros(14)
for number in range(start, start + 40):
    store.write({f"report {number}": row, f"report of both {number % 10}": row})
"""


def execute(path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def test_states_come_back_as_they_were(tmp_path):
    store = LabelStore(tmp_path / "labels.sqlite", "keyword 1")
    store.write({"first": ROW, "second": -ROW * 0})
    again = LabelStore(tmp_path / "labels.sqlite", "keyword 1").read(["second", "first", "third"])
    assert set(again) == {"first", "second"}
    np.testing.assert_array_equal(again["first"], ROW)
    np.testing.assert_array_equal(again["second"], ROW * 0)


def test_thousands_of_reports_are_found_at_once(tmp_path):
    store = LabelStore(tmp_path / "labels.sqlite", "keyword 1")
    reports = {f"report {number}": ROW for number in range(1203)}
    store.write(reports)
    assert set(store.read([*reports, "another"])) == set(reports)
    assert store.read([]) == {}


def test_another_labeler_finds_nothing(tmp_path):
    LabelStore(tmp_path / "labels.sqlite", "keyword 1").write({"first": ROW})
    assert LabelStore(tmp_path / "labels.sqlite", "keyword 2").read(["first"]) == {}


def test_no_text_and_no_identity_is_on_disk(tmp_path):
    store = LabelStore(tmp_path, "keyword 1")
    store.write({"the patient has an opacity": ROW})
    content = store.path.read_bytes()
    assert store.path == tmp_path / "labels.sqlite"
    for word in (b"patient", b"opacity", b"keyword"):
        assert word not in content


def test_a_folder_that_is_not_there_is_made(tmp_path):
    store = LabelStore(tmp_path / "new" / "cache" / "labels.sqlite", "keyword 1")
    store.write({"first": ROW})
    assert store.path.is_file()


def test_two_processes_write_one_file(tmp_path):
    path = tmp_path / "labels.sqlite"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    processes = [
        subprocess.Popen([sys.executable, "-c", WRITER, path, start], env=environment)
        for start in ("0", "40")
    ]
    assert [process.wait(60) for process in processes] == [0, 0]
    reports = [f"report {number}" for number in range(80)]
    reports += [f"report of both {number}" for number in range(10)]
    assert set(LabelStore(path, "keyword 1").read(reports)) == set(reports)


def test_one_makes_the_file_while_others_look_at_it(tmp_path):
    together = Barrier(4, timeout=20)

    def make(number):
        for trial in range(100):
            together.wait()
            LabelStore(tmp_path / f"{trial}.sqlite", "keyword 1")
        return number

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(make, range(4))) == [0, 1, 2, 3]


def test_a_report_that_is_there_stays_as_it_is(tmp_path):
    store = LabelStore(tmp_path / "labels.sqlite", "keyword 1")
    store.write({"first": ROW})
    store.write({"first": ROW * 0})
    np.testing.assert_array_equal(store.read(["first"])["first"], ROW)


def test_writing_that_breaks_off_leaves_nothing_of_its_rows(tmp_path):
    store = LabelStore(tmp_path / "labels.sqlite", "keyword 1")
    execute(
        store.path,
        "CREATE TRIGGER full BEFORE INSERT ON labels WHEN (SELECT count(*) FROM labels) = 1"
        " BEGIN SELECT RAISE(ABORT, 'stop'); END",
    )
    with pytest.raises(ValueError, match="stop"):
        store.write({"first": ROW, "second": ROW})
    assert store.read(["first", "second"]) == {}


@pytest.mark.parametrize("content", [b"id,Edema\ns1,1\n" * 99, b"SQLite format 3\0" + b"x" * 9000])
def test_a_file_of_another_kind_is_named_and_left_alone(tmp_path, content):
    path = tmp_path / "labels.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"labels\.csv: must be a file of labels .* delete this"):
        LabelStore(path, "keyword 1")
    assert path.read_bytes() == content


def test_a_database_of_another_program_or_version_is_named_and_left_alone(tmp_path):
    path = tmp_path / "labels.sqlite"
    execute(path, "CREATE TABLE notes (note TEXT)")
    content = path.read_bytes()
    with pytest.raises(ValueError, match="another kind or version 0"):
        LabelStore(path, "keyword 1")
    assert path.read_bytes() == content
    newer = LabelStore(tmp_path / "newer.sqlite", "keyword 1").path
    execute(newer, "PRAGMA user_version = 2")
    with pytest.raises(ValueError, match="another kind or version 2"):
        LabelStore(newer, "keyword 1")


def test_a_damaged_file_is_named(tmp_path):
    store = LabelStore(tmp_path / "labels.sqlite", "keyword 1")
    store.write({f"report {number}": ROW for number in range(500)})
    content = bytearray(store.path.read_bytes())
    content[5000:] = b"\xff" * (len(content) - 5000)
    store.path.write_bytes(content)
    with pytest.raises(ValueError, match=r"labels\.sqlite: must be a file of labels .* delete"):
        store.read([f"report {number}" for number in range(500)])


@pytest.mark.parametrize("states", ["''", "'+++'", "'++++++++++++yz'", "7", "NULL"])
def test_a_row_that_is_no_row_of_states_is_named(tmp_path, states):
    store = LabelStore(tmp_path / "labels.sqlite", "keyword 1")
    store.write({"first": ROW})
    execute(store.path, f"UPDATE labels SET states = {states}")
    with pytest.raises(ValueError, match=r"labels\.sqlite: must be a file of labels"):
        store.read(["first"])


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        LabelStore(tmp_path / "file" / "labels.sqlite", "keyword 1")
    if os.geteuid():
        (tmp_path / "closed").mkdir(mode=0o500)
        with pytest.raises(OSError, match="can't be used"):
            LabelStore(tmp_path / "closed" / "labels.sqlite", "keyword 1")
