"""Layer normalisation in both forms, and memory-driven."""

import pytest
import torch

from gradtruce.methods.blocks.norms import MemoryNorm, Norm, standardize


def test_the_published_form_divides_by_unbiased_deviation_plus_epsilon() -> None:
    tokens = torch.tensor([[1.0, 2.0, 6.0]], dtype=torch.float64)
    expected = (tokens - 3.0) / (7.0**0.5 + 1e-6)
    torch.testing.assert_close(standardize(tokens, published=True), expected)


def test_the_standard_form_is_that_of_torch() -> None:
    tokens = torch.randn(4, 8)
    torch.testing.assert_close(Norm(8, published=False)(tokens), torch.nn.LayerNorm(8)(tokens))


@pytest.mark.parametrize("published", [True, False])
def test_constant_tokens_have_finite_gradients(*, published: bool) -> None:
    tokens = torch.zeros(2, 3, 8, requires_grad=True)
    Norm(8, published=published)(tokens).sum().backward()
    assert tokens.grad.isfinite().all()


@pytest.mark.parametrize("published", [True, False])
def test_a_memory_that_says_nothing_leaves_the_plain_norm(*, published: bool) -> None:
    steered, plain = MemoryNorm(8, 24, published=published), Norm(8, published=published)
    for change in (steered.scale_change, steered.shift_change):
        torch.nn.init.zeros_(change[2].weight)
        torch.nn.init.zeros_(change[2].bias)
    tokens = torch.randn(2, 5, 8)
    torch.testing.assert_close(steered(tokens, torch.randn(2, 5, 24)), plain(tokens))
