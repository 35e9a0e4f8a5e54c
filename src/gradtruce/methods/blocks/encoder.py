"""Pre-norm transformer encoder over visual tokens."""

from typing import final

from jaxtyping import Bool, Float
from torch import Tensor, nn

from gradtruce.methods.blocks.attention import Attention
from gradtruce.methods.blocks.norms import Norm
from gradtruce.methods.blocks.xavier import XavierLinear


def feedforward(width: int, hidden: int, dropout: float) -> nn.Sequential:
    """Return the position-wise network of a transformer layer.

    >>> import torch
    >>> feedforward(4, 8, 0.1)(torch.ones(1, 4)).shape
    torch.Size([1, 4])
    """
    return nn.Sequential(
        XavierLinear(width, hidden), nn.ReLU(), nn.Dropout(dropout), XavierLinear(hidden, width)
    )


@final
class EncoderLayer(nn.Module):
    """Self-attention and feed-forward, each normalised before and added after.

    >>> import torch
    >>> layer = EncoderLayer(width=8, heads=2, hidden=16, dropout=0.1, published_norm=True)
    >>> layer(torch.ones(1, 3, 8), torch.ones(1, 1, 1, 3, dtype=torch.bool)).shape
    torch.Size([1, 3, 8])
    """

    def __init__(
        self, width: int, heads: int, hidden: int, dropout: float, *, published_norm: bool
    ) -> None:
        super().__init__()
        self.attention_norm = Norm(width, published=published_norm)
        self.attention = Attention(width, heads, dropout)
        self.feedforward_norm = Norm(width, published=published_norm)
        self.feedforward = feedforward(width, hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        tokens: Float[Tensor, "batch tokens width"],
        allowed: Bool[Tensor, "batch 1 1 tokens"],
    ) -> Float[Tensor, "batch tokens width"]:
        """Return the tokens after this layer; absent tokens are seen by none."""
        normed = self.attention_norm(tokens)
        keys, values = self.attention.keys_values(normed)
        tokens = tokens + self.dropout(self.attention(normed, keys, values, allowed))
        change: Tensor = self.feedforward(self.feedforward_norm(tokens))
        tokens = tokens + self.dropout(change)
        return tokens


@final
class Encoder(nn.Module):
    """A stack of encoder layers and a last normalisation.

    >>> import torch
    >>> encoder = Encoder(layers=2, width=8, heads=2, hidden=16, dropout=0.1, published_norm=True)
    >>> encoder(torch.ones(1, 3, 8), torch.ones(1, 3, dtype=torch.bool)).shape
    torch.Size([1, 3, 8])
    """

    def __init__(
        self,
        layers: int,
        width: int,
        heads: int,
        hidden: int,
        dropout: float,
        *,
        published_norm: bool,
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            EncoderLayer(width, heads, hidden, dropout, published_norm=published_norm)
            for _ in range(layers)
        )
        self.norm = Norm(width, published=published_norm)

    def forward(
        self,
        tokens: Float[Tensor, "batch tokens width"],
        token_mask: Bool[Tensor, "batch tokens"],
    ) -> Float[Tensor, "batch tokens width"]:
        """Return contextual tokens; those where `token_mask` is False are seen by none."""
        allowed = token_mask[:, None, None, :]
        for layer in self.layers:
            tokens = layer(tokens, allowed)
        normed: Tensor = self.norm(tokens)
        return normed
