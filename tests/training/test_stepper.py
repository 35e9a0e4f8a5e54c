import pytest
import torch

from gradtruce.training.config import ClipConfig
from gradtruce.training.stepper import clip_gradients


def parameter_with(gradient):
    parameter = torch.zeros(len(gradient), requires_grad=True)
    parameter.grad = torch.tensor(gradient)
    return parameter


def test_clipping_by_norm_keeps_the_direction():
    parameter = parameter_with([3.0, 4.0])
    assert clip_gradients([parameter], ClipConfig(kind="norm", limit=1.0)) == (5.0, True)
    assert parameter.grad.tolist() == pytest.approx([0.6, 0.8], rel=1e-5)


def test_clipping_by_value_cuts_entries():
    parameter = parameter_with([3.0, 0.05])
    norm, clipped = clip_gradients([parameter], ClipConfig(kind="value", limit=0.1))
    assert clipped
    assert norm == pytest.approx(3.000417, rel=1e-5)
    assert parameter.grad.tolist() == pytest.approx([0.1, 0.05])


@pytest.mark.parametrize("kind", ["norm", "value", "none"])
def test_a_small_gradient_is_left_alone(kind):
    parameter = parameter_with([0.03, 0.04])
    norm, clipped = clip_gradients([parameter], ClipConfig(kind=kind, limit=0.1))
    assert not clipped
    assert norm == pytest.approx(0.05)
    assert parameter.grad.tolist() == pytest.approx([0.03, 0.04])


def test_without_clipping_nothing_is_cut():
    parameter = parameter_with([30.0, 40.0])
    assert clip_gradients([parameter], ClipConfig(kind="none")) == (50.0, False)
