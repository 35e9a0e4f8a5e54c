"""Whether priors are used: whose prior is given, and what is counted."""

import numpy as np
import pytest

from benchmarks.priors import changes_told, difference, f1, givers, overlap


@pytest.mark.parametrize("seed", range(20))
def test_every_study_gets_the_prior_of_another_patient_and_every_prior_is_given_once(
    seed: int,
) -> None:
    patients = ["a", "b", "a", "c", "b", "d", "a", "e"]
    found = givers(patients, seed)
    assert sorted(found) == sorted(found.values()) == list(range(len(patients)))
    assert all(patients[study] != patients[giver] for study, giver in found.items())


def test_a_patient_with_most_of_the_studies_is_refused() -> None:
    with pytest.raises(ValueError, match="one patient has 2 of the 3 studies with a prior"):
        givers(["a", "a", "b"], 0)


def test_only_changes_against_the_prior_count() -> None:
    told = changes_told(["The effusion is new. No pneumothorax.", "Stable cardiomegaly."])
    assert told == [{("Pleural Effusion", "new")}, set()]
    counts = overlap([{("Edema", "new"), ("Edema", "increased")}], [{("Edema", "new")}])
    assert counts.tolist() == [[1, 2, 1]]
    assert f1(counts) == pytest.approx(2 / 3)


def test_studies_of_one_patient_are_drawn_together() -> None:
    good, bad = np.array([[1.0, 1.0, 1.0]] * 8), np.array([[0.0, 1.0, 1.0]] * 8)
    mixed = np.concatenate([good[:4], bad[:4]])
    alone = difference(mixed, bad, list("abcdefgh"))
    together = difference(mixed, bad, list("aaaabbbb"))
    assert alone[0] == together[0] == 0.5
    assert together[2] - together[1] > alone[2] - alone[1]
