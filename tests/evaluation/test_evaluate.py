from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from gradtruce.data.observations import OBSERVATIONS
from gradtruce.evaluation.evaluate import evaluate
from gradtruce.evaluation.families.standard import standard_families
from gradtruce.evaluation.labelers.base import Labeler
from gradtruce.evaluation.predictions import Prediction

Make = Callable[..., list[Prediction]]
LABELS = dict.fromkeys(OBSERVATIONS, 0)


def test_every_group_and_promised_key_is_there(labeler: Labeler, make_predictions: Make) -> None:
    scores = evaluate(make_predictions(8), standard_families(labeler), resamples=10).flat()
    parts = ("precision", "recall", "f1")
    promised = {f"nlg.bleu_{n}" for n in range(1, 5)}
    promised |= {"nlg.rouge_l", "nlg.cider", "nlg.meteor"}
    for group in ("clinical", "clinical_text", "labeler"):
        averagings = ("micro", "macro", "weighted", "example")
        for policy in ("uncertain_negative", "uncertain_positive"):
            keys = [f"{averaging}_{k}" for averaging in averagings for k in (13, 14, 5)]
            keys += [f"per_class.{name}" for name in OBSERVATIONS]
            promised |= {f"{group}.{key}.{policy}.{part}" for key in keys for part in parts}
            support = {f"{group}.per_class.{name}.{policy}.support" for name in OBSERVATIONS}
            promised |= support | {f"{group}.both_empty_{k}.{policy}" for k in (13, 14, 5)}
    promised |= {f"classification.{a}_{b}" for a in ("macro", "micro") for b in ("auc", *parts)}
    promised |= {f"classification.auc.{name}" for name in OBSERVATIONS}
    assert set(scores) == promised


def test_clinical_is_against_given_labels_and_says_so(labeler: Labeler) -> None:
    truth = LABELS | {"Edema": 1}
    metrics = evaluate(
        [Prediction("s1", "fracture .", "edema .", labels=truth, label_source="phantom truth")],
        standard_families(labeler),
    )
    assert metrics["clinical.micro_13.uncertain_negative.f1"].value == 1
    assert metrics["clinical_text.micro_13.uncertain_negative.f1"].value == 0
    assert metrics["labeler.micro_13.uncertain_negative.f1"].value == 0
    assert metrics.groups["clinical"].protocol.reference_labels == "phantom truth"
    assert (
        metrics.groups["clinical"].protocol.scored_labels
        == "labeler keyword 1, on the generated text"
    )
    assert "reference text" in metrics.groups["clinical_text"].protocol.reference_labels


def test_without_labels_clinical_is_against_the_reading_of_the_reference(labeler: Labeler) -> None:
    metrics = evaluate([Prediction("s1", "edema .", "edema .")], standard_families(labeler))
    assert metrics["clinical.micro_13.uncertain_negative.f1"].value == 1
    assert metrics.groups["clinical"] == metrics.groups["clinical_text"]
    assert "no labels" in metrics.groups["labeler"].reason
    assert "no probabilities" in metrics.groups["classification"].reason


def test_a_labeler_is_not_held_against_its_own_labels(labeler: Labeler) -> None:
    prediction = Prediction("s1", "edema .", "", labels=LABELS, label_source=labeler.identity)
    assert (
        "this labeler itself"
        in evaluate([prediction], standard_families(labeler)).groups["labeler"].reason
    )


def test_findings_of_some_studies_are_not_scored(labeler: Labeler) -> None:
    some = [Prediction("s1", "a", "b"), Prediction("s2", "a", "b", findings={"Edema": 0.1})]
    group = evaluate(some, standard_families(labeler)).groups["classification"]
    assert "'s1' has no findings while 1 of 2 have" in group.reason
    assert not group.scores


def test_labels_that_are_all_missing_give_no_score(labeler: Labeler) -> None:
    prediction = Prediction("s1", "edema .", "edema .", {"Edema": 0.5}, {}, "hospital")
    metrics = evaluate([prediction], standard_families(labeler))
    assert "all labels" in metrics.groups["clinical"].reason
    assert not metrics.groups["clinical"].scores
    assert "both a label and a probability" in metrics.groups["classification"].reason


def test_a_study_without_a_known_label_counts_as_negative_where_a_source_is_named(
    labeler: Labeler,
) -> None:
    known = Prediction("s1", "edema .", "edema .", labels={"Edema": 1}, label_source="hospital")
    unknown = Prediction("s2", "clear .", "edema .", label_source="hospital")
    metrics = evaluate([known, unknown], standard_families(labeler))
    assert metrics["clinical.micro_13.uncertain_negative.precision"].value == 0.5
    assert metrics.groups["clinical"].protocol.reference_labels == "hospital"
    assert "no labels" in evaluate([unknown], standard_families(labeler)).groups["labeler"].reason


def test_every_group_carries_its_protocol(labeler: Labeler, make_predictions: Make) -> None:
    predictions = [*make_predictions(4), replace(make_predictions(1)[0], id="e", generated=" \n")]
    for group in evaluate(
        predictions, standard_families(labeler), resamples=7, seed=3
    ).groups.values():
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
    metrics = evaluate(predictions, standard_families(labeler))
    assert len(metrics.groups["classification"].protocol.without_auc) == 13
    assert metrics["classification.auc.Fracture"].reason == "no known label is positive"
    assert metrics["classification.macro_auc"] == metrics["classification.auc.Edema"]


def test_a_perfect_writer_scores_one_and_an_empty_one_zero(labeler: Labeler) -> None:
    texts = ["edema and fracture .", "pleural effusion of the left side ."]
    perfect = [Prediction(text, text, text) for text in texts]
    for name in (
        "nlg.bleu_4",
        "nlg.rouge_l",
        "clinical.micro_13.uncertain_negative.f1",
        "clinical.example_14.uncertain_negative.f1",
    ):
        assert evaluate(perfect, standard_families(labeler))[name].value == pytest.approx(
            1, abs=1e-6
        )
        empty = evaluate(
            [replace(prediction, generated="") for prediction in perfect],
            standard_families(labeler),
        )
        assert empty[name].value == pytest.approx(0, abs=1e-6)


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
        evaluate(predictions, standard_families(labeler))


def test_intervals_contain_their_values(labeler: Labeler, make_predictions: Make) -> None:
    for name, score in (
        evaluate(make_predictions(60), standard_families(labeler), resamples=300).flat().items()
    ):
        if score.low is not None:
            assert score.low <= score.high
            assert name.startswith("nlg.bleu") or score.low <= score.value <= score.high


def test_the_same_seed_gives_the_same_file(labeler: Labeler, make_predictions: Make) -> None:
    predictions = make_predictions(9)
    assert (
        evaluate(predictions, standard_families(labeler), resamples=50, seed=1).to_json()
        == evaluate(predictions, standard_families(labeler), resamples=50, seed=1).to_json()
    )


def test_order_of_the_studies_changes_no_value(labeler: Labeler, make_predictions: Make) -> None:
    predictions = make_predictions(20)
    shuffled = [predictions[i] for i in np.random.default_rng(0).permutation(20)]
    one, other = (
        {name: each.value for name, each in metrics.flat().items() if each.value is not None}
        for metrics in (
            evaluate(some, standard_families(labeler), resamples=0)
            for some in (shuffled, predictions)
        )
    )
    assert one == pytest.approx(other)


def test_every_group_says_what_reports_were_told(labeler: Labeler, make_predictions: Make) -> None:
    plain = make_predictions(3)
    told = [replace(each, told="the labels of the reference") for each in plain]
    groups = evaluate(told, standard_families(labeler), resamples=0).groups
    assert {group.protocol.told for group in groups.values()} == {"the labels of the reference"}
    plain_card = evaluate(plain, standard_families(labeler), resamples=0).groups["nlg"].protocol
    assert "told" not in plain_card.to_json()
