import gzip

import pytest

from gradtruce.data.csv_file import open_csv


def cells(path, *names):
    with open_csv(path) as table:
        return list(table.cells(names))


def test_named_columns_are_read_in_the_order_asked_for(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b'x, y ,z\r\n1,2,3\r\n\r\n4,"5\r\n6",7\r\n')
    assert cells(path, "z", "y") == [(2, ["3", "2"]), (5, ["7", "5\r\n6"])]


def test_a_gzipped_file_is_known_by_its_content(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(gzip.compress(b"\xef\xbb\xbfx\n1\n"))
    assert cells(path, "x") == [(2, ["1"])]


@pytest.mark.parametrize("damage", ["cut", "changed", "start"])
def test_a_damaged_gzip_file_is_named(tmp_path, damage):
    content = bytearray(gzip.compress(b"x\n" + b"".join(b"%d\n" % i for i in range(9999))))
    if damage == "changed":
        content[len(content) // 2] ^= 255
    path = tmp_path / "a.csv.gz"
    path.write_bytes({"cut": content[:-999], "changed": content, "start": content[:2]}[damage])
    with pytest.raises(ValueError, match=r"a\.csv\.gz: (a damaged gzip|not UTF-8|.*too many)"):
        cells(path, "x")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"x,x\n1,2\n", "has the columns x twice"),
        (b"y\n1\n", "lacks the columns x; name them in line 1"),
        (b"", "lacks the columns x"),
        (b"x\n1\n2,3\n", r"line 3: too many or too few cells for its columns \(2 for 1\)"),
        (b'x\n1\n"2\n3\n', "not a CSV file"),
        (b'x\n"2"3\n', "not a CSV file"),
        (b"x\n1\n\xff\n", "not UTF-8 text after line"),
        (b"x\n" + b"1" * 1_000_001, "not a CSV file"),
    ],
)
def test_what_is_no_table_is_named(tmp_path, content, message):
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"a\.csv.*{message}"):
        cells(path, "x")


def test_a_gzip_bomb_of_one_line_is_not_unpacked(tmp_path):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(bytes(b"a" * 30_000_000)))
    with pytest.raises(ValueError, match="a line of 1,000,000 characters"):
        cells(path, "x")
