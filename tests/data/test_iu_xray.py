import csv
import json

import numpy as np
import pytest
from PIL import Image

from gradtruce.data.data_card import describe
from gradtruce.data.iu_xray import IUXRay, prepare_iu_xray
from gradtruce.data.observations import OBSERVATIONS
from gradtruce.data.prepared import PreparedDataset
from gradtruce.data.study import SPLITS

IDS = {
    "train": ["CXR1_1_IM-0001", "CXR2_IM-0652", "CXR2372_IM-0933-0001"],
    "val": ["CXR4_IM-2050"],
    "test": ["CXR5_IM-2117"],
}


def record(study_id, split, **changes):
    paths = [f"{study_id}/0.png", f"{study_id}/1.png"]
    report = f"Report of {study_id}. XXXX."
    return {"id": study_id, "report": report, "image_path": paths, "split": split} | changes


def film(path, shade=100):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((30, 20), shade, dtype=np.uint8)).save(path)


class Source:
    """A small download: R2Gen folders for some studies, Open-i names for others."""

    def __init__(self, root):
        self.root = root
        self.annotation = root / "annotation.json"
        self.images = root / "images"
        self.content = {s: [record(study, s) for study in ids] for s, ids in IDS.items()}
        self.write()
        film(self.images / "CXR1_1_IM-0001-3001.png", 31)
        film(self.images / "CXR1_1_IM-0001-4001.png", 41)
        film(self.images / "r2gen" / "CXR2372_IM-0933-0001" / "1.png", 2)
        film(self.images / "4_IM-2050-1001.dcm.png", 4)
        film(self.images / "r2gen" / "CXR5_IM-2117" / "0.png", 50)
        film(self.images / "r2gen" / "CXR5_IM-2117" / "1.png", 51)
        film(self.images / "notes.png", 9)

    def write(self):
        self.annotation.write_text(json.dumps(self.content))

    def open(self, **options):
        return IUXRay(self.annotation, self.images, **options)

    def prepare(self, **options):
        return prepare_iu_xray(
            self.root / "set", annotation=self.annotation, images=self.images, **options
        )

    def labels(self, *study_ids):
        rows = [["id", *OBSERVATIONS], *([study, *["1"] * 14] for study in study_ids)]
        path = self.root / "labels.csv"
        path.write_text("\n".join(",".join(row) for row in rows))
        return path

    def projections(self, text):
        path = self.root / "projections.csv"
        path.write_text("uid,filename,projection\n" + text)
        return path


@pytest.fixture
def source(tmp_path):
    return Source(tmp_path)


def shades(study):
    return [int(view.pixels[0, 0]) for view in study.views]


def test_images_are_found_in_both_forms(source):
    studies = {study.id: shades(study) for study in source.open().studies()}
    assert studies == {
        "CXR1_1_IM-0001": [31, 41],
        "CXR2372_IM-0933-0001": [2],
        "CXR4_IM-2050": [4],
        "CXR5_IM-2117": [50, 51],
    }


def test_the_patient_is_the_number_and_the_report_is_kept_as_it_is(source):
    first = next(source.open().studies())
    assert (first.patient, first.report) == ("1", "Report of CXR1_1_IM-0001. XXXX.")
    assert not first.is_synthetic


def test_projections_put_the_frontal_view_first(source):
    rows = "1,1_IM-0001-4001.dcm.png,Frontal\n1,1_IM-0001-3001.dcm.png,Lateral\n"
    first = next(source.open(projections=source.projections(rows)).studies())
    assert shades(first) == [41, 31]
    assert [view.position for view in first.views] == ["frontal", "lateral"]


def test_without_projections_positions_are_unknown(source):
    assert {v.position for study in source.open().studies() for v in study.views} == {"unknown"}


def test_a_bad_projection_is_named(source):
    path = source.projections("1,1_IM-0001-4001.dcm.png,Oblique\n")
    with pytest.raises(ValueError, match=r"projections\.csv, line 2: .* 'Oblique'"):
        source.open(projections=path)


def test_labels_reach_studies_whose_id_has_a_suffix(source):
    labels = source.labels("CXR2372_IM-0933", "CXR9_IM-1")
    with_labels = [s for s in source.open(labels=labels).studies() if s.labels]
    assert [study.id for study in with_labels] == ["CXR2372_IM-0933-0001"]
    assert with_labels[0].label_source.startswith("labels.csv (sha256 ")


def test_labels_of_other_studies_alone_are_refused(source):
    with pytest.raises(ValueError, match=r"labels\.csv: has none of the studies"):
        source.open(labels=source.labels("CXR9_IM-1"))


def test_studies_without_images_are_counted_and_listed(source):
    manifest = source.prepare()
    expected = "4 of 5 studies have images (train 2 of 3, val 1 of 1, test 1 of 1)"
    assert manifest.notes["summary"] == expected
    assert manifest.notes["images"]["without_images"] == 1
    assert manifest.notes["images"]["with_fewer_images_than_listed"] == 2
    with (source.root / "set" / "missing.csv").open() as stream:
        rows = list(csv.reader(stream))
    assert rows == [
        ["id", "split", "images_listed", "images_found"],
        ["CXR2_IM-0652", "train", "2", "0"],
        ["CXR2372_IM-0933-0001", "train", "2", "1"],
        ["CXR4_IM-2050", "val", "2", "1"],
    ]


def test_the_prepared_set_opens_with_everything(source):
    calls = []
    source.prepare(short_side=10, progress=lambda done, total: calls.append((done, total)))
    dataset = PreparedDataset.open(source.root / "set")
    assert [len(dataset.split(split)) for split in SPLITS] == [2, 1, 1]
    assert dataset.split("test")[0].views[0].pixels.shape == (15, 10)
    assert dataset.manifest.parameters["short_side"] == 10
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_split_without_any_image_is_refused_and_leaves_nothing(source):
    (source.images / "4_IM-2050-1001.dcm.png").unlink()
    with pytest.raises(ValueError, match="split 'val': none of its 1 studies has an image in"):
        source.prepare()
    assert not (source.root / "set").exists()


def test_a_damaged_image_names_study_and_file_and_leaves_nothing(source):
    path = source.images / "r2gen" / "CXR5_IM-2117" / "1.png"
    path.write_bytes(path.read_bytes()[:-25])
    with pytest.raises(ValueError, match=r"study 'CXR5_IM-2117': .*1\.png: damaged image"):
        source.prepare()
    names = {path.name for path in source.root.iterdir()}
    assert names == {"annotation.json", "images"}


def test_an_image_found_twice_is_refused(source):
    film(source.images / "again" / "1_IM-0001-3001.png")
    with pytest.raises(ValueError, match=r"are the same image; leave one of them out"):
        source.open()


def test_a_path_that_leaves_the_folder_is_never_followed(source):
    film(source.root / "secret" / "0.png")
    source.content["test"][0]["image_path"] = ["../secret/0.png"]
    source.write()
    with pytest.raises(ValueError, match="split 'test': none of its"):
        source.prepare()


def test_a_split_without_a_study_is_refused(source):
    source.content["val"] = []
    source.write()
    with pytest.raises(ValueError, match="split 'val': the annotation file lists no study of it"):
        source.prepare()


@pytest.mark.parametrize("content", ["{", "", "[" * 100_000, "7", "[]", '{"train": []}', "\udcff"])
def test_a_file_of_another_form_is_refused(source, content):
    source.annotation.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(ValueError, match=r"annotation\.json: (not valid JSON|must be an object)"):
        source.open()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"report": None}, "field 'report': Input should be a valid string"),
        ({"report": 7}, "field 'report': Input should be a valid string"),
        ({"report": " \n "}, "field 'report' is empty"),
        ({"image_path": "0.png"}, "field 'image_path': Input should be a valid list"),
        ({"image_path": []}, "field 'image_path': List should have at least 1 item"),
        ({"image_path": [7]}, r"field 'image_path\.0'"),
        ({"split": "validate"}, "field 'split': Input should be 'train', 'val' or 'test'"),
        ({"split": "test"}, "field 'split' says 'test'; it must say 'train'"),
    ],
)
def test_a_bad_field_names_file_study_and_field(source, changes, message):
    source.content["train"][1] |= changes
    source.write()
    where = r"annotation\.json: train entry 1, study 'CXR2_IM-0652': "
    with pytest.raises(ValueError, match=where + message) as error:
        source.open()
    assert "\n" not in str(error.value)


def test_a_missing_field_is_named(source):
    del source.content["val"][0]["report"]
    source.write()
    with pytest.raises(ValueError, match="study 'CXR4_IM-2050': field 'report': Field required"):
        source.open()


@pytest.mark.parametrize("entry", [7, None, [], "CXR1"])
def test_an_entry_that_is_no_object_is_named(source, entry):
    source.content["val"][0] = entry
    source.write()
    with pytest.raises(ValueError, match=r"annotation\.json: val entry 0: "):
        source.open()


@pytest.mark.parametrize("study_id", ["02aa804e-bde0afdd", "CXR_IM-1", "../CXR1_IM-1", "CXR1"])
def test_an_id_of_another_data_set_is_refused(source, study_id):
    source.content["val"][0]["id"] = study_id
    source.write()
    with pytest.raises(ValueError, match="field 'id' must look like CXR54_IM-2145"):
        source.open()


def test_a_duplicate_id_is_refused(source):
    source.content["test"].append(record("CXR2_IM-0652", "test"))
    source.write()
    with pytest.raises(ValueError, match="study 'CXR2_IM-0652' occurs twice"):
        source.open()


def test_missing_sources_are_named(source):
    with pytest.raises(FileNotFoundError, match="no such annotation file"):
        IUXRay(source.root / "a.json", source.images)
    with pytest.raises(FileNotFoundError, match="no such folder of images"):
        IUXRay(source.annotation, source.root / "b")
    with pytest.raises(FileNotFoundError, match=r"c\.csv"):
        source.open(labels=source.root / "c.csv")


def test_the_real_studies_are_all_accounted_for(shared, tmp_path):
    folder = shared / "iu_xray"
    manifest = prepare_iu_xray(
        tmp_path / "set",
        annotation=folder / "annotation.json",
        images=folder / "images",
        projections=folder / "indiana_projections.csv",
        labels=folder / "labels14_xpronet_chexbert.csv",
    )
    counts = manifest.notes["images"]
    assert counts["studies"] == 2955
    assert counts["with_images"] + counts["without_images"] == 2955
    assert manifest.splits == {"train": 8, "val": 1, "test": 3}
    with (tmp_path / "set" / "missing.csv").open() as stream:
        listed = list(csv.DictReader(stream))
    assert len(listed) == counts["without_images"] + counts["with_fewer_images_than_listed"]
    dataset = PreparedDataset.open(tmp_path / "set")
    pair = dataset.study("CXR54_IM-2145")
    assert [view.position for view in pair.views] == ["frontal", "lateral"]
    assert not np.isnan(dataset.split("train").labels).any()
    assert describe(dataset)["splits"]["test"]["labels"]["Edema"]["missing"] == 3


def test_every_real_label_reaches_its_study(shared):
    folder = shared / "iu_xray"
    for name in ("labels14_xpronet_chexbert.csv", "labels14_camanet_chexbert.csv"):
        source = IUXRay(folder / "annotation.json", folder / "images", labels=folder / name)
        studies = list(source.studies())
        assert all(study.labels for study in studies if study.split != "test")
