"""How well the error report card finds errors that are known, because we made them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, final

import numpy as np

from gradtruce.evaluation.errors.compare import ERROR_CLASSES, Error, ErrorClass
from gradtruce.evaluation.errors.extract import Extractor
from gradtruce.evaluation.errors.inject import OPERATIONS, Injection, inject
from gradtruce.evaluation.errors.tiers import report_card

INJECTED_CLASSES: Final[tuple[ErrorClass, ...]] = ERROR_CLASSES[:-1]
"""An omitted comparison is counted but makes no report wrong; none is injected."""


@final
class Detection(NamedTuple):
    """How many errors of one class were made, found and reported.

    Attributes:
        injected: Errors made.
        found: Of those, how many the card reports, with their class and observation.
        reported: Errors of this class that the card reports in all copies, injected or not.
    """

    injected: int
    found: int
    reported: int

    @property
    def recall(self) -> float:
        """Return the share of the errors made that is found; NaN where none was made.

        >>> Detection(injected=4, found=3, reported=6).recall
        0.75
        """
        return self.found / self.injected if self.injected else float("nan")

    @property
    def precision(self) -> float:
        """Return the share of the errors reported that was made; NaN where none is reported.

        >>> Detection(injected=4, found=3, reported=6).precision
        0.5
        """
        return self.found / self.reported if self.reported else float("nan")


@final
@dataclass(frozen=True)
class SelfTest:
    """The result of a self-test.

    Attributes:
        reports: Reports that it began with.
        untouched_accurate: Share of them that are *accurate* against themselves.
        by_class: Detection of each class of error.
        by_operation: Detection of what each operation made; `reported` counts all errors that
            the card reports in its copies.
    """

    reports: int
    untouched_accurate: float
    by_class: dict[str, Detection]
    by_operation: dict[str, Detection]

    def table(self) -> str:
        """Return the result as a Markdown table, classes before operations.

        >>> self_test(["There is a small left effusion."]).table().splitlines()[0]
        '| error | injected | found | reported | precision | recall |'
        """
        lines = [
            "| error | injected | found | reported | precision | recall |",
            "|---|---|---|---|---|---|",
        ]
        for name, one in (self.by_class | self.by_operation).items():
            shares = f"{one.precision:.3f} | {one.recall:.3f}"
            lines.append(f"| {name} | {one.injected} | {one.found} | {one.reported} | {shares} |")
        return "\n".join(lines)


def self_test(reports: Sequence[str], seed: int = 0) -> SelfTest:
    """Return how well the card finds known errors in copies of these reports.

    Each copy has one error; whatever else the card reports in it counts against precision. Copies
    differ from the reference in that error alone, so this says how well an error is seen, not how
    well two wordings of the same finding are matched.

    Raises:
        ValueError: If there is no report.

    >>> self_test(["There is a small left effusion."]).by_class["wrong_side"]
    Detection(injected=1, found=1, reported=1)
    """
    if not reports:
        raise ValueError("the self-test needs at least one report, got none")
    rng = np.random.default_rng(seed)
    extractor = Extractor()
    accurate = sum(
        not report_card(report, report, extractor).comparison.errors for report in reports
    )
    injected: Counter[str] = Counter()
    found: Counter[str] = Counter()
    reported: Counter[str] = Counter()
    for report in reports:
        for injection in inject(report, rng):
            errors = report_card(injection.text, report, extractor).comparison.errors
            is_found = _is_found(injection, errors)
            for name in (injection.kind, injection.operation):
                injected[name] += 1
                found[name] += is_found
            reported[injection.operation] += len(errors)
            reported.update(error.kind for error in errors)
    result = {
        name: Detection(injected[name], found[name], reported[name])
        for name in (*INJECTED_CLASSES, *OPERATIONS)
    }
    return SelfTest(
        reports=len(reports),
        untouched_accurate=accurate / len(reports),
        by_class={name: result[name] for name in INJECTED_CLASSES},
        by_operation={name: result[name] for name in OPERATIONS},
    )


def _is_found(injection: Injection, errors: Sequence[Error]) -> bool:
    """Return whether the error is reported; what an observation is called must agree too."""
    return any(
        error.kind == injection.kind and injection.observation in {"", error.observation}
        for error in errors
    )
