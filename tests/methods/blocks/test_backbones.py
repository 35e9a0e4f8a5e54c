"""Backbones: sizes of maps, training, and shapes that are refused."""

import pytest
import torch

from gradtruce.methods.blocks.backbone import build_backbone

KINDS = {
    "resnet": ((8, 16), (1, 1), 8),
    "densenet": ((16, 16, 16), (2, 2, 2), 16),
    "efficientnet_lite": ((2, 4, 4, 4, 4, 4, 4), (1, 1, 1, 1, 1, 2, 1), 32),
    "compact": ((8, 16), (1, 1), 8),
    "compact_batch": ((8, 16), (1, 1), 8),
}
"""Widths, depths, and the stride from image to map."""


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("size", [(64, 64), (96, 128)])
def test_maps_follow_the_size_of_the_image(name: str, size: tuple[int, int]) -> None:
    widths, depths, stride = KINDS[name]
    backbone = build_backbone(name, widths, depths).eval()
    maps = backbone(torch.randn(2, 3, *size))
    assert maps.shape == (2, backbone.width, size[0] // stride, size[1] // stride)


@pytest.mark.parametrize("name", KINDS)
def test_every_weight_gets_a_gradient(name: str) -> None:
    widths, depths, _ = KINDS[name]
    backbone = build_backbone(name, widths, depths)
    backbone(torch.randn(4, 3, 96, 96)).square().sum().backward()
    assert all(
        each.grad is not None and each.grad.isfinite().all() for each in backbone.parameters()
    )


@pytest.mark.parametrize("name", ["densenet", "efficientnet_lite", "resnet"])
def test_in_evaluation_an_image_is_seen_alone(name: str) -> None:
    widths, depths, _ = KINDS[name]
    backbone = build_backbone(name, widths, depths).double().eval()
    images = torch.randn(3, 3, 64, 64, dtype=torch.float64)
    torch.testing.assert_close(backbone(images)[1:2], backbone(images[1:2]))


def test_widths_that_are_no_densenet_are_refused() -> None:
    with pytest.raises(ValueError, match=r"widths such as \[16, 16\].*got \[16, 20\]"):
        build_backbone("densenet", (16, 20), (2, 2))
    with pytest.raises(ValueError, match="4 times the growth"):
        build_backbone("densenet", (18, 17), (2, 2))


def test_an_efficientnet_of_other_than_seven_stages_is_refused() -> None:
    with pytest.raises(ValueError, match="has 7 stages"):
        build_backbone("efficientnet_lite", (16, 24), (1, 2))


def test_an_unknown_backbone_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ValueError, match="did you mean 'densenet'"):
        build_backbone("densnet", (16,), (2,))
    with pytest.raises(ValueError, match="one entry a stage"):
        build_backbone("resnet", (16, 32), (2,))
