import pytest
import torch

from gradtruce.training.checkpoint import load_trainer, recover, save_checkpoint


def write_text(text):
    return lambda folder: (folder / "text").write_text(text, encoding="utf-8")


def fail(folder):
    (folder / "half").write_text("half", encoding="utf-8")
    raise OSError(28, "No space left on device")


def test_a_checkpoint_replaces_the_former_one(tmp_path):
    for text in ("old", "new"):
        save_checkpoint(tmp_path / "last", [write_text(text)], {"step": 1})
    assert (tmp_path / "last" / "text").read_text(encoding="utf-8") == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["last"]


def test_a_full_disk_leaves_the_former_checkpoint_and_nothing_else(tmp_path):
    save_checkpoint(tmp_path / "last", [write_text("old")])
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(tmp_path / "last", [write_text("new"), fail])
    assert (tmp_path / "last" / "text").read_text(encoding="utf-8") == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["last"]


def test_tensors_come_back_equal(tmp_path):
    state = {"optimizer": {"state": {0: {"exp_avg": torch.randn(3)}}}, "best": None}
    save_checkpoint(tmp_path / "last", [], state)
    loaded = load_trainer(tmp_path / "last")
    kept = loaded["optimizer"]["state"][0]["exp_avg"]
    assert torch.equal(kept, state["optimizer"]["state"][0]["exp_avg"])


def test_a_stop_between_the_two_renames_is_recovered(tmp_path):
    save_checkpoint(tmp_path / "last", [], {"step": 3})
    (tmp_path / "last").rename(tmp_path / ".last.former")
    assert load_trainer(recover(tmp_path / "last")) == {"step": 3}


def test_a_missing_checkpoint_is_an_error_with_its_path(tmp_path):
    with pytest.raises(FileNotFoundError, match="last: no such checkpoint"):
        recover(tmp_path / "last")
    (tmp_path / "best").mkdir()
    with pytest.raises(FileNotFoundError, match=r"only `checkpoints/last` can be resumed"):
        load_trainer(tmp_path / "best")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", b"\x80\x02 no pickle"])
def test_a_damaged_trainer_file_is_named(tmp_path, content):
    (tmp_path / "trainer.pt").write_bytes(content)
    with pytest.raises(ValueError, match=r"trainer\.pt: damaged"):
        load_trainer(tmp_path)


def test_a_writer_that_fails_in_its_own_way_on_a_full_disk_names_the_checkpoint(tmp_path):
    def fail_as_torch(_folder):
        raise RuntimeError("PytorchStreamWriter failed writing file data/0")

    with pytest.raises(OSError, match=r"last: the checkpoint could not be written .*free some"):
        save_checkpoint(tmp_path / "last", [fail_as_torch])
    assert list(tmp_path.iterdir()) == []
