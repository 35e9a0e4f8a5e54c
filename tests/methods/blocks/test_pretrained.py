"""The ties to transformers: what breaks here says what to change when transformers changes."""

import inspect

import pytest
import torch
from torch import Tensor
from transformers import GenerationMixin

from gradtruce.methods.base import Decoding
from gradtruce.methods.blocks.cache import ReportCache
from gradtruce.methods.r2gen import R2Gen
from tests.methods.studies import make_batch, make_method

REMEDY = (
    "transformers changed how generate opens its cache: let PretrainedMethod in "
    "methods/blocks/pretrained.py put a ReportCache where generate now looks for one"
)


def test_the_private_hook_of_transformers_is_as_we_override_it() -> None:
    hook = getattr(GenerationMixin, "_prepare_cache_for_generation", None)
    assert hook is not None, REMEDY
    first = list(inspect.signature(hook).parameters)[:3]
    assert first == ["self", "generation_config", "model_kwargs"], REMEDY


def test_generate_decodes_with_our_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    caches = []
    forward = R2Gen.forward

    def watched(self: R2Gen, **inputs: object) -> object:
        caches.append(inputs.get("past_key_values"))
        return forward(self, **inputs)

    model, batch = make_method("r2gen"), make_batch()
    monkeypatch.setattr(R2Gen, "forward", watched)
    model.generate_reports(batch, Decoding(beams=2, max_tokens=3))
    assert caches, REMEDY
    assert all(isinstance(cache, ReportCache) for cache in caches), REMEDY


def test_images_are_encoded_once_a_generation() -> None:
    model, batch = make_method("r2gen"), make_batch()
    calls: list[int] = []
    model.visual.register_forward_hook(
        lambda _module, images, _tokens: calls.append(len(images[0]))
    )
    model.generate_reports(batch, Decoding(beams=3, max_tokens=5))
    assert calls == [len(batch)]


def test_generate_runs_from_images_too() -> None:
    model, batch = make_method("r2gen").eval(), make_batch()
    ids = model.generate(pixel_values=batch.pixel_values, view_mask=batch.view_mask)
    expected = model.generate_reports(batch, Decoding()).ids
    words = expected != model.config.pad_token_id
    torch.testing.assert_close(ids[words], expected[words])


def test_beams_swap_and_still_agree_with_full_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    model, batch = make_method("r2gen").eval(), make_batch(studies=4)
    with torch.no_grad():
        model.decoder.scores.weight.mul_(8.0)
    moves: list[Tensor] = []
    reorder = ReportCache.reorder_cache

    def watched(self: ReportCache, beam_idx: Tensor) -> None:
        moves.append(beam_idx.clone())
        reorder(self, beam_idx)

    monkeypatch.setattr(ReportCache, "reorder_cache", watched)
    inputs = {"pixel_values": batch.pixel_values, "view_mask": batch.view_mask}
    cached = model.generate(**inputs, num_beams=3, max_new_tokens=12)
    uncached = model.generate(**inputs, num_beams=3, max_new_tokens=12, use_cache=False)
    in_place = torch.arange(12)
    swaps = [move for move in moves if len(move.unique()) > 4 and not torch.equal(move, in_place)]
    assert swaps
    torch.testing.assert_close(cached, uncached)


def test_pad_and_bos_are_never_generated() -> None:
    model, batch = make_method("r2gen"), make_batch()
    with torch.no_grad():
        model.decoder.scores.bias[:2] = 100.0
    ids = model.generate_reports(batch, Decoding(beams=2, max_tokens=5)).ids
    before_end = (ids == 2).cumsum(1) == 0
    assert (ids[:, 1:][before_end[:, 1:]] > 2).all()


def test_after_the_end_there_is_only_pad() -> None:
    model, batch = make_method("r2gen"), make_batch()
    model.decoder.scores.bias.data[2] = 100.0
    generated = model.generate_reports(batch, Decoding(beams=3, max_tokens=5))
    assert generated.texts == ("",) * len(batch)
    assert generated.ids[:, :2].tolist() == [[1, 2]] * len(batch)
    assert not generated.ids[:, 2:].any()


def test_a_model_without_tokenizer_says_so() -> None:
    model = make_method("r2gen")
    model.tokenizer = None
    with pytest.raises(ValueError, match=r"set model\.tokenizer"):
        model.generate_reports(make_batch(), Decoding())
