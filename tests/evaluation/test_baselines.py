import numpy as np
import pytest

from gradtruce.data.observations import OBSERVATIONS
from gradtruce.evaluation.baselines import (
    TITLES,
    all_normal_report,
    baseline_predictions,
    constant_predictions,
    most_frequent,
    nearest_reports,
    require_same_form,
)
from gradtruce.evaluation.labelers.base import Labeler
from gradtruce.evaluation.predictions import Prediction
from gradtruce.evaluation.training_texts import TrainingTexts

TRAINING = TrainingTexts(
    ("edema .", "edema .", "no edema , clear lungs .", "a fracture of a rib ."), "by hand"
)
STUDIES = [
    Prediction("s1", "rib fracture on the left .", "", {"Edema": 0.5}, {"Edema": 1}, "truth"),
    Prediction("s2", "clear .", "edema ."),
]


def test_a_constant_writer_keeps_everything_but_text_and_findings() -> None:
    prediction = Prediction("s1", "a mass .", "a mass .", {"Edema": 0.3}, {"Edema": 1}, "truth")
    (constant,) = constant_predictions([prediction], "clear .")
    assert constant == Prediction("s1", "a mass .", "clear .", None, {"Edema": 1}, "truth")


def test_the_most_frequent_report_ignores_blanks_and_takes_the_first_of_equals() -> None:
    assert most_frequent(["a  b", "c", "c", "a b\n"]) == "a b"


def test_the_normal_report_is_that_of_studies_without_any_finding() -> None:
    labels = np.full((4, 14), np.nan)
    labels[0, OBSERVATIONS.index("Edema")] = 1
    labels[1, OBSERVATIONS.index("Fracture")] = -1
    labels[2:, OBSERVATIONS.index("No Finding")] = 1
    labels[3, OBSERVATIONS.index("Edema")] = 0
    assert all_normal_report(["edema", "edema", "clear", "normal"], labels) == "clear"


def test_there_must_be_a_normal_study() -> None:
    with pytest.raises(ValueError, match="every study has a finding"):
        all_normal_report(["edema"], np.ones((1, 14)))
    with pytest.raises(ValueError, match="2 reports, but labels of 1"):
        all_normal_report(["a", "b"], np.ones((1, 14)))
    with pytest.raises(ValueError, match="no report"):
        most_frequent([])


def test_the_four_baselines_copy_training_reports_and_keep_ids_references_and_labels(
    labeler: Labeler,
) -> None:
    baselines = baseline_predictions(STUDIES, TRAINING, labeler)
    assert list(baselines) == list(TITLES)
    texts = {name: [p.generated for p in written] for name, written in baselines.items()}
    assert texts["all_normal"] == ["no edema , clear lungs ."] * 2
    assert texts["most_frequent"] == ["edema ."] * 2
    assert texts["nearest_training"] == ["a fracture of a rib .", "no edema , clear lungs ."]
    assert set(texts["random_training"]) <= set(TRAINING.reports)
    for written in baselines.values():
        assert [(p.id, p.reference, p.labels, p.label_source, p.findings) for p in written] == [
            (p.id, p.reference, p.labels, p.label_source, None) for p in STUDIES
        ]


def test_random_reports_hang_on_the_seed_alone(labeler: Labeler) -> None:
    studies = [Prediction(f"s{i}", "a .", "") for i in range(50)]
    first, again, other = (
        baseline_predictions(studies, TRAINING, labeler, seed=seed)["random_training"]
        for seed in (0, 0, 1)
    )
    assert first == again != other


def test_labels_of_the_training_texts_go_before_the_labeler(labeler: Labeler) -> None:
    labels = np.zeros((4, 14))
    labels[1:] = 1
    training = TrainingTexts(TRAINING.reports, "by hand", labels)
    baselines = baseline_predictions(STUDIES, training, labeler)
    assert baselines["all_normal"][0].generated == "edema ."


def test_the_nearest_report_of_a_training_report_is_itself() -> None:
    random = np.random.default_rng(0)
    words = [f"word{n}" for n in range(60)]
    reports = [" ".join(random.choice(words, 30)) for _ in range(200)]
    assert nearest_reports(reports[::-1], reports) == reports[::-1]


def test_nearest_reports_do_not_depend_on_the_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["rib .", "edema seen .", "", "lungs ."]
    whole = nearest_reports(texts, TRAINING.reports)
    monkeypatch.setattr("gradtruce.evaluation.baselines.CELLS_AT_ONCE", 1)
    assert nearest_reports(texts, TRAINING.reports) == whole
    assert whole == ["a fracture of a rib .", "edema .", "edema .", "no edema , clear lungs ."]


def test_texts_in_two_forms_are_not_compared() -> None:
    raw = TrainingTexts(("Clear lungs.", "A mass."), "train.csv")
    with pytest.raises(ValueError, match="most training reports have capital letters"):
        require_same_form(["clear lungs ."], raw)
    with pytest.raises(ValueError, match="no training report has capital letters"):
        require_same_form(["Clear lungs."], TRAINING)
    require_same_form(["Clear lungs."], raw)
