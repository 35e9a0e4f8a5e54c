import os

import pytest

from gradtruce.data.text_file import read_text, regular_file


def test_a_byte_order_mark_is_dropped_and_newlines_stay(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfone\r\ntwo \xc3\xa9")
    assert read_text(path) == "one\r\ntwo é"


def test_what_is_not_utf8_is_named_with_its_place(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"fine \xe9 not")
    with pytest.raises(ValueError, match=r"a\.txt: not UTF-8 text, the byte at offset 5 is 0xe9"):
        read_text(path)


def test_a_report_of_a_megabyte_is_refused_and_one_byte_less_is_read(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"a" * 1_000_000)
    with pytest.raises(ValueError, match=r"shorter than 1,000,000 bytes, this has 1,000,000"):
        read_text(path)
    path.write_bytes(b"a" * 999_999)
    assert len(read_text(path)) == 999_999


@pytest.mark.parametrize(
    "way", ["../secret.txt", "inside/../../secret.txt", "link.txt", "absolute"]
)
def test_a_path_that_leaves_the_root_is_refused(tmp_path, way):
    (tmp_path / "secret.txt").write_text("x")
    root = tmp_path / "root"
    (root / "inside").mkdir(parents=True)
    (root / "link.txt").symlink_to(tmp_path / "secret.txt")
    path = tmp_path / "secret.txt" if way == "absolute" else root / way
    with pytest.raises(ValueError, match=r"leads out of 'root'; keep"):
        read_text(path, root=root)


def test_a_link_that_stays_inside_and_a_root_that_is_a_link_are_followed(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (root / "a.txt").write_text("x")
    (root / "b.txt").symlink_to("a.txt")
    (tmp_path / "way").symlink_to(root)
    assert read_text(tmp_path / "way" / "b.txt", root=tmp_path / "way") == "x"


def test_links_that_go_round_are_named(tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(ValueError, match="its symbolic links go round in a circle"):
        regular_file(tmp_path / "a")


def test_folders_and_pipes_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(ValueError, match="not a regular file but a folder, pipe or device"):
            read_text(path)


def test_what_is_not_there_is_named(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "dangling").symlink_to(tmp_path / "gone")
    for name in ("gone", "file/below", "dangling"):
        with pytest.raises(FileNotFoundError, match=rf"{name}: there is no such file"):
            read_text(tmp_path / name)


@pytest.mark.parametrize(("name", "message"), [("a\0b", "not a path"), ("a" * 300, "too long")])
def test_a_name_no_file_can_have_is_a_bad_value(tmp_path, name, message):
    with pytest.raises(ValueError, match=message):
        regular_file(tmp_path / name)
