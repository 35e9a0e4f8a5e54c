"""Tables of a study: layout, renderers, and the command's files."""

import csv
import io
import json
import re
import shutil
import subprocess

import pytest
import tomli_w

from gradtruce.study.results.record import StudyRecord
from gradtruce.study.results.summary import SummaryOptions
from gradtruce.study.results.written import write_tables
from gradtruce.study.tables.layout import tables
from gradtruce.study.tables.model import Entry, RowGroup, StudyTable, TableRow
from gradtruce.study.tables.text import as_csv, as_latex, as_markdown, entry_text
from tests.study.made_study import LABELER, make_study, plan, reports, write_run

QUICK = SummaryOptions(resamples=60)
ARMS = {"linear": 0.3, "came_grad": 0.05, "famo": 0.3}


def written(folder, **options):
    make_study(folder, **options)
    return StudyRecord.read(write_tables(folder, labeler=LABELER, options=QUICK))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tables") / "study"


@pytest.fixture(scope="module")
def study(folder):
    methods = {"r2gen": "R2Gen", "wcl": "WCL"}
    return written(folder, seeds=(0, 1, 2), arms=ARMS, methods=methods, leave_out=[("famo", 2)])


@pytest.fixture(scope="module")
def by_name(study):
    return {table.name: table for table in tables(study)}


@pytest.mark.usefixtures("study")
def test_every_table_is_written_in_three_forms(folder, by_name):
    expected = {"results", "differences", "headline", "verdicts", "auxiliary", "training", "claims"}
    assert set(by_name) == expected
    files = {path.name for path in (folder / "tables").iterdir()}
    assert files == {
        f"{name}.{suffix}" for name in expected | {"published"} for suffix in ("md", "tex", "csv")
    }


def test_the_record_is_read_back_as_it_was_written(folder, study):
    content = json.loads((folder / "study.json").read_text(), parse_constant=pytest.fail)
    assert (content["schema"], content["kind"]) == (2, "study")
    assert StudyRecord.model_validate(content) == study


def test_the_papers_columns_stand_in_the_papers_order(by_name):
    columns = by_name["results"].columns
    assert [each for each in columns if each not in ("Pooled F1", "MTR", "Seeds")] == (
        ["Prec.", "Rec.", "F1", "B-1", "B-2", "B-3", "B-4", "R-L", "CE Avg."]
    )


def test_methods_are_groups_and_arms_are_rows(by_name):
    headings = [group.heading for group in by_name["results"].groups]
    assert headings == ["R2Gen, Phantom", "WCL, Phantom"]
    labels = [row.label for row in by_name["results"].groups[0].rows if not row.is_published]
    assert labels == ["Linear", "Came_Grad", "Famo"]


def test_unfinished_arms_are_marked(by_name):
    rows = {row.label: row for row in by_name["results"].groups[0].rows}
    assert rows["Famo"].entries[-1].text == "2 of 3, unfinished"
    assert rows["Linear"].entries[-1].text == "3"


def test_every_table_says_what_it_could_have_detected_and_how_it_was_measured(by_name):
    for table in by_name.values():
        notes = " ".join(table.notes)
        assert "etectable difference" in notes or "could have been detected" in notes
        assert "reference labels from" in notes
        assert "seeds 0, 1, 2" in notes


def test_published_rows_are_marked_and_have_no_difference(by_name):
    rows = [row for row in by_name["results"].groups[1].rows if row.is_published]
    assert rows[0].label == "Linear: WCL, MIMIC-CXR, Table D.3"
    assert "(published)" in as_markdown(by_name["results"])
    for group in by_name["differences"].groups:
        assert not any(row.is_published for row in group.rows)
    assert "no difference between them" in " ".join(by_name["results"].notes)


def test_a_fewer_errors_arm_is_better_on_both_methods(study):
    lines = {each.arm: each.line for each in study.verdicts if each.metric == study.headline}
    assert lines["came_grad"] == (
        "better on 2 of 2 methods, worse on none, at 95 % (Holm over 4 comparisons)"
    )


def test_the_order_of_the_arms_changes_no_number(study, tmp_path):
    order = {name: ARMS[name] for name in ("famo", "linear", "came_grad")}
    make_study(tmp_path / "other", (0, 1, 2), arms=order, leave_out=[("famo", 2)])
    for number, (arm, wrong) in enumerate(ARMS.items()):  # the same reports as in the other study
        for seed in (0, 1, 2):
            place = tmp_path / "other/runs/r2gen/phantom" / arm / f"seed-{seed}"
            if place.exists():
                for file in place.iterdir():
                    file.unlink()
                place.rmdir()
                write_run(place, reports(wrong, 100 * number + seed))
    write_tables(tmp_path / "other", labeler=LABELER, options=QUICK)
    other = StudyRecord.read(tmp_path / "other" / "study.json")

    def numbers(record):
        return {
            (each.arm, each.metric): (each.difference, each.low, each.high, each.p)
            for each in record.comparisons
            if each.cell == "r2gen/phantom"
        }

    assert numbers(other) == numbers(study)


def test_an_empty_study_and_a_study_of_one_arm_are_written(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "plan.toml").write_text(tomli_w.dumps(plan((0, 1))))
    record = StudyRecord.read(write_tables(tmp_path / "empty", labeler=LABELER, options=QUICK))
    assert {each.outcome for each in record.comparisons} == {"untested"}
    assert "not tested" in record.verdicts[0].line
    alone = written(tmp_path / "alone", seeds=(0, 1), arms={"linear": 0.3})
    assert alone.comparisons == alone.verdicts == ()


def test_one_seed_gives_means_and_no_test(tmp_path):
    record = written(tmp_path / "one", seeds=(0,))
    assert all(each.p is None for each in record.comparisons)
    known = [score for score in record.scores if score.mean is not None]
    assert known
    assert all(score.std is None for score in known)


def test_another_metric_leads_where_asked(tmp_path):
    make_study(tmp_path / "study", (0, 1))
    path = write_tables(tmp_path / "study", ["nlg.cider"], labeler=LABELER, options=QUICK)
    assert StudyRecord.read(path).headline == "nlg.cider"


def test_a_record_of_another_kind_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="gradtruce study tables"):
        StudyRecord.read(tmp_path / "study.json")
    (tmp_path / "study.json").write_text("{}")
    with pytest.raises(ValueError, match="not written by this version"):
        StudyRecord.read(tmp_path / "study.json")


def test_the_ablation_has_ticks(tmp_path):
    arms = {"linear": 0.3, "came_grad": 0.1, "without_s3": 0.2, "noise": 0.25}
    folder = make_study(tmp_path / "study", (0, 1), arms=arms)
    tables_ = plan((0, 1), list(arms))
    tables_["arms"]["without_s3"]["balance"] = {"name": "came_grad", "options": {"fusion": 0.0}}
    tables_["arms"]["noise"]["balance"] = {"name": "sgld"}
    (folder / "plan.toml").write_text(tomli_w.dumps(tables_))
    record = StudyRecord.read(write_tables(folder, labeler=LABELER, options=QUICK))
    table = {each.name: each for each in tables(record)}["ablation"]
    marks = {row.label: [entry.text for entry in row.entries[:3]] for row in table.groups[0].rows}
    assert marks["Came_Grad"] == ["✓", "✓", "✓"]
    assert marks["Without_S3"] == ["✓", "✓", " "]
    assert marks["Noise"] == ["✓", "SGLD", "✓"]


def sample():
    rows = (
        TableRow("Linear & co", (Entry(0.5, spread=0.01), Entry(text="100 % | _x_"))),
        TableRow("FAMO", (Entry(-0.02, low=-0.03, high=0.0, is_signed=True), Entry())),
    )
    return StudyTable("sample", "Scores", "Arm", ("F1", "Word"), (RowGroup("R2Gen", rows),), ("n",))


def test_markdown_has_as_many_bars_in_every_row():
    lines = [line for line in as_markdown(sample()).splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {4}


def test_latex_escapes_and_has_as_many_columns_in_every_row():
    text = as_latex(sample())
    rows = [
        line for line in text.splitlines() if line.endswith(r"\\") and "multicolumn" not in line
    ]
    assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {2}
    assert r"Linear \& co" in text
    assert r"100 \% | \_x\_" in text
    assert "$-$0.020 [$-$0.030, 0.000]" in text
    assert text.count("{") == text.count("}")


@pytest.mark.usefixtures("study")
def test_every_latex_table_is_plain_ascii_and_balanced(folder):
    for path in (folder / "tables").glob("*.tex"):
        text = path.read_text()
        assert text.isascii(), [letter for letter in text if not letter.isascii()]
        assert text.count("{") == text.count("}")
        assert text.count(r"\begin{") == text.count(r"\end{")


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex on this machine")
@pytest.mark.usefixtures("study")
def test_every_latex_table_compiles(folder, tmp_path):
    files = sorted((folder / "tables").glob("*.tex"))
    inputs = "".join(f"\\input{{{file}}}\n\\clearpage\n" for file in files)
    (tmp_path / "all.tex").write_text(
        "\\documentclass{article}\n\\usepackage{booktabs,amssymb,graphicx}\n"
        f"\\begin{{document}}\n{inputs}\\end{{document}}\n"
    )
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]


def test_csv_has_a_number_a_field():
    rows = list(csv.reader(io.StringIO(as_csv(sample()))))
    assert rows[0] == ["group", "Arm", "published", "F1", "F1 std", "F1 low", "F1 high", "Word"]
    assert rows[1] == ["R2Gen", "Linear & co", "no", "0.5", "0.01", "", "", "100 % | _x_"]
    assert rows[2][3:] == ["-0.02", "", "-0.03", "0.0", ""]


def test_a_p_is_never_printed_as_zero():
    assert entry_text(Entry(1e-7, is_probability=True)) == "< 0.001"
    assert entry_text(Entry(-0.0001, is_signed=True)) == "0.000"


def test_a_row_of_another_width_is_refused():
    with pytest.raises(ValueError, match="1 entries for 2 columns"):
        StudyTable("t", "T", "Arm", ("a", "b"), (RowGroup("", (TableRow("x", (Entry(1.0),)),)),))
