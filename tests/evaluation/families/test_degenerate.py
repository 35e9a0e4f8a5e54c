from collections.abc import Sequence

import numpy as np
import pytest

from gradtruce.evaluation.families.degenerate import DegenerateOutput, alarms
from gradtruce.evaluation.family import Plan
from gradtruce.evaluation.predictions import Prediction
from gradtruce.evaluation.significance import bootstrap
from gradtruce.evaluation.training_texts import TrainingTexts

TRAINING = TrainingTexts(("Clear lungs.", "Clear lungs.", "A mass."), "by hand")
REFERENCES = [f"finding number {n} on the left side ." for n in range(40)]


def plan_of(generated: Sequence[str], references: Sequence[str] = REFERENCES) -> Plan:
    pairs = zip(references, generated, strict=False)
    studies = [Prediction(f"s{n}", right, text) for n, (right, text) in enumerate(pairs)]
    return DegenerateOutput(TRAINING).plan(studies)


def values_of(plan: Plan) -> dict[str, float]:
    assert plan.statistic is not None
    values = plan.statistic(np.ones((1, plan.protocol.reports)))
    return {key: float(array[0]) for key, array in values.items()} | dict(plan.counts)


def test_each_share_counts_what_it_says() -> None:
    generated = ["clear lungs .", "clear  lungs .", "", "a mass .", "a large mass ."]
    references = ["a mass .", "clear lungs .", "clear lungs .", "a nodule .", ""]
    values = values_of(plan_of(generated, references))
    assert values == pytest.approx(
        {
            "length_ratio": 13 / 12,
            "empty_share": 0.2,
            "most_frequent_training_share": 0.4,
            "copied_share": 0.6,
            "unique_share": 0.8,
            "reference_unique_share": 0.8,
            "reference_empty_share": 0.2,
            "reference_most_frequent_training_share": 0.4,
            "reference_copied_share": 0.6,
        }
    )


def test_weights_count_reports_as_often_as_they_say() -> None:
    plan = plan_of(["clear lungs .", "", "a b c d"], ["a b", "a b c", "a"])
    assert plan.statistic is not None
    weighed = plan.statistic(np.array([[2.0, 0.0, 1.0], [0.0, 3.0, 0.0]]))
    np.testing.assert_allclose(weighed["length_ratio"], [10 / 5, 0])
    np.testing.assert_allclose(weighed["empty_share"], [0, 1])
    np.testing.assert_allclose(weighed["copied_share"], [2 / 3, 0])


def test_without_training_reports_two_shares_have_a_reason() -> None:
    plan = DegenerateOutput().plan([Prediction("s1", "a mass .", "clear .")])
    assert plan.statistic is not None
    scores = bootstrap(plan.statistic, 1, resamples=5, undefined=plan.undefined)
    assert scores["copied_share"].reason == "no training reports were given"
    assert scores["most_frequent_training_share"].value is None
    assert scores["length_ratio"].value == pytest.approx(2 / 3)
    assert "reference_copied_share" not in plan.counts


def test_without_reference_tokens_the_length_ratio_has_a_reason() -> None:
    plan = plan_of(["clear ."], [""])
    assert plan.statistic is not None
    score = bootstrap(plan.statistic, 1, resamples=5, undefined=plan.undefined)["length_ratio"]
    assert (score.value, score.reason) == (None, "the references have no token")
    assert not alarms(plan)


def test_each_report_has_its_marks() -> None:
    marks = plan_of(["clear lungs .", ""], ["a", "b"]).per_report
    assert marks == {
        "tokens": [3, 0],
        "empty_share": [False, True],
        "most_frequent_training_share": [True, False],
        "copied_share": [True, False],
    }


@pytest.mark.parametrize(
    ("generated", "expected"),
    [
        (REFERENCES, []),
        (
            ["Clear lungs."] * 30 + REFERENCES[30:],
            ["0.44 times", "75.0 % of the generated reports are the most"],
        ),
        (["the same text for all the studies"] * 40, ["differ from each other"]),
        ([*REFERENCES[:38], "", ""], ["are empty"]),
        ([text + " " + text for text in REFERENCES], ["2.00 times the tokens"]),
        ([f"number {n} ." for n in range(40)], ["0.38 times the tokens"]),
        (
            ["a mass ."] * 40,
            ["differ from", "0.38 times", "stand word for word among the training reports"],
        ),
    ],
)
def test_alarms_say_what_is_suspicious(generated: list[str], expected: list[str]) -> None:
    found = alarms(plan_of(generated))
    assert len(found) == len(expected), found
    for part, sentence in zip(expected, found, strict=True):
        assert part in sentence


def test_no_alarm_where_the_references_are_the_same() -> None:
    same = ["clear lungs ."] * 40
    assert not alarms(plan_of(same, same))


def test_no_alarm_on_a_handful_of_reports() -> None:
    assert not alarms(plan_of([""] * 5))


def test_no_report_is_no_crash() -> None:
    plan = DegenerateOutput(TRAINING).plan([])
    assert plan.counts["unique_share"] == 0
    assert not alarms(plan)
