"""A prior image looks into its report (the fusion module of DDaTR, after LAVT)."""

from typing import Final, final

from jaxtyping import Bool, Float
from torch import Tensor, nn

from gradtruce.methods.blocks.feature_gate import FeatureGate
from gradtruce.methods.blocks.full_precision import HALVES

HIDDEN_SCORE: Final = -1e4
"""Added to the score of a word that is not there; finite, so that a report without words is 0."""


@final
class TextFusion(nn.Module):
    """Cross-attention from the places of a prior map to the words of the prior report (DFAM, PWAM).

    Queries are IN(conv(z)), keys and values conv(text), zero where there is no word; scores are
    divided by the root of the whole width, not of a head's. What a place gathers is convolved and
    normalised again, multiplied with GELU(conv(z)), convolved, and let through by a gate. All
    convolutions are 1 x 1; IN normalises each channel of an image over its places.

    Args:
        width: Channels of the map.
        text_width: Size of the word vectors.
        heads: Of the attention.

    Raises:
        ValueError: If the heads do not divide the width.

    >>> import torch
    >>> fusion = TextFusion(4, 6)
    >>> words, is_word = torch.ones(2, 5, 6), torch.ones(2, 5, dtype=torch.bool)
    >>> fusion(torch.randn(2, 4, 3, 3), words, is_word).shape
    torch.Size([2, 4, 3, 3])
    """

    def __init__(self, width: int, text_width: int, heads: int = 1) -> None:
        super().__init__()
        if heads < 1 or width % heads:
            raise ValueError(
                f"the heads of the attention to the prior report must divide {width} channels, "
                f"got {heads}"
            )
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(text_width, width)
        self.value = nn.Linear(text_width, width)
        self.output = nn.Linear(width, width)
        self.visual = nn.Linear(width, width)
        self.fusion = nn.Linear(width, width)
        self.gate = FeatureGate(width)

    def forward(
        self,
        maps: Float[Tensor, "images channels rows columns"],
        words: Float[Tensor, "images words text_width"],
        is_word: Bool[Tensor, "images words"],
    ) -> Float[Tensor, "images channels rows columns"]:
        """Return what is added to the prior map."""
        places = maps.flatten(2).transpose(1, 2)
        gathered = _over_places(self.output(self._gather(places, words, is_word)))
        mixed = nn.functional.gelu(self.visual(places)) * gathered
        change = nn.functional.gelu(self.fusion(mixed))
        opened: Tensor = self.gate(change.transpose(1, 2).reshape(maps.shape))
        return opened

    def _gather(
        self,
        places: Float[Tensor, "images places channels"],
        words: Float[Tensor, "images words text_width"],
        is_word: Bool[Tensor, "images words"],
    ) -> Float[Tensor, "images places channels"]:
        """Return the values that each place finds in the words."""
        shown = is_word.unsqueeze(2)
        queries = self._split(_over_places(self.query(places)))
        keys = self._split(self.key(words).where(shown, 0.0))
        values = self._split(self.value(words).where(shown, 0.0))
        hidden = (~is_word[:, None, None, :]).to(queries.dtype) * HIDDEN_SCORE
        gathered = nn.functional.scaled_dot_product_attention(
            queries, keys, values, attn_mask=hidden, scale=places.shape[2] ** -0.5
        )
        return gathered.transpose(1, 2).flatten(2)

    def _split(self, rows: Tensor) -> Tensor:
        images, count, width = rows.shape
        return rows.reshape(images, count, self.heads, width // self.heads).transpose(1, 2)


def _over_places(
    rows: Float[Tensor, "images places channels"],
) -> Float[Tensor, "images places channels"]:
    """Return each channel of each image with mean 0 and deviation 1 over all places.

    In 16 bits the squares of small deviations vanish and their inverse overflows.
    """
    rows = rows.float() if rows.dtype in HALVES else rows
    mean = rows.mean(dim=1, keepdim=True)
    centred = rows - mean
    return centred * (centred.square().mean(dim=1, keepdim=True) + 1e-5).rsqrt()
