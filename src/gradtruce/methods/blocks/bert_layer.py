"""A layer of BERT that also attends to visual tokens, as BLIP's text decoder has it."""

from typing import final

from jaxtyping import Bool, Float
from torch import Tensor, nn

from gradtruce.methods.blocks.attention import Attention, causal_mask
from gradtruce.methods.blocks.cache import ReportCache
from gradtruce.methods.blocks.normal import NormalLinear

EPSILON = 1e-12
"""Of every normalisation in BERT."""


@final
class BertDecoderLayer(nn.Module):
    """Causal self-attention, attention to visual tokens, feed-forward: each normalised after.

    Devlin et al. 2019, with the cross-attention of BLIP (Li et al. 2022) between the two parts.

    Args:
        index: Place in the stack, under which a cache keeps this layer's keys and values.
        width: Size of the token vectors.
        heads: Heads of both attentions.
        hidden: Size of the feed-forward layer.
        visual_width: Size of the visual tokens.
        dropout: Share dropped after each part and of the attention weights.

    >>> import torch
    >>> layer = BertDecoderLayer(0, 8, heads=2, hidden=16, visual_width=6, dropout=0.1)
    >>> visible = torch.ones(1, 1, 1, 9, dtype=torch.bool)
    >>> layer(torch.ones(1, 4, 8), torch.ones(1, 9, 6), visible)[0].shape
    torch.Size([1, 4, 8])
    """

    def __init__(
        self,
        index: int,
        width: int,
        *,
        heads: int,
        hidden: int,
        visual_width: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.index = index
        self.self_attention = Attention(width, heads, dropout, linear=NormalLinear)
        self.cross_attention = Attention(
            width, heads, dropout, source_width=visual_width, linear=NormalLinear
        )
        self.feedforward = nn.Sequential(
            NormalLinear(width, hidden), nn.GELU(), NormalLinear(hidden, width)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width, eps=EPSILON) for _ in range(3))
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        tokens: Float[Tensor, "batch tokens width"],
        visual: Float[Tensor, "batch visual_tokens visual_width"],
        visible: Bool[Tensor, "batch 1 1 visual_tokens"],
        cache: ReportCache | None = None,
        *,
        is_explained: bool = False,
    ) -> tuple[
        Float[Tensor, "batch tokens width"],
        Float[Tensor, "batch heads tokens visual_tokens"] | None,
    ]:
        """Return the tokens after this layer, and where they looked if that is to be explained."""
        tokens = self._add(0, tokens, self._look_back(tokens, cache))
        keys, values = self._visual_keys_values(visual, cache)
        looks: Tensor | None = None
        if is_explained:
            gathered, looks = self.cross_attention.explain(tokens, keys, values, visible)
        else:
            gathered = self.cross_attention(tokens, keys, values, visible)
        tokens = self._add(1, tokens, gathered)
        return self._add(2, tokens, self.feedforward(tokens)), looks

    def _look_back(self, tokens: Tensor, cache: ReportCache | None) -> Tensor:
        keys, values = self.self_attention.keys_values(tokens)
        if cache is not None:
            keys, values = cache.self_attention_cache.update(keys, values, self.index)
        allowed = causal_mask(tokens.shape[1], keys.shape[2] - tokens.shape[1], tokens.device)
        gathered: Tensor = self.self_attention(tokens, keys, values, allowed)
        return gathered

    def _visual_keys_values(
        self, visual: Tensor, cache: ReportCache | None
    ) -> tuple[Tensor, Tensor]:
        if cache is None:
            return self.cross_attention.keys_values(visual)
        return cache.cross_attention(self.index, lambda: self.cross_attention.keys_values(visual))

    def _add(self, which: int, tokens: Tensor, part: Tensor) -> Tensor:
        added: Tensor = self.norms[which](tokens + self.dropout(part))
        return added
