"""`gradtruce label`: the states of the 14 observations in reports."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gradtruce.evaluation.labelers.agreement import Labels


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
    from gradtruce.files import require_places

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
    choice.require_fitting()
    require_places([output], [reports, *([compare] if compare else [])])
    rows = read_reports(reports, field)
    others = _others(compare, [study for study, _ in rows]) if compare else {}
    reader = choice.make()
    states = read(reader, [text for _, text in rows])
    write_labels(output, [study for study, _ in rows], states)
    blank = sum(not text.strip(" .") for _, text in rows)
    policy = f": {empty_policy}" if labeler == "rules" else ""
    note = f", {blank} of them empty{policy}" if blank else ""
    print(f"{len(rows)} reports{note}, labeler {reader.identity}")
    if compare is not None:
        _print_agreement(output, compare, others)
    print(f"written: {output}")


def _others(path: Path, studies: "Sequence[str]") -> "Labels":
    """Return other labels of these studies, before any of them is labelled here."""
    from gradtruce.data.label_file import LabelFile
    from gradtruce.evaluation.labelers.agreement import as_rows

    rows = as_rows(LabelFile.read(path).states)
    shared = {study: rows[study] for study in studies if study in rows}
    if not shared:
        raise ValueError(f"{path}: has none of the reports to be labelled; check its ids")
    return shared


def _print_agreement(path: Path, compared: Path, others: "Labels") -> None:
    from gradtruce.data.label_file import LabelFile
    from gradtruce.evaluation.labelers.agreement import as_rows, compare_labels

    ours = as_rows(LabelFile.read(path).states)
    print(f"agreement with {compared} on {len(others)} of {len(ours)} reports, uncertain positive:")
    print(compare_labels({study: ours[study] for study in others}, others).table())
