"""Everything that ties a method to `transformers` generation, private hooks included."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor, nn
from transformers import GenerationConfig

from gradtruce.methods.base import Decoding
from gradtruce.methods.blocks.cache import ReportCache


class CachedGeneration(ABC):
    """Lets `generate` run the visual encoder once and decode with a `ReportCache`.

    Stands before `GenerationMixin` among the bases of a method, whose `forward` must take
    `input_ids`, `encoder_outputs` and `past_key_values`.
    """

    @abstractmethod
    def get_encoder(self, modality: str | None = None) -> nn.Module:
        """Return the module that `generate` runs once, before any beam is opened."""

    def prepare_inputs_for_generation(
        self,
        input_ids: Int[Tensor, "batch tokens"],
        next_sequence_length: int | None = None,
        past_key_values: ReportCache | None = None,
        encoder_outputs: Any = None,
        **unused: Any,
    ) -> dict[str, Any]:
        """Return the arguments of `forward` in one decoding step."""
        if next_sequence_length is not None:
            input_ids = input_ids[:, -next_sequence_length:]
        return {
            "input_ids": input_ids,
            "encoder_outputs": encoder_outputs,
            "past_key_values": past_key_values,
        }

    def _prepare_cache_for_generation(
        self, generation_config: GenerationConfig, model_kwargs: dict[str, Any], *unused: Any
    ) -> None:
        """Open a `ReportCache` where `generate` would open an `EncoderDecoderCache`.

        This is the one private name of `transformers` that gradtruce overrides; `generate` has no
        public way to choose the class of its cache. If a release renames it or changes its first
        two arguments, the test of this module fails, and only this method has to follow.
        """
        if generation_config.use_cache and model_kwargs.get("past_key_values") is None:
            model_kwargs["past_key_values"] = ReportCache()


def generation_config(decoding: Decoding, *, pad: int, bos: int, eos: int) -> GenerationConfig:
    """Return what `generate` needs to decode as asked, pad and bos never generated.

    >>> generation_config(Decoding(beams=1), pad=0, bos=1, eos=2).max_new_tokens
    60
    """
    beam_options: dict[str, Any] = (
        {"length_penalty": decoding.length_penalty} if decoding.beams > 1 else {}
    )
    return GenerationConfig(
        num_beams=decoding.beams,
        max_new_tokens=decoding.max_tokens,
        do_sample=False,
        pad_token_id=pad,
        bos_token_id=bos,
        eos_token_id=eos,
        decoder_start_token_id=bos,
        suppress_tokens=[pad, bos],
        **beam_options,
    )


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Switch off dropout and gradients, and put the mode back after.

    >>> layer = nn.Dropout()
    >>> with evaluating(layer):
    ...     layer.training
    False
    >>> layer.training
    True
    """
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(was_training)
