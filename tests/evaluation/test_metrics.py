import json
from collections.abc import Callable
from pathlib import Path

import pytest

from gradtruce.evaluation.evaluate import evaluate
from gradtruce.evaluation.families.standard import standard_families
from gradtruce.evaluation.labelers.base import Labeler
from gradtruce.evaluation.metrics import Metrics
from gradtruce.evaluation.predictions import Prediction


@pytest.fixture
def metrics(labeler: Labeler, make_predictions: Callable[..., list[Prediction]]) -> Metrics:
    return evaluate(make_predictions(6, optional=False), standard_families(labeler), resamples=20)


def test_metrics_survive_a_file(metrics: Metrics, tmp_path: Path) -> None:
    metrics.write(tmp_path / "metrics.json")
    assert Metrics.read(tmp_path / "metrics.json") == metrics


def test_the_file_has_the_shared_format(metrics: Metrics) -> None:
    content = json.loads(metrics.to_json())
    assert content["schema"] == 1
    assert list(content["protocols"]) == [
        "nlg",
        "clinical",
        "clinical_text",
        "labeler",
        "classification",
    ]
    assert set(content["scores"]["nlg.bleu_4"]) == {"value", "low", "high"}
    assert "clinical.example_14.uncertain_negative.f1" in content["scores"]
    assert "no labels" in content["protocols"]["labeler"]["unavailable"]


def test_a_flat_name_is_group_dot_key(metrics: Metrics) -> None:
    score = metrics.groups["clinical"].scores["per_class.Pleural Effusion.uncertain_negative.f1"]
    assert metrics.flat()["clinical.per_class.Pleural Effusion.uncertain_negative.f1"] is score
    assert metrics["clinical.per_class.Pleural Effusion.uncertain_negative.f1"] is score


def test_a_score_of_a_group_that_cannot_be_computed_says_why(metrics: Metrics) -> None:
    assert metrics["labeler.micro_13.uncertain_negative.f1"].value is None
    assert "no labels" in metrics["labeler.micro_13.uncertain_negative.f1"].reason


def test_an_unknown_name_suggests_the_nearest(metrics: Metrics) -> None:
    with pytest.raises(
        ValueError, match=r"did you mean 'clinical\.micro_13\.uncertain_negative\.f1'"
    ):
        metrics["clinical.micro_13.uncertain_negative.f"]


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"schema": 2, "protocols": {}, "scores": {}}',
        '{"schema": 1}',
        '{"schema": 1, "protocols": 3, "scores": {}}',
        '{"schema": 1, "protocols": {"nlg": {}}, "scores": {}}',
    ],
)
def test_a_file_that_is_no_metrics_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "metrics.json").write_text(text)
    with pytest.raises(ValueError, match=r"metrics\.json: "):
        Metrics.read(tmp_path / "metrics.json")


def test_an_absent_file_names_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="gradtruce evaluate"):
        Metrics.read(tmp_path / "metrics.json")
