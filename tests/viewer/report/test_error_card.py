"""The error card of a run."""

import pytest

from gradtruce.evaluation.significance import Score
from gradtruce.viewer.report.error_card import PARTS, card_bar, shown_card

SHARES = {
    "accurate": 0.30,
    "minor": 0.16,
    "major_hallucination": 0.30,
    "critical_omission": 0.48,
    "major_and_critical": 0.24,
}


def scores(**changed: float | None) -> dict[str, Score]:
    table = {**SHARES, **changed}
    return {f"errors.{name}": Score(value) for name, value in table.items()}


def test_the_parts_of_the_bar_add_up_to_all_reports():
    card = shown_card("run", "arm-0", scores())
    assert card is not None
    assert [part.css for part in card.parts] == [name for name, _ in PARTS]
    assert sum(part.share for part in card.parts) == pytest.approx(1.0)


def test_a_run_without_the_scores_has_no_card():
    assert shown_card("run", "arm-0", {}) is None
    assert shown_card("run", "arm-0", scores(minor=None)) is None


def test_the_bar_says_its_shares_in_words_and_is_escaped():
    card = shown_card("<b>", "arm-0", scores())
    assert card is not None
    bar = card_bar(card)
    assert "30\u00a0% accurate" in bar
    assert "<b>" not in bar


def test_errors_a_report_are_named_in_words():
    table = {**scores(), "errors.wrong_side_per_report": Score(0.1, 0.05, 0.2)}
    card = shown_card("run", "arm-0", table)
    assert card is not None
    assert list(card.errors) == ["Wrong side"]
