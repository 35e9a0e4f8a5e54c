"""Words of a prior report as vectors, by BERT."""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from transformers import BertConfig, BertModel


@final
@dataclass(frozen=True)
class PriorTextSize:
    """How large a `PriorTextEncoder` is; the defaults are those of BERT-base.

    Attributes:
        width: Of the word vectors.
        layers: Of the encoder.
        heads: Of every attention.
        hidden: Of the feed-forward layers.
        tokens: Most tokens of a report that are read; the rest is cut.
    """

    width: int = 768
    layers: int = 12
    heads: int = 12
    hidden: int = 3072
    tokens: int = 100


@final
class PriorTextEncoder(nn.Module):
    """BERT over the tokens of prior reports.

    Reports are cut at 100 tokens, as published. There they are also filled up to 100, which changes
    nothing: pads are masked. A report may have no words at all. Frozen, the encoder has no dropout
    even while the method around it is trained; in the published code it had.

    Args:
        vocab_size: Of the method's tokenizer.
        pad: Id that fills up short reports.
        size: Of the network.
        frozen: Whether its weights stay as they are; only sensible where they come from a file.
        dropout: Share dropped in training where it is not frozen.

    >>> size = PriorTextSize(width=8, layers=1, heads=2, hidden=16, tokens=4)
    >>> encoder = PriorTextEncoder(20, 0, size, frozen=True)
    >>> words, is_word = encoder(torch.tensor([[1, 5, 2, 0, 0, 0]]))
    >>> words.shape, is_word.tolist()
    (torch.Size([1, 4, 8]), [[True, True, True, False]])
    """

    def __init__(
        self,
        vocab_size: int,
        pad: int,
        size: PriorTextSize,
        *,
        frozen: bool,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.pad, self.tokens, self.frozen = pad, size.tokens, frozen
        config = BertConfig(
            vocab_size=vocab_size,
            hidden_size=size.width,
            num_hidden_layers=size.layers,
            num_attention_heads=size.heads,
            intermediate_size=size.hidden,
            max_position_embeddings=max(512, size.tokens),
            hidden_dropout_prob=dropout,
            attention_probs_dropout_prob=dropout,
            pad_token_id=pad,
        )
        self.model = BertModel(config, add_pooling_layer=False)
        if frozen:
            self.model.requires_grad_(requires_grad=False)
        self.train(self.training)

    def train(self, mode: bool = True) -> "PriorTextEncoder":
        """Set the mode; a frozen encoder stays in evaluation."""
        super().train(mode and not self.frozen)
        return self

    def forward(
        self, ids: Int[Tensor, "reports tokens"]
    ) -> tuple[Float[Tensor, "reports cut width"], Bool[Tensor, "reports cut"]]:
        """Return the vectors of the words, and where there is one."""
        ids = nn.functional.pad(ids, (0, max(0, 1 - ids.shape[1])), value=self.pad)
        ids = ids[:, : self.tokens]
        is_word = ids != self.pad
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            words: Tensor = self.model(ids, attention_mask=is_word).last_hidden_state
        return words, is_word
