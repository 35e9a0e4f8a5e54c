import pytest

from gradtruce.data.observations import OBSERVATIONS
from gradtruce.evaluation.evaluate import evaluate
from gradtruce.evaluation.families.standard import standard_families
from gradtruce.evaluation.labelers.rules import RulesLabeler
from gradtruce.evaluation.predictions import Prediction
from gradtruce.presets import preset_names
from gradtruce.training.config_file import load_config
from gradtruce.training.select import LOSSES, Selection, selected_terms, selected_value


@pytest.mark.parametrize("preset", preset_names("training"))
def test_every_preset_selects_by_a_score_that_there_is(preset: str) -> None:
    select = load_config(preset, ["data.path=x"]).training.select
    findings = dict.fromkeys(OBSERVATIONS, 0.5)
    one = Prediction("s1", "clear .", "clear .", findings, dict.fromkeys(OBSERVATIONS, 0))
    scores = evaluate([one], standard_families(RulesLabeler()), resamples=0).flat()
    for name in selected_terms(select):
        assert name in scores or name.startswith(LOSSES)


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
    for before, now in (([0.5], 0.4), ([None], None)):
        selection, resumed = Selection("nlg.bleu_4"), Selection("nlg.bleu_4")
        for value in before:
            selection.improves({"nlg.bleu_4": value})
        resumed.load_state_dict(selection.state_dict())
        assert not resumed.improves({"nlg.bleu_4": now})


def test_a_sum_weighs_its_scores():
    select = "nlg.bleu_4 + 0.5 * nlg.bleu_1"
    pairs = [(0.10, 0.40), (0.12, 0.30), (0.11, 0.40)]
    scores = [{"nlg.bleu_4": four, "nlg.bleu_1": one} for four, one in pairs]
    assert [selected_value(select, each) for each in scores] == pytest.approx([0.3, 0.27, 0.31])
    selection = Selection(select)
    assert [selection.improves(each) for each in scores] == [True, False, True]
    assert selected_value(select, {"nlg.bleu_4": 0.1, "nlg.bleu_1": None}) is None


def test_names_with_blanks_and_spacing_are_read():
    assert selected_terms("auc.Pleural Effusion") == {"auc.Pleural Effusion": 1.0}
    assert selected_terms("a.b+2*c") == {"a.b": 1.0, "c": 2.0}


@pytest.mark.parametrize("select", ["", "a +", "a * b", "0.5 * ", "a - b", "0 * a", "a + a"])
def test_what_is_no_sum_is_refused(select):
    with pytest.raises(ValueError, match="must be the name of a score, or a sum"):
        selected_terms(select)


@pytest.mark.parametrize("select", ["loss.report + a", "0.5 * loss.report"])
def test_a_loss_stands_by_itself(select):
    with pytest.raises(ValueError, match="stands by itself"):
        selected_terms(select)
