"""`gradtruce study tables`: the numbers and tables of a study, finished or not."""

from pathlib import Path
from typing import Annotated

import typer

from gradtruce.cli.labeler_options import Bert, Cache, Device, LabelerName, Weights


def tables(
    folder: Annotated[Path, typer.Argument(help="Folder of a study, with its plan.toml.")],
    metric: Annotated[
        list[str] | None,
        typer.Option(
            help="Score to show first, such as nlg.bleu_4; the first leads the verdict. May be "
            "repeated."
        ),
    ] = None,
    resamples: Annotated[int, typer.Option(min=2, help="Draws of the test studies.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of all draws.")] = 0,
    meteor: Annotated[
        bool, typer.Option("--meteor", help="METEOR, which starts Java once a run.")
    ] = False,
    labeler: LabelerName = "rules",
    weights: Weights = None,
    bert: Bert = None,
    device: Device = "cpu",
    cache: Cache = None,
) -> None:
    """Compare the arms of a study: intervals, tests, verdicts; write study.json and tables/.

    The labeler must be the one that the runs were scored with. Runs that are not finished are left
    out, and the tables say so.
    """
    from gradtruce.cli.bar import Bars
    from gradtruce.evaluation.labelers.choice import LabelerChoice
    from gradtruce.study.results.record import StudyRecord
    from gradtruce.study.results.summary import SummaryOptions
    from gradtruce.study.results.written import TABLES, write_tables

    choice = LabelerChoice(labeler, weights=weights, bert=bert, device=device, cache=cache)
    choice.require_fitting()
    with Bars() as bars:
        path = write_tables(
            folder,
            tuple(metric or ()),
            labeler=choice.make(),
            options=SummaryOptions(resamples, seed, meteor),
            watch=lambda cell, share: bars.show("tables", share, None, cell),
        )
    record = StudyRecord.read(path)
    finished = sum(run.is_finished for run in record.runs)
    print(f"{finished} of {len(record.runs)} planned runs finished")
    labels = {arm.name: arm.label for arm in record.arms}
    for verdict in record.verdicts:
        if verdict.metric == record.headline:
            print(f"{labels[verdict.arm]}: {verdict.line}")
    print(f"done: {path}, {folder / TABLES}; next: gradtruce report {folder}")
