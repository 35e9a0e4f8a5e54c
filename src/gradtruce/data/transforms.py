"""From 8-bit grey views to normalised tensors, without torchvision."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal, final

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from gradtruce.data.pixels import centre_crop, resize, resize_short_side

PREPROCESSOR: Final = "preprocessor_config.json"


@final
@dataclass(frozen=True)
class ImageProcessor:
    """Resizes to a square and normalises: all that validation, test and `predict` do.

    Saved beside a model as `preprocessor_config.json`.

    Attributes:
        size: Height and width in pixels.
        aspect: "stretch" resizes to the square (R2Gen's evaluation); "crop" resizes the short side
            and takes the centre.
        mean: Mean of each channel, in 0 to 1 (ImageNet's).
        std: Standard deviation of each channel (ImageNet's).

    Raises:
        ValueError: On a size below 1, an unknown aspect or a standard deviation of 0.

    >>> processor = ImageProcessor(size=8)
    >>> film = np.full((16, 12), 255, dtype=np.uint8)
    >>> processor(film).shape, round(processor(film)[0, 0, 0].item(), 3)
    (torch.Size([3, 8, 8]), 2.249)
    >>> ImageProcessor.from_json(processor.to_json()) == processor
    True
    """

    size: int = 224
    aspect: Literal["stretch", "crop"] = "stretch"
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)

    def __post_init__(self) -> None:
        """Refuse what makes no image."""
        if self.size < 1:
            raise ValueError(f"size must be at least 1 pixel, got {self.size}")
        if self.aspect not in ("stretch", "crop"):
            raise ValueError(f"aspect must be 'stretch' or 'crop', got {self.aspect!r}")
        if min(self.std) <= 0:
            raise ValueError(f"std must be above 0, got {self.std}")

    def fit(self, pixels: UInt8[np.ndarray, "height width"]) -> UInt8[np.ndarray, "size size"]:
        """Return the view as a square."""
        if self.aspect == "stretch":
            return resize(pixels, (self.size, self.size))
        return centre_crop(resize_short_side(pixels, self.size), self.size)

    def normalise(
        self, pixels: UInt8[Tensor, "*views height width"]
    ) -> Float[Tensor, "*views 3 height width"]:
        """Return grey views as three equal channels, each with its mean and deviation."""
        device = pixels.device
        mean, std = (torch.tensor(v, device=device).view(3, 1, 1) for v in (self.mean, self.std))
        return torch.addcmul(-mean / std, pixels.unsqueeze(-3).float(), 1 / (255 * std))

    def __call__(self, pixels: UInt8[np.ndarray, "height width"]) -> Float[Tensor, "3 size size"]:
        """Return one view as a method takes it."""
        return self.normalise(torch.from_numpy(self.fit(pixels).copy()))

    def to_json(self) -> str:
        """Return the text of `preprocessor_config.json`."""
        record = {"schema": 1, "image_processor_type": "gradtruce", **asdict(self)}
        return json.dumps(record, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "ImageProcessor":
        """Return the processor that `to_json` wrote.

        Raises:
            ValueError: If the text is something else.
        """
        try:
            record = json.loads(text)
            marks = record.pop("image_processor_type"), record.pop("schema")
            record |= {key: tuple(map(float, record[key])) for key in ("mean", "std")}
            processor = cls(**record)
        except (AttributeError, KeyError, TypeError, json.JSONDecodeError) as error:
            raise ValueError(f"not an image processor of gradtruce ({error!r})") from None
        if marks != ("gradtruce", 1):
            raise ValueError(f"not an image processor of gradtruce, schema 1, but of {marks}")
        return processor

    def save(self, folder: str | Path) -> None:
        """Write `preprocessor_config.json` into the folder."""
        (Path(folder) / PREPROCESSOR).write_text(self.to_json(), encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path) -> "ImageProcessor":
        """Read `preprocessor_config.json` from the folder.

        Raises:
            FileNotFoundError: If it is not there.
            ValueError: If it is damaged.
        """
        path = Path(folder) / PREPROCESSOR
        if not path.is_file():
            raise FileNotFoundError(f"{path}: missing; is {folder} a saved method?")
        try:
            return cls.from_json(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None


def stack_views(
    views: Sequence[Sequence[UInt8[np.ndarray, "size size"]]],
    processor: ImageProcessor,
    max_views: int,
) -> tuple[Float[Tensor, "batch views 3 size size"], Bool[Tensor, "batch views"]]:
    """Return the views of several studies as one normalised tensor, and which are there.

    Args:
        views: For every study its views, each as a processor's `fit` returns it.
        processor: Size and normalisation.
        max_views: Number of places for views; those not filled are zero.

    >>> film = np.zeros((8, 8), dtype=np.uint8)
    >>> pixel_values, view_mask = stack_views([[film], [film, film]], ImageProcessor(8), 2)
    >>> pixel_values.shape, view_mask.tolist()
    (torch.Size([2, 2, 3, 8, 8]), [[True, False], [True, True]])
    """
    grey, mask = stack_grey(views, processor.size, max_views)
    return normalise_present(grey, mask, processor), mask


def stack_grey(
    views: Sequence[Sequence[UInt8[np.ndarray, "size size"]]], size: int, max_views: int
) -> tuple[UInt8[Tensor, "batch views size size"], Bool[Tensor, "batch views"]]:
    """Return the views of several studies as bytes, a place not filled black, and which are there.

    >>> stack_grey([[np.full((1, 1), 7, dtype=np.uint8)], []], 1, 1)
    (tensor([[[[7]]], [[[0]]]], dtype=torch.uint8), tensor([[ True], [False]]))
    """
    grey = np.zeros((len(views), max_views, size, size), dtype=np.uint8)
    mask = torch.zeros(len(views), max_views, dtype=torch.bool)
    for row, study in enumerate(views):
        for place, view in enumerate(study):
            grey[row, place] = view
            mask[row, place] = True
    return torch.from_numpy(grey), mask


def normalise_present(
    grey: UInt8[Tensor, "batch views size size"],
    mask: Bool[Tensor, "batch views"],
    processor: ImageProcessor,
) -> Float[Tensor, "batch views 3 size size"]:
    """Return the views normalised where they are, and zero where they are not.

    >>> grey, mask = torch.zeros(1, 2, 4, 4, dtype=torch.uint8), torch.tensor([[True, False]])
    >>> normalise_present(grey, mask, ImageProcessor(4)).abs().amax(dim=(2, 3, 4)) > 0
    tensor([[ True, False]])
    """
    pixel_values = processor.normalise(grey)
    return pixel_values.masked_fill_(~mask[..., None, None, None], 0.0)
