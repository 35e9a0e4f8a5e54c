import pytest

from gradtruce.evaluation.headline import PAPER, RELEASED_CODE
from gradtruce.evaluation.significance import Score
from gradtruce.evaluation.table_formats import as_latex, as_markdown, as_text
from gradtruce.evaluation.tables import class_table, tables

ABSENT = Score(None, reason="no Java was found")
OURS = {PAPER: Score(0.5, 0.25, 0.75), "nlg.bleu_1": Score(1.0, 1.0, 1.0), "nlg.meteor": ABSENT}
NORMAL = {PAPER: Score(0.125)}


def test_a_table_has_a_column_a_system_and_only_rows_that_somebody_has() -> None:
    clinical, words = tables({"ours": OURS, "all-normal": NORMAL})
    assert clinical.columns == ("ours", "all-normal")
    heading, score = clinical.rows
    assert heading.label.startswith("Mean over reports, 14")
    assert not heading.scores
    assert score.label == "F1"
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
    row = next(line for line in as_latex(tables({name: OURS})).split("\n") if " & " in line)
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


def test_the_headline_has_the_released_codes_number_beside_it() -> None:
    first = tables({"ours": {PAPER: Score(0.5), RELEASED_CODE: Score(0.6)}})[0]
    assert [row.key for row in first.rows if row.key] == [PAPER, RELEASED_CODE]
    assert ["uncertain as negative" in row.label for row in first.rows if not row.key] == [1, 0]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_columns_that_do_not_fit_stand_below(width: int) -> None:
    names = [f"system number {number}" for number in range(6)]
    text = as_text(tables(dict.fromkeys(names, OURS))[0], width)
    assert max(map(len, text.split("\n"))) <= width
    assert text.count(".500 [.250, .750]") == len(names)


def test_a_column_wider_than_the_screen_is_shown_whole() -> None:
    assert ".500 [.250, .750]" in as_text(tables({"ours": OURS})[0], 10)


def test_latex_is_balanced_and_every_row_has_as_many_cells() -> None:
    text = as_latex(tables({"ours": OURS, "all-normal": NORMAL}), ["100 % of reports"])
    bare = text.replace(r"\{", "").replace(r"\}", "")
    assert bare.count("{") == bare.count("}")
    for name in ("table", "tabular"):
        assert text.count(rf"\begin{{{name}}}") == text.count(rf"\end{{{name}}}") == 2
    rows = [line for line in text.split("\n") if line.endswith(r"\\")]
    cells = [line.count(" & ") for line in rows if "multicolumn" not in line]
    assert set(cells) == {2}
    assert r"\multicolumn{3}{l}{\emph{Mean over reports" in text
    assert text.split("\n")[1] == "% 100 % of reports"
