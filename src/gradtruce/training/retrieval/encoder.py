"""The image encoder that a retrieval bank is built with: of a preset, of a file, of a run."""

from pathlib import Path

from gradtruce.methods.blocks.paired_stages import PairedStages
from gradtruce.methods.registry import CONFIGS, load
from gradtruce.methods.weights.backbone_file import load_backbone
from gradtruce.training.presets import method_preset
from gradtruce.training.retrieval.image_query import EncoderConfig, ImageQuery


def preset_encoder(preset: str, *, features: int, image_size: int) -> EncoderConfig:
    """Return the configuration of an encoder with the backbone of a method preset.

    Args:
        preset: Name of a method preset.
        features: Numbers of a query.
        image_size: Height and width of the images, in pixels.

    Raises:
        FileNotFoundError: If there is no such preset.

    >>> preset_encoder("r2gen-tiny", features=64, image_size=96).widths
    (32, 64, 128)
    """
    found = method_preset(preset)
    return _encoder(CONFIGS[found["name"]](**found["options"]), features, image_size)


def encoder_of(
    config: EncoderConfig, *, weights: str | Path | None = None, run: str | Path | None = None
) -> ImageQuery:
    """Return an encoder whose last layer is still to be fitted.

    Args:
        config: Sizes; those of the backbone give way where a run is named.
        weights: ImageNet weights by torchvision's names; random ones where not given.
        run: Folder of a saved method, whose backbone is taken instead.

    Raises:
        FileNotFoundError: If a file is not there.
        ValueError: If both are given, the weights don't fit, or the method compares two studies.
    """
    if weights is not None and run is not None:
        raise ValueError("weights of a backbone and a run were both given; give one of them")
    if run is None:
        query = ImageQuery(config)
        if weights is not None:
            load_backbone(query.backbone, weights)
        return query
    method = load(run)
    if isinstance(method.backbone, PairedStages):
        raise ValueError(  # noqa: TRY004 # the type of a network, not of an argument
            f"{run}: the backbone of {method.method_name} compares a study with its prior; take a "
            "method that looks at one study"
        )
    theirs = _encoder(method.config, config.features, config.image_size)
    return ImageQuery(theirs, method.backbone)


def _encoder(config: object, features: int, image_size: int) -> EncoderConfig:
    name, widths, depths = (
        getattr(config, f"backbone{part}") for part in ("", "_widths", "_depths")
    )
    return EncoderConfig(name, tuple(widths), tuple(depths), features, image_size)
