import pytest

from gradtruce.data.prepared import PreparedDataset
from gradtruce.data.preparing.pipeline import prepare
from gradtruce.data.sources.base import Problem, Record, Settings
from gradtruce.data.sources.folder import Folder
from tests.data.sources.iu_xray_downloads import film


def text(path, words="The lungs are clear."):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(words)


def listed(root, **options):
    entries = list(Folder(root, **options).records())
    records = {one.id: one for one in entries if isinstance(one, Record)}
    return records, [one for one in entries if isinstance(one, Problem)]


@pytest.fixture
def root(tmp_path):
    """Return a folder of three studies, split by the names of its folders."""
    film(tmp_path / "train" / "s1.png")
    text(tmp_path / "train" / "s1.txt", "Study one.")
    film(tmp_path / "val" / "s2" / "lateral.jpg")
    film(tmp_path / "val" / "s2" / "pa.png")
    text(tmp_path / "val" / "s2" / "report.txt", "Study two.")
    film(tmp_path / "test" / "a_s3.frontal.png")
    film(tmp_path / "test" / "a_s3-lateral.png")
    text(tmp_path / "test" / "a_s3.txt", "Study three.")
    return tmp_path


def test_texts_beside_images_and_a_folder_a_study_become_a_set(root, tmp_path_factory):
    target = tmp_path_factory.mktemp("made") / "set"
    prepare(Folder(root), target)
    dataset = PreparedDataset.open(target)
    found = {
        study.id: (study.split, study.report, [view.position for view in study.views])
        for split in ("train", "val", "test")
        for study in dataset.split(split)
    }
    assert found == {
        "train/s1": ("train", "Study one.", ["unknown"]),
        "val/s2": ("val", "Study two.", ["frontal", "lateral"]),
        "test/a_s3": ("test", "Study three.", ["frontal", "lateral"]),
    }


def test_without_split_folders_a_hash_decides(tmp_path):
    for number in range(40):
        film(tmp_path / f"s{number}.png")
        text(tmp_path / f"s{number}.txt")
    records, problems = listed(tmp_path)
    assert not problems
    assert len(records) == 40
    assert {record.split for record in records.values()} == {"train", "val", "test"}
    assert all(record.patient == record.id for record in records.values())


def test_the_longest_name_owns_an_image_and_only_as_whole_words(root):
    film(root / "train" / "s1_late.png")
    film(root / "train" / "s1_late_0.png")
    text(root / "train" / "s1_late.txt")
    film(root / "train" / "s10.png")
    records, problems = listed(root)
    assert [view.path for view in records["train/s1"].views] == ["train/s1.png"]
    assert len(records["train/s1_late"].views) == 2
    assert [(one.id, one.kind) for one in problems] == [("train/s10", "missing report")]


def test_raw_text_is_split_and_the_target_chosen(root):
    text(root / "val" / "s2" / "report.txt", "FINDINGS: Clear.\nIMPRESSION: Normal.\n")
    records, _ = listed(root, target="impression")
    assert records["val/s2"].report == "Normal."
    study = Folder(root).build(records["val/s2"], Settings()).study
    assert study.sections == {"findings": "Clear."}


@pytest.mark.parametrize(
    ("spoil", "study", "kind"),
    [
        (lambda root: text(root / "train" / "s9.txt"), "train/s9", "missing image"),
        (lambda root: film(root / "s9.png"), "s9", "missing report"),
        (lambda root: film(root / "test" / "s9" / "0.png"), "test/s9", "missing report"),
        (lambda root: (root / "val" / "s2" / "b.txt").touch(), "val/s2", "several reports"),
        (lambda root: (root / "train" / "s1.txt").write_text(""), "train/s1", "missing report"),
        (
            lambda root: (root / "train" / "s1.txt").write_bytes(b"\xff"),
            "train/s1",
            "unreadable report",
        ),
        (lambda root: (root / "val" / "round").symlink_to(root), "", "link to a folder"),
    ],
)
def test_a_fault_is_a_problem_that_names_the_study_and_stops(root, spoil, study, kind):
    spoil(root)
    _, (problem,) = listed(root)
    assert (problem.id, problem.kind, problem.action) == (study, kind, "study skipped")
    with pytest.raises(ValueError, match=problem.reason[:20]):
        prepare(Folder(root), root.parent / f"{root.name}-set")


def test_a_text_that_links_out_is_a_problem(root, tmp_path_factory):
    secret = tmp_path_factory.mktemp("elsewhere") / "secret.txt"
    secret.write_text("Secret.")
    (root / "train" / "s1.txt").unlink()
    (root / "train" / "s1.txt").symlink_to(secret)
    _, (problem,) = listed(root)
    assert problem.kind == "path leaves the root"


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder or CSV file"):
        Folder(tmp_path / "gone")
    with pytest.raises(FileNotFoundError, match="there is no such file or folder"):
        Folder(tmp_path, labels=tmp_path / "labels.csv")
