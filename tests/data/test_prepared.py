import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import gradtruce
from gradtruce.data.observations import OBSERVATIONS
from gradtruce.data.prepared import PreparedDataset
from gradtruce.data.study import SPLITS

PACKAGE = str(Path(gradtruce.__file__).parents[1])


def test_a_split_is_a_sequence_of_its_studies_in_order(prepared):
    train = prepared.split("train")
    ids = tuple(f"train-{number}" for number in range(10))
    assert len(train) == 10
    assert train.ids == ids == tuple(study.id for study in train)
    assert train[-1].id == "train-9"
    assert [study.id for study in train[2:4]] == ["train-2", "train-3"]
    with pytest.raises(IndexError):
        train[10]


def test_columns_equal_what_the_studies_say(prepared):
    train = prepared.split("train")
    assert train.reports == tuple(study.report for study in train)
    assert train.view_positions[:2] == (("frontal",), ("frontal", "lateral"))
    expected = [[study.labels.get(name, np.nan) for name in OBSERVATIONS] for study in train]
    np.testing.assert_array_equal(train.labels, np.array(expected, dtype=np.float32))
    np.testing.assert_array_equal(train.views(3)[1].pixels, train[3].views[1].pixels)


def test_a_study_is_found_by_its_id_in_any_split(prepared):
    assert prepared.study("val-2").split == "val"
    with pytest.raises(ValueError, match="no study is called 'val-9'"):
        prepared.study("val-9")


def test_an_unknown_split_is_named(prepared):
    with pytest.raises(ValueError, match="no split is called 'validate'; known: train, val, test"):
        prepared.split("validate")


def test_the_manifest_says_what_is_in_the_set(prepared):
    manifest = prepared.manifest
    assert manifest.splits == {"train": 10, "val": 3, "test": 3}
    assert [shard.rows for shard in manifest.shards] == [4, 4, 2, 3, 3]
    assert manifest.short_side == (16, 16)
    assert manifest.label_source == "by hand"
    assert not manifest.is_synthetic
    assert json.loads((prepared.folder / "manifest.json").read_text())["schema"] == 1


def test_an_intact_set_passes_the_full_check(prepared):
    prepared.verify()


def test_a_changed_byte_is_found_by_the_full_check(prepared):
    path = prepared.folder / "test-00000.arrow"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"test-00000.arrow: damaged .*SHA-256"):
        prepared.verify()


def test_a_folder_without_manifest_names_the_command(tmp_path):
    with pytest.raises(FileNotFoundError, match="gradtruce prepare"):
        PreparedDataset.open(tmp_path)


def damage(folder: Path, key: str, value: object) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest[key] = value
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("schema", 2, "schema must be 1, found 2; prepare the set again"),
        ("splits", {"train": "many"}, r"field 'splits.train': .* integer"),
        ("shards", [{"file": "../x"}], r"field 'shards.0.file'"),
        ("surprise", 1, "field 'surprise': Extra inputs"),
        ("shards", [], "split 'train' must have 10 studies and at least one, its shards have 0"),
        ("splits", {"train": 9, "val": 3, "test": 3}, "must have 9 studies"),
    ],
)
def test_a_wrong_manifest_names_file_and_field(prepared, key, value, message):
    damage(prepared.folder, key, value)
    with pytest.raises(ValueError, match=message) as error:
        PreparedDataset.open(prepared.folder)
    assert str(prepared.folder) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", ["{", "[]", "", "7", '"schema"'])
def test_a_manifest_that_is_no_json_object_is_refused(prepared, content):
    (prepared.folder / "manifest.json").write_text(content)
    with pytest.raises(ValueError, match="prepare the set again"):
        PreparedDataset.open(prepared.folder)


def test_a_truncated_shard_is_refused(prepared):
    path = prepared.folder / "train-00001.arrow"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"train-00001.arrow: damaged, it must have [\d,]+ bytes"):
        PreparedDataset.open(prepared.folder)


def test_a_shard_of_other_content_is_refused(prepared):
    path = prepared.folder / "train-00001.arrow"
    path.write_bytes(bytes(path.stat().st_size))
    with pytest.raises(ValueError, match=r"train-00001\.arrow: "):
        PreparedDataset.open(prepared.folder)


def test_a_missing_shard_is_named(prepared):
    (prepared.folder / "val-00000.arrow").unlink()
    with pytest.raises(FileNotFoundError, match=r"val-00000.arrow: the shard is missing"):
        PreparedDataset.open(prepared.folder)


def test_opening_and_reading_writes_nothing_and_needs_no_home(prepared, tmp_path):
    home = tmp_path / "home"
    code = (
        "import sys; from gradtruce.data.prepared import PreparedDataset;"
        "print(PreparedDataset.open(sys.argv[1]).split('train')[3].id)"
    )
    before = sorted(prepared.folder.iterdir())
    done = subprocess.run(
        [sys.executable, "-c", code, str(prepared.folder)],
        env={"HOME": str(home), "OMP_NUM_THREADS": "1", "PYTHONPATH": PACKAGE},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "train-3\n"
    assert not home.exists()
    assert sorted(prepared.folder.iterdir()) == before


def test_a_set_can_be_moved(prepared, tmp_path):
    moved = tmp_path / "elsewhere"
    shutil.move(prepared.folder, moved)
    assert [len(PreparedDataset.open(moved).split(name)) for name in SPLITS] == [10, 3, 3]
