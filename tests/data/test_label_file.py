import csv
import gzip
import json

import pytest

from gradtruce.data.label_file import LabelFile, read_csv
from gradtruce.data.label_json import LABEL_ORDERS
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


PHYSIONET = ["subject_id", "study_id", *LABEL_ORDERS["alphabetical"]]


def physionet_row(study_id, **cells):
    return ["10", study_id, *(cells.get(name.replace(" ", "_"), "") for name in PHYSIONET[2:])]


def test_physionet_files_are_read_gzipped_by_study_id(tmp_path):
    rows = (physionet_row("50", Edema="1.0", Lung_Lesion="-1.0"), physionet_row("51"))
    plain = write(tmp_path / "l.csv", PHYSIONET, *rows)
    zipped = tmp_path / "mimic-cxr-2.0.0-chexpert.csv.gz"
    zipped.write_bytes(gzip.compress(plain.read_bytes()))
    assert LabelFile.read(zipped).states == {"50": {"Edema": 1, "Lung Lesion": -1}, "51": {}}


def test_airspace_opacity_is_lung_opacity_unless_both_are_there(tmp_path):
    header = ["Airspace Opacity" if name == "Lung Opacity" else name for name in PHYSIONET]
    path = write(tmp_path / "l.csv", header, physionet_row("50", Lung_Opacity="1"))
    assert LabelFile.read(path).states == {"50": {"Lung Opacity": 1}}
    path = write(tmp_path / "l.csv", [*header, "Lung Opacity"], [*physionet_row("50"), ""])
    with pytest.raises(ValueError, match="Lung Opacity and Airspace Opacity are one observation"):
        LabelFile.read(path)


CHEXPERT = ["Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *LABEL_ORDERS["chexpert"]]


def chexpert_row(path, **cells):
    labels = (cells.get(name.replace(" ", "_"), "") for name in CHEXPERT[5:])
    return [path, "Female", "40", "Frontal", "AP", *labels]


def test_chexpert_has_a_row_an_image_and_all_of_a_study_agree(tmp_path):
    first, second = (f"CheXpert-v1.0/train/patient00001/study2/view{i}.jpg" for i in (1, 2))
    rows = chexpert_row(first, Edema="1.0"), chexpert_row(second, Edema="1.0")
    states = LabelFile.read(write(tmp_path / "l.csv", CHEXPERT, *rows)).states
    assert states == {"patient00001/study2": {"Edema": 1}}
    rows = chexpert_row(first, Edema="1.0"), chexpert_row(second, Edema="0.0")
    with pytest.raises(ValueError, match="line 3: study 'patient00001/study2' occurs twice"):
        LabelFile.read(write(tmp_path / "l.csv", CHEXPERT, *rows))


def test_a_path_of_another_form_and_a_blank_id_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"line 2: Path must end in .*, is 'a\.jpg'"):
        LabelFile.read(write(tmp_path / "l.csv", CHEXPERT, chexpert_row("a.jpg")))
    with pytest.raises(ValueError, match="line 2: the study has no id"):
        LabelFile.read(write(tmp_path / "l.csv", HEADER, row(" ")))


def test_a_table_without_ids_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"l\.csv: lacks the columns id, study_id or Path"):
        LabelFile.read(write(tmp_path / "l.csv", HEADER[1:], row("s1")[1:]))


def write_json(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.mark.parametrize("order", [*LABEL_ORDERS, LABEL_ORDERS["alphabetical"][::-1]])
def test_lists_in_json_are_read_in_the_order_stated(tmp_path, order):
    names = LABEL_ORDERS[order] if isinstance(order, str) else order
    values = [{"Edema": 1.0, "Lung Lesion": -1, "No Finding": None}.get(name, 0) for name in names]
    labels = LabelFile.read(write_json(tmp_path / "labels.json", {"s1": values}), order=order)
    states = labels.states["s1"]
    assert (states["Edema"], states["Lung Lesion"], len(states)) == (1, -1, 13)
    assert "No Finding" not in states
    assert labels.source.endswith(
        f"; order {order if isinstance(order, str) else ', '.join(order)})"
    )


def test_the_named_orders_are_the_fourteen_in_the_order_of_their_sources():
    assert all(sorted(names) == sorted(OBSERVATIONS) for names in LABEL_ORDERS.values())
    assert LABEL_ORDERS["chexpert"][:5] == (
        "No Finding",
        "Enlarged Cardiomediastinum",
        "Cardiomegaly",
        "Lung Opacity",
        "Lung Lesion",
    )
    assert LABEL_ORDERS["chexpert_labeler"][3:6] == ("Lung Lesion", "Lung Opacity", "Edema")


def test_an_order_is_needed_for_json_and_refused_for_csv(tmp_path):
    path = write_json(tmp_path / "labels.json", {"s1": [0] * 14})
    for order, message in (
        (None, "does not name its labels; state their order: chexbert, chexpert"),
        ("abc", "no label order is called 'abc'; known: chexbert"),
        (["Edema"] * 14, "must have the 14 observations, each once"),
        ([*OBSERVATIONS, "Edema"], "must have the 14 observations, each once; see a name twice"),
    ):
        with pytest.raises(ValueError, match=message):
            LabelFile.read(path, order=order)
    with pytest.raises(ValueError, match="a CSV file names its columns; leave the order out"):
        LabelFile.read(write(tmp_path / "l.csv", HEADER, row("s1")), order="chexbert")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"s1": [0] * 12 + [2, 0]}, "'s1' has '2' for 'Support Devices'; it must be 1, 0, -1"),
        ({"s1": [True] + [0] * 13}, "'s1' has 'True' for 'Enlarged Cardiomediastinum'"),
        ({"s1": [0] * 13}, "'s1' must have a list of 14 numbers"),
        ({"s1": {"Edema": 1}}, "'s1' must have a list of 14 numbers"),
        ([[0] * 14], "must map every id to a list of 14 numbers"),
        ('{"a": 1, "a": 2}', "not a file of labels in JSON .'a' occurs twice"),
        ('{"a": ', "not a file of labels in JSON"),
        ("[" * 100_000, "not a file of labels, it is nested too deep"),
    ],
)
def test_what_is_no_file_of_label_lists_is_named(tmp_path, content, message):
    with pytest.raises(ValueError, match=rf"labels\.json: {message}"):
        LabelFile.read(write_json(tmp_path / "labels.json", content), order="chexbert")


def test_the_public_label_files_are_read_whole(shared):
    path = shared / "iu_xray" / "labels14_camanet_chexbert.csv"
    with path.open(newline="") as file:
        rows = {line["id"]: line for line in csv.DictReader(file)}
    states = LabelFile.read(path).states
    assert len(states) == len(rows) == 2365
    for study, labels in states.items():
        assert {name: str(state) for name, state in labels.items()} == {
            name: rows[study][name] for name in OBSERVATIONS
        }


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
