"""Report decoder: word embeddings, relational memory, transformer layers, next-token scores."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from transformers.utils.generic import ModelOutput

from gradtruce.methods.blocks.attention import Attention, causal_mask
from gradtruce.methods.blocks.cache import ReportCache
from gradtruce.methods.blocks.encoder import feedforward
from gradtruce.methods.blocks.norms import MemoryNorm, Norm
from gradtruce.methods.blocks.positions import sinusoids
from gradtruce.methods.blocks.relational_memory import RelationalMemory
from gradtruce.methods.blocks.xavier import XavierEmbedding

Enrichment = Callable[[Tensor], Tensor]
"""What a method does to embedded words, or to projected visual tokens, before any layer."""


@dataclass
class Written(ModelOutput):
    """What the decoder makes of reports that it is given.

    Attributes:
        logits: Scores of the token that follows each of the given ones.
        states: Tokens after the last layer, before the last normalisation.
        words: Embedded tokens as the first layer got them.
        looks: Weights that each token gives to the visual tokens, head by head, in the layer that
            was asked for; with gradient, and after dropout in training.
    """

    logits: Float[Tensor, "batch tokens vocabulary"] | None = None
    states: Float[Tensor, "batch tokens width"] | None = None
    words: Float[Tensor, "batch tokens width"] | None = None
    looks: Float[Tensor, "batch heads tokens visual_tokens"] | None = None


@final
class DecoderLayer(nn.Module):
    """Causal self-attention, attention to visual tokens, feed-forward: all pre-norm.

    Args:
        index: Place in the stack, under which a cache keeps this layer's keys and values.
        width: Size of the token vectors.
        heads: Heads of both attentions.
        hidden: Size of the feed-forward layer.
        dropout: Share dropped after each part and of the attention weights.
        memory_width: Size of the flattened relational memory that steers the three norms; 0 for
            plain norms.
        published_norm: See `norms.standardize`.

    >>> import torch
    >>> layer = DecoderLayer(0, 8, 2, 16, 0.1, memory_width=0, published_norm=True)
    >>> tokens, visual = torch.ones(1, 4, 8), torch.ones(1, 9, 8)
    >>> sees_all = torch.ones(1, 1, 1, 9, dtype=torch.bool)
    >>> layer(tokens, None, visual, sees_all)[0].shape
    torch.Size([1, 4, 8])
    """

    def __init__(
        self,
        index: int,
        width: int,
        heads: int,
        hidden: int,
        dropout: float,
        *,
        memory_width: int,
        published_norm: bool,
    ) -> None:
        super().__init__()
        self.index = index
        self.self_attention = Attention(width, heads, dropout)
        self.cross_attention = Attention(width, heads, dropout)
        self.feedforward = feedforward(width, hidden, dropout)
        self.norms = nn.ModuleList(
            MemoryNorm(width, memory_width, published=published_norm)
            if memory_width
            else Norm(width, published=published_norm)
            for _ in range(3)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        tokens: Float[Tensor, "batch tokens width"],
        memory: Float[Tensor, "batch tokens memory_width"] | None,
        visual: Float[Tensor, "batch visual_tokens width"],
        visible: Bool[Tensor, "batch 1 1 visual_tokens"],
        cache: ReportCache | None = None,
        *,
        is_explained: bool = False,
    ) -> tuple[
        Float[Tensor, "batch tokens width"],
        Float[Tensor, "batch heads tokens visual_tokens"] | None,
    ]:
        """Return the tokens after this layer, and where they looked if that is to be explained."""
        tokens = self._look_back(tokens, memory, cache)
        normed = self._normalize(1, tokens, memory)
        keys, values = self._visual_keys_values(visual, cache)
        looks: Tensor | None = None
        if is_explained:
            gathered, looks = self.cross_attention.explain(normed, keys, values, visible)
        else:
            gathered = self.cross_attention(normed, keys, values, visible)
        tokens = tokens + self.dropout(gathered)
        normed = self._normalize(2, tokens, memory)
        return tokens + self.dropout(self.feedforward(normed)), looks

    def _look_back(
        self, tokens: Tensor, memory: Tensor | None, cache: ReportCache | None
    ) -> Tensor:
        normed = self._normalize(0, tokens, memory)
        keys, values = self.self_attention.keys_values(normed)
        if cache is not None:
            keys, values = cache.self_attention_cache.update(keys, values, self.index)
        allowed = causal_mask(tokens.shape[1], keys.shape[2] - tokens.shape[1], tokens.device)
        tokens = tokens + self.dropout(self.self_attention(normed, keys, values, allowed))
        return tokens

    def _visual_keys_values(
        self, visual: Tensor, cache: ReportCache | None
    ) -> tuple[Tensor, Tensor]:
        if cache is None:
            return self.cross_attention.keys_values(visual)
        return cache.cross_attention(self.index, lambda: self.cross_attention.keys_values(visual))

    def _normalize(self, which: int, tokens: Tensor, memory: Tensor | None) -> Tensor:
        norm = self.norms[which]
        normed: Tensor = norm(tokens) if memory is None else norm(tokens, memory)
        return normed


@final
class ReportDecoder(nn.Module):
    """Transformer decoder of reports, with relational memory or without.

    Args:
        vocabulary: Number of tokens.
        layers: Number of layers.
        width: Size of the token vectors; even.
        heads: Heads of every attention, a divisor of `width`.
        hidden: Size of the feed-forward layers.
        dropout: Share dropped of embeddings, parts and attention weights.
        memory_slots: Slots of the relational memory; 0 leaves it out and takes plain norms.
        published_norm: See `norms.standardize`.
        embeds_twice: The relational memory reads the embedding under a dropout mask of its own, as
            R2Gen's code does; otherwise under that of the layers.

    >>> import torch
    >>> decoder = ReportDecoder(
    ...     vocabulary=11, layers=2, width=8, heads=2, hidden=16, dropout=0.1, memory_slots=3,
    ...     published_norm=True)
    >>> ids, visual = torch.ones(2, 5, dtype=torch.long), torch.zeros(2, 9, 8)
    >>> decoder(ids, visual, torch.ones(2, 9, dtype=torch.bool)).logits.shape
    torch.Size([2, 5, 11])
    """

    def __init__(
        self,
        vocabulary: int,
        layers: int,
        width: int,
        heads: int,
        hidden: int,
        dropout: float,
        *,
        memory_slots: int,
        published_norm: bool,
        embeds_twice: bool = False,
    ) -> None:
        super().__init__()
        self.embeds_twice = embeds_twice
        self.embedding = XavierEmbedding(vocabulary, width)
        self.dropout = nn.Dropout(dropout)
        self.memory: RelationalMemory | None = (
            RelationalMemory(memory_slots, width, heads, dropout) if memory_slots else None
        )
        self.layers = nn.ModuleList(
            DecoderLayer(
                index,
                width,
                heads,
                hidden,
                dropout,
                memory_width=memory_slots * width,
                published_norm=published_norm,
            )
            for index in range(layers)
        )
        self.norm = Norm(width, published=published_norm)
        self.scores = nn.Linear(width, vocabulary)

    def forward(
        self,
        ids: Int[Tensor, "batch tokens"],
        visual: Float[Tensor, "batch visual_tokens width"],
        visual_mask: Bool[Tensor, "batch visual_tokens"],
        cache: ReportCache | None = None,
        *,
        enrich: Enrichment | None = None,
        explained: int | None = None,
    ) -> Written:
        """Return the scores of the token that follows each of `ids`, and how they came about.

        Args:
            ids: The reports from bos on; with a filled cache, only the tokens that are new.
            visual: Encoded visual tokens.
            visual_mask: False for tokens of an absent view.
            cache: Read, and filled with what the next call needs.
            enrich: Changes the embedded words, each by itself.
            explained: Layer whose attention to the visual tokens is computed by explicit softmax
                and returned as `looks`.
        """
        tokens, memory = self._embed(ids, cache)
        words = tokens = tokens if enrich is None else enrich(tokens)
        looks: Tensor | None = None
        visible = visual_mask[:, None, None]
        for index, layer in enumerate(self.layers):
            is_explained = index == explained
            tokens, look = layer(tokens, memory, visual, visible, cache, is_explained=is_explained)
            looks = look if is_explained else looks
        return Written(self.scores(self.norm(tokens)), tokens, words, looks)

    def _embed(self, ids: Tensor, cache: ReportCache | None) -> tuple[Tensor, Tensor | None]:
        """Return word embeddings with positions, and the memory at each token."""
        past = cache.get_seq_length() if cache is not None else 0
        width = self.embedding.embedding_dim
        words = self.embedding(ids) * math.sqrt(width)
        words = words + sinusoids(past, ids.shape[1], width, like=words)
        tokens = self.dropout(words)
        if self.memory is None:
            return tokens, None
        kept = cache.memory if cache is not None else None
        state = self.memory.initial(words) if kept is None else kept
        read = self.dropout(words) if self.embeds_twice else tokens
        memory, state = self.memory(read, state)
        if cache is not None:
            cache.memory = state
        return tokens, memory
