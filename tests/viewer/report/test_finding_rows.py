"""The table of findings of one study in the gallery."""

import numpy as np
import torch

from gradtruce.data.study import View
from gradtruce.evaluation.predictions import Prediction
from gradtruce.viewer.report.finding_rows import FindingRow, finding_rows
from gradtruce.viewer.report.sentence_attention import Look

VIEWS = (View(np.zeros((8, 8), dtype=np.uint8), "frontal"),)


def row_of(probability: float | None, *, truth: int = 0, has_map: bool = True) -> FindingRow:
    """Return the row of edema in a study of one run."""
    findings = None if probability is None else {"Edema": probability}
    seen = {"Edema": Look("Edema", torch.tensor([[[0.0, 1.0]]]))} if has_map else {}
    prediction = Prediction("a", "", "", findings=findings)
    rows = finding_rows({"Edema": truth}, [{}], [prediction], [seen], VIEWS)
    return next(row for row in rows if row.observation == "Edema")


def test_the_place_of_a_likely_finding_is_shown_in_every_view():
    row = row_of(0.5)
    assert row.is_relevant
    assert len(row.cells[0].heats) == len(VIEWS)


def test_the_place_of_an_unlikely_finding_is_not_shown():
    row = row_of(0.49)
    assert not row.is_relevant
    assert row.cells[0].heats == ()


def test_a_method_without_maps_shows_the_probability_alone():
    cell = row_of(0.9, has_map=False).cells[0]
    assert (cell.probability, cell.heats) == (0.9, ())


def test_a_method_without_a_head_has_neither():
    cell = row_of(None, truth=1, has_map=False).cells[0]
    assert (cell.verdict, cell.probability, cell.heats) == ("missed", None, ())
