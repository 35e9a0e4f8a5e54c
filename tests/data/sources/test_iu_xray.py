import pickle

import numpy as np
import pytest

from gradtruce.data.data_card import describe
from gradtruce.data.prepared import PreparedDataset
from gradtruce.data.preparing.pipeline import prepare
from gradtruce.data.preparing.problems import read_problems
from gradtruce.data.sources.base import Problem, Record, Settings
from gradtruce.data.sources.iu_xray import IUXRay
from gradtruce.data.study import SPLITS
from tests.data.sources.iu_xray_downloads import Download, entry, film, xml


@pytest.fixture
def download(tmp_path):
    return Download(tmp_path)


def annotated(download, **options):
    return IUXRay(download.images, annotation=download.annotation, **options)


def listed(source):
    """Return records by id, and problems in order."""
    entries = list(source.records())
    records = {one.id: one for one in entries if isinstance(one, Record)}
    return records, [one for one in entries if isinstance(one, Problem)]


def studies(source):
    records, _ = listed(source)
    return {name: source.build(record, Settings()).study for name, record in records.items()}


def shades(study):
    return [int(view.pixels[0, 0]) for view in study.views]


def test_images_are_found_in_both_forms(download):
    assert {name: shades(study) for name, study in studies(annotated(download)).items()} == {
        "CXR1_1_IM-0001": [31, 41],
        "CXR2372_IM-0933-0001": [2],
        "CXR4_IM-2050": [4],
        "CXR5_IM-2117": [50, 51],
    }


def test_the_patient_is_the_number_and_the_report_is_kept_as_it_is(download):
    first = studies(annotated(download))["CXR1_1_IM-0001"]
    assert (first.patient, first.report) == ("1", "Findings of CXR1_1_IM-0001. XXXX.")
    assert not first.is_synthetic


def test_projections_put_the_frontal_view_first(download):
    rows = "1,1_IM-0001-4001.dcm.png,Frontal\n1,1_IM-0001-3001.dcm.png,Lateral\n"
    source = annotated(download, projections=download.projections(rows))
    first = studies(source)["CXR1_1_IM-0001"]
    assert shades(first) == [41, 31]
    assert [view.position for view in first.views] == ["frontal", "lateral"]


def test_without_projections_positions_are_unknown(download):
    found = studies(annotated(download)).values()
    assert {view.position for study in found for view in study.views} == {"unknown"}


def test_a_bad_projection_is_named(download):
    path = download.projections("1,1_IM-0001-4001.dcm.png,Oblique\n")
    with pytest.raises(ValueError, match=r"projections\.csv, line 2: .* 'Oblique'"):
        listed(annotated(download, projections=path))


@pytest.mark.parametrize("label_id", ["CXR2372_IM-0933", "CXR2372", "2372"])
def test_labels_are_joined_by_the_number_of_the_study(download, label_id):
    labels = download.labels(label_id, "CXR9_IM-1")
    records, _ = listed(annotated(download, labels=labels))
    assert [name for name, record in records.items() if record.labels] == ["CXR2372_IM-0933-0001"]
    assert records["CXR2372_IM-0933-0001"].label_source.startswith("labels.csv (sha256 ")


def test_labels_of_other_studies_alone_are_refused(download):
    with pytest.raises(ValueError, match=r"labels\.csv: has none of the studies"):
        listed(annotated(download, labels=download.labels("CXR9_IM-1")))


def test_labels_that_name_one_study_in_two_ways_are_refused(download):
    path = download.labels("CXR1_1_IM-0001", "CXR1")
    path.write_text(path.read_text().replace("CXR1,1", "CXR1,0"))
    with pytest.raises(ValueError, match="study 'CXR1' is labelled twice under several ids"):
        listed(annotated(download, labels=path))


def test_studies_without_images_are_counted_and_listed_and_never_stop(download):
    manifest = prepare(annotated(download), download.root / "set", on_error="stop")
    expected = "4 of 5 studies have images (train 2 of 3, val 1 of 1, test 1 of 1)"
    assert manifest.notes["summary"] == expected
    assert manifest.notes["images"]["without_images"] == 1
    assert manifest.notes["images"]["with_fewer_images_than_listed"] == 2
    problems = read_problems(download.root / "set")
    assert [(one.id, one.kind, one.action) for one in problems] == [
        ("CXR2_IM-0652", "missing image", "noted"),
        ("CXR2372_IM-0933-0001", "missing image", "noted"),
        ("CXR4_IM-2050", "missing image", "noted"),
    ]
    assert manifest.problems == {"missing image": 3}
    assert "CC BY-NC-ND 4.0" in manifest.licence


def test_a_missing_image_stops_where_all_are_needed(download):
    source = annotated(download, needs_all_images=True)
    with pytest.raises(ValueError, match="study 'CXR2_IM-0652': none of its 2 images is in"):
        prepare(source, download.root / "set")
    prepare(source, download.root / "set", on_error="skip")
    actions = [one.action for one in read_problems(download.root / "set")]
    assert actions == ["study skipped", "view skipped", "view skipped"]


def test_the_prepared_set_opens_with_everything_and_is_the_same_with_two_workers(download):
    for workers in (1, 2):
        prepare(
            annotated(download),
            download.root / f"set{workers}",
            settings=Settings(short_side=10),
            workers=workers,
        )
    one, two = (PreparedDataset.open(download.root / f"set{n}") for n in (1, 2))
    assert [len(one.split(split)) for split in SPLITS] == [2, 1, 1]
    assert one.split("test")[0].views[0].pixels.shape == (15, 10)
    assert one.manifest.shards == two.manifest.shards
    assert one.manifest.parameters["target"] == "findings"
    assert one.manifest.parameters["split"] == {"by": "R2Gen"}


def test_the_fingerprint_knows_no_path_but_every_file_and_argument(download, tmp_path):
    download.write_xml()
    source = annotated(download, reports=download.xml)
    twin = Download(tmp_path / "other" / "place")
    twin.write_xml()
    assert annotated(twin, reports=twin.xml).fingerprint() == source.fingerprint()
    other = annotated(download, reports=download.xml, target="impression")
    assert other.fingerprint() != source.fingerprint()
    (twin.xml / "5.xml").write_text(xml(5, findings="Hazy."))
    assert annotated(twin, reports=twin.xml).fingerprint() != source.fingerprint()


def test_a_source_goes_to_a_worker_small(download):
    source = annotated(download)
    listed(source)
    assert len(pickle.dumps(source)) < 4000


def test_a_split_without_any_image_is_refused_and_leaves_nothing(download):
    (download.images / "4_IM-2050-1001.dcm.png").unlink()
    with pytest.raises(ValueError, match=r"split 'val' has no study.*left out: missing image"):
        prepare(annotated(download), download.root / "set")
    assert not (download.root / "set").exists()


def test_a_damaged_image_stops_or_is_left_out(download):
    path = download.images / "r2gen" / "CXR5_IM-2117" / "1.png"
    path.write_bytes(path.read_bytes()[:-25])
    with pytest.raises(ValueError, match=r"study 'CXR5_IM-2117': .*1\.png: damaged image"):
        prepare(annotated(download), download.root / "set")
    manifest = prepare(annotated(download), download.root / "set", on_error="skip")
    assert manifest.problems["damaged image"] == 1
    kept = PreparedDataset.open(download.root / "set").study("CXR5_IM-2117")
    assert shades(kept) == [50]


def test_an_image_found_twice_is_a_problem(download):
    film(download.images / "z" / "1_IM-0001-3001.png", 99)
    records, problems = listed(annotated(download))
    assert (problems[0].kind, problems[0].file) == ("duplicate image", "z/1_IM-0001-3001.png")
    assert len(records["CXR1_1_IM-0001"].views) == 2


def test_a_path_that_leaves_the_folder_is_never_followed(download):
    film(download.root / "secret" / "0.png")
    download.content["test"][0]["image_path"] = ["../secret/0.png"]
    download.write()
    records, _ = listed(annotated(download))
    assert "CXR5_IM-2117" not in records


def test_links_are_not_followed_out_or_round(download):
    film(download.root / "outside.png")
    (download.images / "CXR2_IM-0652-1001.png").symlink_to(download.root / "outside.png")
    (download.images / "round").symlink_to(download.images)
    source = annotated(download)
    records, problems = listed(source)
    assert (problems[0].kind, problems[0].file) == ("link to a folder", "round")
    built = source.build(records["CXR2_IM-0652"], Settings())
    assert built.study is None
    assert "leads out of" in built.problems[0].reason


@pytest.mark.parametrize("content", ["{", "", "[" * 100_000, "7", "[]", '{"train": []}'])
def test_a_file_of_another_form_is_refused(download, content):
    download.annotation.write_text(content)
    with pytest.raises(ValueError, match=r"annotation\.json: (not valid JSON|must be an object)"):
        listed(annotated(download))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"report": None}, "field 'report': Input should be a valid string"),
        ({"report": " \n "}, "field 'report' is empty"),
        ({"image_path": "0.png"}, "field 'image_path': Input should be a valid list"),
        ({"image_path": []}, "field 'image_path': List should have at least 1 item"),
        ({"image_path": [7]}, "field 'image_path.0'"),
        ({"split": "validate"}, "field 'split': Input should be 'train', 'val' or 'test'"),
        ({"split": "test"}, "field 'split' says 'test'; it must say 'train'"),
    ],
)
def test_a_bad_field_is_a_problem_that_names_study_and_field(download, changes, message):
    download.content["train"][1] |= changes
    download.write()
    _, problems = listed(annotated(download))
    assert (problems[0].id, problems[0].kind) == ("CXR2_IM-0652", "bad record")
    assert f"annotation.json: train entry 1: {message}" in problems[0].reason


@pytest.mark.parametrize("bad", [7, None, [], "CXR1", {"report": "No id."}])
def test_an_entry_that_is_none_is_a_problem(download, bad):
    download.content["val"].append(bad)
    download.write()
    _, problems = listed(annotated(download))
    assert [one.id for one in problems if one.kind == "bad record"] == [""]
    with pytest.raises(ValueError, match=r"annotation\.json: val entry 1: "):
        prepare(annotated(download), download.root / "set")


@pytest.mark.parametrize("study_id", ["02aa804e-bde0afdd", "CXR_IM-1", "../CXR1_IM-1", "CXR1"])
def test_an_id_of_another_data_set_is_a_problem(download, study_id):
    download.content["val"][0]["id"] = study_id
    download.write()
    _, problems = listed(annotated(download))
    assert any("field 'id' must look like CXR54_IM-2145" in one.reason for one in problems)


def test_a_duplicate_id_stops_or_is_left_out(download):
    download.content["train"].append(entry("CXR1_1_IM-0001", "train"))
    download.write()
    with pytest.raises(ValueError, match="study 'CXR1_1_IM-0001': the id occurs twice"):
        prepare(annotated(download), download.root / "set")
    manifest = prepare(annotated(download), download.root / "set", on_error="skip")
    assert manifest.problems["duplicate id"] == 1


def test_missing_files_are_named(download):
    with pytest.raises(FileNotFoundError, match="no such annotation file"):
        IUXRay(download.images, annotation=download.root / "a.json")
    with pytest.raises(FileNotFoundError, match="no such folder of images"):
        IUXRay(download.root / "b", annotation=download.annotation)
    with pytest.raises(FileNotFoundError, match=r"c\.csv: there is no such file of labels"):
        annotated(download, labels=download.root / "c.csv")
    with pytest.raises(FileNotFoundError, match=r"d: there is no such folder of XML reports"):
        annotated(download, reports=download.root / "d")
    with pytest.raises(FileNotFoundError, match="no such list of projections"):
        annotated(download, projections=download.root / "e")


def test_the_real_studies_are_all_accounted_for(shared, tmp_path):
    folder = shared / "iu_xray"
    source = IUXRay(
        folder / "images",
        annotation=folder / "annotation.json",
        projections=folder / "indiana_projections.csv",
        labels=folder / "labels14_xpronet_chexbert.csv",
    )
    manifest = prepare(source, tmp_path / "set")
    counts = manifest.notes["images"]
    assert (counts["studies"], counts["with_images"], counts["without_images"]) == (2955, 12, 2943)
    assert manifest.notes["summary"].startswith("12 of 2,955 studies have images")
    assert manifest.splits == {"train": 8, "val": 1, "test": 3}
    fewer = counts["with_fewer_images_than_listed"]
    assert manifest.problems == {"missing image": 2943 + fewer}
    dataset = PreparedDataset.open(tmp_path / "set")
    pair = dataset.study("CXR54_IM-2145")
    assert [view.position for view in pair.views] == ["frontal", "lateral"]
    assert not np.isnan(dataset.split("train").labels).any()
    assert describe(dataset)["splits"]["test"]["labels"]["Edema"]["missing"] == 3


def test_every_real_label_reaches_its_study(shared):
    folder = shared / "iu_xray"
    for name in ("labels14_xpronet_chexbert.csv", "labels14_camanet_chexbert.csv"):
        source = IUXRay(
            folder / "images", annotation=folder / "annotation.json", labels=folder / name
        )
        labelled = [one for one in source._studies.listed() if one.labels]
        assert len(labelled) == 2365
        assert {one.split for one in labelled} == {"train", "val"}
