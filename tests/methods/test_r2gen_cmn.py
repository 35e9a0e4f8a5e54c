"""R2GenCMN against its paper, its memory, and its sizes."""

import tomllib
from dataclasses import replace
from importlib import resources
from typing import Any

import pytest
import torch

from gradtruce.methods.base import model_inputs
from gradtruce.methods.blocks.shared_memory import MemoryResponse
from gradtruce.methods.r2gen_cmn import R2GenCMNConfig
from gradtruce.methods.registry import build
from tests.methods.studies import SMALL, make_batch, make_method, make_tokenizer
from tests.reference import r2gen_cmn as reference

EXACT = {"rtol": 1e-10, "atol": 1e-10}


def options_of(preset: str) -> dict[str, Any]:
    path = resources.files("gradtruce.presets") / "methods" / f"r2gen_cmn-{preset}.toml"
    options: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))["method"]
    assert options.pop("name") == "r2gen_cmn"
    return options


def test_scores_equal_the_paper_written_out() -> None:
    model, batch = make_method("r2gen_cmn").eval(), make_batch(studies=2, tokens=6)
    batch = replace(batch, view_mask=torch.tensor([[True, True], [False, True]]))
    config, weights = model.config, model.state_dict()
    with torch.no_grad():
        logits = model(**model_inputs(batch)).logits
        for study, views in enumerate([(0, 1), (1,)]):
            maps = model.visual.backbone(batch.pixel_values[study, list(views)])
            features = torch.cat([each.flatten(1).T for each in maps])
            ids = batch.input_ids[study, :-1].tolist()
            expected = reference.scores(
                weights, features, ids, config.layers, config.heads, config.memory_read
            )
            torch.testing.assert_close(logits[study], expected, **EXACT)


def test_a_response_reads_the_best_slots_of_each_head() -> None:
    response = MemoryResponse(width=8, heads=2, read=3, dropout=0.0).double()
    queries, slots = torch.randn(2, 4, 8).double(), torch.randn(1, 9, 8).double()
    found = response(queries, slots)
    for study, place in [(0, 0), (1, 3)]:
        weights = {f"r.{key}": value for key, value in response.state_dict().items()}
        expected = reference.respond(weights, "r", queries[study, place], slots[0], heads=2, read=3)
        torch.testing.assert_close(found[study, place], expected, **EXACT)


def test_a_memory_of_fewer_slots_than_are_read_is_read_whole() -> None:
    response = MemoryResponse(width=8, heads=2, read=32, dropout=0.0)
    slots = torch.randn(1, 4, 8)
    queries = torch.randn(1, 3, 8)
    torch.testing.assert_close(
        response(queries, slots), response(queries, slots.repeat(1, 2, 1)), rtol=1e-5, atol=1e-6
    )


def test_slots_that_fill_up_are_never_read() -> None:
    response = MemoryResponse(width=8, heads=2, read=6, dropout=0.0)
    queries, slots = torch.randn(2, 3, 8), torch.randn(2, 5, 8)
    is_there = torch.tensor([[True] * 5, [True, True, False, False, False]])
    found = response(queries, slots, is_there)
    torch.testing.assert_close(found[1:], response(queries[1:], slots[1:, :2]))


def test_the_published_memory_starts_as_published() -> None:
    torch.manual_seed(0)
    memory = make_method("r2gen_cmn", memory_slots=2048).memory.slots
    assert memory.shape == (2048, 16)
    assert float(memory.detach().std()) == pytest.approx(1 / 16, rel=0.02)


def test_only_slots_that_were_read_get_a_gradient() -> None:
    model, batch = make_method("r2gen_cmn", memory_slots=500, memory_read=1), make_batch(studies=1)
    model(**model_inputs(batch)).losses["report"].backward()
    moved = (model.memory.slots.grad != 0).any(dim=1).sum()
    assert 0 < moved < 500


def test_the_paper_preset_is_the_default_configuration() -> None:
    with torch.device("meta"):
        model = build("r2gen_cmn", make_tokenizer(), options_of("paper"))
    known = R2GenCMNConfig(vocab_size=model.config.vocab_size, dtype=model.config.dtype)
    assert model.config == known
    assert model.memory.slots.shape == (2048, 512)


def test_the_fixed_preset_is_the_paper_with_the_norm_of_torch() -> None:
    assert options_of("paper") | {"published_norm": False} == options_of("fixed")


def test_the_tiny_preset_builds_and_is_small() -> None:
    model = build("r2gen_cmn", make_tokenizer(), options_of("tiny"))
    assert sum(each.numel() for each in model.parameters()) < 1_500_000


@pytest.mark.parametrize("option", [{"memory_slots": 0}, {"memory_read": 0}])
def test_a_memory_that_can_not_be_read_is_refused(option: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(option))} must be at least 1, got 0"):
        build("r2gen_cmn", make_tokenizer(), SMALL["r2gen_cmn"] | option)
