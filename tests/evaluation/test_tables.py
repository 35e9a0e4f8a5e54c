import pytest

from gradtruce.evaluation.headline import PAPER
from gradtruce.evaluation.significance import Score
from gradtruce.evaluation.tables import as_latex, as_markdown, as_text, class_table, tables

ABSENT = Score(None, reason="no Java was found")
OURS = {PAPER: Score(0.5, 0.25, 0.75), "nlg.bleu_1": Score(1.0, 1.0, 1.0), "nlg.meteor": ABSENT}
NORMAL = {PAPER: Score(0.125)}


def test_a_table_has_a_column_a_system_and_only_rows_that_somebody_has() -> None:
    clinical, words = tables({"ours": OURS, "all-normal": NORMAL})
    assert clinical.columns == ("ours", "all-normal")
    assert [row.label for row in clinical.rows] == ["F1"]
    assert [row.label for row in words.rows] == ["BLEU-1", "METEOR"]
    assert words.rows[0].scores == (OURS["nlg.bleu_1"], None)


def test_text_is_aligned_and_says_why_a_score_is_missing() -> None:
    lines = as_text(tables({"ours": OURS, "all-normal": NORMAL})[1]).split("\n")
    assert lines == [
        "Overlap of words with the reference",
        "          ours                  all-normal",
        "  BLEU-1  1.000 [1.000, 1.000]  –",
        "  METEOR  –                     –",
        "  METEOR: not available: no Java was found",
    ]


def test_markdown_has_as_many_cells_in_every_line() -> None:
    text = as_markdown(tables({"ours|theirs": OURS, "all-normal": NORMAL}))
    rows = [line for line in text.split("\n") if line.startswith("|")]
    assert {line.replace(r"\|", "").count("|") for line in rows} == {4}
    assert "METEOR: not available: no Java was found" in text


@pytest.mark.parametrize("name", ["a_b", "50 %", "x & y", r"back\slash", "{#1}", "~^$"])
def test_latex_has_no_mark_that_breaks_a_table(name: str) -> None:
    row = next(line for line in as_latex(tables({name: OURS})).split("\n") if "&" in line)
    header = row.replace(r"\&", "").strip()
    assert header.count("&") == 1
    for mark in "%$#_":
        assert header.count(mark) == header.count("\\" + mark)


def test_the_table_of_observations_names_their_support() -> None:
    stem = "clinical.per_class.Pleural Effusion.uncertain_positive"
    scores = {f"{stem}.f1": Score(0.5, 0.4, 0.6), f"{stem}.support": Score(7.0)}
    (row,) = class_table(scores, "positive").rows
    assert row.label == "Pleural Effusion (7)"
    assert row.scores == (None, None, Score(0.5, 0.4, 0.6))
