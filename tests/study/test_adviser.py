import json

import pytest

from gradtruce.study.advice.adviser import advise, class_options, default_options, judge
from gradtruce.study.advice.pilot import Estimate, PairMeasures, estimate, measure, pilot_config
from gradtruce.training.config import RunConfig


def measured(**changed):
    values = {
        "auxiliary": "findings",
        "conflict_ratio": 0.3,
        "cosine": Estimate(0.2, 0.1, 0.3),
        "excess": Estimate(0.2, 0.1, 0.3),
        "null_ratio": 0.1,
        "norm_ratio": 2.0,
        "magnitude_kept": 1.0,
    }
    return PairMeasures(**values | changed)


@pytest.mark.parametrize(
    ("changed", "conflict"),
    [
        ({}, "geometric"),  # beyond noise, agreeing on average
        ({"cosine": Estimate(0.05, -0.01, 0.11)}, "rigid"),  # orthogonal
        ({"cosine": Estimate(-0.2, -0.3, -0.1)}, "rigid"),  # opposing
        ({"conflict_ratio": 0.498}, "rigid"),  # as often as published for PromptMRG
        ({"conflict_ratio": 0.497}, "geometric"),
        ({"excess": Estimate(0.2, -0.01, 0.41), "conflict_ratio": 0.6}, "soft"),  # noise
        ({"norm_ratio": 0.09, "cosine": Estimate(-0.2, -0.3, -0.1)}, "soft"),  # too small
    ],
)
def test_the_rule_case_by_case(changed, conflict):
    assert judge(measured(**changed)).conflict == conflict


def test_the_hardest_auxiliary_task_decides():
    soft = measured(auxiliary="contrast", norm_ratio=0.01)
    advice = advise([soft, measured()])
    assert advice.conflict == "geometric"
    assert [one.conflict for one in advice.judgements] == ["soft", "geometric"]
    assert advice.options == {"radius": 0.35, "gain": 1.5, "fusion": 0.45}
    assert not advice.is_default


def test_the_proposal_for_rigid_tasks_is_the_default_and_says_so():
    assert class_options("rigid") == default_options()
    assert advise([measured(conflict_ratio=0.9)]).is_default


def test_no_auxiliary_task_is_an_error():
    with pytest.raises(ValueError, match="needs an auxiliary task"):
        advise([])


def test_an_interval_is_a_t_interval_over_ten_stretches():
    values = [float(place) for place in range(10) for _ in range(2)]
    # means 0 … 9: standard deviation 3.02765, over √10 0.95743, times t(9) = 2.26216
    found = estimate(values)
    assert found.value == 4.5
    assert found.high - found.value == pytest.approx(2.16585, abs=1e-4)


def write_log(path, *, cross=-0.1, own=0.2, cosine=-0.5, steps=20):
    lines = []
    for step in range(1, steps + 1):
        lines.append(
            {
                "kind": "null",
                "step": step,
                "cross_task": {"report|findings": cross},
                "within_task": {"report": own, "findings": own},
            }
        )
        lines.append(
            {
                "kind": "step",
                "step": step,
                "cosines": {"report|findings": cosine},
                "norms": {"report": 3.0, "findings": 1.0},
            }
        )
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def test_the_measures_of_a_log_worked_by_hand(tmp_path):
    (pair,) = measure(write_log(tmp_path / "log.jsonl"), {"report": 1.0, "findings": 4.0})
    assert (pair.conflict_ratio, pair.null_ratio) == (1.0, 0.0)
    assert (pair.excess.value, pair.excess.low) == (1.0, 1.0)
    assert pair.cosine.value == pytest.approx(-0.1)
    assert pair.norm_ratio == pytest.approx(4 / 3)
    # λg of 3 and 4 at cosine −0.5: √(9 + 16 − 12) / √(9 + 16)
    assert pair.magnitude_kept == pytest.approx((13 / 25) ** 0.5)


def test_a_log_that_is_too_short_or_has_no_gradients_is_refused(tmp_path):
    with pytest.raises(ValueError, match="at least 20 steps"):
        measure(write_log(tmp_path / "short.jsonl", steps=19), {"report": 1.0, "findings": 1.0})
    path = tmp_path / "bare.jsonl"
    lines = [{"kind": kind, "step": step} for step in range(20) for kind in ("step", "null")]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    with pytest.raises(ValueError, match="no task gradients"):
        measure(path, {"report": 1.0, "findings": 1.0})


def test_a_pilot_keeps_the_run_but_for_balancer_schedule_and_diagnostics():
    config = RunConfig(
        data={"path": "x"},
        balance={"name": "came_grad", "scope": "all", "weights": {"findings": 2.0}},
        training={"batch_size": 4, "schedule": {"warm_up": 1000}},
    )
    pilot = pilot_config(config, 100)
    assert (pilot.balance.name, pilot.balance.scope) == ("linear", "all")
    assert pilot.balance.weights == {"findings": 2.0}
    assert (pilot.training.steps, pilot.training.null_every) == (100, 1)
    assert (pilot.training.schedule.name, pilot.training.schedule.warm_up) == ("constant", 25)
    assert pilot.training.batch_size == 4
    with pytest.raises(ValueError, match="at least 20 steps"):
        pilot_config(config, 19)
