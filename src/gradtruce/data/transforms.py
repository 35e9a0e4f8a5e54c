"""From 8-bit grey views to normalised tensors, without torchvision."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal, final

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from PIL import Image
from torch import Tensor

PREPROCESSOR: Final = "preprocessor_config.json"
R2GEN_MARGIN: Final = 256 / 224
"""R2Gen resizes to 256 and crops 224; other sizes keep the ratio."""


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
            return _resize(pixels, (self.size, self.size))
        resized = resize_short_side(pixels, self.size)
        top, left = ((side - self.size) // 2 for side in resized.shape)
        return resized[top : top + self.size, left : left + self.size]

    def normalise(
        self, pixels: UInt8[Tensor, "*views height width"]
    ) -> Float[Tensor, "*views 3 height width"]:
        """Return grey views as three equal channels, each with its mean and deviation."""
        mean, std = (torch.tensor(v).view(3, 1, 1) for v in (self.mean, self.std))
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


@final
@dataclass(frozen=True)
class Augmentation:
    """What training does in place of a processor's `fit`: resize, random crop, and more if asked.

    `fit` gives the same each time, so the loader keeps it; `draw` is random.

    Attributes:
        margin: The short side is resized to `margin` times the size before the crop.
        flip: Whether to flip half of the views left to right. R2Gen does; off here, because the
            text names sides.
        rotation: Largest angle in degrees.
        brightness: Largest relative change of the grey values.

    Raises:
        ValueError: If a number is out of its range.

    >>> augmentation = Augmentation(brightness=0.1)
    >>> film = np.zeros((32, 20), dtype=np.uint8)
    >>> augmentation.draw(augmentation.fit(film, 8), 8, np.random.default_rng(0)).shape
    (8, 8)
    """

    margin: float = R2GEN_MARGIN
    flip: bool = False
    rotation: float = 0.0
    brightness: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what makes no image."""
        if self.margin < 1:
            raise ValueError(f"margin must be at least 1, got {self.margin}")
        if not 0 <= self.rotation <= 180:
            raise ValueError(f"rotation must be 0 to 180 degrees, got {self.rotation}")
        if not 0 <= self.brightness < 1:
            raise ValueError(f"brightness must be at least 0 and below 1, got {self.brightness}")

    def fit(
        self, pixels: UInt8[np.ndarray, "height width"], size: int
    ) -> UInt8[np.ndarray, "rows columns"]:
        """Return the view with its short side `margin` times the size."""
        return resize_short_side(pixels, round(size * self.margin))

    def draw(
        self, fitted: UInt8[np.ndarray, "rows columns"], size: int, random: np.random.Generator
    ) -> UInt8[np.ndarray, "size size"]:
        """Return a random crop, flipped, turned and brightened as drawn."""
        if self.rotation:
            angle = random.uniform(-self.rotation, self.rotation)
            turned = Image.fromarray(fitted).rotate(angle, Image.Resampling.BILINEAR)
            fitted = np.asarray(turned)
        top, left = (int(random.integers(side - size + 1)) for side in fitted.shape)
        crop = fitted[top : top + size, left : left + size]
        if self.flip and random.random() < 0.5:
            crop = crop[:, ::-1]
        if self.brightness:
            factor = random.uniform(1 - self.brightness, 1 + self.brightness)
            crop = (crop * np.float32(factor)).clip(0, 255).astype(np.uint8)
        return crop


def resize_short_side(
    pixels: UInt8[np.ndarray, "height width"], short_side: int
) -> UInt8[np.ndarray, "rows columns"]:
    """Return the view with its short side of `short_side` pixels, aspect kept.

    >>> resize_short_side(np.zeros((30, 20), dtype=np.uint8), 10).shape
    (15, 10)
    """
    shorter = min(pixels.shape)
    height, width = (max(short_side, round(side * short_side / shorter)) for side in pixels.shape)
    return _resize(pixels, (height, width))


def stack_views(
    views: Sequence[Sequence[UInt8[np.ndarray, "size size"]]],
    processor: ImageProcessor,
    max_views: int,
) -> tuple[Float[Tensor, "batch views 3 size size"], Bool[Tensor, "batch views"]]:
    """Return the views of several studies as one normalised tensor, and which are there.

    Args:
        views: For every study its views, each as `draw` (or a processor's `fit`) returns it.
        processor: Size and normalisation.
        max_views: Number of places for views; those not filled are zero.

    >>> film = np.zeros((8, 8), dtype=np.uint8)
    >>> pixel_values, view_mask = stack_views([[film], [film, film]], ImageProcessor(8), 2)
    >>> pixel_values.shape, view_mask.tolist()
    (torch.Size([2, 2, 3, 8, 8]), [[True, False], [True, True]])
    """
    size = processor.size
    grey = np.zeros((len(views), max_views, size, size), dtype=np.uint8)
    mask = torch.zeros(len(views), max_views, dtype=torch.bool)
    for row, study in enumerate(views):
        for place, view in enumerate(study):
            grey[row, place] = view
            mask[row, place] = True
    pixel_values = processor.normalise(torch.from_numpy(grey))
    pixel_values[~mask] = 0.0
    return pixel_values, mask


def _resize(
    pixels: UInt8[np.ndarray, "height width"], shape: tuple[int, int]
) -> UInt8[np.ndarray, "rows columns"]:
    if pixels.shape == shape:
        return pixels
    resized = Image.fromarray(pixels).resize(shape[::-1], Image.Resampling.BILINEAR)
    return np.asarray(resized)  # pillow's bilinear widens its support when shrinking: antialiased
