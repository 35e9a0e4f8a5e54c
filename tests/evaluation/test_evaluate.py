from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from gradtruce.data.observations import OBSERVATIONS
from gradtruce.evaluation.evaluate import evaluate, headline_scores, paired_difference
from gradtruce.evaluation.labelers.base import Labeler
from gradtruce.evaluation.predictions import Prediction

Make = Callable[..., list[Prediction]]
LABELS = dict.fromkeys(OBSERVATIONS, 0)


def test_every_group_and_promised_key_is_there(labeler: Labeler, make_predictions: Make) -> None:
    scores = evaluate(make_predictions(8), labeler, resamples=10).flat()
    parts = ("precision", "recall", "f1")
    promised = {f"nlg.bleu_{n}" for n in range(1, 5)} | {"nlg.rouge_l"}
    for group in ("clinical", "clinical_text", "labeler"):
        averagings = ("micro", "macro", "weighted", "example")
        keys = [f"{averaging}_{k}" for averaging in averagings for k in (13, 14, 5)]
        keys += [f"uncertain_positive.{averaging}_14" for averaging in averagings]
        keys += [f"per_class.{name}" for name in OBSERVATIONS]
        promised |= {f"{group}.{key}.{part}" for key in keys for part in parts}
        promised |= {f"{group}.per_class.{name}.support" for name in OBSERVATIONS}
        promised |= {f"{group}.both_empty_{k}" for k in (13, 14, 5)}
    promised |= {f"classification.{a}_{b}" for a in ("macro", "micro") for b in ("auc", *parts)}
    promised |= {f"classification.auc.{name}" for name in OBSERVATIONS}
    assert set(scores) == promised


def test_clinical_is_against_given_labels_and_says_so(labeler: Labeler) -> None:
    truth = LABELS | {"Edema": 1}
    metrics = evaluate(
        [Prediction("s1", "fracture .", "edema .", labels=truth, label_source="phantom truth")],
        labeler,
    )
    assert metrics["clinical.micro_13.f1"].value == 1
    assert metrics["clinical_text.micro_13.f1"].value == 0
    assert metrics["labeler.micro_13.f1"].value == 0
    assert metrics.groups["clinical"].protocol.reference_labels == "phantom truth"
    assert (
        metrics.groups["clinical"].protocol.scored_labels
        == "labeler keyword 1, on the generated text"
    )
    assert "reference text" in metrics.groups["clinical_text"].protocol.reference_labels


def test_without_labels_clinical_is_against_the_reading_of_the_reference(labeler: Labeler) -> None:
    metrics = evaluate([Prediction("s1", "edema .", "edema .")], labeler)
    assert metrics["clinical.micro_13.f1"].value == 1
    assert metrics.groups["clinical"] == metrics.groups["clinical_text"]
    assert "no labels" in metrics.groups["labeler"].reason
    assert "no probabilities" in metrics.groups["classification"].reason


def test_a_labeler_is_not_held_against_its_own_labels(labeler: Labeler) -> None:
    prediction = Prediction("s1", "edema .", "", labels=LABELS, label_source=labeler.identity)
    assert "this labeler itself" in evaluate([prediction], labeler).groups["labeler"].reason


def test_labels_that_are_all_missing_are_still_labels(labeler: Labeler) -> None:
    prediction = Prediction("s1", "edema .", "edema .", {"Edema": 0.5}, {}, "hospital")
    metrics = evaluate([prediction], labeler)
    assert metrics["clinical.micro_13.f1"].value == 0
    assert "both a label and a probability" in metrics.groups["classification"].reason


def test_a_study_without_a_known_label_counts_as_negative_where_a_source_is_named(
    labeler: Labeler,
) -> None:
    known = Prediction("s1", "edema .", "edema .", labels={"Edema": 1}, label_source="hospital")
    unknown = Prediction("s2", "clear .", "edema .", label_source="hospital")
    metrics = evaluate([known, unknown], labeler)
    assert metrics["clinical.micro_13.precision"].value == 0.5
    assert metrics.groups["clinical"].protocol.reference_labels == "hospital"
    assert "no labels" in evaluate([unknown], labeler).groups["labeler"].reason


def test_every_group_carries_its_protocol(labeler: Labeler, make_predictions: Make) -> None:
    predictions = [*make_predictions(4), replace(make_predictions(1)[0], id="e", generated=" \n")]
    for group in evaluate(predictions, labeler, resamples=7, seed=3).groups.values():
        assert group.protocol.reports == 5
        assert group.protocol.empty_generated == 1
        assert "7 draws, seed 3" in group.protocol.intervals
        assert group.protocol.compares
        assert group.protocol.versions


def test_observations_without_auc_are_named(labeler: Labeler, make_predictions: Make) -> None:
    predictions = [
        replace(prediction, labels=LABELS | {"Edema": i % 2})
        for i, prediction in enumerate(make_predictions(4))
    ]
    metrics = evaluate(predictions, labeler)
    assert len(metrics.groups["classification"].protocol.without_auc) == 13
    assert metrics["classification.auc.Fracture"].reason == "no known label is positive"
    assert metrics["classification.macro_auc"] == metrics["classification.auc.Edema"]


def test_a_perfect_writer_scores_one_and_an_empty_one_zero(labeler: Labeler) -> None:
    texts = ["edema and fracture .", "pleural effusion of the left side ."]
    perfect = [Prediction(text, text, text) for text in texts]
    for name in ("nlg.bleu_4", "nlg.rouge_l", "clinical.micro_13.f1", "clinical.example_14.f1"):
        assert evaluate(perfect, labeler)[name].value == pytest.approx(1, abs=1e-6)
        empty = evaluate([replace(prediction, generated="") for prediction in perfect], labeler)
        assert empty[name].value == pytest.approx(0, abs=1e-6)


def test_headline_scores_are_the_values_of_evaluate(
    labeler: Labeler, make_predictions: Make
) -> None:
    predictions = make_predictions(9)
    full = evaluate(predictions, labeler, resamples=5).flat()
    assert headline_scores(predictions, labeler) == {
        name: score.value for name, score in full.items() if score.value is not None
    }


def test_a_paired_difference_of_a_system_with_itself_is_zero(
    labeler: Labeler, make_predictions: Make
) -> None:
    predictions = make_predictions(9)
    names = ["nlg.bleu_4", "classification.macro_auc", "clinical.micro_13.f1"]
    differences = paired_difference(predictions, predictions[::-1], labeler, names)
    assert list(differences) == names
    for score in differences.values():
        assert (score.value, score.low, score.high) == pytest.approx((0, 0, 0), abs=1e-12)


def test_a_paired_difference_is_first_minus_second(
    labeler: Labeler, make_predictions: Make
) -> None:
    first = make_predictions(30)
    second = [replace(prediction, generated="edema .") for prediction in first]
    score = paired_difference(first, second, labeler, ["clinical.micro_13.f1"])[
        "clinical.micro_13.f1"
    ]
    values = [evaluate(each, labeler)["clinical.micro_13.f1"].value for each in (first, second)]
    assert score.value == pytest.approx(values[0] - values[1])
    assert score.low < score.value < score.high


def test_a_difference_that_cannot_be_computed_says_why(
    labeler: Labeler, make_predictions: Make
) -> None:
    first = make_predictions(3)
    second = [replace(prediction, findings=None) for prediction in first]
    name = "classification.macro_auc"
    assert "no probabilities" in paired_difference(first, second, labeler, [name])[name].reason


@pytest.mark.parametrize("name", ["clinical.micro_12.f1", "clinic.micro_13.f1"])
def test_an_unknown_name_is_an_error(labeler: Labeler, make_predictions: Make, name: str) -> None:
    predictions = make_predictions(2)
    with pytest.raises(ValueError, match="called"):
        paired_difference(predictions, predictions, labeler, [name])


def test_systems_must_answer_the_same_question(labeler: Labeler, make_predictions: Make) -> None:
    first = make_predictions(3)
    with pytest.raises(ValueError, match="differ in 1 studies, 's2'"):
        paired_difference(first, first[:2], labeler, ["nlg.bleu_1"])
    other = [replace(first[0], reference="another ."), *first[1:]]
    with pytest.raises(ValueError, match="'s0' has another reference"):
        paired_difference(first, other, labeler, ["nlg.bleu_1"])


@pytest.mark.parametrize(
    ("predictions", "message"),
    [
        ([], "no prediction"),
        ([Prediction("s1", " ", "text")], "'s1' has no reference text"),
        ([Prediction("s1", "a", "b"), Prediction("s1", "a", "b")], "'s1' is predicted twice"),
        (
            [Prediction("s1", "a", "b", labels=LABELS), Prediction("s2", "a", "b")],
            "'s2' has no labels while 1 of 2 have",
        ),
        (
            [Prediction("s1", "a", "b"), Prediction("s2", "a", "b", findings={"Edema": 0.1})],
            "'s1' has no findings while 1 of 2 have",
        ),
        (
            [
                Prediction("s1", "a", "b", labels=LABELS, label_source="x"),
                Prediction("s2", "a", "b", labels=LABELS, label_source="y"),
            ],
            "several sources",
        ),
    ],
)
def test_predictions_that_cannot_be_evaluated_are_errors(
    labeler: Labeler, predictions: list[Prediction], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        evaluate(predictions, labeler)


def test_intervals_contain_their_values(labeler: Labeler, make_predictions: Make) -> None:
    for name, score in evaluate(make_predictions(60), labeler, resamples=300).flat().items():
        if score.low is not None:
            assert score.low <= score.high
            assert name.startswith("nlg.bleu") or score.low <= score.value <= score.high


def test_the_same_seed_gives_the_same_file(labeler: Labeler, make_predictions: Make) -> None:
    predictions = make_predictions(9)
    assert (
        evaluate(predictions, labeler, resamples=50, seed=1).to_json()
        == evaluate(predictions, labeler, resamples=50, seed=1).to_json()
    )


def test_order_of_the_studies_changes_no_value(labeler: Labeler, make_predictions: Make) -> None:
    predictions = make_predictions(20)
    shuffled = [predictions[i] for i in np.random.default_rng(0).permutation(20)]
    assert headline_scores(shuffled, labeler) == pytest.approx(
        headline_scores(predictions, labeler)
    )


def test_every_group_says_what_reports_were_told(labeler: Labeler, make_predictions: Make) -> None:
    plain = make_predictions(3)
    told = [replace(each, told="the labels of the reference") for each in plain]
    groups = evaluate(told, labeler, resamples=0).groups
    assert {group.protocol.told for group in groups.values()} == {"the labels of the reference"}
    plain_card = evaluate(plain, labeler, resamples=0).groups["nlg"].protocol
    assert "told" not in plain_card.to_json()
