"""What an image asks of the reports of similar images: PromptMRG's memory (Jin et al. 2024)."""

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gradtruce.methods.blocks.attention import Attention
from gradtruce.methods.blocks.encoder import feedforward


@final
class PostNormLayer(nn.Module):
    """Self-attention and feed-forward, each added and then normalised (Vaswani et al. 2017).

    Args:
        width: Size of the token vectors.
        heads: Heads of the attention.
        hidden: Size of the feed-forward layer.
        dropout: Share dropped after each part, in the feed-forward layer and of the weights.

    >>> PostNormLayer(width=8, heads=2, hidden=16, dropout=0.1)(torch.ones(1, 3, 8)).shape
    torch.Size([1, 3, 8])
    """

    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.attention = Attention(width, heads, dropout)
        self.feedforward = feedforward(width, hidden, dropout)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, tokens: Float[Tensor, "batch tokens width"]
    ) -> Float[Tensor, "batch tokens width"]:
        """Return the tokens after this layer."""
        gathered = self.attention(tokens, *self.attention.keys_values(tokens))
        tokens = self.norms[0](tokens + self.dropout(gathered))
        change = self.feedforward(tokens)
        normed: Tensor = self.norms[1](tokens + self.dropout(change))
        return normed


@final
class QueryLayer(nn.Module):
    """A decoder layer of DETR (Carion et al. 2020): queries are added wherever something is asked.

    Self-attention over the targets, attention to the memory, feed-forward; each is added and then
    normalised. Values never hold the query.

    Args:
        width: Size of the vectors.
        heads: Heads of both attentions.
        hidden: Size of the feed-forward layer.
        dropout: Share dropped after each part, in the feed-forward layer and of the weights.

    >>> layer = QueryLayer(width=8, heads=2, hidden=16, dropout=0.1)
    >>> target, query, memory = torch.zeros(1, 1, 8), torch.ones(1, 1, 8), torch.ones(1, 5, 8)
    >>> layer(target, query, memory).shape
    torch.Size([1, 1, 8])
    """

    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.self_attention = Attention(width, heads, dropout)
        self.memory_attention = Attention(width, heads, dropout)
        self.feedforward = feedforward(width, hidden, dropout)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        targets: Float[Tensor, "batch targets width"],
        queries: Float[Tensor, "batch targets width"],
        memory: Float[Tensor, "batch tokens width"],
    ) -> Float[Tensor, "batch targets width"]:
        """Return the targets after this layer."""
        asking = targets + queries
        keys, _ = self.self_attention.keys_values(asking)
        _, values = self.self_attention.keys_values(targets)
        gathered = self.self_attention(asking, keys, values)
        targets = self.norms[0](targets + self.dropout(gathered))
        read = self.memory_attention(targets + queries, *self.memory_attention.keys_values(memory))
        targets = self.norms[1](targets + self.dropout(read))
        change = self.feedforward(targets)
        normed: Tensor = self.norms[2](targets + self.dropout(change))
        return normed


@final
class QueryMemory(nn.Module):
    """The text features of similar studies, read by a query that the image makes.

    The features of the retrieved reports are encoded without positions, so their order does not
    matter. One target of zeros is decoded, the projected image being its query. As in DETR, whose
    code the published one took over, the decoder ends with one more normalisation.

    Differences from the published code: the three projections of an attention start as three
    Xavier matrices, not one; features of another width than the memory are projected to it.

    Args:
        image_features: Size of the pooled image features.
        text_features: Size of the retrieved features.
        width: Size of the vectors of the memory; 512.
        heads: Heads of every attention; 8.
        hidden: Size of the feed-forward layers; 2,048.
        layers: Layers of encoder and decoder, each; 2.
        dropout: 0.1.

    >>> memory = QueryMemory(
    ...     image_features=6, text_features=5, width=8, heads=2, hidden=16, layers=2, dropout=0.1)
    >>> memory(torch.ones(3, 6), torch.ones(3, 21, 5)).shape
    torch.Size([3, 8])
    """

    def __init__(
        self,
        image_features: int,
        text_features: int,
        width: int,
        heads: int,
        hidden: int,
        layers: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.text_features = text_features
        self.query = nn.Linear(image_features, width)
        is_fitting = text_features == width
        self.projection = nn.Identity() if is_fitting else nn.Linear(text_features, width)
        shape = (width, heads, hidden, dropout)
        self.encoder = nn.Sequential(*(PostNormLayer(*shape) for _ in range(layers)))
        self.decoder = nn.ModuleList(QueryLayer(*shape) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(
        self,
        image: Float[Tensor, "batch image_features"],
        retrieved: Float[Tensor, "batch neighbours text_features"] | None,
    ) -> Float[Tensor, "batch width"]:
        """Return what each image reads.

        Args:
            image: Pooled features.
            retrieved: Text features of the nearest training reports.

        Raises:
            ValueError: If there are none, or they are of another width.
        """
        memory = self.encoder(self.projection(self._checked(retrieved).to(image.dtype)))
        queries = self.query(image).unsqueeze(1)
        targets = torch.zeros_like(queries)
        for layer in self.decoder:
            targets = layer(targets, queries, memory)
        read: Tensor = self.norm(targets).squeeze(1)
        return read

    def _checked(self, retrieved: Tensor | None) -> Tensor:
        if retrieved is None:
            raise ValueError(
                "the text features of similar training reports must be there for every study, got "
                "none: run `gradtruce build retrieval` and give what it writes as data.retrieval"
            )
        if retrieved.shape[2] != self.text_features:
            raise ValueError(
                f"retrieved features must have {self.text_features} numbers, as "
                f"method.options.text_features says, got {retrieved.shape[2]}: set it to "
                f"{retrieved.shape[2]}, or build a bank of that width (gradtruce build retrieval)"
            )
        return retrieved
