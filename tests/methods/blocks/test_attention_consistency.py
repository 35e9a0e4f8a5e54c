"""Attention weighted by the words that matter, with the values of the specification."""

import torch

from gradtruce.methods.blocks.attention_consistency import (
    AttentionObjective,
    MappedTokens,
    chosen_tokens,
    text_attention,
)
from gradtruce.methods.blocks.decoder import Written
from gradtruce.methods.blocks.objectives import Outputs, Targets

IDS = torch.tensor([[1, 3, 4, 5, 6, 2, 0, 0], [1, 3, 4, 5, 6, 7, 8, 2]])
"""The reports of the specification, whose one token 0 is bos, eos and pad."""

MAP = torch.tensor([[1, 0.46749, 0.81912, 0.89279, 0], [0] * 5], dtype=torch.float64)
FOUND = torch.tensor(
    [[0, 0.44409, 0.61892, 0.51148, 1], [0.02377, 0, 0.64483, 0.52041, 1]], dtype=torch.float64
)


def counted(*shape: int) -> torch.Tensor:
    return torch.arange(torch.Size(shape).numel(), dtype=torch.float64).reshape(shape)


WORDS, FOREGROUND = counted(2, 7, 6).sin(), counted(2, 6).cos()
LOOKS = counted(2, 2, 7, 5).sin().softmax(-1)


def test_the_text_attention_of_the_specification() -> None:
    is_real = (IDS[:, :-1] != 0) & (IDS[:, :-1] != 2)
    present = torch.ones(2, 5, dtype=torch.bool)
    for most in (None, int(0.3 * 7)):
        found = text_attention(WORDS, FOREGROUND, LOOKS, is_real, present, 0.3, most)
        torch.testing.assert_close(found, FOUND, rtol=0, atol=1e-5)


def test_the_loss_of_the_specification() -> None:
    objective = AttentionObjective(0.5, 0, 2, 0.3, "negative", frozenset(), paper_code=True)
    visual = MappedTokens(
        token_mask=torch.ones(2, 5, dtype=torch.bool), discriminative=MAP, foreground=FOREGROUND
    )
    outputs = Outputs(visual, Written(words=WORDS, looks=LOOKS))
    targets = Targets(IDS, torch.ones(2, 14, dtype=torch.float64))
    loss = objective(outputs, targets, objective.count(targets))
    torch.testing.assert_close(loss, torch.tensor(0.387322).double(), rtol=0, atol=1e-5)


def test_a_share_is_rounded_up_and_rounding_errors_are_not() -> None:
    importance = torch.rand(1, 30)
    for share, real, expected in [(0.3, 10, 3), (0.1, 30, 3), (0.25, 5, 2), (1.0, 7, 7)]:
        is_real = torch.arange(30)[None] < real
        assert int(chosen_tokens(importance, is_real, share).sum()) == expected


def test_a_token_that_is_not_real_is_never_chosen() -> None:
    importance = torch.tensor([[0.1, 0.9, 0.2]])
    is_real = torch.tensor([[True, False, True]])
    assert chosen_tokens(importance, is_real, 1.0).tolist() == [[True, False, True]]


def test_a_bound_leaves_at_least_one_token() -> None:
    importance, is_real = torch.rand(1, 6), torch.ones(1, 6, dtype=torch.bool)
    assert int(chosen_tokens(importance, is_real, 1.0, most=2).sum()) == 2
    assert int(chosen_tokens(importance, is_real, 1.0, most=0).sum()) == 1


def test_words_that_point_away_from_the_foreground_ask_for_nothing() -> None:
    words = -FOREGROUND.unsqueeze(1).expand(2, 7, 6)
    is_real, present = torch.ones(2, 7, dtype=torch.bool), torch.ones(2, 5, dtype=torch.bool)
    assert not text_attention(words, FOREGROUND, LOOKS, is_real, present, 0.3).any()


def test_attention_and_foreground_and_words_get_gradients() -> None:
    inputs = [each.clone().requires_grad_() for each in (WORDS, FOREGROUND, LOOKS)]
    is_real, present = torch.ones(2, 7, dtype=torch.bool), torch.ones(2, 5, dtype=torch.bool)
    text_attention(*inputs, is_real, present, 0.3).square().sum().backward()
    assert all(bool((each.grad != 0).any()) for each in inputs)
