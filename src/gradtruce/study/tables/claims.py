"""The paper's claims as a table."""

from gradtruce.study.results.lookup import Lookup, notes
from gradtruce.study.tables.model import Entry, RowGroup, StudyTable, TableRow


def claim_table(look: Lookup) -> StudyTable:
    """Return what the study says of every claim."""
    rows = tuple(
        TableRow(
            each.claim,
            (
                Entry(text=each.where),
                Entry(text=each.status),
                Entry(text=each.evidence),
                Entry(text=each.rule),
            ),
        )
        for each in look.study.claims
    )
    return StudyTable(
        "claims",
        "The paper's claims, held against this study",
        "Claim",
        ("Where", "Status", "Evidence here", "Rule"),
        (RowGroup("", rows),) if rows else (),
        notes(look, [look.headline()]),
    )
