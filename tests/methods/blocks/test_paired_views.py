"""Pairs of views, and the encoder of prior reports."""

import torch

from gradtruce.methods.blocks.paired_views import pair_views
from gradtruce.methods.blocks.prior_text import PriorTextEncoder, PriorTextSize

SIZE = PriorTextSize(width=8, layers=2, heads=2, hidden=16, tokens=6)


def test_pairs_are_those_of_a_walk_through_the_studies() -> None:
    torch.manual_seed(0)
    for _ in range(20):
        current, prior = torch.rand(5, 3) < 0.6, torch.rand(5, 2) < 0.6
        expected: list[tuple[int, int, int]] = []
        seen = 0
        for study in range(5):
            mine = [seen + place for place in range(int(current[study].sum()))]
            seen += len(mine)
            theirs = [2 * study + view for view in range(2) if prior[study, view]]
            expected += [(a, b, study) for a, b in zip(mine, theirs, strict=False)]
        pairs = pair_views(current, prior)
        rows = torch.stack([pairs.current, pairs.prior, pairs.studies], dim=1).tolist()
        assert [tuple(row) for row in rows] == expected


def test_pads_change_no_word_of_a_report() -> None:
    encoder = PriorTextEncoder(20, 0, SIZE, frozen=False, dropout=0.0).double()
    ids = torch.tensor([[1, 5, 6, 2]])
    words, _ = encoder(ids)
    padded, is_word = encoder(torch.nn.functional.pad(ids, (0, 2)))
    torch.testing.assert_close(padded[:, :4], words, rtol=1e-10, atol=1e-10)
    assert is_word.tolist() == [[True] * 4 + [False] * 2]


def test_long_reports_are_cut() -> None:
    encoder = PriorTextEncoder(20, 0, SIZE, frozen=True)
    ids = torch.randint(4, 20, (2, 40))
    words, is_word = encoder(ids)
    assert words.shape == (2, 6, 8)
    assert bool(is_word.all())
    torch.testing.assert_close(encoder(ids[:, :6])[0], words)


def test_a_frozen_encoder_has_neither_dropout_nor_gradients() -> None:
    encoder = PriorTextEncoder(20, 0, SIZE, frozen=True, dropout=0.9).train()
    ids = torch.randint(4, 20, (2, 6))
    first, second = encoder(ids)[0], encoder(ids)[0]
    assert torch.equal(first, second)
    assert not first.requires_grad
    assert not any(each.training for each in encoder.modules())
    encoder.requires_grad_(requires_grad=True)  # as after loading
    assert not encoder(ids)[0].requires_grad


def test_an_encoder_that_is_not_frozen_has_both() -> None:
    encoder = PriorTextEncoder(20, 0, SIZE, frozen=False, dropout=0.5).train()
    ids = torch.randint(4, 20, (2, 6))
    first, second = encoder(ids)[0], encoder(ids)[0]
    assert not torch.equal(first, second)
    first.square().sum().backward()
    assert all(each.grad is not None for each in encoder.parameters())


def test_reports_without_any_token_have_no_words() -> None:
    encoder = PriorTextEncoder(20, 0, SIZE, frozen=False)
    words, is_word = encoder(torch.zeros(2, 0, dtype=torch.long))
    assert not is_word.any()
    assert bool(words.isfinite().all())
