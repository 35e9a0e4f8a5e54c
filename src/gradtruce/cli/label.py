"""`gradtruce label`: the states of the 14 observations in reports."""

from pathlib import Path
from typing import Annotated

import typer

from gradtruce.cli.labeler_options import (
    Bert,
    Cache,
    Compat,
    Device,
    EmptyPolicyOption,
    LabelerName,
    Weights,
)


def label(
    reports: Annotated[Path, typer.Argument(help="JSON Lines or CSV with id and report.")],
    output: Annotated[Path, typer.Option(help="CSV: id and the 14 observations.")],
    field: Annotated[
        str | None, typer.Option(help="Name of the text, where there are several.")
    ] = None,
    labeler: LabelerName = "rules",
    empty_policy: EmptyPolicyOption = "blank",
    compat: Compat = False,
    weights: Weights = None,
    bert: Bert = None,
    device: Device = "cpu",
    cache: Cache = None,
    compare: Annotated[
        Path | None, typer.Option(help="CSV of other labels of these reports: print agreement.")
    ] = None,
) -> None:
    """Label reports: 1 stated, 0 denied, -1 uncertain, empty not mentioned.

    Reports are read as they are; nothing is downloaded.
    """
    from gradtruce.evaluation.formats.reports import read_reports
    from gradtruce.evaluation.label_output import write_labels
    from gradtruce.evaluation.labelers.base import read_reports as read
    from gradtruce.evaluation.labelers.choice import LabelerChoice

    if labeler == "file":
        raise typer.BadParameter("labeler 'file' looks labels up; choose rules or chexbert")
    choice = LabelerChoice(
        labeler,
        empty_policy=empty_policy,
        compat=compat,
        weights=weights,
        bert=bert,
        device=device,
        cache=cache,
    )
    rows = read_reports(reports, field)
    reader = choice.make()
    states = read(reader, [text for _, text in rows])
    write_labels(output, [study for study, _ in rows], states)
    blank = sum(not text.strip(" .") for _, text in rows)
    note = f", {blank} of them empty: {empty_policy}" if blank else ""
    print(f"{len(rows)} reports{note}, labeler {reader.identity}")
    if compare is not None:
        _print_agreement(output, compare)
    print(f"written: {output}")


def _print_agreement(ours: Path, theirs: Path) -> None:
    from gradtruce.data.label_file import LabelFile
    from gradtruce.evaluation.labelers.agreement import as_rows, compare_labels

    one, other = (as_rows(LabelFile.read(path).states) for path in (ours, theirs))
    shared = one.keys() & other.keys()
    if not shared:
        raise ValueError(f"{theirs}: has none of the reports that were labelled; check its ids")
    print(f"agreement with {theirs} on {len(shared)} of {len(one)} reports, uncertain as positive:")
    found = compare_labels(
        {id_: one[id_] for id_ in one if id_ in shared},
        {id_: other[id_] for id_ in one if id_ in shared},
    )
    print(found.table())
