"""BERT-style report decoder that is told the state of every observation before the first word."""

from typing import Final, final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from gradtruce.methods.blocks.bert_layer import EPSILON, BertDecoderLayer
from gradtruce.methods.blocks.cache import ReportCache
from gradtruce.methods.blocks.decoder import Written
from gradtruce.methods.blocks.normal import NormalEmbedding, NormalLinear

STATE_TOKENS: Final = ("[BLA]", "[POS]", "[NEG]", "[UNC]")
"""Not mentioned, present, absent, uncertain: states 0 to 3, as CheXbert numbers them."""


@final
class PromptedDecoder(nn.Module):
    """Decoder of PromptMRG (Jin et al. 2024, 3.2) and of those built on it, after BERT and BLIP.

    BERT's layers with attention to the visual tokens in each, and learned positions. One table of
    vectors reads and scores words; its last four rows are the states, which no tokenizer knows. A
    prompt of states stands between bos and the first word: it takes positions, can be looked back
    at, and is written nowhere. Scores, and all else that is returned, align with `ids`: what
    belongs to bos is that of the last state, after which the first word comes.

    The published code takes BLIP's text decoder. That of `transformers` 5.17 to 5.23 does not read
    the mask of the visual tokens, so an absent view would change the report; so the layers are
    ours, on our attention, and give the same numbers where nothing is masked.

    Args:
        vocabulary: Number of tokens, without the states.
        layers: Number of layers; 12 as published.
        width: Size of the token vectors, a multiple of `heads`; 768 as published.
        heads: Heads of every attention; 12 as published.
        hidden: Size of the feed-forward layers; 3,072 as published.
        visual_width: Size of the visual tokens.
        positions: Most tokens that the decoder can hold: bos, states and words; 512 as published.
        dropout: Share dropped of embeddings, parts and attention weights; 0.1 as published.

    Raises:
        ValueError: If `width` is not a multiple of `heads`.

    >>> decoder = PromptedDecoder(
    ...     11, layers=2, width=8, heads=2, hidden=16, visual_width=6, positions=40, dropout=0.1)
    >>> ids, visual = torch.ones(2, 5, dtype=torch.long), torch.zeros(2, 9, 6)
    >>> prompt = torch.tensor([[0, 1, 3], [2, 2, 0]])
    >>> decoder(ids, visual, torch.ones(2, 9, dtype=torch.bool), prompt=prompt).logits.shape
    torch.Size([2, 5, 15])
    """

    def __init__(
        self,
        vocabulary: int,
        *,
        layers: int,
        width: int,
        heads: int,
        hidden: int,
        visual_width: int,
        positions: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        self.words = NormalEmbedding(vocabulary + len(STATE_TOKENS), width)
        self.positions = NormalEmbedding(positions, width)
        self.norm = nn.LayerNorm(width, eps=EPSILON)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(
            BertDecoderLayer(
                index,
                width,
                heads=heads,
                hidden=hidden,
                visual_width=visual_width,
                dropout=dropout,
            )
            for index in range(layers)
        )
        self.scores = WordScores(vocabulary + len(STATE_TOKENS), width)

    def forward(
        self,
        ids: Int[Tensor, "batch tokens"],
        visual: Float[Tensor, "batch visual_tokens visual_width"],
        visual_mask: Bool[Tensor, "batch visual_tokens"],
        cache: ReportCache | None = None,
        *,
        prompt: Int[Tensor, "batch prompt"] | None = None,
        explained: int | None = None,
    ) -> Written:
        """Return the scores of the token that follows each of `ids`, and how they came about.

        Args:
            ids: The reports from bos on; with a filled cache, only the tokens that are new.
            visual: Encoded visual tokens.
            visual_mask: False for tokens of an absent view.
            cache: Read, and filled with what the next call needs; a filled one has the prompt.
            prompt: States 0 to 3, as many for every study; none where not given.
            explained: Layer whose attention to the visual tokens is computed by explicit softmax
                and returned as `looks`.

        Raises:
            ValueError: If a state is not from 0 to 3, or there are more tokens than positions.
        """
        past = cache.get_seq_length() if cache is not None else 0
        read = ids if prompt is None or past else self._with_prompt(ids, prompt)
        told = read.shape[1] - ids.shape[1]
        words = tokens = self._embed(read, past, told)
        looks: Tensor | None = None
        visible = visual_mask[:, None, None]
        for index, layer in enumerate(self.layers):
            is_explained = index == explained
            tokens, look = layer(tokens, visual, visible, cache, is_explained=is_explained)
            looks = look[:, :, told:] if is_explained else looks
        states = tokens[:, told:]
        return Written(self.scores(states, self.words.weight), states, words[:, told:], looks)

    def _with_prompt(self, ids: Tensor, prompt: Tensor) -> Tensor:
        if not torch.compiler.is_compiling():
            require_states(prompt)
        return torch.cat([ids[:, :1], prompt + self.vocabulary, ids[:, 1:]], dim=1)

    def _embed(self, read: Tensor, past: int, told: int) -> Tensor:
        count, places = read.shape[1], self.positions.num_embeddings
        if past + count > places:
            before = f"{past} before, " if past else ""
            raise ValueError(
                f"the decoder has {places} positions, got {before}{told} states and "
                f"{count - told} tokens; give shorter reports, or the decoder more positions"
            )
        places_taken = self.positions.weight[past : past + count]
        embedded: Tensor = self.dropout(self.norm(self.words(read) + places_taken))
        return embedded


@final
class WordScores(nn.Module):
    """BERT's head: a layer with GELU and normalisation, then the table of words, and a bias.

    Args:
        words: Rows of the table.
        width: Size of the vectors.

    >>> WordScores(5, 2)(torch.zeros(1, 3, 2), torch.ones(5, 2)).shape
    torch.Size([1, 3, 5])
    """

    def __init__(self, words: int, width: int) -> None:
        super().__init__()
        self.dense = NormalLinear(width, width)
        self.norm = nn.LayerNorm(width, eps=EPSILON)
        self.bias = nn.Parameter(torch.zeros(words))

    def reset_parameters(self) -> None:
        """Set the bias to 0; the parts reset themselves."""
        nn.init.zeros_(self.bias)

    def forward(
        self, tokens: Float[Tensor, "batch tokens width"], table: Float[Tensor, "words width"]
    ) -> Float[Tensor, "batch tokens words"]:
        """Return the score of every word of `table` after each token."""
        tokens = self.norm(nn.functional.gelu(self.dense(tokens)))
        return nn.functional.linear(tokens, table, self.bias)


def require_states(states: Int[Tensor, "*any"]) -> None:
    """Check the states of a prompt.

    Raises:
        ValueError: If one is not from 0 to 3.

    >>> require_states(torch.tensor([0, 3, -1]))
    Traceback (most recent call last):
    ValueError: a state must be from 0 to 3 (not mentioned, present, absent, uncertain), got -1; ...
    """
    is_wrong = (states < 0) | (states >= len(STATE_TOKENS))
    if bool(is_wrong.any()):
        raise ValueError(
            f"a state must be from 0 to {len(STATE_TOKENS) - 1} (not mentioned, present, absent, "
            f"uncertain), got {int(states[is_wrong][0])}; make states of labels before the decoder"
        )
