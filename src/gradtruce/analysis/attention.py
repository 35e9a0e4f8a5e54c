"""From the attention of tokens to heat maps of sentences, laid over the image.

A method's `attention` gives one map a token, on the coarse grid of its visual features. A reader
asks about sentences: a sentence's map is the mean of its tokens' maps, and so sums to 1 over the
views of the study as theirs do.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

SENTENCE_END = "."

FULL = 3.0
"""Multiple of even attention that a heat map shows at full strength."""

ROUNDING = 1e-5
"""Excess over even attention, as a share of it, that is taken for rounding."""


def sentence_spans(tokens: Sequence[str]) -> list[range]:
    """Return where each sentence lies among the words of a report, its full stop included.

    Words after the last full stop, as in a report that was cut, make a sentence of their own; full
    stops without a word before them belong to no sentence.

    >>> sentence_spans(["no", "effusion", ".", "heart", "is", "large"])
    [range(0, 3), range(3, 6)]
    >>> sentence_spans([".", "clear", "."])
    [range(1, 3)]
    """
    spans: list[range] = []
    start = 0
    for place, token in enumerate(tokens):
        if token != SENTENCE_END:
            continue
        if place > start:
            spans.append(range(start, place + 1))
        start = place + 1
    if start < len(tokens):
        spans.append(range(start, len(tokens)))
    return spans


def sentence_maps(
    token_maps: Float[Tensor, "tokens views height width"], spans: Sequence[range]
) -> Float[Tensor, "sentences views height width"]:
    """Return the mean of the token maps of each span.

    Raises:
        ValueError: If a span is empty or reaches beyond the tokens.

    >>> maps = torch.tensor([1.0, 3.0, 5.0]).reshape(3, 1, 1, 1)
    >>> sentence_maps(maps, [range(0, 2), range(2, 3)]).flatten()
    tensor([2., 5.])
    """
    for span in spans:
        if not 0 <= span.start < span.stop <= len(token_maps):
            raise ValueError(
                f"a sentence must lie within the {len(token_maps)} tokens that have a map, "
                f"got tokens {span.start} to {span.stop}"
            )
    if not spans:
        return token_maps.new_zeros(0, *token_maps.shape[1:])
    return torch.stack([token_maps[span.start : span.stop].mean(dim=0) for span in spans])


def heat_map(
    sentence_map: Float[Tensor, "views height width"], size: tuple[int, int]
) -> Float[Tensor, "views image_height image_width"]:
    """Return how far the attention of each place exceeds even attention, from 0 to 1.

    0 is at most the attention that a cell gets where all get the same, 1 is `FULL` times that, or
    the strongest place where that is stronger. So an even map stays dark instead of lighting up
    everywhere, and the views of a study share one scale. Bilinear between the centres of the cells.

    Args:
        sentence_map: Non-negative, on the grid of the visual features, present views only.
        size: Height and width of the images in pixels.

    >>> heat_map(torch.tensor([[[0.0, 4.0]], [[0.0, 0.0]]]), (1, 2))
    tensor([[[0., 1.]],
    <BLANKLINE>
            [[0., 0.]]])
    >>> float(heat_map(torch.full((2, 3, 3), 0.1), (6, 6)).max())
    0.0
    """
    even = sentence_map.mean()
    if even <= 0:
        return sentence_map.new_zeros(len(sentence_map), *size)
    times_even = functional.interpolate(
        (sentence_map / even)[:, None], size=size, mode="bilinear", align_corners=False
    )[:, 0]
    excess = (times_even - 1 - ROUNDING).clamp_min(0)
    return excess / max(FULL - 1, float(excess.max()))


def view_shares(sentence_map: Float[Tensor, "views height width"]) -> Float[Tensor, " views"]:
    """Return the share of the attention that each view gets; zeros for a map of zeros.

    >>> view_shares(torch.tensor([[[0.2, 0.1]], [[0.3, 0.4]]]))
    tensor([0.3000, 0.7000])
    """
    mass = sentence_map.sum(dim=(1, 2))
    total = mass.sum()
    return mass / total if total > 0 else mass


def share_inside(
    sentence_map: Float[Tensor, "views height width"],
    masks: Bool[Tensor, "views image_height image_width"],
) -> float:
    """Return the share of the attention that falls within the masks, from 0 to 1.

    A cell of the grid that a mask covers in part counts in proportion. Compare with the share of
    the image area that the masks take: attention spread evenly gives just that.

    >>> mask = torch.zeros(1, 4, 4, dtype=torch.bool)
    >>> mask[0, :2, :1] = True
    >>> share_inside(torch.tensor([[[0.5, 0.0], [0.3, 0.2]]]), mask)
    0.25
    """
    height, width = sentence_map.shape[1:]
    covered = functional.adaptive_avg_pool2d(masks[:, None].float(), (height, width))[:, 0]
    total = sentence_map.sum()
    return float((sentence_map * covered).sum() / total) if total > 0 else 0.0
