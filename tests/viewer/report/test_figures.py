"""Which curves a page has."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from gradtruce.viewer.report.facts import run_facts
from gradtruce.viewer.report.figures import (
    coefficient_panels,
    conflict_panels,
    loss_panels,
    magnitude_panels,
    null_rows,
)
from gradtruce.viewer.report.records import RunLog, RunRecord, read_run


def runs(folder: Path) -> list[RunRecord]:
    return [read_run(folder / name) for name in ("linear", "came_grad")]


def test_every_task_has_its_loss_and_the_validation_marks_the_kept_checkpoint(comparison: Path):
    panels = loss_panels(runs(comparison))
    assert [panel.title for panel in panels] == [
        "Training loss: report",
        "Training loss: findings",
        "Validation score",
    ]
    series = panels[-1].series[0]
    assert series.marked == 4
    assert series.note == "best at step 100"


def test_the_conflict_names_the_share_of_negative_cosines(comparison: Path):
    (panel,) = conflict_panels(runs(comparison))
    assert all("negative in" in series.note for series in panel.series)
    assert panel.reference == 0


def test_the_null_stands_beside_the_cosine_across_tasks(comparison: Path):
    rows = null_rows(runs(comparison))
    assert [(row.label, row.is_null, row.arm) for row in rows] == [
        ("report and findings", False, 0),
        ("report and findings", False, 1),
        ("report and report", True, 0),
        ("report and report", True, 1),
        ("findings and findings", True, 0),
        ("findings and findings", True, 1),
    ]


def test_the_gain_of_linear_scalarization_is_one(comparison: Path):
    (gain,) = [p for p in magnitude_panels(runs(comparison)) if p.title == "Magnitude retained"]
    np.testing.assert_allclose(gain.series[0].y, 1.0)
    np.testing.assert_allclose(gain.series[1].y, 1.5)


def test_clipping_is_drawn_at_the_limit_of_the_configuration(comparison: Path):
    *_, clip = magnitude_panels(runs(comparison))
    assert clip.reference == 5
    assert "clipped in" in clip.series[0].note


def test_a_run_without_diagnostics_has_no_gradient_panels(comparison: Path):
    steps = [{"step": 1, "losses": {"report": 1.0}, "seconds": 0.1}]
    bare = [replace(run, log=RunLog(steps=steps)) for run in runs(comparison)]
    assert conflict_panels(bare) == []
    assert null_rows(bare) == []
    assert magnitude_panels(bare) == []
    assert coefficient_panels(bare) == []


def test_facts_show_time_clipping_and_what_was_run(comparison: Path):
    facts = {row.name: row.values for row in run_facts(runs(comparison))}
    assert facts["Optimizer of the tasks"][1] == "came_grad (radius 0.5, gain 1.5, fusion 0.2)"
    assert facts["Clipping"] == ("norm, limit 5", "norm, limit 5")
    assert facts["Steps a second"] == ("8.33", "8.33")
