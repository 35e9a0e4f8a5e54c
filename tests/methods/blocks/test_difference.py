"""Difference convolution by hand, and the modules between two streams against the paper."""

import pytest
import torch
from torch import Tensor, nn

from gradtruce.methods.blocks.backbones.compact import CompactResNet, group_norm
from gradtruce.methods.blocks.difference import DifferenceAware
from gradtruce.methods.blocks.difference_convolution import DifferenceConvolution
from gradtruce.methods.blocks.feature_gate import FeatureGate
from gradtruce.methods.blocks.paired_stages import PairedStages, PriorViews
from gradtruce.methods.blocks.text_fusion import TextFusion
from tests.reference import ddatr as reference

EXACT = {"rtol": 1e-9, "atol": 1e-9}
ROUNDING = {"rtol": 1e-12, "atol": 1e-12}


def by_hand() -> DifferenceConvolution:
    """Return W = 1 … 9 in tenths (sum 4.5), m = 2, theta = 0.1: the centre 0.5 becomes 0.05."""
    convolution = DifferenceConvolution(1, 1)
    with torch.no_grad():
        convolution.weight.copy_(torch.arange(1.0, 10.0).view(1, 1, 3, 3) / 10)
        convolution.share.fill_(2.0)
        convolution.strength.fill_(0.1)
    return convolution


def test_the_kernel_worked_by_hand() -> None:
    expected = torch.tensor([[0.1, 0.2, 0.3], [0.4, 0.05, 0.6], [0.7, 0.8, 0.9]])
    torch.testing.assert_close(by_hand().kernel()[0, 0], expected)


def test_the_convolution_worked_by_hand() -> None:
    image = torch.zeros(1, 1, 3, 4)
    image[0, 0, 1, 1], image[0, 0, 1, 2] = 1.0, 2.0
    # At (1, 1): 0.05 * 1 + 0.6 * 2; at (0, 0), outside which there are zeros: 0.9 * 1.
    answer = by_hand()(image)[0, 0]
    torch.testing.assert_close(answer[1, 1].item(), 1.25)
    torch.testing.assert_close(answer[0, 0].item(), 0.9)


def test_without_strength_it_is_a_convolution() -> None:
    convolution = DifferenceConvolution(2, 3)
    nn.init.zeros_(convolution.strength)
    images = torch.randn(1, 2, 5, 4)
    plain = nn.functional.conv2d(images, convolution.weight, padding=1)
    torch.testing.assert_close(convolution(images), plain)


def test_it_starts_as_published_and_learns_share_and_strength() -> None:
    convolution = DifferenceConvolution(2, 3)
    assert bool((convolution.share == 1).all())
    assert convolution.strength.item() == 0.5
    convolution(torch.randn(1, 2, 5, 4)).square().sum().backward()
    assert all(bool(each.grad.any()) for each in convolution.parameters())
    assert not list(convolution.buffers())


def test_a_gate_worked_by_hand() -> None:
    gate = FeatureGate(2)
    with torch.no_grad():
        gate.first.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
        gate.second.weight.copy_(torch.tensor([[0.5, 0.0], [1.0, 1.0]]))
    # r = (1, -2): ReLU gives (1, 0), W2 gives (0.5, 1), so tanh(0.5) * 1 and tanh(1) * -2.
    answer = gate(torch.tensor([1.0, -2.0]).view(1, 2, 1, 1)).flatten()
    torch.testing.assert_close(answer, torch.tensor([0.4621172, -1.5231884]))


def paired(heads: int = 1, norm: str = "group") -> PairedStages:
    torch.manual_seed(1)
    backbone = CompactResNet((8, 16), (1, 1), group_norm)
    stages = PairedStages(backbone, 6, heads, norm)
    for module in stages.modules():
        if isinstance(module, FeatureGate | TextFusion):
            for each in module.parameters():
                nn.init.normal_(each, std=0.7)
    return stages.double()


def a_prior(places: list[int], has_prior: list[bool] | None = None) -> PriorViews:
    count = len(places)
    torch.manual_seed(2)
    is_word = torch.arange(4) < torch.arange(count)[:, None] + 2
    return PriorViews(
        torch.randn(count, 3, 16, 16, dtype=torch.float64),
        torch.tensor(places),
        torch.randn(count, 4, 6, dtype=torch.float64),
        is_word,
        torch.tensor(has_prior or [True] * count),
    )


def images(count: int = 3) -> Tensor:
    torch.manual_seed(3)
    return torch.randn(count, 3, 16, 16, dtype=torch.float64)


@pytest.mark.parametrize("heads", [1, 2])
def test_both_streams_equal_the_paper_written_out(heads: int) -> None:
    stages, prior, current = paired(heads), a_prior([0, 2]), images()
    weights = stages.state_dict()
    with torch.no_grad():
        maps, prior_maps = stages(current, prior)
        for row, place in enumerate(prior.places.tolist()):
            x = stages.current.embed(current[place : place + 1])
            z = stages.current.embed(prior.images[row : row + 1])
            for index in range(2):
                x, z = stages.current.stage(index, x), stages.prior.stage(index, z)
                x, z = (
                    each[None]
                    for each in reference.stage(
                        weights,
                        index,
                        x[0],
                        z[0],
                        prior.words[row],
                        prior.is_word[row].tolist(),
                        heads=heads,
                        groups=8,
                        p=1.0,
                    )
                )
            torch.testing.assert_close(maps[place], x[0], **EXACT)
            torch.testing.assert_close(prior_maps[row], z[0], **EXACT)


@pytest.mark.parametrize("norm", ["group", "batch"])
def test_without_a_prior_the_current_stream_is_the_backbone(norm: str) -> None:
    stages, current = paired(norm=norm).eval(), images()
    with torch.no_grad():
        plain = stages.current(current)
        assert torch.equal(stages(current, None)[0], plain)
        beside = stages(current, a_prior([1]))[0]
        torch.testing.assert_close(beside[[0, 2]], plain[[0, 2]], **ROUNDING)
        assert not torch.allclose(beside[1], plain[1])
        shut = stages(current, a_prior([0, 1, 2], [False, True, False]))[0]
    torch.testing.assert_close(shut[[0, 2]], plain[[0, 2]], **ROUNDING)


def test_batch_normalisation_meets_the_priors_that_are_there_and_no_others() -> None:
    stages, current = paired(norm="batch").train(), images()
    alone = paired(norm="batch").train()
    stages(current, a_prior([1]))
    alone(current[1:2], a_prior([0]))
    for index in range(2):
        for side in ("current", "prior"):
            name = f"difference.{index}.{side}.1.running_mean"
            torch.testing.assert_close(stages.state_dict()[name], alone.state_dict()[name])


def test_words_behind_the_end_change_nothing() -> None:
    fusion = TextFusion(4, 6).double()
    maps = torch.randn(2, 4, 3, 3, dtype=torch.float64)
    words = torch.randn(2, 5, 6, dtype=torch.float64)
    is_word = torch.tensor([[True, True, False, False, False]] * 2)
    short = fusion(maps, words[:, :2], is_word[:, :2])
    torch.testing.assert_close(fusion(maps, words, is_word), short, rtol=1e-12, atol=1e-12)


def test_a_report_without_words_is_finite() -> None:
    fusion = TextFusion(4, 6)
    none = torch.zeros(2, 5, dtype=torch.bool)
    answer = fusion(torch.randn(2, 4, 3, 3), torch.randn(2, 5, 6), none)
    answer.sum().backward()
    assert bool(answer.isfinite().all())
    assert all(bool(each.grad.isfinite().all()) for each in fusion.parameters())


def test_the_prior_stream_starts_as_the_current_one() -> None:
    stages = paired()
    stages.copy_to_prior()
    maps = torch.randn(2, 8, 4, 4, dtype=torch.float64)
    torch.testing.assert_close(stages.prior.stage(1, maps), stages.current.stage(1, maps))
    assert not any(name.startswith("prior.stem") for name in stages.state_dict())


def test_heads_that_do_not_divide_are_refused() -> None:
    with pytest.raises(ValueError, match="must divide 4 channels, got 3"):
        TextFusion(4, 6, heads=3)


def test_equal_streams_see_no_difference_in_the_share() -> None:
    module = DifferenceAware(8, "group").double()
    module.prior.load_state_dict(module.current.state_dict())
    maps = torch.randn(2, 8, 3, 3, dtype=torch.float64)
    seen = module.current(maps)
    halves = module.gate(module.fusion(torch.cat([seen, seen], dim=1) / 2))
    torch.testing.assert_close(module(maps, maps), halves)
