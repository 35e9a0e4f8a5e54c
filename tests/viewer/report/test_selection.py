"""The gallery shows a seeded mixture of studies."""

import numpy as np

from gradtruce.viewer.report.selection import Candidate, choose


def candidates(count: int) -> list[Candidate]:
    random = np.random.default_rng(0)
    names = ("Edema", "Cardiomegaly", "Fracture", "Pneumonia", "Atelectasis", "Lung Lesion")

    def states() -> dict[str, int]:
        return {name: int(random.random() < 0.3) for name in names}

    return [Candidate(f"s{place}", states(), (states(), states())) for place in range(count)]


def test_the_choice_depends_on_the_seed_alone():
    many = candidates(200)
    assert choose(many, 12, seed=1) == choose(many, 12, seed=1)
    assert choose(many, 12, seed=1) != choose(many, 12, seed=2)


def test_every_kind_of_study_comes_and_no_study_comes_twice():
    chosen = choose(candidates(300), 12)
    ids, reasons = zip(*chosen, strict=True)
    assert len(set(ids)) == 12
    assert {"rare finding", "read badly", "runs disagree", "normal study"} <= set(reasons)


def test_fewer_studies_than_asked_for_are_all_shown():
    assert sorted(name for name, _ in choose(candidates(3), 12)) == ["s0", "s1", "s2"]


def test_no_study_is_chosen_where_none_is_asked_for_or_there():
    assert choose(candidates(3), 0) == []
    assert choose([], 12) == []


def test_one_run_cannot_disagree_with_itself():
    alone = [Candidate(c.id, c.truth, c.readings[:1]) for c in candidates(100)]
    assert "runs disagree" not in {reason for _, reason in choose(alone, 50)}
