"""The beam search of R2Gen's published code, which its figures were made with."""

from collections.abc import Callable, Sequence
from typing import TypeVar, final

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers.utils.generic import ModelOutput

from gradtruce.methods.blocks.cache import ReportCache

PENALTY = 1000.0
"""By which a beam is pushed down each time that it writes eos, so that it cannot win again."""

EncodedT = TypeVar("EncodedT", bound=ModelOutput)


Step = Callable[[Tensor, Tensor], Tensor]
"""Scores what follows, for every running beam: from the last token of every row, and the row of the
last call that each row goes on from, to log-probabilities (rows, vocabulary). The rows of the first
call are the studies; in all others a study has its beams side by side."""


@torch.no_grad()
def published_beam(
    step: Step, start: Int[Tensor, " studies"], *, beams: int, steps: int, eos: int, pad: int
) -> Int[Tensor, "studies tokens"]:
    """Return the best report of every study, from its first token to eos, then pad.

    As in the published code: a beam is scored by the sum of its log-probabilities, whatever its
    length; one that has written eos is noted, pushed down by 1000 and left in the race; after
    `steps` tokens all others are noted; of the notes the best is returned, the earliest of equals.
    Its option to block repeated trigrams has no effect on beams, there or here. Equal candidates
    come in the order of beams, then tokens. Log-probabilities are never above 0, so where no beam
    is above the best note, no later note will be: the search ends there and not, as published,
    after `steps`, with the same answer.

    Args:
        step: Scores the next token, as `CachedSteps`.
        start: First token of every study.
        beams: Beams of a study.
        steps: Most tokens written, eos included.
        eos: Ends a report.
        pad: Fills up short reports.

    Raises:
        ValueError: If there are fewer tokens than beams, or no step or beam is asked for.

    >>> table = torch.tensor([[0.1, 0.5, 0.4], [0.9, 0.05, 0.05], [0.3, 0.3, 0.4]]).log()
    >>> start = torch.tensor([0])
    >>> published_beam(lambda last, _: table[last], start, beams=2, steps=4, eos=0, pad=2)
    tensor([[0, 1, 0, 2, 2]])
    """
    if beams < 1 or steps < 1:
        raise ValueError(f"beams and steps must be at least 1, got {beams} and {steps}")
    studies = torch.arange(len(start), device=start.device)
    chances = step(start, studies)
    if beams > chances.shape[1]:
        raise ValueError(f"beams must be at most the {chances.shape[1]} tokens, got {beams}")
    sums = chances.new_zeros(len(start), 1)
    written = start[:, None, None]
    notes = _Notes(start, steps, pad, like=sums)
    for place in range(1, steps + 1):
        width, vocabulary = sums.shape[1], chances.shape[1]
        candidates = (sums[..., None] + chances.view(len(start), width, -1)).flatten(1)
        ranked, chosen = candidates.sort(dim=1, descending=True, stable=True)
        sums, chosen = ranked[:, :beams], chosen[:, :beams]
        parents, tokens = chosen // vocabulary, chosen % vocabulary
        earlier = written.gather(1, parents[..., None].expand(-1, -1, place))
        written = torch.cat([earlier, tokens[..., None]], dim=-1)
        is_end = tokens == eos
        notes.take(sums, written, is_end if place < steps else torch.ones_like(is_end))
        sums = sums - PENALTY * is_end
        if place == steps or notes.are_final(sums):
            break
        chances = step(tokens.flatten(), (parents + studies[:, None] * width).flatten())
    return notes.reports


@final
class CachedSteps:
    """The steps of a method's own decoder, which keeps what it computed; see `published_beam`.

    Args:
        decode: Returns the scores (rows, tokens, vocabulary) of what follows new tokens, given the
            encoded views and a cache.
        encoded: The encoded views of every study; every tensor of it has studies in front.
        never: Tokens that are never written: pad and bos.

    >>> def decode(ids, encoded, cache):
    ...     return torch.zeros(*ids.shape, 4)
    >>> steps = CachedSteps(decode, ModelOutput(tokens=torch.zeros(1, 5, 8)), never=(0, 1))
    >>> steps(torch.tensor([1]), torch.tensor([0])).exp()
    tensor([[0.0000, 0.0000, 0.2500, 0.2500]])
    """

    def __init__(
        self,
        decode: Callable[[Tensor, EncodedT, ReportCache], Tensor],
        encoded: EncodedT,
        never: Sequence[int],
    ) -> None:
        self._decode = decode
        self._encoded = encoded
        self._never = list(never)
        self._cache: ReportCache | None = None

    def __call__(
        self, tokens: Int[Tensor, " rows"], parents: Int[Tensor, " rows"]
    ) -> Float[Tensor, "rows vocabulary"]:
        """Return the log-probabilities of what follows, the tokens never written left at -∞."""
        if self._cache is None:
            self._cache = ReportCache()
        else:
            self._cache.reorder_cache(parents)
            self._encoded = _rows(self._encoded, parents)
        scores = self._decode(tokens.unsqueeze(1), self._encoded, self._cache)[:, -1]
        return scores.log_softmax(dim=-1).index_fill(
            1, torch.tensor(self._never, device=scores.device), -torch.inf
        )


@final
class _Notes:
    """The best report so far of every study."""

    def __init__(self, start: Tensor, steps: int, pad: int, like: Tensor) -> None:
        self.reports = start.new_full((len(start), steps + 1), pad)
        self.reports[:, 0] = start
        self._best = like.new_full((len(start),), -torch.inf)

    def take(self, sums: Tensor, written: Tensor, is_noted: Tensor) -> None:
        """Note the beams of one step; of equals the first one stays."""
        top, which = sums.masked_fill(~is_noted, -torch.inf).max(dim=1)
        better = (top > self._best).nonzero().squeeze(1)
        self._best[better] = top[better]
        self.reports[better, : written.shape[2]] = written[better, which[better]]

    def are_final(self, sums: Tensor) -> bool:
        """Return whether no running beam can come above the notes any more."""
        return bool((sums <= self._best[:, None]).all())


def _rows(encoded: EncodedT, rows: Tensor) -> EncodedT:
    """Return the encoded views of those rows."""
    chosen = {
        name: value.index_select(0, rows) if isinstance(value, Tensor) else value
        for name, value in encoded.items()
    }
    return type(encoded)(**chosen)
