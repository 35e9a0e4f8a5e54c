"""Views to tokens, backbones, initial weights, losses."""

import pytest
import torch

from gradtruce.methods.blocks.backbone import build_backbone
from gradtruce.methods.blocks.encoder import Encoder
from gradtruce.methods.blocks.findings import FindingsHead
from gradtruce.methods.blocks.positions import grid_sinusoids, sinusoids
from gradtruce.methods.blocks.visual import VisualEncoder


def make_visual() -> VisualEncoder:
    encoder = Encoder(1, 8, 2, 16, 0.0, published_norm=True)
    return VisualEncoder(build_backbone("compact", (8, 16), (1, 1)), encoder, 8, 0.0).double()


def test_tokens_go_view_after_view_and_row_after_row() -> None:
    visual = make_visual()
    tokens = visual(
        torch.randn(2, 3, 3, 32, 48, dtype=torch.float64), torch.ones(2, 3, dtype=torch.bool)
    )
    assert tokens.grid == (4, 6)
    assert tokens.last_hidden_state.shape == (2, 3 * 4 * 6, 8)


def test_pooling_takes_mean_and_maximum_of_present_views_only() -> None:
    visual = make_visual()
    images = torch.randn(2, 2, 3, 32, 32, dtype=torch.float64)
    mask = torch.tensor([[True, True], [False, True]])
    pooled = visual(images, mask).pooled
    maps = visual.backbone(images.flatten(0, 1)).unflatten(0, (2, 2))
    mean, largest = maps.mean((3, 4)), maps.amax((3, 4))
    both = torch.cat([mean[0].mean(0), largest[0].amax(0)])
    torch.testing.assert_close(pooled[0], both)
    torch.testing.assert_close(pooled[1], torch.cat([mean[1, 1], largest[1, 1]]))


def test_positions_tell_places_of_a_view_apart_but_not_views() -> None:
    grid = grid_sinusoids((2, 3), torch.zeros(1, 8, dtype=torch.float64))
    assert len({tuple(place.tolist()) for place in grid}) == 6
    encoder = Encoder(1, 8, 2, 16, 0.0, published_norm=True)
    backbone = build_backbone("compact", (8, 16), (1, 1))
    visual = VisualEncoder(backbone, encoder, 8, 0.0, positions="grid").double()
    images = torch.randn(1, 2, 3, 32, 32, dtype=torch.float64)
    both = torch.ones(1, 2, dtype=torch.bool)
    tokens = visual(images, both).last_hidden_state.unflatten(1, (2, -1))
    turned = visual(images.flip(1), both).last_hidden_state.unflatten(1, (2, -1))
    torch.testing.assert_close(tokens, turned.flip(1))


def test_in_a_sequence_absent_views_take_no_number() -> None:
    encoder = Encoder(1, 8, 2, 16, 0.0, published_norm=True)
    backbone = build_backbone("compact", (8, 16), (1, 1))
    visual = VisualEncoder(backbone, encoder, 8, 0.0, positions="sequence").double()
    images = torch.zeros(1, 3, 3, 32, 32, dtype=torch.float64)
    seen = visual.look(images, torch.tensor([[True, False, True]]))
    placed = visual.project(seen) - visual.projection(seen.features).flatten(1, 2)
    expected = sinusoids(0, 32, 8, placed)
    torch.testing.assert_close(placed[0, :16], expected[:16])
    torch.testing.assert_close(placed[0, 32:], expected[16:])


def test_the_token_of_the_findings_comes_last_and_is_always_there() -> None:
    encoder = Encoder(1, 8, 2, 16, 0.0, published_norm=True)
    backbone = build_backbone("compact", (8, 16), (1, 1))
    head = FindingsHead(2 * backbone.width, 14, token_width=8)
    visual = VisualEncoder(backbone, encoder, 8, 0.0, findings=head).double()
    images = torch.randn(1, 2, 3, 32, 32, dtype=torch.float64)
    seen = visual(images, torch.tensor([[True, False]]))
    assert seen.last_hidden_state.shape[1] == 2 * 16 + 1
    assert seen.token_mask[0].tolist() == [True] * 16 + [False] * 16 + [True]
    shares = 4 * head.scores(seen.pooled).sigmoid() - 2
    torch.testing.assert_close(seen.last_hidden_state[:, -1], head.token(shares))


def test_without_a_token_the_head_changes_nothing_for_the_decoder() -> None:
    encoder = Encoder(1, 8, 2, 16, 0.0, published_norm=True)
    head = FindingsHead(32, 14)
    visual = VisualEncoder(
        build_backbone("compact", (8, 16), (1, 1)), encoder, 8, 0.0, findings=head
    )
    seen = visual(torch.randn(1, 1, 3, 32, 32), torch.tensor([[True]]))
    assert seen.last_hidden_state.shape[1] == 16
    torch.testing.assert_close(seen.findings, head.scores(seen.pooled))


def test_the_stem_of_the_compact_backbone_loses_no_pixel() -> None:
    backbone = build_backbone("compact", (8, 16), (1, 1)).double()
    image = torch.randn(1, 3, 32, 32, dtype=torch.float64, requires_grad=True)
    backbone.stem(image).square().sum().backward()
    assert (image.grad != 0).all()


def test_an_image_that_does_not_fold_is_refused() -> None:
    with pytest.raises(ValueError, match=r"multiples of 4, got \(30, 32\)"):
        build_backbone("compact", (8,), (1,))(torch.zeros(1, 3, 30, 32))


@pytest.mark.parametrize("name", ["resnet", "compact", "compact_batch"])
def test_backbones_say_how_many_channels_they_give(name: str) -> None:
    backbone = build_backbone(name, (8, 16), (1, 1)).eval()
    assert backbone(torch.zeros(2, 3, 32, 32)).shape[1] == backbone.width == 16
