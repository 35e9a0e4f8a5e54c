"""Multi-head attention: the fast kernel, and the same written out where its weights are wanted."""

import math
from typing import final

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from gradtruce.methods.blocks.xavier import XavierLinear


@final
class Attention(nn.Module):
    """Multi-head attention with a bias in all four projections (Vaswani et al. 2017, 3.2.2).

    Keys and values are projected by `keys_values`, apart from the queries, so that a decoder can
    keep them from one step to the next.

    Args:
        width: Size of the token vectors; a multiple of `heads`.
        heads: Number of heads.
        dropout: Share of the attention weights dropped in training.
        source_width: Size of the vectors that offer keys and values; `width` where not given.
        linear: Class of the four projections, which decides how they start.

    >>> attention = Attention(width=8, heads=2, dropout=0.0)
    >>> tokens = torch.ones(1, 5, 8)
    >>> keys, values = attention.keys_values(tokens)
    >>> attention(tokens, keys, values).shape
    torch.Size([1, 5, 8])
    """

    def __init__(
        self,
        width: int,
        heads: int,
        dropout: float,
        *,
        source_width: int | None = None,
        linear: type[nn.Linear] = XavierLinear,
    ) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width must be a multiple of heads, got {width} and {heads}")
        self.heads = heads
        self.dropout = dropout
        source = width if source_width is None else source_width
        self.query = linear(width, width)
        self.key = linear(source, width)
        self.value = linear(source, width)
        self.output = linear(width, width)

    def keys_values(
        self, tokens: Float[Tensor, "batch keys source_width"]
    ) -> tuple[
        Float[Tensor, "batch heads keys head_width"], Float[Tensor, "batch heads keys head_width"]
    ]:
        """Return the keys and values that `tokens` offer to queries."""
        return self._split(self.key(tokens)), self._split(self.value(tokens))

    def forward(
        self,
        tokens: Float[Tensor, "batch queries width"],
        keys: Float[Tensor, "batch heads keys head_width"],
        values: Float[Tensor, "batch heads keys head_width"],
        allowed: Bool[Tensor, "#batch 1 #queries keys"] | None = None,
    ) -> Float[Tensor, "batch queries width"]:
        """Return what each token gathers from the keys that `allowed` lets it see."""
        dropout = self.dropout if self.training else 0.0
        queries = self._split(self.query(tokens))
        gathered = nn.functional.scaled_dot_product_attention(
            queries, keys, values, allowed, dropout
        )
        return self._join(gathered)

    def explain(
        self,
        tokens: Float[Tensor, "batch queries width"],
        keys: Float[Tensor, "batch heads keys head_width"],
        values: Float[Tensor, "batch heads keys head_width"],
        allowed: Bool[Tensor, "#batch 1 #queries keys"] | None = None,
    ) -> tuple[Float[Tensor, "batch queries width"], Float[Tensor, "batch heads queries keys"]]:
        """Return the same as `forward`, and the attention weights, with gradient, after dropout."""
        queries = self._split(self.query(tokens))
        scores = queries @ keys.transpose(-1, -2) / math.sqrt(queries.shape[-1])
        if allowed is not None:
            scores = scores.masked_fill(~allowed, -math.inf)
        weights = nn.functional.dropout(scores.softmax(dim=-1), self.dropout, self.training)
        return self._join(weights @ values), weights

    def _split(self, tokens: Tensor) -> Tensor:
        batch, count, width = tokens.shape
        return tokens.view(batch, count, self.heads, width // self.heads).transpose(1, 2)

    def _join(self, gathered: Tensor) -> Tensor:
        joined: Tensor = self.output(gathered.transpose(1, 2).flatten(2))
        return joined


def causal_mask(
    queries: int, past: int, device: torch.device
) -> Bool[Tensor, "1 1 queries positions"]:
    """Return which positions each of the last `queries` tokens may see, itself included.

    >>> causal_mask(2, past=1, device=torch.device("cpu"))[0, 0]
    tensor([[ True,  True, False],
            [ True,  True,  True]])
    """
    allowed = torch.ones(queries, past + queries, dtype=torch.bool, device=device).tril(past)
    return allowed[None, None]
