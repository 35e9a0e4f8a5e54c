"""A saved method is read as it was saved, or not at all."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from gradtruce.manifest import FILE, write_folder
from gradtruce.methods.registry import build, load
from gradtruce.methods.weights.named_load import load_named
from gradtruce.methods.weights.saved_method import TRAINER_FILE
from tests.methods.studies import SMALL, make_tokenizer


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """Return a folder such as that of a checkpoint."""
    torch.manual_seed(0)
    method = build("r2gen", make_tokenizer(), SMALL["r2gen"])

    def write_state(folder: Path) -> None:
        (folder / TRAINER_FILE).write_bytes(b"state")

    write_folder(tmp_path / "saved", [method.save_pretrained, write_state])
    return tmp_path / "saved"


def flip(path: Path) -> None:
    """Change one bit, far from any header."""
    content = bytearray(path.read_bytes())
    content[-9] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("harm", [flip, Path.unlink])
@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_file_that_is_not_as_it_was_saved_is_named_before_any_is_used(
    saved: Path, name: str, harm: Callable[[Path], None]
) -> None:
    assert load(saved).method_name == "r2gen"
    harm(saved / name)
    expected = rf"saved is damaged: {name} is not .*; copy it again, or resume the run"
    for read in (load, lambda folder: load_named(torch.nn.Linear(1, 1), folder)):
        with pytest.raises(ValueError, match=expected):
            read(saved)


def test_a_damaged_manifest_is_named(saved: Path) -> None:
    flip(saved / FILE)
    with pytest.raises(ValueError, match=r"manifest\.json: damaged.*remove manifest\.json"):
        load(saved)


def test_a_folder_without_a_manifest_is_taken_as_it_is(saved: Path) -> None:
    (saved / FILE).unlink()
    flip(saved / "model.safetensors")  # a last digit, which nothing can tell
    assert load(saved).method_name == "r2gen"


def test_a_method_that_is_saved_over_another_is_read(saved: Path) -> None:
    method = load(saved)
    with torch.no_grad():
        next(method.parameters()).zero_()
    method.save_pretrained(saved)
    assert not next(load(saved).parameters()).any()


@pytest.mark.parametrize("harm", [flip, Path.unlink])
def test_what_a_run_goes_on_from_is_not_looked_at(
    saved: Path, harm: Callable[[Path], None]
) -> None:
    (saved / TRAINER_FILE).write_bytes(bytes(20))
    harm(saved / TRAINER_FILE)
    assert load(saved).method_name == "r2gen"
