"""The ablation table: ticks for the stages of CAME-Grad, as in Tables 4, D.3 and E.3."""

from typing import Final

from gradtruce.study.results.lookup import Lookup, groups_of, mean_entry, notes, seeds_entry
from gradtruce.study.results.record import ArmRecord, CellRecord
from gradtruce.study.tables.model import Entry, StudyTable, TableRow

STAGES: Final = ("s1", "s2", "s3")


def ablation_table(look: Lookup) -> StudyTable:
    """Return the scores of the arms by the stages of CAME-Grad that are on."""
    metrics = look.metrics("report")

    def row(cell: CellRecord, arm: ArmRecord) -> TableRow | None:
        if arm.stages is None or (not arm.stages and arm.name != look.study.reference):
            return None
        ticks = ["✓" if stage in arm.stages else "" for stage in STAGES]
        if "sgld" in arm.stages:
            ticks[1] = "SGLD"
        entries = [mean_entry(look.score(cell.name, arm.name, metric.name)) for metric in metrics]
        marks = (Entry(text=tick or " ") for tick in ticks)
        return TableRow(arm.label, (*marks, *entries, seeds_entry(look, cell, arm)))

    return StudyTable(
        "ablation",
        f"{look.study.title}: stages of CAME-Grad, mean ± standard deviation over seeds",
        "Arm",
        ("S1", "S2", "S3", *(metric.column for metric in metrics), "Seeds"),
        groups_of(look, row),
        notes(look, [look.headline()]),
    )
