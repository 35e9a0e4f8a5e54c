"""Build `report.html` from a comparison folder or a run folder."""

import os
from collections.abc import Sequence
from pathlib import Path

import gradtruce
from gradtruce.data.prepared import PreparedDataset
from gradtruce.evaluation.labelers.cached import CachedLabeler
from gradtruce.evaluation.labelers.rules import RulesLabeler
from gradtruce.evaluation.metrics import Metrics
from gradtruce.evaluation.significance import Score
from gradtruce.files import write_whole
from gradtruce.viewer.report.dynamics import (
    conflict_by_epoch,
    cosine_histograms,
    dynamics_rows,
    verdict,
)
from gradtruce.viewer.report.error_card import shown_card
from gradtruce.viewer.report.facts import plain_facts, run_facts
from gradtruce.viewer.report.figures import (
    coefficient_panels,
    conflict_panels,
    loss_panels,
    magnitude_panels,
    null_rows,
)
from gradtruce.viewer.report.gallery import GalleryItem, build_gallery
from gradtruce.viewer.report.page import ConfigText, Facts, ForestRow, Page, render
from gradtruce.viewer.report.records import Comparison, RunRecord, read_comparison, read_run
from gradtruce.viewer.report.results import HEADLINE, class_rows, conclusion, score_table

GROUPS = {
    "clinical": "Clinical: generated report against the truth",
    "clinical_text": "Clinical: generated report against the reference report",
    "labeler": "Labeler: its reading of the reference against the truth",
    "nlg": "Text overlap",
    "classification": "Findings head",
    "errors": "Error report card",
    "degenerate": "Signs of degenerate output",
}

READ_REFERENCES = "the labeler's reading of the reference reports"


def build(folder: Path, output: Path | None = None, gallery: int = 12) -> Path:
    """Write the report page of a comparison or of one run; return where it is.

    The page is one file that needs no network; it is there whole or not at all.

    Args:
        folder: A folder with `summary.json` (as `gradtruce demo` writes it), or a run folder.
        output: The page; `report.html` in the folder where not given.
        gallery: Number of test studies shown; 0 needs neither checkpoints nor data.

    Raises:
        FileNotFoundError: If a file is missing; the message names the command that makes it.
        ValueError: If a file cannot be read, or `gallery` is below 0.
        TypeError: If a field of the summary is of the wrong kind.

    >>> build(Path("runs/nowhere"))
    Traceback (most recent call last):
    FileNotFoundError: runs/nowhere is no folder; ... makes one to report on
    """
    if gallery < 0:
        raise ValueError(f"the gallery must have at least 0 studies, got {gallery}")
    comparison, runs = _read(folder)
    dataset = _dataset(folder, runs[0]) if gallery else None
    items: list[GalleryItem] = []
    if dataset is not None:
        items = build_gallery(runs, dataset, CachedLabeler(RulesLabeler()), gallery)
    target = output or folder / "report.html"
    page = _page(runs, comparison, dataset, items, target)
    write_whole(target, render("page.html.j2", page=page))
    return target


def _read(folder: Path) -> tuple[Comparison | None, tuple[RunRecord, ...]]:
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder} is no folder; `gradtruce train` or `gradtruce demo` makes one to report on"
        )
    if (folder / "summary.json").is_file():
        return read_comparison(folder)
    if (folder / "config.toml").is_file():
        return None, (read_run(folder),)
    raise FileNotFoundError(
        f"{folder} holds neither config.toml of a run (`gradtruce train` makes it), nor plan.toml "
        "of a study (`gradtruce study run`), nor summary.json (`gradtruce demo`)"
    )


def _dataset(folder: Path, run: RunRecord) -> PreparedDataset:
    """Open the data beside a comparison, which may have been moved, or where the run found it."""
    beside = folder / "data"
    return PreparedDataset.open(beside if beside.is_dir() else Path(run.config.data.path))


def _page(
    runs: Sequence[RunRecord],
    comparison: Comparison | None,
    dataset: PreparedDataset | None,
    items: Sequence[GalleryItem],
    target: Path,
) -> Page:
    labels = [run.label for run in runs]
    difference_label = " − ".join(labels[1::-1]) if len(labels) > 1 else ""
    difference = comparison.differences.get(HEADLINE) if comparison else None
    first = next(iter(runs[0].predictions.values()))
    return Page(
        title=" and ".join(labels) if comparison else f"Run {labels[0]}",
        lede=_lede(runs, comparison, dataset),
        is_synthetic=bool(
            (comparison and comparison.is_synthetic)
            or (dataset and dataset.manifest.is_synthetic)
            or any(item.is_synthetic for item in items)
        ),
        runs=labels,
        against=f"against {first.label_source if first.labels else READ_REFERENCES}",
        forest=_forest(runs, comparison),
        table=score_table(runs, comparison),
        class_rows=class_rows(runs),
        difference=difference,
        difference_label=difference_label,
        conclusion=conclusion(difference_label, difference) if difference else "",
        protocols=_protocols(runs[0].metrics),
        caveats=comparison.caveats if comparison else (),
        losses=loss_panels(runs) if runs[0].log.steps else (),
        conflict=conflict_panels(runs),
        by_epoch=conflict_by_epoch(runs),
        histograms=cosine_histograms(runs),
        dynamics=dynamics_rows(runs),
        verdicts=[(run.label, text) for run in runs if (text := verdict(run.log))],
        cards=[
            card
            for arm, run in enumerate(runs)
            if (card := shown_card(run.label, f"arm-{arm}", run.scores))
        ],
        nulls=null_rows(runs),
        magnitudes=magnitude_panels(runs),
        coefficients=coefficient_panels(runs),
        items=items,
        facts=run_facts(runs),
        fact_lists=_fact_lists(comparison, dataset),
        configs=[_config(run, target) for run in runs],
        notes=[
            f"{run.label}, step {note.get('step')}: {note.get('text')}"
            for run in runs
            for note in run.log.notes
        ],
        version=gradtruce.__version__,
    )


def _lede(
    runs: Sequence[RunRecord], comparison: Comparison | None, dataset: PreparedDataset | None
) -> str:
    config = runs[0].config
    where = (
        f"the data set {dataset.manifest.name}" if dataset else f"the data in {config.data.path}"
    )
    views = "1 view" if config.data.views == 1 else f"at most {config.data.views} views"
    size = f"{config.data.image_size} px, {views} a study"
    told = _told(runs)
    if comparison is None:
        return (
            f"The method {config.method.name} trained on {where} ({size}) with the multi-task "
            f"optimizer {config.balance.name}, seed {config.training.seed}.{told}"
        )
    names = " and ".join(run.label for run in runs)
    return (
        f"The same method ({config.method.name}) trained once with each multi-task optimizer, "
        f"{names}: same seed, same data order, same clipping, on {where} ({size}).{told}"
    )


def _told(runs: Sequence[RunRecord]) -> str:
    """Return what reports were generated from besides the images, as a sentence, or nothing."""
    told = {prediction.told for run in runs for prediction in run.predictions.values()} - {""}
    known = " and ".join(sorted(told))
    return f" Reports were generated from the images and {known}." if told else ""


def _forest(runs: Sequence[RunRecord], comparison: Comparison | None) -> list[ForestRow]:
    rows = [
        ForestRow(run.label, f"arm-{arm}", run.scores[HEADLINE])
        for arm, run in enumerate(runs)
        if HEADLINE in run.scores
    ]
    baselines = comparison.baselines.values() if comparison else ()
    rows += [
        ForestRow(label, "baseline", scores[HEADLINE])
        for label, scores in baselines
        if HEADLINE in scores
    ]
    labeler = runs[0].scores.get(HEADLINE.replace("clinical.", "labeler."), Score(None))
    if labeler.value is not None:
        rows.append(ForestRow("Labeler reading the references", "ceiling", labeler))
    return rows


def _protocols(metrics: Metrics) -> list[tuple[str, str, Facts]]:
    return [
        (GROUPS.get(name, name), group.reason, plain_facts(group.protocol.to_json()))
        for name, group in sorted(metrics.groups.items(), key=lambda entry: _rank(entry[0]))
    ]


def _rank(group: str) -> int:
    return list(GROUPS).index(group) if group in GROUPS else len(GROUPS)


def _fact_lists(
    comparison: Comparison | None, dataset: PreparedDataset | None
) -> list[tuple[str, Facts]]:
    lists: list[tuple[str, Facts]] = []
    if dataset is not None:
        manifest = dataset.manifest
        about = {"name": manifest.name, "source": manifest.source, "studies": manifest.splits}
        about |= {"made with": manifest.parameters, "notes": manifest.notes}
        lists.append(("Data set", plain_facts(about)))
    if comparison is not None:
        lists.append(("Comparison", plain_facts(comparison.data)))
        lists.append(("Machine and versions", plain_facts(comparison.machine)))
    return lists


def _config(run: RunRecord, target: Path) -> ConfigText:
    path = run.folder / "config.toml"
    link = Path(os.path.relpath(path.resolve(), target.resolve().parent)).as_posix()
    return ConfigText(run.label, run.config_text, link)
