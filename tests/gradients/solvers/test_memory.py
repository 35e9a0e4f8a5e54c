import pytest
import torch

from gradtruce.gradients.solvers.memory import (
    masked_softmax,
    per_task,
    sum_to_count,
    worth_remembering,
)


def test_an_argument_for_an_unknown_task_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"targets: no task is called 'c'; known: a, b"):
        per_task({"c": 1.0}, ("a", "b"), 0.0, "targets")


def test_a_number_that_is_not_finite_is_of_no_concern_where_its_task_is_inactive() -> None:
    active = torch.tensor([True, False])
    good, bad = torch.tensor([1.0, torch.nan]), torch.tensor([torch.nan, 1.0])
    assert torch.equal(worth_remembering(active, good), active)
    assert not worth_remembering(active, good, bad).any()


def test_with_no_active_task_there_is_no_nan() -> None:
    none = torch.tensor([False, False])
    assert torch.equal(masked_softmax(torch.ones(2), none), torch.zeros(2))
    assert torch.equal(sum_to_count(torch.ones(2), none), torch.ones(2))
