from gradtruce.training.select import Selection


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
