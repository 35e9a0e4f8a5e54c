"""Swin Transformer, through `transformers`, stage by stage."""

from collections.abc import Sequence
from typing import Any, Final, final

from jaxtyping import Float
from torch import Tensor, nn
from transformers import SwinConfig, SwinModel

from gradtruce.methods.blocks.backbones.staged import StagedBackbone

PATCH: Final = 4
"""Side in pixels of the patches that the embedding makes one token of."""

HEAD_WIDTH: Final = 32
"""Channels of a head in every published Swin Transformer."""

WINDOW: Final = 7
"""Side in tokens of the windows of every Swin Transformer for images of 224 pixels."""

DROP_PATH: Final = 0.1
"""Largest share of images for which a layer is left out, in training; of the last layer."""


@final
class Swin(StagedBackbone):
    """Swin Transformer (Liu et al. 2021): attention in windows, shifted in every second layer.

    Stride 32 with four stages; at full size 128, 256, 512, 1024 channels and 2, 2, 18, 2 layers,
    which is Swin-B. A head has 32 channels; a stage of less has one head.

    Any image size works. Where windows do not divide a map, it is filled up with zeros to the right
    and below, as in `transformers`. A map not larger than a window is one window, unshifted. (In
    `transformers` a small image changes the windows of a layer for good; here of that image alone.)

    Args:
        widths: Channels after each stage, each twice the one before.
        depths: Layers in each stage.
        window: Side in tokens of a window; best one that divides the maps.
        drop_path: Share of images for which the last layer is left out in training; of earlier
            layers proportionally less.

    Raises:
        ValueError: If there is no such network.

    >>> import torch
    >>> backbone = Swin(widths=(8, 16), depths=(1, 2), window=4)
    >>> backbone(torch.zeros(2, 3, 64, 48)).shape
    torch.Size([2, 16, 8, 6])
    """

    embedding_modules = ("model.embeddings",)
    stage_modules = ("model.encoder",)

    def __init__(
        self,
        widths: Sequence[int],
        depths: Sequence[int],
        window: int = WINDOW,
        drop_path: float = DROP_PATH,
    ) -> None:
        super().__init__()
        _check(widths, depths, window, drop_path)
        self.widths = tuple(widths)
        self.window = window
        config = SwinConfig(
            patch_size=PATCH,
            embed_dim=widths[0],
            depths=list(depths),
            num_heads=[max(1, width // HEAD_WIDTH) for width in widths],
            window_size=window,
            drop_path_rate=drop_path,
        )
        self.model = SwinModel(config, add_pooling_layer=False)

    def embed(
        self, images: Float[Tensor, "images 3 height width"]
    ) -> Float[Tensor, "images channels rows columns"]:
        """Return the normalised patches."""
        tokens, grid = self.model.embeddings(images)
        return _maps(tokens, grid)

    def stage(
        self, index: int, maps: Float[Tensor, "images channels rows columns"]
    ) -> Float[Tensor, "images wider fewer_rows fewer_columns"]:
        """Return the maps after a stage; all but the first begin by merging patches."""
        layers: Any = self.model.encoder.layers  # of transformers, not typed
        rows, columns = maps.shape[2:]
        tokens = maps.flatten(2).transpose(1, 2)
        if index > 0:
            tokens = layers[index - 1].downsample(tokens, (rows, columns))
            rows, columns = (rows + 1) // 2, (columns + 1) // 2
        shifts = min(rows, columns) > self.window
        for place, layer in enumerate(layers[index].blocks):
            layer.shift_size = self.window // 2 if shifts and place % 2 else 0
            tokens, _ = layer(tokens, (rows, columns), always_partition=True)
        return _maps(tokens, (rows, columns))

    def finish(
        self, maps: Float[Tensor, "images channels rows columns"]
    ) -> Float[Tensor, "images channels rows columns"]:
        """Return the maps, normalised place by place."""
        tokens = self.model.layernorm(maps.flatten(2).transpose(1, 2))
        return _maps(tokens, (maps.shape[2], maps.shape[3]))

    def drop_embedding(self) -> None:
        """Remove the weights of the patches."""
        self.model.add_module("embeddings", nn.Identity())


def _maps(tokens: Tensor, grid: tuple[int, int]) -> Tensor:
    return tokens.transpose(1, 2).reshape(len(tokens), tokens.shape[2], *grid)


def _check(widths: Sequence[int], depths: Sequence[int], window: int, drop_path: float) -> None:
    doubled = [widths[0] * 2**stage for stage in range(len(widths))]
    if list(widths) != doubled:
        raise ValueError(
            f"every stage of a Swin Transformer is twice as wide as the one before: {doubled}, "
            f"got {list(widths)}; Swin-B has [128, 256, 512, 1024] and [2, 2, 18, 2]"
        )
    for width in widths:
        if width % max(1, width // HEAD_WIDTH):
            raise ValueError(
                f"a stage of a Swin Transformer has heads of {HEAD_WIDTH} channels, which "
                f"{width} channels do not make; take a multiple of {HEAD_WIDTH}, or less than that"
            )
    if min(depths) < 1 or window < 1:
        raise ValueError(
            f"a Swin Transformer needs a layer or more a stage, and windows of at least one token, "
            f"got depths {list(depths)} and window {window}"
        )
    if not 0 <= drop_path < 1:
        raise ValueError(f"drop_path must be at least 0 and below 1, got {drop_path}")
