"""How many later studies patients have: by default as ever, otherwise as asked for."""

import hashlib
from collections import Counter

import numpy as np
import pytest

from gradtruce.data.phantom.facts import sample_patients
from gradtruce.data.phantom.follow_ups import FOLLOW_UPS, checked_follow_ups, read_follow_ups
from gradtruce.data.phantom.generate import generate
from gradtruce.data.phantom.source import Phantom

MANY = (0.05, 0.15, 0.80)
BEFORE = "9f1e5a1224904086b19a931c69603753e31b01f22fa6acc65fd843a714eebb3b"
"""Of the studies below, before the shares could be chosen."""


def test_the_default_draws_what_it_drew_before_there_was_a_choice():
    patients = sample_patients(40, "standard", 0)
    lines = [f"{one.id} {one.prior} {one.report}" for who in patients for one in who.studies]
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == BEFORE


def test_a_set_of_the_default_keeps_its_identity():
    assert "follow_ups" not in Phantom().parameters
    assert Phantom(follow_ups=MANY).parameters["follow_ups"] == list(MANY)
    assert Phantom(follow_ups=MANY).fingerprint() != Phantom().fingerprint()


@pytest.mark.parametrize("shares", [FOLLOW_UPS, MANY, (1.0,), (0.0, 0.0, 0.0, 1.0)])
def test_patients_come_back_as_often_as_asked_for(shares):
    counts = Counter(len(who.studies) for who in sample_patients(400, "standard", 3, shares))
    found = [counts[1 + later] / 400 for later in range(len(shares))]
    assert sum(counts[1 + later] for later in range(len(shares))) == 400
    np.testing.assert_allclose(found, shares, atol=0.06)


def test_the_first_study_of_a_patient_does_not_depend_on_the_later_ones():
    few, many = (next(sample_patients(1, "standard", 4, shares)) for shares in ((1.0,), (0.0, 1.0)))
    assert few.studies[0].findings == many.studies[0].findings
    assert few.studies[0].report == many.studies[0].report


@pytest.mark.slow
def test_workers_draw_the_same_shares():
    alone, shared = (
        [study.id for study in generate("easy", 7, size=32, workers=n, follow_ups=MANY)]
        for n in (1, 2)
    )
    assert alone == shared


def test_shares_that_almost_add_up_are_brought_to_one():
    assert sum(checked_follow_ups([0.3333333, 0.3333333, 0.3333333])) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("wrong", [[], [0.5, 0.4], [1.2, -0.2], [float("nan"), 1.0]])
def test_what_is_no_share_is_refused(wrong):
    with pytest.raises(ValueError, match="each from 0 to 1 and together 1"):
        checked_follow_ups(wrong)
    with pytest.raises(ValueError, match="each from 0 to 1 and together 1"):
        generate("standard", 1, follow_ups=wrong)


@pytest.mark.parametrize("wrong", ["", "many", "0.5;0.5", "0.5,"])
def test_what_is_no_number_is_refused(wrong):
    with pytest.raises(ValueError, match="must be numbers with commas between them"):
        read_follow_ups(wrong)
