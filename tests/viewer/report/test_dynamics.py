"""What a page says of the gradients."""

from pathlib import Path

import numpy as np
import pytest

from gradtruce.viewer.report.dynamics import (
    conflict_by_epoch,
    cosine_histograms,
    dynamics_rows,
    excess_over_null,
    mean_cosine,
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
    assert excess.value == pytest.approx(0.9)
    assert 0 < excess.low <= excess.high


@pytest.mark.parametrize(
    ("cosines", "words"),
    [
        ([-0.5, -0.4, -0.5, -0.6], "oppose each other:"),
        ([0.5, 0.4, 0.5, 0.6], "help each other:"),
        ([-0.5, 0.5, -0.4, 0.4], "neither oppose nor help"),
    ],
)
def test_the_sign_of_the_mean_cosine_decides_and_not_the_null(cosines, words):
    for within in (-0.5, 0.9):
        assert words in verdict(RunLog(nulls=[measured(cross, within) for cross in cosines * 3]))


def test_one_measurement_gives_no_verdict():
    assert verdict(RunLog(nulls=[measured(-0.5, 0.5)])) == ""


def test_every_row_has_a_value_a_run(comparison: Path):
    rows = {row.name: row.values for row in dynamics_rows(runs(comparison))}
    assert all(len(values) == 2 for values in rows.values())
    assert rows["Null, half batches"][0].endswith("%")
    assert "Valid steps" not in rows  # these logs do not tell


def test_a_log_without_measurements_has_no_row():
    assert excess_over_null(RunLog()).count == 0
    assert np.isnan(mean_cosine(RunLog()).value)
