import pytest

from gradtruce.data.label_file import LabelFile, read_csv
from gradtruce.data.observations import OBSERVATIONS


def write(path, header, *rows):
    path.write_text("\n".join(",".join(row) for row in (header, *rows)) + "\n")
    return path


def row(study_id, **cells):
    return [study_id, *(cells.get(name.replace(" ", "_"), "0") for name in OBSERVATIONS)]


HEADER = ["id", *OBSERVATIONS]


def test_the_four_states_are_read(tmp_path):
    cells = row(
        "s1", Edema="1", Fracture="-1.0", Pneumonia="", Cardiomegaly="nan", Atelectasis="0.0"
    )
    labels = LabelFile.read(write(tmp_path / "l.csv", HEADER, cells)).states["s1"]
    assert (labels["Edema"], labels["Fracture"], labels["Atelectasis"]) == (1, -1, 0)
    assert "Pneumonia" not in labels
    assert "Cardiomegaly" not in labels


def test_columns_map_by_name_in_any_order(tmp_path):
    straight = write(tmp_path / "a.csv", HEADER, row("s1", Edema="1", No_Finding="-1"))
    turned = write(tmp_path / "b.csv", HEADER[::-1], row("s1", Edema="1", No_Finding="-1")[::-1])
    assert LabelFile.read(straight).states["s1"] == LabelFile.read(turned).states["s1"]


def test_the_source_names_file_and_hash(tmp_path):
    path = write(tmp_path / "labels.csv", HEADER, row("s1"))
    assert LabelFile.read(path).source.startswith("labels.csv (sha256 ")


def test_a_missing_column_is_named(tmp_path):
    path = write(tmp_path / "l.csv", HEADER[:-2], row("s1")[:-2])
    with pytest.raises(ValueError, match=r"l\.csv: lacks the columns Support Devices, No Finding"):
        LabelFile.read(path)


@pytest.mark.parametrize("cell", ["2", "yes", "0.5"])
def test_a_value_outside_the_four_states_names_line_study_and_column(tmp_path, cell):
    path = write(tmp_path / "l.csv", HEADER, row("s1"), row("s2", Edema=cell))
    with pytest.raises(ValueError, match=rf"l\.csv, line 3: study 's2' has '{cell}' for 'Edema'"):
        LabelFile.read(path)


def test_a_study_that_occurs_twice_is_refused(tmp_path):
    path = write(tmp_path / "l.csv", HEADER, row("s1"), row("s1"))
    with pytest.raises(ValueError, match="line 3: study 's1' occurs twice"):
        LabelFile.read(path)


def test_a_row_of_another_length_is_refused(tmp_path):
    for wrong in (row("s1")[:-1], [*row("s1"), "0"]):
        path = write(tmp_path / "l.csv", HEADER, wrong)
        with pytest.raises(ValueError, match=r"l\.csv, line 2: too many or too few cells"):
            LabelFile.read(path)


def test_a_byte_order_mark_does_no_harm(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbfid,x\r\n1,2\r\n")
    assert read_csv(tmp_path / "a.csv", ("id",))[0][1]["id"] == "1"


@pytest.mark.parametrize("content", [b"id,x\n\xff\xfe,1\n", b"id,x\n" + b"a" * 200_000 + b",1\n"])
def test_what_is_no_csv_in_utf8_is_refused(tmp_path, content):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.csv: not "):
        read_csv(tmp_path / "a.csv", ("id",))


def test_an_empty_or_missing_file_is_named(tmp_path):
    (tmp_path / "a.csv").write_text("")
    with pytest.raises(ValueError, match=r"a\.csv: lacks the columns id"):
        read_csv(tmp_path / "a.csv", ("id",))
    with pytest.raises(FileNotFoundError, match=r"b\.csv"):
        read_csv(tmp_path / "b.csv", ("id",))
