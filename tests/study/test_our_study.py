"""What is committed of our own studies: tables that follow from numbers, of finished studies."""

from pathlib import Path

import pytest

from gradtruce.study.plans.plan import load_plan
from gradtruce.study.results.record import RECORD, StudyRecord
from gradtruce.study.tables.layout import tables
from gradtruce.study.tables.text import as_markdown

FOLDER = Path(__file__).parents[2] / "benchmarks" / "results" / "studies"
STUDIES = sorted(path.parent for path in FOLDER.glob(f"*/{RECORD}"))


@pytest.mark.parametrize("folder", STUDIES, ids=lambda folder: folder.name)
def test_committed_tables_are_those_of_the_committed_numbers(folder: Path) -> None:
    record = StudyRecord.read(folder / RECORD)
    written = {table.name: as_markdown(table) for table in tables(record)}
    committed = {path.stem: path.read_text() for path in (folder / "tables").glob("*.md")}
    assert committed == written


@pytest.mark.parametrize("folder", STUDIES, ids=lambda folder: folder.name)
def test_every_method_of_a_committed_study_is_whole_or_not_begun(folder: Path) -> None:
    record, plan = StudyRecord.read(folder / RECORD), load_plan(folder.name)
    states = {cell.name: set() for cell in record.cells}
    for run in record.runs:
        states[run.cell].add(run.is_finished)
    assert {True} in states.values()
    assert all(len(each) == 1 for each in states.values())
    assert [arm.name for arm in record.arms] == list(plan.arms)
    assert record.seeds == plan.seeds


def test_a_study_is_committed() -> None:
    assert "optimizers" in {folder.name for folder in STUDIES}
