"""What training took, how often gradients were in conflict, and what the update was made of."""

import statistics
from collections.abc import Sequence
from typing import Final

from gradtruce.study.results.lookup import Lookup, groups_of, notes, seeds_entry
from gradtruce.study.results.record import ArmRecord, CellRecord
from gradtruce.study.tables.model import Entry, StudyTable, TableRow


def training_table(look: Lookup) -> StudyTable:
    """Return steps, time, conflict, weights and clipping of every arm."""

    def row(cell: CellRecord, arm: ArmRecord) -> TableRow:
        runs = [run for run in look.runs(cell.name, arm.name) if run.is_finished]
        entries = [
            _over([getattr(run, name) for run in runs], digits) for name, _, digits in _FACTS
        ]
        return TableRow(arm.label, (*entries, seeds_entry(look, cell, arm)))

    return StudyTable(
        "training",
        f"{look.study.title}: training, mean ± standard deviation over seeds",
        "Arm",
        (*(column for _, column, _ in _FACTS), "Seeds"),
        groups_of(look, row),
        notes(
            look,
            [look.headline()],
            "Conflict: share of negative cosines between two tasks in a step. Its null: share of"
            " negative cosines of one task with itself, on two disjoint halves of a batch. Beside"
            " it, and to be compared with it, the same halves between two tasks; cosine: their"
            " mean, below 0 where the tasks oppose each other.",
            "Auxiliary weight: coefficient of an auxiliary task in the update over that of the"
            " first task, mean over tasks, median over steps; with static weights their ratio. None"
            " where more than a tenth of the steps takes nothing of the first, or goes against it.",
        ),
    )


_FACTS: Final = (
    ("steps", "Steps", 0),
    ("seconds_per_step", "s / step", 2),
    ("best_step", "Best step", 0),
    ("conflict_share", "Conflict", 2),
    ("cross_task_share", "Conflict, halves", 2),
    ("within_task_share", "Null, halves", 2),
    ("cross_task_cosine", "Cosine, halves", 3),
    ("auxiliary_weight", "Auxiliary weight", 2),
    ("clipped_share", "Clipped", 2),
)
"""Field of a run, heading, digits."""


def _over(values: Sequence[int | float | None], digits: int) -> Entry:
    known = [value for value in values if value is not None]
    if not known:
        return Entry()
    spread = statistics.stdev(known) if len(known) > 1 else None
    return Entry(statistics.fmean(known), spread=spread, digits=digits)
