import subprocess
import sys

import pytest

from gradtruce.training.runlog import RunLog, cut_log, last_line, read_log


def test_lines_come_back_by_kind(tmp_path):
    path = tmp_path / "log.jsonl"
    with RunLog(path) as log:
        log.write("step", step=1, losses={"report": 2.0})
        log.write("note", step=1, text="hm")
    assert [line["kind"] for line in read_log(path)] == ["step", "note"]
    assert next(read_log(path, "step"))["losses"] == {"report": 2.0}
    assert all(line["schema"] == 1 for line in read_log(path))


def test_numbers_that_json_cannot_hold_become_null(tmp_path):
    with RunLog(tmp_path / "log.jsonl") as log:
        log.write("null", step=1, within_task={"report": float("nan")})
    assert next(read_log(tmp_path / "log.jsonl"))["within_task"] == {"report": None}


def test_a_line_still_being_written_is_left_out(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text('{"kind": "step", "step": 1}\n{"kind": "st', encoding="utf-8")
    assert len(list(read_log(path))) == 1
    assert last_line(path, ["step"]) == {"kind": "step", "step": 1}


def test_the_last_step_is_found_in_a_long_log(tmp_path):
    path = tmp_path / "log.jsonl"
    with RunLog(path) as log:
        for step in range(2_000):
            log.write("step", step=step, padding="x" * 60)
        log.write("note", step=1_999, text="end")
    entry = last_line(path, ["step"])
    assert entry is not None
    assert entry["step"] == 1_999


def test_cutting_keeps_what_came_before(tmp_path):
    path = tmp_path / "log.jsonl"
    with RunLog(path) as log:
        for step in range(3):
            log.write("step", step=step)
        size = log.sync()
        log.write("step", step=3)
    with path.open("a") as file:
        file.write('{"kind": "st')
    cut_log(path, size)
    assert [line["step"] for line in read_log(path)] == [0, 1, 2]
    with pytest.raises(ValueError, match="put the whole log back"):
        cut_log(path, size + 1)


def test_a_log_that_was_not_begun_is_cut_to_nothing(tmp_path):
    cut_log(tmp_path / "log.jsonl", 0)
    assert not list(read_log(tmp_path / "log.jsonl"))


def test_a_line_that_finds_no_space_is_taken_back_whole(tmp_path):
    code = """
import pathlib, resource, sys
from gradtruce.training.runlog import RunLog
with RunLog(pathlib.Path(sys.argv[1])) as log:
    log.write("note", step=1, text="fits")
    for limit in 60, 70, 1000:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        try:
            log.write("note", step=2, text="does not fit at first")
        except OSError as error:
            print(error)
"""
    path = tmp_path / "log.jsonl"
    command = [sys.executable, "-c", code, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told = f"{path} could not be written (File too large); free some space and resume\n"
    assert done.stdout == 2 * told
    assert path.read_bytes().endswith(b"\n")
    assert [line["step"] for line in read_log(path)] == [1, 2]


def test_a_broken_line_is_an_error_with_its_number(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text('{"kind": "step"}\nnonsense\n', encoding="utf-8")
    with pytest.raises(ValueError, match="line 2"):
        list(read_log(path))
