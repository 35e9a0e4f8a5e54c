"""Class activation maps and the visual discriminative map, with values worked by hand."""

import torch

from gradtruce.methods.blocks.cam import class_activation, discriminative_map, min_max


def counted(*shape: int) -> torch.Tensor:
    return torch.arange(torch.Size(shape).numel(), dtype=torch.float64).reshape(shape)


def test_the_discriminative_map_of_the_specification() -> None:
    scores = torch.tensor([[1.0, -1.0, 2.0], [-1.0, -1.0, -1.0]], dtype=torch.float64)
    cam, present = counted(2, 3, 5).cos().relu(), torch.ones(2, 5, dtype=torch.bool)
    expected = torch.tensor([[1, 0.46749, 0.81912, 0.89279, 0], [0] * 5], dtype=torch.float64)
    found = discriminative_map(cam, scores, present)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_a_map_over_the_mean_averages_to_the_score() -> None:
    features, weight = torch.rand(2, 6, 4).double(), torch.rand(3, 4).double()
    cam = class_activation(features, weight)
    torch.testing.assert_close(cam.mean(2), features.mean(1) @ weight.T)


def test_a_map_over_mean_and_maximum_is_the_score_of_a_study_alike_everywhere() -> None:
    features, weight = torch.rand(2, 6, 4).double(), torch.rand(3, 8).double()
    cam = class_activation(features, weight)
    place = torch.cat([features[1, 5], features[1, 5]])
    torch.testing.assert_close(cam[1, :, 5], weight @ place)


def test_what_speaks_against_a_finding_is_no_activation() -> None:
    assert not class_activation(torch.ones(1, 2, 3), -torch.ones(2, 3)).any()


def test_no_gradient_passes_through_a_map() -> None:
    features = torch.rand(1, 4, 3, requires_grad=True)
    weight = torch.rand(2, 3, requires_grad=True)
    cam = class_activation(features, weight)
    scores, present = torch.ones(1, 2, requires_grad=True), torch.ones(1, 4, dtype=torch.bool)
    assert not cam.requires_grad
    assert not discriminative_map(cam, scores, present).requires_grad


def test_a_probability_of_one_half_is_believed() -> None:
    cam, present = torch.tensor([[[1.0, 2.0]]]), torch.ones(1, 2, dtype=torch.bool)
    assert discriminative_map(cam, torch.zeros(1, 1), present).tolist() == [[0.0, 1.0]]


def test_absent_places_neither_count_nor_shine() -> None:
    present = torch.tensor([[True, True, False]])
    for content in (-torch.inf, 99.0, torch.nan):
        assert min_max(torch.tensor([[1.0, 3.0, content]]), present).tolist() == [[0.0, 1.0, 0.0]]


def test_an_even_row_scales_to_zero_with_a_finite_gradient() -> None:
    values = torch.ones(1, 3, requires_grad=True)
    scaled = min_max(values, torch.ones(1, 3, dtype=torch.bool))
    scaled.sum().backward()
    assert not scaled.any()
    assert values.grad is not None
    assert values.grad.isfinite().all()
