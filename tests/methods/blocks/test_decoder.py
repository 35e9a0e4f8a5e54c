"""Decoding step by step with a cache equals decoding the whole report."""

import pytest
import torch
from torch import Tensor

from gradtruce.methods.blocks.cache import ReportCache
from gradtruce.methods.blocks.decoder import ReportDecoder
from gradtruce.methods.blocks.positions import sinusoids

STUDIES, WORDS, WIDTH = 3, 13, 8
slots = pytest.mark.parametrize("slots", [0, 3])


def make_decoder(slots: int) -> ReportDecoder:
    return (
        ReportDecoder(WORDS, 2, WIDTH, 2, 16, 0.1, memory_slots=slots, published_norm=True)
        .double()
        .eval()
    )


def make_inputs() -> tuple[Tensor, Tensor, Tensor]:
    ids = torch.randint(WORDS, (STUDIES, 7))
    visual = torch.randn(STUDIES, 5, WIDTH, dtype=torch.float64)
    return ids, visual, torch.ones(STUDIES, 5, dtype=torch.bool)


@slots
@pytest.mark.parametrize("steps", [(1,) * 7, (3, 1, 2, 1)], ids=["one by one", "in pieces"])
def test_cached_scores_equal_those_of_the_whole_report(slots: int, steps: tuple[int, ...]) -> None:
    decoder, (ids, visual, mask), cache = make_decoder(slots), make_inputs(), ReportCache()
    pieces = [decoder(piece, visual, mask, cache).logits for piece in ids.split(steps, dim=1)]
    whole = decoder(ids, visual, mask).logits
    torch.testing.assert_close(torch.cat(pieces, 1), whole, rtol=1e-10, atol=1e-10)


@slots
def test_after_beams_swap_cached_scores_are_those_of_the_swapped_reports(slots: int) -> None:
    decoder, (ids, visual, mask), cache = make_decoder(slots), make_inputs(), ReportCache()
    visual = visual[:1].expand(STUDIES, -1, -1)  # three beams of one study
    decoder(ids[:, :4], visual, mask, cache)
    beams = torch.tensor([2, 0, 0])
    cache.reorder_cache(beams)
    swapped = torch.cat([ids[beams, :4], ids[:, 4:]], dim=1)
    cached = decoder(ids[:, 4:], visual, mask, cache).logits
    whole = decoder(swapped, visual, mask).logits[:, 4:]
    torch.testing.assert_close(cached, whole, rtol=1e-10, atol=1e-10)


@slots
def test_the_visual_tokens_are_projected_once(slots: int) -> None:
    decoder, (ids, visual, mask), cache = make_decoder(slots), make_inputs(), ReportCache()
    decoder(ids[:, :1], visual, mask, cache)
    first = decoder(ids[:, 1:], visual, mask).logits
    again = decoder(ids[:, 1:2], torch.full_like(visual, torch.nan), mask, cache).logits
    assert again.isfinite().all()
    assert first.shape[1] == 6


@slots
def test_looks_are_those_of_the_scored_pass(slots: int) -> None:
    decoder, (ids, visual, mask) = make_decoder(slots), make_inputs()
    mask = mask.clone()
    mask[0, 3:] = False
    for layer in (0, 1):
        written = decoder(ids, visual, mask, explained=layer)
        assert not written.looks[0, ..., 3:].any()
        torch.testing.assert_close(written.looks.sum(-1), torch.ones_like(written.looks[..., 0]))
        torch.testing.assert_close(written.logits, decoder(ids, visual, mask).logits)
    assert decoder(ids, visual, mask).looks is None


def test_words_are_enriched_before_the_first_layer() -> None:
    decoder, (ids, visual, mask) = make_decoder(0), make_inputs()
    plain, doubled = (decoder(ids, visual, mask, enrich=each) for each in (None, lambda x: 2 * x))
    torch.testing.assert_close(doubled.words, 2 * plain.words)
    assert not torch.allclose(doubled.logits, plain.logits)
    torch.testing.assert_close(decoder.scores(decoder.norm(plain.states)), plain.logits)


def test_the_memory_reads_under_its_own_mask_only_if_words_are_embedded_twice() -> None:
    shape = (WORDS, 1, WIDTH, 2, 16, 0.5)
    ids = torch.randint(WORDS, (1, 50))
    for twice in (False, True):
        decoder = ReportDecoder(*shape, memory_slots=1, published_norm=True, embeds_twice=twice)
        read: list[Tensor] = []
        decoder.memory.register_forward_pre_hook(
            lambda _, inputs, read=read: read.append(inputs[0])
        )
        written = decoder(ids, torch.zeros(1, 2, WIDTH), torch.ones(1, 2, dtype=torch.bool))
        assert torch.equal(read[0], written.words) is not twice


def test_sinusoids_go_on_where_they_stopped() -> None:
    like = torch.zeros((), dtype=torch.float64)
    parts = torch.cat([sinusoids(0, 3, 6, like), sinusoids(3, 4, 6, like)])
    torch.testing.assert_close(parts, sinusoids(0, 7, 6, like))
