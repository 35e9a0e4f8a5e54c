"""What a report says of one finding, as a tuple that can be compared."""

from typing import Any, Final, Literal, NamedTuple

Change = Literal["new", "increased", "decreased", "unchanged", "resolved", "compared"]
"""What is said against an earlier study; "compared" where a comparison names no direction."""

SIDES: Final = ("left", "right")


class Statement(NamedTuple):
    """One finding, with its attributes; an attribute that is not stated is empty.

    Attributes:
        observation: One of the 13 findings.
        is_present: False where the report denies it.
        is_certain: False where the report hedges.
        sides: Of "left" and "right"; both for a bilateral finding.
        zones: Of "upper", "middle" and "lower".
        severities: Degrees of 1 (mild) to 3 (severe); two of them for "mild to moderate".
        device: Kind of device, for Support Devices.
        change: What is said against an earlier study.
        sentence: Number of the sentence in the report, from 0.

    >>> Statement("Edema", sides=("left",)).to_json()
    {'observation': 'Edema', 'is_present': True, 'is_certain': True, 'sides': ['left']}
    """

    observation: str
    is_present: bool = True
    is_certain: bool = True
    sides: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    severities: tuple[int, ...] = ()
    device: str | None = None
    change: Change | None = None
    sentence: int | None = None

    def to_json(self) -> dict[str, Any]:  # JSON values of several kinds
        """Return what is stated, as JSON values."""
        fields = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in self._asdict().items()
        }
        return {name: value for name, value in fields.items() if value not in (None, [])}


class Findings(NamedTuple):
    """What a whole report says.

    Attributes:
        present: Findings that are there or possible, each once.
        absent: Findings that are denied or gone.
        comparisons: Comparisons with an earlier study that speak of no finding: "no interval
            change", "the heart is stable", "stable granuloma".
    """

    present: tuple[Statement, ...]
    absent: tuple[Statement, ...]
    comparisons: tuple[Change, ...]

    @property
    def compares(self) -> bool:
        """Return whether the report mentions an earlier study at all.

        >>> Findings((), (), ("unchanged",)).compares
        True
        """
        said = any(one.change is not None for one in (*self.present, *self.absent))
        return said or bool(self.comparisons)

    def to_json(self) -> dict[str, Any]:  # JSON values of several kinds
        """Return all statements as JSON values."""
        return {
            "statements": [one.to_json() for one in (*self.present, *self.absent)],
            "comparisons": list(self.comparisons),
        }
