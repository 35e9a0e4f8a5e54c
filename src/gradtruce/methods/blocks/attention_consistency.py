"""Let a report look where its findings are: the attention-consistency loss of CAMANet."""

from dataclasses import dataclass
from typing import cast, final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from gradtruce.data.observations import UNCERTAIN
from gradtruce.methods.base import TaskSpec
from gradtruce.methods.blocks.cam import min_max
from gradtruce.methods.blocks.losses import UncertainPolicy, has_labels
from gradtruce.methods.blocks.objectives import Objective, Outputs, Targets
from gradtruce.methods.blocks.visual import VisualTokens

ATTENTION_TASK = "attention"

ROUNDING = 1e-9
"""Taken off a share of a length before it is rounded up: a tenth of 30 tokens is 3, not 4."""


@dataclass
class MappedTokens(VisualTokens):
    """Visual tokens with what the consistency of attention is measured by.

    Attributes:
        discriminative: The visual discriminative map over the places of all views, 0 to 1, without
            gradient.
        foreground: One vector for what the map shows, as wide as a word.
    """

    discriminative: Float[Tensor, "batch places"] | None = None
    foreground: Float[Tensor, "batch width"] | None = None


def chosen_tokens(
    importance: Float[Tensor, "batch tokens"],
    is_real: Bool[Tensor, "batch tokens"],
    share: float,
    most: int | None = None,
) -> Bool[Tensor, "batch tokens"]:
    """Return the most important real tokens of each report: a share of them, rounded up.

    Args:
        importance: Of every token.
        is_real: False for tokens that no one may choose.
        share: Of the real tokens, above 0 and at most 1.
        most: Most tokens chosen of any report; `None` for no such bound.

    >>> is_real = torch.tensor([[True, True, True, False]])
    >>> chosen_tokens(torch.tensor([[0.1, 0.5, 0.3, 0.9]]), is_real, share=0.5)
    tensor([[False,  True,  True, False]])
    """
    real = is_real.sum(dim=1, keepdim=True)
    count = (real.double() * share - ROUNDING).ceil()
    if most is not None:
        count = count.clamp_max(max(most, 1))
    ranked = importance.masked_fill(~is_real, -torch.inf).argsort(
        dim=1, descending=True, stable=True
    )
    return (ranked.argsort(dim=1) < count) & is_real


def text_attention(
    words: Float[Tensor, "batch tokens width"],
    foreground: Float[Tensor, "batch width"],
    looks: Float[Tensor, "batch heads tokens places"],
    is_real: Bool[Tensor, "batch tokens"],
    present: Bool[Tensor, "batch places"],
    share: float,
    most: int | None = None,
) -> Float[Tensor, "batch places"]:
    """Return where the words that matter look, 0 to 1 over the present places of each study.

    A word matters as far as its embedding points where the foreground does (the cosine). Of the
    most important ones each place keeps the largest of importance times attention, heads averaged.

    >>> words, looks = torch.eye(2)[None], torch.tensor([[[[0.9, 0.1], [0.2, 0.8]]]])
    >>> always = torch.ones(1, 2, dtype=torch.bool)
    >>> text_attention(words, torch.tensor([[0.0, 1.0]]), looks, always, always, share=0.5)
    tensor([[0., 1.]])
    """
    importance = nn.functional.cosine_similarity(words, foreground.unsqueeze(1), dim=2)
    chosen = chosen_tokens(importance.detach(), is_real, share, most)
    weighted = (importance.unsqueeze(2) * looks.mean(dim=1)).relu()
    return min_max(weighted.where(chosen.unsqueeze(2), 0.0).amax(dim=1), present)


@final
class AttentionObjective(Objective):
    """Attention of the report against the visual discriminative map: their mean squared difference.

    Averaged over the places of a study, then over all studies with a positive label. A study whose
    map is empty, because the head believes nothing there, says nothing of where to look: it adds
    zero. A batch of labelled studies of which none is positive has the loss zero, with a graph.

    Args:
        weight: Static weight.
        pad: Id that fills up short reports.
        eos: Last token of every report; neither is a word that may be chosen.
        share: Share of the words chosen as important.
        uncertain: What an uncertain label counts as.
        reach: Modules that the gradient reaches.
        paper_code: As the published code: an empty map asks for no attention anywhere, and no
            report chooses more than the share of the batch's longest, rounded down.

    >>> objective = AttentionObjective(0.15, 0, 2, 0.25, "negative", frozenset({"decoder"}))
    >>> labels = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    >>> objective.count(Targets(torch.tensor([[1, 2], [1, 2]]), labels))
    tensor(1)
    """

    def __init__(
        self,
        weight: float,
        pad: int,
        eos: int,
        share: float,
        uncertain: UncertainPolicy,
        reach: frozenset[str],
        *,
        paper_code: bool = False,
    ) -> None:
        needs = frozenset({"labels"})
        super().__init__(TaskSpec(ATTENTION_TASK, weight, "auxiliary", needs, reach=reach))
        self.pad = pad
        self.eos = eos
        self.share = share
        self.uncertain = uncertain
        self.paper_code = paper_code

    def has_targets(self, targets: Targets) -> bool:
        """Return whether any label counts, be it positive or not."""
        return bool(has_labels(cast(Tensor, targets.labels), self.uncertain))

    def count(self, targets: Targets) -> Int[Tensor, ""]:
        """Return the number of studies with a positive label."""
        return self._is_positive(targets).sum()

    def forward(self, outputs: Outputs, targets: Targets, count: Tensor) -> Float[Tensor, ""]:
        """Return the squared differences of the studies that count, over `count`."""
        visual, ids = cast(MappedTokens, outputs.visual), targets.input_ids[:, :-1]
        wanted = cast(Tensor, visual.discriminative)
        present = cast(Tensor, visual.token_mask)[:, : wanted.shape[1]]
        found = text_attention(
            cast(Tensor, outputs.written.words),
            cast(Tensor, visual.foreground),
            cast(Tensor, outputs.written.looks)[..., : wanted.shape[1]],
            (ids != self.pad) & (ids != self.eos),
            present,
            self.share,
            most=int(self.share * ids.shape[1]) if self.paper_code else None,
        )
        counted = self._is_positive(targets)
        if not self.paper_code:
            counted = counted & (wanted > 0).any(dim=1)
        squares = (found - wanted).square().sum(dim=1) / present.sum(dim=1)
        return squares.where(counted, 0.0).sum() / (count + (count == 0))

    def _is_positive(self, targets: Targets) -> Bool[Tensor, " batch"]:
        labels = cast(Tensor, targets.labels)
        positive = labels == 1
        if self.uncertain == "positive":
            positive = positive | (labels == UNCERTAIN)
        return positive.any(dim=1)
