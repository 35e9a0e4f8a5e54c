"""Every method under autocast: losses in float32 and near those without, reports still written."""

from dataclasses import fields, is_dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from gradtruce.methods.base import Decoding, model_inputs
from tests.methods.studies import VARIANTS, make_batch, make_method

HALVES = [torch.bfloat16, torch.float16]


@pytest.mark.parametrize("dtype", HALVES, ids=str)
@pytest.mark.parametrize("name", VARIANTS)
def test_losses_are_in_float32_and_near_those_without_autocast(
    name: str, dtype: torch.dtype
) -> None:
    model, batch = make_method(name).float(), make_batch(studies=4, dtype=torch.float32)
    expected = model(**model_inputs(batch)).losses
    with torch.autocast("cpu", dtype):
        found = model(**model_inputs(batch)).losses
    assert found.keys() == expected.keys()
    for task, loss in found.items():
        assert loss.dtype == torch.float32
        torch.testing.assert_close(loss, expected[task], rtol=0.03, atol=0.03)
    sum(found.values()).backward()
    gradients = [each.grad for each in model.parameters() if each.grad is not None]
    assert all(each.dtype == torch.float32 for each in gradients)
    assert all(bool(each.isfinite().all()) for each in gradients)


@pytest.mark.parametrize("name", VARIANTS)
def test_objectives_see_no_autocast_and_no_sixteen_bits(name: str) -> None:
    model, batch = make_method(name).float(), make_batch(studies=4, dtype=torch.float32)
    seen: list[torch.dtype] = []

    def look(_: object, given: tuple[Any, ...]) -> None:
        assert not torch.is_autocast_enabled("cpu")
        assert is_dataclass(given[0])
        for field in fields(given[0]):
            values = getattr(given[0], field.name).values()
            seen.extend(value.dtype for value in values if isinstance(value, Tensor))

    for objective in model.objectives.values():
        objective.register_forward_pre_hook(look)
    with torch.autocast("cpu", torch.bfloat16):
        model(**model_inputs(batch))
    assert torch.float32 in seen
    assert not set(seen) & set(HALVES)


@pytest.mark.parametrize("search", ["transformers", "published"])
@pytest.mark.parametrize("name", VARIANTS)
def test_reports_are_written_under_autocast(name: str, search: Any) -> None:
    model, batch = make_method(name).float(), make_batch(dtype=torch.float32)
    decoding = Decoding(beams=2, max_tokens=5, search=search)
    expected = model.generate_reports(batch, decoding)
    with torch.autocast("cpu", torch.bfloat16):
        found = model.generate_reports(batch, decoding)
    assert len(found.texts) == len(batch)
    if expected.findings is not None:
        assert found.findings is not None
        assert found.findings.dtype == torch.float32
        torch.testing.assert_close(found.findings, expected.findings, rtol=0, atol=0.02)
