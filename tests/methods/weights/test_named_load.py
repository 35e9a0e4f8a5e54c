"""A method that goes on from another's weights."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from gradtruce.methods.weights.named_load import load_named
from tests.methods.studies import make_method


def test_a_method_takes_the_weights_whose_names_it_has(tmp_path: Path) -> None:
    saved, other = make_method("r2gen").float(), make_method("r2gen_cmn").float()
    saved.save_pretrained(tmp_path)
    memory = other.memory.slots.detach().clone()
    loaded = load_named(other, tmp_path)
    weights, own = saved.state_dict(), other.state_dict()
    assert "visual.backbone.stem.1.weight" in loaded.taken
    assert all(torch.equal(weights[name], own[name]) for name in loaded.taken)
    assert loaded.left
    assert all(name.startswith("decoder.") for name in loaded.left)
    assert torch.equal(memory, other.memory.slots)


def test_another_vocabulary_is_refused_and_nothing_changed(tmp_path: Path) -> None:
    method = make_method("r2gen").float()
    state = method.state_dict()
    file = tmp_path / "a.safetensors"
    bias = state["decoder.norm.shift"] + 1
    save_file({"decoder.norm.shift": bias, "decoder.scores.bias": torch.zeros(99)}, file)
    with pytest.raises(ValueError, match=r"decoder\.scores\.bias has the shape \(99,\)"):
        load_named(method, file)
    assert not torch.equal(method.state_dict()["decoder.norm.shift"], bias)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    save_file({"layer": torch.zeros(1)}, tmp_path / "a.safetensors")
    with pytest.raises(ValueError, match="holds no weight by a name of this method, but layer"):
        load_named(make_method("r2gen"), tmp_path / "a.safetensors")
