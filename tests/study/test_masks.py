import numpy as np
import pytest

from gradtruce.data.observations import FINDINGS
from gradtruce.data.study import Finding, Region, Study, View
from gradtruce.study.masks import covered_shares


def test_shares_add_up_over_regions_of_a_finding():
    mask = np.zeros((10, 10), dtype=bool)
    mask[:2] = True
    film = View(np.zeros((10, 10), dtype=np.uint8), "frontal")
    regions = tuple(Region(view, (0, 0, 10, 2), mask) for view in (0, 0, 1))
    findings = (
        Finding("Pleural Effusion", "pleural effusion", regions=regions),
        Finding("No Finding", "nothing", regions=regions),
    )
    study = Study("s1", "p1", "train", (film, film), "Effusion.", findings=findings)
    shares = covered_shares(study, views=2).reshape(13, 2)
    row = FINDINGS.index("Pleural Effusion")
    assert shares[row].tolist() == pytest.approx([0.4, 0.2])
    assert shares.sum() == pytest.approx(0.6)


def test_views_that_the_method_does_not_see_are_left_out():
    mask = np.ones((4, 4), dtype=bool)
    film = View(np.zeros((4, 4), dtype=np.uint8), "frontal")
    finding = Finding("Edema", "pulmonary edema", regions=(Region(1, (0, 0, 4, 4), mask),))
    study = Study("s1", "p1", "train", (film, film), "Edema.", findings=(finding,))
    assert covered_shares(study, views=1).sum() == 0
