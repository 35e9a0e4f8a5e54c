"""Two streams of one backbone, a current and a prior image, that meet after every stage (DDaTR)."""

from copy import deepcopy
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from gradtruce.methods.blocks.backbones.staged import StagedBackbone
from gradtruce.methods.blocks.difference import DifferenceAware, DifferenceNorm
from gradtruce.methods.blocks.text_fusion import TextFusion


@final
@dataclass(frozen=True, eq=False)
class PriorViews:
    """The prior images of some current ones, and their reports.

    Attributes:
        images: Normalised.
        places: Which current image each belongs to; no two to the same.
        words: Vectors of the words of the prior report.
        is_word: False where a report has ended.
        has_prior: False for an image that stands in for a prior that is not there.
    """

    images: Float[Tensor, "priors 3 height width"]
    places: Int[Tensor, " priors"]
    words: Float[Tensor, "priors words text_width"]
    is_word: Bool[Tensor, "priors words"]
    has_prior: Bool[Tensor, " priors"]


@final
class PairedStages(nn.Module):
    """Current and prior stream: one embedding, stages of their own, modules between them.

    After every stage the prior map takes up its report, then the current map what differs from
    the prior one. A current image without a prior passes as through the backbone alone.

    The prior stream starts as a copy of the current one, once `copy_to_prior` is called.

    Args:
        backbone: The current stream.
        text_width: Size of the vectors of the words of prior reports.
        text_heads: Heads of the attention to them.
        norm: Of the difference-aware modules.

    >>> from gradtruce.methods.blocks.backbones.swin import Swin
    >>> paired = PairedStages(Swin((8, 16), (1, 1), window=4), text_width=6)
    >>> prior = PriorViews(torch.zeros(1, 3, 32, 32), torch.tensor([1]), torch.zeros(1, 5, 6),
    ...                    torch.ones(1, 5, dtype=torch.bool), torch.tensor([True]))
    >>> maps, prior_maps = paired(torch.zeros(3, 3, 32, 32), prior)
    >>> maps.shape, prior_maps.shape
    (torch.Size([3, 16, 4, 4]), torch.Size([1, 16, 4, 4]))
    """

    def __init__(
        self,
        backbone: StagedBackbone,
        text_width: int,
        text_heads: int = 1,
        norm: DifferenceNorm = "batch",
    ) -> None:
        super().__init__()
        self.current = backbone
        self.prior = deepcopy(backbone)
        self.prior.drop_embedding()
        self.text = nn.ModuleList(
            TextFusion(width, text_width, text_heads) for width in backbone.widths
        )
        self.difference = nn.ModuleList(DifferenceAware(width, norm) for width in backbone.widths)

    @property
    def width(self) -> int:
        """Return the channels of the last maps."""
        return self.current.width

    def forward(
        self, images: Float[Tensor, "images 3 height width"], prior: PriorViews | None
    ) -> tuple[
        Float[Tensor, "images channels rows columns"],
        Float[Tensor, "priors channels rows columns"] | None,
    ]:
        """Return the last maps of the current images, and of the prior ones."""
        maps = self.current.embed(images)
        if prior is None or not len(prior.places):
            for stage in range(len(self.current.widths)):
                maps = self.current.stage(stage, maps)
            return self.current.finish(maps), None
        gate = prior.has_prior.to(maps.dtype)[:, None, None, None]
        before = self.current.embed(prior.images)
        for stage, (text, difference) in enumerate(zip(self.text, self.difference, strict=True)):
            maps = self.current.stage(stage, maps)
            before = self.prior.stage(stage, before)
            before = before + gate * text(before, prior.words, prior.is_word)
            change = gate * difference(maps[prior.places], before)
            maps = maps.index_add(0, prior.places, change.to(maps.dtype))
        return self.current.finish(maps), self.prior.finish(before)

    @torch.no_grad()
    def copy_to_prior(self) -> None:
        """Let the prior stream be as the current one is now."""
        source = self.current.state_dict()
        for name, value in self.prior.state_dict().items():
            value.copy_(source[name])
