import json

import pytest

from gradtruce.evaluation.baselines import TITLES
from gradtruce.evaluation.headline import SELECTION
from gradtruce.study.difficulty import measure_difficulty, summarise_difficulty
from gradtruce.study.difficulty_table import difficulty_table
from gradtruce.training.config import BalanceConfig
from gradtruce.training.loop import train


@pytest.fixture(scope="module")
def measured(small_study, tmp_path_factory):
    parent = tmp_path_factory.mktemp("difficulty")
    config = small_study.runs()[0].config
    folders = []
    for seed in (0, 1):
        training = config.training.model_copy(update={"seed": seed})
        balance = BalanceConfig(name="linear", diagnostics=False)
        one = config.model_copy(update={"training": training, "balance": balance})
        folders.append(train(one, parent / f"seed-{seed}").folder)
    return summarise_difficulty(config, folders, [1.0, 1.0])


def test_the_measurement_covers_what_the_data_card_prints(measured):
    assert measured["seeds"] == 2
    assert len(measured[SELECTION]["values"]) == 2
    assert measured[SELECTION]["smallest_detectable_difference"] >= 0
    assert len(measured["findings_above_zero"]) == 2
    assert len(measured["f1_by_finding"]) == 13
    assert set(measured["baselines"]) == set(TITLES)
    assert measured["baselines"]["all_normal"] == 0


def test_the_truth_written_as_text_is_nearly_read_back(measured):
    assert measured["truth_written_as_text"] > 0.8


def test_the_table_has_every_number(measured):
    table = difficulty_table(measured)
    for words in (
        "micro F1",
        "macro AUC",
        "truth written as text",
        "true masks",
        "baseline: random",
    ):
        assert words in table
    assert "| Cardiomegaly |" in table


def test_the_measurement_is_strict_json(measured):
    json.dumps(measured, allow_nan=False)


def test_one_seed_is_refused(small_study, tmp_path):
    with pytest.raises(ValueError, match="two different seeds"):
        measure_difficulty(small_study.runs()[0].config, tmp_path / "x", seeds=[1, 1])


def test_a_folder_that_exists_is_refused(small_study, tmp_path):
    with pytest.raises(FileExistsError, match="remove it"):
        measure_difficulty(small_study.runs()[0].config, tmp_path)
