import pytest
import torch

from gradtruce.balance import CAMEGrad, Linear
from gradtruce.gradients import StepRecord, TaskGradients
from tests.gradients.toys import WEIGHTS, TwoHeads, batch


def record_of(rows: list[list[float]], a: list[float], active: list[bool]) -> StepRecord:
    J = torch.tensor(rows, dtype=torch.float64)
    tasks = tuple("abc"[: len(J)])
    weights = torch.arange(1.0, len(J) + 1).double()
    mask = torch.tensor(active)
    return StepRecord(
        tasks=tasks,
        step=1,
        losses=torch.ones(len(J), dtype=torch.float64),
        active=mask,
        coefficients=torch.tensor(a, dtype=torch.float64),
        weights=weights,
        finite=torch.tensor(True),
        gramian=J @ J.T,
    )


ROWS = [[3.0, 0.0, 1.0], [-1.0, 2.0, 0.0], [0.5, -1.0, 0.5]]


def test_the_diagnostics_are_those_of_the_rows() -> None:
    record = record_of(ROWS, [0.5, 2.0, 1.0], [True, True, True])
    J = torch.tensor(ROWS, dtype=torch.float64)
    update, joint = J.T @ record.coefficients, J.T @ record.weights
    assert record.conflict_ratio == 2 / 3
    torch.testing.assert_close(record.gain, update.norm() / joint.norm())
    torch.testing.assert_close(record.joint_cosine, torch.cosine_similarity(update, joint, dim=0))
    torch.testing.assert_close(
        record.validity, torch.cosine_similarity(J, update.expand_as(J), dim=1).min()
    )
    torch.testing.assert_close(record.slopes, J @ update)


def test_an_inactive_task_counts_in_none_of_them() -> None:
    two = record_of([*ROWS[:2], [0.0, 0.0, 0.0]], [0.5, 2.0, 3.0], [True, True, False])
    alone = record_of(ROWS[:2], [0.5, 2.0], [True, True])
    for name in ("conflict_ratio", "gain", "joint_cosine", "validity"):
        torch.testing.assert_close(getattr(two, name), getattr(alone, name))


def test_one_task_has_no_pair() -> None:
    record = record_of(ROWS[:1], [0.5], [True])
    assert record.conflict_ratio.isnan()
    line = record.to_dict()
    assert line["conflict_ratio"] is None
    assert line["validity"] == line["joint_cosine"] == pytest.approx(1.0)
    assert line["gain"] == pytest.approx(0.5)


def test_they_stand_in_the_log() -> None:
    model = TwoHeads()
    line = TaskGradients(model, CAMEGrad(), weights=WEIGHTS).backward(model(batch())).to_dict()
    assert 0 < line["gain"] <= 1.5 + 1e-9
    assert -1 <= line["validity"] <= 1
    assert line["conflict_ratio"] in {0.0, 1.0}
    assert "total_norm" not in line
    assert "clipped" not in line
    model.zero_grad()
    plain = TaskGradients(model, Linear(), weights=WEIGHTS).backward(model(batch())).to_dict()
    assert "gain" not in plain


def test_a_record_moves_with_all_its_tensors() -> None:
    model = TwoHeads()
    record = TaskGradients(model, CAMEGrad(), weights=WEIGHTS).backward(model(batch())).to("meta")
    assert record.gramian.device.type == record.finite.device.type == "meta"
    assert all(flag.device.type == "meta" for flag in record.flags.values())
