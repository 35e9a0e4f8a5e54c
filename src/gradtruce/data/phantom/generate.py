"""Whole synthetic studies: what is true, how it looks, and the report."""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import count
from multiprocessing import get_context

import numpy as np

from gradtruce.data.phantom.anatomy import Anatomy, Pose
from gradtruce.data.phantom.facts import PatientFacts, sample_patient
from gradtruce.data.phantom.follow_ups import FOLLOW_UPS, FollowUps, checked_follow_ups
from gradtruce.data.phantom.level import LEVELS, LevelName
from gradtruce.data.phantom.render import render_study
from gradtruce.data.study import Study

LABEL_SOURCE = "phantom truth"
_SMALLEST = 32
_BATCH = 16


def generate(
    level: str,
    studies: int,
    *,
    size: int = 128,
    seed: int = 0,
    workers: int = 1,
    follow_ups: Sequence[float] = FOLLOW_UPS,
) -> Iterator[Study]:
    """Yield `studies` synthetic studies, patient by patient, oldest study first.

    A study depends on `level`, `size`, `seed`, `follow_ups` and its patient's number alone, so the
    number of workers changes nothing; each worker is a process.

    Args:
        level: How hard the set is: "easy", "standard" or "hard".
        studies: How many, at least 1; the last patient's later studies may be left out.
        size: Pixels a side, at least 32.
        seed: At least 0; another seed gives other patients.
        workers: Processes that draw, at least 1.
        follow_ups: Shares of the patients that have no, one, two … studies after their first;
            together 1.

    Raises:
        ValueError: If an argument is out of its range.

    >>> study = next(generate("standard", 1, size=64))
    >>> study.id, study.split, study.views[0].pixels.shape, study.is_synthetic
    ('p00000-1', 'train', (64, 64), True)
    """
    name_of_level = next((name for name in LEVELS if name == level), None)
    if name_of_level is None:
        raise ValueError(f"no level is called {level!r}; known: {', '.join(LEVELS)}")
    bounds = {"studies": (studies, 1), "size": (size, _SMALLEST), "seed": (seed, 0)}
    for name, (value, least) in (bounds | {"workers": (workers, 1)}).items():
        if value < least:
            raise ValueError(f"{name} must be at least {least}, got {value}")
    shares = checked_follow_ups(follow_ups)
    return _generate(name_of_level, studies, size, seed, shares, workers)


def draw_patient(
    number: int, level: LevelName, size: int, seed: int, follow_ups: FollowUps = FOLLOW_UPS
) -> tuple[Study, ...]:
    """Return all studies of one patient: one anatomy, a new pose for each.

    >>> [study.is_synthetic for study in draw_patient(3, "easy", 48, seed=0)]
    [True...]
    """
    facts = sample_patient(number, level, seed, follow_ups)
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number, 2)))
    anatomy = Anatomy.draw(rng)
    return tuple(
        _draw_study(facts, place, anatomy, level, size, rng) for place in range(len(facts.studies))
    )


def _draw_study(
    patient: PatientFacts,
    place: int,
    anatomy: Anatomy,
    level: LevelName,
    size: int,
    rng: np.random.Generator,
) -> Study:
    facts, chosen = patient.studies[place], LEVELS[level]
    pose = Pose.draw(rng, chosen)
    views, findings = render_study(
        anatomy, pose, facts.findings, chosen, size, rng, has_lateral=facts.has_lateral
    )
    return Study(
        id=facts.id,
        patient=patient.patient,
        split=patient.split,
        views=views,
        report=facts.report,
        sections=facts.sections,
        labels=facts.labels,
        label_source=LABEL_SOURCE,
        findings=findings,
        prior=facts.prior,
        is_synthetic=True,
    )


def _generate(
    level: LevelName, studies: int, size: int, seed: int, follow_ups: FollowUps, workers: int
) -> Iterator[Study]:
    draw = partial(draw_patient, level=level, size=size, seed=seed, follow_ups=follow_ups)
    if workers == 1:
        yield from _first(map(draw, count()), studies)
        return
    patients = _patients_for(studies, level, seed, follow_ups)
    with get_context("spawn").Pool(workers) as pool:
        yield from _first(pool.imap(draw, range(patients), chunksize=_BATCH), studies)


def _first(patients: Iterator[tuple[Study, ...]], studies: int) -> Iterator[Study]:
    left = studies
    for drawn in patients:
        yield from drawn[:left]
        left -= len(drawn)
        if left <= 0:
            return


def _patients_for(studies: int, level: LevelName, seed: int, follow_ups: FollowUps) -> int:
    """Return how many patients have `studies` studies together."""
    total = 0
    for number in count():
        total += len(sample_patient(number, level, seed, follow_ups).studies)
        if total >= studies:
            return number + 1
    raise AssertionError
