"""MIMIC-CXR from a synthetic tree in exactly its layout, through the whole pipeline."""

import gzip
import pickle
import shutil
from dataclasses import replace

import pytest
from jaxtyping import TypeCheckError

from gradtruce.data.observations import OBSERVATIONS
from gradtruce.data.prepared import PreparedDataset
from gradtruce.data.preparing.pipeline import prepare
from gradtruce.data.preparing.problems import read_problems
from gradtruce.data.sources.base import Problem, Record, Settings
from gradtruce.data.sources.mimic_cxr import MimicCxr
from gradtruce.data.sources.mimic_cxr_study import image_summary
from tests.data.sources.mimic_tree import STUDIES, MadeUp, report, write_tables, write_tree

FIRST, TIED, TIED_TOO, NO_FINDINGS, VALIDATION, LATER, TEST = STUDIES


def listed(source):
    entries = list(source.records())
    records = {entry.id: entry for entry in entries if isinstance(entry, Record)}
    return records, [entry for entry in entries if isinstance(entry, Problem)]


def source_of(tree, **options):
    return MimicCxr(tree.root, options.pop("reports", tree.archive), **options)


@pytest.fixture
def tree(tmp_path):
    return write_tree(tmp_path / "mimic-cxr-jpg")


def test_studies_come_by_patient_and_time_whatever_the_order_of_rows(tree):
    records, problems = listed(source_of(tree))
    assert list(records) == [s.study for s in (FIRST, TIED, TIED_TOO, *STUDIES[3:])]
    write_tables(tree.root, reversed(STUDIES))
    assert list(listed(source_of(tree))[0].values()) == list(records.values())
    assert not problems


def test_views_are_ordered_and_their_paths_computed(tree):
    records, _ = listed(source_of(tree))
    assert [(view.path, view.position) for view in records[FIRST.study].views] == [
        (FIRST.image_path(2), "frontal"),
        (FIRST.image_path(1), "frontal"),
        (FIRST.image_path(0), "lateral"),
    ]
    assert [view.position for view in records[LATER.study].views] == ["lateral", None]


def test_the_prior_is_the_study_before_and_equal_times_go_by_number(tree):
    records, _ = listed(source_of(tree))
    assert [records[s.study].prior for s in (FIRST, TIED, TIED_TOO)] == [
        None,
        FIRST.study,
        TIED.study,
    ]
    assert records[LATER.study].prior == VALIDATION.study
    assert all(r.prior is None or records[r.prior].split == r.split for r in records.values())


def test_a_study_without_time_has_no_prior_and_is_none(tmp_path):
    studies = [replace(FIRST, date="", time=""), *STUDIES[1:]]
    records, _ = listed(source_of(write_tree(tmp_path / "jpg", studies)))
    assert records[FIRST.study].prior is None
    assert records[TIED.study].prior is None


def test_prior_counts_are_noted_by_split(tree):
    source = source_of(tree, labels="chexpert")
    listed(source)
    notes = source.notes()
    assert notes["with prior"] == {"train": 2, "val": 1, "test": 0}
    assert notes["images in the metadata"] == 12
    assert notes["studies without labels"] == 1


@pytest.mark.parametrize("labels", ["chexpert", "negbio"])
def test_labels_have_four_states_and_a_source_with_hash(tree, labels):
    records, _ = listed(source_of(tree, labels=labels))
    assert records[VALIDATION.study].label_states() == {"Edema": 1, "Fracture": 0}
    assert records[TIED.study].label_states() == {"Edema": -1}
    assert records[NO_FINDINGS.study].label_states() == {}
    assert f"{labels}.csv.gz (sha256 " in records[TEST.study].label_source


def test_labels_of_other_studies_are_an_error(tmp_path, tree):
    header = ",".join(("id", *OBSERVATIONS))
    other = tmp_path / "labels.csv"
    other.write_text(f"{header}\ns99999999,1{',' * (len(OBSERVATIONS) - 1)}\n")
    with pytest.raises(ValueError, match=r"labels\.csv: has none of the studies"):
        listed(source_of(tree, labels=other))


def test_a_record_an_image_has_the_study_s_report_and_a_prior_image(tree):
    records, _ = listed(source_of(tree, unit="image"))
    assert len(records) == 12
    assert all(len(record.views) == 1 for record in records.values())
    assert records[TIED.image(0)].prior == FIRST.image(2)
    assert records[FIRST.image(0)].report_file == records[FIRST.image(1)].report_file


def test_frontal_views_alone_leave_lateral_and_unknown_ones_out(tree):
    source = source_of(tree, views="frontal")
    records, problems = listed(source)
    assert [len(records[s.study].views) for s in (FIRST, TIED)] == [2, 1]
    assert [(p.id, p.kind) for p in problems] == [(LATER.study, "no frontal view")]
    assert source.notes()["images left out that are not frontal"] == 5
    assert source.notes()["of these of unknown position"] == 1


@pytest.mark.parametrize("packed", [True, False])
def test_the_whole_way_to_a_prepared_set(tmp_path, tree, packed):
    reports = tree.archive if packed else tmp_path / "reports"
    source = source_of(tree, reports=reports, labels="chexpert")
    manifest = prepare(source, tmp_path / "set", on_error="skip", pictures=False)
    assert manifest.splits == {"train": 3, "val": 2, "test": 1}
    assert manifest.problems == {"no findings section": 1}
    opened = {s.id: s for s in PreparedDataset.open(tmp_path / "set").split("train")}
    study = opened[FIRST.study]
    assert study.report == "The invented lungs are clear."
    assert study.sections["indication"] == "___ with a made-up cough."
    assert study.sections["impression"] == "Nothing new."
    assert [view.position for view in study.views] == ["frontal", "frontal", "lateral"]
    assert study.views[0].pixels.shape == (48, 40)
    assert opened[TIED.study].prior == FIRST.study


def test_dicom_trees_give_the_same_set(tmp_path, tree):
    pytest.importorskip("pydicom")
    dicom = write_tree(tmp_path / "mimic-cxr", ending="dcm")
    source = MimicCxr(dicom.root / "files", dicom.archive, metadata=tree.metadata, split=tree.split)
    assert source.parameters["image_format"] == "dcm"
    manifest = prepare(source, tmp_path / "set", on_error="skip", pictures=False)
    assert manifest.splits == {"train": 3, "val": 2, "test": 1}
    study = PreparedDataset.open(tmp_path / "set").split("test")[0]
    assert study.views[0].pixels.shape == (48, 40)


def test_another_target_is_recorded_and_decides_who_is_in(tmp_path, tree):
    source = source_of(tree, target="impression")
    manifest = prepare(source, tmp_path / "set", pictures=False)
    assert manifest.parameters["target"] == "impression"
    assert sum(manifest.splits.values()) == 7
    study = PreparedDataset.open(tmp_path / "set").split("test")[0]
    assert (study.report, study.sections["findings"]) == (
        "Nothing new.",
        "The invented lungs are clear.",
    )


def test_a_partial_download_tells_how_many_studies_have_images(tmp_path, tree):
    for study in (TIED, LATER):
        shutil.rmtree((tree.root / study.image_path(0)).parent)
    (tree.root / FIRST.image_path(0)).unlink()
    manifest = prepare(source_of(tree), tmp_path / "set", on_error="skip", pictures=False)
    problems = read_problems(tmp_path / "set")
    assert manifest.problems["no images"] == 2
    assert manifest.problems["missing image"] == 4
    total = sum(manifest.splits.values())
    assert image_summary(total, problems) == "4 of 6 studies with a usable report have images"


def test_missing_reports_are_told_by_archive_and_by_folder(tmp_path):
    studies = [replace(FIRST, report=None), *STUDIES[1:]]
    tree = write_tree(tmp_path / "jpg", studies)
    records, problems = listed(source_of(tree))
    assert [(p.id, p.kind) for p in problems] == [(FIRST.study, "missing report")]
    assert records[TIED.study].prior is None
    source = source_of(tree, reports=tmp_path / "reports")
    records, problems = listed(source)
    assert not problems
    built = source.build(records[FIRST.study], Settings())
    assert [(p.kind, p.file) for p in built.problems] == [("missing report", FIRST.report_path)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"\xff\xfe", "not UTF-8 text"), (b"x" * 1_000_000, "must be shorter than")],
)
def test_a_damaged_report_is_a_problem_without_a_path_of_this_machine(
    tmp_path, tree, content, reason
):
    (tmp_path / "reports" / FIRST.report_path).write_bytes(content)
    source = source_of(tree, reports=tmp_path / "reports")
    (problem,) = source.build(listed(source)[0][FIRST.study], Settings()).problems
    assert problem.kind == "damaged report"
    assert reason in problem.reason
    assert str(tmp_path) not in problem.message()


def test_a_source_is_small_when_it_goes_to_a_worker(tree):
    source = source_of(tree, labels="chexpert")
    records, _ = listed(source)
    sent = pickle.dumps(source)
    assert len(sent) < 5_000
    again = pickle.loads(sent)
    assert again.build(records[TEST.study], Settings()).study.report.startswith("The invented")


def test_the_fingerprint_is_of_content_not_of_place(tmp_path, tree):
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(tree.root, elsewhere / "root")
    shutil.copy(tree.archive, elsewhere)
    moved = MimicCxr(elsewhere / "root", elsewhere / tree.archive.name)
    assert moved.fingerprint() == source_of(tree).fingerprint()
    assert moved.fingerprint() != source_of(tree, labels="negbio").fingerprint()
    assert moved.fingerprint() != source_of(tree, unit="image").fingerprint()


def changed_metadata(tree, change):
    lines = gzip.decompress(tree.metadata.read_bytes()).decode().splitlines()
    tree.metadata.write_bytes(gzip.compress("\n".join(change(lines)).encode()))


@pytest.mark.parametrize(
    ("change", "kind", "action"),
    [
        (lambda lines: [*lines, lines[1]], "duplicate row", "noted"),
        (
            lambda lines: [*lines, lines[1].replace(FIRST.study, TEST.study)],
            "duplicate image",
            "view skipped",
        ),
        (lambda lines: [*lines, "../../x,10999901,59000001" + "," * 9], "unfit id", "view skipped"),
        (
            lambda lines: [*lines, lines[1].replace("10999901", "10999902").replace("a", "b")],
            "unfit id",
            "study skipped",
        ),
        (
            lambda lines: [*lines, lines[1].replace(FIRST.study, "59000099").replace("a", "b")],
            "no split",
            "study skipped",
        ),
    ],
)
def test_rows_that_do_not_fit_are_told(tree, change, kind, action):
    changed_metadata(tree, change)
    _, problems = listed(source_of(tree))
    assert [(p.kind, p.action) for p in problems] == [(kind, action)]


def test_metadata_of_fewer_studies_than_the_split_file_are_counted(tree):
    changed_metadata(tree, lambda lines: lines[:-2])
    source = source_of(tree)
    records, problems = listed(source)
    assert TEST.study not in records
    assert not problems
    assert source.notes()["studies of the split file without metadata"] == 1


def test_a_patient_in_two_splits_ends_the_run(tmp_path):
    tree = write_tree(tmp_path / "jpg", [FIRST, replace(TIED, split="test")])
    with pytest.raises(ValueError, match="every patient must be in one"):
        listed(source_of(tree))


@pytest.mark.parametrize("table", ["metadata", "split", "chexpert"])
def test_a_cut_off_table_is_named(tree, table):
    path = getattr(tree, table)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match=rf"{path.name}.*damaged gzip file.*download it again"):
        listed(source_of(tree, labels="chexpert"))


def test_missing_tables_and_folders_say_what_to_name(tmp_path, tree):
    tree.split.unlink()
    with pytest.raises(FileNotFoundError, match="at the root of MIMIC-CXR-JPG on PhysioNet"):
        source_of(tree)
    with pytest.raises(FileNotFoundError, match="has neither files/p10"):
        listed(MimicCxr(tmp_path, tree.archive, metadata=tree.metadata, split=tree.metadata))
    (tmp_path / "empty" / "p10").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match=r"no \.jpg, \.dcm or \.png image was met"):
        listed(MimicCxr(tmp_path / "empty", tree.archive, metadata=tree.metadata, split="s.csv"))


def test_unknown_options_are_refused(tree):
    for option in ("unit", "views", "target", "image_format"):
        with pytest.raises((ValueError, TypeCheckError), match=option):
            source_of(tree, **{option: "patient"})


def test_no_folder_of_images_is_listed_when_the_format_is_given(tree, monkeypatch):
    def refuse(*_):
        raise AssertionError("a folder was listed")

    monkeypatch.setattr("os.scandir", refuse)
    monkeypatch.setattr("os.listdir", refuse)
    records, _ = listed(source_of(tree, image_format="jpg"))
    assert len(records) == 7


def test_two_workers_give_the_same_set_as_one(tmp_path, tree):
    studies = [
        MadeUp(f"1099{n:04d}", f"5800{n:04d}", split, report=report(f"Study {n} is made up."))
        for n, split in enumerate(["train"] * 20 + ["validate"] * 4 + ["test"] * 4)
    ]
    tree = write_tree(tmp_path / "many", studies)
    one, two = (
        prepare(source_of(tree), tmp_path / f"{n}", workers=n, pictures=False, shard_rows=4).shards
        for n in (1, 2)
    )
    assert one == two
