"""The benchmark of R2Gen: the re-stated code computes what ours does, and the page is written."""

import pytest
import torch

from benchmarks.generation import (
    CACHED,
    QUICK,
    UNCACHED,
    generation_ways,
    main,
    make_pair,
    published_ids,
    random_batch,
)


def test_the_published_code_and_ours_have_the_same_scores_and_gradients() -> None:
    published, ours = (model.double().eval() for model in make_pair(QUICK))
    images, ids = random_batch(QUICK)
    images = images.double()
    output = ours(images, torch.ones(QUICK.batch, 2, dtype=torch.bool), ids)
    theirs = published(images, published_ids(ids))
    words = [2, *range(3, QUICK.vocabulary + 2)]  # eos, then the words; pad and bos are never
    torch.testing.assert_close(output.logits.log_softmax(-1)[..., words], theirs)
    output.losses["report"].backward()
    (-theirs.gather(2, published_ids(ids)[:, 1:, None]).mean()).backward()
    for mine, other in (
        (ours.visual.projection[0], published.encoder_decoder.att_embed[0]),
        (ours.decoder.memory.input_gates, published.encoder_decoder.model.rm.W),
    ):
        torch.testing.assert_close(mine.weight.grad, other.weight.grad)


def test_cached_and_uncached_beams_write_the_same() -> None:
    ways = generation_ways(QUICK, studies=2)
    assert torch.equal(ways[CACHED](), ways[UNCACHED]())


def test_a_quick_run_prints_its_page(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["generation", "--quick", "--rounds", "1"])
    main()
    printed = capsys.readouterr().out
    assert "| training step, float32 ≥ 1.5 × |" in printed
    assert "beam-3 generation, cached ≥ 5.0 ×" in printed
