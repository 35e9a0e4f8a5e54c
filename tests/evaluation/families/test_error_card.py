"""The error report card as a group of metrics.json."""

import json
import time

import numpy as np
import pytest

from gradtruce.data.phantom.facts import sample_patients
from gradtruce.evaluation.families.error_card import ErrorCard
from gradtruce.evaluation.predictions import Prediction

PREDICTIONS = [
    Prediction("accurate", "Small left effusion.", "There is a small left pleural effusion."),
    Prediction("minor", "Small left effusion.", "Small right effusion."),
    Prediction("major", "Clear lungs.", "Pneumothorax."),
    Prediction("both", "Pneumothorax.", "Edema, unchanged."),
    Prediction("empty", "Large effusion.", ""),
]


def scores(predictions: list[Prediction], weights: np.ndarray) -> dict[str, np.ndarray]:
    statistic = ErrorCard().plan(predictions).statistic
    assert statistic is not None
    return dict(statistic(weights))


def test_shares_of_reports_worked_by_hand() -> None:
    found = {name: float(one[0]) for name, one in scores(PREDICTIONS, np.ones((1, 5))).items()}
    assert found == pytest.approx(
        {
            "accurate": 0.2,
            "minor": 0.2,
            "major_hallucination": 0.4,
            "critical_omission": 0.4,
            "major_and_critical": 0.2,
            "false_per_report": 0.4,
            "missing_per_report": 0.4,
            "wrong_side_per_report": 0.2,
            "wrong_location_per_report": 0.0,
            "wrong_severity_per_report": 0.0,
            "unfounded_comparison_per_report": 0.0,
            "omitted_comparison_per_report": 0.0,
            "certainty_difference_per_report": 0.0,
        }
    )


def test_a_weight_of_two_is_the_report_twice() -> None:
    weights = np.array([[2.0, 0.0, 1.0, 0.0, 1.0]])
    chosen = [PREDICTIONS[0], PREDICTIONS[0], PREDICTIONS[2], PREDICTIONS[4]]
    weighted, repeated = scores(PREDICTIONS, weights), scores(chosen, np.ones((1, 4)))
    for name, values in weighted.items():
        assert values == pytest.approx(repeated[name])


def test_tiers_add_up_in_every_draw() -> None:
    weights = np.random.default_rng(0).integers(1, 4, size=(20, 5)).astype(float)
    found = scores(PREDICTIONS, weights)
    serious = found["major_hallucination"] + found["critical_omission"]
    total = found["accurate"] + found["minor"] + serious - found["major_and_critical"]
    assert total == pytest.approx(np.ones(20))


def test_the_card_of_each_report_is_json() -> None:
    plan = ErrorCard().plan(PREDICTIONS)
    cards = json.loads(json.dumps(plan.per_report["card"]))
    assert [card["tiers"] for card in cards] == [
        ["accurate"],
        ["minor"],
        ["major_hallucination"],
        ["major_hallucination", "critical_omission"],
        ["critical_omission"],
    ]
    error = cards[1]["errors"][0]
    assert (error["kind"], error["generated"]["sides"]) == ("wrong_side", ["right"])


def test_counts_and_protocol_say_what_was_compared() -> None:
    plan = ErrorCard().plan(PREDICTIONS)
    assert plan.counts["reference_findings"] == 4
    assert plan.counts["generated_findings"] == 4
    assert plan.counts["matched_findings"] == 2
    assert plan.protocol.empty_generated == 1
    assert "sha256" in plan.protocol.settings["words"]


def test_no_score_where_a_reference_is_blank() -> None:
    plan = ErrorCard().plan([*PREDICTIONS, Prediction("mine", " ", "Edema.")])
    assert plan.statistic is None
    assert plan.reason == "1 of 6 predictions have no reference text, the first is 'mine'"


def test_no_prediction_has_no_score() -> None:
    assert ErrorCard().plan([]).reason == "there is no prediction to score"


def test_a_long_report_is_read() -> None:
    sentence = "small left effusion and right basilar atelectasis, "
    endless = Prediction("long", "Edema.", sentence * 2_000)
    many = Prediction("many", "Edema.", f"{sentence}. " * 20_000)
    found = scores([endless, many], np.ones((1, 2)))
    assert found["false_per_report"][0] == 2.0


def test_a_thousand_reports_take_seconds() -> None:
    reports = [s.report for p in sample_patients(400, "standard", 2) for s in p.studies]
    texts = [reports[place % len(reports)] + f" Series {place}." for place in range(1000)]
    predictions = [
        Prediction(str(place), text, texts[place - 1]) for place, text in enumerate(texts)
    ]
    start = time.process_time()
    ErrorCard().plan(predictions)
    assert time.process_time() - start < 10
