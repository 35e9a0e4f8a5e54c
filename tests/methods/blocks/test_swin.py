"""Swin: the maps of `transformers`, any image size, and shapes that are refused."""

import pytest
import torch
from transformers import SwinModel

from gradtruce.methods.blocks.backbone import build_backbone
from gradtruce.methods.blocks.backbones.swin import Swin

EXACT = {"rtol": 1e-10, "atol": 1e-10}


def swin(widths: tuple[int, ...] = (16, 32, 64), window: int = 4) -> Swin:
    torch.manual_seed(0)
    return Swin(widths, (2, 2, 1)[: len(widths)], window).double().eval()


@pytest.mark.parametrize("size", [(64, 64), (72, 88), (50, 66)])
def test_maps_are_those_of_transformers(size: tuple[int, int]) -> None:
    backbone, images = swin((16, 32)), torch.randn(2, 3, *size, dtype=torch.float64)
    whole: SwinModel = backbone.model
    with torch.no_grad():
        maps = backbone(images)
        theirs = whole(images).last_hidden_state
    torch.testing.assert_close(maps.flatten(2).transpose(1, 2), theirs, **EXACT)


def test_a_small_image_changes_no_later_one() -> None:
    backbone = swin()
    images = torch.randn(2, 3, 96, 96, dtype=torch.float64)
    with torch.no_grad():
        before = backbone(images)
        backbone(images[..., :24, :24])
        torch.testing.assert_close(backbone(images), before, rtol=0, atol=0)


@pytest.mark.parametrize("size", [(224, 224), (96, 96), (100, 75), (13, 9)])
def test_any_image_size_gives_a_map_of_every_place(size: tuple[int, int]) -> None:
    backbone = swin(window=7).float()
    maps = backbone(torch.randn(1, 3, *size))
    expected = tuple(-(-side // 16) for side in size)
    assert maps.shape == (1, 64, *expected)
    assert bool(maps.isfinite().all())


def test_swin_b_has_the_published_size() -> None:
    with torch.device("meta"):
        backbone = build_backbone("swin", (128, 256, 512, 1024), (2, 2, 18, 2))
    assert sum(each.numel() for each in backbone.parameters()) == 86_743_224
    layers = backbone.model.encoder.layers
    assert [stage.blocks[0].attention.num_attention_heads for stage in layers] == [4, 8, 16, 32]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((96, 128), (1, 1)), r"twice as wide as the one before: \[96, 192\], got \[96, 128\]"),
        (((80, 160), (1, 1)), None),
        (((100, 200), (1, 1)), "100 channels do not make"),
        (((8, 16), (0, 1)), "a layer or more a stage"),
        (((8, 16), (1, 1), 0), "windows of at least one token"),
        (((8, 16), (1, 1), 4, 1.0), "drop_path must be at least 0 and below 1"),
    ],
)
def test_what_is_no_swin_transformer_is_refused(arguments: tuple, message: str | None) -> None:
    if message is None:
        Swin(*arguments)
        return
    with pytest.raises(ValueError, match=message):
        Swin(*arguments)
