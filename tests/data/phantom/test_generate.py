"""Whole studies: how many, whose, and the same whatever the number of workers."""

import numpy as np
import pytest

from gradtruce.data.observations import OBSERVATIONS
from gradtruce.data.phantom.generate import draw_patient, generate
from gradtruce.data.study import Study


@pytest.fixture(scope="module")
def studies() -> list[Study]:
    return list(generate("standard", 16, size=64))


def same(one: Study, other: Study) -> bool:
    views = zip(one.views, other.views, strict=True)
    return (
        (one.id, one.report, one.labels) == (other.id, other.report, other.labels)
        and all(np.array_equal(a.pixels, b.pixels) for a, b in views)
        and [f.kind for f in one.findings] == [f.kind for f in other.findings]
        and all(
            np.array_equal(p.mask, q.mask)
            for a, b in zip(one.findings, other.findings, strict=True)
            for p, q in zip(a.regions, b.regions, strict=True)
        )
    )


def test_as_many_studies_come_as_were_asked_for_each_complete(studies: list[Study]):
    assert len({study.id for study in studies}) == len(studies) == 16
    for study in studies:
        assert study.is_synthetic
        assert study.label_source == "phantom truth"
        assert set(study.labels) == set(OBSERVATIONS)
        assert study.report.strip()
        assert study.views[0].position == "frontal"
        assert {view.pixels.shape for view in study.views} == {(64, 64)}


def test_every_finding_of_a_study_is_seen_in_a_view(studies: list[Study]):
    for study in studies:
        for finding in study.findings:
            assert finding.regions, (study.id, finding.kind, finding.side, finding.zone)
            assert all(region.view < len(study.views) for region in finding.regions)


def test_prior_studies_come_before_and_belong_to_the_same_patient_and_split(
    studies: list[Study],
):
    seen: dict[str, Study] = {}
    for study in studies:
        if study.prior is not None:
            before = seen[study.prior]
            assert (before.patient, before.split) == (study.patient, study.split)
        seen[study.id] = study
    assert any(study.prior for study in studies)


def test_a_study_does_not_depend_on_how_many_are_made(studies: list[Study]):
    few = list(generate("standard", 3, size=64))
    assert all(same(a, b) for a, b in zip(few, studies[:3], strict=True))


def test_another_seed_gives_other_patients():
    one, other = (next(generate("standard", 1, size=40, seed=seed)) for seed in (0, 1))
    assert not np.array_equal(one.views[0].pixels, other.views[0].pixels)


def test_a_patient_can_be_drawn_by_number(studies: list[Study]):
    alone = draw_patient(2, "standard", 64, seed=0)
    among = [study for study in studies if study.patient == alone[0].patient]
    assert all(same(a, b) for a, b in zip(alone, among, strict=True))


@pytest.mark.slow
def test_the_number_of_workers_changes_nothing():
    alone = list(generate("standard", 6, size=40))
    shared = list(generate("standard", 6, size=40, workers=2))
    assert all(same(a, b) for a, b in zip(alone, shared, strict=True))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"studies": 0}, "studies must be at least 1, got 0"),
        ({"size": 8}, "size must be at least 32, got 8"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"workers": 0}, "workers must be at least 1, got 0"),
        ({"level": "brutal"}, "no level is called 'brutal'; known: easy, standard, hard"),
    ],
)
def test_an_argument_out_of_range_is_named(arguments: dict, message: str):
    given = {"level": "standard", "studies": 1} | arguments
    with pytest.raises(ValueError, match=message):
        generate(**given)
