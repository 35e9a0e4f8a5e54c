import torch

from gradtruce.gradients.combine import combine, zero_unless


def test_the_sum_lies_in_the_memory_of_the_first_gradient() -> None:
    gradients = [torch.ones(3), torch.ones(3)]
    out = combine(gradients, torch.tensor([2.0, 3.0], dtype=torch.float64))
    assert out is gradients[0]
    assert out.tolist() == [5, 5, 5]


def test_a_task_that_does_not_reach_the_parameter_is_left_out() -> None:
    out = combine([None, torch.ones(2), None], torch.tensor([2.0, 3.0, 4.0]))
    assert out.tolist() == [3, 3]


def test_a_parameter_that_no_task_reaches_gets_nothing() -> None:
    assert combine([None, None], torch.ones(2)) is None


def test_half_precision_is_rounded_once() -> None:
    rows = [torch.randn(1000).bfloat16() for _ in range(4)]
    a = torch.rand(4, dtype=torch.float64)
    wanted = sum(factor * row.double() for factor, row in zip(a, rows, strict=True)).bfloat16()
    assert (combine(rows, a) == wanted).float().mean() > 0.999


def test_zeros_are_written_over_nan() -> None:
    gradient = torch.tensor([torch.nan, 1.0])
    zero_unless(torch.tensor(True), [gradient])
    assert gradient[1] == 1
    zero_unless(torch.tensor(False), [gradient])
    assert gradient.tolist() == [0, 0]
