"""Build `report.html` from the folder of a study."""

from pathlib import Path
from typing import Final

import gradtruce
from gradtruce.files import write_whole
from gradtruce.viewer.report.facts import plain_facts
from gradtruce.viewer.report.gallery import GalleryItem
from gradtruce.viewer.study.compute import compute_rows, missing_rows, total_time
from gradtruce.viewer.study.differences import (
    forests,
    grid,
    headline_metric,
    sentence,
    verdict_rows,
)
from gradtruce.viewer.study.folder import StudyFolder, read_study, title_of
from gradtruce.viewer.study.page import StudyPage, render
from gradtruce.viewer.study.published import published_rows
from gradtruce.viewer.study.samples import chosen_arms, error_cards
from gradtruce.viewer.study.samples import gallery as sample_gallery
from gradtruce.viewer.study.scores import ablation_tables, arm_tables, rank_table
from gradtruce.viewer.study.sensitivity import heat_maps
from gradtruce.viewer.study.training import conflict_rows, learning_curves

_SYNTHETIC: Final = (
    "The images of {data} are computer-made phantoms: the scores say which arm learns them better, "
    "and nothing about real patients."
)
_CAVEATS: Final = (
    "The smallest detectable difference is shaded: an arm without a visible difference may still "
    "differ by less than that.",
    "Intervals are over training seeds and test studies of these data; another data set or method "
    "may give another order.",
    "The best and the worst arm, whose reports are shown, were chosen by their test scores: their "
    "distance is larger than that of two arms chosen beforehand.",
)


def build(folder: Path, output: Path | None = None, gallery: int = 4) -> Path:
    """Write the page of a study; return where it is.

    The page is one file that needs no network; it is there whole or not at all.

    Args:
        folder: Of the study, with plan.toml, study.json and runs.
        output: The page; `report.html` in the folder where not given.
        gallery: Number of test studies shown; 0 needs neither checkpoints nor data.

    Raises:
        FileNotFoundError: If a file is missing; the message names the command that makes it.
        ValueError: If no run is finished, study.json has other scores than the runs, a file cannot
            be read, or `gallery` is below 0.

    >>> build(Path("runs/nowhere"))
    Traceback (most recent call last):
    FileNotFoundError: no runs/nowhere/study.json; `gradtruce study tables runs/nowhere` writes it
    """
    if gallery < 0:
        raise ValueError(f"the gallery must have at least 0 studies, got {gallery}")
    study = read_study(folder)
    target = output or folder / "report.html"
    write_whole(target, render(_page(study, gallery)))
    return target


def _page(study: StudyFolder, gallery: int) -> StudyPage:
    record = study.record
    first = next(cell for cell in record.cells if study.runs_of_cell(cell.name))
    arms = chosen_arms(study, first)
    labels = {arm.name: arm.label for arm in record.arms}
    note, items = _samples(study, arms, gallery)
    synthetic = [entry.label for name, entry in study.plan.data.items() if study.is_drawn(name)]
    return StudyPage(
        title=record.title,
        question=record.question,
        size=_size(study),
        is_synthetic=bool(synthetic) or any(item.is_synthetic for item in items),
        reference=labels[record.reference],
        headline=headline_metric(record),
        sentence=sentence(record),
        caveats=[*(_SYNTHETIC.format(data=label) for label in synthetic), *_CAVEATS],
        forests=forests(record),
        verdicts=verdict_rows(record),
        cells=record.cells,
        grid=grid(record),
        tables=arm_tables(record, "report"),
        auxiliary=arm_tables(record, "auxiliary"),
        ranks=rank_table(record),
        ablation=ablation_tables(record),
        published=published_rows(record),
        heat_maps=[
            (title_of(cell), heat_map)
            for cell in record.cells
            for heat_map in heat_maps(study, cell)
        ],
        conflict=[
            (title_of(cell), rows)
            for cell in record.cells
            if (rows := conflict_rows(record, cell.name))
        ],
        curves=[
            (title_of(cell), panels)
            for cell in record.cells
            if (panels := learning_curves(study, cell.name))
        ],
        selection=study.selection,
        claims=record.claims,
        runs=[labels[arm] for arm in arms],
        cards=error_cards(study, first, arms),
        items=items,
        gallery_note=note,
        missing=missing_rows(record),
        compute=compute_rows(record),
        total_time=total_time(record),
        protocols=record.protocols,
        settings=list(record.settings.items()),
        machine=plain_facts(record.machine),
        plan_text=study.plan_text,
        version=gradtruce.__version__,
    )


def _samples(study: StudyFolder, arms: list[str], count: int) -> tuple[str, list[GalleryItem]]:
    """Return what the gallery shows and from which runs, in words."""
    if not count or not arms:
        return "", []
    first = next(cell for cell in study.record.cells if study.runs_of_cell(cell.name))
    seed, items = sample_gallery(study, first, arms, count)
    chosen = "the reference, the best and the worst arm" if len(arms) > 2 else "two arms"
    return f"{title_of(first)} · seed {seed}: {chosen}.", items


def _size(study: StudyFolder) -> str:
    record = study.record
    done = sum(run.is_finished for run in record.runs)
    methods = len({cell.method for cell in record.cells})
    data = len({cell.data for cell in record.cells})
    counts = (
        (len(record.arms), "arm"),
        (methods, "method"),
        (data, "data set"),
        (len(record.seeds), "seed"),
    )
    words = " × ".join(f"{count} {name}{'' if count == 1 else 's'}" for count, name in counts)
    size = f"{words}; {done} of {len(record.runs)} planned runs finished"
    if not study.newer:
        return size
    since = "run has" if study.newer == 1 else "runs have"
    return f"{size} ({study.newer} more {since} finished since these numbers were computed)"
