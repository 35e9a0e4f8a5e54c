import os
from pathlib import Path

import pytest

from gradtruce.files import require_places, write_whole


def test_a_file_is_replaced_whole_and_nothing_else_is_left(tmp_path: Path) -> None:
    write_whole(tmp_path / "a.json", "old")
    write_whole(tmp_path / "a.json", "new é")
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == "new é"
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]


def test_a_write_that_fails_keeps_the_old_file(tmp_path: Path) -> None:
    write_whole(tmp_path / "a.json", "old")
    with pytest.raises(UnicodeEncodeError):
        write_whole(tmp_path / "a.json", "lone surrogate \ud800")
    assert (tmp_path / "a.json").read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(tmp_path / "a.json", "text")
    assert not list(tmp_path.iterdir())


def test_a_file_is_as_open_as_the_system_makes_new_ones(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "a.safetensors", b"bytes")
    finally:
        os.umask(before)
    assert (tmp_path / "a.safetensors").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "a.safetensors").read_bytes() == b"bytes"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        write_whole(tmp_path / "absent" / "a.json", "text")


def test_outputs_that_can_be_written_are_accepted_and_nothing_is_made(tmp_path: Path) -> None:
    require_places([tmp_path / "a", tmp_path / "b"], [tmp_path / "c", tmp_path])
    assert not list(tmp_path.iterdir())


def test_outputs_that_cannot_be_written_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("")
    (tmp_path / "link").symlink_to(file)
    for outputs, inputs, message in (
        ([tmp_path], [], "is a folder"),
        ([tmp_path / "none" / "a"], [], "there is no folder"),
        ([file], [tmp_path / "." / "a"], "one of the files read"),
        ([tmp_path / "link"], [file], "one of the files read"),
        ([file, tmp_path / "link"], [], "written twice"),
        ([Path(os.devnull)], [], "no plain file"),
    ):
        with pytest.raises((ValueError, OSError), match=message):
            require_places(outputs, inputs)


def test_a_folder_without_the_right_to_write_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    with pytest.raises(PermissionError, match="read-only"):
        require_places([tmp_path / "a"])
