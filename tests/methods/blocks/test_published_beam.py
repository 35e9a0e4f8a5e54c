"""The published beam search, against the same in lists and over a published model."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from gradtruce.methods.blocks.published_beam import published_beam
from tests.reference import published_beam as reference

EOS, BOS, PAD = 0, 1, 2


@dataclass
class Prefixes:
    """A step that knows each row's whole prefix and draws the next scores from it."""

    seed: int
    vocabulary: int
    is_coarse: bool
    calls: int = 0

    def chances(self, prefix: tuple[int, ...]) -> Tensor:
        key = hash((self.seed, *prefix)) % 2**31
        drawn = torch.randn(
            self.vocabulary,
            dtype=torch.float64,
            generator=torch.Generator().manual_seed(key),
        )
        if self.is_coarse:  # quarters add up exactly, so that equal sums are equal
            return -(drawn.abs() * 2).round() / 4
        return drawn.log_softmax(0)

    def __call__(self, tokens: Tensor, parents: Tensor) -> Tensor:
        if self.calls == 0:
            self.rows = [(study, int(token)) for study, token in enumerate(tokens)]
        else:
            self.rows = [
                (*self.rows[parent], int(token))
                for token, parent in zip(tokens, parents.tolist(), strict=True)
            ]
        self.calls += 1
        return torch.stack([self.chances(row) for row in self.rows])


@pytest.mark.parametrize("is_coarse", [False, True], ids=["no ties", "ties"])
@pytest.mark.parametrize("beams", [1, 2, 3, 5])
@pytest.mark.parametrize("seed", range(12))
def test_it_finds_what_the_written_out_search_finds(seed: int, beams: int, is_coarse: bool) -> None:
    studies, steps, vocabulary = 3, 7, 5
    source = Prefixes(seed, vocabulary, is_coarse)
    start = torch.full((studies,), BOS)
    found = published_beam(source, start, beams=beams, steps=steps, eos=EOS, pad=PAD)
    assert found.shape == (studies, steps + 1)
    for study in range(studies):
        expected = reference.search(
            lambda words, study=study: source.chances((study, *words)).tolist(),
            BOS,
            beams,
            steps,
            EOS,
        )
        filled = [BOS, *expected] + [PAD] * (steps - len(expected))
        assert found[study].tolist() == filled


def test_a_longer_report_gets_no_credit_for_its_length() -> None:
    table = torch.tensor([[0.5, 0.0, 0.0, 0.5], [0.3, 0.0, 0.0, 0.7], [1.0] * 4, [0.4, 0, 0, 0.6]])
    start = torch.tensor([BOS])
    found = published_beam(
        lambda tokens, _: table.log()[tokens], start, beams=3, steps=6, eos=EOS, pad=PAD
    )
    assert found[0, :3].tolist() == [BOS, EOS, PAD]  # 0.3 beats 0.7 · 0.4


def test_it_stops_when_no_beam_can_win_any_more() -> None:
    table = torch.tensor([[0.3, 0.4, 0.3], [0.45, 0.5, 0.05], [0.9, 0.05, 0.05]]).log()
    calls = []

    def step(tokens: Tensor, _: Tensor) -> Tensor:
        calls.append(len(tokens))
        return table[tokens]

    published_beam(step, torch.tensor([PAD, BOS]), beams=2, steps=60, eos=EOS, pad=PAD)
    assert calls == [2, 4]  # 0.45 was noted, 0.5 · 0.5 runs on in vain


def test_sizes_that_make_no_search_are_refused() -> None:
    def step(tokens: Tensor, _: Tensor) -> Tensor:
        return torch.zeros(len(tokens), 3)

    start = torch.tensor([BOS])
    with pytest.raises(ValueError, match="at most the 3 tokens, got 4"):
        published_beam(step, start, beams=4, steps=2, eos=EOS, pad=PAD)
    with pytest.raises(ValueError, match="at least 1, got 0 and 2"):
        published_beam(step, start, beams=0, steps=2, eos=EOS, pad=PAD)
