"""What a page says of the gradients."""

from pathlib import Path

import numpy as np
import pytest

from gradtruce.viewer.report.dynamics import (
    conflict_by_epoch,
    cosine_histograms,
    dynamics_rows,
    excess_over_null,
    verdict,
)
from gradtruce.viewer.report.records import RunLog, RunRecord, read_run


def runs(folder: Path) -> list[RunRecord]:
    return [read_run(folder / name) for name in ("linear", "came_grad")]


def measured(cross: float, within: float) -> dict[str, object]:
    return {"step": 1, "cross_task": {"a|b": cross}, "within_task": {"a": within, "b": within}}


def test_conflict_is_drawn_beside_its_null_for_every_run(comparison: Path):
    panels = conflict_by_epoch(runs(comparison))
    assert len(panels) == 2
    null, cross, whole = panels[0].series
    assert (null.css, cross.css, whole.css) == ("null", "cross", "arm-0")
    assert null.low is not None
    assert null.high is not None
    known = np.isfinite(null.y)
    assert (null.low[known] <= null.y[known] + 1e-12).all()
    assert (null.y[known] <= null.high[known] + 1e-12).all()


def test_few_epochs_are_parted_into_stretches_of_steps(comparison: Path):
    assert all("stretch of steps" in panel.title for panel in conflict_by_epoch(runs(comparison)))


def test_a_histogram_holds_all_cosines_and_both_tasks_of_the_null(comparison: Path):
    first, second = cosine_histograms(runs(comparison))
    whole, cross, null = first.series
    assert (len(whole.known), len(cross.known), len(null.known)) == (120, 4, 8)
    assert "CAME-Grad" in second.title or "came_grad" in second.title


def test_more_conflict_than_noise_is_told_from_noise():
    log = RunLog(nulls=[measured(-0.5, 0.5)] * 9 + [measured(0.5, 0.5)])
    excess = excess_over_null(log)
    assert excess is not None
    value, low, high = excess
    assert value == pytest.approx(0.9)
    assert 0 < low <= value <= high
    assert "independent ones do too" in verdict(log)


def test_as_much_conflict_as_noise_is_called_noise():
    nulls = [measured(-0.5, 0.5), measured(0.5, -0.5)] * 8
    assert "no more often" in verdict(RunLog(nulls=nulls))


def test_less_conflict_than_noise_is_said():
    assert "less often" in verdict(RunLog(nulls=[measured(0.5, -0.5)] * 5))


def test_one_measurement_gives_no_verdict():
    assert verdict(RunLog(nulls=[measured(-0.5, 0.5)])) == ""


def test_every_row_has_a_value_a_run(comparison: Path):
    rows = {row.name: row.values for row in dynamics_rows(runs(comparison))}
    assert all(len(values) == 2 for values in rows.values())
    assert rows["Null, half batches"][0].endswith("%")
    assert "Valid steps" not in rows  # these logs do not tell


def test_a_log_without_measurements_has_no_row():
    assert excess_over_null(RunLog()) is None
