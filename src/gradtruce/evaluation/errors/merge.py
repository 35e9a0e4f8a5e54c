"""One statement where a report speaks of the same finding more than once."""

from collections.abc import Sequence
from typing import TypeVar

from gradtruce.evaluation.errors.statement import Statement

Value = TypeVar("Value", int, str)


def merged(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """Return the statements, those that can mean the same finding made one.

    They can where nothing that both state differs; the first is filled up with what the second
    adds. What is said of one side of a bilateral finding alone adds nothing to the other side.

    >>> two = [Statement("Edema", severities=(1,)), Statement("Edema", is_certain=False)]
    >>> len(merged(two))
    1
    """
    kept: list[Statement] = []
    for statement in statements:
        for place, other in enumerate(kept):
            if _same(other, statement):
                kept[place] = _joined(other, statement)
                break
        else:
            kept.append(statement)
    return tuple(kept)


def _same(one: Statement, two: Statement) -> bool:
    return (
        one.observation == two.observation
        and (one.device == two.device or not (one.device and two.device))
        and (not one.sides or not two.sides or _is_part(one, two) or _is_part(two, one))
        and not differ(one.zones, two.zones)
        and not differ(one.severities, two.severities)
    )


def differ(one: Sequence[str | int], two: Sequence[str | int]) -> bool:
    """Return whether both state something and share nothing.

    >>> differ(("upper",), ("lower",)), differ(("upper",), ())
    (True, False)
    """
    return bool(one) and bool(two) and not set(one) & set(two)


def _is_part(one: Statement, two: Statement) -> bool:
    return set(one.sides) <= set(two.sides)


def _joined(one: Statement, two: Statement) -> Statement:
    if one.sides and two.sides and one.sides != two.sides:
        wide = two if _is_part(one, two) else one
        return wide._replace(
            is_certain=one.is_certain or two.is_certain, change=one.change or two.change
        )
    return one._replace(
        is_certain=one.is_certain or two.is_certain,
        sides=one.sides or two.sides,
        zones=_narrowed(one.zones, two.zones),
        severities=_narrowed(one.severities, two.severities),
        device=one.device or two.device,
        change=one.change or two.change,
    )


def _narrowed(one: tuple[Value, ...], two: tuple[Value, ...]) -> tuple[Value, ...]:
    both = tuple(value for value in one if value in two)
    return both or one or two
