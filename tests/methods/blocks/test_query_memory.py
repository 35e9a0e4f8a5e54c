"""PromptMRG's memory of retrieved reports."""

import pytest
import torch

from gradtruce.methods.blocks.query_memory import QueryMemory
from tests.reference import promptmrg as reference


def make_memory(text_features: int = 5) -> QueryMemory:
    return QueryMemory(
        image_features=6,
        text_features=text_features,
        width=8,
        heads=2,
        hidden=16,
        layers=2,
        dropout=0.1,
    ).double()


def test_it_equals_the_paper_written_out() -> None:
    memory = make_memory().eval()
    weights = {f"m.{key}": value for key, value in memory.state_dict().items()}
    for key, value in weights.items():
        if "norm" in key:
            value.add_(torch.randn_like(value))  # norms that do something
    image, texts = torch.randn(3, 6, dtype=torch.float64), torch.randn(3, 7, 5, dtype=torch.float64)
    found = memory(image, texts)
    for study in range(3):
        expected = reference.memory(weights, "m", image[study], texts[study], layers=2, heads=2)
        torch.testing.assert_close(found[study], expected, rtol=1e-6, atol=1e-6)


def test_the_order_of_retrieved_reports_does_not_matter() -> None:
    memory, image = make_memory().eval(), torch.randn(2, 6, dtype=torch.float64)
    texts = torch.randn(2, 21, 5, dtype=torch.float64)
    torch.testing.assert_close(memory(image, texts), memory(image, texts.flip(1)))


def test_features_of_its_own_width_are_not_projected() -> None:
    assert not list(make_memory(text_features=8).projection.parameters())


def test_missing_features_are_an_error_that_says_what_to_run() -> None:
    with pytest.raises(ValueError, match="gradtruce build retrieval"):
        make_memory()(torch.zeros(2, 6), None)


def test_features_of_another_width_are_refused() -> None:
    with pytest.raises(ValueError, match=r"must have 5 numbers, .* got 9: set it to 9"):
        make_memory()(torch.zeros(2, 6).double(), torch.zeros(2, 3, 9))
