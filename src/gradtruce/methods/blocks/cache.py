"""What a decoder keeps between two generated tokens."""

from collections.abc import Callable
from typing import cast, final

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache, DynamicLayer, EncoderDecoderCache


@final
class ReportCache(EncoderDecoderCache):
    """Keys and values of both attentions, and the relational memory, of every running report.

    Beam search moves reports between beams through `reorder_cache`; the memory moves with them.

    >>> cache = ReportCache()
    >>> cache.memory = torch.tensor([[1.0], [2.0]])
    >>> cache.reorder_cache(torch.tensor([1, 1]))
    >>> cache.memory
    tensor([[2.],
            [2.]])
    """

    def __init__(self) -> None:
        super().__init__(DynamicCache(), DynamicCache())
        self.memory: Tensor | None = None

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Let row i of everything kept become row `beam_idx[i]`."""
        super().reorder_cache(cast(torch.LongTensor, beam_idx))
        self._select(beam_idx)

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keep only the rows `indices`."""
        super().batch_select_indices(indices)
        self._select(indices)

    def batch_repeat_interleave(self, repeats: int) -> None:
        """Repeat every row `repeats` times."""
        super().batch_repeat_interleave(repeats)
        if self.memory is not None:
            self.memory = self.memory.repeat_interleave(repeats, dim=0)

    def reset(self) -> None:
        """Forget everything; some releases of transformers would keep the length."""
        self.self_attention_cache = DynamicCache()
        self.cross_attention_cache = DynamicCache()
        self.is_updated = {}
        self.memory = None

    def crop(self, tokens_to_remove: int) -> None:
        """Refuse: the memory of an earlier token is not kept.

        Raises:
            ValueError: Always; generate without an assistant model.
        """
        raise ValueError(
            "a relational memory cannot be taken back by "
            f"{tokens_to_remove} tokens; generate without an assistant model"
        )

    def cross_attention(
        self, layer: int, project: Callable[[], tuple[Tensor, Tensor]]
    ) -> tuple[Tensor, Tensor]:
        """Return the visual keys and values of a layer, projected in the first step only."""
        if not self.is_updated.get(layer, False):
            self.cross_attention_cache.update(*project(), layer)
            self.is_updated[layer] = True
        kept = cast(DynamicLayer, self.cross_attention_cache.layers[layer])
        return cast(tuple[Tensor, Tensor], (kept.keys, kept.values))

    def _select(self, rows: Tensor) -> None:
        if self.memory is not None:
            self.memory = self.memory.index_select(0, rows.to(self.memory.device))
