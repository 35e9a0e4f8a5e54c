from collections.abc import Sequence

import numpy as np
import pytest
from jaxtyping import Float

from gradtruce.evaluation.labelers.base import Labeler, read_reports


class Fixed(Labeler):
    """Returns one row for every report, whatever it says."""

    def __init__(self, row: np.ndarray) -> None:
        self.row = row
        self.read: list[str] = []

    @property
    def identity(self) -> str:
        return "fixed 1"

    def label(self, reports: Sequence[str]) -> Float[np.ndarray, "reports observations"]:
        self.read += reports
        return np.tile(self.row, (len(reports), 1))


def test_a_text_that_comes_often_is_read_once() -> None:
    labeler = Fixed(np.zeros(14))
    assert read_reports(labeler, ["a", "b", "a", "a"]).shape == (4, 14)
    assert labeler.read == ["a", "b"]


def test_rows_stay_with_their_reports() -> None:
    class Length(Fixed):
        def label(self, reports: Sequence[str]) -> Float[np.ndarray, "reports observations"]:
            return np.tile([[float(len(report) % 2)] for report in reports], (1, 14))

    assert read_reports(Length(np.zeros(14)), ["a", "bb", "a", "ccc"])[:, 0].tolist() == [
        1,
        0,
        1,
        1,
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [(np.zeros(13), "must return 1 × 14"), (np.full(14, 2.0), "1, 0, -1 or NaN")],
)
def test_a_labeler_that_breaks_the_contract_is_named(row: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=f"labeler fixed 1 .*{message}"):
        read_reports(Fixed(row), ["a"])
