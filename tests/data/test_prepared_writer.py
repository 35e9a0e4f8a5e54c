import subprocess
import sys
from pathlib import Path

import pytest

from gradtruce.data.prepared import PreparedDataset, PreparedWriter
from gradtruce.data.study import SPLITS


def writer_for(folder: Path) -> PreparedWriter:
    return PreparedWriter(folder, name="tiny", source="noise")


def fill(writer, make_study):
    for split in SPLITS:
        writer.add(make_study(split, split))


def test_the_same_studies_give_the_same_bytes(tmp_path, make_study):
    for name in ("a", "b"):
        with writer_for(tmp_path / name) as writer:
            fill(writer, make_study)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_notes_and_tables_are_kept(tmp_path, make_study):
    with writer_for(tmp_path / "set") as writer:
        fill(writer, make_study)
        writer.notes["missing_images"] = 3
        writer.write_table("missing.csv", ["id", "image"], [["s1", "a,b.png"]])
    assert PreparedDataset.open(tmp_path / "set").manifest.notes == {"missing_images": 3}
    assert (tmp_path / "set" / "missing.csv").read_text() == 'id,image\ns1,"a,b.png"\n'


def test_the_set_has_the_usual_permissions(tmp_path, make_study):
    (tmp_path / "plain").mkdir()
    with writer_for(tmp_path / "set") as writer:
        fill(writer, make_study)
    assert (tmp_path / "set").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("kind", ["file", "folder", "dangling link"])
def test_an_existing_target_is_refused_and_kept(tmp_path, kind):
    target = tmp_path / "set"
    if kind == "file":
        target.write_text("mine")
    elif kind == "folder":
        target.mkdir()
    else:
        target.symlink_to(tmp_path / "nowhere")
    with pytest.raises(FileExistsError, match="set exists; remove it or give another folder"):
        writer_for(target).__enter__()
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_an_error_leaves_nothing_behind(tmp_path, make_study, error):
    def interrupted() -> None:
        with writer_for(tmp_path / "new" / "deep" / "set") as writer:
            fill(writer, make_study)
            raise error

    with pytest.raises(error):
        interrupted()
    assert not list(tmp_path.iterdir())


def test_parents_with_other_content_are_kept(tmp_path, make_study):
    def interrupted() -> None:
        with writer_for(tmp_path / "new" / "set") as writer:
            (tmp_path / "new" / "other").write_text("mine")
            fill(writer, make_study)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        interrupted()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["other"]


def add_all(folder, studies):
    with writer_for(folder) as writer:
        for study in studies:
            writer.add(study)


def test_a_duplicate_id_is_refused(tmp_path, make_study):
    with pytest.raises(ValueError, match="study 's1': the id occurs twice"):
        add_all(tmp_path / "set", [make_study(), make_study()])
    assert not list(tmp_path.iterdir())


def test_a_patient_in_two_splits_is_refused(tmp_path, make_study):
    studies = [make_study("a", patient="p"), make_study("b", "test", patient="p")]
    with pytest.raises(
        ValueError, match="study 'b': patient 'p' is in 'test', but in 'train' with"
    ):
        add_all(tmp_path / "set", studies)
    assert not list(tmp_path.iterdir())


def test_a_split_without_study_is_refused(tmp_path, make_study):
    with pytest.raises(ValueError, match="split 'val' has no study"):
        add_all(tmp_path / "set", [make_study("a"), make_study("b", "test")])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("prior", ["nowhere", "val"])
def test_a_prior_that_is_no_study_of_the_patient_is_refused(tmp_path, make_study, prior):
    studies = [make_study(split, split) for split in SPLITS]
    with pytest.raises(ValueError, match=f"study 'a': its prior '{prior}' is no study of the same"):
        add_all(tmp_path / "set", [*studies, make_study("a", prior=prior)])
    assert not list(tmp_path.iterdir())


def test_an_empty_report_is_refused(tmp_path, make_study):
    with pytest.raises(ValueError, match="study 's1': its report is empty"):
        add_all(tmp_path / "set", [make_study(report="  ")])
    assert not list(tmp_path.iterdir())


FILL_A_SMALL_DISK = """
import resource, sys
import numpy as np
from gradtruce.data.prepared import PreparedWriter
from gradtruce.data.study import Study, View
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
film = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
try:
    with PreparedWriter(sys.argv[1], name="big", source="noise") as writer:
        for i in range(int(sys.argv[2])):
            split = ("train", "val", "test")[i % 3]
            writer.add(Study(f"s{i}", f"p{i}", split, (View(film, "frontal"),), "Clear."))
except OSError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("studies", "file_bytes"),
    [("1000", "200000"), ("60", "50000")],
    ids=["while adding", "while closing"],
)
def test_a_disk_that_takes_no_more_leaves_nothing_and_says_so(tmp_path, studies, file_bytes):
    done = subprocess.run(
        [sys.executable, "-c", FILL_A_SMALL_DISK, str(tmp_path / "set"), studies, file_bytes],
        capture_output=True,
        text=True,
        check=True,
        env={"OMP_NUM_THREADS": "1"},
    )
    assert done.stdout.startswith(f"could not write the prepared set {tmp_path / 'set'}: ")
    assert "free some space" in done.stdout
    assert done.stdout.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_parent_that_is_a_file_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="could not write the prepared set"):
        writer_for(tmp_path / "file" / "set").__enter__()


def test_a_disk_that_fills_while_shards_are_closed_leaves_nothing(
    tmp_path, make_study, monkeypatch
):
    def full(_path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gradtruce.data.preparing.shards.file_sha256", full)
    writer = writer_for(tmp_path / "set")
    writer.__enter__()
    fill(writer, make_study)
    with pytest.raises(OSError, match=r"set: No space left on device; .* free some space"):
        writer.__exit__(None, None, None)
    assert list(tmp_path.iterdir()) == []
