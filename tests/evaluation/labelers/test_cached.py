from collections.abc import Sequence

import numpy as np
import pytest
from jaxtyping import Float

from gradtruce.evaluation.labelers.base import Labeler
from gradtruce.evaluation.labelers.cached import CachedLabeler


class Interrupted(Labeler):
    """Reads a number of reports, then breaks off."""

    identity = "keyword 1"

    def __init__(self, most: int) -> None:
        self.left = most

    def label(self, reports: Sequence[str]) -> Float[np.ndarray, "reports observations"]:
        self.left -= len(reports)
        if self.left < 0:
            raise KeyboardInterrupt
        return np.zeros((len(reports), 14))


def test_a_text_is_read_once_in_a_labelers_life(labeler) -> None:
    cached = CachedLabeler(labeler)
    first: Float[np.ndarray, "reports observations"] = cached.label(["edema .", "fracture ."])
    again = cached.label(["fracture .", "edema .", "no edema ."])
    assert labeler.read == ["edema .", "fracture .", "no edema ."]
    np.testing.assert_array_equal(again[:2], first[::-1])


def test_it_goes_by_the_name_of_the_labeler_that_reads(labeler) -> None:
    assert CachedLabeler(labeler).identity == labeler.identity


def test_no_report_gives_no_row(labeler, tmp_path) -> None:
    assert CachedLabeler(labeler).label([]).shape == (0, 14)
    assert CachedLabeler(labeler, tmp_path).label([]).shape == (0, 14)


def test_with_a_file_a_text_is_read_once_over_all_runs(labeler, tmp_path) -> None:
    path = tmp_path / "labels.sqlite"
    first = CachedLabeler(labeler, path).label(["edema .", "fracture .", "edema ."])
    assert sorted(labeler.read) == ["edema .", "fracture ."]
    labeler.read.clear()
    second = CachedLabeler(labeler, path)
    again = second.label(["edema ?", "fracture .", "edema ."])
    assert labeler.read == ["edema ?"]
    second.label(["edema ?", "edema ."])
    assert labeler.read == ["edema ?"]
    np.testing.assert_array_equal(again[1:], first[1:])


def test_reading_that_is_broken_off_goes_on_where_it_was(labeler, tmp_path) -> None:
    reports = [f"report {number}" for number in range(1100)]
    with pytest.raises(KeyboardInterrupt):
        CachedLabeler(Interrupted(most=600), tmp_path).label(reports)
    CachedLabeler(labeler, tmp_path).label(reports)
    assert 500 <= len(labeler.read) < 600


def test_two_labelers_share_a_file(labeler, tmp_path) -> None:
    class Other(Interrupted):
        identity = "other 1"

    CachedLabeler(labeler, tmp_path).label(["edema ."])
    assert CachedLabeler(Other(most=9), tmp_path).label(["edema ."])[0, 4] == 0
    assert CachedLabeler(labeler, tmp_path).label(["edema ."])[0, 4] == 1
    assert labeler.read == ["edema ."]


def test_a_file_that_is_no_file_of_labels_is_refused_at_once(labeler, tmp_path) -> None:
    (tmp_path / "labels.csv").write_text("id,Edema\n" * 99)
    with pytest.raises(ValueError, match=r"labels\.csv: must be a file of labels"):
        CachedLabeler(labeler, tmp_path / "labels.csv")
