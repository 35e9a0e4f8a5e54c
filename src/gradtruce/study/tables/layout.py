"""The tables of a study, in the paper's layout, from the record of the study alone."""

from collections.abc import Iterator, Sequence
from typing import Final

from gradtruce.study.published.paper import published_beside
from gradtruce.study.results.lookup import (
    Lookup,
    groups_of,
    heading,
    mean_entry,
    notes,
    seeds_entry,
)
from gradtruce.study.results.record import (
    ArmRecord,
    CellRecord,
    ComparisonRecord,
    MetricRecord,
    StudyRecord,
    gain_of,
)
from gradtruce.study.tables.ablation import STAGES, ablation_table
from gradtruce.study.tables.claims import claim_table
from gradtruce.study.tables.model import Entry, RowGroup, StudyTable, TableRow
from gradtruce.study.tables.training import training_table

PUBLISHED_NOTE: Final = (
    "Rows marked as published are the CAME-Grad paper's, on other data: no difference between them"
    " and the others means anything."
)


def tables(study: StudyRecord) -> list[StudyTable]:
    """Return every table that a study has numbers for.

    Args:
        study: The record.
    """
    look = Lookup(study)
    found = [_results(look, "report"), _differences(look), _headline(look), _verdicts(look)]
    if _has_scores(look, "auxiliary"):
        found.append(_results(look, "auxiliary"))
    if any(arm.stages and set(STAGES) > set(arm.stages) for arm in study.arms):
        found.append(ablation_table(look))
    found += [training_table(look), claim_table(look)]
    return [table.without_empty_columns() for table in found if table.groups]


def _results(look: Lookup, group: str) -> StudyTable:
    metrics = look.metrics(group)

    def row(cell: CellRecord, arm: ArmRecord) -> TableRow:
        entries = [mean_entry(look.score(cell.name, arm.name, metric.name)) for metric in metrics]
        return TableRow(arm.label, (*entries, seeds_entry(look, cell, arm)))

    groups = tuple(
        RowGroup(
            heading(cell),
            (
                *(row(cell, arm) for arm in look.arms(cell.name)),
                *_published(look, cell, metrics, group),
            ),
        )
        for cell in look.study.cells
    )
    is_main = group == "report"
    has_published = any(row.is_published for each in groups for row in each.rows)
    return StudyTable(
        "results" if is_main else "auxiliary",
        f"{look.study.title}: mean ± standard deviation over seeds"
        + ("" if is_main else ", the findings head"),
        "Arm",
        (*(metric.column for metric in metrics), "Seeds"),
        groups,
        notes(
            look,
            [look.headline()] if is_main else metrics[:1],
            *([PUBLISHED_NOTE] if has_published else []),
        ),
    )


def _published(
    look: Lookup, cell: CellRecord, metrics: Sequence[MetricRecord], group: str
) -> Iterator[TableRow]:
    arms = tuple(arm.name for arm in look.arms(cell.name))
    labels = {arm.name: arm.label for arm in look.study.arms}
    for table, row in published_beside(cell.method, arms, auxiliary=group == "auxiliary"):
        values = table.values(row.model, row.arm) or {}
        entries = [Entry(values.get(metric.column)) for metric in metrics]
        note = f", {row.note}" if row.note else ""
        label = f"{labels[row.arm]}: {row.model}, {table.data}, Table {table.name}{note}"
        yield TableRow(label, (*entries, Entry()), is_published=True)


def _difference(each: ComparisonRecord | None) -> Entry:
    if each is None:
        return Entry()
    return Entry(
        each.difference,
        low=each.low,
        high=each.high,
        is_signed=True,
        is_marked=each.outcome in ("better", "worse"),
    )


def _differences(look: Lookup) -> StudyTable:
    metrics = look.metrics("report")
    reference = look.label(look.study.reference)

    def row(cell: CellRecord, arm: ArmRecord) -> TableRow | None:
        if arm.name == look.study.reference:
            return None
        found = [look.comparison(cell.name, arm.name, metric.name) for metric in metrics]
        return TableRow(arm.label, tuple(_difference(each) for each in found))

    return StudyTable(
        "differences",
        f"{look.study.title}: difference to {reference}, 95 % interval",
        "Arm",
        tuple(metric.column for metric in metrics),
        groups_of(look, row),
        notes(look, metrics, *_method_notes(look)),
    )


def _method_notes(look: Lookup) -> tuple[str, ...]:
    settings = look.study.settings
    return (
        f"Intervals, each for itself and not corrected: {settings['interval']}.",
        f"*: different from {look.label(look.study.reference)} at 95 %, {settings['correction']}.",
    )


def _headline(look: Lookup) -> StudyTable:
    metric = look.headline()

    def row(cell: CellRecord, arm: ArmRecord) -> TableRow:
        each = look.comparison(cell.name, arm.name, metric.name)
        mean = mean_entry(look.score(cell.name, arm.name, metric.name))
        if each is None:
            return TableRow(arm.label, (mean, *([Entry()] * 6), seeds_entry(look, cell, arm)))
        return TableRow(
            arm.label,
            (
                mean,
                _difference(each),
                Entry(each.p, is_probability=True),
                Entry(each.p_holm, is_probability=True),
                Entry(each.detectable),
                Entry(each.detectable_holm),
                Entry(text=each.reason or each.outcome),
                seeds_entry(look, cell, arm),
            ),
        )

    return StudyTable(
        "headline",
        f"{look.study.title}: {metric.label}",
        "Arm",
        (
            *("Mean", "Difference", "p", "p, Holm", "Detectable", "Detectable, Holm"),
            *("Outcome", "Seeds"),
        ),
        groups_of(look, row),
        notes(
            look,
            [metric],
            *_method_notes(look),
            "Detectable: the smallest difference that the test shows with power .8, at 5 %, and at"
            " 5 % over the number of comparisons.",
        ),
    )


def _verdicts(look: Lookup) -> StudyTable:
    metric = look.headline()
    rows = []
    for each in sorted(
        (each for each in look.study.verdicts if each.metric == metric.name),
        key=lambda each: -gain_of(metric, each.difference),
    ):
        rank = look.rank(each.arm, metric.name)
        ranked = (
            Entry() if rank is None else Entry(rank.rank, low=rank.low, high=rank.high, digits=1)
        )
        rows.append(
            TableRow(
                look.label(each.arm),
                (
                    Entry(text=each.line),
                    Entry(each.difference, low=each.low, high=each.high, is_signed=True),
                    Entry(text=f"{each.wins}/{each.ties}/{each.losses}"),
                    ranked,
                ),
            )
        )
    return StudyTable(
        "verdicts",
        f"{look.study.title}: verdicts by {metric.label}",
        "Arm",
        ("Verdict", "Mean difference", "Better/undecided/worse", "Average rank"),
        (RowGroup("", tuple(rows)),) if rows else (),
        notes(
            look,
            [metric],
            *_rank_notes(look, metric),
        ),
    )


def _rank_notes(look: Lookup, metric: MetricRecord) -> tuple[str, ...]:
    ranked = [each for each in look.study.ranks if each.metric == metric.name]
    if not ranked:
        return ()
    names = {each.arm for each in ranked}
    left_out = [arm.label for arm in look.study.arms if arm.name not in names]
    rest = (
        f"; not ranked, since they lack cells or seeds: {', '.join(left_out)}" if left_out else ""
    )
    return (
        f"Average rank over methods, 1 the best, of {len(ranked)} arms, {ranked[0].seeds} seeds;"
        f" {look.study.settings['ranks']}{rest}.",
    )


def _has_scores(look: Lookup, group: str) -> bool:
    names = {metric.name for metric in look.metrics(group)}
    return any(score.mean is not None and score.metric in names for score in look.study.scores)
