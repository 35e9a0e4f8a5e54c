import json
import subprocess
import sys
from pathlib import Path

import pytest

from gradtruce.data.prepared import PreparedDataset
from gradtruce.data.preparing.pipeline import prepare
from gradtruce.data.preparing.problems import read_problems
from gradtruce.data.sources.base import Settings


def test_a_set_has_every_study_and_says_what_it_is(make_source, tmp_path):
    manifest = prepare(make_source(), tmp_path / "set", settings=Settings(32))
    dataset = PreparedDataset.open(tmp_path / "set")
    dataset.verify()
    assert manifest == dataset.manifest
    assert manifest.splits == {"train": 24, "val": 3, "test": 3}
    assert dataset.split("val").ids == ("s0", "s10", "s20")
    assert manifest.settings == {"short_side": 32, "jpeg": None}
    assert (manifest.short_side, manifest.licence) == ((32, 32), "public domain")
    assert (manifest.problems, manifest.notes) == ({}, {"made": "for tests"})
    study = dataset.study("s3")
    assert study.labels == {"Enlarged Cardiomediastinum": 0, "Cardiomegaly": 1, "Lung Opacity": -1}
    assert [view.position for view in study.views] == ["frontal", "frontal"]
    assert not list(tmp_path.glob(".*"))


def test_workers_change_nothing(make_source, tmp_path, contents):
    source = make_source()
    told: list[tuple[int, int]] = []
    prepare(source, tmp_path / "one", shard_rows=4)
    prepare(source, tmp_path / "two", shard_rows=4, workers=2, progress=lambda *n: told.append(n))
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert told[0] == (0, 30)
    assert told[-1] == (30, 30)
    assert told == sorted(told)


def test_a_finished_set_is_up_to_date(make_source, tmp_path, contents):
    source = make_source()
    made = prepare(source, tmp_path / "set")
    before, said = contents(tmp_path / "set"), []
    assert prepare(source, tmp_path / "set", say=said.append) == made
    assert said == [f"{tmp_path / 'set'} is up to date"]
    assert contents(tmp_path / "set") == before


def test_a_finished_set_of_something_else_is_refused(make_source, tmp_path, contents):
    prepare(make_source(), tmp_path / "set")
    before = contents(tmp_path / "set")
    with pytest.raises(FileExistsError, match=r"short_side: 256 there, 64 asked for"):
        prepare(make_source(), tmp_path / "set", settings=Settings(64))
    with pytest.raises(FileExistsError, match=r"set exists; remove it .*list of its studies has"):
        prepare(make_source(31), tmp_path / "set")
    assert contents(tmp_path / "set") == before


def test_a_folder_that_is_no_set_is_refused(make_source, tmp_path):
    (tmp_path / "set").mkdir()
    with pytest.raises(FileExistsError, match="set exists and is no prepared set; give another"):
        prepare(make_source(), tmp_path / "set")


def damage(source, *names: str) -> None:
    for name in names:
        (source.root / name).write_bytes((source.root / name).read_bytes()[:60])


def test_a_damaged_image_stops_with_file_and_study(make_source, tmp_path):
    source = make_source()
    damage(source, "7-1.png")
    with pytest.raises(ValueError, match=r"study 's7': 7-1\.png: .*damaged"):
        prepare(source, tmp_path / "set", settings=Settings(32))
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_problems_are_skipped_listed_and_counted(make_source, tmp_path, workers):
    source = make_source(
        s8={"patient": "p7", "prior": "s7"},
        s9={"report": " "},
        s11={"id": "s1"},
    )
    damage(source, "7-0.png", "7-1.png", "12-0.png")
    (source.root / "13-0.png").unlink()
    manifest = prepare(
        source, tmp_path / "set", on_error="skip", workers=workers, settings=Settings(32)
    )
    dataset = PreparedDataset.open(tmp_path / "set")
    found = [(p.id, p.file, p.kind, p.action) for p in read_problems(tmp_path / "set")]
    assert found == [
        ("s1", "", "duplicate id", "study skipped"),
        ("s7", "7-0.png", "damaged image", "view skipped"),
        ("s7", "7-1.png", "damaged image", "study skipped"),
        ("s8", "", "prior study", "prior link removed"),
        ("s9", "", "unusable study", "study skipped"),
        ("s12", "12-0.png", "damaged image", "view skipped"),
        ("s13", "13-0.png", "missing image", "view skipped"),
    ]
    assert manifest.splits == {"train": 22, "val": 3, "test": 2}
    assert manifest.problems["damaged image"] == 3
    assert dataset.study("s8").prior is None
    assert len(dataset.study("s12").views) == 1
    card = json.loads((tmp_path / "set" / "data_card.json").read_text())
    assert card["problems"] == manifest.problems


def test_a_kept_prior_stays(make_source, tmp_path):
    source = make_source(s8={"patient": "p7", "prior": "s7"})
    prepare(source, tmp_path / "set")
    assert PreparedDataset.open(tmp_path / "set").study("s8").prior == "s7"


def test_a_split_of_which_nothing_is_left_is_refused(make_source, tmp_path):
    source = make_source(12)
    damage(source, "0-0.png", "0-1.png", "10-0.png", "10-1.png")
    with pytest.raises(ValueError, match=r"split 'val': nothing of its studies could be used \(2"):
        prepare(source, tmp_path / "set", on_error="skip")


def stopped(source, target: Path, **options) -> None:
    """Run into a damaged image after some shards are finished."""
    damage(source, "27-0.png")
    with pytest.raises(ValueError, match=r"27-0\.png: .* finished shards are kept in .* to go on"):
        prepare(source, target, shard_rows=4, **options)


@pytest.mark.parametrize("workers", [1, 2])
def test_after_a_mended_image_the_run_goes_on(make_source, tmp_path, contents, workers):
    source = make_source()
    prepare(source, tmp_path / "whole", shard_rows=4)
    image = (source.root / "27-0.png").read_bytes()
    stopped(source, tmp_path / "set", workers=workers)
    kept = {p: p.stat().st_mtime_ns for p in (tmp_path / ".set.preparing/set").iterdir()}
    assert kept
    (source.root / "27-0.png").write_bytes(image)
    said: list[str] = []
    prepare(source, tmp_path / "set", shard_rows=4, workers=workers, say=said.append)
    assert "shards were finished before" in said[0]
    for path, written in kept.items():
        assert (tmp_path / "set" / path.name).stat().st_mtime_ns == written
    assert contents(tmp_path / "set") == contents(tmp_path / "whole")


def test_a_stopped_run_goes_on_with_skip_and_back_again_it_stops(make_source, tmp_path):
    source = make_source()
    stopped(source, tmp_path / "set")
    work = tmp_path / ".set.preparing"
    assert work.is_dir()
    assert prepare(source, tmp_path / "set", shard_rows=4, on_error="skip").problems


def test_a_finished_shard_that_was_changed_is_made_again(make_source, tmp_path, contents):
    source = make_source()
    prepare(source, tmp_path / "whole", shard_rows=4)
    image = (source.root / "27-0.png").read_bytes()
    stopped(source, tmp_path / "set")
    shard = tmp_path / ".set.preparing/set/train-00001.arrow"
    shard.write_bytes(shard.read_bytes()[:-9] + b"\0" * 9)
    (source.root / "27-0.png").write_bytes(image)
    prepare(source, tmp_path / "set", shard_rows=4)
    assert contents(tmp_path / "set") == contents(tmp_path / "whole")


def test_the_beginning_of_another_set_is_refused_and_kept(make_source, tmp_path):
    source = make_source()
    stopped(source, tmp_path / "set")
    with pytest.raises(FileExistsError, match=r"short_side: 256 there, 64 asked for.*remove that"):
        prepare(source, tmp_path / "set", settings=Settings(64), shard_rows=4)
    assert (tmp_path / ".set.preparing/set/train-00000.arrow").is_file()


def test_two_processes_can_not_prepare_one_folder(make_source, tmp_path):
    source = make_source()

    def second(_done: int, _total: int) -> None:
        with pytest.raises(FileExistsError, match=r"is being prepared by process \d+ on .+; wait"):
            prepare(source, tmp_path / "set")

    prepare(source, tmp_path / "set", progress=second)
    assert PreparedDataset.open(tmp_path / "set").manifest.splits["train"] == 24


def test_a_leftover_of_the_last_moment_is_cleared(make_source, tmp_path):
    source = make_source()
    prepare(source, tmp_path / "set")
    (tmp_path / ".set.preparing/finished").mkdir(parents=True)
    prepare(source, tmp_path / "set")
    assert not (tmp_path / ".set.preparing").exists()


def test_an_interrupt_keeps_the_finished_shards(make_source, tmp_path, contents):
    source = make_source()
    prepare(source, tmp_path / "whole", shard_rows=4)

    def interrupt(done: int, _total: int) -> None:
        if done == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as stopped_by:
        prepare(source, tmp_path / "set", shard_rows=4, progress=interrupt)
    assert "finished shards are kept" in stopped_by.value.__notes__[0]
    prepare(source, tmp_path / "set", shard_rows=4)
    assert contents(tmp_path / "set") == contents(tmp_path / "whole")


def test_a_bug_of_a_source_is_named_with_the_study(make_source, tmp_path):
    source = make_source(s9={"report": "crash"})
    with pytest.raises(TypeError, match="a bug of the source") as error:
        prepare(source, tmp_path / "set", on_error="skip", workers=2)
    assert any("study 's9'" in note for note in error.value.__notes__)


def test_the_cause_of_death_of_a_worker_is_told(make_source, tmp_path):
    source = make_source(s9={"report": "die"})
    with pytest.raises(ChildProcessError, match=r"a worker process died \(exit status 3\)"):
        prepare(source, tmp_path / "set", on_error="skip", workers=2)


def test_settings_keep_jpeg_if_asked(make_source, tmp_path):
    prepare(make_source(), tmp_path / "set", settings=Settings(32, jpeg=95))
    dataset = PreparedDataset.open(tmp_path / "set")
    assert bytes(dataset.split("val").rows[0]["views"][0]["image"])[:2] == b"\xff\xd8"
    assert dataset.study("s0").views[0].pixels.shape == (35, 32)


NO_TORCH = """
import sys
import gradtruce.data.preparing.workers, gradtruce.data.sources.views
print("torch" in sys.modules or "transformers" in sys.modules)
"""


def test_a_worker_loads_no_torch():
    environment = {"PYTHONPATH": ":".join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-c", NO_TORCH],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert done.stdout == "False\n"
