"""What is true of synthetic studies."""

from collections import Counter
from dataclasses import asdict
from functools import cache

import numpy as np
import pytest

from gradtruce.data.observations import FINDINGS, OBSERVATIONS
from gradtruce.data.phantom.disease import DIFFICULTIES, next_study
from gradtruce.data.phantom.facts import labels_of, sample_patient, sample_patients
from gradtruce.data.phantom.kinds import KINDS, SEVERITIES
from gradtruce.data.phantom.patterns import DEVICES_OF_A_NORMAL_STUDY, PATTERNS
from gradtruce.data.study import Finding

KIND = {kind.name: kind for kind in KINDS}


@cache
def patients(level="standard"):
    return tuple(sample_patients(500 if level == "standard" else 100, level, seed=1))


@cache
def studies(level="standard"):
    return tuple(study for patient in patients(level) for study in patient.studies)


def share(state, observation, level="standard"):
    states = [study.labels[observation] for study in studies(level)]
    return states.count(state) / len(states)


def test_a_patient_does_not_depend_on_how_many_are_drawn():
    few, many = list(sample_patients(3, "hard", 5)), list(sample_patients(9, "hard", 5))
    assert [asdict(one) for one in few] == [asdict(one) for one in many[:3]]
    assert asdict(sample_patient(7, "hard", 5)) == asdict(many[7])


def test_another_seed_gives_other_patients():
    reports = [next(sample_patients(1, "standard", seed)).studies[0].report for seed in range(5)]
    assert len(set(reports)) == 5


def test_a_negative_count_is_refused():
    with pytest.raises(ValueError, match="at least 0, got -1"):
        sample_patients(-1, "standard", 0)


def test_patterns_name_known_observations_and_kinds():
    known = {*FINDINGS, *KIND}
    assert all(set(pattern.chances) <= known for pattern in PATTERNS)
    assert set(DEVICES_OF_A_NORMAL_STUDY) <= set(KIND)


def test_ids_are_unique_and_splits_are_by_patient_in_fixed_shares():
    ids = [study.id for study in studies()]
    assert len(set(ids)) == len(ids)
    assert Counter(patient.split for patient in patients()) == {
        "train": 350,
        "val": 50,
        "test": 100,
    }


@pytest.mark.parametrize("level", DIFFICULTIES)
def test_attributes_are_those_that_the_kind_may_have(level):
    for finding in (one for study in studies(level) for one in study.findings):
        kind = KIND[finding.kind]
        assert finding.observation == kind.observation
        assert finding.side in (kind.sides or (None,))
        assert finding.zone in (kind.zones or (None,))
        assert finding.severity in (kind.severities or (None,))
        assert (finding.size is None) == (kind.size is None)
        assert kind.size is None or kind.size[0] <= finding.size <= kind.size[1]


def test_labels_are_complete_and_follow_from_the_findings():
    for study in studies():
        assert set(study.labels) == set(OBSERVATIONS)
        definite = {one.observation for one in study.findings if one.certainty == "definite"}
        assert {name for name in FINDINGS if study.labels[name] == 1} == definite
        assert study.labels["No Finding"] == (not definite - {"Support Devices"}) * (
            -1 not in study.labels.values()
        )


def test_a_device_alone_leaves_a_study_without_finding():
    labels = labels_of([Finding("Support Devices", "pacemaker", side="left")])
    assert labels["Support Devices"] == labels["No Finding"] == 1


def test_a_definite_finding_goes_before_a_possible_one_of_the_same_observation():
    pair = [Finding("Edema", "pulmonary edema", certainty=one) for one in ("possible", "definite")]
    assert labels_of(pair)["Edema"] == labels_of(pair[::-1])["Edema"] == 1


def test_every_observation_is_frequent_enough_to_be_learned():
    assert min(share(1, name) for name in FINDINGS) >= 0.045


def test_about_a_third_of_the_studies_are_normal():
    assert 0.28 < share(1, "No Finding") < 0.36
    assert share(1, "No Finding", "hard") > 0.4


def test_findings_of_heart_failure_go_together():
    labels = [study.labels for study in studies()]
    with_edema = [one["Cardiomegaly"] == 1 for one in labels if one["Edema"] == 1]
    assert np.mean(with_edema) > 3 * share(1, "Cardiomegaly")


def test_only_a_few_findings_are_hedged_and_none_on_easy():
    possible = [one.certainty == "possible" for study in studies() for one in study.findings]
    assert 0.01 < np.mean(possible) < 0.08
    assert all(one.certainty == "definite" for study in studies("easy") for one in study.findings)


def test_a_random_training_report_and_the_most_frequent_one_score_below_a_quarter():
    truth = {split: [] for split in ("train", "val", "test")}
    for patient in patients():
        rows = [[study.labels[name] == 1 for name in FINDINGS] for study in patient.studies]
        truth[patient.split] += rows
    test = np.array(truth["test"])
    drawn = np.array(truth["train"])[
        np.random.default_rng(0).integers(len(truth["train"]), size=len(test))
    ]
    assert 2 * (test & drawn).sum() / (test.sum() + drawn.sum()) < 0.25
    commonest = Counter(map(tuple, truth["train"])).most_common(1)[0][0]
    assert not any(commonest)  # normal, so that it scores 0


def test_a_later_study_names_its_prior_and_the_change_of_everything():
    for patient in patients():
        for before, after in zip((None, *patient.studies), patient.studies, strict=False):
            assert after.prior == (before.id if before else None)
            assert all((one.change is None) == (before is None) for one in after.findings)


def test_what_has_increased_is_larger_than_before_and_what_is_unchanged_is_the_same():
    seen = Counter()
    for patient in patients():
        for before, after in zip(patient.studies, patient.studies[1:], strict=False):
            for one in after.findings:
                same = [
                    old for old in before.findings if (old.kind, old.side) == (one.kind, one.side)
                ]
                seen[one.change] += 1
                if one.change == "new":
                    assert one.kind not in {old.kind for old in before.findings}
                else:
                    assert any(compares(old, one) for old in same)
    assert min(seen[word] for word in ("new", "increased", "decreased", "unchanged")) > 5


def compares(old, new):
    old_extent, new_extent = extent(old), extent(new)
    if new.change == "unchanged":
        return old_extent == new_extent and old.zone == new.zone
    return new_extent > old_extent if new.change == "increased" else new_extent < old_extent


def extent(finding):
    degree = SEVERITIES.index(finding.severity) if finding.severity else 0
    return finding.size or degree


def test_what_is_resolved_is_gone():
    gone = 0
    for study in studies():
        gone += len(study.resolved)
        assert not {one.observation for one in study.resolved} & {
            one.observation for one in study.findings
        }
    assert gone > 5


def test_a_fracture_does_not_resolve():
    broken = Finding("Fracture", "rib fracture", side="left", zone="upper")
    for seed in range(50):
        later = next_study([broken], np.random.default_rng(seed), "standard")
        assert later.findings[0].kind == "rib fracture"
        assert later.findings[0].change == "unchanged"


def test_a_chest_tube_drains_something():
    for study in studies():
        kinds = {one.kind for one in (*study.findings, *study.resolved)}
        if "chest tube" in {one.kind for one in study.findings}:
            assert kinds & {"pneumothorax", "pleural effusion"}


def test_opacity_and_pneumonia_of_one_disease_lie_in_one_place():
    places = [
        {
            (one.side, one.zone)
            for one in patient.studies[0].findings
            if one.kind in {"pneumonia", "hazy opacity"}
        }
        for patient in patients()
        if "pneumonia" in {one.kind for one in patient.studies[0].findings}
    ]
    assert places
    assert all(len(one) == 1 for one in places)
