"""Statements of a generated report aligned with those of its reference, and where they differ."""

from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple, final

import numpy as np
from scipy.optimize import linear_sum_assignment

from gradtruce.evaluation.errors.lexicon import Lexicon
from gradtruce.evaluation.errors.merge import differ
from gradtruce.evaluation.errors.statement import Change, Findings, Statement

ErrorClass = Literal[
    "false",
    "missing",
    "wrong_side",
    "wrong_location",
    "wrong_severity",
    "unfounded_comparison",
    "omitted_comparison",
]
ERROR_CLASSES: Final[tuple[ErrorClass, ...]] = (
    "false",
    "missing",
    "wrong_side",
    "wrong_location",
    "wrong_severity",
    "unfounded_comparison",
    "omitted_comparison",
)
"""The six classes of ReXVal and GREEN, side and location told apart."""

_VAGUE: Final = 0.01
_IMPOSSIBLE: Final = 1e6


@final
class Error(NamedTuple):
    """One error.

    Attributes:
        kind: Its class.
        observation: The finding; "" for a comparison that speaks of none.
        significance: How much it matters; "" for comparisons.
        generated: What the generated report says, where it says something.
        reference: What the reference says, where it says something.
    """

    kind: ErrorClass
    observation: str
    significance: str = ""
    generated: Statement | None = None
    reference: Statement | None = None

    def to_json(self) -> dict[str, Any]:  # JSON values of several kinds
        """Return what is known, as JSON values.

        >>> Error("false", "Edema", "actionable").to_json()
        {'kind': 'false', 'observation': 'Edema', 'significance': 'actionable'}
        """
        fields: dict[str, Any] = {"kind": self.kind, "observation": self.observation}
        if self.significance:
            fields["significance"] = self.significance
        for name, one in (("generated", self.generated), ("reference", self.reference)):
            if one is not None:
                fields[name] = one.to_json()
        return fields


@final
class Comparison(NamedTuple):
    """How two reports differ.

    Attributes:
        errors: By class, then in the order of the texts.
        matched: Number of findings that both state.
        certainty_differences: How many of those only one of them hedges; no error.
    """

    errors: tuple[Error, ...]
    matched: int
    certainty_differences: int


class _Part(NamedTuple):
    """A finding on one side: a bilateral one is two."""

    source: Statement
    side: str | None


def compare(generated: Findings, reference: Findings, lexicon: Lexicon) -> Comparison:
    """Return the errors of a generated report.

    A bilateral finding is compared as two, one a side, but counts as one error where both are
    false or missing. Where one report leaves a side, zone or degree open, it is no error. Of
    several findings of one observation those are paired that agree best (optimal assignment).

    >>> from gradtruce.evaluation.errors.extract import Extractor
    >>> reader = Extractor()
    >>> said, right = reader.read("small left effusion"), reader.read("large effusion on the left")
    >>> [error.kind for error in compare(said, right, reader.lexicon).errors]
    ['wrong_severity']
    """
    errors: list[Error] = []
    pairs: list[tuple[Statement, Statement]] = []
    names = dict.fromkeys(one.observation for one in (*reference.present, *generated.present))
    for name in names:
        said, right = _parts(generated.present, name), _parts(reference.present, name)
        found = _assign(said, right, name in lexicon.attributes["countable"])
        pairs += [(said[i].source, right[j].source) for i, j in found]
        errors += _attribute_errors([(said[i], right[j]) for i, j in found], lexicon)
        errors += _unpaired("false", said, right, found, lexicon)
        swapped = [(j, i) for i, j in found]
        errors += _unpaired("missing", right, said, swapped, lexicon)
    pairs = list(dict.fromkeys(pairs))
    errors += _comparison_errors(pairs, generated, reference)
    return Comparison(
        tuple(sorted(dict.fromkeys(errors), key=lambda one: ERROR_CLASSES.index(one.kind))),
        matched=len(pairs),
        certainty_differences=sum(one.is_certain != two.is_certain for one, two in pairs),
    )


def _parts(statements: Sequence[Statement], observation: str) -> list[_Part]:
    return [
        _Part(one, side)
        for one in statements
        if one.observation == observation
        for side in (one.sides or (None,))
    ]


def _assign(
    said: Sequence[_Part], right: Sequence[_Part], is_countable: bool
) -> list[tuple[int, int]]:
    if not said or not right:
        return []
    costs = np.array([[_cost(one, two, is_countable) for two in right] for one in said])
    if costs.size == 1:
        return [(0, 0)] if costs[0, 0] < _IMPOSSIBLE else []
    rows, columns = linear_sum_assignment(costs)
    chosen = zip(rows.tolist(), columns.tolist(), strict=True)
    return [(row, column) for row, column in chosen if costs[row, column] < _IMPOSSIBLE]


def _cost(said: _Part, right: _Part, is_countable: bool) -> float:
    one, two = said.source, right.source
    if one.device and two.device and one.device != two.device:
        return _IMPOSSIBLE
    other_side = bool(said.side and right.side and said.side != right.side)
    other_zone = differ(one.zones, two.zones)
    if is_countable and other_side and other_zone:
        return _IMPOSSIBLE
    open_ones = sum(
        bool(here) != bool(there)
        for here, there in (
            (said.side, right.side),
            (one.zones, two.zones),
            (one.severities, two.severities),
            (one.device, two.device),
        )
    )
    wrong = other_side + other_zone + differ(one.severities, two.severities)
    return float(wrong) + _VAGUE * open_ones


def _attribute_errors(pairs: Sequence[tuple[_Part, _Part]], lexicon: Lexicon) -> list[Error]:
    errors = []
    for said, right in pairs:
        one, two = said.source, right.source
        differences: dict[ErrorClass, bool] = {
            "wrong_side": bool(said.side and right.side and said.side != right.side),
            "wrong_location": differ(one.zones, two.zones),
            "wrong_severity": differ(one.severities, two.severities),
        }
        level = max(map(lexicon.significance_of, (one, two)), key=lexicon.levels.index)
        errors += [
            Error(kind, one.observation, level, one, two)
            for kind, is_wrong in differences.items()
            if is_wrong
        ]
    return errors


def _unpaired(
    kind: ErrorClass,
    parts: Sequence[_Part],
    others: Sequence[_Part],
    pairs: Sequence[tuple[int, int]],
    lexicon: Lexicon,
) -> list[Error]:
    """Return an error for each statement with a part that the other report does not have.

    The other part's partner stands for both where it names no side.
    """
    paired = dict(pairs)
    covered = {parts[i].source for i, j in pairs if others[j].side is None}
    errors = []
    for place, part in enumerate(parts):
        if place in paired or part.source in covered:
            continue
        level = lexicon.significance_of(part.source)
        one, two = (part.source, None) if kind == "false" else (None, part.source)
        errors.append(Error(kind, part.source.observation, level, one, two))
    return errors


def _comparison_errors(
    pairs: Sequence[tuple[Statement, Statement]], generated: Findings, reference: Findings
) -> list[Error]:
    judged = [(_judge(one.change, two.change), one, two) for one, two in pairs]
    errors = [
        Error(kind, one.observation, generated=one, reference=two)
        for kind, one, two in judged
        if kind
    ]
    errors += [
        Error("unfounded_comparison", one.observation, generated=one)
        for one in generated.absent
        if _judge(one.change, _change_of(one, reference)) == "unfounded_comparison"
    ]
    errors += [
        Error("omitted_comparison", one.observation, reference=one)
        for one in reference.absent
        if _judge(_change_of(one, generated), one.change) == "omitted_comparison"
    ]
    if generated.comparisons and not reference.compares:
        errors.append(Error("unfounded_comparison", ""))
    if reference.comparisons and not generated.compares:
        errors.append(Error("omitted_comparison", ""))
    return errors


def _judge(said: Change | None, right: Change | None) -> ErrorClass | None:
    if said is None:
        return "omitted_comparison" if right else None
    if right is None:
        return "unfounded_comparison"
    agree = said == right or "compared" in {said, right}
    return None if agree else "unfounded_comparison"


def _change_of(statement: Statement, findings: Findings) -> Change | None:
    """Return what the other report says of the same observation against an earlier study."""
    said = [
        one.change
        for one in (*findings.absent, *findings.present)
        if one.observation == statement.observation and one.change
    ]
    return statement.change if statement.change in said else next(iter(said), None)
