import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gradtruce.analysis.conflict import cosine, null_cosines, task_rows


def quadratic(weight, targets):
    return {task: ((weight - target) ** 2).sum() for task, target in targets.items()}


def test_opposite_gradients_have_cosine_minus_one():
    assert cosine([torch.ones(3)], [-2 * torch.ones(3)]) == pytest.approx(-1)


def test_a_parameter_that_one_task_does_not_reach_adds_to_its_norm_alone():
    assert cosine([torch.ones(1), torch.ones(1)], [torch.ones(1), None]) == pytest.approx(2**-0.5)


def test_a_zero_gradient_has_no_cosine():
    assert math.isnan(cosine([torch.zeros(2)], [torch.ones(2)]))


@given(st.floats(1e-15, 1e15), st.integers(0, 100))
def test_cosine_does_not_depend_on_scale(scale, seed):
    one, other = torch.randn(2, 5, generator=torch.Generator().manual_seed(seed))
    assert cosine([one * scale], [other]) == pytest.approx(cosine([one], [other]), rel=1e-5)


def test_rows_are_the_gradients_and_grad_stays_untouched():
    weight = torch.ones(2, requires_grad=True)
    rows = task_rows(quadratic(weight, {"a": 0.0, "b": 3.0}), [weight])
    assert rows["a"][0].tolist() == [2.0, 2.0]
    assert rows["b"][0].tolist() == [-4.0, -4.0]
    assert weight.grad is None


def test_a_loss_without_graph_has_no_row():
    weight = torch.ones(2, requires_grad=True)
    assert list(task_rows({"a": torch.tensor(1.0), "b": weight.sum()}, [weight])) == ["b"]


def test_null_compares_first_half_with_second():
    weight = torch.zeros(2, requires_grad=True)
    halves = [
        {"a": torch.tensor([1.0, 0.0]), "b": torch.tensor([0.0, 1.0])},
        {"a": torch.tensor([0.0, 1.0]), "b": torch.tensor([0.0, -1.0])},
    ]
    cosines = null_cosines(lambda half: quadratic(weight, halves[half]), [weight])
    assert cosines.cross_task == {"a|b": pytest.approx(0)}
    assert cosines.within_task == {"a": pytest.approx(0), "b": pytest.approx(-1)}


def test_a_task_absent_from_one_half_is_left_out():
    weight = torch.zeros(1, requires_grad=True)
    halves = [{"a": 1.0, "b": 1.0}, {"a": 1.0}]
    cosines = null_cosines(lambda half: quadratic(weight, halves[half]), [weight])
    assert cosines.cross_task == {}
    assert list(cosines.within_task) == ["a"]


def test_the_head_of_one_task_has_no_part_in_the_null():
    trunk, head = (torch.tensor([1.0], requires_grad=True) for _ in range(2))

    def losses(half):
        sign = 1.0 if half == 0 else -1.0
        return {"a": trunk.sum() + sign * head.sum(), "b": trunk.sum()}

    assert null_cosines(losses, [trunk, head]).within_task["a"] == pytest.approx(1)
