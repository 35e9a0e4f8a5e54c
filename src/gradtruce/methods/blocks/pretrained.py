"""Everything that ties a method to `transformers`: generation, saving, and one private hook."""

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from jaxtyping import Int
from torch import Tensor, nn
from transformers import (
    GenerationConfig,
    GenerationMixin,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from gradtruce.gradients.rotations import Rotations
from gradtruce.manifest import FILE as MANIFEST
from gradtruce.methods.base import Decoding, ReportMethod
from gradtruce.methods.blocks.backbone import Backbone
from gradtruce.methods.blocks.cache import ReportCache
from gradtruce.methods.blocks.decoding_file import read_decoding, write_decoding
from gradtruce.methods.blocks.initialization import initialize
from gradtruce.methods.blocks.visual import VisualTokens

MethodT = TypeVar("MethodT", bound="PretrainedMethod")


class PretrainedMethod(ReportMethod, PreTrainedModel, GenerationMixin):  # type: ignore[no-untyped-call]  # of transformers
    """Base of the methods whose decoder is ours: images are encoded once, decoding is cached.

    `forward` of a method must also take `encoder_outputs` and `past_key_values`, which `generate`
    passes instead of images. Tokenizer and decoding are saved and loaded with the weights, so that
    one folder is all that `predict` needs of the model.

    Attributes:
        tokenizer: Writes the reports.
        decoding: How the run that trained the weights generated its reports, where that is known.
    """

    main_input_name = "pixel_values"
    tokenizer: PreTrainedTokenizerFast | None = None
    decoding: Decoding | None = None

    @property
    @abstractmethod
    def backbone(self) -> Backbone:
        """Return the visual backbone, which may be filled with weights from ImageNet."""

    @abstractmethod
    def get_encoder(self, modality: str | None = None) -> nn.Module:
        """Return the module that `generate` runs once, before any beam is opened."""

    @property
    def told(self) -> str:
        """Return what reports are generated from besides the images; kept with every prediction.

        "" for images alone, as of every method that does not say otherwise.
        """
        return ""

    @property
    def untold(self) -> str:
        """Return what a user must do to have reports from images alone; "" where they are."""
        return ""

    @property
    def retrieved_width(self) -> int | None:
        """Return how many numbers a retrieved report must have; `None` where none is looked at."""
        return None

    @property
    def longest_report(self) -> int | None:
        """Return the most tokens of a report, begin and end included; `None` for no limit."""
        return None

    @property
    def rotated_tasks(self) -> tuple[str, ...]:
        """Return the tasks for each of which RotoGrad may rotate the features of the backbone.

        All tasks, where each that sees these features has a head of its own on them; else none.
        """
        return ()

    @abstractmethod
    def place_rotations(self, rotations: Rotations) -> None:
        """Put rotations between backbone and heads; they are saved and loaded with the method.

        Args:
            rotations: For `rotated_tasks`, of the width of the backbone.
        """

    def require_tokenizer(self) -> PreTrainedTokenizerFast:
        """Return the tokenizer.

        Raises:
            ValueError: If the model was made or loaded without one.
        """
        if self.tokenizer is None:
            raise ValueError(
                "the model has no tokenizer to write words with: set model.tokenizer, "
                "or load a folder that holds tokenizer.json"
            )
        return self.tokenizer

    def generate_ids(
        self, visual: VisualTokens, options: GenerationConfig
    ) -> Int[Tensor, "batch tokens"]:
        """Return tokens from bos to eos, then pad; `visual` gets one row a beam, in place.

        `generate` fills up with eos where the id of pad is 0, which it takes for none.
        """
        output = self.generate(encoder_outputs=visual, generation_config=options)  # type: ignore[misc]  # its self
        ids = cast(Tensor, output)
        ends = ids == options.eos_token_id
        is_after_end = ends.cumsum(dim=1) - ends.long() > 0
        return ids.masked_fill(is_after_end, cast(int, options.pad_token_id))

    def save_pretrained(
        self, save_directory: str | PathLike[str], *args: Any, **kwargs: Any
    ) -> None:
        """Write weights, configuration, tokenizer and decoding to a folder.

        The weights keep their names; else `transformers` would give those of a Swin Transformer the
        names of its published files, which only `from_pretrained` understands. A manifest that the
        folder has of what was there before is removed: the folder is then read unchecked.
        """
        (Path(save_directory) / MANIFEST).unlink(missing_ok=True)
        kwargs.setdefault("save_original_format", False)
        super().save_pretrained(save_directory, *args, **kwargs)
        if self.tokenizer is not None:
            self.tokenizer.save_pretrained(save_directory)
        if self.decoding is not None:
            write_decoding(save_directory, self.decoding)

    @classmethod
    def from_pretrained(  # type: ignore[override]  # options pass through
        cls: type[MethodT],
        pretrained_model_name_or_path: str | PathLike[str],
        *model_args: Any,
        **kwargs: Any,
    ) -> MethodT:
        """Return the method in a folder, with tokenizer and decoding if the folder holds them."""
        folder = pretrained_model_name_or_path
        model = super().from_pretrained(folder, *model_args, **kwargs)
        if (Path(folder) / "tokenizer.json").is_file():
            model.tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
        model.decoding = read_decoding(folder)
        return model

    def prepare_inputs_for_generation(  # type: ignore[override]  # what it is called with
        self,
        input_ids: Int[Tensor, "batch tokens"],
        next_sequence_length: int | None = None,
        past_key_values: ReportCache | None = None,
        encoder_outputs: Any = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Return the arguments of `forward` in one decoding step.

        The rest goes by the name of kwargs, by which `generate` knows to look at `forward` for the
        arguments that it accepts.
        """
        if next_sequence_length is not None:
            input_ids = input_ids[:, -next_sequence_length:]
        return {
            "input_ids": input_ids,
            "encoder_outputs": encoder_outputs,
            "past_key_values": past_key_values,
        }

    def _prepare_cache_for_generation(  # type: ignore[override]  # open for later arguments
        self, generation_config: GenerationConfig, model_kwargs: dict[str, Any], *_unused: Any
    ) -> None:
        """Open a `ReportCache` where `generate` would open an `EncoderDecoderCache`.

        This is the one private name of `transformers` that gradtruce overrides; `generate` has no
        public way to choose the class of its cache. If a release renames it or changes its first
        two arguments, a test of this module fails and says so, and only this method has to follow.
        """
        if generation_config.use_cache and model_kwargs.get("past_key_values") is None:
            model_kwargs["past_key_values"] = ReportCache()

    def _init_weights(self, module: nn.Module) -> None:
        initialize(module)


def generation_config(decoding: Decoding, *, pad: int, bos: int, eos: int) -> GenerationConfig:
    """Return what `generate` needs to decode as asked, pad and bos never generated.

    >>> generation_config(Decoding(beams=1), pad=0, bos=1, eos=2).max_new_tokens
    60
    """
    neutral = 1.0  # what transformers asks for where there is no beam to compare
    options: dict[str, Any] = {
        "num_beams": decoding.beams,
        "max_new_tokens": decoding.max_tokens,
        "min_new_tokens": decoding.min_tokens or None,
        "do_sample": False,
        "pad_token_id": pad,
        "bos_token_id": bos,
        "eos_token_id": eos,
        "decoder_start_token_id": bos,
        "suppress_tokens": [pad, bos],
        "length_penalty": decoding.length_penalty if decoding.beams > 1 else neutral,
    }
    return GenerationConfig(**options)  # type: ignore[no-untyped-call]  # of transformers


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
