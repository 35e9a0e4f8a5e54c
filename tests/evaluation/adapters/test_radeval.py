"""Running RadEval offline, and saying what is missing. Glue alone."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gradtruce.evaluation.adapters.radeval import METRICS, NOT_RUN, RadEvalScores, require_weights
from gradtruce.evaluation.predictions import Prediction

PREDICTIONS = [Prediction("s1", "aa", "aaa"), Prediction("s2", "aaaa", "")]


def put_in_hub(cache: Path, repository: str) -> None:
    home = cache / "huggingface" / "hub" / f"models--{repository.replace('/', '--')}"
    (home / "snapshots" / "1").mkdir(parents=True)
    (home / "snapshots" / "1" / "config.json").write_text("{}")


@pytest.fixture
def ready(own_cache: Path, package: Callable[[str], None]) -> None:
    """Put RadEval and the weights of BERTScore on the machine."""
    put_in_hub(own_cache, "distilbert-base-uncased")
    package("radeval")


def test_all_that_is_missing_is_named() -> None:
    with pytest.raises(FileNotFoundError) as error:
        require_weights(["radcliq"])
    message = str(error.value)
    for part in ("distilroberta-base", "bert-base-uncased", "radgraph/0.1.18/radgraph", "chexbert"):
        assert part in message


@pytest.mark.parametrize("name", NOT_RUN)
def test_what_is_not_run_is_refused_with_the_reason(name: str) -> None:
    with pytest.raises(ValueError, match=f"'{name}' of RadEval is not run: "):
        require_weights([name])


def test_unknown_metrics_and_none_are_refused() -> None:
    with pytest.raises(ValueError, match="no metric is called 'f1'; known: bertscore"):
        require_weights(["f1"])
    with pytest.raises(ValueError, match="name one of RadEval's metrics at least"):
        require_weights([])


def test_a_missing_package_is_named_with_the_command(own_cache: Path) -> None:
    put_in_hub(own_cache, "distilbert-base-uncased")
    with pytest.raises(ImportError, match=r"radeval-env/bin/pip install radeval && export GRADTR"):
        RadEvalScores(["bertscore"])


@pytest.mark.usefixtures("ready")
def test_scores_of_reports_and_their_means_come_back() -> None:
    plan = RadEvalScores(["bertscore"]).plan(PREDICTIONS)
    assert plan.statistic is not None, plan.reason
    assert plan.per_report == {"bertscore": [1.0, -4.0]}
    assert plan.statistic(np.array([[1.0, 1.0], [2.0, 0.0]]))["bertscore"] == pytest.approx(
        [-1.5, 1.0]
    )
    assert plan.protocol.settings["radeval"] == "9.9"


@pytest.mark.usefixtures("ready")
def test_systems_are_scored_each_by_itself() -> None:
    other = [Prediction("s2", "aaaa", "aaaaa"), Prediction("s1", "aa", "a")]
    plan = RadEvalScores(["bertscore"]).plan([*PREDICTIONS, *other])
    assert plan.per_report["bertscore"] == [1.0, -4.0, 1.0, -1.0]


@pytest.mark.usefixtures("ready")
def test_a_score_that_is_no_number_gives_none_at_all() -> None:
    plan = RadEvalScores(["bertscore"]).plan([Prediction("s1", "a", "odd")])
    assert plan.statistic is None
    assert plan.reason.startswith("RadEval failed: bertscore must have a number for each of 1")


@pytest.mark.usefixtures("ready")
def test_a_failure_is_told_in_its_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradtruce.evaluation.adapters.radeval.require_weights", lambda _: None)
    plan = RadEvalScores(["radcliq"]).plan(PREDICTIONS)
    assert plan.reason == "RadEval failed: ModuleNotFoundError: No module named 'RadEval'"
    assert "lower is better" in plan.protocol.settings["radcliq"]


def test_every_metric_of_radeval_is_run_or_refused() -> None:
    assert not set(METRICS) & set(NOT_RUN)
    assert len(METRICS) + len(NOT_RUN) == 16  # of radeval 2.2.1
