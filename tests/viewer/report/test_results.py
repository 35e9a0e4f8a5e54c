"""The tables of scores, and what may be concluded."""

from pathlib import Path

import pytest

from gradtruce.evaluation.significance import Score
from gradtruce.viewer.frame.score_text import difference_text, interval_text, score_text
from gradtruce.viewer.report.records import read_comparison, read_run
from gradtruce.viewer.report.results import (
    HEADLINE,
    class_rows,
    conclusion,
    score_table,
)


@pytest.mark.parametrize(
    ("score", "words"),
    [
        (Score(0.01, -0.02, 0.04), "includes 0"),
        (Score(0.03, 0.0, 0.06), "includes 0"),
        (Score(0.03, 0.01, 0.06), "lies above 0"),
        (Score(-0.03, -0.06, -0.01), "lies below 0"),
        (Score(0.03), "has no interval"),
        (Score(None, reason="no truth"), "no truth"),
    ],
)
def test_the_conclusion_says_no_more_than_the_interval(score: Score, words: str):
    assert words in conclusion("b − a", score)


def test_the_headline_comes_first_and_the_example_score_never_alone(comparison: Path):
    summary, runs = read_comparison(comparison)
    table = score_table(runs, summary)
    (_, clinical), *_ = table.sections
    keys = [row.key for row in clinical]
    assert keys[0] == HEADLINE
    assert "clinical.example_14.uncertain_negative.f1" in keys
    assert table.rows[0].difference is not None


def test_columns_beside_the_runs_are_the_baselines_and_the_labeler(comparison: Path):
    summary, runs = read_comparison(comparison)
    table = score_table(runs, summary)
    assert table.reference_names == (
        "All-normal report",
        "Most frequent report",
        "Labeler on references",
    )
    assert all(len(row.references) == 3 for row in table.rows)


def test_an_all_normal_writer_scores_nothing_in_the_headline(comparison: Path):
    summary, runs = read_comparison(comparison)
    normal = score_table(runs, summary).rows[0].references[0]
    assert normal is not None
    assert normal.value == 0


def test_a_single_run_has_no_difference(comparison: Path):
    run = read_run(comparison / "linear")
    assert all(row.difference is None for row in score_table([run], None).rows)


def test_classes_are_ordered_by_support(comparison: Path):
    rows = class_rows([read_run(comparison / "linear")])
    supports = [row.support or 0 for row in rows]
    assert supports == sorted(supports, reverse=True)
    assert len(rows) == 14


def test_numbers_are_written_as_tables_have_them():
    assert [score_text(value) for value in (0.0, 0.9999, 0.5, None)] == [
        ".000",
        "1.000",
        ".500",
        "–",
    ]
    assert [difference_text(v) for v in (0.0001, -0.0001, None)] == [".000", ".000", "–"]
    assert interval_text(Score(0.5)) == ""
    assert interval_text(Score(0.1, -0.1, 0.3), signed=True) == "[−.100, +.300]"
