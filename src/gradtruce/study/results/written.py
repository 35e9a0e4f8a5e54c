"""study.json and the folder of tables of a study."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from gradtruce.evaluation.labelers.base import Labeler
from gradtruce.evaluation.labelers.cached import CachedLabeler
from gradtruce.evaluation.labelers.rules import RulesLabeler
from gradtruce.files import write_whole
from gradtruce.study.published.tables import published_study_tables
from gradtruce.study.results.alike import require_alike
from gradtruce.study.results.finished import read_results
from gradtruce.study.results.measures import measures
from gradtruce.study.results.outline import read_outline
from gradtruce.study.results.record import RECORD
from gradtruce.study.results.summary import SummaryOptions, Watch, summarise
from gradtruce.study.tables.layout import tables
from gradtruce.study.tables.model import StudyTable
from gradtruce.study.tables.text import as_csv, as_latex, as_markdown
from gradtruce.training.select import LOSSES, selected_terms

TABLES: Final = "tables"
PUBLISHED: Final = "published"


def write_tables(
    folder: Path,
    metrics: Sequence[str] = (),
    *,
    labeler: Labeler | None = None,
    options: SummaryOptions | None = None,
    watch: Watch | None = None,
) -> Path:
    """Compute the numbers of a study and write `study.json` and `tables/`; return the former.

    A study that is not finished yet is written as far as it is, and its tables say so.

    Args:
        folder: Of the study, with plan.toml and the run folders.
        metrics: Flat names of scores to show first; the first becomes the headline. By default what
            the runs select their checkpoint by, where that is one score.
        labeler: Reads the reports: the one that the runs were scored with; the rules by default.
        options: How intervals are made.
        watch: Told the progress.

    Raises:
        FileNotFoundError: If the folder is not that of a study.
        ValueError: If a run can't be read, was trained otherwise than the others, or its scores
            are not those of its predictions.
    """
    outline = read_outline(folder)
    results = read_results(folder, outline)
    require_alike(results)
    reader = labeler if labeler is not None else CachedLabeler(RulesLabeler())
    every = measures(metrics or headline(outline.selection))
    record = summarise(results, every, reader, options, watch=watch)
    place = folder / TABLES
    place.mkdir(exist_ok=True)
    for table in tables(record):
        _write(place / table.name, [table])
    _write(place / PUBLISHED, published_study_tables())
    path = folder / RECORD
    record.write(path)
    return path


def headline(selection: str) -> list[str]:
    """Return the score that runs are selected by; none where it is a sum or a loss.

    >>> headline("nlg.bleu_4"), headline("nlg.bleu_4 + nlg.bleu_1"), headline("loss.report")
    (['nlg.bleu_4'], [], [])
    """
    names = list(selected_terms(selection))
    return names if len(names) == 1 and not names[0].startswith(LOSSES) else []


def _write(stem: Path, every: Sequence[StudyTable]) -> None:
    for suffix, render in ((".md", as_markdown), (".tex", as_latex), (".csv", as_csv)):
        text = "\n".join(render(table) for table in every)
        write_whole(stem.with_name(stem.name + suffix), text)
