import json

import pytest

from gradtruce.evaluation.headline import SELECTION
from gradtruce.study.comparison import compare


@pytest.fixture(scope="module")
def folder(small_study, tmp_path_factory):
    folder = tmp_path_factory.mktemp("study") / "demo"
    compare(small_study, folder)
    return folder


@pytest.fixture(scope="module")
def summary(folder):
    return json.loads(
        (folder / "summary.json").read_text(encoding="utf-8"), parse_constant=pytest.fail
    )


def test_the_summary_names_arms_baselines_and_data(summary):
    assert (summary["schema"], summary["kind"], summary["is_synthetic"]) == (1, "comparison", True)
    assert list(summary["arms"]) == ["linear", "came_grad"]
    assert set(summary["baselines"]) == {"all_normal", "most_frequent"}
    assert summary["data"]["level"] == "easy"
    assert sum(summary["data"]["splits"].values()) == 60


def test_an_arm_tells_score_time_and_clipping(summary, folder):
    arm = summary["arms"]["linear"]
    assert (folder / arm["run"] / "predictions.jsonl").is_file()
    assert set(arm["scores"][SELECTION]) >= {"value", "low", "high"}
    assert arm["seconds"] > 0
    assert arm["seconds_per_step_without_diagnostics"] > 0
    assert summary["arms"]["came_grad"]["seconds_per_step_without_diagnostics"] is None
    assert arm["best_step"] in (2, 4)
    assert 0 <= arm["clipped_share"] <= 1


def test_the_conflict_stands_beside_its_null(summary):
    cosines = summary["arms"]["came_grad"]["negative_cosines"]
    assert set(cosines) == {"same_batch", "cross_task", "within_task"}
    assert set(cosines["within_task"]) == {"report", "findings"}


def test_a_difference_is_the_second_arm_minus_the_first(summary):
    name = "nlg.bleu_1"
    first, second = (arm["scores"][name]["value"] for arm in summary["arms"].values())
    difference = summary["differences"][name]
    assert difference["value"] == pytest.approx(second - first)
    assert difference["low"] <= difference["value"] <= difference["high"]


def test_an_all_normal_writer_scores_nothing_on_the_headline(summary):
    assert summary["baselines"]["all_normal"]["scores"][SELECTION]["value"] == 0


def test_the_arms_see_the_same_data_from_the_same_start(folder):
    first_lines = [
        json.loads((folder / name / "log.jsonl").read_text(encoding="utf-8").splitlines()[0])
        for name in ("linear", "came_grad")
    ]
    assert first_lines[0]["losses"] == first_lines[1]["losses"]
    assert first_lines[0]["norms"] == first_lines[1]["norms"]


def test_the_caveats_say_what_one_pair_of_runs_shows(summary):
    text = " ".join(summary["caveats"])
    assert "One pair of runs can't rank optimizers" in text
    assert "not over training seeds" in text


def test_a_second_comparison_in_the_same_place_is_refused(small_study, folder):
    with pytest.raises(FileExistsError, match=r"summary\.json exists"):
        compare(small_study, folder)
