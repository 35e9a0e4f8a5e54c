"""From the images of a study to a query in the space of a retrieval bank's reports."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, final

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from gradtruce.data.loading.views import in_reading_order
from gradtruce.data.retrieval.bank_file import RetrievalFile
from gradtruce.data.study import Study
from gradtruce.data.transforms import ImageProcessor, stack_views
from gradtruce.methods.blocks.backbone import Backbone, build_backbone
from gradtruce.methods.blocks.pretrained import evaluating

BATCH: Final = 32


@final
@dataclass(frozen=True)
class EncoderConfig:
    """What an image encoder is built from.

    Attributes:
        backbone: As `build_backbone` names it.
        widths: Channels after each stage.
        depths: Layers in each stage.
        features: Numbers of a query.
        image_size: Height and width of the images, in pixels.
        views: Most views of a study that are looked at.

    >>> EncoderConfig("compact", (8,), (1,), features=4, image_size=32).views
    2
    """

    backbone: str
    widths: tuple[int, ...]
    depths: tuple[int, ...]
    features: int
    image_size: int
    views: int = 2

    @classmethod
    def of(cls, record: dict[str, Any]) -> "EncoderConfig":  # JSON
        """Return what `asdict` made of a configuration, read from JSON.

        Raises:
            ValueError: If it is of something else.
        """
        try:
            lists = {name: tuple(record[name]) for name in ("widths", "depths")}
            return cls(**record | lists)
        except (KeyError, TypeError) as error:
            raise ValueError(
                f"the image encoder of the retrieval file can't be built ({error}); "
                "build the file again"
            ) from None


@final
class ImageQuery(nn.Module):
    """A backbone, mean and maximum of its features, one linear layer, brought to length 1.

    The mean is over the places of all present views, and so is the maximum, by which a small
    finding counts.

    Args:
        config: Sizes.
        backbone: Instead of one with random weights.

    >>> query = ImageQuery(EncoderConfig("compact", (8,), (1,), features=4, image_size=32))
    >>> mask = torch.ones(2, 1, dtype=torch.bool)
    >>> query(torch.rand(2, 1, 3, 32, 32), mask).shape
    torch.Size([2, 4])
    """

    def __init__(self, config: EncoderConfig, backbone: Backbone | None = None) -> None:
        super().__init__()
        self.config = config
        self.processor = ImageProcessor(size=config.image_size)
        self.backbone = backbone or build_backbone(config.backbone, config.widths, config.depths)
        self.head = nn.Linear(2 * self.backbone.width, config.features)

    @classmethod
    def of(cls, file: RetrievalFile) -> "ImageQuery":
        """Return the encoder that a retrieval file keeps, in evaluation mode.

        Raises:
            ValueError: If it keeps none, as one made of features that a user gave.
        """
        if not file.encoder:
            raise ValueError(
                "the retrieval file has no image encoder, because its features were given to "
                "gradtruce: queries for other images can't be made; build one with --features "
                "tfidf or contrastive, and train with it"
            )
        query = cls(EncoderConfig.of(dict(file.encoder_config)))
        try:
            query.load_state_dict(dict(file.encoder))
        except RuntimeError as error:
            raise ValueError(
                f"the image encoder of the retrieval file does not fit ({error}); build it again"
            ) from None
        return query.eval()

    def record(self) -> dict[str, Any]:  # JSON
        """Return the configuration for the header of a file."""
        return asdict(self.config)

    def pooled(
        self,
        pixel_values: Float[Tensor, "batch views 3 height width"],
        view_mask: Bool[Tensor, "batch views"],
    ) -> Float[Tensor, "batch doubled"]:
        """Return mean and maximum of the features over the places of all present views."""
        maps = self.backbone(pixel_values[view_mask]).flatten(2)
        studies = view_mask.nonzero()[:, 0]
        views = view_mask.sum(dim=1, keepdim=True)
        sums = maps.new_zeros(len(view_mask), maps.shape[1])
        sums = sums.index_add(0, studies, maps.mean(dim=2))
        lowest = maps.new_full(sums.shape, -torch.inf)
        index = studies[:, None].expand(-1, maps.shape[1])
        highest = lowest.scatter_reduce(0, index, maps.amax(dim=2), "amax")
        return torch.cat([sums / views, highest], dim=1)

    def forward(
        self,
        pixel_values: Float[Tensor, "batch views 3 height width"],
        view_mask: Bool[Tensor, "batch views"],
    ) -> Float[Tensor, "batch features"]:
        """Return a query of length 1 for each study."""
        features = self.head(self.pooled(pixel_values, view_mask))
        return nn.functional.normalize(features, dim=1)

    def of_studies(
        self, studies: Sequence[Study], progress: Callable[[int, int], None] | None = None
    ) -> Float[Tensor, "studies features"]:
        """Return the queries of some studies from their views.

        Args:
            studies: With their views.
            progress: Told how many of how many were looked at.
        """
        found = []
        with evaluating(self):
            for start in range(0, len(studies), BATCH):
                views = [
                    in_reading_order(study.views)[: self.config.views]
                    for study in studies[start : start + BATCH]
                ]
                fitted = [[self.processor.fit(view.pixels) for view in each] for each in views]
                found.append(self(*stack_views(fitted, self.processor, self.config.views)))
                if progress is not None:
                    progress(start + len(views), len(studies))
        return torch.cat(found)
