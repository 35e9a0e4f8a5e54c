"""Backbones that can be run stage by stage, so that something can happen in between."""

from abc import ABC, abstractmethod
from typing import ClassVar, final

from jaxtyping import Float
from torch import Tensor, nn


class StagedBackbone(nn.Module, ABC):
    """A backbone made of an embedding, stages, and a last normalisation.

    Attributes:
        embedding_modules: Names of the modules that `embed` asks.
        stage_modules: Names of the modules that `stage` asks.
        widths: Channels after each stage.
        width: Channels after the last one.
    """

    embedding_modules: ClassVar[tuple[str, ...]]
    stage_modules: ClassVar[tuple[str, ...]]
    widths: tuple[int, ...]

    @property
    @final
    def width(self) -> int:
        """Return the channels of the last map."""
        return self.widths[-1]

    @abstractmethod
    def embed(
        self, images: Float[Tensor, "images 3 height width"]
    ) -> Float[Tensor, "images channels rows columns"]:
        """Return what the first stage is given."""

    @abstractmethod
    def stage(
        self, index: int, maps: Float[Tensor, "images channels rows columns"]
    ) -> Float[Tensor, "images wider fewer_rows fewer_columns"]:
        """Return the maps after a stage, counted from 0; what makes maps smaller is part of it."""

    @abstractmethod
    def finish(
        self, maps: Float[Tensor, "images channels rows columns"]
    ) -> Float[Tensor, "images channels rows columns"]:
        """Return the maps after the last stage, normalised where the network ends so."""

    @abstractmethod
    def drop_embedding(self) -> None:
        """Remove the weights of `embed`, for a second stream that starts from another's maps."""

    def forward(
        self, images: Float[Tensor, "images 3 height width"]
    ) -> Float[Tensor, "images channels rows columns"]:
        """Return the last feature map."""
        maps = self.embed(images)
        for index in range(len(self.widths)):
            maps = self.stage(index, maps)
        return self.finish(maps)
