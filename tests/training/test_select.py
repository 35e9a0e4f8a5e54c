import pytest

from gradtruce.data.observations import OBSERVATIONS
from gradtruce.evaluation.evaluate import evaluate
from gradtruce.evaluation.families.standard import standard_families
from gradtruce.evaluation.labelers.rules import RulesLabeler
from gradtruce.evaluation.predictions import Prediction
from gradtruce.presets import preset_names
from gradtruce.training.config_file import load_config
from gradtruce.training.select import LOSSES, Selection


@pytest.mark.parametrize("preset", preset_names("training"))
def test_every_preset_selects_by_a_score_that_there_is(preset: str) -> None:
    select = load_config(preset, ["data.path=x"]).training.select
    findings = dict.fromkeys(OBSERVATIONS, 0.5)
    one = Prediction("s1", "clear .", "clear .", findings, dict.fromkeys(OBSERVATIONS, 0))
    scores = evaluate([one], standard_families(RulesLabeler()), resamples=0).flat()
    assert select in scores or select.startswith(LOSSES)


def chosen(name: str, values: list[float | None]) -> list[bool]:
    selection = Selection(name)
    return [selection.improves({name: value}) for value in values]


def test_higher_scores_are_better():
    assert chosen("nlg.bleu_4", [0.1, 0.1, 0.2, 0.15]) == [True, False, True, False]


def test_lower_losses_are_better():
    assert chosen("loss.report", [3.0, 2.0, 2.5]) == [True, True, False]


def test_a_score_that_could_not_be_computed_never_beats_one_that_could():
    assert chosen("nlg.bleu_4", [None, None, 0.1, None]) == [True, False, True, False]


def test_a_run_that_goes_on_keeps_its_best():
    assert not Selection("nlg.bleu_4", best=0.5).improves({"nlg.bleu_4": 0.4})
