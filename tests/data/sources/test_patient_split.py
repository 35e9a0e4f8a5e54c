import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradtruce.data.sources.patient_split import PatientSplit


def test_many_patients_come_in_the_stated_shares():
    split = PatientSplit((0.6, 0.15, 0.25), seed=3)
    found = [split.of(str(number)) for number in range(20_000)]
    for name, share in (("train", 0.6), ("val", 0.15), ("test", 0.25)):
        assert found.count(name) / len(found) == pytest.approx(share, abs=0.015)


@given(st.text(), st.integers(0, 9))
def test_a_patient_is_always_in_the_same_split(patient, seed):
    assert PatientSplit(seed=seed).of(patient) == PatientSplit(seed=seed).of(patient)


def test_another_seed_is_another_split():
    patients = [str(number) for number in range(50)]
    one, two = (list(map(PatientSplit(seed=seed).of, patients)) for seed in (0, 1))
    assert one != two


@pytest.mark.parametrize("shares", [(0.7, 0.3, 0.0), (0.7, 0.2, 0.2), (1.2, -0.1, -0.1)])
def test_shares_that_are_none_are_refused(shares):
    with pytest.raises(ValueError, match="shares must be three numbers above 0"):
        PatientSplit(shares)
    with pytest.raises(ValueError, match="seed must be at least 0, got -1"):
        PatientSplit(seed=-1)
