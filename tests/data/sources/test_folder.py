import csv
import importlib
import re

import numpy as np
import pytest
from PIL import Image

from gradtruce.data.prepared import PreparedDataset
from gradtruce.data.preparing.pipeline import prepare
from gradtruce.data.preparing.problems import read_problems
from gradtruce.data.sources.base import Problem, Record, Settings
from gradtruce.data.sources.folder import Folder
from gradtruce.data.sources.patient_split import PatientSplit

SPLITS = ("train", "val", "test")


def film(path, shade=100):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((40, 30), shade, dtype=np.uint8)).save(path)


class Own:
    """A CSV of three studies, one in each split, and their images."""

    def __init__(self, root):
        self.root, self.table = root, root / "mine.csv"
        self.rows = [
            {"id": f"s{n}", "image": f"s{n}.png", "report": f"Clear lungs {n}.", "split": split}
            for n, split in enumerate(SPLITS)
        ]
        for n in range(3):
            film(root / f"s{n}.png", n)

    def write(self):
        columns = dict.fromkeys(name for row in self.rows for name in row)
        with self.table.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, columns, restval="")
            writer.writeheader()
            writer.writerows(self.rows)
        return self.table

    def source(self, **options):
        return Folder(self.write(), **options)

    def listed(self, **options):
        entries = list(self.source(**options).records())
        records = {one.id: one for one in entries if isinstance(one, Record)}
        return records, [one for one in entries if isinstance(one, Problem)]

    def prepared(self, **options):
        prepare(self.source(), self.root / "set", **options)
        return PreparedDataset.open(self.root / "set")


@pytest.fixture
def own(tmp_path):
    return Own(tmp_path / "own")


@pytest.fixture(autouse=True)
def _folder(tmp_path):
    (tmp_path / "own").mkdir(exist_ok=True)


def only_problem(own, **options):
    """Return the single problem of a listing that must stop a run, and check that it does."""
    _, problems = own.listed(**options)
    (problem,) = problems
    with pytest.raises(ValueError, match=re.escape(problem.message()[:40])):
        prepare(own.source(**options), own.root / "set")
    return problem


def test_a_table_becomes_a_set(own):
    own.rows[0] |= {"image": "s0.png", "image2": "more/s0.jpg", "position": "PA", "position2": "LL"}
    own.rows[0] |= {"Edema": "1", "edema ": "", "indication": "Cough.", "patient": "p0", "age": "7"}
    del own.rows[0]["edema "]
    film(own.root / "more" / "s0.jpg")
    dataset = own.prepared()
    study = dataset.study("s0")
    assert [view.position for view in study.views] == ["frontal", "lateral"]
    assert (study.patient, study.report) == ("p0", "Clear lungs 0.")
    assert (study.labels, study.sections) == ({"Edema": 1}, {"indication": "Cough."})
    assert study.label_source.startswith("mine.csv (sha256 ")
    assert dataset.study("s1").label_source == ""
    assert dataset.manifest.notes["columns_not_read"] == ["age"]
    assert dataset.study("s1").patient == "s1"


def test_several_rows_are_several_views_of_one_study(own):
    own.rows.insert(0, {"id": "s0", "image": "other.png", "position": "lateral"})
    film(own.root / "other.png", 77)
    own.rows[1]["position"] = "frontal"
    study = own.prepared().study("s0")
    assert [view.position for view in study.views] == ["frontal", "lateral"]
    assert study.split == "train"


def test_priors_and_labels_from_a_file_reach_their_study(own, tmp_path):
    own.rows.append(
        {"id": "s3", "image": "s3.png", "report": "Worse.", "patient": "s0", "prior": "s0"}
    )
    film(own.root / "s3.png")
    names = "Enlarged Cardiomediastinum,Cardiomegaly,Lung Opacity,Lung Lesion,Edema,Consolidation,"
    names += "Pneumonia,Atelectasis,Pneumothorax,Pleural Effusion,Pleural Other,Fracture,"
    labels = tmp_path / "labels.csv"
    labels.write_text(f"id,{names}Support Devices,No Finding\ns3{',-1' * 14}\n")
    records, _ = own.listed(labels=labels)
    assert records["s3"].prior == "s0"
    assert records["s3"].split == "train"  # its patient's, though its own cell is blank
    assert set(records["s3"].labels) == {-1}
    assert not records["s0"].labels
    own.rows[0]["Edema"] = "1"
    with pytest.raises(ValueError, match="both have labels"):
        own.listed(labels=labels)


def test_without_split_a_hash_of_the_patient_decides(own):
    own.rows = [
        {"id": f"s{n}", "image": f"s{n}.png", "report": "Clear.", "patient": f"p{n // 2}"}
        for n in range(60)
    ]
    split = PatientSplit((0.4, 0.3, 0.3), seed=5)
    records, problems = own.listed(split=split)
    assert not problems
    assert all(record.split == split.of(record.patient) for record in records.values())
    own.rows = own.rows[:2]
    with pytest.raises(ValueError, match="no study falls into it by the hash with seed 0"):
        own.listed()


RAW = """ FINAL REPORT
 INDICATION:  Cough.

 FINDINGS:  The lungs are
 clear.

 IMPRESSION:  Normal.
"""


def test_raw_text_is_split_into_sections(own):
    own.rows[0]["report"] = RAW
    record = own.listed()[0]["s0"]
    assert record.report == "The lungs are\n clear."
    study = own.source().build(record, Settings()).study
    assert study.sections == {
        "preamble": "FINAL REPORT",
        "indication": "Cough.",
        "impression": "Normal.",
    }
    for row in own.rows[1:]:
        row["report"] = "Findings: Clear.\nImpression: Well."
    reports = [record.report for record in own.listed(target="impression")[0].values()]
    assert reports == ["Normal.", "Well.", "Well."]


def test_a_plain_text_is_the_target_unless_the_target_has_a_column(own):
    own.rows[0]["report"] = "The lungs are clear.\n\nNo pneumothorax: none."
    own.rows[0]["impression"] = "Normal."
    assert own.listed()[0]["s0"].report == own.rows[0]["report"]
    assert own.listed(target="impression")[0]["s0"].report == "Normal."
    both = own.listed(target="findings+impression")[0]
    assert both["s0"].report == own.rows[0]["report"] + " Normal."
    assert both["s1"].report == "Clear lungs 1."


def test_columns_of_sections_are_enough(own):
    for row in own.rows:
        row["Findings"] = row.pop("report")
    assert own.listed()[0]["s2"].report == "Clear lungs 2."


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"id": ""}, "missing id", "line 2 has no id"),
        ({"split": "trian"}, "unknown split", "must be train, val or test, is 'trian'"),
        ({"Edema": "2"}, "label value", "has '2' for 'Edema'; it must be 1, 0, -1 or empty"),
        ({"report": " "}, "missing report", "its report is empty"),
        ({"report": "___ XXXX ."}, "no target section", "holds no word"),
        ({"report": "IMPRESSION: Well."}, "no target section", "it has impression: choose another"),
        ({"image": ""}, "missing image", "no row of it names an image"),
        ({"image2": "./s0.png"}, "duplicate image", "is listed twice by this study"),
        ({"report": "", "report_file": "gone.txt"}, "missing report", "there is no such file"),
        ({"report": "", "report_file": "../out.txt"}, "path leaves the root", "leads out of"),
        ({"report": "", "report_file": "loop.txt"}, "symbolic link loop", "round in a circle"),
        ({"report": "", "report_file": "latin.txt"}, "unreadable report", "not UTF-8"),
        ({"report": "", "report_file": "long.txt"}, "unreadable report", "shorter than 1,000,000"),
        ({"report": "", "report_file": "a\0b"}, "impossible path", "not a path"),
    ],
)
def test_a_faulty_row_is_a_problem_that_stops_or_costs_its_study(own, changes, kind, words):
    (own.root.parent / "out.txt").write_text("Secret.")
    (own.root / "loop.txt").symlink_to(own.root / "loop.txt")
    (own.root / "latin.txt").write_bytes("5 \xb5m".encode("latin-1"))
    (own.root / "long.txt").write_text("a " * 500_001)
    own.rows.append({"id": "s9", "image": "s9.png", "report": "Clear.", "split": "train"})
    film(own.root / "s9.png")
    own.rows[0] |= changes
    problem = only_problem(own)
    assert problem.kind == kind
    assert words in problem.reason
    dataset = own.prepared(on_error="skip")
    assert dataset.manifest.splits["train"] == 1
    assert [one.kind for one in read_problems(own.root / "set")] == [kind]


def test_rows_that_disagree_are_a_problem(own):
    own.rows.append(own.rows[0] | {"image": "b.png", "report": "Another."})
    problem = only_problem(own)
    assert (problem.kind, problem.reason) == (
        "rows disagree",
        "line 5: 'report' differs from an earlier row",
    )


def test_an_unknown_position_is_noted(own):
    own.rows[0]["position"] = "sideways"
    records, (problem,) = own.listed()
    assert (problem.kind, problem.action) == ("unknown position", "noted")
    assert records["s0"].views[0].position == "unknown"


IMAGES = {
    "../out.png": "path leaves the root",
    "link.png": "path leaves the root",
    "loop.png": "symbolic link loop",
    "gone.png": "missing image",
    "empty.png": "damaged image",
    "short.png": "damaged image",
    "text.png": "damaged image",
}


@pytest.mark.parametrize("file", IMAGES)
def test_a_faulty_image_is_a_problem_with_its_kind(own, file):
    film(own.root.parent / "out.png")
    (own.root / "link.png").symlink_to(own.root.parent / "out.png")
    (own.root / "loop.png").symlink_to(own.root / "loop.png")
    (own.root / "empty.png").touch()
    (own.root / "short.png").write_bytes((own.root / "s0.png").read_bytes()[:50])
    (own.root / "text.png").write_text("not an image")
    own.rows[0] |= {"image2": file}
    own.rows[1]["image2"] = ""
    with pytest.raises(ValueError, match="study 's0': "):
        own.prepared()
    assert len(own.prepared(on_error="skip").study("s0").views) == 1
    (problem,) = read_problems(own.root / "set")
    assert (problem.kind, problem.action) == (IMAGES[file], "view skipped")


def test_an_absolute_path_inside_the_root_is_one_of_its_files(own):
    own.rows[0]["image"] = str(own.root / "s0.png")
    assert len(own.prepared().study("s0").views) == 1


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("id,image,reprot", "no column is called 'reprot'; did you mean 'report'"),
        ("id,image,report,patient_id", "'patient_id'; did you mean 'patient'"),
        ("id,image,report,Lung_Opacity", "did you mean 'Lung Opacity'"),
        ("study,image,report", "lacks the column id; name it in line 1, which has 'study', 'imag"),
        ("id,report", "lacks the column image"),
        ("id,image,text", r"lacks the column report \(or report_file, findings"),
        ("id,image,image1,report", "the columns 'image' and 'image1' mean the same"),
        ("", "lacks the column id; name it in line 1, which has none"),
    ],
)
def test_faulty_columns_are_named(own, header, words):
    own.table.write_text(header + "\n")
    with pytest.raises(ValueError, match=words):
        list(Folder(own.table).records())


def test_another_fingerprint_for_another_table_target_or_split(own):
    prints = {own.source().fingerprint(), own.source(target="impression").fingerprint()}
    prints.add(own.source(split=PatientSplit(seed=1)).fingerprint())
    own.rows[0]["report"] = "Another."
    prints.add(own.source().fingerprint())
    assert len(prints) == 4


def test_an_image_of_two_studies_costs_the_second(own):
    own.rows.append(own.rows[0] | {"id": "s9", "split": "test"})
    problem = only_problem(own)
    assert (problem.id, problem.kind, problem.file) == ("s9", "duplicate image", "s0.png")
    assert problem.reason.startswith("the image is study 's0''s already")


def test_dicom_png_and_jpeg_may_be_mixed(own):
    pytest.importorskip("pydicom")
    files = importlib.import_module("tests.data.images.dicom_files")
    (own.root / "s0.dcm").write_bytes(files.dicom_bytes(files.radiograph(), ViewPosition="LL"))
    film(own.root / "s0.jpeg")
    own.rows[0] |= {"image2": "s0.dcm", "image3": "s0.jpeg"}
    study = own.prepared().study("s0")
    assert [view.position for view in study.views] == ["unknown", "lateral", "unknown"]
